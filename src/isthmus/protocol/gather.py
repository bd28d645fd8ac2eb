"""From the fits' view scores to the predictions table, with each row's call."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from isthmus.inference.scores import aggregate
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.tables.check import write_table
from isthmus.training.spec import FitSpec

_RUN = ("target", "cohort", "arm", "candidate", "split", "seed", "fold")


def gather_views(fits: Mapping[Path, FitSpec], cases: Cases) -> pd.DataFrame:
    """Read the finished fits' scores of their tuning and held-out views.

    Parameters
    ----------
    fits : mapping from fit folder to FitSpec
        Finished fits only.
    cases : Cases
        Gives each view its nodule, patient, group, site and label.

    Returns
    -------
    DataFrame
        One row a fit and view: the run columns, `view_id`, the unit columns and `p_<class>`.
    """
    tables = []
    for folder, fit in fits.items():
        scores = pd.read_csv(folder / "predictions.csv", dtype={"view_id": str})
        views = cases.views[fit.arm][["view_id", *UNIT_COLUMNS]]
        rows = scores.merge(views, on="view_id", how="left", validate="one_to_one").rename(columns={"part": "split"})
        tables.append(
            rows.assign(
                target=cases.target.name,
                cohort=cases.cohort.name,
                arm=fit.arm,
                candidate=fit.candidate,
                seed=fit.seed,
                fold=fit.fold,
            )
        )
    return pd.concat(tables, ignore_index=True)[[*_RUN, "view_id", *UNIT_COLUMNS, *_scores(cases.classes)]]


def nodule_predictions(view_rows: pd.DataFrame, cases: Cases) -> pd.DataFrame:
    """Average the views of a nodule, or of a patient where that is the unit: the table of contract 2 without calls."""
    rules: dict[str, str] = dict(cases.target.aggregation.items())
    units = aggregate(view_rows, cases.classes, rules, unit=cases.unit)
    units = units.assign(unit=cases.unit, unit_id=units[f"{cases.unit}_id"])
    nodule = ["nodule_id"] if cases.unit == "nodule" else []
    columns = [*_RUN, "unit", "unit_id", *nodule, "patient_id", "group_id", "site", "label"]
    return units[[*columns, *_scores(cases.classes)]].reset_index(drop=True)


def write_view_rows(path: Path, view_rows: pd.DataFrame) -> None:
    """Write the view rows, sorted, as Parquet."""
    ordered = view_rows.sort_values([*_RUN, "view_id"], ignore_index=True)
    write_table(path, ordered.assign(unit="view", unit_id=ordered["view_id"]))


def _scores(classes: Sequence[str]) -> list[str]:
    return [f"p_{name}" for name in classes]
