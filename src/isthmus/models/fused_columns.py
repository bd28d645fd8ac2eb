"""The columns of fused features: whose they are, what they are called, and which examples have them."""

from typing import Final, Literal

import numpy as np

from isthmus.errors import InputError
from isthmus.statistics.inputs import BoolArray, FloatArray

_ABSENT = "absent:"
PERFUSION: Final = "perfusion"
"""The member that is no network: what is measured in contrast-enhanced clips."""

RESERVED: Final = (PERFUSION, "absent", "component")
"""Beginnings of columns that are no network's: no arm may be called so."""

Join = Literal["embeddings", "logits", "mean"]
"""What of the members is joined: what their last layers see, their log odds, or the mean of these and no head."""

WhereAbsent = Literal["mean", "leave_out"]
"""``mean``: an absent member's features stand at their training mean and an indicator says so; ``leave_out``: an
example that lacks a member is neither fitted on nor scored."""


def component_names(count: int) -> tuple[str, ...]:
    """Return the names of principal components."""
    return tuple(f"component:{index}" for index in range(count))


def member_of(column: str) -> str:
    """Return which member a feature came from: ``image`` for ``image:17`` and for ``absent:image``."""
    return column.removeprefix(_ABSENT).partition(":")[0]


def indicator_name(of: str) -> str:
    """Return the name of the indicator that says that a member, or a column, is absent."""
    return f"{_ABSENT}{of}"


def checked(features: FloatArray, columns: tuple[str, ...]) -> FloatArray:
    """Return features as float64 [N, D].

    Raises
    ------
    InputError
        When they have another shape, or a value is infinite.
    """
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise InputError(f"the features are {list(values.shape)}", expected=f"[N, {len(columns)}], one a column")
    infinite = np.isinf(values).any(axis=0)
    if infinite.any():
        raise InputError("a feature is infinite", where=f"column {columns[int(infinite.argmax())]!r}")
    return values


def usable(features: FloatArray, columns: tuple[str, ...], where_absent: WhereAbsent) -> BoolArray:
    """Return which examples [N] can be fitted on and scored: one member is there, or all under ``leave_out``.

    A member is absent where all of its columns are NaN.
    """
    missing = np.isnan(checked(features, columns))
    members = np.array([member_of(name) for name in columns])
    absent = np.stack([missing[:, members == name].all(axis=1) for name in dict.fromkeys(members)], axis=1)
    return ~np.asarray(absent.any(axis=1) if where_absent == "leave_out" else absent.all(axis=1))
