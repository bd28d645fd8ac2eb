"""The last step of a fused model: a fitted classifier of a few features, its probability, and its file.

What scikit-learn fitted is kept by skops; what XGBoost and LightGBM fitted, in their own formats of text.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import expit

from isthmus.errors import BundleError, InputError
from isthmus.models.skops_file import from_skops, to_skops
from isthmus.statistics.calibration import LogisticCalibration, undo_prior_shift
from isthmus.statistics.inputs import FloatArray


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A fitted classifier of two classes.

    Parameters
    ----------
    name : str
        Its key in :data:`isthmus.training.fusion_classifiers.CLASSIFIERS`.
    model : object
        An estimator of scikit-learn, an ``xgboost.Booster`` or a ``lightgbm.Booster``.
    log_prior_shift : tuple of two floats
        What class weights added to the log odds; it comes off again.
    calibration : LogisticCalibration, optional
        Turns ``expit(decision value)`` of a model without probabilities of its own into one (Platt 1999).
    """

    name: str
    model: Any
    log_prior_shift: tuple[float, float] = (0.0, 0.0)
    calibration: LogisticCalibration | None = None

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return the probability of the second class [N] for features [N, S], computed in one thread."""
        if not len(features):
            return np.zeros(0)
        with one_thread():
            raw = _raw_probabilities(self.model, np.ascontiguousarray(features, np.float64))
        if self.calibration is not None:
            raw = self.calibration.apply(raw)
        if self.log_prior_shift == (0.0, 0.0):
            return raw
        return undo_prior_shift(np.stack([1 - raw, raw], axis=1), self.log_prior_shift)[:, 1]

    def file(self) -> tuple[str, bytes]:
        """Return the name and the content of the file that keeps the model."""
        kind = _kind(self.model)
        if kind == "xgboost":
            return "classifier.xgboost.json", bytes(self.model.save_raw("json"))
        if kind == "lightgbm":
            return "classifier.lightgbm.txt", self.model.model_to_string().encode()
        return "classifier.skops", to_skops(self.model)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block's linear algebra in one thread: sums then have one order, and numbers are the same every time."""
    with _thread_pools().limit(limits=1):
        yield


@cache
def _thread_pools() -> Any:
    """Find the threaded libraries of SciPy and scikit-learn once; a search takes longer than a small prediction."""
    # Imported so that their libraries are there to be found.
    import scipy.linalg  # noqa: F401
    import sklearn.utils.extmath  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def load_xgboost() -> Any:
    """Return the module.

    Raises
    ------
    InputError
        When the system lacks the OpenMP library that it needs.
    """
    with _openmp("XGBoost"):
        import xgboost

        return xgboost


def load_lightgbm() -> Any:
    """Return the module; raises as :func:`load_xgboost` does."""
    with _openmp("LightGBM"):
        import lightgbm

        return lightgbm


@contextmanager
def _openmp(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # XGBoost's own error is a ValueError
        raise InputError(
            f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}",
            hint="install the system's OpenMP library (Debian: libgomp1; macOS: brew install libomp)",
        ) from error


def _kind(model: Any) -> str:
    """Return which library fitted a model."""
    return str(type(model).__module__).partition(".")[0]


def _raw_probabilities(model: Any, features: FloatArray) -> FloatArray:
    kind = _kind(model)
    if kind == "xgboost":
        # Its matrices are of 32 bits; said here so that a value is not rounded to another side of a cut later.
        matrix = load_xgboost().DMatrix(features.astype(np.float32), nthread=1)
        return np.asarray(model.predict(matrix), np.float64)
    if kind == "lightgbm":
        return np.asarray(model.predict(features, num_threads=1), np.float64)
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(features)[:, 1], np.float64)
    decision: FloatArray = expit(np.asarray(model.decision_function(features), np.float64))
    return decision


def read_model(file: str, content: bytes, features: int, where: str) -> Any:
    """Build a classifier from its file's content, of the known types and for this number of features only.

    Parameters
    ----------
    file : str
        As :meth:`FittedClassifier.file` names it.
    content : bytes
    features : int
        S.
    where : str
        For messages.

    Raises
    ------
    BundleError
        When the content is no such classifier, or could make compiled code read outside its arrays.
    """
    readers: dict[str, Callable[[bytes], Any]] = {
        "classifier.skops": from_skops,
        "classifier.xgboost.json": _from_xgboost,
        "classifier.lightgbm.txt": lambda text: load_lightgbm().Booster(model_str=text.decode()),
    }
    if file not in readers:
        raise BundleError(f"unknown kind of classifier {file!r}", where=where, expected=", ".join(readers))
    try:
        model = readers[file](content)
        found = _features_of(model)
    except BundleError as error:
        raise BundleError(error.what, where=where, expected=error.expected, hint=error.hint) from error
    except InputError:
        raise
    except Exception as error:  # whatever three libraries raise for a damaged file
        raise BundleError(f"the classifier cannot be read: {str(error).splitlines()[0][:200]}", where=where) from error
    if found != features:
        raise BundleError(f"the classifier takes {found} features", where=where, expected=f"{features}")
    return model


def _from_xgboost(content: bytes) -> Any:
    booster = load_xgboost().Booster(params={"nthread": 1})
    booster.load_model(bytearray(content))
    return booster


def _features_of(model: Any) -> int:
    kind = _kind(model)
    if kind == "xgboost":
        return int(model.num_features())
    return int(model.num_feature()) if kind == "lightgbm" else int(model.n_features_in_)
