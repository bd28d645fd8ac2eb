"""The figure of several trainings: a dot a seed, means with intervals, the two arms of a contrast joined."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

from isthmus.report.figure_style import GREY, INK, PALE, colour, new_figure, tidy
from isthmus.report.reading import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _WIDE, _TITLE, _BELOW = 0.34, 28, 56, 64  # inches, and letters a line
_SAME = 1e-9
"""AUCs that differ by less are of the same cases."""


def draw_seeds(
    arms: dict[str, dict[str, Any]],
    contrasts: list[dict[str, Any]],
    known: dict[str, dict[str, Any]],
    titles: dict[str, str],
    limits: dict[str, float],
) -> "Figure":
    """Draw a panel for each named contrast, and one for all arms, on one scale.

    Parameters
    ----------
    arms : dict
        Those shown in the last panel: arm to ``auc`` and ``by_seed``.
    contrasts : list of dict
        Named contrasts with ``a``, ``b`` and ``by_seed``.
    known : dict
        All arms, shown or not.
    titles : dict
        Arm to the name shown.
    limits : dict
        What is shown to arms, in words, to the best possible AUC from it.
    """
    rows = [2.4] * len(contrasts) + [len(arms) + 0.4]
    figure, axes = new_figure(
        7.6,
        _ROW * sum(rows) + 0.42 * len(rows) + 0.6,
        nrows=len(rows),
        sharex=True,
        squeeze=False,
        height_ratios=rows,
    )
    named = dict.fromkeys(arm for entry in contrasts for arm in (entry["a"], entry["b"]))
    tones = {arm: colour(place) for place, arm in enumerate(named)}
    for axis, entry in zip(axes[:, 0], contrasts, strict=False):
        for seed in entry["by_seed"]:
            axis.plot([seed["a"], seed["b"]], [0, 1], color=PALE, linewidth=1.0, zorder=1)
        _rows(axis, {entry[side]: _on_their_cases(known[entry[side]], entry, side) for side in "ab"}, titles, tones)
        name = "Primary contrast" if entry["order"] == 1 else entry["title"][:1].upper() + entry["title"][1:]
        figure_in_words = f"difference {interval(entry, 3)}"
        between = ": " if len(name) + len(figure_in_words) < _TITLE else ":\n"
        axis.set_title(f"{fill(name, _TITLE)}{between}{figure_in_words}", fontsize=9)
    _rows(axes[-1, 0], arms, titles, tones)
    axes[-1, 0].set_title("All arms" if contrasts else "", fontsize=9)
    axes[-1, 0].set_xlabel("AUC")
    _draw_limits(axes[:, 0], limits)
    return figure


def on_fewer_cases(arm: dict[str, Any], contrast: dict[str, Any], side: str) -> bool:
    """Whether a contrast saw an arm on fewer cases than the arm scored: those that the other scored too."""
    seen = {seed["seed"]: seed[side] for seed in contrast["by_seed"]}
    return any(abs(seen[seed] - value) > _SAME for seed, value in arm["by_seed"].items() if seed in seen)


def _on_their_cases(arm: dict[str, Any], contrast: dict[str, Any], side: str) -> dict[str, Any]:
    """Return an arm as a contrast saw it: without an interval where that is on fewer cases."""
    if not on_fewer_cases(arm, contrast, side):
        return arm
    by_seed = {seed["seed"]: seed[side] for seed in contrast["by_seed"]}
    return {"auc": {"estimate": contrast[f"estimate_{side}"], "low": None, "high": None}, "by_seed": by_seed}


def _rows(axis: "Axes", arms: dict[str, dict[str, Any]], titles: dict[str, str], tones: dict[str, str]) -> None:
    for row, (arm, entry) in enumerate(arms.items()):
        tone, auc = tones.get(arm, GREY), entry["auc"]
        values = list(entry["by_seed"].values())
        if auc["low"] is not None:
            axis.plot([auc["low"], auc["high"]], [row, row], color=tone, linewidth=5, alpha=0.25, solid_capstyle="butt")
        if auc["estimate"] is not None:
            axis.plot([auc["estimate"]] * 2, [row - 0.28, row + 0.28], color=tone, linewidth=2.2, zorder=3)
        axis.plot(values, [row] * len(values), "o", markersize=4.5, color=tone, markeredgecolor="white", zorder=4)
        axis.annotate(
            interval(auc, 3), (1.02, row), xycoords=("axes fraction", "data"), va="center", ha="left", fontsize=8
        )
    axis.set_yticks(range(len(arms)), [fill(titles[arm], _WIDE) for arm in arms])
    axis.set_ylim(len(arms) - 0.4, -0.6)
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _draw_limits(axes: Any, limits: dict[str, float]) -> None:
    """Draw the best possible as dashed lines through all panels, named beneath the lowest."""
    for axis in axes:
        for value in limits.values():
            axis.axvline(value, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if limits:
        named = ", ".join(f"{name} {value:.3f}" for name, value in sorted(limits.items(), key=lambda item: item[1]))
        axes[-1].set_xlabel(f"AUC\n{fill(f'dashed, best possible from: {named}', _BELOW)}")
