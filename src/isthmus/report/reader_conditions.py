"""The conditions under which the same readers read the same cases: with help against without, over readers."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import groups_of_classes
from isthmus.report.reads import UNAIDED, conditions_of, first_session, reader_groups
from isthmus.report.subject import Study
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.multi_reader.dorfman_berbaum_metz import dorfman_berbaum_metz
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.result import MultiReaderResult, NamedComparison
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.roc import few_groups_note

Measured = Literal["auc", "sensitivity", "specificity", "accuracy"]
MEASURED: Final[tuple[Measured, ...]] = ("auc", "sensitivity", "specificity", "accuracy")


def compare_conditions(table: AnalysisTable, read: DataFrame, study: Study) -> Iterator[dict[str, Any]]:
    """Yield every pair of conditions, over all readers, each experience and each reader.

    Parameters
    ----------
    table : AnalysisTable
    read : DataFrame
        Of one split, as :func:`isthmus.report.reads.reads_by_split` gives it.
    study : Study

    Yields
    ------
    dict
        ``analysis`` (``OR`` or ``DBM``), ``group``, ``reader`` ('' for a group), ``measure``, ``a``, ``b``, the
        difference a - b with its limits, ``p, method, readers, readers_as, n, n_groups`` and ``notes``; one entry more
        a group with ``overall`` where there are three conditions or more.

    Notes
    -----
    AUC where every reader gave scores; sensitivity, specificity and accuracy where they called. Both by Obuchowski and
    Rockette's analysis of variance with covariances clustered by group; the AUC by Dorfman, Berbaum and Metz's too. A
    unit read more than once under a condition counts with its first reading.
    """
    if len(table.classes) > 2 or len(conditions_of(read)) < 2:
        return
    first = first_session(read)
    for measure in MEASURED:
        rows = _of_measure(first, measure, table.positive)
        if rows["condition"].nunique() < 2:
            continue
        for group, readers in reader_groups(rows).items():
            if len(readers) < 2 and group != "all":
                continue  # the reader's own row says it
            asked = reader_study(rows[rows["reader_id"].isin(readers)])
            conditions = sorted(asked.conditions, key=lambda name: (name == UNAIDED, name))
            if measure == "auc" and only_calls(asked):
                continue
            crossed = asked.crossed(conditions)
            sizes = groups_of_classes(crossed.truth, crossed.groups) if measure == "auc" else None
            found = obuchowski_rockette(asked, conditions, figure=measure, level=study.level)
            yield from _entries("OR", group, measure, found, sizes)
            if group == "all":
                yield from _by_reader(measure, found, sizes)
            if measure == "auc":
                other = dorfman_berbaum_metz(asked, conditions, level=study.level)
                yield from _entries("DBM", group, measure, other, sizes)


def reader_study(rows: DataFrame) -> ReaderStudy:
    """Return the study of reads with the columns of :func:`isthmus.report.reads.reads_by_split`."""
    return ReaderStudy.from_rows(
        rows["score"], rows["reader_id"], rows["condition"], rows["unit_id"], rows["truth"], rows["group_id"]
    )


def only_calls(study: ReaderStudy) -> bool:
    """Tell whether every reader used two values at most under some condition: points have no areas to compare."""
    values = [[len(np.unique(cell[np.isfinite(cell)])) for cell in reader] for reader in study.scores]
    return bool((np.array(values) <= 2).all(axis=0).any())


def _of_measure(read: DataFrame, measure: Measured, positive: str) -> DataFrame:
    """Return the reads that bear on the measure; for calls, the score is 1 where the positive class was called."""
    if measure == "auc":
        scored: DataFrame = read.loc[np.isfinite(read["score"].to_numpy(dtype=np.float64))]
        return scored
    called: DataFrame = read.loc[read["call"] != ""]
    return called.assign(score=(called["call"] == positive).astype(float))


def _entries(
    analysis: str, group: str, measure: str, found: MultiReaderResult, sizes: tuple[int, int] | None
) -> Iterator[dict[str, Any]]:
    shared = {"analysis": analysis, "group": group, "reader": "", "measure": measure, "readers": len(found.readers)}
    shared |= {"readers_as": found.readers_as, "n": found.n, "n_groups": found.n_groups, "notes": list(found.notes)}
    for pair in found.comparisons:
        yield {**shared, **_pair(pair, sizes)}
    if len(found.conditions) > 2:
        overall = found.overall.as_dict()
        if few := few_groups_note(*sizes) if sizes else "":
            overall |= {"statistic": None, "p": None, "note": few}
        yield {**shared, "a": "", "b": "", "overall": overall, "method": found.method}


def _pair(pair: NamedComparison, sizes: tuple[int, int] | None) -> dict[str, Any]:
    """Return a comparison with its names; of AUCs, whose groups of either class are given, not from too few."""
    return replace(pair, comparison=unless_few(pair.comparison, *sizes)).as_dict() if sizes else pair.as_dict()


def _by_reader(measure: str, found: MultiReaderResult, sizes: tuple[int, int] | None) -> Iterator[dict[str, Any]]:
    for pair in found.by_reader:
        shared = {"analysis": "OR", "group": "", "measure": measure, "readers": 1, "readers_as": "fixed"}
        yield {**shared, "n": found.n, "n_groups": found.n_groups, "notes": [], **_pair(pair, sizes)}
