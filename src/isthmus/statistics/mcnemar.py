"""McNemar's test of two sets of calls on the same cases: exact, mid-p, asymptotic, and for clustered cases."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, chdtrc

from isthmus.statistics.inputs import FloatArray, as_binary, as_groups

Clustered = Literal["obuchowski", "yang", "durkalski"]
_NAMES = {"obuchowski": "Obuchowski 1998", "yang": "Yang 2010", "durkalski": "Durkalski 2003"}


@dataclass(frozen=True)
class McNemar:
    """McNemar's test in its forms; all p two-sided.

    Parameters
    ----------
    b, c : int
        Discordant cases: right by a alone, right by b alone.
    exact_p, mid_p : float
        Binomial, conditional on b + c; NaN where a group has several cases, for which they do not hold.
    asymptotic_p, corrected_p : float
        Chi-square with one degree of freedom, without and with Edwards' correction; NaN for such groups too.
    clustered_statistic, clustered_p : float
        Chi-square over groups; where every group is one case, the asymptotic test.
    method : str
        Which clustered test.
    note : str
        Why a number is missing.
    """

    b: int
    c: int
    exact_p: float
    mid_p: float
    asymptotic_p: float
    corrected_p: float
    clustered_statistic: float
    clustered_p: float
    method: str
    note: str = ""

    def as_dict(self) -> dict[str, int | float | str | None]:
        """Return the fields for JSON: a p that does not exist is None; no note, no key."""
        fields: dict[str, int | float | str | None] = {"b": self.b, "c": self.c}
        for name in ("exact_p", "mid_p", "asymptotic_p", "corrected_p", "clustered_statistic", "clustered_p"):
            value = getattr(self, name)
            fields[name] = value if isfinite(value) else None
        fields["method"] = self.method
        return {**fields, "note": self.note} if self.note else fields


def mcnemar(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike | None = None, clustered: Clustered = "obuchowski"
) -> McNemar:
    """Test whether two sets of calls are right equally often on the same cases.

    Parameters
    ----------
    a, b : array_like of bool [N]
        Whether each call is right; for sensitivity on the positive cases, for specificity on the negative ones.
    groups : array_like [N], optional
        Groups of dependent cases.
    clustered : {'obuchowski', 'yang', 'durkalski'}
        The test over groups; see `clustered_mcnemar`.

    Notes
    -----
    Sources: Q. McNemar, Psychometrika 12 (1947) 153-157; the mid-p, which is the best of the simple ones: M. Fagerland,
    S. Lydersen, P. Laake, BMC Medical Research Methodology 13 (2013) 91.

    Examples
    --------
    >>> found = mcnemar([1] * 2 + [0] * 19, [1] + [0] + [1] * 7 + [0] * 12)  # Bentur 2009, in Fagerland 2013
    >>> found.b, found.c, round(found.exact_p, 4), round(found.mid_p, 4)
    (1, 7, 0.0703, 0.0391)
    """
    first = as_binary(a, "a")
    second = as_binary(b, "b", first.size)
    codes, count = as_groups(groups, first.size)
    only_a, only_b = int((first & ~second).sum()), int((~first & second).sum())
    if count == first.size:
        exact, mid = binomial_p(only_a, only_b)
        plain, corrected = chi_square(only_a, only_b), chi_square(only_a, only_b, correct=True)
        p = float(chdtrc(1, plain))
        method = "McNemar, asymptotic: every group is one case"
        return McNemar(only_a, only_b, exact, mid, p, float(chdtrc(1, corrected)), plain, p, method)
    differences = np.bincount(codes, weights=first.astype(float) - second, minlength=count)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    statistic = clustered_mcnemar(differences, sizes, clustered)
    note = "cases of one group are not independent: the exact, mid-p and asymptotic tests do not hold"
    if np.isnan(statistic):
        note += "; one group only" if count < 2 else ""
    p = float(chdtrc(1, statistic)) if isfinite(statistic) else nan
    return McNemar(only_a, only_b, nan, nan, nan, nan, statistic, p, _NAMES[clustered], note)


def clustered_mcnemar(differences: ArrayLike, sizes: ArrayLike, method: Clustered = "obuchowski") -> float:
    """Return the chi-square (one degree of freedom) of clustered matched pairs.

    Parameters
    ----------
    differences : array_like [G]
        Of each group: pairs right by a alone minus pairs right by b alone.
    sizes : array_like [G]
        Pairs of each group.
    method : {'obuchowski', 'yang', 'durkalski'}
        ``obuchowski`` (default) stays at or under its level and tests the very difference that is printed, each case
        counting once; ``yang`` takes half of its variance as seen, half as under no difference, and comes nearest to
        the level (0.050 to 0.056 of 0.05, where the default has 0.037 to 0.050); ``durkalski`` weighs groups, not
        cases, alike.

    Returns
    -------
    float
        0 where no group differs; NaN for a single group.

    Notes
    -----
    Sources: N. Obuchowski, Statistics in Medicine 17 (1998) 1495-1507, as simplified by Z. Yang, X. Sun, J. Hardin,
    Biometrical Journal 52 (2010) 638-652; V. Durkalski, Y. Palesch, S. Lipsitz, P. Rust, Statistics in Medicine 22
    (2003) 2417-2428.
    """
    if method not in get_args(Clustered):
        raise ValueError(f"no clustered test {method!r}; there are {', '.join(get_args(Clustered))}")
    difference: FloatArray = np.asarray(differences, dtype=np.float64)
    size: FloatArray = np.asarray(sizes, dtype=np.float64)
    if difference.shape != size.shape or difference.ndim != 1 or (size <= 0).any():
        raise ValueError("differences and sizes: one of each per group, and no empty group")
    count = len(size)
    if count < 2:
        return nan
    if not difference.any():
        return 0.0
    if method == "durkalski":
        share = difference / size
        return float(share.sum() ** 2 / np.sum(share**2))
    variance = float(np.sum(difference**2))
    if method == "yang":
        about_mean = difference - size * difference.sum() / size.sum()
        variance = (variance + float(np.sum(about_mean**2))) / 2
    return float((count - 1) / count * difference.sum() ** 2 / variance)


def binomial_p(b: int, c: int) -> tuple[float, float]:
    """Return the exact conditional and the mid-p of b against c discordant pairs; 1 and 1 where there are none."""
    n, fewer = b + c, min(b, c)
    if n == 0:
        return 1.0, 1.0
    up_to = float(bdtr(fewer, n, 0.5))
    point = up_to - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    if b == c:
        return 1.0, 1 - point / 2
    return min(1.0, 2 * up_to), 2 * up_to - point


def chi_square(b: int, c: int, correct: bool = False) -> float:
    """Return McNemar's chi-square, with Edwards' correction where asked; 0 where there is no discordant pair."""
    if b + c == 0:
        return 0.0
    apart = max(abs(b - c) - (1 if correct else 0), 0)
    return apart**2 / (b + c)
