"""How many cases a study needs: for an interval of a given width, a least acceptable value, or a difference.

Numbers are of independent groups (patients). Where a patient has several nodules, :func:`design_effect` says how many
times more nodules are needed. Readers and cases of a reader study: `isthmus.statistics.multi_reader.power`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, pi, sqrt
from typing import Literal

from scipy.integrate import quad
from scipy.special import bdtrc, betaincinv, ndtr, ndtri

from isthmus.statistics.interval import check_level, logit_interval, normal_quantile
from isthmus.statistics.proportions import wilson

Method = Literal["delong", "obuchowski"]
MOST = 10_000_000
"""Beyond so many cases of a class no study is planned."""


@dataclass(frozen=True)
class Sizes:
    """Cases that are needed, whole.

    Parameters
    ----------
    positives, negatives : int
        With and without the condition; 0 where the question does not concern them.
    total : int
        Patients to include so that both are expected at the stated prevalence.
    method : str
    """

    positives: int
    negatives: int
    total: int
    method: str

    def as_dict(self) -> dict[str, int | str]:
        """Return the fields for JSON."""
        return {
            "positives": self.positives, "negatives": self.negatives, "total": self.total, "method": self.method
        }  # fmt: skip


def sizes_at(positives: float, negatives: float, prevalence: float, method: str) -> Sizes:
    """Return whole sizes, and how many patients bring them at a prevalence.

    Source: N. Buderer, Academic Emergency Medicine 3 (1996) 895-900.

    Examples
    --------
    >>> sizes_at(34.57, 48.98, 0.2, "Buderer 1996").total
    173
    """
    _check_share(prevalence, "prevalence")
    total = max(positives / prevalence, negatives / (1 - prevalence))
    return Sizes(_whole(positives), _whole(negatives), _whole(total), method)


def cases_for_width(proportion: float, width: float, level: float = 0.95, method: str = "wilson") -> float:
    """Return how many cases make the interval of a proportion as narrow as asked.

    Parameters
    ----------
    proportion : float
        Expected, such as a sensitivity.
    width : float
        Of the whole interval, from limit to limit.
    level : float
    method : {'wilson', 'wald'}
        ``wald``: z^2 p (1 - p) / (width / 2)^2, as Buderer and published tables have it.

    Source: Wilson 1927; N. Buderer, Academic Emergency Medicine 3 (1996) 895-900; R `epiR::epi.ssdxsesp`.

    Examples
    --------
    >>> round(cases_for_width(0.9, 0.2, method="wald"), 2)
    34.57
    """
    _check_share(proportion, "expected proportion")
    _check_share(width, "width")
    if method == "wald":
        return 4 * normal_quantile(level) ** 2 * proportion * (1 - proportion) / width**2
    if method != "wilson":
        raise ValueError(f"no method is called {method!r}: wilson or wald")

    def narrow(n: int) -> bool:
        found = wilson(proportion * n, n, level)
        return found.high - found.low <= width

    return float(_smallest(narrow, "this width"))


def cases_above(expected: float, least: float, level: float = 0.95, assurance: float = 0.95) -> int:
    """Return how many cases let the lower confidence limit of a proportion stay above a least acceptable value.

    The limit is Clopper and Pearson's, one-sided at `level`; with as many cases or a few more (the power is a
    sawtooth) it does so with probability `assurance`, when the proportion is what was expected.

    Parameters
    ----------
    expected, least : float
        least < expected.
    level, assurance : float

    Source: A. Flahault, M. Cadilhac, G. Thomas, Journal of Clinical Epidemiology 58 (2005) 859-862.

    Examples
    --------
    >>> cases_above(0.9, 0.8)
    135
    """
    _check_share(expected, "expected proportion")
    _check_share(least, "least acceptable proportion")
    check_level(level)
    check_level(assurance)
    if least >= expected:
        raise ValueError(f"the least acceptable {least} must lie below the expected {expected}")
    successes = 1
    for n in range(2, 20_000):
        # The fewest successes whose lower limit is above; they never fall as n grows.
        while successes <= n and betaincinv(successes, n - successes + 1, 1 - level) < least:
            successes += 1
        if successes <= n and bdtrc(successes - 1, n, expected) >= assurance:
            return n
    raise ValueError("more than 20,000 cases: expected and least acceptable value are too near each other")


def hanley_mcneil_variance(auc: float, positives: float, negatives: float) -> float:
    """Return the variance of an AUC that is expected with so many cases.

    Source: J. Hanley, B. McNeil, Radiology 143 (1982) 29-36, equation 1.

    Examples
    --------
    >>> round(hanley_mcneil_variance(0.9, 50, 100) ** 0.5, 4)
    0.0307
    """
    _check_share(auc, "AUC")
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
    _check_share(width, "width")
    _check_share(prevalence, "prevalence")

    def narrow(total: int) -> bool:
        positives, negatives = total * prevalence, total * (1 - prevalence)
        if min(positives, negatives) < 2:
            return False
        found = logit_interval(auc, hanley_mcneil_variance(auc, positives, negatives), level)
        return found.high - found.low <= width

    total = _smallest(narrow, "this width")
    return Sizes(
        _whole(total * prevalence), _whole(total * (1 - prevalence)), total, "Hanley-McNeil variance, logit interval"
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
    _check_share(prevalence, "prevalence")
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
    _check_share(a, "AUC")
    _check_share(b, "AUC")
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


def unpaired_proportions(a: float, b: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return the cases of each of two groups that show the difference of two proportions, two-sided.

    Source: J. Fleiss, Statistical Methods for Rates and Proportions, chapter 3; R `power.prop.test`.

    Examples
    --------
    >>> round(unpaired_proportions(0.85, 0.75), 2)
    249.98
    """
    _check_share(a, "proportion")
    _check_share(b, "proportion")
    if a == b:
        raise ValueError("two proportions that are expected to be equal differ at no size")
    mean = (a + b) / 2
    reach = normal_quantile(level) * sqrt(2 * mean * (1 - mean))
    return ((reach + float(ndtri(power)) * sqrt(a * (1 - a) + b * (1 - b))) / (a - b)) ** 2


def paired_proportions(a: float, b: float, correlation: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return the pairs that show the difference of two proportions on the same cases by McNemar's test, two-sided.

    Parameters
    ----------
    a, b : float
        Expected, such as two models' sensitivities.
    correlation : float
        Phi, of the two models' calls within the class.
    power, level : float

    Raises
    ------
    ValueError
        For a correlation that these proportions cannot have.

    Source: R. Connor, Biometrics 43 (1987) 207-211.

    Examples
    --------
    >>> round(paired_proportions(0.9, 0.8, 0.3), 1)
    145.2
    """
    _check_share(a, "proportion")
    _check_share(b, "proportion")
    if a == b:
        raise ValueError("two proportions that are expected to be equal differ at no size")
    both = a * b + correlation * sqrt(a * (1 - a) * b * (1 - b))
    if not max(0.0, a + b - 1) <= both <= min(a, b):
        raise ValueError(f"proportions of {a} and {b} cannot have a correlation of {correlation}")
    discordant, difference = a + b - 2 * both, a - b
    reach = normal_quantile(level) * sqrt(discordant)
    return ((reach + float(ndtri(power)) * sqrt(discordant - difference**2)) / difference) ** 2


def design_effect(size: float, correlation: float, variation: float = 0.0) -> float:
    """Return how many times more cases are needed where patients bring several.

    Parameters
    ----------
    size : float
        Mean number of cases a patient.
    correlation : float
        Of two cases of one patient, within the class (intraclass correlation).
    variation : float
        Standard deviation of the patients' numbers of cases over their mean.

    Source: L. Kish, Survey Sampling (1965) p. 162; unequal sizes: S. Eldridge et al., International Journal of
    Epidemiology 35 (2006) 1292-1300.

    Examples
    --------
    >>> round(design_effect(1.8, 0.3), 2)
    1.24
    """
    if size < 1 or not -1 <= correlation <= 1 or variation < 0:
        raise ValueError("a patient brings one case or more, a correlation lies from -1 to 1")
    return max(1 + ((variation**2 + 1) * size - 1) * correlation, 0.0)


def _smallest(enough: Callable[[int], bool], what: str) -> int:
    """Return the smallest number that is enough, for a question that more cases only help."""
    high = 4
    while not enough(high):
        high *= 2
        if high > MOST:
            raise ValueError(f"{what} would take more than {MOST:,} cases")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return low if enough(low) else high


def _whole(cases: float) -> int:
    # A number that arithmetic left a hair above a whole one is that whole one.
    return ceil(round(cases, 9))


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} {value}: it must lie between 0 and 1")
