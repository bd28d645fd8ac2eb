"""Ideal observers: the best that anything can do from what is shown, since the rule that makes the labels is known.

The observer of the latents gives each unit its ``p_true``. A modality's observer gives E[p_true | what the modality's
pictures depend on, site]: no reader, network or fusion of the same pictures has a higher expected AUC. It is found by
regression on nodules drawn without pictures. The device is left out: given the site it says nothing of the label.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import CohortError
from isthmus.phantom.expected_auc import expected_auc
from isthmus.phantom.features import FEATURES
from isthmus.phantom.frequencies import levels
from isthmus.phantom.labels import evidence, site_intercepts
from isthmus.phantom.latents import rendered_columns
from isthmus.phantom.patients import draw_missing, draw_nodules
from isthmus.phantom.preset import Preset

Numbers = NDArray[np.float64]

LATENTS: Final = "latents"
SEED: Final = 20_260_102
"""Of the draws that observers are fitted on; cohorts have seeds of their own."""
MOST_FITTED: Final = 250_000
"""More nodules than these change an observer's AUC by less than 0.0005."""
REGRESSION: Final[Mapping[str, Any]] = {
    "learning_rate": 0.2,
    "max_iter": 60,
    "max_leaf_nodes": 24,
    "max_bins": 64,
    "min_samples_leaf": 200,
}
_LEAST: Final = 1e-6

Columns = tuple[str, ...]
Models = Mapping[Columns, Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Observers:
    """The ideal observers of a preset.

    Parameters
    ----------
    preset : Preset
        Whose they are.
    draws : int
        Nodules that they were fitted and measured on, half each.
    names : tuple of str
        ``latents``, each modality, and each combination, joined by ``+`` in the vocabulary's order.
    population : dict
        Name to ``auc`` and ``standard_error`` in the population that the cohort's patients come from, all sites
        together; with several classes ``one_vs_rest`` has these for each class and ``auc`` is their mean.
    """

    preset: Preset
    draws: int
    names: tuple[str, ...]
    population: Mapping[str, Mapping[str, Any]]
    _models: Models

    def probabilities(self, name: str, nodules: pd.DataFrame) -> Numbers:
        """Return an observer's probabilities.

        Parameters
        ----------
        name : str
            One of ``names``.
        nodules : DataFrame
            n rows of :attr:`isthmus.phantom.patients.Population.nodules`.

        Returns
        -------
        float64 array [n, K]
            Rows sum to 1. Where a nodule lacks some of the modalities, from the others; NaN where it lacks all.

        Raises
        ------
        CohortError
            When there is no such observer.
        """
        if name not in self.names:
            raise CohortError(f"no observer is called {name!r}", expected=", ".join(self.names))
        return _look(self.preset, name, nodules, _predictions(self.preset, self._models, nodules))


def fit_observers(preset: Preset, draws: int = 1_000_000, progress: Callable[[str], None] | None = None) -> Observers:
    """Fit and measure the ideal observers of a preset.

    Parameters
    ----------
    preset : Preset
        Whose observers.
    draws : int
        Nodules drawn; half of them fit, the other half measure.
    progress : callable, optional
        Told what is fitted.

    Returns
    -------
    Observers
        The same for the same preset and number.
    """
    nodules = draw_nodules(preset, draws, SEED)
    nodules = nodules.assign(**draw_missing(preset, draws, SEED))
    half = int(np.searchsorted(nodules["patient"], nodules["patient"].iloc[draws // 2]))
    names = observer_names(preset)
    models: dict[Columns, Sequence[Any]] = {}
    for name in names[1:]:
        columns = shown_columns(preset, name.split("+"))
        if columns not in models:
            if progress is not None:
                progress(f"observer {name}")
            models[columns] = _fit(preset, columns, nodules.iloc[: min(half, MOST_FITTED)])
    rest = nodules.iloc[half:]
    predict = _predictions(preset, models, rest)
    population = {name: _measure(preset, _look(preset, name, rest, predict), rest) for name in names}
    return Observers(preset, draws, names, population, models)


def observer_names(preset: Preset) -> tuple[str, ...]:
    """Return ``latents``, the modalities and their combinations."""
    sets = [chosen for size in range(1, len(preset.modalities) + 1) for chosen in combinations(preset.modalities, size)]
    return (LATENTS, *("+".join(chosen) for chosen in sets))


def shown_columns(preset: Preset, modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the latents that a preset's views of these modalities depend on.

    A still shows the punctate foci of its own plane only; a sweep meets them all.
    """
    shown: dict[str, None] = {}
    for modality in modalities:
        planes = {f"punctate_{view.plane}" for view in preset.views if view.modality == modality}
        for column in rendered_columns(modality):
            if modality == "cine" or not column.startswith("punctate") or column in planes:
                shown[column] = None
    return tuple(shown)


def _inputs(preset: Preset, columns: Sequence[str], nodules: pd.DataFrame) -> NDArray[np.float32]:
    """What the regression sees: the shown columns, the site, and the label model's sums of what is shown."""
    sites = list(preset.sites)
    place = pd.Categorical(nodules["site"], categories=sites).codes
    shifts = np.array([site_intercepts(preset)[site] for site in sites])[place]
    shown = [name for name, feature in FEATURES.items() if set(feature.columns) <= set(columns)]
    sums = evidence(preset, nodules, shown)
    coded = [_as_numbers(preset, nodules[column]) for column in columns]
    return np.column_stack([(sums + shifts)[:, 1:], shifts[:, 1:], *coded]).astype(np.float32)


def _as_numbers(preset: Preset, column: "pd.Series[Any]") -> NDArray[Any]:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    order = levels(str(column.name), next(iter(preset.target.groups.values())))
    return np.asarray(column.map({code: place for place, code in enumerate(order)}))


def _chances(preset: Preset, nodules: pd.DataFrame) -> Numbers:
    return nodules[[f"p_true_{code}" for code in preset.classes]].to_numpy()


def _fit(preset: Preset, columns: tuple[str, ...], nodules: pd.DataFrame) -> Sequence[Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, chances = _inputs(preset, columns, nodules), _chances(preset, nodules)
    models = []
    for place in range(1, len(preset.classes)):
        model = HistGradientBoostingRegressor(**REGRESSION, early_stopping=False, random_state=0)
        models.append(model.fit(inputs, chances[:, place]))
    return models


def _predictions(preset: Preset, models: Models, nodules: pd.DataFrame) -> Callable[[Columns], Numbers]:
    """What the regression of some columns makes of every nodule, as if nothing were missing; worked out once."""

    @cache
    def predict(columns: Columns) -> Numbers:
        inputs = _inputs(preset, columns, nodules)
        others = np.column_stack([model.predict(inputs) for model in models[columns]]).clip(_LEAST, 1)
        others /= np.maximum(others.sum(axis=1, keepdims=True) + _LEAST, 1)
        return np.column_stack([1 - others.sum(axis=1), others])

    return predict


def _look(preset: Preset, name: str, nodules: pd.DataFrame, predict: Callable[[Columns], Numbers]) -> Numbers:
    """One observer's probabilities: for each nodule those of the modalities that it has."""
    if name == LATENTS:
        return _chances(preset, nodules)
    wanted = name.split("+")
    there = [nodules[f"has_{modality}"].to_numpy() for modality in wanted]
    pattern = sum(has.astype(np.int64) << place for place, has in enumerate(there))
    found = np.full((len(nodules), len(preset.classes)), np.nan)
    for number in set(np.unique(pattern)) - {0}:
        rows = pattern == number
        shown = shown_columns(preset, [modality for place, modality in enumerate(wanted) if number >> place & 1])
        found[rows] = predict(shown)[rows]
    return found


def _measure(preset: Preset, scores: Numbers, nodules: pd.DataFrame) -> Mapping[str, Any]:
    seen = ~np.isnan(scores[:, 0])
    chances, patient = _chances(preset, nodules)[seen], nodules["patient"].to_numpy()[seen]
    single = {
        code: dict(
            zip(("auc", "standard_error"), expected_auc(scores[seen, place], chances[:, place], patient), strict=True)
        )
        for place, code in enumerate(preset.classes)
    }
    if len(single) == 2:
        return single[preset.classes[-1]]
    mean = {key: float(np.mean([one[key] for one in single.values()])) for key in ("auc", "standard_error")}
    return {**mean, "one_vs_rest": single}
