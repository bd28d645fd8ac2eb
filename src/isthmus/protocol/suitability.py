"""Which protocols fit a cohort, and why the others do not, with counts."""

import contextlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError, InputError, ProtocolError
from isthmus.protocol.cases import REGIONS_HINT, Look, find_cases, looks_of, usable_views
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.refusals import divided
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import listed, plural


@dataclass(frozen=True)
class Suitability:
    """Whether a protocol can run on a cohort.

    Parameters
    ----------
    protocol, profile : str
        Which one.
    target : str or None
        The first of its targets that the cohort has.
    arms : list of str
        Arms that the cohort has pictures for.
    reasons : list of str
        Why it does not fit; empty where it does.
    notes : list of str
        What it would leave out.
    counts : dict
        `groups`, `nodules`, `views`, `classes` (groups of each class, by name) of what it would look at.
    """

    protocol: str
    profile: str
    target: str | None
    arms: list[str]
    reasons: list[str]
    notes: list[str]
    counts: dict[str, Any]

    @property
    def fits(self) -> bool:
        """Whether it can run as it is."""
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "fits": self.fits}

    def lines(self) -> list[str]:
        """Return it in words: a verdict, then the reasons and notes."""
        head = f"{self.protocol}: {'fits' if self.fits else 'does not fit'}"
        if self.counts:
            classes = ", ".join(f"{count} {name}" for name, count in self.counts["classes"].items())
            head += (
                f" (target {self.target}: {plural(self.counts['groups'], 'patient group')}, {classes}; "
                f"{plural(self.counts['nodules'], 'nodule')}, {plural(self.counts['views'], 'view')})"
            )
        return [head, *(f"  - {reason}" for reason in self.reasons), *(f"  note: {note}" for note in self.notes)]


def suitability(name: str, cohort: Cohort, profile: str = "paper", settings: Iterable[str] = ()) -> Suitability:
    """Return whether a protocol fits a cohort.

    Raises
    ------
    ProtocolError
        When there is no such protocol or profile.
    """
    asked, refused = resolve_protocol(name, profile, settings), ""
    try:
        protocol, lacking = fitted_to(asked, cohort)
    except CohortError as error:
        protocol, lacking, refused = asked, [], str(error)
    target = next((one for one in protocol.target if one in cohort.targets), None)
    if target is None:
        has = ", ".join(cohort.targets) or "none"
        reason = f"target missing: it needs {' or '.join(protocol.target)}; the cohort has {has}"
        return Suitability(protocol.protocol, profile, None, [], [reason], [], {})
    classes = cohort.targets[target].classes
    looks = looks_of(protocol)
    views = {look: _views(cohort, target, look) for look in dict.fromkeys(looks.values())}
    arms = [arm for arm, look in looks.items() if not views[look][0].empty]
    reasons = [
        _nothing_to_see(look, views[look][1], [arm for arm in looks if looks[arm] == look], cohort)
        for look in views
        if views[look][0].empty
    ]
    if reasons and {protocol.primary.arm, protocol.primary.against} <= set(arms):
        reasons[-1] += f"; the others can run: --arms {','.join(arms)}"
    notes = [*lacking, *_left_out(views)]
    seen = [usable for usable, _ in views.values() if not usable.empty]
    counts = _counts(pd.concat(seen), classes) if seen else {}
    if not reasons:
        reasons += [refused] if refused else _refused_later(protocol, cohort)
    return Suitability(protocol.protocol, profile, target, arms, reasons, notes, counts)


def _views(cohort: Cohort, target: str, look: Look) -> tuple[pd.DataFrame, int]:
    """Return the usable views of what an arm looks at, and how many have a label at all."""
    found = []
    for modality in look.modalities:
        with contextlib.suppress(CohortError):
            found.append(cohort.examples(target, modality))
    if not found:
        return pd.DataFrame(columns=["view_id"]), 0
    examples = pd.concat(found, ignore_index=True)
    return examples[usable_views(examples, lesion=look.lesion)], len(examples)


def _nothing_to_see(look: Look, labelled: int, arms: list[str], cohort: Cohort) -> str:
    if labelled:
        return (
            f"regions missing: none of {plural(labelled, 'labelled view')} ({_kinds(look)}) has an outline or box, "
            f"and {listed(arms)} look at lesion crops; {REGIONS_HINT}"
        )
    kinds = cohort.views["modality"].value_counts()
    has = ", ".join(f"{count} {modality}" for modality, count in kinds.items())
    return f"modality missing: {listed(arms)} need labelled {_kinds(look)} views; the cohort's views are {has}"


def _kinds(look: Look) -> str:
    return " or ".join(look.modalities)


def _left_out(views: dict[Look, tuple[pd.DataFrame, int]]) -> list[str]:
    return [
        f"{labelled - len(usable)} of {plural(labelled, 'labelled view')} ({_kinds(look)}) have no outline or box and "
        "would be left out"
        for look, (usable, labelled) in views.items()
        if 0 < len(usable) < labelled
    ]


def _counts(views: pd.DataFrame, classes: dict[str, str]) -> dict[str, Any]:
    groups = views.groupby("label")["group_id"].nunique()
    return {
        "groups": int(views["group_id"].nunique()),
        "nodules": int(views["nodule_id"].nunique()),
        "views": int(views["view_id"].nunique()),
        "classes": {shown: int(groups.get(code, 0)) for code, shown in classes.items()},
    }


def _refused_later(protocol: Protocol, cohort: Cohort) -> list[str]:
    """Return why a run would stop before its first fit: its patients cannot be divided or halved, and more."""
    try:
        divided(protocol, find_cases(protocol, cohort))
    except (CohortError, InputError, ProtocolError) as error:
        return [str(error)]
    return []
