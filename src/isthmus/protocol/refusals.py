"""What a run refuses before it reads a picture or makes a folder: parts without a class, patients too few to halve."""

from collections.abc import Mapping

import pandas as pd

from isthmus.cohort.splits import strata_of
from isthmus.errors import CohortError
from isthmus.protocol.candidates import check_test_to_choose_on
from isthmus.protocol.cases import Cases
from isthmus.protocol.clinical_arm import check_clinical_columns
from isthmus.protocol.descriptors import descriptor_task
from isthmus.protocol.fits import check_classes, sides
from isthmus.protocol.half_fits import pairs_of_fold
from isthmus.protocol.parts import divide, set_aside
from isthmus.protocol.resolve import narrowed
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import listed
from isthmus.training.halves import FEWEST

_MOST_FOLDS = 10
"""More folds train more often: beyond these, another way is named first."""


def divided(protocol: Protocol, cases: Cases) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Divide a run's patients, as :func:`isthmus.protocol.parts.divide` does, and refuse what no picture could mend.

    Raises
    ------
    CohortError
        When a part of a fold lacks a class or holds no view of it, or its patients are too few to halve for joined
        arms: with how many are needed and a next step that has been tried on these patients.
    ProtocolError, InputError
        When the protocol asks for what these patients have not.
    """
    split, aside = divide(protocol, cases)
    check_test_to_choose_on(protocol, aside)
    training, _ = set_aside(cases, aside)
    for key, arm in protocol.arms.items():
        descriptor_task(arm, key, cases, [])
    try:
        _check_views(protocol, training, split)
    except CohortError as error:
        other = _other_folds(protocol, cases) or "no number of folds works: more cases with these pictures"
        raise CohortError(error.what, where=error.where, expected=error.expected, hint=other) from None
    if protocol.clinical is not None:
        check_clinical_columns(training, split, protocol.clinical.columns)
    try:
        _check_halves(protocol, training, split)
    except CohortError as error:
        raise CohortError(
            error.what, where=error.where, expected=_needed(protocol, training), hint=_remedy(protocol, cases)
        ) from None
    return split, aside


def _check_views(protocol: Protocol, training: Cases, split: pd.DataFrame) -> None:
    """Refuse a part in which an arm sees no view of a class; arms that look at the same views are asked once."""
    seen: set[tuple[str, ...]] = set()
    for key in protocol.arms:
        views = training.views[key]
        if (ids := tuple(views["view_id"])) in seen:
            continue
        seen.add(ids)
        for seed, fold in _folds(split):
            part_of = views["group_id"].map(sides(split, seed, fold))
            present = {part: set(views.loc[part_of == part, "label"]) for part in ("train", "tune", "cv")}
            check_classes(present, training, f"arm {key}, seed {seed}, fold {fold}")


def _check_halves(protocol: Protocol, training: Cases, split: pd.DataFrame) -> None:
    """Refuse folds whose training patients cannot be halved, or a half of which an arm sees no view of a class."""
    crossed = {key: fusion for key, fusion in protocol.fusions.items() if fusion.settings.halved}
    for seed, fold in _folds(split) if crossed else ():
        part_of = sides(split, seed, fold)
        where = f"seed {seed}, fold {fold}, for {listed(list(crossed))}"
        try:
            pairs = pairs_of_fold(training, part_of, "cross_fit", seed, fold)
        except CohortError as error:
            raise CohortError(_counted(training, part_of), where=where) from error
        for key, fusion in crossed.items():
            groups = {arm: _groups_by_class(training.views[arm]) for arm in fusion.fuse}
            for pair in pairs:
                for name in training.classes:
                    taught = [own.get(name, set()) & set(pair.networks) for own in groups.values()]
                    # Under `leave_out` a head meets only patients whom every member sees.
                    there = [own.get(name, set()) & set(pair.head) for own in groups.values()]
                    left = fusion.settings.where_absent == "leave_out"
                    joined = set.intersection(*there) if left else set.union(*there)
                    if not all(taught) or len(joined) < FEWEST // 2:
                        shown = training.target.classes[name]
                        raise CohortError(f"a half of the training patients of {key} lacks {shown!r}", where=where)


def _groups_by_class(views: pd.DataFrame) -> dict[str, set[str]]:
    return {str(label): set(rows["group_id"]) for label, rows in views.groupby("label")}


def _folds(split: pd.DataFrame) -> list[tuple[int, int]]:
    return [(int(seed), int(fold)) for seed, fold in split[["seed", "fold"]].drop_duplicates().to_numpy().tolist()]


def _counted(training: Cases, part_of: Mapping[str, str]) -> str:
    own = training.units[training.units["group_id"].map(part_of) == "train"]
    counts = strata_of(own).value_counts()
    shown = " and ".join(f"{counts.get(code, 0)} of {training.target.classes[code]!r}" for code in training.classes)
    return f"the patients that a fold trains on are too few to be halved for joined arms: {shown}"


def _needed(protocol: Protocol, training: Cases) -> str:
    """Return how many patients of a class halving needs: in a fold's training part, and before it is divided."""
    folds, counts = protocol.splits.cross_validation.folds, strata_of(training.units).value_counts()
    needed = f"at least {FEWEST} patients of each class in the training part of every fold"
    if folds is None or protocol.splits.cross_validation.by != "group":
        return needed
    total = next(number for number in range(FEWEST, 1000) if _trained(number, folds, protocol.splits.tune) >= FEWEST)
    rarer = counts.index[-1]
    return (
        f"{needed}: with {folds} folds about {total} of each class outside the test part, where "
        f"{counts.iloc[-1]} of {training.target.classes[rarer]!r} are"
    )


def _trained(groups: int, folds: int, tune: float) -> int:
    """Return how many of a class's groups the smallest training part has."""
    rest = groups - -(-groups // folds)
    return rest - max(1, round(tune * rest))


def _other_folds(protocol: Protocol, cases: Cases) -> str:
    """Return a number of folds that works, and what to type; nothing where none does."""
    rules = protocol.splits.cross_validation
    asked = rules.folds or _MOST_FOLDS
    for folds in (*range(asked - 1, 1, -1), *range(asked + 1, _MOST_FOLDS + 1)) if rules.by == "group" else ():
        splits = protocol.splits.model_copy(update={"cross_validation": rules.model_copy(update={"folds": folds})})
        if _works(protocol.model_copy(update={"splits": splits}), cases):
            return f"{folds} folds work: --set splits.cross_validation.folds={folds}"
    return ""


def _remedy(protocol: Protocol, cases: Cases) -> str:
    """Return what can be typed instead, tried on these patients: other folds, or no joined arms."""
    if other := _other_folds(protocol, cases):
        return other
    crossed = [key for key, fusion in protocol.fusions.items() if fusion.settings.halved]
    left = [name for name in protocol.names if name not in crossed]
    settings = f"--arms {','.join(left)}"
    primary = protocol.primary
    if primary.arm in crossed or primary.against in crossed:
        against = primary.against if primary.against in left else next(iter(left), "")
        # The question that was named second, where it has the same arm to be set against; else the next arm.
        second = [one.arm for one in protocol.secondary if against in one.against]
        arm = next((name for name in (primary.arm, *second, *left) if name in left and name != against), "")
        primary = primary.model_copy(update={"arm": arm, "against": against})
        settings += f" --set primary.arm={arm} --set primary.against={against}"
    without = narrowed(protocol.model_copy(update={"primary": primary}), left)
    if primary.arm and primary.against and _works(without, cases):
        return f"leave the joined arms out: {settings}"
    return "gather more patients of the rarer class"


def _works(protocol: Protocol, cases: Cases) -> bool:
    views = {arm: rows for arm, rows in cases.views.items() if arm in protocol.arms}
    own = Cases(**{**cases.__dict__, "views": views})
    try:
        split, aside = divide(protocol, own)
        training, _ = set_aside(own, aside)
        _check_views(protocol, training, split)
        _check_halves(protocol, training, split)
    except CohortError:
        return False
    return True
