"""Readers on the ROC plane beside the arms, and the differences between arms and readers."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import GREY, INK, PALE, Drawn, colour, new_figure, tidy
from isthmus.report.reader_words import ARMS_NAMED, LEADING, condition_words, named_arms
from isthmus.report.reading import figure_endings, interval, number, split_name
from isthmus.report.reads import UNAIDED
from isthmus.report.subject import Painters
from isthmus.statistics.weighted_curve import curve_counts, sensitivities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]
Point = tuple[float, float]
_SHAPES: Final = {"junior": "^", "intermediate": "s", "senior": "o", "": "D"}
_GRID: Final = np.linspace(0.0, 1.0, 201)
_ARMS: Final = 15
_MANY_ROWS: Final = 30


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painters of each split that was read."""
    found = context.evidence.get("readers")
    if not found:
        return {}
    painters: Painters = {}
    for split, end in figure_endings(context.evidence).items():
        if any(row["split"] == split for row in found["rows"]):
            painters[f"readers{end}"] = partial(_plane, context, table, split)
            painters[f"reader_differences{end}"] = partial(_differences, context, split)
    return painters


def _plane(context: ReportContext, table: AnalysisTable | None, split: str) -> Drawn | None:
    if table is None or len(table.classes) > 2:
        return None
    rows = [row for row in context.evidence["readers"]["rows"] if row["split"] == split]
    readers = [row for row in rows if row["kind"] == "reader" and _point(row) is not None]
    if not readers:
        return None
    arms = [row["name"] for row in rows if row["kind"] == "arm"][:_ARMS]
    curves = {arm: curve for arm in arms if (curve := _curve(table, arm, split)) is not None}
    marks = {row["name"]: point for row in rows if row["kind"] == "arm" and (point := _point(row)) is not None}
    figure = draw_readers(readers, curves, marks, {arm: context.title_of(arm) for arm in arms}, _main(context, arms))
    aided = len({row["condition"] for row in readers}) > 1
    title = f"Readers and arms on the ROC plane, {split_name(split)}"
    words = ": each reader is a point" + (", hollow without help, filled with it, joined by an arrow" if aided else "")
    words += "; shapes are experience" if any(row["experience"] for row in readers) else ""
    words += "; lines are the arms’ curves, crosses their calls. On the right, the part where the readers stand."
    spoken = "; ".join(
        f"{row['name']} {condition_words(row['condition'])}: sensitivity {interval(row['sensitivity'])}, specificity "
        f"{interval(row['specificity'])}"
        for row in readers
    )
    return figure, title + words, f"{title}. {spoken}."


def _main(context: ReportContext, arms: list[str]) -> dict[str, str]:
    """Return the arms that get a colour: all of few, else those named before the analysis."""
    if len(arms) <= 4:
        return {arm: colour(place) for place, arm in enumerate(arms)}
    asked = [*(context.evidence.get("primary") or {}).values(), context.evidence.get("reference_arm")]
    named = [arm for arm in dict.fromkeys(asked) if arm in arms]
    return {arm: colour(place) for place, arm in enumerate(named)}


def _point(row: dict[str, Any]) -> Point | None:
    """Return (1 - specificity, sensitivity), None where calls of a class are missing."""
    pair = [(row.get(name) or {}).get("estimate") for name in ("specificity", "sensitivity")]
    return None if None in pair else (1 - float(pair[0]), float(pair[1]))  # type: ignore[arg-type]


def _curve(table: AnalysisTable, arm: str, split: str) -> FloatArray | None:
    """Return an arm's sensitivities on the grid; of fold models the mean of the folds' curves."""
    rows = table.part(arm, split)
    curves = []
    for _, part in rows.groupby(["seed", "fold"]):
        truth, score = part["truth"].to_numpy(dtype=bool), part["score"].to_numpy(dtype=np.float64)
        if truth.any() and not truth.all() and np.isfinite(score).all():
            counts = curve_counts(truth, score, np.ones((1, len(part))))
            curves.append(sensitivities(counts, _GRID)[0])
    return np.mean(curves, axis=0) if curves else None


def draw_readers(
    readers: list[dict[str, Any]],
    curves: dict[str, FloatArray],
    marks: dict[str, Point],
    titles: dict[str, str],
    colours: dict[str, str],
) -> "Figure":
    """Draw the whole plane, and the part of it in which the readers stand.

    Parameters
    ----------
    readers : list of dict
        Rows of the evidence, each with sensitivity and specificity.
    curves : dict
        Arm to sensitivities at false positive rates 0, 0.005 … 1.
    marks : dict
        Arm to (1 - specificity, sensitivity) of its calls.
    titles : dict
        Arm to the name shown.
    colours : dict
        Arm to its colour; the others are grey.
    """
    points = np.array([point for row in readers if (point := _point(row)) is not None])
    low, high = np.maximum(points.min(axis=0) - 0.06, -0.01), np.minimum(points.max(axis=0) + 0.06, 1.01)
    side = max(float((high - low).max()), 0.2)
    zoomed = side < 0.75
    figure, axes = new_figure(9.4 if zoomed else 5.4, 4.9, ncols=2 if zoomed else 1, squeeze=False)
    for place, axis in enumerate(axes[0]):
        _draw_arms(axis, curves, marks, titles, colours)
        _draw_points(axis, readers, named=place == len(axes[0]) - 1)
        axis.set_box_aspect(1)
        axis.set_xlabel("1 − specificity")
        axis.set_ylabel("Sensitivity" if place == 0 else "")
        axis.set_xlim(-0.01, 1.01)
        axis.set_ylim(-0.01, 1.01)
        tidy(axis)
    if zoomed:
        starts = [min(float(edge), 1.01 - side) for edge in (low + high - side) / 2]
        starts = [max(start, -0.01) for start in starts]
        axes[0, 1].set_xlim(starts[0], starts[0] + side)
        axes[0, 1].set_ylim(starts[1], starts[1] + side)
        from matplotlib.patches import Rectangle

        corner = (starts[0], starts[1])
        axes[0, 0].add_patch(Rectangle(corner, side, side, fill=False, edgecolor=GREY, linewidth=0.7, zorder=1))
    _legend(figure, axes[0, 0], readers, titles, colours, grey=len(curves) > len(colours), marked=bool(marks))
    _name_points(axes[0, -1], readers, list(marks.values()))
    return figure


def _draw_arms(
    axis: "Axes",
    curves: dict[str, FloatArray],
    marks: dict[str, Point],
    titles: dict[str, str],
    colours: dict[str, str],
) -> None:
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
    for arm in sorted(curves, key=lambda name: name in colours):
        own = colours.get(arm)
        axis.plot(_GRID, curves[arm], color=own or PALE, linewidth=1.9 if own else 0.9, zorder=2 if own else 1.5)
    for arm, point in marks.items():
        own = colours.get(arm)
        if arm in titles:
            axis.plot(*point, "X", markersize=8 if own else 5, color=own or GREY, markeredgecolor="white", zorder=3)


def _draw_points(axis: "Axes", readers: list[dict[str, Any]], *, named: bool) -> None:
    by_reader: dict[str, dict[str, Point]] = {}
    for row in readers:
        point = _point(row)
        if point is None:
            continue
        by_reader.setdefault(row["name"], {}).setdefault(row["condition"], point)
        hollow = row["condition"] == UNAIDED
        axis.plot(
            *point, _SHAPES.get(row["experience"], "D"), markersize=7 if named else 4.5, color=INK,
            markerfacecolor="white" if hollow else INK, markeredgewidth=1.2 if named else 0.8, zorder=5,
        )  # fmt: skip
    for places in by_reader.values():
        for condition, point in places.items():
            if condition != UNAIDED and UNAIDED in places:
                arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9, "shrinkA": 4, "shrinkB": 4}
                axis.annotate("", xy=point, xytext=places[UNAIDED], arrowprops=arrow, zorder=4)


def _name_points(axis: "Axes", readers: list[dict[str, Any]], marks: list[Point]) -> None:
    """Write each reader's name beside the last of their points, where it covers the fewest others."""
    last: dict[str, Point] = {row["name"]: point for row in readers if (point := _point(row)) is not None}
    side = axis.get_xlim()[1] - axis.get_xlim()[0]
    height, width = 0.032 * side, 0.016 * side
    taken = [*marks, *(point for row in readers if (point := _point(row)) is not None)]
    for name, (x, y) in last.items():
        reach = width * len(name) / 2
        places = [(x + 0.026 * side + reach, y), (x - 0.026 * side - reach, y), (x, y + height), (x, y - height)]
        places += [(x + a * (0.015 * side + reach), y + b * height) for a in (1, -1) for b in (1, -1)]
        near = [
            sum(abs(px - qx) < reach + 0.012 * side and abs(py - qy) < height * 0.8 for qx, qy in taken)
            + (not axis.get_xlim()[0] < px - reach < px + reach < axis.get_xlim()[1])
            for px, py in places
        ]
        px, py = places[int(np.argmin(near))]
        taken += [(px - reach * 0.7, py), (px, py), (px + reach * 0.7, py)]
        axis.annotate(name, (px, py), ha="center", va="center", fontsize=8, color=INK, zorder=6, annotation_clip=True)


def _legend(
    figure: "Figure",
    axis: "Axes",
    readers: list[dict[str, Any]],
    titles: dict[str, str],
    colours: dict[str, str],
    *,
    grey: bool,
    marked: bool,
) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=tone, linewidth=1.9, label=titles[arm]) for arm, tone in colours.items()]
    if grey:
        entries.append(Line2D([], [], color=PALE, linewidth=1.4, label="Other arms" if colours else "Arms"))
    if marked:
        entries.append(Line2D([], [], color=GREY, marker="X", linestyle="", markersize=6, label="Calls of the arm"))
    for level in dict.fromkeys(row["experience"] for row in readers):
        label = f"{level.capitalize()} reader" if level else "Reader"
        options: dict[str, Any] = {"color": INK, "markerfacecolor": PALE, "linestyle": "", "markersize": 6}
        entries.append(Line2D([], [], marker=_SHAPES.get(level, "D"), label=label, **options))
    conditions = list(dict.fromkeys(row["condition"] for row in readers))
    if len(conditions) > 1:
        for condition in conditions:
            face = "white" if condition == UNAIDED else INK
            label = condition_words(condition).capitalize()
            entries.append(Line2D([], [], color=INK, marker="o", markerfacecolor=face, linestyle="", label=label))
    axis.legend(handles=entries, loc="lower right", fontsize=7.5, handlelength=1.4, borderaxespad=0.3)


def _differences(context: ReportContext, split: str) -> Drawn | None:
    """Draw the leading differences: of many arms each less the mean reader, of few each less every reader too."""
    entries = [entry for entry in context.evidence["readers"]["comparisons"] if entry["split"] == split]
    entries = [entry for entry in entries if entry["difference"] is not None and entry["low"] is not None]
    measures = {entry["measure"] for entry in entries}
    leading = [name for name in LEADING if name in measures]
    conditions = list(dict.fromkeys(entry["condition"] for entry in entries))
    if not leading or not conditions:
        return None
    measure, condition = leading[0], conditions[0]
    own = [entry for entry in entries if (entry["measure"], entry["condition"]) == (measure, condition)]
    arms = list(dict.fromkeys(entry["a"] for entry in own))
    beside = {"comparisons": own}
    named = named_arms(context, beside) if len(arms) > ARMS_NAMED else arms
    readers = {entry["reader"] for entry in own}
    if len(arms) <= ARMS_NAMED and len(arms) * (len(readers) + 3) > _MANY_ROWS:
        primary = (context.evidence.get("primary") or {}).get("arm")
        named = [primary if primary in arms else arms[0]]  # the others' readers stand in the tables
    rows: list[tuple[str, dict[str, Any]]] = []
    for arm in arms[:_ARMS]:
        of_arm = [entry for entry in own if entry["a"] == arm]
        title = context.title_of(arm)
        rows += [(f"{title} − mean of {e['readers']} readers", e) for e in of_arm if e["group"] == "all"]
        if arm in named and len(arms) <= ARMS_NAMED:
            rows += [
                (f"{title} − mean of {e['readers']} {e['group']}", e) for e in of_arm if e["group"] not in ("", "all")
            ]
            rows += [(f"− {entry['reader']}", entry) for entry in of_arm if entry["reader"]]
    rows = rows[: 2 * _MANY_ROWS]
    if not rows:
        return None
    word = {
        "auc": "AUC",
        "sensitivity_at_specificity": "sensitivity at the reader’s own specificity",
        "accuracy": "accuracy",
    }[measure]
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    title = (
        f"Differences in {word}, arm less readers {condition_words(condition)}, {split_name(split)}, {level} intervals"
    )
    spoken = "; ".join(f"{name}: {interval(entry)}" for name, entry in rows)
    return _forest(rows, f"Difference in {word} (right of 0: the arm is better)"), f"{title}.", f"{title}. {spoken}."


def _forest(rows: list[tuple[str, dict[str, Any]]], label: str) -> "Figure":
    figure, axis = new_figure(7.4, 0.75 + 0.25 * len(rows))
    for place, (_, entry) in enumerate(rows):
        tone = colour(0) if entry["group"] else GREY
        axis.plot([entry["low"], entry["high"]], [place, place], color=tone, linewidth=1.8, solid_capstyle="butt")
        face = tone if entry["group"] else "white"
        axis.plot(entry["difference"], place, "o", markersize=5.5, color=tone, markerfacecolor=face)
        text = f"{number(entry['estimate_a'])} − {number(entry['estimate_b'])} = {interval(entry)}"
        axis.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", ha="left", fontsize=8)
    axis.axvline(0, color=INK, linewidth=0.9)
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    reach = max(*(abs(limit) for _, entry in rows for limit in (entry["low"], entry["high"])), 0.05) * 1.08
    axis.set_xlim(-reach, reach)
    axis.set_xlabel(label)
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return figure
