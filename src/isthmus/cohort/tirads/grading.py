"""Cases graded by a system: the level where it is certain, else the lowest and the highest that are possible.

A missing descriptor may be anything. A rule is therefore asked once for every possible nodule; a case then stands for
all nodules that agree with what is known of it, and its level is given only where all of these have the same one.
"""

from functools import cache
from itertools import combinations, product
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.tirads.system import Nodule, Suggestion, System
from isthmus.tables.vocabulary import COMPOSITION, DESCRIPTORS, ECHOGENIC_FOCI, ECHOGENICITY, SHAPE

_MARGINS: Final = ("smooth", "ill_defined", "lobulated", "irregular", "extrathyroidal_extension")
_FOCI: Final = tuple(code for code in ECHOGENIC_FOCI if code != "none")
_FOCI_SETS: Final = tuple(frozenset(chosen) for size in range(len(_FOCI) + 1) for chosen in combinations(_FOCI, size))
_AXES: Final[tuple[tuple[Any, ...], ...]] = (
    tuple(COMPOSITION),
    tuple(ECHOGENICITY),
    tuple(SHAPE),
    _MARGINS,
    _FOCI_SETS,
)
WELL_DEFINED: Final = ("smooth", "lobulated", "irregular")
"""What the code ``well_defined`` leaves open: a sharp border may still be lobulated or irregular."""

WITHOUT_TISSUE: Final = ("cystic", "spongiform")
"""Compositions that can be anechoic. Of others the echogenicity is that of the solid part, which is never anechoic."""


class _Possible(NamedTuple):
    """For every possible nodule: lowest and highest level by place, and points; -9 where there is no such nodule."""

    low: NDArray[np.int8]
    high: NDArray[np.int8]
    points: NDArray[np.int8]
    there: NDArray[np.bool_]


def grade(cases: pd.DataFrame, system: System) -> pd.DataFrame:
    """Return the level of each case, or between which levels it lies.

    Parameters
    ----------
    cases : DataFrame
        The descriptors of :data:`isthmus.tables.vocabulary.DESCRIPTORS` as columns; an absent column, a blank, and a
        code that the vocabulary does not have count as not known. ``size_mm``, optional.
    system : System
        Which.

    Returns
    -------
    DataFrame
        With the index of ``cases``: ``low``, ``high`` (codes of levels), ``level`` (text, or None where they differ),
        ``points_low``, ``points_high`` (numbers; missing in systems without points), ``described`` (whether any
        descriptor is known), ``missing`` (descriptors that are not, or not quite, known, separated by a blank) and
        ``suggestion`` (of :data:`~isthmus.cohort.tirads.system.Suggestion`: what the table says of this size).

    Examples
    --------
    >>> from isthmus.cohort.tirads.acr import ACR
    >>> cases = pd.DataFrame({"composition": ["spongiform", "solid"], "echogenicity": [None, "very_hypoechoic"]})
    >>> grade(cases, ACR)[["level", "low", "high"]].to_numpy().tolist()
    [['TR1', 'TR1', 'TR1'], [None, 'TR4', 'TR5']]
    """
    known = descriptor_sets(cases)
    keys = list(known.itertuples(index=False, name=None))
    found = {key: _range(system, *key) for key in set(keys)}
    rows = [found[key] for key in keys]
    sizes = _sizes(cases)
    codes = np.array(system.codes, dtype=object)
    low, high = (np.array([row[place] for row in rows], dtype=int) for place in (0, 1))
    certain = low == high
    suggestions = [
        _suggestion(system, str(codes[one]), str(codes[other]), size)
        for one, other, size in zip(low, high, sizes, strict=True)
    ]
    texts = {
        "level": [code if sure else None for code, sure in zip(codes[low], certain, strict=True)],
        "low": codes[low],
        "high": codes[high],
        "missing": [" ".join(_open(key)) for key in keys],
        "suggestion": suggestions,
    }
    graded = {name: pd.Series(values, index=cases.index, dtype=object) for name, values in texts.items()}
    for name, place in (("points_low", 2), ("points_high", 3)):
        graded[name] = pd.Series(pd.array([row[place] for row in rows], dtype="Int64"), index=cases.index)
    described = [any(len(codes) < len(axis) for codes, axis in zip(key, _AXES, strict=True)) for key in keys]
    graded["described"] = pd.Series(described, index=cases.index, dtype=bool)
    return pd.DataFrame(graded, index=cases.index)


def _open(key: tuple[tuple[int, ...], ...]) -> list[str]:
    """Return the descriptors that are not, or not quite, known."""
    return [name for name, codes in zip(DESCRIPTORS, key, strict=True) if len(codes) > 1]


def descriptor_sets(cases: pd.DataFrame) -> pd.DataFrame:
    """Return for each case and descriptor what it may be: a tuple of places along the descriptor's axis."""
    columns = {}
    for name, axis in zip(DESCRIPTORS, _AXES, strict=True):
        given = cases[name] if name in cases.columns else pd.Series(None, index=cases.index, dtype=object)
        texts = [None if pd.isna(value) else str(value).strip() for value in given]
        places = {text: _places(name, axis, text) for text in set(texts)}
        columns[name] = [places[text] for text in texts]
    columns["echogenicity"] = [
        _without_fluid(*pair) for pair in zip(columns["composition"], columns["echogenicity"], strict=True)
    ]
    return pd.DataFrame(columns, index=cases.index)


def _without_fluid(composition: tuple[int, ...], echogenicity: tuple[int, ...]) -> tuple[int, ...]:
    """Return the echogenicity, open where it is that of the fluid of a nodule with solid tissue."""
    tissue = not any(_AXES[0][place] in WITHOUT_TISSUE for place in composition)
    fluid = [_AXES[1][place] for place in echogenicity] == ["anechoic"]
    return tuple(range(len(_AXES[1]))) if tissue and fluid else echogenicity


def unknown_codes(cases: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the codes that the vocabulary does not have, with the cases of each: descriptor to code to count."""
    found: dict[str, dict[str, int]] = {}
    for name, codes in DESCRIPTORS.items():
        if name not in cases.columns:
            continue
        for value, count in cases[name].dropna().astype(str).str.strip().value_counts().items():
            parts = str(value).split(" ") if name == "echogenic_foci" else [str(value)]
            if value and not set(parts) <= set(codes):
                found.setdefault(name, {})[str(value)] = int(count)
    return found


def _places(name: str, axis: tuple[Any, ...], text: str | None) -> tuple[int, ...]:
    everything = tuple(range(len(axis)))
    if not text:
        return everything
    if name == "echogenic_foci":
        chosen = set(text.split(" "))
        if chosen == {"none"}:
            chosen = set()
        return (axis.index(frozenset(chosen)),) if chosen <= set(_FOCI) else everything
    if name == "margin" and text == "well_defined":
        return tuple(axis.index(code) for code in WELL_DEFINED)
    return (axis.index(text),) if text in axis else everything


@cache
def _possible(key: str) -> _Possible:
    from isthmus.cohort.tirads import ALL_SYSTEMS

    system = ALL_SYSTEMS[key]
    shape = tuple(len(axis) for axis in _AXES)
    low, high, points = (np.full(shape, -9, dtype=np.int8) for _ in range(3))
    there = np.zeros(shape, dtype=bool)
    for place in product(*(range(size) for size in shape)):
        composition, echogenicity, form, margin, foci = (axis[at] for axis, at in zip(_AXES, place, strict=True))
        nodule = Nodule(str(composition), str(echogenicity), str(form), str(margin), frozenset(foci))
        given = system.rule(nodule)
        low[place], high[place] = system.rank(given.low), system.rank(given.high)
        points[place] = -9 if given.points is None else given.points
        there[place] = nodule.echogenicity != "anechoic" or nodule.composition in WITHOUT_TISSUE
    return _Possible(low, high, points, there)


def _range(system: System, *places: tuple[int, ...]) -> tuple[int, int, int | None, int | None]:
    """Return lowest and highest level, by place, and points, of all nodules that a case may be."""
    possible = _possible(system.key)
    chosen = np.ix_(*places)
    there = possible.there[chosen]
    points = possible.points[chosen][there]
    fewest, most = int(points.min()), int(points.max())
    scored = fewest > -9
    low, high = int(possible.low[chosen][there].min()), int(possible.high[chosen][there].max())
    return low, high, fewest if scored else None, most if scored else None


def _sizes(cases: pd.DataFrame) -> list[float | None]:
    if "size_mm" not in cases.columns:
        return [None] * len(cases)
    values = pd.to_numeric(cases["size_mm"], errors="coerce")
    return [float(value) if np.isfinite(value) and value > 0 else None for value in values]


def _suggestion(system: System, low: str, high: str, size: float | None) -> Suggestion:
    found = {system.suggestion(code, size) for code in system.codes[system.rank(low) : system.rank(high) + 1]}
    return found.pop() if len(found) == 1 else "unknown"
