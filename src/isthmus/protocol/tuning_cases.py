"""The cases that a finished model was tuned and trained on, found again for its engines; never those set aside."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import CohortError
from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.inference.engine_record import Tuning
from isthmus.inference.output import Spec
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases, without_failures
from isthmus.protocol.external import answered
from isthmus.protocol.pictures import cache_folder, prepared_store
from isthmus.protocol.validated_models import looks_of_models, target_of
from isthmus.tables.text import read_cells

SPLIT: Final = "split.csv"
_SET_ASIDE: Final = ("test", "temporal", "external")


@dataclass(frozen=True, eq=False)
class TuningCases:
    """The cases of a gate, their pictures prepared.

    Parameters
    ----------
    cases : Cases
        Without anybody who was set aside.
    stores : mapping
        Member, or '' of a bundle of one arm, to its prepared pictures.
    folds : dict
        Group to the fold in which it was held out; empty where that is not known.
    said : Tuning
        What is recorded of them.
    """

    cases: Cases
    stores: Mapping[str, PreparedStore]
    folds: dict[str, int]
    said: Tuning


def tuning_cases(
    bundle: Path,
    spec: Spec,
    members: Mapping[str, BundleSpec],
    cohort: Path,
    split: Path | None = None,
    progress: Progress | None = None,
) -> TuningCases:
    """Find a model's tuning, validation and training cases in the cohort that it was trained on.

    Parameters
    ----------
    bundle : Path
        The model; where it lies in its run, the run's `split.csv` says who was set aside.
    spec : BundleSpec or FusedBundleSpec
        What it says of itself.
    members : mapping
        Its networks' own specifications, under '' for a bundle of one arm.
    cohort : Path
        Cohort folder.
    split : Path, optional
        `split.csv` of the run, where the bundle has left it.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    CohortError
        When this is not that cohort, nothing says who was set aside, or nobody is left.
    """
    found = load_cohort(cohort)
    if found.fingerprint() != spec.cohort.fingerprint:
        raise CohortError(
            f"this is not the cohort that the model was trained on, {spec.cohort.name}",
            where=str(cohort),
            expected="the same tables, byte for byte: an engine is judged on tuning cases, never on a test",
        )
    kept, folds, parts = _who_may_be_looked_at(found, bundle, split)
    arm = spec.name.rpartition("/")[2]
    cases = answered(looks_of_models({arm: spec}), found, target_of({arm: spec}), {}).cases
    names = {key: key or arm for key in members}
    views = {name: rows[rows["group_id"].isin(kept)].reset_index(drop=True) for name, rows in cases.views.items()}
    if all(rows.empty for rows in views.values()):
        raise CohortError(
            "none of the cohort's cases is a tuning or training case of this model", where=str(cohort),
            expected="the cohort with the patients that its networks were trained on, not a test alone",
        )  # fmt: skip
    cache, stores = PreparedCache(cache_folder()), dict[str, PreparedStore]()
    for key, own in members.items():
        name = names[key]
        stores[key] = prepared_store(cache, views[name], own.prepare, progress)
        views[name] = without_failures(views[name], stores[key].failures)
    cases = replace(cases, views=views)
    return TuningCases(cases, stores, folds if _held_out(spec, folds) else {}, _said(cases, spec, folds, parts))


def _held_out(spec: Spec, folds: dict[str, int]) -> bool:
    """Whether the folds are those of the model's parts."""
    own = [head.fold for head in spec.heads] if isinstance(spec, FusedBundleSpec) else range(len(spec.parts))
    return set(folds.values()) == set(own)


def _said(cases: Cases, spec: Spec, folds: dict[str, int], parts: str) -> Tuning:
    units = cases.units[f"{cases.unit}_id"]
    return Tuning(
        cohort=cases.cohort.name,
        fingerprint=cases.cohort.fingerprint(),
        cases=int(units.nunique()),
        views=len(cases.pictures),
        held_out=_held_out(spec, folds),
        parts=parts,
    )


def _who_may_be_looked_at(cohort: Cohort, bundle: Path, split: Path | None) -> tuple[set[str], dict[str, int], str]:
    """Return the groups that were not set aside, in which fold each was held out, and who says so."""
    own = bundle.resolve().parents[2] / SPLIT if len(bundle.resolve().parents) > 2 else bundle / SPLIT
    if split is None and own.is_file():
        split = own
    if split is not None:
        table = _read_split(Path(split))
        first = table[table["seed"] == table["seed"].iloc[0]]
        held = first[first["part"] == "cv"]
        folds = dict(zip(held["group_id"], held["fold"].astype(int), strict=True))
        return set(first["group_id"]), folds, "train, tune and cv of the run's split.csv"
    fixed = cohort.nodules.get("split", pd.Series(dtype=str)).dropna()
    known: Any = cohort.nodules.loc[fixed.index]
    groups = known["group_id"] if "group_id" in known else known["patient_id"]
    aside = set(groups[fixed.isin(_SET_ASIDE)])
    kept = set(groups[fixed.isin(("train", "tune", "cv"))]) - aside
    if fixed.empty or not (kept or aside):
        raise CohortError(
            "nothing says which patients were set aside for the test", where=str(bundle),
            expected=f"the run's {SPLIT}, or a column split in nodules.csv", hint=f"--split RUN/{SPLIT}",
        )  # fmt: skip
    if not kept:
        raise CohortError(
            "all patients of this cohort were set aside for a test", where=str(cohort.folder),
            expected="the cohort with the tuning and training patients", hint=f"--split RUN/{SPLIT}",
        )  # fmt: skip
    return kept, {}, "train and tune of the cohort's own split"


def _read_split(path: Path) -> pd.DataFrame:
    cells = read_cells(path)
    table = pd.DataFrame(cells.rows, columns=cells.header)
    if lacking := [name for name in ("seed", "fold", "group_id", "part") if name not in table]:
        raise CohortError(f"no column {lacking[0]!r}", where=str(path), expected="seed, fold, group_id, part")
    if table.empty:
        raise CohortError("it has no row", where=str(path), expected="the split.csv of a run")
    return table
