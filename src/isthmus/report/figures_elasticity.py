"""Elastograms drawn: the picture as the scanner showed it, and beside it the stiffness that was read back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from isthmus.cohort.elasticity import ViewElasticity
from isthmus.imaging.lesion_regions import regions_of
from isthmus.report.figure_style import PALETTE, Drawn, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

ACROSS, ROWS = 3, 2
EACH: Final = ACROSS * ROWS
_WIDTH, _HEIGHT = 11.4, 2.2
_LESION, _TISSUE = PALETTE[1], PALETTE[5]
_MAP: Final = "viridis"
"""Its lightness rises evenly with the stiffness, which a scanner's rainbow does not."""


def draw_maps(views: Sequence[ViewElasticity], number: int, of: int) -> Drawn:
    """Return the elastograms of at most :data:`EACH` pictures, with a title and an alternative text.

    Parameters
    ----------
    views : sequence of ViewElasticity
    number, of : int
        Which figure this is, and of how many.
    """
    rows = -(-len(views) // ACROSS)
    figure, axes = new_figure(_WIDTH, _HEIGHT * rows + 0.35, nrows=rows, ncols=2 * ACROSS, squeeze=False)
    top = _top(views)
    drawn = None
    for place in range(rows * ACROSS):
        picture, seen = axes.flat[2 * place : 2 * place + 2]
        for one in (picture, seen):
            one.set_axis_off()
        if place < len(views):
            view = views[place]
            picture.imshow(view.picture, interpolation="nearest")
            picture.set_title(f"{view.view_id} · {view.nodule_id}", fontsize=9)
            drawn = _draw_map(seen, view, top)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes.ravel().tolist(), label="kPa", shrink=0.8, aspect=30, pad=0.01)
    names = ", ".join(view.view_id for view in views)
    title = (
        f"Elastograms, {number} of {of}: as the scanner showed them, and the kilopascal read back, on one scale. "
        "Orange: the lesion; pale blue: the tissue that it is compared with; white: no colour of the map."
    )
    return figure, title, f"Elastograms of the pictures {names}, each beside the stiffness read back from its colours."


def _top(views: Sequence[ViewElasticity]) -> float:
    """Return what the brightest colour stands for: nearly the stiffest pixel of any."""
    highest = [float(np.nanquantile(view.seen.kpa, 0.99)) for view in views if np.isfinite(view.seen.kpa).any()]
    return max([1.0, *highest])


def _draw_map(axes: "Axes", view: ViewElasticity, top: float) -> "AxesImage":
    drawn = axes.imshow(view.seen.kpa, cmap=_MAP, vmin=0.0, vmax=top, interpolation="nearest")
    for mask, colour in ((view.seen.lesion, _LESION), (regions_of(view.seen.lesion)["tissue"], _TISSUE)):
        axes.contour(mask.astype(float), levels=[0.5], colors=[colour], linewidths=1.0)
    mean = view.features.values["lesion_mean_kpa"]
    sign = "≥ " if "lesion_mean_kpa" in view.features.at_least else ""
    axes.set_title("–" if np.isnan(mean) else f"lesion {sign}{mean:.0f} kPa", fontsize=9)
    return drawn
