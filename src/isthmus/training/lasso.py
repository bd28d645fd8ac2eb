"""Selection of features by the LASSO, its penalty chosen by cross-validation that keeps patients whole."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.statistics.inputs import FloatArray
from isthmus.training.grouped_folds import grouped_folds

_STEPS = 5_000
"""Of coordinate descent a penalty; the smallest penalties may need more, and then that is said."""


class LassoSettings(BaseModel):
    """Penalties that are tried, and how one is chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cv: int = Field(10, ge=2, le=50, description="folds of whole groups; fewer where the rarer class has fewer groups")
    smallest: float = Field(1e-3, gt=0, description="smallest penalty")
    largest: float = Field(1.0, gt=0, description="largest penalty")
    count: int = Field(50, ge=2, le=1000, description="penalties, evenly spaced on a logarithmic scale")

    @model_validator(mode="after")
    def _ordered(self) -> "LassoSettings":
        if self.smallest >= self.largest:
            raise ValueError(f"smallest penalty {self.smallest} is not below the largest, {self.largest}")
        return self

    @property
    def alphas(self) -> FloatArray:
        """The penalties, largest first."""
        return np.geomspace(self.largest, self.smallest, self.count)


@dataclass(frozen=True, eq=False)
class Selection:
    """What the LASSO selected.

    Parameters
    ----------
    selected : ndarray of int
        Columns, ascending; at least one.
    path : dict
        For figures and the report: ``alphas`` (largest first), ``mse`` and ``mse_se`` (mean and standard error over
        folds, a penalty), ``alpha`` (chosen), ``folds``, ``converged``, ``fallback``, ``entered`` (columns that are
        not 0 at some penalty) with ``coefficients`` (one list over the penalties each), ``selected`` and ``weights``.
    """

    selected: np.ndarray[Any, np.dtype[np.int64]]
    path: dict[str, Any]


def select_by_lasso(
    scores: FloatArray,
    labels: np.ndarray[Any, np.dtype[np.int64]],
    groups: np.ndarray[Any, np.dtype[np.object_]],
    names: tuple[str, ...],
    settings: LassoSettings,
    seed: int,
) -> Selection:
    """Select the columns whose coefficient is not 0 at the penalty with the least cross-validated squared error.

    The labels 0 and 1 are regressed linearly, as the paper's figure shows it. Where no coefficient is left, the column
    with the largest ``|r|`` with the labels is selected, which is the first that would enter: ``fallback``.

    Parameters
    ----------
    scores : ndarray [N, F]
        Z-scores.
    labels : ndarray of 0 and 1 [N]
    groups : ndarray [N]
    names : tuple of F str
    settings : LassoSettings
    seed : int
        Draws the folds.

    References
    ----------
    R. Tibshirani, J. R. Stat. Soc. B 58 (1996) 267-288.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LassoCV, lasso_path

    target = labels.astype(np.float64)
    folds = grouped_folds(labels, groups, settings.cv, seed)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        model = LassoCV(alphas=settings.alphas, cv=folds, max_iter=_STEPS, n_jobs=1).fit(scores, target)
        centred = np.asfortranarray(scores - scores.mean(axis=0))
        _, coefficients, _ = lasso_path(centred, target - target.mean(), alphas=settings.alphas, max_iter=_STEPS)
    _pass_on(raised, ConvergenceWarning)
    weights = np.asarray(model.coef_, np.float64)
    selected, fallback = np.flatnonzero(weights), not weights.any()
    if fallback:
        correlation = (target - target.mean()) @ centred / (np.linalg.norm(centred, axis=0) + np.finfo(float).tiny)
        selected = np.array([int(np.argmax(np.round(np.abs(correlation), 9)))])
        weights = correlation / np.linalg.norm(target - target.mean())
    errors = np.asarray(model.mse_path_, np.float64)
    entered = np.flatnonzero(coefficients.any(axis=1))
    return Selection(
        selected=selected,
        path={
            "alphas": settings.alphas.tolist(),
            "mse": errors.mean(axis=1).tolist(),
            "mse_se": (errors.std(axis=1, ddof=1) / np.sqrt(len(folds))).tolist(),
            "alpha": float(model.alpha_),
            "folds": len(folds),
            "converged": not any(issubclass(one.category, ConvergenceWarning) for one in raised),
            "fallback": fallback,
            "entered": [names[column] for column in entered],
            "coefficients": coefficients[entered].tolist(),
            "selected": [names[column] for column in selected],
            "weights": weights[selected].tolist(),
        },
    )


def _pass_on(raised: list[warnings.WarningMessage], kept: type[Warning]) -> None:
    """Warn again of what was caught beside what is said in the path."""
    for one in raised:
        if not issubclass(one.category, kept):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
