"""TI-RADS levels of the cases: from their descriptors, and as the site recorded them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.tirads import SYSTEMS, System, grade
from isthmus.tables.vocabulary import DESCRIPTORS

RECORDED: Final = "recorded"
_KNOWN_PATHOLOGY: Final = "6"
_LETTERS: Final = ("4a", "4b", "4c")


@dataclass(frozen=True)
class Scale:
    """Levels of all cases on one scale, lowest 0; -1 where nothing is known.

    Parameters
    ----------
    key, name : str
    codes : tuple of str
        The levels, lowest first.
    low, high : ndarray of int [N]
        Between which levels a case lies; equal where its level is certain.
    points : ndarray of float [N] or None
        NaN where the points are not certain; None where the scale has none.
    suggestion : ndarray of str [N] or None
        ``fna``, ``follow_up``, ``none``, ``unknown``; None where no table says anything of sizes.
    missing : sequence of str [N]
        Descriptors that are not known, separated by a blank.
    cuts : tuple of str
        Levels from which a call is read.
    system : System, optional
        Whose tables these are; None for recorded levels.
    notes : tuple of str
    """

    key: str
    name: str
    codes: tuple[str, ...]
    low: NDArray[np.int_]
    high: NDArray[np.int_]
    cuts: tuple[str, ...]
    points: NDArray[np.float64] | None = None
    suggestion: NDArray[Any] | None = None
    missing: Sequence[str] = ()
    system: System | None = None
    notes: tuple[str, ...] = field(default=())


def scales(cases: pd.DataFrame) -> list[Scale]:
    """Return the scales on which at least one case has a place.

    Parameters
    ----------
    cases : DataFrame
        One row a case; descriptors, ``size_mm`` and ``tirads`` where they are known.
    """
    found: list[Scale] = []
    if any(name in cases.columns for name in DESCRIPTORS):
        found += [_computed(cases, system) for system in SYSTEMS]
    if "tirads" in cases.columns:
        found.append(_recorded(cases["tirads"]))
    return [scale for scale in found if (scale.low >= 0).any()]


def cut_calls(scale: Scale, code: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the calls at a cut, and where they are certain: an open level may lie on one side of it whole."""
    place = scale.codes.index(code)
    called = scale.low >= place
    return called, (scale.low >= 0) & (called | (scale.high < place))


def _computed(cases: pd.DataFrame, system: System) -> Scale:
    graded = grade(cases, system)
    described = graded["described"].to_numpy()
    low, high = (
        np.where(described, [system.rank(code) for code in graded[name]], -1).astype(int) for name in ("low", "high")
    )
    certain = graded["points_low"].notna() & (graded["points_low"] == graded["points_high"]).fillna(False)
    points = np.asarray(graded["points_low"].where(certain).to_numpy(dtype=float, na_value=np.nan), dtype=np.float64)
    sized = "size_mm" in cases.columns and bool(cases["size_mm"].notna().any())
    return Scale(
        key=system.key,
        name=system.name,
        codes=system.codes,
        low=low,
        high=high,
        cuts=system.cuts,
        points=points if graded["points_low"].notna().any() else None,
        suggestion=np.where(described, graded["suggestion"], "unknown") if sized else None,
        missing=graded["missing"].tolist(),
        system=system,
        notes=system.remarks,
    )


def _recorded(column: "pd.Series[Any]") -> Scale:
    given = np.array(["" if pd.isna(value) else _as_code(value) for value in column], dtype=object)
    present = set(given) - {""}
    nothing = np.full(len(given), -1)
    american = {code for code in present if code.startswith("TR")}
    if american and american != present:
        return Scale(RECORDED, "TI-RADS as recorded", (), nothing, nothing, ())
    notes = []
    if american:
        codes: tuple[str, ...] = tuple(f"TR{level}" for level in range(1, 6))
        cuts: tuple[str, ...] = ("TR4", "TR5")
    else:
        lettered = bool(present & set(_LETTERS))
        codes = ("1", "2", "3", *(_LETTERS if lettered else ("4",)), "5")
        cuts = _LETTERS if lettered else ("4", "5")
        if proven := int((given == _KNOWN_PATHOLOGY).sum()):
            notes.append(f"{proven} of category 6 left out: it states known pathology")
    place = {code: (at, at) for at, code in enumerate(codes)}
    if "4" not in codes and "4" in present:
        place["4"] = (codes.index("4a"), codes.index("4c"))
        notes.append("4 without a letter lies between 4a and 4c")
    low, high = (np.array([place.get(code, (-1, -1))[side] for code in given], dtype=int) for side in (0, 1))
    return Scale(RECORDED, "TI-RADS as recorded", codes, low, high, cuts, notes=tuple(notes))


def _as_code(value: Any) -> str:
    """Return a recorded level as text; a column of whole numbers was read as numbers."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return text.upper() if text[:2].upper() == "TR" else text.lower()
