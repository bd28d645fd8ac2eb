"""The forest of subgroups: AUCs of one or two arms in each level, their own AUC of all cases as the upright line."""

from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, colour, new_figure, tidy
from isthmus.report.reading import count, p_in_words
from isthmus.report.subgroups import FEATURE_TITLES, subgroup_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP = 0.6
_APART = 0.17
"""How far the lines of two arms lie from the middle of their row."""


def draw_subgroups(facts: dict[str, Any], titles: list[str], whole: float | None) -> "Figure":
    """Draw the AUCs of the page's arms in all subgroups of one split.

    Parameters
    ----------
    facts : dict
        ``arms``, ``levels`` and ``tests``, as :func:`isthmus.report.page_subgroups.leading` gives them.
    titles : list of str
        Of the arms.
    whole : float, optional
        The first arm's AUC of all cases.
    """
    rows: list[tuple[str, str]] = list(dict.fromkeys((entry["feature"], entry["code"]) for entry in facts["levels"]))
    places, headings, bottom = _places(rows)
    figure, axis = new_figure(7.2, 0.75 + 0.23 * bottom)
    for index, arm in enumerate(facts["arms"]):
        shift = 0.0 if len(facts["arms"]) == 1 else (2 * index - 1) * _APART
        _draw_arm(
            axis, [entry for entry in facts["levels"] if entry["arm"] == arm], places, shift, index, titles[index]
        )
    if whole is not None:
        axis.axvline(whole, color=GREY, linewidth=1, linestyle=(0, (3, 3)), zorder=0)
    first = {(e["feature"], e["code"]): e for e in facts["levels"] if e["arm"] == facts["arms"][0]}
    for row in rows:
        if row in first:
            words = f"{count(first[row]['n'])} ({count(first[row]['positives'])})"
            _beside(axis, 1.02, places[row], words)
    tests = {t["feature"]: t for t in facts["tests"] if t["arm"] == facts["arms"][0] and t["measure"] == "auc"}
    for feature, place in headings.items():
        _beside(axis, -0.01, place, FEATURE_TITLES[feature], ha="right", fontweight="bold")
        p = tests.get(feature, {}).get("p")
        _beside(axis, 1.02, place, "not compared" if p is None else p_in_words(p), color=GREY)
    axis.set_yticks(list(places.values()), [subgroup_words(*row) for row in rows])
    axis.set_ylim(bottom - 0.3, -0.9)
    axis.set_xlim(min(0.4, _lowest(facts)), 1.0)
    axis.set_xlabel("AUC")
    _beside(axis, 1.02, -0.9, "Cases (positive)", va="bottom", color=GREY)
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if len(facts["arms"]) > 1:
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure


def _places(rows: list[tuple[str, str]]) -> tuple[dict[tuple[str, str], float], dict[str, float], float]:
    """Return the height of each row and heading, from the top, and of the end."""
    places: dict[tuple[str, str], float] = {}
    headings: dict[str, float] = {}
    place = 0.0
    for feature, code in rows:
        if feature not in headings:
            place += _GAP if headings else 0.0
            headings[feature] = place
            place += 1
        places[feature, code] = place
        place += 1
    return places, headings, place


def _draw_arm(
    axis: Any, levels: list[dict[str, Any]], places: dict[tuple[str, str], float], shift: float, index: int, title: str
) -> None:
    for entry in levels:
        auc = entry["auc"]
        if auc["estimate"] is None:
            continue
        row, tone = places[entry["feature"], entry["code"]] + shift, colour(index)
        pale = 0.45 if entry["few"] else 1.0
        axis.plot([auc["low"], auc["high"]], [row, row], color=tone, linewidth=1.6, alpha=pale, solid_capstyle="butt")
        fill = "white" if entry["few"] else tone
        marker = "os"[index]
        axis.plot(auc["estimate"], row, marker, color=tone, markerfacecolor=fill, markersize=4.4, clip_on=False)
    axis.plot([], [], "os"[index] + "-", color=colour(index), markersize=4.4, label=title)


def _beside(axis: Any, x: float, y: float, text: str, **options: Any) -> None:
    """Write beside the plot, at a share of its width and the height of a row."""
    style: dict[str, Any] = {"va": "center", "fontsize": 8.5, **options}
    axis.annotate(text, (x, y), xycoords=("axes fraction", "data"), annotation_clip=False, **style)


def _lowest(facts: dict[str, Any]) -> float:
    lows = [entry["auc"]["low"] for entry in facts["levels"] if entry["auc"]["low"] is not None]
    return float(max(0.0, min([*lows, 0.5]) - 0.02))
