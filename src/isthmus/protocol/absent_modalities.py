"""Modalities that a protocol joins and a cohort has of no case: said, and left out before anything is trained."""

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError
from isthmus.protocol.arm import Arm
from isthmus.protocol.resolve import narrowed
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import listed


def without_absent_modalities(protocol: Protocol, cohort: Cohort) -> tuple[Protocol, list[str]]:
    """Return the protocol whose joined arms look at what the cohort has, and what to say of the rest.

    An arm that looks at one of the absent modalities alone goes too, out of the fusions as well; those of the primary
    contrast stay, and are refused when the cases are looked for.

    Raises
    ------
    CohortError
        When the cohort has none of a joined arm's modalities.
    """
    joining = {key: arm for key, arm in protocol.arms.items() if arm.view.join is not None}
    target = next((name for name in protocol.target if name in cohort.targets), None)
    if target is None or not joining:
        return protocol, []
    asked = {name for arm in joining.values() for name in arm.view.shown}
    absent = {name for name in asked if not _has(cohort, target, name)}
    if not absent:
        return protocol, []
    said, arms = list[str](), dict(protocol.arms)
    for key, arm in joining.items():
        lacking = [name for name in arm.view.shown if name in absent]
        if len(lacking) == len(arm.view.shown):
            raise CohortError(
                f"arm {key} joins {listed(lacking)}, and cohort {cohort.name} has a labelled view of none",
                expected="views of at least one of them",
                hint=f"isthmus cohort check {cohort.folder.name}",
            )
        if lacking:
            arms[key] = _without(arm, absent)
            said.append(f"arm {key} is trained without {listed(lacking)}: the cohort has no labelled view")
    primary = {protocol.primary.arm, protocol.primary.against}
    gone = [
        key for key, arm in arms.items() if arm.view.join is None and arm.view.modality in absent and key not in primary
    ]
    if gone:
        said.append(f"left out: {listed(gone)}, of which the cohort has no labelled view")
    fusions = {key: [arm for arm in fusion.fuse if arm not in gone] for key, fusion in protocol.fusions.items()}
    changed = {
        "arms": arms,
        "fusions": {
            key: fusion.model_copy(update={"fuse": fusions[key]})
            for key, fusion in protocol.fusions.items()
            if fusions[key]
        },
    }
    return narrowed(protocol.model_copy(update=changed), [name for name in protocol.names if name not in gone]), said


def _without(arm: Arm, absent: set[str]) -> Arm:
    there = tuple(name for name in arm.view.modalities if name not in absent)
    return arm.model_copy(update={"view": arm.view.model_copy(update={"modalities": there, "modality": there[0]})})


def _has(cohort: Cohort, target: str, modality: str) -> bool:
    try:
        return len(cohort.examples(target, modality)) > 0
    except CohortError:
        return False
