"""The figure of heat at the lesion's edge: a row a class and arm, between the halves on the maps' grid."""

from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, PALE, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_edges(found: dict[str, dict[str, Any]], titles: dict[str, str]) -> "Figure":
    """Draw each class's mean share with its interval.

    Parameters
    ----------
    found : dict
        Arm to what :func:`isthmus.explain.edge_share.summarise_edges` says of the evidence for the class.
    titles : dict
        Arm to its name as shown.
    """
    rows = sum(len(facts["classes"]) for facts in found.values()) + len(found)
    figure, axis = new_figure(6.4, 0.3 * rows + 0.8)
    place, ticks = 0.0, []
    for arm, facts in found.items():
        axis.annotate(titles[arm], (0.0, place), xycoords=("axes fraction", "data"), fontweight="bold", va="center")
        first = place + 1
        for number, (name, own) in enumerate(facts["classes"].items()):
            share, place = own["share"], place + 1
            ticks.append((place, name))
            if share["low"] is not None:
                axis.plot([share["low"], share["high"]], [place, place], color=colour(number), linewidth=2)
            axis.plot(share["estimate"], place, "o", color=colour(number), markersize=5)
        low, high = facts["centre_on_grid"], facts["edge_on_grid"]
        axis.fill_betweenx([first - 0.4, place + 0.4], low, high, color=PALE, alpha=0.4, linewidth=0, zorder=0)
        place += 1
    axis.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
    axis.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axis.set_xlim(0, 1)
    axis.set_ylim(place - 0.3, -0.6)
    axis.set_xlabel("Share of the heat in the outer half of the lesion's area")
    tidy(axis, grid="x")
    return figure
