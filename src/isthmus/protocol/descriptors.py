"""Sonographic descriptors in a run: the heads that a cohort can teach, and their labels."""

from collections.abc import Sequence

from isthmus.errors import CohortError
from isthmus.models.descriptors import ABSENT, fewest_codes
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases
from isthmus.protocol.schema import Protocol
from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED
from isthmus.training.spec import DescriptorTask, FitSpec


def descriptor_task(arm: Arm, key: str, cases: Cases, train_views: Sequence[str]) -> DescriptorTask | None:
    """Return what an arm's fit learns beside the target; None where the protocol asks for nothing, or lets it be.

    The heads' codes are those that the cohort's training cases have, so that all folds of an arm have the same heads
    and no head names what it cannot have learnt. The labels are of this fold's training views only.

    Parameters
    ----------
    arm : Arm
        The protocol's.
    key : str
        Its name.
    cases : Cases
        What the arms are trained on.
    train_views : sequence of str
        Of the fit.

    Raises
    ------
    CohortError
        When the cohort has none of the descriptors and `where_absent` is `refuse`.
    """
    wanted = arm.descriptors
    if wanted is None:
        return None
    codes_of = {name: _codes_of_views(cases, key, name) for name in wanted.predict}
    heads = {}
    for name, codes in codes_of.items():
        found = {code for own in codes.values() for code in own}
        ordered = [code for code in DESCRIPTORS[name] if code in found]
        if len(ordered) >= fewest_codes(name):
            heads[name] = ordered
    if not heads and wanted.where_absent == "refuse":
        raise CohortError(
            f"cohort {cases.cohort.name} has none of the descriptors that arm {key} is to learn",
            where="nodules.csv",
            expected=f"two codes or more in a column of {', '.join(wanted.predict)}",
            hint=f"--set arms.{key}.descriptors.where_absent=without trains it without them",
        )
    if not heads:
        return None
    training = set(train_views)
    labels = {
        name: {view: [codes.index(code) for code in own] for view, own in codes_of[name].items() if view in training}
        for name, codes in heads.items()
    }
    return DescriptorTask(heads=heads, labels=labels, weight=wanted.weight, feed=wanted.feed)


def _codes_of_views(cases: Cases, key: str, name: str) -> dict[str, list[str]]:
    """Return the codes of each of an arm's views whose nodule has the descriptor, sorted by view."""
    nodules = cases.cohort.nodules
    if name not in nodules.columns:
        return {}
    recorded = nodules.dropna(subset=[name]).set_index("nodule_id")[name]
    views = cases.views[key][["view_id", "nodule_id"]].sort_values("view_id")
    views = views[views["nodule_id"].isin(recorded.index)]
    return {
        view: [code for code in str(recorded[nodule]).split() if not (name in MULTI_VALUED and code == ABSENT)]
        for view, nodule in views.itertuples(index=False, name=None)
    }


def descriptor_sentences(protocol: Protocol, fits: Sequence[FitSpec]) -> dict[str, str]:
    """Return for each arm that is to learn descriptors, in words, which it learns and which the cohort lacks."""
    first = {fit.arm: fit for fit in reversed(fits)}
    sentences = {}
    for key, arm in protocol.arms.items():
        if arm.descriptors is None or key not in first:
            continue
        task = first[key].descriptors
        if task is None:
            sentences[key] = "no descriptor is recorded in this cohort; trained without descriptor heads"
            continue
        heads = ", ".join(f"{_spoken(name)} ({len(codes)} codes)" for name, codes in task.heads.items())
        words = f"also learns what readers described, at weight {task.weight:g} beside the label: {heads}"
        words += "; their probabilities enter its last layer" if task.feed else ""
        missing = [_spoken(name) for name in arm.descriptors.predict if name not in task.heads]
        sentences[key] = words + (f"; left out, not told apart in this cohort: {', '.join(missing)}" if missing else "")
    return sentences


def _spoken(name: str) -> str:
    return name.replace("_", " ")
