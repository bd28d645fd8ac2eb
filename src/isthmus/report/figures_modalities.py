"""The figure of arms of several modalities: the AUC with each subset of them."""

from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, INK, colour, new_figure, tidy
from isthmus.report.reading import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_subsets(arms: dict[str, list[dict[str, Any]]]) -> "Figure":
    """Draw a panel an arm: a row a subset, its AUC with its interval, the whole set in colour.

    Parameters
    ----------
    arms : dict
        Shown name to entries with ``words``, ``n``, ``auc`` and whether it is the ``whole``, in order.
    """
    rows = [len(entries) + 0.5 for entries in arms.values()]
    figure, axes = new_figure(
        6.4, 0.34 * sum(rows) + 0.5 * len(rows) + 0.6, nrows=len(rows), squeeze=False, sharex=True, height_ratios=rows
    )
    lows = [entry["auc"]["low"] for entries in arms.values() for entry in entries if entry["auc"]["low"] is not None]
    for axis, (title, entries) in zip(axes[:, 0], arms.items(), strict=True):
        for place, entry in enumerate(entries):
            auc, whole = entry["auc"], entry["whole"]
            tone = colour(0) if whole else INK
            if auc["low"] is not None:
                axis.plot([auc["low"], auc["high"]], [place, place], color=tone, linewidth=1.6 if whole else 1.1)
            axis.plot([auc["estimate"]], [place], "s" if whole else "o", color=tone, markersize=5)
            words = f"{number(auc['estimate'], 2)}   n = {entry['n']}"
            axis.text(1.02, place, words, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color=GREY)
        axis.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        axis.set_yticks(range(len(entries)), [entry["words"] for entry in entries])
        axis.set_ylim(len(entries) - 0.5, -0.5)
        axis.set_xlim(max(0.0, min([0.45, *lows]) - 0.02), 1.0)
        axis.set_title(title)
        tidy(axis, grid="x")
    axes[-1, 0].set_xlabel("AUC")
    return figure
