"""The precision-recall figure."""

from textwrap import fill
from typing import TYPE_CHECKING

from isthmus.report.curves import PrecisionRecallSummary
from isthmus.report.figure_style import GREY, PALE, colour, new_figure, unit_square
from isthmus.report.reading import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW = 4  # arms up to which each has its own colour


def draw_precision_recall(
    curves: dict[str, PrecisionRecallSummary], titles: dict[str, str], texts: dict[str, str]
) -> "Figure":
    """Draw each arm's precision against recall with its band; folds are thin lines, the prevalence is dashed.

    Parameters
    ----------
    curves : dict
        Arm to curve.
    texts : dict
        Arm to its average precision as printed inside the panel.
    """
    columns = {1: 1, 2: 2, 4: 2}.get(len(curves), 3 if len(curves) <= 6 else 4)
    rows = -(-len(curves) // columns)
    figure, axes = new_figure(
        2.45 * columns + 0.3, 2.62 * rows + 0.35, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    for place, (axis, (arm, curve)) in enumerate(zip(axes.flat, curves.items(), strict=False)):
        tone = colour(place if len(curves) <= _FEW else 0)
        for fold in curve.folds:
            axis.plot(curve.recall, fold, color=PALE, linewidth=0.6)
        axis.fill_between(curve.recall, curve.low, curve.high, color=tone, alpha=0.18, linewidth=0)
        axis.plot(curve.recall, curve.mean, color=tone, linewidth=1.9)
        axis.axhline(curve.chance, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        words = f"chance {number(curve.chance)}"
        axis.text(0.02, curve.chance - 0.02, words, ha="left", va="top", fontsize=8, color=GREY)
        axis.text(0.97, 0.05, f"AP {texts[arm]}", ha="right", va="bottom", fontsize=8.5, transform=axis.transAxes)
        axis.set_title(fill(titles.get(arm, arm), 26))
        unit_square(axis)
    for axis in axes.flat[len(curves) :]:
        axis.set_visible(False)
    figure.supxlabel("Recall (sensitivity)", fontsize=9)
    figure.supylabel("Precision (PPV at this prevalence)", fontsize=9)
    return figure
