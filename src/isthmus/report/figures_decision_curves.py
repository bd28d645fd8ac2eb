"""Decision curves: few arms in one panel beside their difference, many in small multiples."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.figure_style import GREY, INK, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOGETHER = 4
"""So many arms share a panel, each in its own colour."""


def draw_decision_curves(curves: dict[str, Any], arms: list[str], titles: dict[str, str], verb: str) -> "Figure":
    """Draw net benefit over threshold probabilities, with acting on everybody and on nobody.

    Parameters
    ----------
    curves : dict
        One entry of ``evidence["decision_curves"]["splits"][split]``.
    arms : list of str
        Which arms are drawn.
    titles : dict
        Arm to its name as shown.
    verb : str
        ``biopsying`` or ``acting on``.
    """
    return _together(curves, arms, titles, verb) if len(arms) <= TOGETHER else _apart(curves, arms, titles, verb)


def _together(curves: dict[str, Any], arms: list[str], titles: dict[str, str], verb: str) -> "Figure":
    pairs = curves["differences"][:1]
    figure, axes = (
        new_figure(7.2, 3.3, ncols=2, squeeze=False, gridspec_kw={"width_ratios": [1.35, 1]})
        if pairs
        else (new_figure(5.2, 3.3, squeeze=False))
    )
    axis = axes[0, 0]
    _defaults(axis, curves, label=verb)
    for place, arm in enumerate(arms):
        _curve(axis, curves, curves["arms"][arm], colour(place), band=place < 2, label=titles[arm])
    _limits(axis, curves, arms)
    axis.set_ylabel("Net benefit")
    axis.set_xlabel("Threshold probability")
    axis.legend(loc="upper right", handlelength=1.6)
    for entry in pairs:
        _difference(axes[0, 1], curves, entry, titles)
    return figure


def _apart(curves: dict[str, Any], arms: list[str], titles: dict[str, str], verb: str) -> "Figure":
    columns = 3 if len(arms) <= 6 else 4
    rows = -(-len(arms) // columns)
    figure, axes = new_figure(
        7.4, 1.75 * rows + 0.5, nrows=rows, ncols=columns, sharex=True, sharey=True, squeeze=False
    )
    for axis, arm in zip(axes.flat, arms, strict=False):
        _defaults(axis, curves)
        _curve(axis, curves, curves["arms"][arm], colour(0), band=True)
        _limits(axis, curves, arms)
        axis.set_title(titles[arm] if len(titles[arm]) <= 26 else titles[arm][:25] + "…")
    for axis in axes.flat[len(arms) :]:
        axis.set_visible(False)
    figure.supxlabel(f"Threshold probability (dashed: {verb} everybody; line at 0: {verb} nobody)", fontsize=9)
    figure.supylabel("Net benefit", fontsize=9)
    return figure


def _defaults(axis: Any, curves: dict[str, Any], label: str = "") -> None:
    names = (f"{label} everybody", f"{label} nobody") if label else (None, None)
    axis.plot(
        curves["thresholds"], curves["treat_all"], color=GREY, linewidth=1.4, linestyle=(0, (4, 2)), label=names[0]
    )
    axis.axhline(0, color=INK, linewidth=1.0, label=names[1])


def _curve(
    axis: Any, curves: dict[str, Any], entry: dict[str, Any], tone: str, *, band: bool, label: str | None = None
) -> None:
    low, high = (np.array(entry[side], dtype=float) for side in ("low", "high"))
    if band:
        axis.fill_between(curves["thresholds"], low, high, color=tone, alpha=0.15, linewidth=0)
    axis.plot(curves["thresholds"], entry["net_benefit"], color=tone, linewidth=1.9, label=label)


def _limits(axis: Any, curves: dict[str, Any], arms: list[str]) -> None:
    highest = max(max(curves["arms"][arm]["high"]) for arm in arms)
    top = 1.04 * max(highest, curves["prevalence"])
    axis.set_ylim(-0.2 * top, top)
    axis.set_xlim(0, curves["thresholds"][-1])
    tidy(axis, grid="y")


def _difference(axis: Any, curves: dict[str, Any], entry: dict[str, Any], titles: dict[str, str]) -> None:
    low, high = (np.array(entry[side], dtype=float) for side in ("low", "high"))
    axis.fill_between(curves["thresholds"], low, high, color=GREY, alpha=0.22, linewidth=0)
    axis.plot(curves["thresholds"], entry["difference"], color=INK, linewidth=1.6)
    axis.axhline(0, color=INK, linewidth=0.9)
    axis.set_xlim(0, curves["thresholds"][-1])
    axis.set_title(_wrapped(f"{titles[entry['a']]} − {titles[entry['b']]}"))
    axis.set_xlabel("Threshold probability")
    axis.set_ylabel("Difference in net benefit")
    tidy(axis, grid="y")


def _wrapped(text: str, width: int = 36) -> str:
    from textwrap import wrap

    return "\n".join(wrap(text, width))
