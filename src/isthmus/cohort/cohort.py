"""A cohort folder, read and checked as a whole, and the examples that a target makes of it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.description import FILE, Description, ReadScale, Target, read_description
from isthmus.cohort.links import find_contradictions
from isthmus.errors import CohortError
from isthmus.files import sha256_of_file, sha256_of_json
from isthmus.tables import cohort as schemas
from isthmus.tables.check import BadValue, as_text, inspect_table, raise_bad_values

TABLES = {
    "patients": schemas.PATIENTS,
    "nodules": schemas.NODULES,
    "views": schemas.VIEWS,
    "reads": schemas.READS,
    "excluded": schemas.EXCLUDED,
    "boxes": schemas.BOXES,
}
REQUIRED = ("patients", "nodules", "views")


@dataclass(frozen=True)
class Cohort:
    """A checked cohort.

    Parameters
    ----------
    folder : Path
        Where it lies.
    name, licence, citation, simulated, patient_ids, targets, remarks, read_scale
        As in ``cohort.yaml``, see :class:`isthmus.cohort.description.Description`.
    patients, nodules, views : DataFrame
        The tables, with ``group_id`` filled in.
    reads, excluded, boxes : DataFrame, optional
        Where the folder has them.
    """

    folder: Path
    name: str
    licence: str
    citation: str
    simulated: bool
    patient_ids: str
    targets: Mapping[str, Target]
    patients: pd.DataFrame
    nodules: pd.DataFrame
    views: pd.DataFrame
    reads: pd.DataFrame | None = None
    excluded: pd.DataFrame | None = None
    boxes: pd.DataFrame | None = None
    remarks: tuple[str, ...] = ()
    read_scale: ReadScale | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a SHA-256 over the bytes of ``cohort.yaml`` and all tables (not of the pictures: it is quick)."""
        files = {FILE: self.folder / FILE} | {path.name: path for path in self.files.values()}
        return sha256_of_json({name: sha256_of_file(path) for name, path in sorted(files.items())})

    def target(self, name: str) -> Target:
        """Return a target by name.

        Raises
        ------
        CohortError
            When there is none; the message names the nearest.
        """
        if name in self.targets:
            return self.targets[name]
        near = difflib.get_close_matches(name, self.targets, n=1)
        raise CohortError(
            f"no target {name!r} in this cohort",
            where=str(self.folder / FILE),
            expected=", ".join(self.targets) or "a target; nothing in it is labelled",
            hint=f"did you mean {near[0]!r}?" if near else None,
        )

    def examples(self, target: str, modality: str = "bmode") -> pd.DataFrame:
        """Return one row for each view that has a label.

        Parameters
        ----------
        target : str
            Name of a target.
        modality : str
            A code of :data:`isthmus.tables.vocabulary.MODALITY`.

        Returns
        -------
        DataFrame
            Sorted by ``view_id``: ``view_id``, ``nodule_id``, ``patient_id``, ``group_id``, ``site``, ``label`` (text),
            ``path`` (absolute Path), ``mask`` (absolute Path or None), ``box`` and ``region`` (four floats or None),
            ``region_source`` (text or None), ``spacing_mm`` and ``frame_rate_hz`` (float or NaN), ``device``,
            ``fixed_split`` (text or None), and ``frame_boxes``: None, or a float64 array [T, 4] of boxes, frame by
            frame up to the last that ``boxes.csv`` names, NaN where it names none.

        Raises
        ------
        CohortError
            When there is no such target, or no labelled view of this modality.
        """
        wanted = self.target(target)
        # Labels may share a name with another table's column; only the one asked for is joined.
        nodules = self.nodules[["nodule_id", "patient_id", "group_id"]].copy()
        nodules["fixed_split"] = _column(self.nodules, "split")
        if wanted.table == "nodules":
            nodules["label"] = self.nodules[wanted.column]
            patients = self.patients[["patient_id", "site"]]
        else:
            patients = self.patients[["patient_id", "site"]].assign(label=self.patients[wanted.column])
        known = [name for name in self.views.columns if name in schemas.VIEWS.columns]
        views = self.views.loc[self.views["modality"] == modality, known]
        joined = views.merge(nodules, on="nodule_id").merge(patients, on="patient_id")
        joined = joined[joined["label"].notna()].sort_values("view_id", ignore_index=True)
        if joined.empty:
            raise CohortError(
                f"no view of modality {modality!r} has a label for {target!r}",
                where=str(self.folder),
                hint="'isthmus cohort check' counts labels and modalities",
            )
        return pd.DataFrame(
            {
                **{name: joined[name] for name in ("view_id", "nodule_id", "patient_id", "group_id", "site", "label")},
                "path": [self.folder / path for path in joined["path"]],
                "mask": _objects(joined, "mask", lambda path: self.folder / path),
                "box": _objects(joined, "box", schemas.parse_box),
                "region": _objects(joined, "region", schemas.parse_box),
                "region_source": _objects(joined, "region_source", str),
                "spacing_mm": _column(joined, "spacing_mm").astype("float64"),
                "frame_rate_hz": _column(joined, "frame_rate_hz").astype("float64"),
                "device": _objects(joined, "device", str),
                "fixed_split": _objects(joined, "fixed_split", str),
                "frame_boxes": _objects(joined.assign(own=joined["view_id"]), "own", self._frame_boxes().get),
            }
        )

    def _frame_boxes(self) -> dict[str, NDArray[np.float64]]:
        if self.boxes is None:
            return {}
        found = {}
        for view, rows in self.boxes.groupby("view_id", sort=False):
            found[str(view)] = np.full((int(rows["frame"].max()) + 1, 4), np.nan)
            found[str(view)][rows["frame"].to_numpy(int)] = [schemas.parse_box(box) for box in rows["box"]]
        return found


def load_cohort(folder: Path | str) -> Cohort:
    """Read a cohort folder and check its tables, alone and against each other.

    Parameters
    ----------
    folder : Path
        A folder as contract 1 describes it. Tables may be CSV or Parquet.

    Returns
    -------
    Cohort

    Raises
    ------
    CohortError
        When ``cohort.yaml`` or a required table is missing or wrong.
    TableError
        With all bad values of all tables.
    """
    cohort, bad = inspect_cohort(Path(folder))
    raise_bad_values(bad)
    return cohort


def inspect_cohort(folder: Path) -> tuple[Cohort, list[BadValue]]:
    """Do what :func:`load_cohort` does, but return the bad values beside the cohort."""
    description = read_description(folder)
    files = _find_tables(folder)
    tables: dict[str, pd.DataFrame] = {}
    bad: list[BadValue] = []
    for name, path in files.items():
        tables[name], wrong = inspect_table(path, TABLES[name])
        bad += wrong
    for target in description.targets.values():
        if target.column in tables[target.table]:
            tables[target.table][target.column] = as_text(tables[target.table][target.column])
    missing_columns = any(value.line == 1 for value in bad)
    if not missing_columns:
        found = find_contradictions(tables, files, description)
        known = {(value.file, value.line, value.column) for value in bad}
        bad += [value for value in found if (value.file, value.line, value.column) not in known]
        nodules = tables["nodules"]
        nodules["group_id"] = _column(nodules, "group_id").fillna(nodules["patient_id"]).astype("str")
    return _assemble(folder, description, tables, files), bad


def _assemble(
    folder: Path, description: Description, tables: Mapping[str, pd.DataFrame], files: Mapping[str, Path]
) -> Cohort:
    return Cohort(
        folder=folder.absolute(),
        name=description.name,
        licence=description.licence,
        citation=description.citation,
        simulated=description.simulated,
        patient_ids=description.patient_ids,
        targets=description.targets,
        patients=tables["patients"].reset_index(drop=True),
        nodules=tables["nodules"].reset_index(drop=True),
        views=tables["views"].reset_index(drop=True),
        reads=_optional(tables, "reads"),
        excluded=_optional(tables, "excluded"),
        boxes=_optional(tables, "boxes"),
        remarks=tuple(description.remarks),
        read_scale=description.reads,
        files={name: path.absolute() for name, path in files.items()},
    )


def _optional(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame | None:
    return tables[name].reset_index(drop=True) if name in tables else None


def _find_tables(folder: Path) -> dict[str, Path]:
    files = {}
    for name in TABLES:
        found = [
            folder / f"{name}{suffix}" for suffix in (".csv", ".parquet") if (folder / f"{name}{suffix}").is_file()
        ]
        if len(found) == 2:
            raise CohortError(f"both {name}.csv and {name}.parquet are here", where=str(folder), expected="one of them")
        if found:
            files[name] = found[0]
    missing = [f"{name}.csv" for name in REQUIRED if name not in files]
    if missing:
        raise CohortError(f"no {', no '.join(missing)} here", where=str(folder), expected="a cohort folder")
    return files


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="object")


def _objects(frame: pd.DataFrame, name: str, convert: Any) -> pd.Series:
    values = [None if pd.isna(value) else convert(value) for value in _column(frame, name)]
    return pd.Series(values, index=frame.index, dtype="object")
