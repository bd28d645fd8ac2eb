"""The nomogram of a clinical model: points of each characteristic, and the risk that their sum stands for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor, log, log10
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.report.clinical_model import ClinicalModel
from isthmus.report.clinical_terms import Term
from isthmus.report.reading import count
from isthmus.statistics.calibration import LogisticCalibration

RISKS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
FULL: Final = 100.0
"""Points of the characteristic that moves the risk most, from one end of its scale to the other."""
_WANTED = 10
_FEWEST_RISKS = 4


@dataclass(frozen=True)
class Mark:
    """A mark of a scale: its label and where it stands, in points."""

    label: str
    points: float


@dataclass(frozen=True)
class Scale:
    """The scale of one characteristic."""

    column: str
    title: str
    kind: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Nomogram:
    """A model to be read with a ruler.

    Parameters
    ----------
    scales : tuple of Scale
        The characteristics; each case has one place on each, and its points are added.
    risk : tuple of Mark
        Risks, each at the sum of points that it stands for.
    most : float
        The largest sum.
    calibrated : bool
        Whether the risks are those after the arm's calibration.
    """

    scales: tuple[Scale, ...]
    risk: tuple[Mark, ...]
    most: float
    calibrated: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Nomogram":
        """Return the nomogram that `to_json` wrote."""
        scales = tuple(Scale(**{**scale, "marks": _marks(scale["marks"])}) for scale in fields["scales"])
        return cls(scales, _marks(fields["risk"]), float(fields["most"]), bool(fields["calibrated"]))


def nomogram(model: ClinicalModel, calibration: LogisticCalibration | None = None) -> Nomogram:
    """Return the nomogram of a model.

    Parameters
    ----------
    model : ClinicalModel
    calibration : LogisticCalibration, optional
        Of the arm, as frozen: then the risks are calibrated ones.

    Raises
    ------
    InputError
        When no characteristic moves the risk.

    Notes
    -----
    On each scale the points are the log odds above its lowest place, times one factor: 100 points are the widest
    scale. A numeric scale reaches from the lowest to the highest training case, rounded outwards.

    Source: as R `rms::nomogram(lrm(...), fun = plogis)` (F. Harrell, Regression Modeling Strategies, 2nd edition 2015,
    section 5.3), marks by R `pretty(range, 10)`.
    """
    places: list[tuple[Term, list[str], NDArray[np.float64]]] = []
    start = 0
    for term in model.terms:
        size = len(term.names)
        places.append((term, *_log_odds(term, np.array(model.coefficients[start : start + size]))))
        start += size
    widest = max((float(np.ptp(values)) for _, _, values in places), default=0.0)
    if widest == 0:
        raise InputError("no characteristic moves the risk of this model", expected="a coefficient other than 0")
    factor = FULL / widest
    scales = tuple(
        Scale(
            term.column,
            term.title,
            term.kind,
            tuple(
                Mark(label, float(points))
                for label, points in zip(labels, (values - values.min()) * factor, strict=True)
            ),
        )
        for term, labels, values in places
    )
    lowest = model.intercept + sum(float(values.min()) for _, _, values in places)
    most = sum(max(mark.points for mark in scale.marks) for scale in scales)
    intercept, slope = (0.0, 1.0) if calibration is None else (calibration.intercept, calibration.slope)

    def sum_of(risk: float) -> float:
        return ((log(risk / (1 - risk)) - intercept) / slope - lowest) * factor

    risk = tuple(Mark(f"{risk:g}", sum_of(risk)) for risk in _risks(sum_of, most))
    return Nomogram(scales, risk, most, calibration is not None)


def _risks(sum_of: Callable[[float], float], most: float) -> list[float]:
    """Return the risks that stand on the scale: finer ones where it holds few of the usual."""
    for step in (None, 0.02, 0.005, 0.001):
        risks = RISKS if step is None else [float(f"{step * place:.3f}") for place in range(1, round(1 / step))]
        held = [risk for risk in risks if 0 <= sum_of(risk) <= most]
        if len(held) >= _FEWEST_RISKS:
            break
    return held


def _log_odds(term: Term, coefficients: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the labels of a scale's marks and the log odds at each."""
    if term.kind == "numeric":
        values = pretty(term.low, term.high, _WANTED)
        return [_number(value) for value in values], (np.array(values) - float(term.fill)) / term.per * coefficients[0]
    levels = [term.reference, *term.levels]
    return [words for _, words in levels], np.array([0.0, *coefficients])


def _number(value: float) -> str:
    return f"{value:.10g}" if abs(value) < 1000 else count(value)


def pretty(low: float, high: float, wanted: int) -> list[float]:
    """Return about so many round numbers, equally far apart, that reach from `low` or below to `high` or above.

    Source: R `pretty(c(low, high), wanted)`.

    Examples
    --------
    >>> pretty(3, 30, 10)[:3], pretty(3, 30, 10)[-1]
    ([2.0, 4.0, 6.0], 30.0)
    """
    cell = (high - low) / wanted
    base = 10.0 ** floor(log10(cell))
    unit = base
    for factor, bias in ((2, 1.5), (5, 2.75), (10, 1.5)):
        if factor * base - cell >= bias * (cell - unit):
            break
        unit = factor * base
    first, last = floor(low / unit + 1e-10), ceil(high / unit - 1e-10)
    return [float(f"{place * unit:.12g}") for place in range(first, last + 1)]


def _marks(fields: Sequence[dict[str, Any]]) -> tuple[Mark, ...]:
    return tuple(Mark(str(mark["label"]), float(mark["points"])) for mark in fields)
