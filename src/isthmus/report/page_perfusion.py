"""The perfusion of a cohort's clips as a page: curves, features, and what could not be measured."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.perfusion import CohortPerfusion, ViewPerfusion
from isthmus.imaging.intensity_curves import MOST_HZ
from isthmus.imaging.lesion_regions import REACH, RING
from isthmus.imaging.perfusion_map import ENHANCING_DB, UNENHANCED_DB
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
from isthmus.report.reading import count, plural
from isthmus.statistics.perfusion_features import FEATURES, LEAST_TISSUE

MOST_DRAWN: Final = 24
_SHOWN: Final[Mapping[str, tuple[str, int]]] = {
    "peak_ratio_db": ("Peak, dB", 1),
    "arrival_delay_s": ("Arrival, s", 1),
    "time_to_peak_ratio": ("Time to peak, ratio", 2),
    "wash_in_ratio": ("Wash-in, ratio", 2),
    "wash_out_ratio": ("Wash-out, ratio", 2),
    "mean_transit_ratio": ("Mean transit, ratio", 2),
    "ring_db": ("Ring, dB", 1),
    "unenhanced_share": ("Dark core, share", 2),
}
"""The columns of the table by clip: each feature's heading and decimals."""


def drawn_views(measured: CohortPerfusion) -> list[ViewPerfusion]:
    """Return the clips whose curves are drawn: all of a few, an even sample of many."""
    return even_sample(measured.views, MOST_DRAWN)


def render_perfusion(
    cohort: Cohort, measured: CohortPerfusion, figures: Sequence[FigureFile], dynamic_range_db: float
) -> str:
    """Return the page's HTML with the figures inside."""
    return render_measurement(
        cohort.name,
        cohort.simulated,
        Words(
            subject="Perfusion",
            title="Perfusion in contrast-enhanced clips",
            question="How bright each lesion, its ring and the tissue beyond become, when, and how fast it goes again. "
            "No label was looked at.",
            drawn="Curves",
            kept="Every feature stands in perfusion.csv, every curve with its fit in curves.json.",
        ),
        perfusion_sentences(measured),
        figures,
        _tables(measured),
        _methods(measured, dynamic_range_db),
    )


def perfusion_sentences(measured: CohortPerfusion) -> list[str]:
    """Return in words how many clips were measured, and how many of them in full."""
    views, all_views = len(measured.views), len(measured.views) + len(measured.refused)
    found = [f"{count(views)} of {plural(all_views, 'contrast-enhanced clip')} could be measured."]
    if measured.refused:
        found.append(f"{plural(len(measured.refused), 'clip')} could not; each is listed below with the reason.")
    if not views:
        return found
    whole = sum(not view.features.doubts for view in measured.views)
    found.append(
        f"All {len(FEATURES)} features are known in {count(whole)}; in {count(views - whole)} some are left blank, "
        "since the clip does not show them."
        if whole < views
        else f"All {len(FEATURES)} features are known in each."
    )
    if len(drawn_views(measured)) < views:
        found.append(f"{len(drawn_views(measured))} clips, evenly chosen, are drawn; curves.json holds all.")
    return found


def _tables(measured: CohortPerfusion) -> list[tuple[str, str, str, Table]]:
    """Return heading, introduction, heading of the first column and table."""
    return [
        (
            "Features",
            "Over the clips in which they are known.",
            "Feature",
            feature_table(measured.table, FEATURES, "Clips"),
        ),
        (
            "By clip",
            "Lesion against tissue, ring against the brighter of core and tissue. – is not known.",
            "Clip",
            _view_table(measured.views),
        ),
        ("Left blank, and why", "", "Reason", _reason_table(measured.views)),
        ("Not measured", "", "Clip", refused_table(measured.refused, "perfusion.csv")),
    ]


def _view_table(views: Sequence[ViewPerfusion]) -> Table:
    rows = []
    for view in views[:LISTED]:
        values = view.features.values
        seconds = float(view.curves.times_s[-1] - view.curves.times_s[0])
        fit = f"{known(view.fits['lesion'].r2)} / {known(view.fits['tissue'].r2)}"
        cells = [Cell(known(values[name], digits)) for name, (_, digits) in _SHOWN.items()]
        rows.append(Row(view.view_id, [Cell(view.nodule_id), Cell(f"{seconds:.0f}"), *cells, Cell(fit)]))
    headings = ["Nodule", "Seconds", *(heading for heading, _ in _SHOWN.values()), "R², lesion / tissue"]
    more = len(views) - LISTED
    notes = [f"{count(more)} more are in perfusion.csv."] if more > 0 else []
    return Table("", headings, rows, notes)


def _reason_table(views: Sequence[ViewPerfusion]) -> Table:
    clips: Counter[str] = Counter()
    features: dict[str, set[str]] = {}
    for view in views:
        for reason, names in view.reasons().items():
            words = _without_share(reason)
            clips[words] += 1
            features.setdefault(words, set()).update(names)
    rows = [
        Row(reason, [Cell(count(number_of)), Cell(", ".join(name for name in FEATURES if name in features[reason]))])
        for reason, number_of in clips.most_common()
    ]
    return Table("", ["Clips", "Features"], rows)


def _without_share(reason: str) -> str:
    """Return a reason without the percentage of one clip, so that clips can be counted by it."""
    if reason.startswith("only "):
        return f"less than {LEAST_TISSUE:.0%} of the surroundings enhance as gland"
    region, _, rest = reason.partition(": ")
    return f"{region}: white pixels, beyond the display" if "is white" in rest else reason


def _methods(measured: CohortPerfusion, dynamic_range_db: float) -> list[str]:
    used = sorted({view.curves.dynamic_range_db for view in measured.views} or {dynamic_range_db})
    boxes = sum(view.curves.outline == "box" for view in measured.views)
    lines = [
        "Grey values are made linear before they are averaged: intensity = 10^((grey / 255 − 1) · D / 10), with a "
        f"display of D = {' and '.join(f'{value:g}' for value in used)} dB. The file does not tell D; where it is "
        "wrong, all decibels are too large or too small by its ratio, and times hardly change.",
        f"Lesion: the outline. Ring: {RING:g} radii to either side of it. Core: what lies deeper. Tissue: of what lies "
        f"within {REACH:g} radii beyond the ring, the cells within {-ENHANCING_DB:g} dB of the brightest, "
        "without what is bright from the start (letters) and what fills seconds before the others (arteries).",
        "Curve: baseline + peak · exp(−ln(x)² / 2σ²), x = (t − delay) / mode: the lognormal bolus of Strouthos et al. "
        "(2010), by least squares weighted for speckle. Arrival is at a tenth of the peak.",
        "A value is left blank where the clip ends before it can be read, begins too late for it, or its standard "
        "error is half of it or more. Frames share speckle, so standard errors are lower limits.",
        f"Dark core: share of the core {-UNENHANCED_DB:g} dB or more below the lesion's brighter fifth, over the clip.",
        f"At most {MOST_HZ:g} frames a second are read. No label was used.",
    ]
    if boxes:
        lines.append(f"{plural(boxes, 'clip')} had a box and no mask: the ellipse in the box was taken for the lesion.")
    return lines


def summary_facts(measured: CohortPerfusion, table: pd.DataFrame) -> dict[str, Any]:
    """Return the counts and medians that the command prints."""
    medians = table[list(FEATURES)].median()
    return {
        "measured": len(measured.views),
        "in_full": sum(not view.features.doubts for view in measured.views),
        "refused": {view: why for view, (_, why) in measured.refused.items()},
        "medians": {name: None if pd.isna(value) else float(value) for name, value in medians.items()},
    }
