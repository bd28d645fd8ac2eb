"""Mean squares of a readers x conditions table, and the variances and covariances of its entries, averaged by kind."""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np

from isthmus.statistics.inputs import FloatArray


class MeanSquares(NamedTuple):
    """Mean squares of the two-way table of figures: conditions, readers, their interaction; readers per condition.

    NaN where one reader or one condition leaves no degree of freedom; `number` is that of readers.
    """

    conditions: float
    readers: float
    interaction: float
    readers_within: FloatArray
    number: int


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Variances and covariances of the Obuchowski-Rockette model.

    Parameters
    ----------
    readers, interaction : float
        Variance between readers and of condition x reader; moment estimates, which may be negative; NaN where the
        design cannot give them.
    error : float
        Mean variance of one reader's figure over cases.
    cov1 : float
        Mean covariance: same reader, two conditions (NaN for one condition).
    cov2 : float
        Two readers, same condition (NaN for one reader).
    cov3 : float
        Two readers, two conditions (NaN for one of either).
    error_within, cov2_within : ndarray [conditions]
        `error` and `cov2` of each condition.

    Source: N. Obuchowski, H. Rockette, Communications in Statistics - Simulation and Computation 24 (1995) 285-308;
    S. Hillis et al., Statistics in Medicine 24 (2005) 1579-1607.
    """

    readers: float
    interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    error_within: FloatArray
    cov2_within: FloatArray

    @property
    def shared(self) -> float:
        """Return max(Cov2 - Cov3, 0): what two readers' differences between conditions share through the cases."""
        gap = self.cov2 - self.cov3
        return max(gap, 0.0) if isfinite(gap) else 0.0

    def as_dict(self) -> dict[str, float | None]:
        """Return the six numbers for JSON; one that does not exist is None."""
        names = ("readers", "interaction", "error", "cov1", "cov2", "cov3")
        return {name: float(v) if isfinite(v := getattr(self, name)) else None for name in names}


def mean_squares(figures: FloatArray) -> MeanSquares:
    """Return the mean squares of figures [readers, conditions]."""
    r, t = figures.shape
    grand = figures.mean()
    rows, columns = figures.mean(axis=1), figures.mean(axis=0)
    rest = figures - rows[:, None] - columns[None, :] + grand
    return MeanSquares(
        conditions=_ratio(r * float(np.sum((columns - grand) ** 2)), t - 1),
        readers=_ratio(t * float(np.sum((rows - grand) ** 2)), r - 1),
        interaction=_ratio(float(np.sum(rest**2)), (t - 1) * (r - 1)),
        readers_within=np.array([_ratio(float(np.sum((figures[:, i] - columns[i]) ** 2)), r - 1) for i in range(t)]),
        number=r,
    )


def variance_components(figures: FloatArray, covariance: FloatArray) -> VarianceComponents:
    """Return the averaged variances and covariances, and the moment estimates of the reader variances.

    Parameters
    ----------
    figures : ndarray [readers, conditions]
    covariance : ndarray [readers, conditions, readers, conditions]
        Of the figures, over cases.
    """
    r, t = figures.shape
    same_reader = np.eye(r, dtype=np.bool_)[:, None, :, None]
    same_condition = np.eye(t, dtype=np.bool_)[None, :, None, :]
    kinds = (
        same_reader & same_condition,
        same_reader & ~same_condition,
        ~same_reader & same_condition,
        ~same_reader & ~same_condition,
    )
    error, cov1, cov2, cov3 = (_mean_where(covariance, kind) for kind in kinds)
    within = [covariance[:, i, :, i] for i in range(t)]
    off = ~np.eye(r, dtype=np.bool_)
    squares = mean_squares(figures)
    readers = (squares.readers - squares.interaction) / t - cov1 + cov3
    return VarianceComponents(
        readers=readers,
        interaction=squares.interaction - error + cov1 + max(cov2 - cov3, 0.0) if isfinite(cov3) else float("nan"),
        error=error,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
        error_within=np.array([float(np.trace(block)) / r for block in within]),
        cov2_within=np.array([_mean_where(block, off) for block in within]),
    )


def _mean_where(values: FloatArray, kind: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    chosen = values[np.broadcast_to(kind, values.shape)]
    return float(chosen.mean()) if chosen.size else float("nan")


def _ratio(total: float, degrees: int) -> float:
    return total / degrees if degrees > 0 else float("nan")
