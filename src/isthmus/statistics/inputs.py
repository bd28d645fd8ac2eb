"""What every function of this room accepts: labels, scores and groups, checked once and said clearly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def as_binary(values: ArrayLike, name: str = "labels", length: int | None = None) -> BoolArray:
    """Return labels or calls as booleans.

    Parameters
    ----------
    values : array_like [N]
        Booleans, or numbers that are all 0 or 1; True is the positive class.
    name : str
        What the values are, for the message.
    length : int, optional
        How many there must be.

    Returns
    -------
    ndarray of bool [N]

    Raises
    ------
    ValueError
        For an empty or two-dimensional array, another length, or a value that is neither 0 nor 1.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one non-empty row of values, not shape {array.shape}")
    if length is not None and array.size != length:
        raise ValueError(f"{name} has {array.size} values where {length} were expected")
    if array.dtype != np.bool_:
        wrong = np.flatnonzero(~((array == 0) | (array == 1)))
        if wrong.size:
            raise ValueError(f"{name} must be 0 or 1; row {wrong[0]} is {array[wrong[0]]!r} ({wrong.size} such rows)")
    return array.astype(np.bool_)


def as_labels(labels: ArrayLike, length: int | None = None) -> BoolArray:
    """Return labels as booleans, both classes present.

    Raises
    ------
    ValueError
        As `as_binary`, or when a class has no case.
    """
    array = as_binary(labels, "labels", length)
    positives = int(array.sum())
    if positives == 0 or positives == array.size:
        missing = "positive" if positives == 0 else "negative"
        raise ValueError(f"no {missing} case among {array.size}: both classes are needed")
    return array


def as_scores(scores: ArrayLike, length: int, name: str = "scores") -> FloatArray:
    """Return scores as float64 of shape [M, N], one row a model.

    Parameters
    ----------
    scores : array_like [N] or [M, N]
        Any finite numbers; higher means more probably positive.
    length : int
        N, the number of cases.
    name : str
        What the scores are, for the message.

    Raises
    ------
    ValueError
        For another shape, or a score that is NaN or infinite; names its row.
    """
    array = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if array.ndim != 2 or array.shape[1] != length:
        raise ValueError(f"{name} has shape {np.shape(scores)} where [{length}] or [models, {length}] was expected")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        model, row = bad[0]
        raise ValueError(f"{name}: row {row} is {array[model, row]}, not a finite number ({len(bad)} such values)")
    return array


def as_probabilities(probabilities: ArrayLike, length: int) -> FloatArray:
    """Return one model's probabilities [N] as float64.

    Raises
    ------
    ValueError
        As `as_scores`, or for a value outside 0..1; names its row.
    """
    array = as_scores(probabilities, length, "probabilities")
    if array.shape[0] != 1:
        raise ValueError(f"one row of probabilities was expected, not {array.shape[0]}")
    values: FloatArray = array[0]
    outside = np.flatnonzero((values < 0) | (values > 1))
    if outside.size:
        first = outside[0]
        raise ValueError(
            f"probabilities: row {first} is {values[first]}, outside 0 to 1 ({outside.size} such rows); "
            "a score that is no probability has no calibration"
        )
    return values


def as_groups(groups: ArrayLike | None, length: int) -> tuple[IntArray, int]:
    """Return group codes 0..G-1 for every row, and G.

    Parameters
    ----------
    groups : array_like [N] or None
        Whom each row belongs to (text or numbers); None: every row is a group of its own.
    length : int
        N.

    Raises
    ------
    ValueError
        For another length or a missing group.
    """
    if groups is None:
        return np.arange(length), length
    array = np.asarray(groups)
    if array.shape != (length,):
        raise ValueError(f"groups has shape {array.shape} where [{length}] was expected")
    if (array.dtype.kind == "f" and np.isnan(array).any()) or (
        array.dtype == object and any(g is None or g != g for g in array)
    ):
        raise ValueError("groups: a row has no group; give each row the id of its patient or group")
    names, codes = np.unique(array, return_inverse=True)
    return codes.reshape(length).astype(np.intp), len(names)


def count_groups(codes: IntArray, rows: BoolArray) -> int:
    """Return how many groups have at least one row among `rows`."""
    return int(np.count_nonzero(np.bincount(codes[rows])))
