"""Several classes: where the calls of each class went, pictures beside patients, and what calibration changed."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, analysis_table, calibrated_columns
from isthmus.report.class_readers import against_readers
from isthmus.report.decisions import call_measures
from isthmus.report.discrimination import several_class_measures
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.calibration_error import several_class_brier
from isthmus.statistics.proportions import clustered_proportion

KEY: Final = "classes_in_detail"
MEASURES: Final = ("accuracy", "balanced_accuracy", "macro_auc", "hand_till")
FEWEST: Final = 10
"""Groups; a class of fewer is said to be small wherever its figures stand (design)."""
NO_CLINIC: Final = "at this sample's class shares, which are not known to be those of any clinic"
"""What is said of predictive values where the sample is not of consecutive cases."""


def classes_evidence(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return what ``evidence.json`` says of several classes; empty for two.

    Returns
    -------
    dict
        ``small`` {split: {class: groups}} of classes with fewer than ten; ``calls`` {split: {arm: {class: {``n``,
        ``n_groups``, ``called`` {class: share with its interval}, ``right_when_called``}}}}, groups as clusters (the
        last at the class shares of the sample, which has a note unless the sampling was consecutive);
        ``brier`` {split: {arm: {``calibrated``, ``as_given``}}} where there is a calibration; ``pictures`` {split:
        {arm: {``n``, ``accuracy``, ``balanced_accuracy``, ``macro_auc``, ``hand_till``, ``majority_rate``}}} of single
        pictures, where their rows are known and the unit is none; ``readers`` where there are reads: as
        :func:`isthmus.report.class_readers.against_readers`.
    """
    if len(table.classes) == 2:
        return {}
    found: dict[str, Any] = {"small": _small(evidence), "calls": {}, "brier": {}}
    for arm, split in table.rows[["arm", "split"]].drop_duplicates().itertuples(index=False):
        rows = table.part(str(arm), str(split))
        if (rows["call"] != "").all():
            found["calls"].setdefault(split, {})[arm] = _calls(rows, table.classes, study.level, study.sampling)
        if (str(arm), str(split)) in table.calibrated:
            found["brier"].setdefault(split, {})[arm] = _brier(rows, table.classes, study.level)
    if study.pictures is not None:
        found["pictures"] = _pictures(study.pictures, table, study)
    if compared := against_readers(table, study):
        found["readers"] = compared
    return found


def _small(evidence: dict[str, Any]) -> dict[str, dict[str, int]]:
    small: dict[str, dict[str, int]] = {}
    for by_split in evidence["arms"].values():
        for split, facts in by_split.items():
            few = {label: number for label, number in facts["class_groups"].items() if number < FEWEST}
            if few:
                small.setdefault(split, few)
    return small


def _calls(rows: DataFrame, classes: list[str], level: float, sampling: str | None) -> dict[str, Any]:
    labels, calls = rows["label"].to_numpy(dtype=str), rows["call"].to_numpy(dtype=str)
    groups = rows["group_id"].to_numpy(dtype=str)
    found: dict[str, Any] = {}
    for label in classes:
        own, said = labels == label, calls == label
        called = {
            name: clustered_proportion(calls[own] == name, groups[own], level).as_dict()
            for name in classes
            if own.any()
        }
        right = clustered_proportion(own[said], groups[said], level).as_dict() if said.any() else None
        if right is not None and sampling != "consecutive":
            # A predictive value is that of the sample's mixture, as with two classes.
            right["note"] = "; ".join(filter(None, (str(right.get("note", "")), NO_CLINIC)))
        found[label] = {
            "n": int(rows.loc[own, "unit_id"].nunique()),
            "n_groups": len(set(groups[own])),
            "called": called,
            "right_when_called": right,
        }
    return found


def _brier(rows: DataFrame, classes: list[str], level: float) -> dict[str, Any]:
    codes = rows["label"].map({label: place for place, label in enumerate(classes)}).to_numpy(dtype=np.intp)
    groups = rows["group_id"].to_numpy(dtype=str)
    columns = {"calibrated": calibrated_columns(classes), "as_given": [f"p_{label}" for label in classes]}
    return {
        name: several_class_brier(codes, _values(rows, own), groups, level).as_dict() for name, own in columns.items()
    }


def _values(rows: DataFrame, columns: list[str]) -> NDArray[np.float64]:
    return rows[columns].to_numpy(dtype=np.float64)


def _pictures(pictures: DataFrame, table: AnalysisTable, study: Study) -> dict[str, Any]:
    single = analysis_table(pictures, positive=table.positive)
    found: dict[str, Any] = {}
    for split in in_order(set(single.rows["split"])):
        for arm in dict.fromkeys(single.rows["arm"]):
            rows = single.part(str(arm), split)
            if rows.empty or set(rows["label"]) != set(single.classes) or (rows["call"] == "").any():
                continue
            ranked = several_class_measures(rows, single.classes, study.level, study.bootstrap)
            called = call_measures(
                rows, single.classes, single.positive, sampling=None, prevalences=(), level=study.level,
                bootstrap=study.bootstrap,
            )  # fmt: skip
            both = {**ranked, **called}
            found.setdefault(split, {})[str(arm)] = {
                "n": int(rows["unit_id"].nunique()),
                "n_groups": int(rows["group_id"].nunique()),
                "majority_rate": called["majority_rate"],
                **{name: both[name] for name in MEASURES},
            }
    return found
