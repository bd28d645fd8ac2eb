"""Each reader beside the arms on the same cases: one reader at a time, no inference over readers."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable, analysis_table
from isthmus.report.discrimination import auc_of, several_class_measures
from isthmus.report.reading import SPLIT_ORDER
from isthmus.statistics.confusion import accuracy
from isthmus.statistics.interval import undefined
from isthmus.statistics.proportions import clustered_proportion

UNSEEN = tuple(split for split in SPLIT_ORDER if split not in ("tune", "train"))


def reader_evidence(
    reads: DataFrame,
    predictions: DataFrame,
    *,
    simulated: bool,
    higher_is: Literal["positive", "negative"] = "positive",
    frozen: dict[str, Any] | None = None,
    positive: str | None = None,
    target: str | None = None,
    unit: str | None = None,
    level: float = 0.95,
    bootstrap: int = 2000,
) -> dict[str, Any]:
    """Return what ``evidence.json`` says under ``readers``.

    Parameters
    ----------
    reads : DataFrame
        ``reads.csv`` of contract 1.
    predictions : DataFrame
        Contract 2, of the reads' unit; labels and groups are taken from it.
    simulated : bool
        Whether the readers are simulated: then every figure is set by the simulation, and the report says so.
    higher_is : {'positive', 'negative'}
        Which class a higher ``score`` speaks for, as ``cohort.yaml`` declares.
    frozen, positive, target, unit, level, bootstrap
        As :func:`compute_evidence`.

    Returns
    -------
    dict
        ``simulated``, and ``rows``: for each held-out split first the readers, each condition and session a row, then
        each arm on the same units. A row holds ``split``, ``kind`` (``reader`` or ``arm``), ``name``, ``experience``,
        ``condition``, ``session``, ``n``, ``n_groups``, ``seconds`` (median, None where not timed) and the intervals
        ``auc`` (or ``macro_auc``), ``sensitivity`` and ``specificity`` (two classes) or ``accuracy`` (more).

    Raises
    ------
    InputError
        When the predictions cannot be analysed as one table, or no read is of a unit of a held-out split.
    """
    table = analysis_table(predictions, positive=positive, frozen=frozen, target=target, unit=unit)
    asked = reads[reads["target"] == table.target]
    # Who reads calls only, once, and does not say how long he has read: all of this is optional in reads.csv.
    asked = asked.assign(**{name: "" for name in ("session", "experience", "call") if name not in asked})
    rows: list[dict[str, Any]] = []
    for split in UNSEEN:
        units = table.rows[table.rows["split"] == split].drop_duplicates("unit_id")
        read = asked.merge(units[["unit_id", "group_id", "label", "truth"]], on="unit_id", validate="many_to_one")
        if read.empty:
            continue
        rows += [{"split": split, **row} for row in _readers(read, table, higher_is, level, bootstrap)]
        rows += [{"split": split, **row} for row in _arms(set(read["unit_id"]), split, table, level, bootstrap)]
    if not rows:
        raise InputError(
            f"no read is of {table.target!r} and a {table.unit} of a held-out split",
            expected="units of the predictions",
        )
    return {"simulated": simulated, "rows": rows}


def _readers(
    read: DataFrame, table: AnalysisTable, higher_is: str, level: float, bootstrap: int
) -> Iterator[dict[str, Any]]:
    sign = 1.0 if higher_is == "positive" else -1.0
    by_reader = read.groupby(["experience", "reader_id", "condition", "session"], dropna=False, sort=True)
    for (experience, reader, condition, session), rows in sorted(by_reader, key=lambda found: _place(*found[0])):
        named = {
            "kind": "reader",
            "name": str(reader),
            "experience": "" if experience != experience else str(experience),
        }
        named |= {"condition": str(condition), "session": "" if session != session else str(session)}
        seconds = rows["seconds"].median() if "seconds" in rows else np.nan
        ranked = rows.assign(score=_score(rows, table, sign), seed=0, fold=0)
        measured = _measures(ranked, table, level, bootstrap)
        yield {**named, **measured, "seconds": float(seconds) if np.isfinite(seconds) else None}


def _place(experience: object, reader: object, condition: object, session: object) -> tuple[int, str, bool, str, str]:
    """Return where a reader's row stands: the least experienced first, without help before with it."""
    levels = ("junior", "intermediate", "senior")
    level = levels.index(str(experience)) if experience in levels else -1
    return level, str(reader), condition != "unaided", str(condition), str(session)


def _score(rows: DataFrame, table: AnalysisTable, sign: float) -> NDArray[np.float64]:
    probability = f"p_{table.positive}"
    if probability in rows and rows[probability].notna().all():
        return rows[probability].to_numpy(dtype=np.float64)
    if "score" in rows:
        return sign * rows["score"].to_numpy(dtype=np.float64)
    return np.full(len(rows), np.nan)


def _arms(units: set[str], split: str, table: AnalysisTable, level: float, bootstrap: int) -> Iterator[dict[str, Any]]:
    for arm in dict.fromkeys(table.rows["arm"]):
        rows = table.part(arm, split)
        rows = rows[rows["unit_id"].isin(units)]
        if len(rows):
            named = {"kind": "arm", "name": str(arm), "experience": "", "condition": "", "session": "", "seconds": None}
            yield {**named, **_measures(rows, table, level, bootstrap)}


def _measures(rows: DataFrame, table: AnalysisTable, level: float, bootstrap: int) -> dict[str, Any]:
    sizes = {"n": int(rows["unit_id"].nunique()), "n_groups": int(rows["group_id"].nunique())}
    labels, groups = rows["label"].to_numpy(dtype=str), rows["group_id"].to_numpy(dtype=str)
    calls = rows["call"].fillna("").to_numpy(dtype=str)
    called = bool((calls != "").all())
    if len(table.classes) > 2:
        found = {"macro_auc": _macro(rows, table, level, bootstrap)}
        return {**sizes, **found, **({"accuracy": accuracy(labels, calls, groups, level).as_dict()} if called else {})}
    truth, score = labels == table.positive, rows["score"].to_numpy(dtype=np.float64)
    found = {"auc": undefined("AUC", "calls only: they rank nothing", level).as_dict()}
    if np.isfinite(score).all():
        found["auc"] = auc_of(rows, truth, score, level).as_dict()
    if called:
        right = labels == calls
        for name, among in (("sensitivity", truth), ("specificity", ~truth)):
            if among.any():
                found[name] = clustered_proportion(right[among], groups[among], level).as_dict()
    return {**sizes, **found}


def _macro(rows: DataFrame, table: AnalysisTable, level: float, bootstrap: int) -> dict[str, Any]:
    columns = [f"p_{label}" for label in table.classes]
    if not set(columns) <= set(rows.columns) or rows[columns].isna().any(axis=None):
        return undefined("macro AUC", "no probability was given for some class", level).as_dict()
    found: dict[str, Any] = several_class_measures(rows, table.classes, level, bootstrap)["macro_auc"]
    return found
