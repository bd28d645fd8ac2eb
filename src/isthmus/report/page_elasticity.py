"""The stiffness of a cohort's elastograms as a page: maps read back, features, what could not be measured."""

from collections import Counter
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
    LISTED,
    Words,
    even_sample,
    feature_table,
    known,
    refused_table,
    render_measurement,
)
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, number, plural
from isthmus.statistics.elasticity_features import CAPPED, FEATURES, LEAST_FILLED, MOST_CAPPED

MOST_DRAWN: Final = 24
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


def drawn_views(measured: CohortElasticity) -> list[ViewElasticity]:
    """Return the pictures that are drawn: all of a few, an even sample of many."""
    return even_sample(measured.views, MOST_DRAWN)


def render_elasticity(
    cohort: Cohort, measured: CohortElasticity, figures: Sequence[FigureFile], against: Mapping[str, Any] | None
) -> str:
    """Return the page's HTML with the figures inside; ``against`` is :func:`against_truth` of a simulated cohort."""
    return render_measurement(
        cohort.name,
        cohort.simulated,
        Words(
            subject="Elasticity",
            title="Stiffness in shear-wave elastograms",
            question="How stiff each lesion, its ring and the tissue beyond are, read back from the colours. "
            "No label was looked at.",
            drawn="Maps",
            kept="Every feature stands in elasticity.csv.",
        ),
        [*elasticity_sentences(measured), *([] if against is None else truth_sentences(against))],
        figures,
        _tables(measured),
        _methods(measured),
    )


def elasticity_sentences(measured: CohortElasticity) -> list[str]:
    """Return in words how many pictures were measured, and of how many the scale ends too low."""
    views, all_views = len(measured.views), len(measured.views) + len(measured.refused)
    found = [f"{count(views)} of {plural(all_views, 'elastogram')} could be read back into kilopascal."]
    if measured.refused:
        found.append(f"{plural(len(measured.refused), 'picture')} could not; each is listed below with the reason.")
    blank = sum(bool(view.features.doubts) for view in measured.views)
    if blank:
        found.append(
            f"In {count(blank)} some features are left blank, since too little of a region has colour or "
            "the tissue is beyond the scale."
        )
    capped = sum("lesion_mean_kpa" in view.features.at_least for view in measured.views)
    if capped:
        found.append(f"In {count(capped)} the lesion is stiffer than the scale shows: its mean is a lower limit.")
    if len(drawn_views(measured)) < views:
        found.append(f"{len(drawn_views(measured))} pictures, evenly chosen, are drawn.")
    return found


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
    """Return heading, introduction, heading of the first column and table."""
    return [
        (
            "Features",
            "Over the pictures in which they are known.",
            "Feature",
            feature_table(measured.table, FEATURES, "Pictures"),
        ),
        ("By picture", "kPa. – is not known; ≥ is a lower limit.", "Picture", _view_table(measured.views)),
        ("Left blank, and why", "", "Region", _reason_table(measured.views)),
        ("Not measured", "", "Picture", refused_table(measured.refused, "elasticity.csv")),
    ]


def _view_table(views: Sequence[ViewElasticity]) -> Table:
    rows = []
    for view in views[:LISTED]:
        shown = [
            Cell(("≥ " if name in view.features.at_least else "") + known(view.features.values[name], digits))
            for name, (_, digits) in _SHOWN.items()
        ]
        scale = Cell(" to ".join(f"{end:g}" for end in view.seen.range_kpa))
        rows.append(Row(view.view_id, [Cell(view.nodule_id), *shown, scale, Cell(f"{view.seen.opacity:.2f}")]))
    headings = ["Nodule", *(heading for heading, _ in _SHOWN.values()), "Scale", "Opacity"]
    more = len(views) - LISTED
    return Table("", headings, rows, [f"{count(more)} more are in elasticity.csv."] if more > 0 else [])


def _reason_table(views: Sequence[ViewElasticity]) -> Table:
    pictures: Counter[str] = Counter()
    features: dict[str, set[str]] = {}
    for view in views:
        for reason, names in view.reasons().items():
            region = reason.partition(":")[0]
            pictures[region] += 1
            features.setdefault(region, set()).update(names)
    rows = [
        Row(region, [Cell(count(found)), Cell(", ".join(name for name in FEATURES if name in features[region]))])
        for region, found in pictures.most_common()
    ]
    note = f"Less than {LEAST_FILLED:.0%} of the region has colour; for ratios also: more than {MOST_CAPPED:.0%} of "
    return Table("", ["Pictures", "Features"], rows, [f"{note}the tissue’s colour is at the scale’s end."])


def _methods(measured: CohortElasticity) -> list[str]:
    boxes = sum(view.seen.outline == "box" for view in measured.views)
    lines = [
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
    ]
    if boxes:
        lines.append(
            f"{plural(boxes, 'picture')} had a box and no mask: the ellipse in the box was taken for the lesion."
        )
    return lines


def summary_facts(measured: CohortElasticity) -> dict[str, Any]:
    """Return the counts and medians that the command prints."""
    medians = measured.table[list(FEATURES)].median()
    return {
        "measured": len(measured.views),
        "in_full": sum(not view.features.doubts for view in measured.views),
        "refused": {view: why for view, (_, why) in measured.refused.items()},
        "medians": {name: None if pd.isna(value) else float(value) for name, value in medians.items()},
    }
