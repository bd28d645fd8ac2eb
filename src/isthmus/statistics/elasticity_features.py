"""How stiff a lesion is, and how much stiffer than its surroundings: numbers from the regions of an elastogram."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final[Mapping[str, str]] = {
    "lesion_mean_kpa": "mean stiffness of the lesion, where the map has colour",
    "lesion_max_kpa": "its stiffest part: the 99th percentile, since one pixel is noise",
    "lesion_sd_kpa": "standard deviation inside the lesion",
    "ring_mean_kpa": "mean of the ring along the outline",
    "tissue_mean_kpa": "mean of the tissue beyond the ring",
    "ratio": "mean, lesion over tissue",
    "ring_ratio": "mean, ring over tissue: above the lesion's own ratio where the rim is stiffest",
    "filled_share": "share of the lesion in which the map has colour; a cyst carries no shear wave",
    "capped_share": "share of the lesion's colour that is at the scale's end",
}
"""Each feature and what it is."""
STIFFEST: Final = 0.99
LEAST_FILLED: Final = 0.2
"""Share of a region that must have colour for its mean to stand for it."""
FEWEST_PIXELS: Final = 30
CAPPED: Final = 0.985
"""From this share of the scale on a colour is taken for the scale's end, and the value for a lower limit."""
MOST_CAPPED: Final = 0.05
"""Share of a region at the scale's end beyond which its mean is a lower limit too; its maximum is from 1 % on."""
_RATIOS: Final = {"ratio": "lesion", "ring_ratio": "ring"}


@dataclass(frozen=True)
class ElasticityFeatures:
    """The vector of an elastogram.

    Where tissue lies at the scale's end its mean is a lower limit, so that a ratio over it would be an upper one of a
    soft lesion and neither of a hard one: ratios are then in doubt.

    Parameters
    ----------
    values : mapping of float
        By :data:`FEATURES`; NaN where a feature is in doubt.
    doubts : mapping of str
        Why, for each that is NaN.
    at_least : tuple of str
        Features of which the value is a lower limit, since the scale ends below.
    """

    values: Mapping[str, float]
    doubts: Mapping[str, str]
    at_least: tuple[str, ...]


def elasticity_features(kpa: Mapping[str, NDArray[np.floating]], range_kpa: tuple[float, float]) -> ElasticityFeatures:
    """Return the features of an elastogram.

    Parameters
    ----------
    kpa : mapping of float array
        The pixels of ``lesion``, ``ring`` and ``tissue``; NaN where the map has no colour.
    range_kpa : tuple of float
        The scale's ends.

    Examples
    --------
    >>> soft, hard = np.full(100, 15.0), np.full(100, 60.0)
    >>> found = elasticity_features({"lesion": hard, "ring": hard, "tissue": soft}, (0.0, 180.0))
    >>> found.values["ratio"], found.values["lesion_max_kpa"], found.at_least
    (4.0, 60.0, ())
    """
    low, high = range_kpa
    seen = {name: np.asarray(pixels[np.isfinite(pixels)], np.float64) for name, pixels in kpa.items()}
    capped = {name: _share(part >= low + CAPPED * (high - low)) for name, part in seen.items()}
    empty = {name: reason for name, part in seen.items() if (reason := _empty(name, len(part), len(kpa[name])))}
    means = {name: float("nan") if name in empty else float(part.mean()) for name, part in seen.items()}
    lesion = seen["lesion"]
    values = {
        "lesion_mean_kpa": means["lesion"],
        "lesion_max_kpa": float("nan") if "lesion" in empty else float(np.quantile(lesion, STIFFEST)),
        "lesion_sd_kpa": float("nan") if "lesion" in empty else float(lesion.std()),
        "ring_mean_kpa": means["ring"],
        "tissue_mean_kpa": means["tissue"],
        "ratio": _ratio(means["lesion"], means["tissue"]),
        "ring_ratio": _ratio(means["ring"], means["tissue"]),
        "filled_share": len(lesion) / max(len(kpa["lesion"]), 1),
        "capped_share": float("nan") if "lesion" in empty else capped["lesion"],
    }
    if capped["tissue"] > MOST_CAPPED and "tissue" not in empty:
        values |= dict.fromkeys(_RATIOS, float("nan"))
        empty |= {"tissue": f"tissue: {capped['tissue']:.0%} of its colour is at the scale's end"}
    doubts = {name: _doubt(name, empty) for name, value in values.items() if np.isnan(value)}
    limits = [name for name in FEATURES if name not in doubts and _limited(name, capped)]
    return ElasticityFeatures({name: values[name] for name in FEATURES}, doubts, tuple(limits))


def _empty(name: str, seen: int, whole: int) -> str | None:
    if seen >= max(FEWEST_PIXELS, LEAST_FILLED * whole):
        return None
    return f"{name}: {seen / max(whole, 1):.0%} of it has colour"


def _doubt(name: str, empty: Mapping[str, str]) -> str:
    regions = [_RATIOS[name], "tissue"] if name in _RATIOS else [name.partition("_")[0]]
    found = [empty[region] for region in regions if region in empty]
    return found[0] if found else empty.get("lesion", "tissue: its mean is 0")


def _limited(name: str, capped: Mapping[str, float]) -> bool:
    if name == "lesion_max_kpa":
        return capped["lesion"] > 1.0 - STIFFEST
    regions = {f"{region}_mean_kpa": region for region in capped} | {"lesion_sd_kpa": "lesion", **_RATIOS}
    return name in regions and capped[regions[name]] > MOST_CAPPED


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else float("nan")


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else 0.0
