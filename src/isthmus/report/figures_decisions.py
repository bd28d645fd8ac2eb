"""The figure of calls in a clinic: cases missed and needless actions of 1,000 patients, an arm a row."""

from typing import TYPE_CHECKING, Any

from isthmus.report.decision_words import Words
from isthmus.report.figure_style import GREY, colour, new_figure, tidy
from isthmus.report.reading import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_per_thousand(numbers: dict[str, dict[str, Any]], prevalence: float, words: Words) -> "Figure":
    """Draw what is missed beside what is needless, with intervals; the dashed lines are acting on nobody and on all.

    Parameters
    ----------
    numbers : dict
        Arm as shown to its numbers per 1,000.
    prevalence : float
    words : Words
    """
    figure, axes = new_figure(
        7.2, 1.0 + (0.3 if len(numbers) <= 6 else 0.24) * len(numbers), ncols=2, sharey=True, squeeze=False
    )
    panels = (
        ("missed", f"{words.cases.capitalize()} missed", 1000 * prevalence, f"all {words.cases}"),
        ("needless", words.needless.capitalize(), 1000 * (1 - prevalence), words.others),
    )
    for axis, (name, heading, most, label) in zip(axes[0], panels, strict=True):
        for row, entry in enumerate(numbers.values()):
            value = entry[name]
            if value["estimate"] is None:
                continue
            axis.plot([value["low"], value["high"]], [row, row], color=colour(0), linewidth=1.8, solid_capstyle="butt")
            axis.plot(value["estimate"], row, "o", color=colour(0), markersize=5, clip_on=False)
        axis.axvline(most, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
        axis.set_xlim(0, most * 1.02)
        axis.set_title(heading)
        axis.set_xlabel(f"of 1,000 patients; dashed: {label}, {count(round(most))}")
        tidy(axis, grid="x")
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    axes[0, 0].set_yticks(range(len(numbers)), list(numbers))
    axes[0, 0].set_ylim(len(numbers) - 0.4, -0.6)
    return figure
