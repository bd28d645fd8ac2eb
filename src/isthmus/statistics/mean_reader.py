"""A model less the mean of its readers, from their figures and how these vary together over cases."""

from typing import Literal, NamedTuple

import numpy as np

from isthmus.statistics.inputs import FloatArray, IntArray
from isthmus.statistics.interval import Comparison, undefined
from isthmus.statistics.multi_reader.components import variance_components
from isthmus.statistics.multi_reader.inference import FEWEST_READERS, t_comparison
from isthmus.statistics.multi_reader.obuchowski_rockette import check_factors, error_terms
from isthmus.statistics.multi_reader.standalone import differences
from isthmus.statistics.roc import sum_by_group


class MeanReader(NamedTuple):
    """The comparison, what the readers were taken as, and the note on it."""

    comparison: Comparison
    readers_as: Literal["random", "fixed"]
    note: str


def model_less_mean_reader(
    figures: FloatArray,
    covariance: FloatArray,
    level: float = 0.95,
    fewest_readers: int = FEWEST_READERS,
    groups: int | None = None,
) -> MeanReader:
    """Return the single-treatment test of a model against the mean of its readers.

    Parameters
    ----------
    figures : ndarray [R + 1]
        Any figure of merit of R readers, then the model's, on the same cases. Where it is unlike for each reader (the
        model at the reader's own specificity), the differences from 0: `figures[-1] = 0`.
    covariance : ndarray [R + 1, R + 1]
        Over groups of cases.
    level : float
    fewest_readers : int
        Fewer are taken as fixed.
    groups : int, optional
        Of cases, for figures that are proportions: fixed readers are then judged by t on groups - 1 degrees, as two
        proportions are, instead of z.

    Source: as :func:`~isthmus.statistics.multi_reader.standalone.model_against_readers`, which it equals for the AUC,
    sensitivity and specificity of one model on cases without folds.
    """
    count = len(figures) - 1
    taken, note = check_factors("random", "random", count, fewest_readers)
    method = f"single treatment, {taken} readers, random cases"
    gaps = np.asarray(figures[:count, None] - figures[count], dtype=np.float64)
    mean, model = float(np.mean(figures[:count])), float(figures[count])
    if not np.isfinite(covariance).all():
        nothing = undefined(method, "no variance over cases can be estimated", level)
        return MeanReader(Comparison(nothing, float("nan"), float("nan"), method, model, mean), taken, note)
    parts = variance_components(gaps, differences(covariance)[:, None, :, None])
    term = error_terms(gaps, parts, taken, "random").within[0]
    degrees = float(groups - 1) if groups is not None and taken == "fixed" else term.degrees
    return MeanReader(t_comparison(model, mean, term.value / count, degrees, level, method), taken, note)


def proportions_of_groups(right: FloatArray, codes: IntArray, groups: int) -> tuple[FloatArray, FloatArray]:
    """Return the proportions [M] of right calls [M, N], and their covariance [M, M] over groups of cases."""
    means = right.mean(axis=1)
    if groups < 2:
        return means, np.full((len(right), len(right)), np.nan)
    sums = sum_by_group(right - means[:, None], codes, groups) / right.shape[1]
    return means, np.asarray(sums @ sums.T * (groups / (groups - 1)), dtype=np.float64)
