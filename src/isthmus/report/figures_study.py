"""Figures of the study itself: flow of cases, labels, learning curves, where the heat maps point."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.context import FlowStep, Localisation
from isthmus.report.figure_style import GREY, INK, PALE, colour, new_figure, tidy
from isthmus.report.reading import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_LINE, _GAP = 0.155, 0.24  # inches: a line of text, the space between two boxes
_LEARNING_COLUMNS = 4


def draw_flow(steps: list[FlowStep]) -> "Figure":
    """Draw the flow of cases (STARD): boxes downwards, what was left out at the side with its reasons."""
    left = [_box_text(step) for step in steps]
    right = [_left_out_text(step) for step in steps]
    heights = [0.16 + _LINE * (text.count("\n") + 1) for text in left]
    gaps = [max(_GAP, 0.3 + _LINE * (text.count("\n") + 1) if text else 0.0) for text in right]
    total = sum(heights) + sum(gaps[:-1]) + (gaps[-1] if right[-1] else 0) + 0.1
    figure, axis = new_figure(6.6, total)
    axis.set_xlim(0, 6.6)
    axis.set_ylim(total, 0)
    axis.axis("off")
    top = 0.05
    for place, (text, aside) in enumerate(zip(left, right, strict=True)):
        bottom = top + heights[place]
        _box(axis, 0.1, top, 2.7, heights[place], text, "#eef4f9")
        if place + 1 < len(steps):
            _arrow(axis, (1.45, bottom), (1.45, bottom + gaps[place]))
        if aside:
            height = 0.14 + _LINE * (aside.count("\n") + 1)
            middle = bottom + gaps[place] / 2
            _arrow(axis, (1.45, middle), (3.2, middle))
            _box(axis, 3.2, middle - height / 2, 3.3, height, aside, "#f6f6f6", centred=False)
        top = bottom + gaps[place]
    return figure


def _box_text(step: FlowStep) -> str:
    first = "\n".join(textwrap.wrap(f"{step.label}: {count(step.count)}", 40))
    return f"{first}\n{step.detail}" if step.detail else first


def _left_out_text(step: FlowStep) -> str:
    lines = [
        textwrap.fill(f"{count(number)}  {reason}", 48, subsequent_indent="      ") for reason, number in step.left_out
    ]
    return "\n".join(["Left out:", *lines]) if lines else ""


def _box(
    axis: Any, x: float, y: float, width: float, height: float, text: str, fill: str, *, centred: bool = True
) -> None:
    from matplotlib.patches import FancyBboxPatch

    axis.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=fill,
            edgecolor=GREY,
            linewidth=0.8,
        )
    )
    place, align = (x + width / 2, "center") if centred else (x + 0.1, "left")
    axis.text(place, y + height / 2, text, ha=align, va="center", fontsize=8.5, linespacing=1.25)


def _arrow(axis: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axis.annotate("", xy=end, xytext=start, arrowprops=style)


def draw_labels(counts: dict[str, int], names: dict[str, str]) -> "Figure":
    """Draw how many units each class has."""
    figure, axis = new_figure(5.6, 0.45 + 0.3 * len(counts))
    total = max(sum(counts.values()), 1)
    for row, value in enumerate(counts.values()):
        axis.barh(row, value, height=0.62, color=colour(row))
        text = f" {count(value)}  ({100 * value / total:.0f} %)"
        axis.text(value, row, text, va="center", ha="left", fontsize=8.5)
    axis.set_yticks(range(len(counts)), [names.get(label, label) for label in counts])
    axis.set_ylim(len(counts) - 0.5, -0.5)
    axis.set_xlim(0, 1.25 * max([*counts.values(), 1]))
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    tidy(axis)
    axis.tick_params(axis="y", length=0)
    return figure


def draw_learning(logs: dict[str, dict[str, "DataFrame"]], titles: dict[str, str]) -> "Figure":
    """Draw loss above tuning AUC by epoch, one column an arm, four arms a row: fits thin, their mean thick."""
    arms = list(logs)
    columns = min(len(arms), _LEARNING_COLUMNS)
    bands = -(-len(arms) // columns)
    figure, axes = new_figure(
        max(2.3 * columns + 0.6, 3.4), 3.9 * bands, nrows=2 * bands, ncols=columns, sharey="row", squeeze=False
    )
    for place, arm in enumerate(arms):
        band, column = divmod(place, columns)
        upper, lower = axes[2 * band : 2 * band + 2, column]
        _learning_of_an_arm(upper, lower, list(logs[arm].values()))
        upper.set_title(textwrap.fill(titles.get(arm, arm), 24))
        if column == 0:
            upper.set_ylabel("Loss")
            lower.set_ylabel("AUC, tuning part")
    for axis in axes.reshape(bands, 2, columns).transpose(0, 2, 1).reshape(-1, 2)[len(arms) :].ravel():
        axis.set_axis_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[1, 0].legend(handles, labels, loc="lower right", handlelength=1.2)
    return figure


def _learning_of_an_arm(upper: Any, lower: Any, fits: list["DataFrame"]) -> None:
    _curves(upper, fits, "train_loss", colour(0), "training")
    _curves(upper, fits, "tune_loss", colour(1), "tuning")
    _curves(lower, fits, "tune_auc", colour(1), "tuning")
    lower.axhline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
    lower.set_ylim(0, 1.02)
    lower.set_xlabel("Epoch")
    for axis in (upper, lower):
        axis.xaxis.get_major_locator().set_params(integer=True)
        tidy(axis, grid="y")


def _curves(axis: Any, fits: list["DataFrame"], column: str, tone: str, label: str) -> None:
    fits = [fit for fit in fits if column in fit and fit[column].notna().any()]
    if not fits:
        return
    for fit in fits:
        axis.plot(fit["epoch"], fit[column], color=tone, linewidth=0.6, alpha=0.45)
    # Fits that stopped early drop out of the mean; beyond half of them it would show the rest's luck, not learning.
    by_epoch: dict[int, list[float]] = {}
    for fit in fits:
        for epoch, value in zip(fit["epoch"], fit[column], strict=True):
            by_epoch.setdefault(int(epoch), []).append(float(value))
    epochs = [epoch for epoch, values in sorted(by_epoch.items()) if 2 * len(values) >= len(fits)]
    means = [float(np.nanmean(by_epoch[epoch])) if np.isfinite(by_epoch[epoch]).any() else np.nan for epoch in epochs]
    axis.plot(epochs, means, color=tone, linewidth=2, label=label)


def draw_localisation(found: dict[str, Localisation], titles: dict[str, str]) -> "Figure":
    """Draw each case's share of heat inside the lesion beside what a Gaussian in the picture's middle scores."""
    arms = list(found)
    figure, axis = new_figure(max(1.9 * len(arms) + 0.9, 3.6), 2.9)
    random = np.random.default_rng(0)
    for place, arm in enumerate(arms):
        for shift, values, tone in (
            (-0.2, found[arm].heat_in_lesion, colour(0)),
            (0.2, found[arm].baseline, GREY),
        ):
            x = place + shift
            jitter = random.uniform(-0.09, 0.09, len(values))
            axis.plot(x + jitter, values, "o", color=tone, markersize=2.5, alpha=0.35, markeredgewidth=0)
            axis.plot([x - 0.13, x + 0.13], [np.median(values)] * 2, color=INK, linewidth=1.8)
    axis.set_xticks(
        [place + shift for place in range(len(arms)) for shift in (-0.2, 0.2)],
        [text for _ in arms for text in ("heat map", "centred\nGaussian")],
        fontsize=8,
    )
    for place, arm in enumerate(arms):
        axis.annotate(
            titles.get(arm, arm), (place, 1.03), xycoords=("data", "axes fraction"), ha="center", fontweight="bold"
        )
    axis.set_ylim(0, 1)
    axis.set_xlim(-0.5, len(arms) - 0.5)
    axis.set_ylabel("Share of heat inside the lesion")
    for place in range(1, len(arms)):
        axis.axvline(place - 0.5, color=PALE, linewidth=0.7)
    tidy(axis, grid="y")
    return figure
