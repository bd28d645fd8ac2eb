"""Figures that only a simulated cohort can have: arms below their best possible, heat on calcifications, a leak."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.context import LeakDemonstration, Localisation
from isthmus.report.figure_style import GREY, INK, PALE, colour, new_figure, tidy
from isthmus.report.nearness import efficiency_is_told
from isthmus.report.reading import interval, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RED = "#8a2500"
_WIDE = 0.34  # half the width of a ceiling's bar, in arms


def draw_ideal_observer(facts: dict[str, dict[str, Any]], titles: dict[str, str], shown: dict[str, str]) -> "Figure":
    """Draw each arm's AUC with its interval, above it what was possible from what it is shown, and knowing all.

    Parameters
    ----------
    facts : dict
        Arm to its facts of one split, as ``evidence.json`` has them.
    titles, shown : dict
        Arm to its name, and to the modalities it is shown.
    """
    figure, axis = new_figure(1.75 * len(facts) + 3.1, 4.6)
    for place, values in enumerate(facts.values()):
        _observers(axis, place, values)
        _arm(axis, place, values["arm"])
    axis.axhline(0.5, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
    axis.annotate(
        "chance", (1, 0.5), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
        va="center", color=GREY, fontsize=9, annotation_clip=False,
    )  # fmt: skip
    axis.set_xlim(-0.55, len(facts) - 0.45)
    lows = [values["arm"]["low"] for values in facts.values() if values["arm"]["low"] is not None]
    axis.set_ylim(min(0.48, np.floor((min(lows, default=0.5) - 0.02) * 20) / 20), 1.02)
    axis.set_xticks(range(len(facts)), [_label(titles[arm], shown[arm]) for arm in facts], fontsize=10.5)
    for place, values in enumerate(facts.values()):
        if efficiency_is_told(values):
            axis.annotate(
                f"{100 * values['efficiency']['estimate']:.0f}\u202f%", (place, 0), xycoords=("data", "axes fraction"),
                xytext=(0, 6), textcoords="offset points", ha="center", fontsize=14, fontweight="bold", color=INK,
            )  # fmt: skip
    axis.set_ylabel("AUC" if next(iter(facts.values()))["measure"] == "auc" else "Macro AUC", fontsize=11)
    axis.tick_params(axis="y", labelsize=10)
    handles, texts = axis.get_legend_handles_labels()
    unique = dict(zip(texts, handles, strict=True))
    if any(efficiency_is_told(values) for values in facts.values()):
        unique["bold below: efficiency,\nof what was possible"] = axis.plot([], [], " ")[0]
    figure.legend(
        unique.values(), unique.keys(), loc="outside right upper", fontsize=10, labelspacing=1.1, borderaxespad=2.6
    )
    tidy(axis, grid="y")
    axis.tick_params(axis="x", length=0)
    return figure


def _label(title: str, shown: str) -> str:
    return "\n".join([*textwrap.wrap(title, 19), *textwrap.wrap(f"sees {shown}", 21)])


def _observers(axis: Any, place: int, values: dict[str, Any]) -> None:
    latents, observer = values["latents"], values.get("observer")
    if latents["estimate"] is not None:
        axis.plot(
            [place - _WIDE, place + _WIDE], [latents["estimate"]] * 2, color=INK, linewidth=1.6,
            linestyle=(0, (2, 1.4)), label="possible,\nknowing every finding",
        )  # fmt: skip
    if observer is None or observer["estimate"] is None:
        return
    if observer["low"] is not None:
        axis.fill_between(
            [place - _WIDE, place + _WIDE], observer["low"], observer["high"], color=colour(1), alpha=0.16, linewidth=0
        )
    axis.plot(
        [place - _WIDE, place + _WIDE], [observer["estimate"]] * 2, color=colour(1), linewidth=3.4,
        solid_capstyle="butt", label="possible from\nwhat the arm sees\n(band: interval)",
    )  # fmt: skip
    axis.annotate(
        number(observer["estimate"]), (place - _WIDE, observer["estimate"]), xytext=(0, -3), textcoords="offset points",
        ha="left", va="top", fontsize=9.5, color="#a34700", zorder=6, path_effects=_outlined(),
    )  # fmt: skip
    own = values["arm"]["estimate"]
    if own is not None and own < observer["estimate"]:
        axis.plot([place] * 2, [own, observer["estimate"]], color=GREY, linewidth=1, linestyle=(0, (1, 2)))


def _arm(axis: Any, place: int, entry: dict[str, Any]) -> None:
    if entry["estimate"] is None:
        return
    if entry["low"] is not None:
        axis.plot([place] * 2, [entry["low"], entry["high"]], color=colour(0), linewidth=2.6, solid_capstyle="butt")
    axis.plot(
        place,
        entry["estimate"],
        "o",
        color=colour(0),
        markersize=10,
        label="reached by the arm,\nwith interval",
        zorder=4,
    )
    axis.annotate(
        number(entry["estimate"]), (place, entry["estimate"]), xytext=(9, 0), textcoords="offset points",
        ha="left", va="center", fontsize=11.5, fontweight="bold", color=colour(0), zorder=7, path_effects=_outlined(),
    )  # fmt: skip


def _outlined() -> list[Any]:
    """Return what keeps a number legible where a line runs through it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def draw_leak(leak: LeakDemonstration) -> "Figure":
    """Draw the AUC with pictures divided, in red, beside the one with patients divided."""
    figure, axis = new_figure(6.4, 1.45)
    shown = (("Pictures divided: wrong", leak.picture_level, RED), ("Patients divided: right", leak.honest, colour(0)))
    for row, (_, entry, tone) in enumerate(shown):
        if entry["low"] is not None:
            axis.plot([entry["low"], entry["high"]], [row] * 2, color=tone, linewidth=2.6, solid_capstyle="butt")
        axis.plot(entry["estimate"], row, "o", color=tone, markersize=8)
        axis.annotate(
            interval(entry), (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=10, color=tone
        )
    axis.set_yticks(range(2), [name for name, _, _ in shown], fontsize=10)
    for text, (_, _, tone) in zip(axis.get_yticklabels(), shown, strict=True):
        text.set_color(tone)
        text.set_fontweight("bold")
    axis.axvline(0.5, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
    lows = [entry["low"] for _, entry, _ in shown if entry["low"] is not None]
    axis.set_xlim(min([0.48, *(low - 0.03 for low in lows)]), 1)
    axis.set_ylim(1.6, -0.6)
    axis.set_xlabel(f"AUC of {leak.unit}s (dashed: chance)")
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return figure


def draw_heat_on_calcifications(found: dict[str, Localisation], titles: dict[str, str]) -> "Figure":
    """Draw how many times more heat lies on a case's calcifications than even heat would put there."""
    figure, axis = new_figure(6.4, 0.8 + 0.5 * len(found))
    random = np.random.default_rng(0)
    least, most = 0.1, 10.0
    for row, (_, entry) in enumerate(found.items()):
        ratio = np.asarray(entry.heat_in_calcifications) / np.maximum(entry.calcification_share, 1e-9)
        jitter = row + random.uniform(-0.16, 0.16, len(ratio))
        axis.plot(
            np.clip(ratio, least, most), jitter, "o", color=colour(0), markersize=3.4, alpha=0.45, markeredgewidth=0
        )
        axis.plot([np.clip(np.median(ratio), least, most)] * 2, [row - 0.28, row + 0.28], color=INK, linewidth=2.2)
    axis.axvline(1, color=GREY, linewidth=1.2, linestyle=(0, (3, 3)))
    axis.set_xscale("log")
    axis.set_xlim(least * 0.92, most * 1.08)
    axis.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1 or less", "0.3", "1: even heat", "3", "10 or more"])
    axis.minorticks_off()
    axis.set_yticks(range(len(found)), [titles[arm] for arm in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel("Heat on the calcifications, times that of even heat")
    axis.grid(visible=True, axis="x", color=PALE, linewidth=0.5)
    tidy(axis)
    axis.tick_params(axis="y", length=0)
    return figure
