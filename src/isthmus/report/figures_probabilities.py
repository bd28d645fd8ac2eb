"""Flexible calibration curves, a panel an arm."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.figure_style import GREY, colour, new_figure, unit_square
from isthmus.report.reading import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 15
"""More arms no longer fit a printed page; the tables hold all."""


def draw_flexible_curves(entries: dict[str, dict[str, Any]], titles: dict[str, str], positive: str) -> "Figure":
    """Draw the observed share against the probability with its band, where probabilities were given.

    Parameters
    ----------
    entries : dict
        Arm to its entry of ``evidence["probabilities"]``, with a ``curve``.
    titles : dict
        Arm to its name as shown.
    positive : str
        The positive class as shown.
    """
    columns = {1: 1, 2: 2, 4: 2}.get(len(entries), 3 if len(entries) <= 6 else 4)
    rows = -(-len(entries) // columns)
    figure, axes = new_figure(
        2.3 * columns + 0.5, 2.55 * rows + 0.3, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    for place, (axis, (arm, entry)) in enumerate(zip(axes.flat, entries.items(), strict=False)):
        tone, curve = colour(place) if len(entries) <= 4 else colour(0), entry["curve"]
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        low, high = (np.asarray(curve[name], dtype=np.float64) for name in ("low", "high"))  # None, no limit, is NaN
        axis.fill_between(curve["predicted"], low, high, color=tone, alpha=0.18, linewidth=0)
        axis.plot(curve["predicted"], curve["observed"], color=tone, linewidth=1.9)
        axis.set_title(_wrapped(titles[arm]))
        axis.text(0.03, 0.97, f"ICI {interval(entry['ici'])}", va="top", fontsize=8.5, transform=axis.transAxes)
        unit_square(axis)
    for axis in axes.flat[len(entries) :]:
        axis.set_visible(False)
    figure.supxlabel("Probability given", fontsize=9)
    figure.supylabel(f"Share that is {positive}", fontsize=9)
    return figure


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 26))
