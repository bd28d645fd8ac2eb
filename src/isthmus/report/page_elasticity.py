"""The stiffness of a cohort's elastograms as a page: maps read back, features, what could not be measured."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.elasticity import CohortElasticity, ViewElasticity
from isthmus.imaging.elasticity import FARTHEST, GREYEST
from isthmus.imaging.lesion_regions import REACH, RING
from isthmus.report.figure_style import FigureFile
from isthmus.report.page_measurement import (
    Words,
    box_sentences,
    counted_sentences,
    drawn_sentences,
    feature_table,
    known,
    measurement_tables,
    reason_table,
    render_measurement,
    view_table,
)
from isthmus.report.page_tables import Cell, Table
from isthmus.report.reading import count, number
from isthmus.statistics.elasticity_features import CAPPED, FEATURES, LEAST_FILLED, MOST_CAPPED

WORDS: Final = Words(
    subject="Elasticity",
    title="Stiffness in shear-wave elastograms",
    question="How stiff each lesion, its ring and the tissue beyond are, read back from the colours. "
    "No label was looked at.",
    drawn="Maps",
    kept="Every feature stands in elasticity.csv.",
    picture="picture",
    table="elasticity.csv",
)
_SHOWN: Final[Mapping[str, tuple[str, int]]] = {
    "lesion_mean_kpa": ("Lesion, mean", 1),
    "lesion_max_kpa": ("Stiffest", 1),
    "lesion_sd_kpa": ("SD", 1),
    "ring_mean_kpa": ("Ring, mean", 1),
    "tissue_mean_kpa": ("Tissue, mean", 1),
    "ratio": ("Lesion / tissue", 2),
    "ring_ratio": ("Ring / tissue", 2),
    "filled_share": ("With colour, share", 2),
    "capped_share": ("At the scale's end, share", 2),
}
"""The columns of the table by picture: each feature's heading and decimals."""


def render_elasticity(
    cohort: Cohort, measured: CohortElasticity, figures: Sequence[FigureFile], against: Mapping[str, Any] | None
) -> str:
    """Return the page's HTML with the figures inside; ``against`` is :func:`against_truth` of a simulated cohort."""
    return render_measurement(
        cohort.name,
        cohort.simulated,
        WORDS,
        [*elasticity_sentences(measured), *([] if against is None else truth_sentences(against))],
        figures,
        _tables(measured),
        _methods(measured),
    )


def elasticity_sentences(measured: CohortElasticity) -> list[str]:
    """Return in words how many pictures were measured, and of how many the scale ends too low."""
    found = counted_sentences(measured, WORDS, "elastogram", "could be read back into kilopascal")
    blank = sum(bool(view.features.doubts) for view in measured.views)
    if blank:
        found.append(
            f"In {count(blank)} some features are left blank, since too little of a region has colour or "
            "the tissue is beyond the scale."
        )
    capped = sum("lesion_mean_kpa" in view.features.at_least for view in measured.views)
    if capped:
        found.append(f"In {count(capped)} the lesion is stiffer than the scale shows: its mean is a lower limit.")
    return [*found, *drawn_sentences(measured, WORDS)]


def against_truth(measured: CohortElasticity, nodules: pd.DataFrame) -> dict[str, Any] | None:
    """Return how the lesions' means differ from the stiffness that a simulation set; None where none can be compared.

    Parameters
    ----------
    measured : CohortElasticity
    nodules : DataFrame
        ``nodule_id, stiffness_kpa``: :attr:`isthmus.report.truth.Truth.nodules`.
    """
    if "stiffness_kpa" not in nodules:
        return None
    table = measured.table
    table = table[table["lesion_mean_kpa"].notna() & ~table["at_least"].str.contains("lesion_mean_kpa")]
    joined = table.merge(nodules[["nodule_id", "stiffness_kpa"]], on="nodule_id")
    if len(joined) < 2:
        return None
    found, true = joined["lesion_mean_kpa"].to_numpy(np.float64), joined["stiffness_kpa"].to_numpy(np.float64)
    error = found - true
    return {
        "n": len(joined),
        "mean_error_kpa": float(error.mean()),
        "mean_absolute_error_kpa": float(np.abs(error).mean()),
        "median_relative_error": float(np.median(np.abs(error) / true)),
        "correlation": float(np.corrcoef(found, true)[0, 1]) if found.std() > 0 and true.std() > 0 else None,
    }


def truth_sentences(against: Mapping[str, Any]) -> list[str]:
    """Return in words how near the truth of the simulation the lesions' means came."""
    joined = "" if against["correlation"] is None else f", correlation {number(against['correlation'])}"
    return [
        f"Against the stiffness that the simulation set, of {count(against['n'])} lesions that the scale holds: mean "
        f"absolute error {number(against['mean_absolute_error_kpa'], 1)} kPa (mean error "
        f"{number(against['mean_error_kpa'], 1)} kPa, median relative error "
        f"{against['median_relative_error']:.0%}{joined}). The map's own noise and resolution are part of it."
    ]


def _tables(measured: CohortElasticity) -> list[tuple[str, str, str, Table]]:
    note = f"Less than {LEAST_FILLED:.0%} of the region has colour; for ratios also: more than {MOST_CAPPED:.0%} of "
    regions = reason_table(
        measured,
        WORDS,
        FEATURES,
        lambda reason: reason.partition(":")[0],
        [f"{note}the tissue’s colour is at the scale’s end."],
    )
    return measurement_tables(
        measured,
        WORDS,
        feature_table(measured.table, WORDS, FEATURES),
        view_table(measured, WORDS, [*(heading for heading, _ in _SHOWN.values()), "Scale", "Opacity"], _cells),
        "kPa. – is not known; ≥ is a lower limit.",
        regions,
        "Region",
    )


def _cells(view: ViewElasticity) -> list[Cell]:
    shown = [
        ("≥ " if name in view.features.at_least else "") + known(view.features.values[name], digits)
        for name, (_, digits) in _SHOWN.items()
    ]
    scale = " to ".join(f"{end:g}" for end in view.seen.range_kpa)
    return [Cell(text) for text in (*shown, scale, f"{view.seen.opacity:.2f}")]


def _methods(measured: CohortElasticity) -> list[str]:
    boxes = sum(view.seen.outline == "box" for view in measured.views)
    return [
        "The colour bar is found on the screen; its foot and head stand for what swe_range_kpa in views.csv says, or "
        "--range-kpa. The numbers beside the bar are not read.",
        "pixel = (1 − a) · grey + a · colour. The opacity a is one a picture and is found: that at which the coloured "
        "pixels come nearest to mixtures of the bar's colours with greys. Then each pixel takes the value of the "
        "nearest mixture in CIELAB.",
        f"A pixel is not the map's where it is greyer than a chroma of {GREYEST:g}, or farther than {FARTHEST:g} from "
        "every mixture: fluid, calipers, letters.",
        f"Lesion: the outline. Ring: {RING:g} radii to either side of it. Tissue: what lies within {REACH:g} radii "
        "beyond, whatever it is: muscle and vessels too.",
        f"Colours in the upper {1 - CAPPED:.1%} of the scale are taken for its end; a mean of which more than "
        f"{MOST_CAPPED:.0%} is there is a lower limit.",
        *box_sentences(boxes, WORDS),
    ]
