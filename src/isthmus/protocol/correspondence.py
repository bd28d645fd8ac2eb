"""Which target and which classes of another cohort stand for those of the run: written down, never guessed."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.description import Target
from isthmus.errors import CohortError, ProtocolError
from isthmus.files import read_yaml

FORMAT = "isthmus-correspondence/1.0"


class Correspondence(BaseModel):
    """How one cohort's labels answer the run's question."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    target: str = Field(description="their target")
    classes: dict[str, str] = Field(min_length=2, description="each of their classes to one of the run's")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    cohorts: dict[str, Correspondence]


def read_correspondences(path: Path | str) -> dict[str, Correspondence]:
    """Read a correspondence file: under `cohorts` and each cohort's name `target` and `classes` (theirs: ours).

    Raises
    ------
    ProtocolError
        With the first wrong key or value.
    """
    content = read_yaml(Path(path), name="correspondence")
    content.pop("format", None)
    for cohort in (content.get("cohorts") or {}).values():
        if isinstance(cohort, dict) and isinstance(cohort.get("classes"), dict):
            # YAML reads an unquoted 0 as a number; a label is text everywhere.
            cohort["classes"] = {str(theirs): ours for theirs, ours in cohort["classes"].items()}
    try:
        return _File.model_validate(content).cohorts
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ProtocolError(f"{place}: {first['msg']}", where=Path(path).name, expected=_SHAPE) from error


_SHAPE = "cohorts: {NAME: {target: THEIRS, classes: {THEIRS: OURS, …}}}"


def answer_of(
    cohort: Cohort, asked: Target, correspondences: Mapping[str, Correspondence]
) -> tuple[Target, dict[str, str]]:
    """Return the run's target as a cohort answers it, and each of the cohort's classes as the run's.

    Without a correspondence only a target of the same name, unit and classes answers. Views are joined into nodules
    as the run joins its own, whatever the cohort says: calibration and threshold were chosen on such scores.

    Raises
    ------
    CohortError
        When the cohort has no such target, or other classes, and nothing says how they correspond; or what is said
        does not fit.
    """
    said = correspondences.get(cohort.name)
    if said is None:
        theirs = _of_the_same_name(cohort, asked)
        return theirs.model_copy(update={"aggregation": asked.aggregation}), {name: name for name in asked.classes}
    theirs = cohort.target(said.target)
    if set(said.classes) != set(theirs.classes):
        raise CohortError(
            f"the correspondence names the classes {', '.join(said.classes)} of {theirs.name}",
            where=cohort.name,
            expected=f"each of its classes: {_spoken(theirs)}",
        )
    if set(said.classes.values()) != set(asked.classes):
        raise CohortError(
            f"the correspondence leads to the classes {', '.join(sorted(set(said.classes.values())))}",
            where=cohort.name,
            expected=f"{'both' if len(asked.classes) == 2 else 'all'} classes of {asked.name}: {_spoken(asked)}",
        )
    if theirs.unit != asked.unit:
        raise CohortError(
            f"{theirs.name} is a label of the {theirs.unit}", where=cohort.name, expected=f"of the {asked.unit}"
        )
    # The codes are ours; the words stay theirs: a report on their patients names what was found in them.
    words = {
        ours: " or ".join(theirs.classes[code] for code, stands_for in said.classes.items() if stands_for == ours)
        for ours in asked.classes
    }
    update = {"name": asked.name, "classes": words, "aggregation": asked.aggregation}
    return theirs.model_copy(update=update), dict(said.classes)


def _of_the_same_name(cohort: Cohort, asked: Target) -> Target:
    found = cohort.targets.get(asked.name)
    if found is None:
        have = "; ".join(f"{target.name} ({_spoken(target)})" for target in cohort.targets.values())
        raise CohortError(
            f"cohort {cohort.name} has no target {asked.name} ({_spoken(asked)})",
            expected=f"that target; the cohort has {have or 'none'}",
            hint=_hint(cohort, next(iter(cohort.targets.values()), None), asked),
        )
    names = {code: shown.casefold() for code, shown in asked.classes.items()}
    swapped = any(
        shown.casefold() in names.values() and names[code] != shown.casefold()
        for code, shown in found.classes.items()
        if code in names
    )
    if list(found.classes) != list(asked.classes) or swapped:
        raise CohortError(
            f"target {asked.name} has other classes in cohort {cohort.name}: {_spoken(found)}",
            expected=_spoken(asked),
            hint=_hint(cohort, found, asked),
        )
    if found.unit != asked.unit:
        raise CohortError(
            f"{found.name} is a label of the {found.unit} in cohort {cohort.name}", expected=f"of the {asked.unit}"
        )
    return found


def _spoken(target: Target) -> str:
    return ", ".join(f"{code} {shown}" for code, shown in target.classes.items())


def _hint(cohort: Cohort, theirs: Target | None, asked: Target) -> str | None:
    """Return the file that says how they correspond, for the user to fill in: which class is which is not guessed."""
    if theirs is None:
        return None
    classes = ", ".join(f'"{code}": ?' for code in theirs.classes)
    return (
        f"where they mean the same to you, say so with --correspondence FILE: {{format: {FORMAT}, cohorts: "
        f'{{"{cohort.name}": {{target: {theirs.name}, classes: {{{classes}}}}}}}}} with {" or ".join(asked.classes)} '
        "for each ?"
    )
