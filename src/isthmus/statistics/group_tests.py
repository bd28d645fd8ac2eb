"""Whether a column differs between groups of cases: the tests of a Table 1.

Numbers: Welch's t where every group looks normal (Shapiro-Wilk), else the Mann-Whitney test; categories: Pearson's
chi-square, or the Fisher-Freeman-Halton test where an expected count lies below 5. Several rows of one patient: the
cluster-robust forms in `clustered_group_tests`. The rule ``paper`` is that of published tables made with
`scipy.stats.chi2_contingency` and Student's t.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from isthmus.statistics.fisher_exact import ExactTest, fisher_freeman_halton
from isthmus.statistics.inputs import FloatArray, IntArray

Rule = Literal["default", "paper"]
FEWEST_EXPECTED = 5.0
"""Under this expected count the chi-square distribution is not trusted (Cochran's rule, in its strict form)."""

NORMALITY_LEVEL = 0.05
_MOST_FOR_SHAPIRO = 5000


@dataclass(frozen=True)
class GroupTest:
    """A test of no difference between groups.

    Parameters
    ----------
    method : str
    statistic : float
        t, chi-square, U, H or F as `method` says; NaN for an exact test.
    degrees : tuple of float
        Of freedom; two for an F, none for an exact or rank test.
    p : float
        Two-sided; NaN where there is no test, and then `note` says why.
    note : str
    """

    method: str
    statistic: float
    degrees: tuple[float, ...]
    p: float
    note: str = ""

    def as_dict(self) -> dict[str, float | str | list[float] | None]:
        """Return the fields for JSON: a number that does not exist is None; no note, no key."""
        fields: dict[str, float | str | list[float] | None] = {
            "method": self.method,
            "statistic": float(self.statistic) if isfinite(self.statistic) else None,
            "degrees": [float(value) for value in self.degrees if isfinite(value)],
            "p": float(self.p) if isfinite(self.p) else None,
        }
        if self.note:
            fields["note"] = self.note
        return fields


def no_test(method: str, note: str) -> GroupTest:
    """Return a test without numbers that says why."""
    return GroupTest(method, nan, (), nan, note)


def numeric_test(samples: Sequence[ArrayLike], rule: Rule = "default") -> GroupTest:
    """Compare numbers of two or more groups of independent cases.

    Parameters
    ----------
    samples : sequence of array_like
        The numbers of each group, missing ones left out.
    rule : {'default', 'paper'}
        Where all groups look normal: Welch's t or Student's. Several groups: Welch's or Fisher's analysis of variance,
        and Kruskal-Wallis for Mann-Whitney.
    """
    values = [_numbers(sample) for sample in samples]
    if all(looks_normal(sample) for sample in values):
        return welch(values) if rule == "default" else student(values)
    return rank_test(values)


def looks_normal(sample: ArrayLike) -> bool:
    """Tell whether Shapiro and Wilk's test at 0.05 leaves a sample as normal (beyond 5,000 D'Agostino and Pearson's).

    Under 3 values, or without spread, it does not.

    Source: S. Shapiro, M. Wilk, Biometrika 52 (1965) 591-611; R `shapiro.test`.
    """
    values = _numbers(sample)
    if values.size < 3 or np.ptp(values) == 0:
        return False
    # Shapiro's W is taken of spread 1: with values of 1e8 and a spread of 1e-8 it loses its digits.
    test = stats.shapiro if values.size <= _MOST_FOR_SHAPIRO else stats.normaltest
    return bool(test((values - values.mean()) / values.std())[1] > NORMALITY_LEVEL)


def welch(samples: Sequence[ArrayLike]) -> GroupTest:
    """Compare means without equal variances: Welch's t, or his analysis of variance.

    Source: B. Welch, Biometrika 34 (1947) 28-35 and 38 (1951) 330-336; R `t.test`, `oneway.test`.
    """
    values = [_numbers(sample) for sample in samples]
    method = "Welch's t" if len(values) == 2 else "Welch's analysis of variance"
    reason = _no_means(values)
    if reason:
        return no_test(method, reason)
    sizes = np.array([sample.size for sample in values], dtype=np.float64)
    means = np.array([sample.mean() for sample in values])
    variances = np.array([sample.var(ddof=1) for sample in values])
    if len(values) == 2:
        shares = variances / sizes
        if shares.sum() == 0:
            return no_test(method, "no group varies")
        t = float((means[0] - means[1]) / np.sqrt(shares.sum()))
        degrees = float(shares.sum() ** 2 / np.sum(shares**2 / (sizes - 1)))
        return GroupTest(method, t, (degrees,), float(2 * stats.t.sf(abs(t), degrees)))
    if (variances == 0).any():
        return no_test(method, "a group does not vary")
    weights, k = sizes / variances, len(values)
    centre = float(weights @ means / weights.sum())
    lack = float(np.sum((1 - weights / weights.sum()) ** 2 / (sizes - 1))) / (k**2 - 1)
    f = float(weights @ (means - centre) ** 2 / (k - 1) / (1 + 2 * (k - 2) * lack))
    degrees = 1 / (3 * lack)
    return GroupTest(method, f, (k - 1.0, degrees), float(stats.f.sf(f, k - 1, degrees)))


def student(samples: Sequence[ArrayLike]) -> GroupTest:
    """Compare means with equal variances: Student's t, or Fisher's analysis of variance.

    Source: R `t.test(var.equal = TRUE)`, `oneway.test(var.equal = TRUE)`.
    """
    values = [_numbers(sample) for sample in samples]
    reason = _no_means(values)
    if reason:
        return no_test("Student's t" if len(values) == 2 else "analysis of variance", reason)
    return student_from_summary(
        [float(sample.mean()) for sample in values],
        [float(sample.std(ddof=1)) for sample in values],
        [sample.size for sample in values],
    )


def student_from_summary(means: Sequence[float], deviations: Sequence[float], sizes: Sequence[int]) -> GroupTest:
    """Compare means of which only mean, standard deviation and number are printed, as `student` does.

    Examples
    --------
    >>> round(student_from_summary([41.72, 37.33], [10.30, 11.01], [89, 27]).p, 3)
    0.059
    """
    mean, deviation, n = (np.asarray(values, dtype=np.float64) for values in (means, deviations, sizes))
    method = "Student's t" if n.size == 2 else "analysis of variance"
    if n.size < 2 or (n < 1).any() or n.sum() <= n.size:
        return no_test(method, "too few cases")
    degrees = float(n.sum() - n.size)
    within = float((n - 1) @ deviation**2) / degrees
    if within == 0:
        return no_test(method, "no group varies")
    if n.size == 2:
        t = float((mean[0] - mean[1]) / np.sqrt(within * np.sum(1 / n)))
        return GroupTest(method, t, (degrees,), float(2 * stats.t.sf(abs(t), degrees)))
    between = float(n @ (mean - n @ mean / n.sum()) ** 2) / (n.size - 1)
    f = between / within
    return GroupTest(method, f, (n.size - 1.0, degrees), float(stats.f.sf(f, n.size - 1, degrees)))


def rank_test(samples: Sequence[ArrayLike]) -> GroupTest:
    """Compare by ranks: Mann-Whitney for two groups, Kruskal-Wallis for more.

    Exact where both groups have fewer than 50 cases and no tie, else normal with the correction for ties and for
    continuity: the rule of R `wilcox.test`. The statistic of two groups is R's W.
    """
    values = [_numbers(sample) for sample in samples]
    method = "Mann-Whitney" if len(values) == 2 else "Kruskal-Wallis"
    if len(values) < 2 or any(sample.size == 0 for sample in values):
        return no_test(method, "a group has no case")
    pooled = np.concatenate(values)
    if np.ptp(pooled) == 0:
        return no_test(method, "all values are the same")
    if len(values) == 2:
        exact = max(values[0].size, values[1].size) < 50 and np.unique(pooled).size == pooled.size
        found = stats.mannwhitneyu(values[0], values[1], method="exact" if exact else "asymptotic")
        return GroupTest(f"{method}, exact" if exact else method, float(found.statistic), (), float(found.pvalue))
    h, p = stats.kruskal(*values)
    return GroupTest(method, float(h), (len(values) - 1.0,), float(p))


def categorical_test(counts: ArrayLike, rule: Rule = "default") -> GroupTest:
    """Compare the shares of categories between groups of independent cases.

    Parameters
    ----------
    counts : array_like of int [levels, groups]
    rule : {'default', 'paper'}
        ``default``: chi-square, or Fisher-Freeman-Halton where an expected count lies below 5. ``paper``: what
        `scipy.stats.chi2_contingency` gives: Yates' correction for 2 x 2, p = 1 where all are of one category.
        Categories that nobody has are dropped under both.

    Examples
    --------
    >>> round(categorical_test([[49, 21], [176, 34]], "paper").p, 3)
    0.019
    """
    table = _counts(counts)
    if rule == "paper":
        if min(table.shape) < 2:
            return GroupTest("chi-square", 0.0, (0.0,), 1.0, "all are of one category")
        return chi_square(table, yates=table.shape == (2, 2))
    if min(table.shape) < 2:
        return no_test("chi-square", "all are of one category" if table.shape[0] < 2 else "one group only")
    if expected_counts(table).min() >= FEWEST_EXPECTED:
        return chi_square(table)
    return _exact(fisher_freeman_halton(table.astype(np.intp)), table.shape)


def _exact(found: ExactTest, shape: tuple[int, ...]) -> GroupTest:
    name = "Fisher's exact test" if shape == (2, 2) else "Fisher-Freeman-Halton"
    if not found.replicates:
        return GroupTest(name, nan, (), found.p)
    note = f"{found.replicates:,} random tables, standard error {found.error:.2g}"
    return GroupTest(f"{name}, Monte Carlo", nan, (), found.p, note)


def chi_square(counts: ArrayLike, yates: bool = False) -> GroupTest:
    """Return Pearson's chi-square test of a table of counts.

    Source: R `chisq.test(correct = yates)`; Yates' correction is at most the smallest difference from expectation.
    """
    table = _counts(counts)
    if min(table.shape) < 2:
        return no_test("chi-square", "all are of one category")
    expected = expected_counts(table)
    away = np.abs(table - expected)
    reduced = away - min(0.5, float(away.min())) if yates else away
    statistic = float(np.sum(reduced**2 / expected))
    degrees = float((table.shape[0] - 1) * (table.shape[1] - 1))
    name = "chi-square, Yates" if yates else "chi-square"
    return GroupTest(name, statistic, (degrees,), float(stats.chi2.sf(statistic, degrees)))


def expected_counts(table: FloatArray) -> FloatArray:
    """Return the counts [levels, groups] expected where shares do not differ."""
    expected: FloatArray = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return expected


def table_of_counts(levels: IntArray, classes: IntArray) -> FloatArray:
    """Return the counts [levels, groups] of two rows of codes 0 ..."""
    table = np.zeros((int(levels.max(initial=-1)) + 1, int(classes.max(initial=-1)) + 1))
    np.add.at(table, (levels, classes), 1.0)
    return table


def _counts(counts: ArrayLike) -> FloatArray:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(f"a table of counts [levels, groups] was expected, none negative, not shape {table.shape}")
    return table[table.any(axis=1)][:, table.any(axis=0)]


def _numbers(sample: ArrayLike) -> FloatArray:
    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("a sample must be one row of finite numbers; leave missing ones out")
    return values


def _no_means(values: Sequence[FloatArray]) -> str:
    if len(values) < 2:
        return "one group only"
    return "a group has fewer than 2 cases" if min(sample.size for sample in values) < 2 else ""
