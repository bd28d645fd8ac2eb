"""Reads made ready for statistics: joined with the held-out units that they are of, and checked row by row."""

import re
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reading import SPLIT_ORDER, in_order
from isthmus.report.subject import Study
from isthmus.tables.check import bad_cells, raise_bad_values

UNSEEN: Final = tuple(split for split in SPLIT_ORDER if split not in ("tune", "train"))
UNAIDED: Final = "unaided"
EXPERIENCE: Final = ("junior", "intermediate", "senior")
NOT_STATED: Final = "target"
"""The target of a table that names none."""


def reads_by_split(table: AnalysisTable, study: Study) -> dict[str, DataFrame]:
    """Return the reads of each held-out split, one row a read.

    Parameters
    ----------
    table : AnalysisTable
        Labels and groups are taken from it.
    study : Study
        With ``reads`` and ``higher_is``.

    Returns
    -------
    dict
        Split to ``reader_id, experience, condition, session, unit_id, group_id, label, truth, score`` (higher speaks
        for the positive class; NaN where there is none), ``call`` ('' where there is none), ``seconds`` (NaN), and
        ``p_<class>`` where given. ``session`` is '' but where a reader read a unit more than once under a condition.

    Raises
    ------
    TableError
        With every read that comes twice and every call that is no class.
    InputError
        When no read is of the target and of a unit of a held-out split.
    """
    if study.reads is None:
        return {}
    given = study.reads
    # A table that was read from no file is counted like one: its first row is line 2.
    lines = given.index + 2 if isinstance(given.index, pd.RangeIndex) and given.index.start == 0 else given.index
    reads = _with_blanks(_of_target(given.set_axis(lines, axis=0), table.target))
    _check(reads, table.classes)
    reads = reads.assign(score=_scores(reads, table, study.higher_is), call=reads["call"].astype(object))
    if len(table.classes) == 2 and study.higher_is == "positive":
        reads = reads.assign(call=_called(reads, table))
    found: dict[str, DataFrame] = {}
    of_a_unit = False
    for split in in_order(set(table.rows["split"])):
        if split.partition(": ")[0] not in UNSEEN:
            continue
        units = table.rows[table.rows["split"] == split].drop_duplicates("unit_id")
        on = ["unit_id", "cohort"] if "cohort" in reads else ["unit_id"]
        if len(on) == 1 and _is_other_cohort(table, split):
            continue  # units of another cohort may have the same ids as those that were read
        read = reads.merge(units[[*on, "group_id", "label", "truth"]], on=on, validate="many_to_one")
        of_a_unit |= len(read) > 0
        said = read[read[["score", *_probabilities(read)]].notna().any(axis=1) | (read["call"] != "")]
        if len(said):  # a row without score and call is a case that the reader skipped
            found[split] = _with_sessions(said)
    if "cohort" not in reads and sum(split.startswith("external: ") for split in found) > 1:
        raise InputError(
            "the reads are of several cohorts, or of one that is not named",
            where=", ".join(found),
            expected="a column cohort in the reads",
        )
    if not of_a_unit:
        raise InputError(
            f"no read is of {table.target!r} and a {table.unit} of a held-out split",
            expected="units of the predictions",
            hint="compare unit_id of the two tables",
        )
    return found


def readings(read: DataFrame) -> list[tuple[dict[str, str], DataFrame]]:
    """Return the reads of each reader, condition and session, the least experienced and the unaided first."""
    parts = read.groupby(["experience", "reader_id", "condition", "session"], sort=False)
    return [
        (dict(zip(("experience", "name", "condition", "session"), map(str, key), strict=True)), rows)
        for key, rows in sorted(parts, key=lambda found: place_of_reading(*map(str, found[0])))
    ]


def place_of_reading(experience: str, reader: str, condition: str, session: str) -> tuple[Any, ...]:
    """Return where a reader's row stands."""
    level = EXPERIENCE.index(experience) if experience in EXPERIENCE else -1
    return level, by_number(reader), condition != UNAIDED, condition, session


def by_number(name: str) -> list[tuple[int, str]]:
    """Return the key under which R2 stands before R10.

    Examples
    --------
    >>> sorted(["R10", "R2", "expert"], key=by_number)
    ['R2', 'R10', 'expert']
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def conditions_of(read: DataFrame) -> list[str]:
    """Return the conditions, the unaided one first."""
    return sorted(set(read["condition"].astype(str)), key=lambda name: (name != UNAIDED, name))


def reader_groups(read: DataFrame) -> dict[str, list[str]]:
    """Return ``all`` readers, and those of each experience where there are several experiences."""
    groups = {"all": sorted(set(read["reader_id"].astype(str)), key=by_number)}
    stated = [level for level in EXPERIENCE if (read["experience"] == level).any()]
    if len(stated) > 1:
        groups |= {
            level: sorted(set(read.loc[read["experience"] == level, "reader_id"].astype(str)), key=by_number)
            for level in stated
        }
    return groups


def first_session(read: DataFrame) -> DataFrame:
    """Return the first reading of each reader, condition and unit: analyses over readers count a reader once."""
    ordered = read.sort_values("session", key=_session_order, kind="stable")
    return ordered.drop_duplicates(["reader_id", "condition", "unit_id"]).sort_index()


def _session_order(sessions: "pd.Series[str]") -> "pd.Series[Any]":
    numbers = pd.to_numeric(sessions, errors="coerce")
    return sessions if numbers.isna().any() else numbers


def _of_target(reads: DataFrame, target: str) -> DataFrame:
    if "target" not in reads:
        return reads
    asked = reads[reads["target"] == target]
    if asked.empty and NOT_STATED in (target, *set(reads["target"])) and reads["target"].nunique() == 1:
        return reads  # one of the two tables does not say what it is about
    if asked.empty:
        named = ", ".join(sorted(set(reads["target"].astype(str)))[:5])
        raise InputError(
            f"no read is of {target!r}", where=f"the reads are of {named}", expected=f"reads of {target!r}"
        )
    return asked


def _with_blanks(reads: DataFrame) -> DataFrame:
    """Fill in what is optional: who reads calls only, once, and does not say for how long he has been reading."""
    texts = {"condition": UNAIDED, "session": "", "experience": "", "call": ""}
    filled = {name: reads[name].fillna(blank) if name in reads else blank for name, blank in texts.items()}
    numbers = {name: reads.get(name, np.nan) for name in ("score", "seconds")}
    return reads.assign(**filled, **numbers)


def _check(reads: DataFrame, classes: list[str]) -> None:
    by = [name for name in ("cohort",) if name in reads]
    twice = reads.duplicated(["reader_id", "condition", "session", "unit_id", *by], keep="first")
    unknown = (reads["call"] != "") & ~reads["call"].isin(classes)
    raise_bad_values(
        [
            *bad_cells("reads", reads.loc[twice, "unit_id"], "one read of a reader, condition, session and unit"),
            *bad_cells("reads", reads.loc[unknown, "call"], f"one of {', '.join(classes)}, as the labels are"),
        ]
    )


def _probabilities(reads: DataFrame) -> list[str]:
    return [str(name) for name in reads.columns if str(name).startswith("p_")]


def _scores(reads: DataFrame, table: AnalysisTable, higher_is: str) -> "pd.Series[float]":
    probability = f"p_{table.positive}"
    sign = 1.0 if higher_is == "positive" else -1.0
    stated = sign * pd.to_numeric(reads["score"]).astype(float)
    if probability in reads and reads[probability].notna().any():
        # A table may hold both; a score stands in for the probabilities of readers who gave none at all.
        given = reads[probability].astype(float)
        silent = given.groupby(reads["reader_id"]).transform("count") == 0
        return given.where(~silent, stated)
    return stated


def _called(reads: DataFrame, table: AnalysisTable) -> "pd.Series[Any]":
    """Return the calls; of a reader who gave none and scored with 0 and 1 only, the scores are the calls."""
    silent = (reads["call"] == "").groupby(reads["reader_id"]).transform("all")
    apart = (~reads["score"].isin([0.0, 1.0]) & reads["score"].notna()).groupby(reads["reader_id"]).transform("any")
    other = next(label for label in table.classes if label != table.positive)
    meant = reads["score"].map({1.0: table.positive, 0.0: other}).fillna("")
    return reads["call"].where(~silent | apart, meant)


def _is_other_cohort(table: AnalysisTable, split: str) -> bool:
    own = table.rows.loc[table.rows["split"].str.partition(": ")[0] != "external", "cohort"]
    of_split = table.rows.loc[table.rows["split"] == split, "cohort"]
    return split.startswith("external") and len(own) > 0 and not set(of_split) <= set(own)


def _with_sessions(read: DataFrame) -> DataFrame:
    """Name sessions only where a reader read a unit again: a session may else be no more than a day of reading."""
    again = read.duplicated(["reader_id", "condition", "unit_id"], keep=False)
    repeating = again.groupby([read["reader_id"], read["condition"]]).transform("any")
    return read.assign(session=read["session"].where(repeating, ""))
