"""Power and sample size of a reader study, from the variances that a pilot study or a publication gave."""

from dataclasses import dataclass
from math import isfinite, isinf, isnan
from typing import Final, Literal

from scipy.special import chdtri, chndtr, fdtri, ncfdtr

from isthmus.statistics.multi_reader.result import MultiReaderResult

Generalisation = Literal["readers and cases", "cases", "readers"]
_BEYOND_DOUBT: Final = 500.0


@dataclass(frozen=True)
class PlanningValues:
    """Obuchowski-Rockette variances of a pilot study of two conditions with `cases` cases (groups).

    `interaction` is the variance of condition x reader; the rest are `error`, Cov1, Cov2, Cov3 over those cases.
    Take pilot cases with the mix of classes that is planned.
    """

    interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    cases: int

    def __post_init__(self) -> None:
        if not all(isfinite(v) for v in (self.interaction, self.error, self.cov1, self.cov2, self.cov3)):
            raise ValueError("planning needs every variance of two conditions and two readers: one of them is missing")
        if self.cases < 2 or self.error <= 0:
            raise ValueError("planning needs two pilot cases or more and a positive error variance")

    @classmethod
    def of(cls, pilot: MultiReaderResult) -> "PlanningValues":
        """Return the values of an analysed pilot study."""
        parts = pilot.components
        return cls(parts.interaction, parts.error, parts.cov1, parts.cov2, parts.cov3, pilot.n_groups)


@dataclass(frozen=True)
class StudyPower:
    """Power of a planned study, with what it was computed from.

    `noncentrality` and `df2` are those of the F distribution with 1 and `df2` degrees of freedom; an infinite `df2`
    is the chi-square of fixed readers.
    """

    power: float
    readers: int
    cases: int
    difference: float
    level: float
    generalisation: Generalisation
    noncentrality: float
    df2: float


def power(
    values: PlanningValues,
    difference: float,
    readers: int,
    cases: int,
    *,
    generalisation: Generalisation = "readers and cases",
    level: float = 0.95,
) -> StudyPower:
    """Return the power to find a difference between two conditions, every reader reading every case under both.

    Parameters
    ----------
    values : PlanningValues
    difference : float
        True difference of the mean figures.
    readers : int
        At least 2, unless readers are fixed.
    cases : int
        Groups, in the pilot's mix of classes.
    generalisation : {'readers and cases', 'cases', 'readers'}
        Random readers and cases; fixed readers; fixed cases.
    level : float
        1 - level is the two-sided type I error.

    Source: S. Hillis, N. Obuchowski, K. Berbaum, Academic Radiology 18 (2011) 129-142; RJafroc ``SsPowerGivenJK``.
    """
    if generalisation not in ("readers and cases", "cases", "readers"):
        raise ValueError(f"no generalisation {generalisation!r}; choose readers and cases, cases, or readers")
    if readers < (1 if generalisation == "cases" else 2) or cases < 2:
        raise ValueError("a study needs two cases and two readers (one where readers are fixed)")
    shared = max(values.cov2 - values.cov3, 0.0)
    scale = values.cases / cases
    own = values.error - values.cov1 - shared
    between = 0.0 if generalisation == "cases" else max(values.interaction, 0.0)
    of_readers = between + scale * own
    term = of_readers + (0.0 if generalisation == "readers" else scale * readers * shared)
    if generalisation == "cases" or of_readers <= 1e-14 * term:  # as in the analysis: what is left is the cases' own
        df2 = float("inf")
    else:
        df2 = (readers - 1.0) * (1.0 if generalisation == "readers" else (term / of_readers) ** 2)
    noncentrality = difference**2 * readers / 2 / term
    if isinf(df2):
        found = 1 - float(chndtr(chdtri(1, 1 - level), 1, noncentrality))
    else:
        missed = float(ncfdtr(1, df2, noncentrality, float(fdtri(1, df2, level))))
        # SciPy's distribution is NaN for some noncentralities far beyond any that leaves a difference unseen.
        found = 1.0 if isnan(missed) and noncentrality > _BEYOND_DOUBT else 1 - missed
    return StudyPower(found, readers, cases, difference, level, generalisation, noncentrality, df2)


def sample_size(
    values: PlanningValues,
    difference: float,
    readers: int,
    *,
    target: float = 0.8,
    generalisation: Generalisation = "readers and cases",
    level: float = 0.95,
    most_cases: int = 100_000,
) -> StudyPower | None:
    """Return the smallest study with these readers that reaches the power; None where `most_cases` do not suffice.

    Parameters
    ----------
    values, difference, readers, generalisation, level
        As :func:`power`.
    target : float
        Power, between 0 and 1.
    most_cases : int
        With random readers, power has a ceiling that more cases cannot raise: then more readers are needed.
    """
    if not 0 < target < 1:
        raise ValueError(f"a power of {target}: it must lie between 0 and 1")
    low, high = 1, most_cases

    def planned(cases: int) -> StudyPower:
        return power(values, difference, readers, cases, generalisation=generalisation, level=level)

    if planned(high).power < target:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if planned(middle).power >= target else (middle, high)
    return planned(high)
