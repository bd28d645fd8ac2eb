"""Accuracy against the share of cases that is answered, a panel an arm."""

from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, INK, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = 15
"""More arms no longer fit a printed page; the tables hold all."""


def draw_answered(entries: dict[str, dict[str, Any]], titles: dict[str, str]) -> "Figure":
    """Draw the accuracy among the surest cases, from few answered to all, and the bands that were chosen elsewhere.

    Parameters
    ----------
    entries : dict
        Arm to its entry of ``evidence["uncertainty"]``, with ``risk_coverage``.
    titles : dict
        Arm to its name as shown.
    """
    columns = {1: 1, 2: 2, 4: 2}.get(len(entries), 3 if len(entries) <= 6 else 4)
    rows = -(-len(entries) // columns)
    figure, axes = new_figure(
        2.4 * columns + 0.5, 2.2 * rows + 0.35, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    lowest = 1.0
    for place, (axis, (arm, entry)) in enumerate(zip(axes.flat, entries.items(), strict=False)):
        tone, curve = colour(place) if len(entries) <= 4 else colour(0), entry["risk_coverage"]
        # Under ten cases answered a share of them is noise.
        steady = [index for index, share in enumerate(curve["answered"]) if share >= 0.1]
        answered = [100 * curve["answered"][index] for index in steady]
        accuracy = [100 * curve["accuracy"][index] for index in steady]
        axis.axhline(100 * (1 - curve["chance"]), color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        axis.plot(answered, accuracy, color=tone, linewidth=1.9)
        lowest = min(lowest, *(value / 100 for value in accuracy), 1 - curve["chance"])
        for row in entry.get("bands", []):
            if row["accuracy"]["estimate"] is None:
                continue
            at, limits = 100 * row["answered"]["estimate"], row["accuracy"]
            axis.plot([at, at], [100 * limits["low"], 100 * limits["high"]], color=INK, linewidth=1)
            axis.plot(at, 100 * limits["estimate"], "o", markersize=4.5, color=INK)
            lowest = min(lowest, limits["low"])
        axis.set_title(_wrapped(titles[arm]))
        axis.set_xlim(101, 9)
        axis.set_xticks([100, 75, 50, 25])
        tidy(axis, grid="y")
    axes.flat[0].set_ylim(max(0, 10 * int(10 * lowest - 0.2)), 101)
    for axis in axes.flat[len(entries) :]:
        axis.set_visible(False)
    figure.supxlabel("Cases answered, the surest first, %", fontsize=9)
    figure.supylabel("Accuracy among them, %", fontsize=9)
    return figure


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, 26))
