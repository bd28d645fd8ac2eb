"""Time-intensity curves drawn: what was measured in a clip's regions, and the bolus fitted to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from isthmus.cohort.perfusion import ViewPerfusion
from isthmus.imaging.perfusion_map import PerfusionMap
from isthmus.report.figure_style import GREY, INK, PALETTE, Drawn, new_figure, tidy
from isthmus.statistics.perfusion_features import LEAST_TISSUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN: Final = {"lesion": PALETTE[1], "ring": PALETTE[3], "tissue": PALETTE[0]}
"""Regions in a figure, and their colours; the core follows the lesion."""
ACROSS, ROWS = 3, 2
EACH: Final = ACROSS * ROWS
_WIDTH, _HEIGHT = 11.4, 2.35
_WIDTHS: Final = (2.3, 1.0) * ACROSS  # a curve and its map
_SHOWN_DB: Final = 25.0
"""Below the brightest curve; what lies lower is the dark before the agent."""
_MAP_DB: Final = 18.0


def draw_curves(views: Sequence[ViewPerfusion], number: int, of: int) -> Drawn:
    """Return the curves of at most :data:`EACH` clips, with a title and an alternative text.

    Parameters
    ----------
    views : sequence of ViewPerfusion
    number, of : int
        Which figure this is, and of how many.
    """
    rows = -(-len(views) // ACROSS)
    figure, axes = new_figure(
        _WIDTH, _HEIGHT * rows + 0.45, nrows=rows, ncols=2 * ACROSS, squeeze=False, width_ratios=_WIDTHS
    )
    for place in range(rows * ACROSS):
        curve, seen = axes.flat[2 * place : 2 * place + 2]
        seen.set_axis_off()
        if place < len(views):
            _draw(curve, views[place])
            _draw_map(seen, views[place].curves.map)
        else:
            curve.set_axis_off()
    for one in axes[:, 0]:
        one.set_ylabel("intensity, dB")
    for column in range(ACROSS):
        lowest = max((row for row in range(rows) if row * ACROSS + column < len(views)), default=None)
        if lowest is not None:
            axes[lowest, 2 * column].set_xlabel("seconds")
    handles = [
        *(axes[0, 0].plot([], [], color=colour, linewidth=1.3)[0] for colour in DRAWN.values()),
        axes[0, 0].plot([], [], "--", color=DRAWN["tissue"], linewidth=1.3)[0],
        axes[0, 0].plot([], [], ".", color=GREY, markersize=5)[0],
        axes[0, 0].plot([], [], "v", color=INK, markersize=4)[0],
    ]
    words = [*DRAWN, "tissue, too little of it gland", "measured", "peak, where it is to be trusted"]
    figure.legend(handles, words, loc="outside upper left", ncols=len(words))
    names = ", ".join(view.view_id for view in views)
    title = (
        f"Time–intensity curves, {number} of {of}: points measured, lines fitted; dB against the brightest point. "
        "Beside each, the mean of the clip around the lesion: orange its outline, blue the tissue it is compared with."
    )
    return figure, title, f"Time-intensity curves of lesion, ring and tissue in the clips {names}, and where these lie."


def _draw(axes: "Axes", view: ViewPerfusion) -> None:
    times = view.curves.times_s
    known = [values for name in DRAWN if np.isfinite(values := view.curves.means[name]).any()]
    top = max((float(np.nanmax(values)) for values in known), default=1.0)
    fine = np.linspace(times[0], times[-1], 300)
    for name, colour in DRAWN.items():
        _points(axes, times, view.curves.means[name] / top, colour)
        fit = view.fits[name]
        if np.isnan(fit.peak):
            continue
        doubted = name == "tissue" and view.curves.tissue_share < LEAST_TISSUE
        dashes = "--" if doubted else "-"
        axes.plot(fine, _decibels(fit.curve(fine) / top), dashes, color=colour, linewidth=1.3)
        if not doubted and not {"peak", "peak_time_s"} & set(fit.doubts):
            at = fit.values["peak_time_s"]
            height = _decibels(fit.curve([at]) / top)
            axes.plot([at], height + 1.2, "v", color=colour, markeredgecolor=INK, markeredgewidth=0.5, markersize=5)
    axes.set_ylim(-_SHOWN_DB, 3.5)
    axes.set_xlim(times[0], times[-1])
    axes.set_title(f"{view.view_id} · {view.nodule_id}", fontsize=9)
    tidy(axes, grid="y")


def _draw_map(axes: "Axes", seen: PerfusionMap) -> None:
    level = _decibels(seen.level / max(float(np.quantile(seen.level, 0.98)), 1e-12))  # letters may be brighter
    axes.imshow(level, cmap="gray", vmin=-_MAP_DB, vmax=0.0, interpolation="nearest")
    blue = np.zeros((*seen.tissue.shape, 4))
    blue[seen.tissue] = (*_rgb(DRAWN["tissue"]), 0.45)
    axes.imshow(blue, interpolation="nearest")
    axes.contour(seen.lesion.astype(float), levels=[0.5], colors=[DRAWN["lesion"]], linewidths=1.2)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _points(axes: "Axes", times: np.ndarray, shares: np.ndarray, colour: str) -> None:
    levels = _decibels(shares)
    axes.plot(times, levels, ".", color=colour, markersize=3.6, alpha=0.5, markeredgewidth=0)


def _decibels(shares: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(10.0 * np.log10(np.maximum(shares, 1e-9)))
