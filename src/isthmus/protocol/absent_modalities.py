"""Modalities that an arm joins and a cohort has of no case: said, and left out before anything is trained."""

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import listed


def without_absent_modalities(protocol: Protocol, cohort: Cohort) -> tuple[Protocol, list[str]]:
    """Return the protocol whose joined arms look at what the cohort has, and what to say of the rest.

    Raises
    ------
    CohortError
        When the cohort has none of an arm's modalities.
    """
    target = next((name for name in protocol.target if name in cohort.targets), None)
    if target is None:
        return protocol, []  # which is said when the cases are looked for
    arms, said = dict(protocol.arms), list[str]()
    for key, arm in protocol.arms.items():
        if arm.view.join is None:
            continue
        there = tuple(name for name in arm.view.modalities if _has(cohort, target, name))
        if not there:
            raise CohortError(
                f"arm {key} joins {listed(list(arm.view.shown))}, and cohort {cohort.name} has a labelled view of none",
                expected="views of at least one of them",
                hint=f"isthmus cohort check {cohort.folder.name}",
            )
        absent: list[str] = [name for name in arm.view.modalities if name not in there]
        if absent:
            said.append(
                f"arm {key} is trained without {listed(absent)}: cohort {cohort.name} has no labelled view of it"
            )
            view = arm.view.model_copy(update={"modalities": there, "modality": there[0]})
            arms[key] = arm.model_copy(update={"view": view})
    return (protocol.model_copy(update={"arms": arms}), said) if said else (protocol, [])


def _has(cohort: Cohort, target: str, modality: str) -> bool:
    try:
        return len(cohort.examples(target, modality)) > 0
    except CohortError:
        return False
