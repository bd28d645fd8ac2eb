"""One model beside readers of the same cases: the test against the mean reader."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import Comparison, Interval, undefined
from isthmus.statistics.multi_reader.components import VarianceComponents, variance_components
from isthmus.statistics.multi_reader.figures import (
    CovarianceMethod,
    Figure,
    covariance_of_figures,
    figures_of_merit,
    only_calls,
    why_no_figure,
)
from isthmus.statistics.multi_reader.inference import (
    FEWEST_READERS,
    mean_intervals,
    reader_comparisons,
    t_comparison,
    t_interval,
)
from isthmus.statistics.multi_reader.obuchowski_rockette import check_factors, error_terms
from isthmus.statistics.multi_reader.result import Factor, NamedComparison
from isthmus.statistics.multi_reader.study import CrossedStudy, ReaderStudy


@dataclass(frozen=True, eq=False)
class ModelAgainstReaders:
    """A model beside readers.

    Parameters
    ----------
    method, figure, condition : str
    model : str
        Name.
    comparison : Comparison
        Model less mean reader; `estimate_a` is the model's figure, `estimate_b` the readers' mean.
    model_figure, readers_mean : Interval
        Each alone, from the same cases.
    by_reader : tuple of NamedComparison
        Model less each reader (paired z over cases); p-values are not adjusted.
    components : VarianceComponents
        Of the differences reader less model: `error` and `cov2` hold the model's own variance over cases.
    readers : tuple of str
    readers_as, cases_as : {'random', 'fixed'}
    n, n_positive, n_groups : int
    notes : tuple of str
    """

    method: str
    figure: str
    condition: str
    model: str
    comparison: Comparison
    model_figure: Interval
    readers_mean: Interval
    by_reader: tuple[NamedComparison, ...]
    components: VarianceComponents | None
    readers: tuple[str, ...]
    readers_as: Factor
    cases_as: Factor
    n: int
    n_positive: int
    n_groups: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        plain = ("method", "figure", "condition", "model", "readers_as", "cases_as", "n", "n_positive", "n_groups")
        return {
            **{name: getattr(self, name) for name in plain},
            "readers": list(self.readers),
            "comparison": self.comparison.as_dict(),
            "model_figure": self.model_figure.as_dict(),
            "readers_mean": self.readers_mean.as_dict(),
            "by_reader": [pair.as_dict() for pair in self.by_reader],
            "components": self.components.as_dict() if self.components else None,
            "notes": list(self.notes),
        }


def model_against_readers(
    study: ReaderStudy,
    model_scores: ArrayLike,
    condition: str | None = None,
    *,
    model: str = "model",
    figure: Figure = "auc",
    readers: Factor = "random",
    cases: Factor = "random",
    covariance: CovarianceMethod = "delong-clustered",
    level: float = 0.95,
    fewest_readers: int = FEWEST_READERS,
) -> ModelAgainstReaders:
    """Compare one model with the mean of readers who read the same cases under one condition.

    The single-treatment test: a one-condition Obuchowski-Rockette analysis of the differences between each reader and
    the model. With random readers the result is about a reader drawn from those like them; the model is one model.

    Parameters
    ----------
    study : ReaderStudy
    model_scores : array_like [cases of the study]
        In the order of ``study.cases``; NaN where the model has no score. Calls 0 and 1 for sensitivity, specificity.
    condition : str, optional
        Needed where the study has several.
    model : str
        Its name.
    figure, readers, cases, covariance, level, fewest_readers
        As :func:`~isthmus.statistics.multi_reader.obuchowski_rockette.obuchowski_rockette`. Readers who only call are
        never set against a model's full AUC: then there is a reason in place of numbers.

    Source: S. Hillis, N. Obuchowski, K. Berbaum, Academic Radiology 12 (2005) 1496-1501 and S. Hillis, K. Schartz,
    Journal of Medical Imaging 5 (2018) 031410 (one condition); D. Chakraborty, Observer Performance Methods (2017),
    chapter 22; RJafroc ``StSignificanceTestingCadVsRad(method = "1T-RRRC")``.
    """
    scores = np.asarray(model_scores, dtype=np.float64)
    if scores.shape != (len(study.cases),):
        raise ValueError(f"model_scores has shape {scores.shape} where [{len(study.cases)}], one a case, was expected")
    if condition is None and len(study.conditions) > 1:
        raise ValueError(f"the study has {len(study.conditions)} conditions: say which one the model stands beside")
    name = study.conditions[0] if condition is None else condition
    if model in study.readers:
        raise ValueError(f"a reader is called {model!r} too")
    crossed = study.crossed([name]).with_model(scores, model)
    reason = why_no_figure(crossed, figure) if len(crossed.readers) > 1 else "no reader read under this condition"
    if not reason and figure == "auc":
        reason = _why_not_alike(crossed)
    if reason:
        return _nothing(crossed, name, model, figure, cases, level, reason)
    figures = figures_of_merit(crossed, figure)[:, 0]
    spread = covariance_of_figures(crossed, figure, covariance)[:, 0, :, 0]
    return _compared(crossed, figures, spread, (readers, cases), name, figure, level, fewest_readers)


def _compared(
    crossed: CrossedStudy,
    figures: FloatArray,
    spread: FloatArray,
    factors: tuple[Factor, Factor],
    condition: str,
    figure: str,
    level: float,
    fewest: int,
) -> ModelAgainstReaders:
    count = len(figures) - 1
    taken, note = check_factors(*factors, count, fewest)
    method = f"single treatment, {taken} readers, {factors[1]} cases"
    of_readers = figures[:count, None]
    gaps, gap_spread = of_readers - figures[count], differences(spread)
    parts = variance_components(gaps, gap_spread[:, None, :, None])
    term = error_terms(gaps, parts, taken, factors[1]).within[0]
    own = variance_components(of_readers, spread[:count, None, :count, None])
    mean_of_readers = error_terms(of_readers, own, taken, factors[1]).within
    comparison = t_comparison(
        float(figures[count]), float(of_readers.mean()), term.value / count, term.degrees, level, method
    )
    both = np.stack([np.full(count, figures[count]), figures[:count]], axis=1)
    return ModelAgainstReaders(
        method=method,
        figure=figure,
        condition=condition,
        model=crossed.readers[-1],
        comparison=comparison,
        model_figure=t_interval(float(figures[count]), float(spread[count, count]), float("inf"), level, "one model"),
        readers_mean=mean_intervals(of_readers, mean_of_readers, level, method)[0],
        by_reader=_beside_each(crossed, both, spread, level),
        components=parts,
        readers=crossed.readers[:-1],
        readers_as=taken,
        cases_as=factors[1],
        n=crossed.truth.size,
        n_positive=int(crossed.truth.sum()),
        n_groups=len(np.unique(crossed.groups)),
        notes=(*crossed.notes, *((note,) if note else ())),
    )


def _why_not_alike(crossed: CrossedStudy) -> str:
    called = only_calls(crossed)[:, 0]
    if called[:-1].all() and not called[-1]:
        return "the readers used two values: an AUC of one point must not stand beside the model's AUC"
    if called[-1] and not called[:-1].any() and np.ptp(crossed.scores[-1]) > 0:
        return "the model gives two values: an AUC of one point must not stand beside the readers' AUCs"
    return ""


def differences(spread: FloatArray) -> FloatArray:
    """Return the covariance [M, M] of M figures less the last one, from the covariance [M + 1, M + 1] of them all."""
    shared = spread[:-1, -1]
    return np.asarray(spread[:-1, :-1] - shared[:, None] - shared[None, :] + spread[-1, -1], dtype=np.float64)


def _beside_each(
    crossed: CrossedStudy, both: FloatArray, spread: FloatArray, level: float
) -> tuple[NamedComparison, ...]:
    count = len(both)
    covariance = np.zeros((count, 2, count, 2))
    for j in range(count):
        covariance[j, :, j, :] = spread[np.ix_([count, j], [count, j])]
    found = reader_comparisons(
        both, covariance, (crossed.readers[:-1], (crossed.readers[-1], "reader")), level, "paired z over cases"
    )
    return tuple(NamedComparison(pair.a, pair.reader, pair.comparison, pair.reader) for pair in found)


def _nothing(
    crossed: CrossedStudy, condition: str, model: str, figure: str, cases: Factor, level: float, reason: str
) -> ModelAgainstReaders:
    nan, method = float("nan"), "single treatment"
    none = undefined(method, reason, level)
    return ModelAgainstReaders(
        method=method,
        figure=figure,
        condition=condition,
        model=model,
        comparison=Comparison(none, nan, nan, method, nan, nan),
        model_figure=none,
        readers_mean=none,
        by_reader=(),
        components=None,
        readers=crossed.readers[:-1],
        readers_as="fixed",
        cases_as=cases,
        n=crossed.truth.size,
        n_positive=int(crossed.truth.sum()),
        n_groups=len(np.unique(crossed.groups)),
        notes=(*crossed.notes, reason),
    )
