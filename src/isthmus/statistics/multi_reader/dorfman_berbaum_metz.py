"""Dorfman-Berbaum-Metz analysis: an ANOVA of jackknife pseudovalues, with Hillis's degrees of freedom."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.multi_reader.components import mean_squares, variance_components
from isthmus.statistics.multi_reader.figures import (
    Figure,
    figures_of_merit,
    jackknife_covariance,
    jackknife_figures,
    why_no_figure,
)
from isthmus.statistics.multi_reader.inference import (
    FEWEST_READERS,
    ErrorTerm,
    ErrorTerms,
    Scale,
    fixed_cases_terms,
    hillis_terms,
)
from isthmus.statistics.multi_reader.obuchowski_rockette import assemble, check_factors
from isthmus.statistics.multi_reader.result import Factor, MultiReaderResult, no_result
from isthmus.statistics.multi_reader.study import ReaderStudy


class PseudovalueSquares(NamedTuple):
    """Mean squares of pseudovalues that involve cases, divided by the number of groups, so on the scale of figures.

    `within_cases` and `within_rest` are those of cases and of reader x case in each condition alone.
    """

    condition_case: float
    condition_reader_case: float
    within_cases: FloatArray
    within_rest: FloatArray


def dorfman_berbaum_metz(
    study: ReaderStudy,
    conditions: Sequence[str] | None = None,
    *,
    figure: Figure = "auc",
    readers: Factor = "random",
    cases: Factor = "random",
    scale: Scale = "logit",
    level: float = 0.95,
    fewest_readers: int = FEWEST_READERS,
) -> MultiReaderResult:
    """Compare conditions by an ANOVA of pseudovalues: the same answers as Obuchowski-Rockette with the jackknife.

    Groups of cases are left out one at a time; the pseudovalues are normalised to the figures themselves. For random
    readers and cases the tests are those of ``obuchowski_rockette(covariance="jackknife")``, number for number; fixed
    readers are judged by F on (conditions - 1)(groups - 1) degrees of freedom instead of chi-square.

    Parameters
    ----------
    study, conditions, figure, readers, cases, scale, level, fewest_readers
        As :func:`~isthmus.statistics.multi_reader.obuchowski_rockette.obuchowski_rockette`.

    Source: D. Dorfman, K. Berbaum, C. Metz, Investigative Radiology 27 (1992) 723-731; S. Hillis, K. Berbaum, C. Metz,
    Academic Radiology 15 (2008) 647-661.
    """
    crossed = study.crossed(conditions)
    reason = why_no_figure(crossed, figure)
    method = "Dorfman-Berbaum-Metz"
    if reason:
        return no_result(method, figure, crossed, cases, (*crossed.notes, reason), level)
    figures = figures_of_merit(crossed, figure)
    without = jackknife_figures(crossed, figure)
    count = without.shape[1]
    covariance = jackknife_covariance(without).reshape(*figures.shape, *figures.shape)
    parts = variance_components(figures, covariance)
    taken, note = check_factors(readers, cases, len(figures), fewest_readers)
    pseudovalues = (figures.reshape(-1, 1) + (count - 1) * (without.mean(axis=1, keepdims=True) - without)).reshape(
        *figures.shape, count
    )
    terms = _terms(figures, pseudovalue_squares(pseudovalues), taken, cases, count)
    method = f"{method}, {taken} readers, {cases} cases"
    return assemble(figures, covariance, parts, terms, (taken, cases), method, figure, crossed, scale, level, note)


def pseudovalue_squares(pseudovalues: FloatArray) -> PseudovalueSquares:
    """Return the mean squares of pseudovalues [readers, conditions, groups]; NaN where no degree of freedom is left."""
    r, t, c = pseudovalues.shape
    grand = pseudovalues.mean()
    reader = pseudovalues.mean(axis=(1, 2), keepdims=True) - grand
    condition = pseudovalues.mean(axis=(0, 2), keepdims=True) - grand
    case = pseudovalues.mean(axis=(0, 1), keepdims=True) - grand
    rt = pseudovalues.mean(axis=2, keepdims=True) - grand - reader - condition
    rc = pseudovalues.mean(axis=1, keepdims=True) - grand - reader - case
    tc = pseudovalues.mean(axis=0, keepdims=True) - grand - condition - case
    rest = pseudovalues - grand - reader - condition - case - rt - rc - tc
    each = pseudovalues - pseudovalues.mean(axis=(0, 2), keepdims=True)
    each_case = each.mean(axis=0, keepdims=True)
    each_rest = each - each_case - each.mean(axis=2, keepdims=True)
    return PseudovalueSquares(
        condition_case=_mean(r * np.sum(tc**2), (t - 1) * (c - 1)) / c,
        condition_reader_case=_mean(np.sum(rest**2), (t - 1) * (r - 1) * (c - 1)) / c,
        within_cases=r * np.sum(each_case**2, axis=(0, 2)) / (c - 1) / c,
        within_rest=np.sum(each_rest**2, axis=(0, 2)) / max((r - 1) * (c - 1), 1) / c,
    )


def _terms(figures: FloatArray, seen: PseudovalueSquares, readers: Factor, cases: Factor, count: int) -> ErrorTerms:
    squares, conditions = mean_squares(figures), figures.shape[1]
    if cases == "fixed":
        return fixed_cases_terms(squares)
    if readers == "fixed":
        of_pairs = ErrorTerm(seen.condition_case, float((conditions - 1) * (count - 1)))
        return ErrorTerms(of_pairs, tuple(ErrorTerm(float(ms), float(count - 1)) for ms in seen.within_cases))
    shared = max(seen.condition_case - seen.condition_reader_case, 0.0) if conditions > 1 else 0.0
    return hillis_terms(squares, shared, np.maximum(seen.within_cases - seen.within_rest, 0.0))


def _mean(total: float, degrees: int) -> float:
    return float(total) / degrees if degrees > 0 else float("nan")
