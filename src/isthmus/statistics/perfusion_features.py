"""What a lesion's perfusion is against its surroundings: one vector of numbers from the curves of a clip's regions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from isthmus.statistics.bolus import BolusFit

FEATURES: Final[Mapping[str, str]] = {
    "lesion_peak_db": "the lesion's peak, full white 0 dB",
    "lesion_time_to_peak_s": "from the lesion's arrival to its peak",
    "lesion_wash_in": "the lesion's steepest rise, share of its peak a second",
    "lesion_wash_out": "the lesion's steepest fall, share of its peak a second",
    "lesion_mean_transit_s": "mean transit time of the lesion",
    "peak_ratio_db": "peak, lesion against tissue",
    "area_ratio_db": "area under the curve, lesion against tissue",
    "arrival_delay_s": "arrival, lesion after tissue",
    "peak_delay_s": "time of the peak, lesion after tissue",
    "time_to_peak_ratio": "time to peak, lesion over tissue",
    "wash_in_ratio": "wash-in as share of the peak, lesion over tissue",
    "wash_out_ratio": "wash-out as share of the peak, lesion over tissue",
    "mean_transit_ratio": "mean transit time, lesion over tissue",
    "enhancement_db": "mean intensity over the whole clip, lesion against tissue; needs no fit",
    "ring_db": "mean intensity over the whole clip, ring against the brighter of core and tissue; needs no fit",
    "ring_peak_db": "peak, ring against core",
    "ring_lead_s": "arrival, core after ring",
    "unenhanced_share": "share of the core that stays dark; needs no fit",
}
"""Each feature and what it is."""
LEAST_TISSUE: Final = 0.1
"""Share of the surroundings that must enhance as gland does, for the lesion to be compared with it."""
MOST_WHITE: Final = 0.05
"""Share of a region's pixels that may be at the display's upper end in one frame."""

_Transform = Callable[[float], float]
_HEIGHTS: Final = ("peak", "area")


@dataclass(frozen=True)
class PerfusionFeatures:
    """The vector of a clip.

    Parameters
    ----------
    values : mapping of float
        By :data:`FEATURES`; NaN where a feature is in doubt.
    doubts : mapping of str
        Why, for each that is NaN.
    """

    values: Mapping[str, float]
    doubts: Mapping[str, str]


def perfusion_features(
    fits: Mapping[str, BolusFit],
    whole: Mapping[str, float],
    unenhanced_share: float,
    tissue_share: float,
    saturated: Mapping[str, float],
) -> PerfusionFeatures:
    """Return the features of a clip.

    Parameters
    ----------
    fits : mapping of BolusFit
        Of ``lesion``, ``ring``, ``core`` and ``tissue``.
    whole : mapping of float
        Mean linear intensity of the same regions over the whole clip.
    unenhanced_share : float
        Share of the core that stays dark, NaN where it is not known.
    tissue_share : float
        Share of the surroundings that is the tissue compared with.
    saturated : mapping of float
        Largest share of each region's pixels that was white in a frame.
    """
    made = _Vector(fits, tissue_share, saturated)
    made.one("lesion_peak_db", "lesion", "peak", _decibels)
    made.one("lesion_time_to_peak_s", "lesion", "time_to_peak_s")
    for measure in ("wash_in", "wash_out"):
        made.one(f"lesion_{measure}", "lesion", measure)
    made.one("lesion_mean_transit_s", "lesion", "mean_transit_s")
    for measure in _HEIGHTS:
        made.two(f"{measure}_ratio_db", "lesion", "tissue", measure, _ratio_db)
    made.two("arrival_delay_s", "lesion", "tissue", "arrival_s", _difference)
    made.two("peak_delay_s", "lesion", "tissue", "peak_time_s", _difference)
    for name, measure in (("time_to_peak", "time_to_peak_s"), ("mean_transit", "mean_transit_s")):
        made.two(f"{name}_ratio", "lesion", "tissue", measure, _ratio)
    for measure in ("wash_in", "wash_out"):
        made.two(f"{measure}_ratio", "lesion", "tissue", measure, _ratio)
    made.whole("enhancement_db", whole, "lesion", ("tissue",))
    made.whole("ring_db", whole, "ring", ("core", "tissue"))
    made.two("ring_peak_db", "ring", "core", "peak", _ratio_db)
    made.two("ring_lead_s", "core", "ring", "arrival_s", _difference)
    small = "the lesion is too small for a core" if np.isnan(unenhanced_share) else None
    made.put("unenhanced_share", unenhanced_share, made.without_agent("lesion") or small)
    return PerfusionFeatures({name: made.values[name] for name in FEATURES}, made.doubts)


class _Vector:
    """A vector in the making: a value, or the reason why there is none."""

    def __init__(self, fits: Mapping[str, BolusFit], tissue_share: float, saturated: Mapping[str, float]) -> None:
        self._fits, self._tissue_share, self._saturated = fits, tissue_share, saturated
        self.values: dict[str, float] = {}
        self.doubts: dict[str, str] = {}

    def put(self, name: str, value: float, doubt: str | None) -> None:
        self.values[name] = float("nan") if doubt else float(value)
        if doubt:
            self.doubts[name] = doubt

    def one(self, name: str, region: str, measure: str, transform: _Transform | None = None) -> None:
        doubt = self._doubt(region, measure)
        value = float("nan") if doubt else self._measure(region, measure)
        self.put(name, transform(value) if transform else value, doubt)

    def two(self, name: str, a: str, b: str, measure: str, join: Callable[[float, float], float]) -> None:
        doubt = self._little_tissue(a, b) or self._doubt(a, measure) or self._doubt(b, measure)
        values = (float("nan"),) * 2 if doubt else (self._measure(a, measure), self._measure(b, measure))
        self.put(name, join(*values), doubt)

    def whole(self, name: str, means: Mapping[str, float], a: str, against: tuple[str, ...]) -> None:
        """Put a ratio of means over the clip, for which agent must have been seen in the tissue."""
        regions = (a, *against)
        doubt = self._little_tissue(*regions) or next(filter(None, map(self._white, regions)), None)
        if not doubt and np.isnan([means[region] for region in regions]).any():
            doubt = "the lesion is too small for a core"
        doubt = doubt or self.without_agent("tissue")
        self.put(name, _ratio_db(means[a], max(means[region] for region in against)), doubt)

    def without_agent(self, region: str) -> str | None:
        """Return why no curve was found in a region, or None where there is one."""
        fit = self._fits[region]
        return f"{region}: {fit.doubts['peak']}" if np.isnan(fit.peak) else None

    def _measure(self, region: str, measure: str) -> float:
        values = self._fits[region].values
        return values[measure] / (values["peak"] if measure in ("wash_in", "wash_out") else 1.0)

    def _doubt(self, region: str, measure: str) -> str | None:
        found = self._fits[region].doubts.get(measure)
        if found is None and measure in _HEIGHTS:
            return self._white(region)
        return found and f"{region}: {found}"

    def _white(self, region: str) -> str | None:
        share = self._saturated[region]
        return f"{region}: {share:.0%} of it is white, beyond the display" if share > MOST_WHITE else None

    def _little_tissue(self, *regions: str) -> str | None:
        if "tissue" not in regions or self._tissue_share >= LEAST_TISSUE:
            return None
        return f"only {self._tissue_share:.0%} of the surroundings enhance as gland"


def _decibels(value: float) -> float:
    return float(10.0 * np.log10(value))


def _ratio_db(a: float, b: float) -> float:
    return float(10.0 * np.log10(a / b)) if a > 0 and b > 0 else float("nan")


def _ratio(a: float, b: float) -> float:
    return a / b


def _difference(a: float, b: float) -> float:
    return a - b
