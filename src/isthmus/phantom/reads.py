"""Reads of simulated readers without help, by the model of Roe and Metz.

A reader's evidence for case k of class t is ``X_jkt = mu_t + R_jt + C_kt + (RC)_jkt + E_jkt`` (C. A. Roe, C. E. Metz,
Acad Radiol 4 (1997) 298-303; S. L. Hillis, Stat Med 31 (2012) 2723-2751 and 37 (2018) 2067-2093), each term normal. The
case term is not drawn: it is the nodule's own evidence, so that readers and models find the same cases hard. With K
classes the evidence has K - 1 orthonormal contrasts; with two it is their scalar.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import cholesky, helmert, solve_triangular
from scipy.special import expit, ndtri, softmax
from scipy.stats import rankdata

from isthmus.phantom.readers import ReaderGroup, ReaderSettings, VarianceComponents, separation
from isthmus.phantom.streams import stream

Numbers = NDArray[np.float64]

UNAIDED: Final = "unaided"
_LEAST: Final = 1e-6  # an observer's probability below it counts as it


def latent_evidence(
    settings: ReaderSettings, labels: NDArray[np.integer[Any]], observed: Numbers, seed: int, session: int = 1
) -> Numbers:
    """Draw what every reader sees in every case.

    Parameters
    ----------
    settings : ReaderSettings
        Of the preset.
    labels : int array [N]
        Class numbers, 0 to K - 1.
    observed : float64 array [N, K]
        Probabilities of the observer that says which cases are hard.
    seed : int
        Of the cohort.
    session : int
        Another session draws the error anew and nothing else.

    Returns
    -------
    float64 array [J, N, K - 1]
        Readers in the order of ``settings.readers()``; class k has its mean at ``separation / sqrt(2)`` times column k
        of the orthonormal contrasts.
    """
    count, classes = observed.shape
    contrasts = -helmert(classes)
    variance = settings.variance
    case = np.sqrt(variance.case) * _case_term(labels, observed, contrasts)
    drawn = np.empty((sum(group.readers for group in settings.groups.values()), count, classes - 1))
    for number, _, _, group in settings.readers():
        means = contrasts.T * separation(group.auc, variance) / np.sqrt(2)
        traits = stream(seed, "reader traits", number).standard_normal((classes, classes - 1))
        together = stream(seed, "reader and case", number).standard_normal((count, classes - 1))
        error = stream(seed, "reader error", number, session).standard_normal((count, classes - 1))
        drawn[number] = (means + np.sqrt(variance.reader) * traits)[labels] + case
        drawn[number] += np.sqrt(variance.reader_case) * together + np.sqrt(variance.error) * error
    return drawn


def unaided_reads(
    settings: ReaderSettings,
    target: str,
    units: pd.DataFrame,
    classes: Sequence[str],
    observed: Numbers,
    seed: int,
) -> pd.DataFrame:
    """Return the reads of the simulated readers, without help.

    Parameters
    ----------
    settings : ReaderSettings
        Of the preset.
    target : str
        Its name.
    units : DataFrame
        ``unit_id``, ``label`` (clean) and ``read`` (bool: whether the readers are shown it), one row a nodule or
        patient of the whole cohort.
    classes : sequence of str
        In order; the last is the positive one.
    observed : float64 array [N, K]
        Probabilities of ``settings.observer`` for the units.
    seed : int
        Of the cohort.

    Returns
    -------
    DataFrame
        ``reads.csv`` of contract 1. Two classes: ``score`` = 100 / (1 + exp(-log likelihood ratio)), moved by the
        reader's criterion so that 50 divides the calls. More: ``p_<class>`` from the likelihoods, and the likeliest as
        ``call``.
    """
    labels = units["label"].map({label: code for code, label in enumerate(classes)}).to_numpy(dtype=np.int64)
    evidence = latent_evidence(settings, labels, observed, seed)
    shown = np.flatnonzero(units["read"].to_numpy(dtype=bool))
    ids = units["unit_id"].to_numpy()[shown]
    parts = []
    for number, reader, experience, group in settings.readers():
        likelihoods = _log_likelihoods(evidence[number, shown], len(classes), group, settings.variance)
        if len(classes) == 2:
            likelihoods[:, 1] -= _criterion_shift(group, settings.variance, seed, number)
        spread = stream(seed, "reader seconds", number).standard_normal(len(units))[shown]
        part = pd.DataFrame(
            {
                "reader_id": reader,
                "experience": experience,
                "condition": UNAIDED,
                "session": "1",
                "order": stream(seed, "reader order", number).permutation(len(shown)) + 1,
                "target": target,
                "unit_id": ids,
                **stated(likelihoods, classes),
                "seconds": (group.seconds * np.exp(settings.seconds_spread * spread)).round(1),
            }
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def stated(log_likelihoods: Numbers, classes: Sequence[str]) -> dict[str, Numbers | NDArray[np.str_]]:
    """Return the columns in which a reader states evidence [N, K]: a score and a call, or probabilities and a call."""
    if len(classes) == 2:
        score = (100 * expit(log_likelihoods[:, 1] - log_likelihoods[:, 0])).round(1)
        return {"score": score, "call": np.where(score >= 50, classes[1], classes[0])}
    probabilities = softmax(log_likelihoods, axis=1).round(6)
    columns: dict[str, Numbers | NDArray[np.str_]] = {"call": np.array(classes)[probabilities.argmax(axis=1)]}
    return columns | {f"p_{label}": probabilities[:, code] for code, label in enumerate(classes)}


def _case_term(labels: NDArray[np.integer[Any]], observed: Numbers, contrasts: Numbers) -> Numbers:
    """Return the observer's evidence [N, K - 1] with, within each class, normal uncorrelated coordinates."""
    evidence = np.log(np.clip(observed, _LEAST, None)) @ contrasts.T
    result = np.zeros_like(evidence)
    for code in np.unique(labels):
        own = labels == code
        centred = evidence[own] - evidence[own].mean(axis=0)
        covariance = centred.T @ centred / len(centred)
        ridge = (1e-9 * np.trace(covariance) + 1e-12) * np.eye(len(covariance))
        white = solve_triangular(cholesky(covariance + ridge, lower=True), centred.T, lower=True).T
        # Normal scores: with them the AUC is the set one whatever the shape of the observer's evidence.
        result[own] = ndtri((rankdata(white.round(9), axis=0) - 0.5) / len(white))
    return result


def _log_likelihoods(evidence: Numbers, classes: int, group: ReaderGroup, variance: VarianceComponents) -> Numbers:
    """Return log likelihoods [N, K] up to a constant: all means have the same length, so only products remain."""
    means = -helmert(classes).T * separation(group.auc, variance) / np.sqrt(2)
    likelihoods: Numbers = evidence @ means.T / (1 + variance.reader)
    return likelihoods


def _criterion_shift(group: ReaderGroup, variance: VarianceComponents, seed: int, number: int) -> float:
    drawn = stream(seed, "reader criterion", number).standard_normal()
    criterion = group.criterion + group.criterion_sd * drawn
    return float(criterion * separation(group.auc, variance) / np.sqrt(1 + variance.reader))
