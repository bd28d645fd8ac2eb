"""What the standard error of a difference in one study says of studies of another size, on like patients."""

from math import inf, sqrt

from scipy.special import ndtr, ndtri

from isthmus.statistics.interval import check_level, normal_quantile
from isthmus.statistics.sample_size import whole


def power_of_study(error: float, difference: float, level: float = 0.95) -> float:
    """Return the probability that a study with this standard error shows a true difference, two-sided, by z.

    Examples
    --------
    >>> round(power_of_study(0.01, 0.0280158521), 4)
    0.8
    """
    reach, cut = abs(difference) / _positive(error), normal_quantile(level)
    return float(ndtr(reach - cut) + ndtr(-reach - cut))


def smallest_difference(error: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return the true difference that a study with this standard error shows with the power asked for."""
    check_level(power)
    return (normal_quantile(level) + float(ndtri(power))) * _positive(error)


def groups_needed(error: float, groups: int, difference: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return how many groups (patients) show a true difference, by a study in hand.

    Parameters
    ----------
    error : float
        Standard error of the paired difference in the study in hand; what the two have in common is in it, and so
        are several nodules of a patient.
    groups : int
        Of that study.
    difference : float
        True one; infinitely many groups are needed for 0.
    power, level : float

    Returns
    -------
    float
        Whole, or infinite.

    Notes
    -----
    The variance of a difference of means over patients falls as one over their number: the rule is that of
    `isthmus.statistics.sample_size_auc.auc_difference`, with the variance measured instead of derived from binormal
    scores. It holds where the new patients, their share of positives and the models are as here.

    Source: normal theory, as N. Obuchowski, D. McClish, Statistics in Medicine 16 (1997) 1529-1542.

    Examples
    --------
    >>> groups_needed(0.05, 116, 0.1), groups_needed(0.05, 116, 0.1, power=0.9)
    (228.0, 305.0)
    """
    if groups < 1:
        raise ValueError(f"a study of {groups} groups")
    return (
        inf if difference == 0 else float(whole(groups * (smallest_difference(error, power, level) / difference) ** 2))
    )


def error_of(low: float, high: float, level: float) -> float:
    """Return the standard error behind a symmetric interval."""
    return (high - low) / (2 * normal_quantile(level))


def _positive(error: float) -> float:
    if not (error > 0 and sqrt(error) < inf):
        raise ValueError(f"a standard error of {error}: it must be above 0")
    return error
