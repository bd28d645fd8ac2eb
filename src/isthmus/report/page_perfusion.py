"""The perfusion of a cohort's clips as a page: curves, features, and what could not be measured."""

from collections.abc import Mapping, Sequence
from typing import Final

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.perfusion import CohortPerfusion, ViewPerfusion
from isthmus.imaging.intensity_curves import MOST_HZ
from isthmus.imaging.lesion_regions import REACH, RING
from isthmus.imaging.perfusion_map import ENHANCING_DB, UNENHANCED_DB
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
from isthmus.report.reading import count
from isthmus.statistics.perfusion_features import FEATURES, LEAST_TISSUE

WORDS: Final = Words(
    subject="Perfusion",
    title="Perfusion in contrast-enhanced clips",
    question="How bright each lesion, its ring and the tissue beyond become, when, and how fast it goes again. "
    "No label was looked at.",
    drawn="Curves",
    kept="Every feature stands in perfusion.csv, every curve with its fit in curves.json.",
    picture="clip",
    table="perfusion.csv",
)
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


def render_perfusion(
    cohort: Cohort, measured: CohortPerfusion, figures: Sequence[FigureFile], dynamic_range_db: float
) -> str:
    """Return the page's HTML with the figures inside."""
    return render_measurement(
        cohort.name,
        cohort.simulated,
        WORDS,
        perfusion_sentences(measured),
        figures,
        _tables(measured),
        _methods(measured, dynamic_range_db),
    )


def perfusion_sentences(measured: CohortPerfusion) -> list[str]:
    """Return in words how many clips were measured, and how many of them in full."""
    views = len(measured.views)
    found = counted_sentences(measured, WORDS, "contrast-enhanced clip", "could be measured")
    if not views:
        return found
    whole = sum(not view.features.doubts for view in measured.views)
    found.append(
        f"All {len(FEATURES)} features are known in {count(whole)}; in {count(views - whole)} some are left blank, "
        "since the clip does not show them."
        if whole < views
        else f"All {len(FEATURES)} features are known in each."
    )
    return [*found, *drawn_sentences(measured, WORDS, "; curves.json holds all")]


def _tables(measured: CohortPerfusion) -> list[tuple[str, str, str, Table]]:
    columns = ["Seconds", *(heading for heading, _ in _SHOWN.values()), "R², lesion / tissue"]
    return measurement_tables(
        measured,
        WORDS,
        feature_table(measured.table, WORDS, FEATURES),
        view_table(measured, WORDS, columns, _cells),
        "Lesion against tissue, ring against the brighter of core and tissue. – is not known.",
        reason_table(measured, WORDS, FEATURES, _without_share),
        "Reason",
    )


def _cells(view: ViewPerfusion) -> list[Cell]:
    seconds = float(view.curves.times_s[-1] - view.curves.times_s[0])
    fit = f"{known(view.fits['lesion'].r2)} / {known(view.fits['tissue'].r2)}"
    shown = (known(view.features.values[name], digits) for name, (_, digits) in _SHOWN.items())
    return [Cell(text) for text in (f"{seconds:.0f}", *shown, fit)]


def _without_share(reason: str) -> str:
    """Return a reason without the percentage of one clip, so that clips can be counted by it."""
    if reason.startswith("only "):
        return f"less than {LEAST_TISSUE:.0%} of the surroundings enhance as gland"
    region, _, rest = reason.partition(": ")
    return f"{region}: white pixels, beyond the display" if "is white" in rest else reason


def _methods(measured: CohortPerfusion, dynamic_range_db: float) -> list[str]:
    used = sorted({view.curves.dynamic_range_db for view in measured.views} or {dynamic_range_db})
    boxes = sum(view.curves.outline == "box" for view in measured.views)
    return [
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
        *box_sentences(boxes, WORDS),
    ]
