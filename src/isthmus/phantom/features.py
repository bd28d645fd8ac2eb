"""The terms of label models: what of a nodule and its patient speaks for or against a class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One term of a label model.

    Parameters
    ----------
    columns : tuple of str
        What it is computed from.
    value : callable
        From these columns, as arrays, to the term [n].
    """

    columns: tuple[str, ...]
    value: Callable[..., Numbers]


def _as_is(column: str) -> Feature:
    return Feature((column,), lambda values: values)


def _present(column: str) -> Feature:
    return Feature((column,), lambda values: (values > 0).astype(np.float64))


FEATURES: Final[Mapping[str, Feature]] = {
    "log_size": Feature(("size_mm",), lambda mm: np.log(mm / 15)),
    "height_to_width": Feature(("height_to_width",), lambda ratio: (ratio - 0.85) / 0.2),
    "solid": Feature(("cystic_fraction",), lambda fluid: 1 - fluid),
    "hypoechogenicity": Feature(("contrast_db",), lambda db: -db / 5),
    "irregularity": Feature(("irregularity",), lambda amplitude: amplitude / 0.1),
    "blurred_edge": Feature(("edge_mm",), lambda mm: np.log(mm / 0.5)),
    "halo": _present("halo"),
    "macrocalcifications": _present("macrocalcifications"),
    "rim_calcification": _present("rim_calcification"),
    "comet_tails": _present("comet_tails"),
    "punctate_transverse": Feature(("punctate_transverse",), np.log1p),
    "punctate_longitudinal": Feature(("punctate_longitudinal",), np.log1p),
    "punctate_elsewhere": Feature(("punctate_elsewhere",), np.log1p),
    "log_stiffness": Feature(("stiffness_kpa",), lambda kpa: np.log(kpa / 30)),
    "central_vessels": _as_is("vessels_central"),
    "peripheral_vessels": _as_is("vessels_peripheral"),
    "late_arrival": _as_is("arrival_s"),
    "hypoenhancement": Feature(("peak_db",), lambda db: -db / 4),
    "log_washout": Feature(("washout",), np.log),
    "rim_enhancement": _as_is("rim_enhancement"),
    "core_deficit": _as_is("core_deficit"),
    "age": Feature(("age_years",), lambda years: (years - 50) / 10),
    "male": Feature(("sex",), lambda sex: (sex == "M").astype(np.float64)),
}
"""The terms a preset may use. Age and sex are in no picture."""
