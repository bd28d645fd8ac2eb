"""How many cases a study needs: for an interval of a given width, a least acceptable value, or a difference.

Numbers are of independent groups (patients). Where a patient has several nodules, :func:`design_effect` says how many
times more nodules are needed. AUCs: `isthmus.statistics.sample_size_auc`. Readers and cases of a reader study:
`isthmus.statistics.multi_reader.power`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt

from scipy.special import bdtrc, betaincinv, ndtri

from isthmus.statistics.interval import check_level, normal_quantile
from isthmus.statistics.proportions import wilson

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
    check_share(prevalence, "prevalence")
    total = max(positives / prevalence, negatives / (1 - prevalence))
    return Sizes(whole(positives), whole(negatives), whole(total), method)


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
    check_share(proportion, "expected proportion")
    check_share(width, "width")
    if method == "wald":
        return 4 * normal_quantile(level) ** 2 * proportion * (1 - proportion) / width**2
    if method != "wilson":
        raise ValueError(f"no method is called {method!r}: wilson or wald")

    def narrow(n: int) -> bool:
        found = wilson(proportion * n, n, level)
        return found.high - found.low <= width

    return float(smallest(narrow, "this width"))


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
    check_share(expected, "expected proportion")
    check_share(least, "least acceptable proportion")
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


def unpaired_proportions(a: float, b: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return the cases of each of two groups that show the difference of two proportions, two-sided.

    Source: J. Fleiss, Statistical Methods for Rates and Proportions, chapter 3; R `power.prop.test`.

    Examples
    --------
    >>> round(unpaired_proportions(0.85, 0.75), 2)
    249.98
    """
    check_share(a, "proportion")
    check_share(b, "proportion")
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
    check_share(a, "proportion")
    check_share(b, "proportion")
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


def smallest(enough: Callable[[int], bool], what: str) -> int:
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


def whole(cases: float) -> int:
    """Return a size rounded up; what arithmetic left a hair above a whole number is that number."""
    return ceil(round(cases, 9))


def check_share(value: float, name: str) -> None:
    """Raise ValueError unless a share lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} {value}: it must lie between 0 and 1")
