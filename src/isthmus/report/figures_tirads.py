"""Shares of positives by TI-RADS level, a panel a scale, with what was published for the level behind them."""

from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, PALE, colour, new_figure, tidy
from isthmus.report.reading import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_levels(
    entries: dict[str, list[dict[str, Any]]], scales: dict[str, dict[str, Any]], *, risks: bool, name: str
) -> "Figure":
    """Draw the share of positives at each level of each scale.

    Parameters
    ----------
    entries : dict
        Scale to its levels, as in ``evidence.json``.
    scales : dict
        Scale to its name, codes and published risks.
    risks : bool
        Whether published risks are drawn.
    name : str
        Of the positive class.
    """
    columns = len(entries)
    figure, axes = new_figure(max(3.2, 1.85 * columns + 0.6), 2.9, ncols=columns, sharey=True, squeeze=False)
    for axis, (key, levels) in zip(axes[0], entries.items(), strict=True):
        about = scales[key]
        codes = about["codes"]
        for place, code in enumerate(codes):
            risk = about.get("risks", {}).get(code)
            if risks and risk:
                low, high = (100 * value for value in risk)
                axis.add_patch(_band(place, low, max(high, low + 1.2)))
        for level in levels:
            place, rate = codes.index(level["level"]), level["rate"]
            axis.plot([place, place], [100 * rate["low"], 100 * rate["high"]], color=colour(0), linewidth=1.6)
            axis.plot(place, 100 * rate["estimate"], "o", color=colour(0), markersize=4.8, clip_on=False)
            axis.annotate(
                count(level["n"]), (place, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 5),
                textcoords="offset points", ha="center", fontsize=7.5, color=GREY,
            )  # fmt: skip
        axis.set_xticks(range(len(codes)), [code.removeprefix("TR") for code in codes])
        axis.set_xlim(-0.6, len(codes) - 0.4)
        axis.set_ylim(0, 100)
        axis.set_title(about["name"], pad=17, fontsize=9)
        tidy(axis, grid="y")
    axes[0][0].set_ylabel(f"{name[:1].upper()}{name[1:]}, %")
    return figure


def _band(place: int, low: float, high: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((place - 0.36, low), 0.72, high - low, facecolor=PALE, edgecolor="none", zorder=0.5)
