"""Each arm beside each reader and the mean of readers, on the cases that both judged."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import auc_difference, groups_of_classes
from isthmus.report.reader_cases import Beside, ReaderPoints, beside_readers, both_classes, is_one_point
from isthmus.report.reads import conditions_of, first_session, reader_groups
from isthmus.report.subject import Study
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.inputs import as_groups
from isthmus.statistics.interval import Comparison, holm, undefined
from isthmus.statistics.mean_reader import model_less_mean_reader, proportions_of_groups
from isthmus.statistics.proportions import compare_paired_proportions
from isthmus.statistics.roc import clustered_auc

FloatArray = NDArray[np.float64]
MATCHED: Final = ("sensitivity_at_specificity", "specificity_at_sensitivity")
"""At the reader's own specificity, or sensitivity."""
ONE_POINT: Final = "scores of two values are calls: one point of the ROC plane has no area to compare"


def compare_with_arms(table: AnalysisTable, split: str, read: DataFrame, study: Study) -> list[dict[str, Any]]:
    """Return every comparison of an arm with a reader, and with the mean of a group of readers.

    Returns
    -------
    list of dict
        ``condition, a`` (the arm), ``reader`` ('' for a group), ``group`` ('' for a reader), ``readers, readers_as,
        measure, n, n_groups`` and the fields of the comparison, arm less reader, with ``p_holm`` over the comparisons
        of a condition and measure (readers and groups apart).

    Notes
    -----
    ``auc`` where the reader gave scores, ``sensitivity``, ``specificity`` and ``accuracy`` of the calls (the arm's at
    its own frozen threshold), and where there are two classes the arm's curve at the reader's own specificity and
    sensitivity: a reader who only calls is never given an area. A group is compared on the units that all of its
    readers judged. Of several sessions the first counts.
    """
    first = first_session(read)
    found: list[dict[str, Any]] = []
    for condition in conditions_of(first):
        rows = first[first["condition"] == condition]
        groups = {name: who for name, who in reader_groups(rows).items() if len(who) > 1}
        for arm in dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]):
            beside = beside_readers(table, str(arm), split, rows)
            if beside is None:
                continue
            named = {"condition": condition, "a": str(arm)}
            points = ReaderPoints(beside, study) if len(table.classes) == 2 else None
            entries = [
                *_each_reader(beside, points, table, study),
                *_each_group(beside, points, groups, table, study),
            ]
            found += [{**named, **entry} for entry in entries]
    _adjust(found)
    return found


def _each_reader(
    beside: Beside, points: ReaderPoints | None, table: AnalysisTable, study: Study
) -> Iterator[dict[str, Any]]:
    for place, reader in enumerate(beside.readers):
        named = {"reader": reader, "group": "", "readers": 1, "readers_as": "fixed"}
        scored = beside.of([reader], np.isfinite(beside.reader_scores[place]) & np.isfinite(beside.scores))
        if scored.units.size and len(table.classes) == 2:
            yield {**named, **_entry("auc", _compare_aucs(scored, study.level), scored)}
        called = beside.of([reader], np.isfinite(beside.reader_calls[place]) & np.isfinite(beside.calls))
        for measure, among in _among(called, table) if called.units.size else ():
            some = called.of([reader], among)
            arm, own = (right == _wanted(measure) for right in (some.calls, some.reader_calls[0]))
            compared = compare_paired_proportions(arm, own, some.groups, study.level)
            yield {**named, **_entry(measure, compared, called)}
        if points and (matched := points.of([reader])) is not None:
            found, some = matched
            for measure, compared in zip(MATCHED, found.comparisons(study.level)[0], strict=True):
                yield {**named, **_entry(measure, compared, some)}


def _each_group(
    beside: Beside, points: ReaderPoints | None, groups: dict[str, list[str]], table: AnalysisTable, study: Study
) -> Iterator[dict[str, Any]]:
    one_seed = beside.of(beside.readers, beside.seed == beside.seed.min())
    seeds = "" if one_seed.units.size == beside.units.size else f"seed {beside.seed.min()} alone"
    for group, readers in groups.items():
        whole = [name for name in readers if name in beside.readers]
        for measure, figures, covariance, some in _group_figures(one_seed, points, whole, table):
            number = _groups_behind(measure, some) if measure in ("sensitivity", "specificity", "accuracy") else None
            found = model_less_mean_reader(figures, covariance, study.level, groups=number)
            compared = found.comparison
            if measure == "auc":
                compared = unless_few(compared, *groups_of_classes(some.truth, some.groups))
            left_out = one_seed.sizes()["n"] - some.sizes()["n"]
            skipped = f"{left_out} units that not all of them judged are left out" if left_out else ""
            used = len(figures) - 1
            fewer = f"{len(whole) - used} of {len(whole)} readers gave no scores" if used < len(whole) else ""
            entry = _entry(measure, compared, some, found.note, skipped, fewer, seeds)
            yield {"reader": "", "group": group, "readers": used, "readers_as": found.readers_as, **entry}


def _group_figures(
    beside: Beside, points: ReaderPoints | None, readers: list[str], table: AnalysisTable
) -> Iterator[tuple[str, FloatArray, FloatArray, Beside]]:
    """Yield each measure's figures [R + 1] of the readers and the arm, their covariance, and the cases behind them."""
    scorers = [name for name in readers if not is_one_point(beside.reader_scores[beside.readers.index(name)])]
    places = [beside.readers.index(name) for name in scorers]
    scored = beside.of(scorers, np.isfinite(beside.reader_scores[places]).all(axis=0) & np.isfinite(beside.scores))
    if len(table.classes) == 2 and len(scorers) > 1 and both_classes(scored):
        yield "auc", *_aucs(scored), scored
    readers = [name for name in readers if np.isfinite(beside.reader_calls[beside.readers.index(name)]).any()]
    if len(readers) < 2:
        return
    places = [beside.readers.index(name) for name in readers]
    called = beside.of(readers, np.isfinite(beside.reader_calls[places]).all(axis=0) & np.isfinite(beside.calls))
    for measure, among in _among(called, table) if called.units.size else ():
        some = called.of(readers, among)
        right = np.vstack([some.reader_calls, some.calls]) == _wanted(measure)
        codes, count = as_groups(some.groups, some.units.size)
        yield measure, *proportions_of_groups(right.astype(np.float64), codes, count), called
    if points and (found := points.of(readers)) is not None:
        matched, some = found
        pairs = (
            (matched.model_sensitivity, matched.reader_sensitivity, matched.covariance_sensitivity),
            (matched.model_specificity, matched.reader_specificity, matched.covariance_specificity),
        )
        for measure, (model, reader, covariance) in zip(MATCHED, pairs, strict=True):
            # The model stands at another point beside each reader: its mean is put in, the gaps are the readers' own.
            middle = float(model.mean())
            yield measure, np.append(middle - (model - reader), middle), _with_nothing(covariance), some


def _among(beside: Beside, table: AnalysisTable) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the measures of calls and the cases that each is a share of."""
    if len(table.classes) > 2:
        return [("accuracy", np.ones(beside.truth.size, dtype=bool))]
    parts = [("sensitivity", beside.truth), ("specificity", ~beside.truth)]
    return [(measure, among) for measure, among in parts if among.any()]


def _groups_behind(measure: str, beside: Beside) -> int:
    """Return how many groups have a case that the measure of calls is a share of."""
    among = {"sensitivity": beside.truth, "specificity": ~beside.truth}.get(measure, np.ones(beside.truth.size, bool))
    return len(set(beside.groups[among].tolist()))


def _wanted(measure: str) -> float:
    return 0.0 if measure == "specificity" else 1.0


def _compare_aucs(beside: Beside, level: float) -> Comparison:
    reader = beside.reader_scores[0]
    nan = float("nan")
    if is_one_point(reader):
        return Comparison(undefined("AUC", ONE_POINT, level), nan, nan, "no test", nan, nan)
    rows = DataFrame({"group_id": beside.groups, "seed": beside.seed, "fold": beside.fold})
    try:
        return auc_difference(rows, beside.truth, beside.scores, reader, level)
    except ValueError as error:
        return Comparison(undefined("AUC", str(error), level), nan, nan, "no test", nan, nan)


def _aucs(beside: Beside) -> tuple[FloatArray, FloatArray]:
    """Return the AUCs [R + 1] and their covariance; of fold models the mean of the folds', which share no group."""
    scores = np.vstack([beside.reader_scores, beside.scores])
    if not beside.folded:
        return clustered_auc(beside.truth, scores, beside.groups)
    folds = [
        rows for fold in np.unique(beside.fold) if 0 < beside.truth[rows := beside.fold == fold].sum() < rows.sum()
    ]
    parts = [clustered_auc(beside.truth[rows], scores[:, rows], beside.groups[rows]) for rows in folds]
    if not parts:
        return np.full(len(scores), np.nan), np.full((len(scores),) * 2, np.nan)
    return np.mean([aucs for aucs, _ in parts], axis=0), np.sum([spread for _, spread in parts], axis=0) / len(
        parts
    ) ** 2


def _with_nothing(covariance: FloatArray) -> FloatArray:
    """Return the covariance with a row and column of a figure that does not vary."""
    return np.pad(covariance, (0, 1))


def _entry(measure: str, compared: Comparison, beside: Beside, *notes: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"measure": measure, **beside.sizes(), **compared.as_dict()}
    note = "; ".join(filter(None, (str(entry.get("note") or ""), *notes)))
    return {**entry, "note": note} if note else entry


def _adjust(found: list[dict[str, Any]]) -> None:
    """Add Holm's adjusted p over the comparisons of a condition and measure, readers and groups of them apart."""
    families: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
    for entry in found:
        families.setdefault((entry["condition"], entry["measure"], entry["reader"] == ""), []).append(entry)
    for family in families.values():
        adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in family])
        for entry, value in zip(family, adjusted, strict=True):
            entry["p_holm"] = None if np.isnan(value) else float(value)
