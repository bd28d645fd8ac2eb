"""The classifiers that a fused model may end in, each one function: (features, labels, groups, seed) to a fitted one.

All are weighted so that both classes count alike, which is undone in the probabilities; all run in one thread and draw
from the seed alone, so the same input gives the same bytes.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from isthmus.errors import ProtocolError
from isthmus.models.fused_classifier import FittedClassifier, load_lightgbm, load_xgboost, one_thread
from isthmus.statistics.calibration import fit_logistic_calibration, log_prior_shift_of_weights
from isthmus.statistics.inputs import FloatArray
from isthmus.training.grouped_folds import grouped_folds

Labels = np.ndarray[Any, np.dtype[np.int64]]
Groups = np.ndarray[Any, np.dtype[np.object_]]
Fit = Callable[[str, FloatArray, Labels, Groups, int], FittedClassifier]

_CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class FusionClassifier:
    """One kind of classifier.

    Parameters
    ----------
    title : str
        As the report names it.
    fit : callable
        From its key, features [N, S], labels 0 or 1 [N], groups [N] and a seed.
    load : callable, optional
        Loads the library that it is from, where that is not scikit-learn.
    """

    title: str
    fit: Fit
    load: Callable[[], Any] | None = None


def check_classifiers(names: Sequence[str]) -> None:
    """Refuse classifiers that are unknown or cannot be loaded here: before networks are trained for them.

    Raises
    ------
    ProtocolError
        When a name is unknown.
    InputError
        When its library cannot be loaded.
    """
    for name in names:
        if name not in CLASSIFIERS:
            raise ProtocolError(f"unknown classifier of fused features '{name}'", expected=", ".join(CLASSIFIERS))
        if (load := CLASSIFIERS[name].load) is not None:
            load()


def fit_classifier(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    """Fit the classifier of this name.

    Parameters
    ----------
    name : str
        A key of :data:`CLASSIFIERS`.
    features : ndarray [N, S]
        Finite, of about unit scale.
    labels : ndarray of 0 and 1 [N]
        With both.
    groups : ndarray [N]
        Folds within the fit keep them whole.
    seed : int
    """
    with one_thread():
        return CLASSIFIERS[name].fit(name, np.ascontiguousarray(features), labels, groups, seed)


def balanced_weights(labels: Labels) -> tuple[FloatArray, tuple[float, float]]:
    """Return each example's weight n / (2 n_k), and what such weights add to the log odds of each class."""
    counts = np.bincount(labels, minlength=2)
    of_classes = len(labels) / (2 * counts)
    negative, positive = log_prior_shift_of_weights(of_classes).tolist()
    return of_classes[labels], (negative, positive)


def _weighted(make: Callable[[int], Any]) -> Fit:
    """Return the fit of an estimator of scikit-learn that takes weights and gives probabilities."""

    def fit(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
        weights, shift = balanced_weights(labels)
        with _unconverged_is_fine():
            return FittedClassifier(name, make(seed).fit(features, labels, sample_weight=weights), shift)

    return fit


def _logistic(seed: int) -> Any:
    """Ridge penalty of C = 1; the largest step left is far below what a probability shows."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, tol=1e-8, max_iter=1000)


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, min_samples_leaf=3, random_state=seed, n_jobs=1)


def _extra_trees(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(200, min_samples_leaf=3, random_state=seed, n_jobs=1)


def _fit_mlp(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    """The paper's best: hidden layers of 128, 64 and 32, and scikit-learn's defaults for the rest."""
    from sklearn.neural_network import MLPClassifier

    fitted = _weighted(lambda drawn: MLPClassifier((128, 64, 32), random_state=drawn))(
        name, features, labels, groups, seed
    )
    del fitted.model._optimizer  # of no use once fitted, and a type that no reader need trust
    return fitted


def _fit_svm(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    """Radial kernel. Platt's sigmoid is fitted to decision values of grouped folds (Platt 1999), not of its own fit."""
    from sklearn.svm import SVC

    def fitted(rows: Any) -> Any:
        return SVC(C=1.0, kernel="rbf").fit(
            features[rows], labels[rows], sample_weight=balanced_weights(labels[rows])[0]
        )

    held_out = np.zeros(len(labels))
    for train, test in grouped_folds(labels, groups, _CALIBRATION_FOLDS, seed):
        held_out[test] = fitted(train).decision_function(features[test])
    calibration = fit_logistic_calibration(labels, expit(held_out))
    return FittedClassifier(name, fitted(slice(None)), calibration=calibration)


def _fit_knn(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    """An odd number next to sqrt(N) of neighbours. Weighted votes less the prior shift are their plain share."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(len(labels), 2 * (int(np.sqrt(len(labels))) // 2) + 1)
    model = KNeighborsClassifier(neighbours, algorithm="brute", n_jobs=1).fit(features, labels)
    return FittedClassifier(name, model)


def _fit_xgboost(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    xgboost = load_xgboost()
    weights, shift = balanced_weights(labels)
    settings = {
        "objective": "binary:logistic", "max_depth": 3, "eta": 0.1, "subsample": 0.8, "colsample_bytree": 0.8,
        "tree_method": "hist", "nthread": 1, "seed": seed,
    }  # fmt: skip
    data = xgboost.DMatrix(features.astype(np.float32), labels, weight=weights, nthread=1)
    return FittedClassifier(name, xgboost.train(settings, data, num_boost_round=100), shift)


def _fit_lightgbm(name: str, features: FloatArray, labels: Labels, groups: Groups, seed: int) -> FittedClassifier:
    lightgbm = load_lightgbm()
    weights, shift = balanced_weights(labels)
    settings = {
        "objective": "binary", "num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 5, "bagging_fraction": 0.8,
        "bagging_freq": 1, "feature_fraction": 0.8, "seed": seed, "num_threads": 1, "deterministic": True,
        "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(features, labels, weight=weights, params={"verbosity": -1, "num_threads": 1})
    return FittedClassifier(name, lightgbm.train(settings, data, num_boost_round=100), shift)


@contextmanager
def _unconverged_is_fine() -> Iterator[None]:
    """A network of so few patients is stopped after its steps, not at an optimum: that is its regularisation."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


CLASSIFIERS: dict[str, FusionClassifier] = {
    "logistic": FusionClassifier("logistic regression", _weighted(_logistic)),
    "svm": FusionClassifier("support vector machine", _fit_svm),
    "knn": FusionClassifier("k nearest neighbours", _fit_knn),
    "random_forest": FusionClassifier("random forest", _weighted(_random_forest)),
    "extra_trees": FusionClassifier("extra trees", _weighted(_extra_trees)),
    "xgboost": FusionClassifier("XGBoost", _fit_xgboost, load_xgboost),
    "lightgbm": FusionClassifier("LightGBM", _fit_lightgbm, load_lightgbm),
    "mlp": FusionClassifier("multilayer perceptron", _fit_mlp),
}
"""Key to classifier, in the order of the paper's figure 3."""
