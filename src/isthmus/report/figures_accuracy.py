"""Figures of discrimination and decisions: intervals, ROC curves, differences, confusion matrices, calibration."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.curves import CalibrationCurve, RocSummary
from isthmus.report.figure_style import GREY, INK, PALE, colour, new_figure, tidy, unit_square
from isthmus.report.reading import interval, number, ranking_measure, split_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL_TITLE = 20  # letters of a confusion matrix's title on one line
_WIDE = 46  # letters of a pair's label on one line


def draw_intervals(evidence: dict[str, Any], split: str, titles: dict[str, str]) -> "Figure":
    """Draw AUC, and accuracy beside its majority-class rate, of all arms with their intervals."""
    arms = [arm for arm in titles if split in evidence["arms"].get(arm, {})]
    measure = ranking_measure(evidence)
    shown = [name for name in (measure, "accuracy") if any(name in evidence["arms"][arm][split] for arm in arms)]
    figure, axes = new_figure(
        6.75 if len(shown) > 1 else 4.6,
        0.62 + (0.27 if len(arms) <= 6 else 0.22) * len(arms),
        ncols=max(len(shown), 1),
        sharey=True,
        squeeze=False,
    )
    for axis, name in zip(axes[0], shown, strict=True):
        _interval_panel(axis, [evidence["arms"][arm][split] for arm in arms], name)
    axes[0, 0].set_yticks(range(len(arms)), [titles[arm] for arm in arms])
    axes[0, 0].set_ylim(len(arms) - 0.4, -0.6)
    return figure


def _interval_panel(axis: Any, facts: list[dict[str, Any]], name: str) -> None:
    for row, entry in enumerate(facts):
        value = entry.get(name)
        if name == "accuracy" and entry.get("majority_rate") is not None:
            axis.plot([entry["majority_rate"]] * 2, [row - 0.3, row + 0.3], color=GREY, linewidth=1.6)
        if value is None or value["estimate"] is None:
            continue
        if value["low"] is not None:
            axis.plot([value["low"], value["high"]], [row, row], color=colour(0), linewidth=1.8, solid_capstyle="butt")
        axis.plot(value["estimate"], row, "o", color=colour(0), markersize=5)
        axis.annotate(
            interval(value), (1.02, row), xycoords=("axes fraction", "data"), va="center", ha="left", fontsize=8.5
        )
    if name == "accuracy":
        axis.set_title("Accuracy\n(|: majority)")
    else:
        axis.axvline(0.5, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
        axis.set_title("AUC\n(dashed: chance)" if name == "auc" else "Macro AUC\n(dashed: chance)")
    known = [limit for entry in facts if entry.get(name) for limit in (entry[name]["low"], entry[name]["estimate"])]
    lowest = min([limit for limit in known if limit is not None] + [0.5])
    axis.set_xlim(max(np.floor((lowest - 0.05) * 10) / 10, 0), 1)
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _columns(panels: int) -> int:
    return {1: 1, 2: 2, 4: 2}.get(panels, 3 if panels <= 6 else 4)


def _tone(place: int, panels: int) -> str:
    """Return an arm's own colour while there are few; recycled colours would only seem to mean something."""
    return colour(place) if panels <= 4 else colour(0)


def draw_roc(bands: dict[str, RocSummary], titles: dict[str, str], marks: dict[str, tuple[float, float]]) -> "Figure":
    """Draw each arm's ROC curve with its band; folds are thin lines; a dot marks the calls' operating point.

    Parameters
    ----------
    bands : dict
        Arm to curve.
    marks : dict
        Arm to (1 - specificity, sensitivity) of its calls.
    """
    columns = _columns(len(bands))
    rows = -(-len(bands) // columns)
    figure, axes = new_figure(
        2.45 * columns + 0.3, 2.62 * rows + 0.35, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    for place, (axis, (arm, band)) in enumerate(zip(axes.flat, bands.items(), strict=False)):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        for fold in band.folds:
            axis.plot(band.false_positive_rate, fold, color=PALE, linewidth=0.6)
        tone = _tone(place, len(bands))
        axis.fill_between(band.false_positive_rate, band.low, band.high, color=tone, alpha=0.18, linewidth=0)
        axis.plot(band.false_positive_rate, band.mean, color=tone, linewidth=1.9)
        if arm in marks:
            axis.plot(*marks[arm], "o", markersize=6, markerfacecolor="white", markeredgecolor=INK, markeredgewidth=1.3)
        axis.set_title(_wrapped(titles.get(arm, arm), 26))
        axis.text(0.97, 0.05, f"AUC {band.auc_text}", ha="right", va="bottom", fontsize=8.5)
        unit_square(axis)
    for axis in axes.flat[len(bands) :]:
        axis.set_visible(False)
    figure.supxlabel("1 − specificity", fontsize=9)
    figure.supylabel("Sensitivity", fontsize=9)
    return figure


def _in_lines(a: str, b: str) -> str:
    """Return a pair's label, of long names over several lines: the differences need the room."""
    if len(a) + len(b) <= _WIDE:
        return f"{a} − {b}"
    return f"{fill(a, _WIDE)}\n− {fill(b, _WIDE - 2)}"


def draw_comparisons(comparisons: list[dict[str, Any]], titles: dict[str, str]) -> "Figure":
    """Draw paired differences with their intervals; the primary contrast is first and filled."""
    pairs = ((titles.get(entry["a"], entry["a"]), titles.get(entry["b"], entry["b"])) for entry in comparisons)
    labels = [_in_lines(*pair) for pair in pairs]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    figure, axis = new_figure(7.2, 0.75 + (0.27 if lines == 1 else 0.16 + 0.14 * lines) * len(comparisons))
    for row, entry in enumerate(comparisons):
        if entry["difference"] is None:
            continue
        primary = bool(entry.get("primary"))
        tone = colour(0) if primary else GREY
        if entry["low"] is not None:
            axis.plot([entry["low"], entry["high"]], [row, row], color=tone, linewidth=1.8, solid_capstyle="butt")
        axis.plot(
            entry["difference"], row, "o", markersize=5.5, color=tone, markerfacecolor=tone if primary else "white"
        )
        axis.annotate(
            interval(entry), (1.02, row), xycoords=("axes fraction", "data"), va="center", ha="left", fontsize=8.5
        )
    axis.axvline(0, color=INK, linewidth=0.9)
    axis.set_yticks(range(len(comparisons)), labels)
    for text, entry in zip(axis.get_yticklabels(), comparisons, strict=True):
        text.set_fontweight("bold" if entry.get("primary") else "normal")
    axis.set_ylim(len(comparisons) - 0.4, -0.6)
    limits = [abs(limit) for entry in comparisons for limit in (entry["low"], entry["high"]) if limit is not None]
    reach = max([*limits, 0.05]) * 1.08
    axis.set_xlim(-reach, reach)
    split = split_name(comparisons[0]["split"])
    what = "AUC" if comparisons[0]["measure"] == "auc" else "macro AUC"
    axis.set_xlabel(f"Difference in {what}, {split} (right of 0: the first is better)")
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return figure


def draw_confusion(matrices: dict[str, dict[str, Any]], titles: dict[str, str], names: dict[str, str]) -> "Figure":
    """Draw a confusion matrix an arm: counts, and beneath them the percentage of the true class."""
    columns = _columns(len(matrices))
    rows = -(-len(matrices) // columns)
    # Names of several classes side by side would run into one another.
    several = any(len(entry["labels"]) > 2 for entry in matrices.values())
    slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if several else {}
    width, height = (2.7 * columns + 0.9, 3.1 * rows + 0.35) if several else (2.15 * columns + 0.9, 2.3 * rows + 0.35)
    figure, axes = new_figure(width, height, nrows=rows, ncols=columns, squeeze=False)
    for axis, (arm, entry) in zip(axes.flat, matrices.items(), strict=False):
        _confusion_panel(axis, np.asarray(entry["matrix"], dtype=float))
        shown = [_wrapped(names.get(label, label), 14) for label in entry["labels"]]
        below = [_wrapped(names.get(label, label), 20) for label in entry["labels"]] if several else shown
        axis.set_xticks(range(len(below)), below, fontsize=8, **slanted)
        first_of_row = axis.get_subplotspec().is_first_col()
        axis.set_yticks(range(len(shown)), shown if first_of_row else [""] * len(shown), fontsize=8)
        # A title wider than its panel would be cut at the figure's edge.
        axis.set_title(_wrapped(titles.get(arm, arm), _PANEL_TITLE))
    for axis in axes.flat[len(matrices) :]:
        axis.set_visible(False)
    figure.supxlabel("Called", fontsize=9)
    figure.supylabel("Reference", fontsize=9)
    return figure


def _confusion_panel(axis: Any, matrix: "np.ndarray[Any, np.dtype[np.float64]]") -> None:
    from matplotlib.colors import LinearSegmentedColormap

    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
    share = matrix / totals
    tones = LinearSegmentedColormap.from_list("white to blue", ["#ffffff", "#0072B2"])
    # Two thirds of the scale: dark text stays readable on the fullest cell.
    axis.imshow(share, cmap=tones, vmin=0, vmax=1.5, aspect="equal")
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            value = matrix[row, column]
            text = f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
            axis.text(column, row - 0.1, text, ha="center", va="center", color=INK, fontsize=11, fontweight="bold")
            percent = f"{100 * share[row, column]:.0f}\u202f%"
            axis.text(column, row + 0.2, percent, ha="center", va="center", color=INK, fontsize=8.5)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(True)


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def draw_calibration(curves: dict[str, CalibrationCurve], titles: dict[str, str], positive: str) -> "Figure":
    """Draw observed against predicted frequency in bins of equal size, and below it how the predictions lie."""
    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    figure, axes = new_figure(
        2.45 * columns + 0.4,
        3.1 * rows + 0.2,
        nrows=2 * rows,
        ncols=columns,
        squeeze=False,
        sharex=True,
        height_ratios=[3.4, 1] * rows,
    )
    for place, (arm, curve) in enumerate(curves.items()):
        row, column = divmod(place, columns)
        upper, lower, tone = axes[2 * row, column], axes[2 * row + 1, column], _tone(place, len(curves))
        upper.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        upper.vlines(curve.predicted, curve.low, curve.high, color=tone, linewidth=1.3, alpha=0.6)
        upper.plot(curve.predicted, curve.observed, "o-", color=tone, markersize=4, linewidth=1)
        upper.set_xlim(-0.02, 1.02)
        upper.set_ylim(-0.02, 1.02)
        upper.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        upper.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        upper.set_title(_wrapped(titles.get(arm, arm), 26))
        slope = "" if curve.slope is None else f"slope {number(curve.slope)}"
        upper.text(0.03, 0.96, slope, va="top", fontsize=8.5, transform=upper.transAxes)
        edges = np.linspace(0, 1, 21)
        lower.bar(edges[:-1], curve.histogram_positive, 0.05, align="edge", color=tone, linewidth=0)
        lower.bar(edges[:-1], -curve.histogram_negative, 0.05, align="edge", color=PALE, linewidth=0)
        lower.axhline(0, color=GREY, linewidth=0.7)
        lower.set_yticks([])
        lower.spines["left"].set_visible(False)
        tidy(upper)
        tidy(lower)
        if column == 0:
            upper.set_ylabel("Observed frequency")
            lower.set_ylabel("Cases", labelpad=20)
    for place in range(len(curves), rows * columns):
        row, column = divmod(place, columns)
        axes[2 * row, column].set_visible(False)
        axes[2 * row + 1, column].set_visible(False)
    # Two lines: on one, the words are wider than a figure of two arms.
    words = f"Predicted probability of “{positive}”\nbelow: coloured up = has it, grey down = has not"
    figure.supxlabel(words, fontsize=9)
    return figure
