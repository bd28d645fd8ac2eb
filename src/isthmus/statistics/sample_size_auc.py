"""How many cases a study of AUCs needs: for an interval of a given width, or a difference."""

from math import exp, pi, sqrt
from typing import Literal

from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from isthmus.statistics.interval import check_level, logit_interval, normal_quantile
from isthmus.statistics.sample_size import Sizes, check_share, sizes_at, smallest, whole

Method = Literal["delong", "obuchowski"]


def hanley_mcneil_variance(auc: float, positives: float, negatives: float) -> float:
    """Return the variance of an AUC that is expected with so many cases.

    Source: J. Hanley, B. McNeil, Radiology 143 (1982) 29-36, equation 1.

    Examples
    --------
    >>> round(hanley_mcneil_variance(0.9, 50, 100) ** 0.5, 4)
    0.0307
    """
    check_share(auc, "AUC")
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return spread / (positives * negatives)


def auc_width(auc: float, width: float, prevalence: float, level: float = 0.95) -> Sizes:
    """Return the study in which the logit interval of an AUC is as narrow as asked.

    Parameters
    ----------
    auc : float
        Expected.
    width : float
        Of the whole interval.
    prevalence : float
        Share of positives among the cases.
    level : float
    """
    check_share(width, "width")
    check_share(prevalence, "prevalence")

    def narrow(total: int) -> bool:
        positives, negatives = total * prevalence, total * (1 - prevalence)
        if min(positives, negatives) < 2:
            return False
        found = logit_interval(auc, hanley_mcneil_variance(auc, positives, negatives), level)
        return found.high - found.low <= width

    total = smallest(narrow, "this width")
    return Sizes(
        whole(total * prevalence), whole(total * (1 - prevalence)), total, "Hanley-McNeil variance, logit interval"
    )


def auc_difference(
    a: float,
    b: float,
    prevalence: float,
    *,
    correlation: float = 0.0,
    power: float = 0.8,
    level: float = 0.95,
    method: Method = "delong",
) -> Sizes:
    """Return the study that finds the difference of two AUCs, two-sided.

    Parameters
    ----------
    a, b : float
        Expected AUCs, of binormal scores of equal spread in both classes.
    prevalence : float
        Share of positives.
    correlation : float
        Of the two models' scores within a class, on the same cases; 0 where each model has its own cases, and then
        the sizes are of either.
    power, level : float
    method : {'delong', 'obuchowski'}
        ``delong``: the large-sample variance of the empirical AUCs, which DeLong's test has. ``obuchowski``: as
        published and in R `pROC::power.roc.test`. Its variances leave out that the two binormal parameters go
        together while its covariance does not, so that it asks for half as many cases again or more.

    Source: E. DeLong et al., Biometrics 44 (1988) 837-845, with R. Plackett, Biometrika 41 (1954) 351-360, for the
    bivariate normal; N. Obuchowski, D. McClish, Statistics in Medicine 16 (1997) 1529-1542; pROC:
    `list(A1 = qnorm(a) * sqrt(2), B1 = 1, …, rn = correlation, ra = correlation, delta = a - b)`.

    Examples
    --------
    >>> auc_difference(0.85, 0.78, 1 / 3, correlation=0.5, method="obuchowski").positives
    178
    """
    check_level(power)
    check_share(prevalence, "prevalence")
    ratio = (1 - prevalence) / prevalence
    null, alternative = _difference_variances(a, b, ratio, correlation, method)
    reach = normal_quantile(level) * sqrt(null) + float(ndtri(power)) * sqrt(alternative)
    positives = (reach / (a - b)) ** 2
    names = {"delong": "DeLong, binormal", "obuchowski": "Obuchowski-McClish 1997"}
    return sizes_at(positives, positives * ratio, prevalence, names[method])


def auc_difference_power(
    a: float,
    b: float,
    positives: int,
    negatives: int,
    *,
    correlation: float = 0.0,
    level: float = 0.95,
    method: Method = "delong",
) -> float:
    """Return the power of a study of a given size to find the difference of two AUCs; see :func:`auc_difference`."""
    if min(positives, negatives) < 1:
        raise ValueError("a study needs cases of both classes")
    null, alternative = _difference_variances(a, b, negatives / positives, correlation, method)
    reach = abs(a - b) * sqrt(positives) - normal_quantile(level) * sqrt(null)
    return float(ndtr(reach / sqrt(alternative)))


def _difference_variances(a: float, b: float, ratio: float, correlation: float, method: Method) -> tuple[float, float]:
    """Return the variances of a difference, times the positives, as the test takes it and as it is."""
    check_share(a, "AUC")
    check_share(b, "AUC")
    if a == b:
        raise ValueError("two AUCs that are expected to be equal differ at no size")
    if not 0 <= correlation < 1:
        raise ValueError(f"a correlation of {correlation}: it must lie from 0 to below 1")
    if method not in ("delong", "obuchowski"):
        raise ValueError(f"no method is called {method!r}: delong or obuchowski")
    if method == "delong":
        own, other, shared = (
            _empirical_covariance(*pair) * (1 + 1 / ratio) for pair in ((a, a, 1.0), (b, b, 1.0), (a, b, correlation))
        )
        return own + other - 2 * shared, own + other - 2 * shared
    first, second = (float(ndtri(value)) * sqrt(2) for value in (a, b))
    own, other = _published_variance(first, ratio), _published_variance(second, ratio)
    shared = _published_covariance(first, second, correlation, ratio)
    return 2 * own - 2 * shared, own + other - 2 * shared


def _empirical_covariance(a: float, b: float, correlation: float) -> float:
    """Return the covariance of two placements of a binormal case: P(both) - a b, by Plackett's identity."""
    h, k = float(ndtri(a)), float(ndtri(b))

    def density(t: float) -> float:
        return exp(-(h * h - 2 * h * k * t + k * k) / (2 * (1 - t * t))) / (2 * pi * sqrt(1 - t * t))

    return float(quad(density, 0, correlation / 2)[0])


def _published_variance(shift: float, ratio: float) -> float:
    f, g = _slopes(shift)
    return f**2 * (1 + 1 / ratio + shift**2 / 2) + g**2 * (1 + ratio) / (2 * ratio)


def _published_covariance(one: float, other: float, r: float, ratio: float) -> float:
    (f1, g1), (f2, g2) = _slopes(one), _slopes(other)
    return (
        f1 * f2 * (r + r / ratio + r**2 * one * other / 2)
        + g1 * g2 * (r**2 + ratio * r**2) / (2 * ratio)
        + f1 * g2 * r**2 * one / 2
        + f2 * g1 * r**2 * other / 2
    )


def _slopes(shift: float) -> tuple[float, float]:
    """Return the derivatives of a binormal AUC by its two parameters, where B = 1."""
    f = exp(-(shift**2) / 4) / sqrt(4 * pi)
    return f, -f * shift / 2
