"""Obuchowski-Rockette analysis of variance of reader figures with correlated errors, in Hillis's form."""

from collections.abc import Sequence

import numpy as np

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.multi_reader.components import VarianceComponents, mean_squares, variance_components
from isthmus.statistics.multi_reader.figures import (
    CovarianceMethod,
    Figure,
    covariance_of_figures,
    figures_of_merit,
    why_no_figure,
)
from isthmus.statistics.multi_reader.inference import (
    FEWEST_READERS,
    ErrorTerms,
    Scale,
    effective_readers,
    fixed_cases_terms,
    fixed_readers_terms,
    hillis_terms,
    mean_intervals,
    overall_test,
    pair_comparisons,
    reader_comparisons,
)
from isthmus.statistics.multi_reader.result import Factor, MultiReaderResult, no_result
from isthmus.statistics.multi_reader.study import CrossedStudy, ReaderStudy


def obuchowski_rockette(
    study: ReaderStudy,
    conditions: Sequence[str] | None = None,
    *,
    figure: Figure = "auc",
    readers: Factor = "random",
    cases: Factor = "random",
    covariance: CovarianceMethod = "delong-clustered",
    scale: Scale = "logit",
    level: float = 0.95,
    fewest_readers: int = FEWEST_READERS,
) -> MultiReaderResult:
    """Compare conditions over readers and cases: overall test, every pair, and each condition's mean.

    Parameters
    ----------
    study : ReaderStudy
        Need not be complete: readers without a condition and cases that a reader skipped are left out and counted.
    conditions : sequence of str, optional
        Two or more of the study's (one gives its mean only); all when None. Differences are earlier less later.
    figure : {'auc', 'sensitivity', 'specificity', 'accuracy'}
        The last three of calls 0 and 1.
    readers, cases : {'random', 'fixed'}
        What the result generalises to; not both fixed. Fewer than `fewest_readers` are taken as fixed.
    covariance : {'delong-clustered', 'jackknife', 'unbiased'}
        Of the figures over groups of cases. With ``unbiased`` (independent cases) a condition's standard error is
        the square root of Gallas's one-shot variance, as iMRMC gives it, unless Cov2 is negative.
    scale : {'logit', 'plain'}
        Of the intervals of single means: logit covers 95 % up to high figures, plain is what OR-DBM MRMC prints.
        Differences are always plain.
    level : float
    fewest_readers : int

    Returns
    -------
    MultiReaderResult
        With NaN and the reason in ``notes`` where the data cannot give a number.

    Raises
    ------
    ValueError
        For an unknown condition or choice, both factors fixed, or scores other than 0 and 1 for calls.

    Source: N. Obuchowski, H. Rockette, Communications in Statistics - Simulation and Computation 24 (1995) 285-308;
    S. Hillis, Statistics in Medicine 26 (2007) 596-619; S. Hillis, Statistics in Medicine 33 (2014) 330-360.
    """
    crossed = study.crossed(conditions)
    reason = why_no_figure(crossed, figure)
    if reason:
        method = "Obuchowski-Rockette"
        return no_result(method, figure, crossed, cases, (*crossed.notes, reason), level)
    return obuchowski_rockette_of_figures(
        figures_of_merit(crossed, figure),
        covariance_of_figures(crossed, figure, covariance),
        study=crossed,
        figure=figure,
        readers=readers,
        cases=cases,
        scale=scale,
        level=level,
        fewest_readers=fewest_readers,
    )


def obuchowski_rockette_of_figures(
    figures: FloatArray,
    covariance: FloatArray,
    *,
    study: CrossedStudy | None = None,
    figure: Figure = "auc",
    readers: Factor = "random",
    cases: Factor = "random",
    scale: Scale = "logit",
    level: float = 0.95,
    fewest_readers: int = FEWEST_READERS,
) -> MultiReaderResult:
    """Return the same analysis from figures and their covariance, as a publication gives them.

    Parameters
    ----------
    figures : ndarray [readers, conditions]
    covariance : ndarray [readers, conditions, readers, conditions]
        Over cases; zeros serve where `cases` are fixed.
    study : CrossedStudy, optional
        Gives the names and numbers of cases; without it readers and conditions are numbered from 1.
    figure, readers, cases, scale, level, fewest_readers
        As :func:`obuchowski_rockette`.
    """
    figures, covariance = np.asarray(figures, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if covariance.shape != figures.shape * 2:
        raise ValueError(f"covariance has shape {covariance.shape} where {figures.shape * 2} was expected")
    parts = variance_components(figures, covariance)
    taken, note = check_factors(readers, cases, len(figures), fewest_readers)
    method = f"Obuchowski-Rockette, {taken} readers, {cases} cases"
    terms = error_terms(figures, parts, taken, cases)
    return assemble(figures, covariance, parts, terms, (taken, cases), method, figure, study, scale, level, note)


def check_factors(readers: Factor, cases: Factor, count: int, fewest: int) -> tuple[Factor, str]:
    """Return what the readers are taken as and the note on it; raise where nothing would be random."""
    if cases not in ("random", "fixed"):
        raise ValueError(f"cases are random or fixed, not {cases!r}")
    if readers == cases == "fixed":
        raise ValueError("readers and cases cannot both be fixed: nothing would vary")
    # With fixed cases the readers are all that varies: too few of them give wide limits, not a wrong answer.
    return effective_readers(readers, count, fewest) if cases == "random" else (readers, "")


def assemble(
    figures: FloatArray,
    covariance: FloatArray,
    parts: VarianceComponents,
    terms: ErrorTerms,
    factors: tuple[Factor, Factor],
    method: str,
    figure: str,
    study: CrossedStudy | None,
    scale: Scale,
    level: float,
    note: str,
) -> MultiReaderResult:
    """Return tests and intervals of figures from their error terms."""
    r, t = figures.shape
    names = (
        (study.readers, study.conditions)
        if study
        else (tuple(str(j + 1) for j in range(r)), tuple(str(i + 1) for i in range(t)))
    )
    notes = (*(study.notes if study else ()), *((note,) if note else ()))
    own = "paired z over cases, one reader"
    return MultiReaderResult(
        method=method,
        figure=figure,
        readers=names[0],
        conditions=names[1],
        figures=figures,
        means=mean_intervals(figures, terms.within, level, method, scale),
        overall=overall_test(mean_squares(figures), terms.between, t),
        comparisons=pair_comparisons(figures, names[1], terms.between, level, method),
        by_reader=reader_comparisons(figures, covariance, names, level, own) if factors[1] == "random" else (),
        components=parts,
        readers_as=factors[0],
        cases_as=factors[1],
        n=study.truth.size if study else 0,
        n_positive=int(study.truth.sum()) if study else 0,
        n_groups=len(np.unique(study.groups)) if study else 0,
        notes=notes,
    )


def error_terms(figures: FloatArray, parts: VarianceComponents, readers: Factor, cases: Factor) -> ErrorTerms:
    """Return the error terms of figures [readers, conditions] for what readers and cases are taken as."""
    squares, r = mean_squares(figures), len(figures)
    if cases == "fixed":
        return fixed_cases_terms(squares)
    if readers == "fixed":
        return fixed_readers_terms(parts, r)
    return hillis_terms(squares, r * parts.shared, r * np.maximum(parts.cov2_within, 0.0))
