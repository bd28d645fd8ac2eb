"""Readers beside the arms on the same cases: each by itself, groups of them, without and with help."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import auc_of, several_class_measures
from isthmus.report.reader_agreement import agreement_among
from isthmus.report.reader_cases import is_one_point
from isthmus.report.reader_comparisons import ONE_POINT, compare_with_arms
from isthmus.report.reader_conditions import compare_conditions
from isthmus.report.reader_time import time_per_case
from isthmus.report.reads import conditions_of, reader_groups, readings, reads_by_split
from isthmus.report.subject import Study
from isthmus.statistics.confusion import accuracy
from isthmus.statistics.interval import undefined
from isthmus.statistics.proportions import clustered_proportion


def reader_evidence(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return what ``evidence.json`` says under ``readers``; empty where there are no reads.

    Parameters
    ----------
    table : AnalysisTable
        Of the reads' unit.
    study : Study
        With ``reads``, ``higher_is`` and ``simulated_readers``.
    evidence : dict
        So far; not looked at.

    Returns
    -------
    dict
        ``simulated``: every figure of the readers is set by the simulation, and the report says so.
        ``rows``: for each held-out split first the readers, each condition (and session, where a unit was read again) a
        row, then each arm on the units that were read: ``split, kind`` (``reader`` or ``arm``), ``name, experience,
        condition, session, n, n_groups, seconds`` (median, None where not timed) and the intervals ``auc`` (or
        ``macro_auc``), ``sensitivity`` and ``specificity`` (two classes) or ``accuracy`` (more).
        ``crossing``: who read how much of each split. ``comparisons``: arms less readers. ``multi_reader``: conditions
        over readers. ``agreement``. ``time``.

    Raises
    ------
    InputError
        When no read is of a unit of a held-out split, or (``TableError``) with all bad reads.
    """
    found: dict[str, Any] = {"simulated": study.simulated_readers, "rows": [], "crossing": []}
    found |= {"comparisons": [], "multi_reader": [], "agreement": [], "time": []}
    by_split = reads_by_split(table, study)
    for split, read in by_split.items():
        rows = [*_readers(read, table, study), *_arms(set(read["unit_id"]), split, table, study)]
        parts = {
            "rows": rows,
            "crossing": _crossing(read),
            "comparisons": compare_with_arms(table, split, read, study),
            "multi_reader": compare_conditions(table, read, study),
            "agreement": agreement_among(table, split, read, study),
            "time": time_per_case(read, study.level),
        }
        for name, entries in parts.items():
            found[name] += [{"split": split, **entry} for entry in entries]
    return found if by_split else {}


def _crossing(read: DataFrame) -> Iterator[dict[str, Any]]:
    """Yield how many of the units that anybody read each group of readers read, under each condition."""
    for condition in conditions_of(read):
        own = read[read["condition"] == condition]
        for group, readers in reader_groups(own).items():
            rows = own[own["reader_id"].isin(readers)]
            by_reader = rows.groupby("reader_id")["unit_id"].nunique()
            units = int(rows["unit_id"].nunique())
            read_by_all = rows.groupby("unit_id")["reader_id"].nunique()
            yield {
                "condition": condition,
                "group": group,
                "readers": len(readers),
                "units": units,
                "groups": int(rows["group_id"].nunique()),
                "reads": int(by_reader.sum()),
                "units_read_by_all": int((read_by_all == len(readers)).sum()),
                "skipped": {str(name): units - int(number) for name, number in by_reader.items() if number < units},
            }


def _readers(read: DataFrame, table: AnalysisTable, study: Study) -> Iterator[dict[str, Any]]:
    for named, rows in readings(read):
        seconds = float(rows["seconds"].median()) if rows["seconds"].notna().any() else None
        measured = _measures(rows.assign(seed=0, fold=0), table, study)
        if len(table.classes) == 2 and rows["score"].notna().any() and is_one_point(rows["score"]):
            measured["auc"] = undefined("AUC", ONE_POINT, study.level).as_dict()
        yield {"kind": "reader", **named, **measured, "seconds": seconds}


def _arms(units: set[str], split: str, table: AnalysisTable, study: Study) -> Iterator[dict[str, Any]]:
    for arm in dict.fromkeys(table.rows["arm"]):
        rows = table.part(arm, split)
        rows = rows[rows["unit_id"].isin(units)]
        if len(rows):
            named = {"kind": "arm", "name": str(arm), "experience": "", "condition": "", "session": ""}
            yield {**named, **_measures(rows, table, study), "seconds": None}


def _measures(rows: DataFrame, table: AnalysisTable, study: Study) -> dict[str, Any]:
    """Return the measures of one reading or arm: ranking on what was scored, the others on what was called."""
    found: dict[str, Any] = {"n": int(rows["unit_id"].nunique()), "n_groups": int(rows["group_id"].nunique())}
    called = rows[rows["call"] != ""]
    scored = rows[np.isfinite(rows["score"].to_numpy(dtype=np.float64))]
    for name, part in (("n_scored", scored), ("n_called", called)):
        if 0 < part["unit_id"].nunique() < found["n"]:
            found[name] = int(part["unit_id"].nunique())
    labels, groups = called["label"].to_numpy(dtype=str), called["group_id"].to_numpy(dtype=str)
    right = labels == called["call"].to_numpy(dtype=str)
    if len(table.classes) > 2:
        found["macro_auc"] = _macro(rows, table, study)
        if len(called):
            found["accuracy"] = accuracy(labels, called["call"].to_numpy(dtype=str), groups, study.level).as_dict()
        return found
    found["auc"] = undefined("AUC", "calls only: they rank nothing", study.level).as_dict()
    if len(scored):
        truth, score = scored["truth"].to_numpy(dtype=bool), scored["score"].to_numpy(dtype=np.float64)
        found["auc"] = auc_of(scored, truth, score, study.level).as_dict()
    of_positives = labels == table.positive
    for name, among in (("sensitivity", of_positives), ("specificity", ~of_positives)):
        if among.any():
            found[name] = clustered_proportion(right[among], groups[among], study.level).as_dict()
    return found


def _macro(rows: DataFrame, table: AnalysisTable, study: Study) -> dict[str, Any]:
    columns = [f"p_{label}" for label in table.classes]
    if not set(columns) <= set(rows.columns) or rows[columns].isna().any(axis=None):
        return undefined("macro AUC", "no probability was given for some class", study.level).as_dict()
    found: dict[str, Any] = several_class_measures(rows, table.classes, study.level, study.bootstrap)["macro_auc"]
    return found
