"""The forest of error rates: one line a level of a descriptor, the arm's own rate as the upright line."""

from typing import TYPE_CHECKING, Any

from isthmus.report.error_rates import FEATURES, TITLES
from isthmus.report.figure_style import GREY, colour, new_figure, tidy
from isthmus.report.reading import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 0.7


def draw_errors(entries: list[dict[str, Any]], whole: float | None) -> "Figure":
    """Draw the error rates of one arm and split.

    Parameters
    ----------
    entries : list of dict
        Of :func:`isthmus.report.error_rates.error_rates`, one measure.
    whole : float, optional
        The error rate of all cases.
    """
    places: list[float] = []
    headings: list[tuple[float, str]] = []
    place, feature = 0.0, ""
    for entry in entries:
        if entry["feature"] != feature:
            feature = entry["feature"]
            place += _GAP if places else 0.0
            headings.append((place, TITLES[feature]))
            place += 1
        places.append(place)
        place += 1
    figure, axis = new_figure(6.9, 0.6 + 0.2 * place)
    for row, entry in zip(places, entries, strict=True):
        rate, tone = entry["rate"], GREY if entry["few"] else colour(0)
        axis.plot([100 * rate["low"], 100 * rate["high"]], [row, row], color=tone, linewidth=1.6, solid_capstyle="butt")
        fill = "white" if entry["few"] else tone
        axis.plot(100 * rate["estimate"], row, "o", color=tone, markerfacecolor=fill, markersize=4.8, clip_on=False)
        starred = entry["p_holm"] is not None and entry["p_holm"] < 0.05
        axis.annotate(
            f"{count(entry['n'])}{' *' if starred else ''}", (1.02, row), xycoords=("axes fraction", "data"),
            va="center", fontsize=8.5, fontweight="bold" if starred else "normal",
        )  # fmt: skip
    if whole is not None:
        axis.axvline(100 * whole, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
    axis.set_yticks(places, [_short(entry) for entry in entries])
    for row, title in headings:
        axis.annotate(
            title, (-0.01, row), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=8.5,
            fontweight="bold",
        )  # fmt: skip
    axis.set_ylim(place - 0.3, -0.7)
    axis.set_xlim(0, 100)
    axis.set_xlabel("Wrong calls, %")
    axis.annotate("Cases", (1.02, -0.7), xycoords=("axes fraction", "data"), va="bottom", fontsize=8.5, color=GREY)
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return figure


def _short(entry: dict[str, Any]) -> str:
    words = str(FEATURES[entry["feature"]].get(entry["code"], entry["code"]))
    # What stands in brackets explains the code; the table beneath has it.
    return words.partition(" (")[0].removeprefix("TI-RADS ")
