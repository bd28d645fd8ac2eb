"""Cohorts of other patients: what in them answers the question, and whom they share with the training cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.cohort.description import Target
from isthmus.errors import CohortError
from isthmus.files import sha256_of_json
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases, Look, find_views, looks_of
from isthmus.protocol.correspondence import Correspondence, answer_of
from isthmus.protocol.joined_columns import can_be_joined
from isthmus.protocol.overlap import Shared, keep_overlap, refuse_overlap
from isthmus.protocol.schema import Protocol
from isthmus.report.context import Check
from isthmus.report.reading import listed, plural

REFERENCES = {
    "surgery": "surgery",
    "cytology": "cytology",
    "follow_up": "follow-up",
    "tirads": "readers' TI-RADS categories",
    "mixed": "mixed references",
}


@dataclass(frozen=True)
class Outside:
    """A cohort whose patients are predicted only.

    Parameters
    ----------
    cases : Cases
        With the run's target and classes.
    asked : str
        Where the run's labels come from.
    target : str
        Its own name for the target.
    classes : mapping
        Each of its classes as one of the run's.
    absent : sequence of str
        Arms of whose pictures it has none; they, and fusions of them, do not meet it.
    shared : sequence of Shared
        Pictures that may be copies of training pictures, to be looked at.
    compared : str
        How it was compared with the training cohort.
    """

    cases: Cases
    asked: str
    target: str
    classes: Mapping[str, str]
    absent: Sequence[str] = ()
    shared: Sequence[Shared] = ()
    compared: Literal["ids, pictures and copies", "ids and pictures", "pictures", "nothing"] = (
        "ids, pictures and copies"
    )

    @property
    def name(self) -> str:
        """The cohort's name."""
        return self.cases.cohort.name

    @property
    def key(self) -> str:
        """What its predictions are kept under: the cohort, and how its classes were read."""
        plain = self.target == self.cases.target.name and all(one == other for one, other in self.classes.items())
        fingerprint = self.cases.cohort.fingerprint()
        return fingerprint if plain else sha256_of_json([fingerprint, self.target, dict(self.classes)])

    def to_json(self) -> dict[str, Any]:
        """Return what evidence and manifest say of it."""
        units = self.cases.units
        return {
            "fingerprint": self.cases.cohort.fingerprint(),
            "licence": self.cases.cohort.licence,
            "target": self.target,
            "classes": dict(self.classes),
            "reference": self.cases.target.reference,
            "patient_ids": self.cases.cohort.patient_ids,
            "patients": int(units["patient_id"].nunique()),
            "sites": int(units["site"].nunique()),
            "views_left_out": int(self.cases.left_out["view_id"].nunique()),
            "arms_left_out": list(self.absent),
        }

    def checks(self) -> list[Check]:
        """Return what a reader of the report must know of it."""
        cohort, own = self.cases.cohort, self.cases.target
        name, found = f"External cohort {cohort.name}", []
        reference = own.reference
        if self.target != own.name or any(one != other for one, other in self.classes.items()):
            pairs = ", ".join(f"{theirs} for {ours}" for theirs, ours in self.classes.items())
            found.append(
                Check(name, "warning", f"By the correspondence given, {self.target} stands for {own.name} ({pairs}).")
            )
        if reference != self.asked:
            sentence = (
                f"The references differ: its labels come from {REFERENCES[reference]}, those that the networks were "
                f"trained on from {REFERENCES.get(self.asked, self.asked)}. The figures measure another agreement."
            )
            found.append(Check(name, "warning", sentence))
        if cohort.patient_ids == "absent":
            sentence = "It has no patient ids: its pictures count as patients of their own, and overlap with the "
            found.append(Check(name, "warning", sentence + "training cohort can be told by pictures only."))
        left = int(self.cases.left_out["view_id"].nunique())
        if left:
            sentence = f"{plural(left, 'view')} have no outline or box and were left out, as in training."
            found.append(Check(name, "warning", sentence))
        if self.absent:
            lacking = listed(list(self.absent))
            sentence = f"It has no picture that these arms look at, and they did not meet it: {lacking}."
            found.append(Check(name, "warning", sentence))
        if self.shared:
            pairs = "; ".join(f"{one.other_picture} and {one.own_picture}" for one in self.shared[:5])
            sentence = f"{plural(len(self.shared), 'picture')} may be of one scan with training pictures: {pairs}."
            found.append(Check(name, "warning", sentence))
        elif self.compared == "nothing":
            sentence = "A bundle holds no training pictures: whether patients overlap was not looked at."
            found.append(Check(name, "warning", sentence))
        elif self.compared == "pictures":
            sentence = "It shares no picture, pixel for pixel, with the training cohort; copies were not looked for."
            found.append(Check(name, "passed", sentence))
        else:
            # Ids are local to a site: at sites of other names a shared patient shows by pictures only.
            sentence = "It shares no picture with the training cohort, and no patient's id at a site that both name"
            copies = "; copies of pictures were not looked for" if self.compared == "ids and pictures" else ""
            found.append(Check(name, "passed", f"{sentence}{copies}."))
        return found


def answered(
    looks: Mapping[str, Look], cohort: Cohort, asked: Target, correspondences: Mapping[str, Correspondence]
) -> Outside:
    """Return a cohort's cases in the terms of a target that networks were trained on.

    Raises
    ------
    CohortError
        When it has another target or other classes and nothing says how they correspond, or no arm has a view.
    """
    target, classes = answer_of(cohort, asked, correspondences)
    said = correspondences.get(cohort.name)
    theirs = said.target if said else asked.name
    views, left_out = find_views(looks, cohort, theirs, every=False)
    mapped = {arm: rows.assign(label=rows["label"].map(classes)) for arm, rows in views.items()}
    absent = tuple(arm for arm in looks if arm not in views)
    return Outside(Cases(cohort, target, mapped, left_out), asked.reference, theirs, classes, absent)


def answered_by(
    protocol: Protocol, cohort: Cohort, asked: Target, correspondences: Mapping[str, Correspondence]
) -> Outside:
    """Return a cohort's cases in the terms of a protocol; what does not meet it has its fusions too.

    Raises
    ------
    CohortError
        As :func:`answered`.
    """
    found = answered(looks_of(protocol), cohort, asked, correspondences)
    lacking = [
        key
        for key, fusion in protocol.fusions.items()
        if not can_be_joined(fusion.fuse, found.cases.views, cohort, perfusion=fusion.perfusion)
    ]
    return replace(found, absent=(*found.absent, *lacking))


def find_outside(
    protocol: Protocol,
    folders: Sequence[Path | str],
    own: Cases,
    correspondences: Mapping[str, Correspondence],
    run_folder: Path,
    progress: Progress | None = None,
) -> list[Outside]:
    """Find the cohorts whose patients are predicted only, and see that none of them is a training patient.

    Parameters
    ----------
    protocol : Protocol
        Resolved.
    folders : sequence of Path
        Cohort folders.
    own : Cases
        Of the run's own cohort.
    correspondences : mapping
        By cohort name.
    run_folder : Path
        Of the run, which may not exist yet; a comparison that it keeps is not made again.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    CohortError
        When one is the own cohort, two have one name, one answers another question, or patients overlap.
    """
    cohorts = [load_cohort(folder) for folder in folders]
    check_names(own.cohort, cohorts, correspondences)
    found = [answered_by(protocol, cohort, own.target, correspondences) for cohort in cohorts]
    shared = []
    found = [
        replace(one, compared="pictures") if own.cohort.simulated and one.cases.cohort.simulated else one
        for one in found
    ]
    for one in found:
        listing = run_folder.with_name(f"{run_folder.name}.overlap.csv")
        kept = overlap_file(run_folder, one.cases.cohort)
        shared.append(refuse_overlap(own.cohort, one.cases.cohort, kept, listing, progress))
    return [replace(one, shared=pairs) for one, pairs in zip(found, shared, strict=True)]


def overlap_file(run_folder: Path, cohort: Cohort) -> Path:
    """Return where a run keeps what a cohort shares with its own."""
    return run_folder / "overlap" / f"{cohort.fingerprint()[:16]}.json"


def keep_comparisons(run_folder: Path, outside: Sequence[Outside]) -> None:
    """Keep in a run what was found of each cohort."""
    for one in outside:
        keep_overlap(overlap_file(run_folder, one.cases.cohort), one.shared)


def check_all_given(run_folder: Path, own: Cohort, outside: Sequence[Outside]) -> None:
    """See that a run that goes on is given every other cohort that it has met: their rows are part of what it found.

    Raises
    ------
    CohortError
        With the names of those that are missing.
    """
    kept = sorted((run_folder / "opened").glob("external-*.parquet"))
    met = {str(pd.read_parquet(path, columns=["cohort"])["cohort"].iloc[0]) for path in kept}
    missing = sorted(met - {own.name} - {one.name for one in outside})
    if missing:
        raise CohortError(
            f"this run has met {', '.join(missing)}, not given now: its predictions would go from the run",
            where=str(run_folder),
            expected="every external cohort of the earlier calls",
            hint="repeat their --external (and --correspondence)",
        )


def check_names(own: Cohort, cohorts: Sequence[Cohort], correspondences: Mapping[str, Correspondence]) -> None:
    """See that each cohort is another one, with a name of its own, and that each correspondence is of one of them.

    Raises
    ------
    CohortError
        When it is not so.
    """
    seen = {own.name}
    for cohort in cohorts:
        if cohort.fingerprint() == own.fingerprint():
            raise CohortError(
                "the external cohort is the run's own cohort", where=str(cohort.folder), expected="another one"
            )
        if cohort.name in seen:
            raise CohortError(
                f"two cohorts are called {cohort.name!r}",
                where=str(cohort.folder),
                expected="a name for each: tables and figures tell cohorts apart by it",
                hint="change `name` in one cohort.yaml",
            )
        seen.add(cohort.name)
    unknown = sorted(set(correspondences) - {cohort.name for cohort in cohorts})
    if unknown:
        raise CohortError(
            f"the correspondence names no external cohort: {', '.join(unknown)}",
            expected=", ".join(cohort.name for cohort in cohorts) or "a cohort given with --external",
        )
