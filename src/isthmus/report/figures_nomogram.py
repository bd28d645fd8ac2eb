"""The nomogram drawn: points above, a scale a characteristic, their sum and the risk below."""

from typing import TYPE_CHECKING, Final

from isthmus.report.figure_style import GREY, INK, PALE, new_figure
from isthmus.report.nomogram import FULL, Mark, Nomogram, Scale, pretty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 7.2
_ROW = 0.56
_LETTER: Final = 0.0135
"""Width of a label's letter, in lengths of the scale."""
_TIERS: Final = (-1, 1, 2)
"""Where labels of levels stand: above the scale, below it, or further below."""
_LINE: Final = 0.23
_TICK = 0.09


def draw_nomogram(drawn: Nomogram, risk_title: str) -> "Figure":
    """Draw a nomogram to be read with a ruler.

    Parameters
    ----------
    drawn : Nomogram
    risk_title : str
        What the last scale is the risk of.
    """
    rows = len(drawn.scales) + 3
    figure, axis = new_figure(_WIDTH, 0.5 + _ROW * rows)
    tens = [Mark(f"{points:g}", points) for points in range(0, 101, 10)]
    _scale(axis, 0, "Points", tens, FULL)
    for row, scale in enumerate(drawn.scales, start=1):
        _scale(axis, row, scale.title, _in_order(scale), FULL, levels=scale.kind == "categorical")
    sums = [value for value in pretty(0.0, drawn.most, 10) if value <= drawn.most * 1.001]
    _scale(axis, rows - 2, "Total points", [Mark(f"{value:g}", value) for value in sums], drawn.most)
    _scale(axis, rows - 1, risk_title, list(drawn.risk), drawn.most)
    for at in range(0, 101, 10):
        axis.plot([at / FULL] * 2, [0, rows - 3], color=PALE, linewidth=0.4, zorder=0)
    axis.set_xlim(-0.01, 1.03)
    axis.set_ylim(rows - 0.45, -0.55)
    axis.set_yticks([])
    axis.set_xticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure


def _in_order(scale: Scale) -> list[Mark]:
    return sorted(scale.marks, key=lambda mark: mark.points)


def _scale(axis: "Axes", row: int, title: str, marks: list[Mark], full: float, *, levels: bool = False) -> None:
    """Draw one scale: numbers where they fit, all levels of a category, one under another where they would meet."""
    axis.annotate(
        title, (0, row), xycoords=("axes fraction", "data"), xytext=(-6, 0), textcoords="offset points", ha="right",
        va="center", fontsize=8.5, annotation_clip=False,
    )  # fmt: skip
    if not marks:
        return
    places = [mark.points / full for mark in marks]
    axis.plot([min(places), max(places)], [row, row], color=INK, linewidth=0.9, solid_capstyle="butt")
    tiers = _tiers(marks, places) if levels else _where_they_fit(marks, places)
    for mark, at, tier in zip(marks, places, tiers, strict=True):
        side = 1 if tier > 0 else -1
        axis.plot([at, at], [row, row + side * _TICK], color=INK, linewidth=0.8)
        if tier:
            axis.annotate(
                mark.label, (at, row + side * (_TICK + _LINE * (abs(tier) - 1))), xytext=(-1.0 if levels else 0, -side),
                textcoords="offset points", ha="left" if levels else "center", va="top" if side > 0 else "bottom",
                fontsize=7.5, color=INK if levels else GREY,
            )  # fmt: skip


def _tiers(marks: list[Mark], places: list[float]) -> list[int]:
    """Return for each level, from left to right, the first line on which it does not run into another."""
    ends = dict.fromkeys(_TIERS, -1.0)
    found = []
    for mark, at in zip(marks, places, strict=True):
        tier = next((tier for tier in _TIERS if ends[tier] <= at), _TIERS[-1])
        ends[tier] = at + (len(mark.label) + 1) * _LETTER
        found.append(tier)
    return found


def _where_they_fit(marks: list[Mark], places: list[float]) -> list[int]:
    """Return -1, above, for each number that is written, and 0 for those that would run into the one before."""
    end, found = -1.0, []
    for mark, at in zip(marks, places, strict=True):
        half = (len(mark.label) + 1) * _LETTER / 2
        fits = at - half >= end
        end = at + half if fits else end
        found.append(-1 if fits else 0)
    return found
