"""From findings to labels: an explicit logistic model, so that the probability of every label is known."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from isthmus.phantom.features import FEATURES
from isthmus.phantom.findings import Numbers, draw_age_and_sex, draw_findings
from isthmus.phantom.preset import Preset

CALIBRATION_DRAWS: Final = 100_000
_CALIBRATION_SEED: Final = 20_260_101


def evidence(preset: Preset, nodules: pd.DataFrame, features: Sequence[str] | None = None) -> Numbers:
    """Return the label model's sums without their intercepts.

    Parameters
    ----------
    preset : Preset
        With the coefficients.
    nodules : DataFrame
        n rows of latents, ``age_years``, ``sex``.
    features : sequence of str, optional
        Only these terms; all by default.

    Returns
    -------
    float64 array [n, K]
        Log odds against the first class, whose column is 0.
    """
    sums = np.zeros((len(nodules), len(preset.classes)))
    for place, coefficients in enumerate(preset.target.coefficients.values(), start=1):
        for name, coefficient in coefficients.items():
            if features is None or name in features:
                columns = [nodules[column].to_numpy() for column in FEATURES[name].columns]
                sums[:, place] += coefficient * FEATURES[name].value(*columns)
    return sums


def true_probabilities(preset: Preset, nodules: pd.DataFrame) -> Numbers:
    """Return the probability of each class, given everything: latents, age, sex and site.

    Parameters
    ----------
    preset : Preset
        With the label model.
    nodules : DataFrame
        As for :func:`evidence`, and ``site``.

    Returns
    -------
    float64 array [n, K]
        Rows sum to 1.
    """
    sites = list(preset.sites)
    place = pd.Categorical(nodules["site"], categories=sites).codes
    shifts = np.array([site_intercepts(preset)[name] for name in sites])
    chances: Numbers = softmax(evidence(preset, nodules) + shifts[place], axis=1)
    return chances


def site_intercepts(preset: Preset) -> Mapping[str, tuple[float, ...]]:
    """Return each site's intercepts, such that its labels have the class shares that the preset states.

    They are solved on a fixed draw of :data:`CALIBRATION_DRAWS` nodules and so belong to the preset, not to a cohort.
    """
    return _site_intercepts(preset.model_dump_json())


@lru_cache(maxsize=16)
def _site_intercepts(content: str) -> Mapping[str, tuple[float, ...]]:
    preset = Preset.model_validate_json(content)
    count = len(preset.classes)
    kind = np.arange(CALIBRATION_DRAWS) % count
    chains = list(preset.target.groups.values())
    drawn = draw_findings(kind, chains, _CALIBRATION_SEED, calcified=preset.calcified)
    drawn = drawn.assign(**draw_age_and_sex(CALIBRATION_DRAWS, preset.patients, _CALIBRATION_SEED))
    sums = evidence(preset, drawn)
    return {
        name: tuple(_solve_intercepts(sums, kind, np.array([site.classes[code] for code in preset.classes])))
        for name, site in preset.sites.items()
    }


def _solve_intercepts(sums: Numbers, kind: NDArray[np.int64], shares: Numbers) -> Numbers:
    """Find intercepts with which the mean probabilities of a mixture of classes are the mixture's own shares."""
    weights = shares[kind] / shares[kind].sum()
    intercepts = np.log(np.maximum(shares, 1e-12))
    for _ in range(500):
        means = weights @ softmax(sums + intercepts, axis=1)
        step = np.log(np.maximum(shares, 1e-12)) - np.log(means)
        intercepts += step - step[0]
        if np.abs(means - shares).max() < 1e-9:
            break
    solved: Numbers = intercepts - intercepts[0]
    return solved


def draw_classes(chances: Numbers, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw one class a row.

    Parameters
    ----------
    chances : float64 array [n, K]
        Rows sum to 1.
    random : Generator
        One number a row is taken.

    Returns
    -------
    int array [n]
        Places of the classes.
    """
    ends = np.cumsum(chances, axis=1)[:, :-1]
    places: NDArray[np.int64] = (random.random(len(chances))[:, None] >= ends).sum(axis=1)
    return places


def change_labels(
    labels: NDArray[np.int64], classes: int, rate: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Change labels in place, each with probability ``rate``, to one of the other classes; return which."""
    changed = random.random(labels.size) < rate
    step = random.integers(1, classes, labels.size)
    labels[changed] = (labels[changed] + step[changed]) % classes
    return changed
