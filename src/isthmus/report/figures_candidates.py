"""The ROC curves of an arm's candidates."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.figure_style import GREY, PALE, colour, new_figure, unit_square
from isthmus.report.reading import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_candidates(arms: dict[str, dict[str, Any]], split: str) -> "Figure":
    """Draw a panel an arm: the curve of the chosen candidate in colour, the others pale behind it.

    Parameters
    ----------
    arms : dict
        As ``candidate_evidence`` gives them.
    split : str
        ``cv`` or ``test``.
    """
    columns = min(len(arms), 3)
    rows = -(-len(arms) // columns)
    figure, axes = new_figure(
        2.9 * columns + 0.3, 3.1 * rows + 0.3, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    grid = np.linspace(0, 1, 101)
    for place, (axis, arm) in enumerate(zip(axes.flat, arms.values(), strict=False)):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        ordered = sorted(arm["candidates"], key=lambda name: (name == arm["chosen"], name))
        for name in ordered:
            chosen = name == arm["chosen"]
            curve = arm["candidates"][name]["roc"][split]
            axis.plot(grid, curve, color=colour(place) if chosen else PALE, linewidth=2.2 if chosen else 1.2)
        listed = sorted(arm["candidates"], key=lambda name: -(arm["candidates"][name]["auc"][split]["estimate"] or 0.0))
        for line, name in enumerate(reversed(listed)):
            words = f"{name}  {number(arm['candidates'][name]['auc'][split]['estimate'], 3)}"
            tone, weight = (colour(place), "bold") if name == arm["chosen"] else (GREY, "normal")
            axis.text(
                0.98, 0.04 + 0.075 * line, words, ha="right", va="bottom", fontsize=7.5, color=tone, weight=weight
            )
        axis.set_title(fill(arm["title"], 30))
        unit_square(axis)
    for axis in axes.flat[len(arms) :]:
        axis.set_visible(False)
    figure.supxlabel("1 − specificity", fontsize=9)
    figure.supylabel("Sensitivity", fontsize=9)
    return figure
