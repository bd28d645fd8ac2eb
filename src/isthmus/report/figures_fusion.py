"""How features of fused members were selected: the LASSO's path, its cross-validated error, the weights that are left.

The three panels of olnm2025's figure 1 (III), a row for each head of a fused model.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.models.fused_columns import member_of
from isthmus.report.figure_style import GREY, INK, PALE, Drawn, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WEIGHTS = 20
"""Bars in a panel; the rest are counted."""

_HEIGHT, _BAR = 2.5, 0.155  # inches


def draw_selection(paths: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], name: str) -> Drawn | None:
    """Draw how the LASSO selected features for each head of a fused model.

    Parameters
    ----------
    paths : mapping
        Head (``a``, ``b`` or ``all``) to what :class:`isthmus.training.fusion.FittedHead` has as ``path``.
    titles : mapping
        Member to the name shown.
    name : str
        Of the fused model.

    Returns
    -------
    tuple of figure, title and what is read out of it, or None
        None where no head selected by LASSO.
    """
    chosen = {head: path["lasso"] for head, path in paths.items() if path["lasso"] is not None}
    if not chosen:
        return None
    members = _members(chosen.values())
    tones = {member: colour(place) for place, member in enumerate(members)}
    bars = max(min(len(lasso["weights"]), _MOST_WEIGHTS) for lasso in chosen.values())
    figure, axes = new_figure(
        9.4, max(_HEIGHT, 0.9 + _BAR * bars) * len(chosen), nrows=len(chosen), ncols=3, squeeze=False
    )
    for row, (head, lasso) in zip(axes, chosen.items(), strict=True):
        _draw_path(row[0], lasso, tones)
        _draw_error(row[1], lasso)
        _draw_weights(row[2], lasso, tones)
        row[0].set_title("Coefficients" if len(chosen) == 1 else f"Head {head}: coefficients")
        row[1].set_title(f"Error, {lasso['folds']} folds of whole patients")
        row[2].set_title(_weights_title(lasso))
    _name_members(axes[0][0], tones, titles)
    title = f"Features of {name}: selection by LASSO"
    return figure, title, f"{title}. {' '.join(_spoken(head, lasso, len(chosen)) for head, lasso in chosen.items())}"


def _members(lassos: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return members in the order of the features."""
    names = [name for lasso in lassos for name in (*lasso["entered"], *lasso["selected"])]
    return list(dict.fromkeys(map(member_of, names)))


def _draw_path(axis: "Axes", lasso: Mapping[str, Any], tones: Mapping[str, str]) -> None:
    left = set(lasso["selected"])
    for feature, values in zip(lasso["entered"], lasso["coefficients"], strict=True):
        stays = feature in left and not lasso["fallback"]
        axis.plot(
            lasso["alphas"], values, color=tones[member_of(feature)], linewidth=1.2 if stays else 0.6,
            alpha=1.0 if stays else 0.35,
        )  # fmt: skip
    axis.axhline(0, color=PALE, linewidth=0.7, zorder=0)
    _penalty_axis(axis, lasso)
    axis.set_ylabel("Coefficient")


def _draw_error(axis: "Axes", lasso: Mapping[str, Any]) -> None:
    alphas, mean, error = (np.asarray(lasso[key]) for key in ("alphas", "mse", "mse_se"))
    axis.fill_between(alphas, mean - error, mean + error, color=PALE, alpha=0.7, linewidth=0)
    axis.plot(alphas, mean, color=INK, linewidth=1.4)
    # A penalty that hardly binds can err a hundred times as much; the least error is what is looked for.
    null, least = float(mean[0]), float((mean - error).min())
    span = max(null - least, 0.05 * null)
    axis.set_ylim(least - 0.1 * span, null + 1.5 * span)
    _penalty_axis(axis, lasso)
    axis.set_ylabel("Mean squared error ± SE")


def _draw_weights(axis: "Axes", lasso: Mapping[str, Any], tones: Mapping[str, str]) -> None:
    ranked = sorted(zip(lasso["selected"], lasso["weights"], strict=True), key=lambda item: -abs(item[1]))
    shown = ranked[:_MOST_WEIGHTS]
    for place, (feature, weight) in enumerate(shown):
        axis.barh(place, weight, height=0.7, color=tones[member_of(feature)])
    axis.axvline(0, color=GREY, linewidth=0.7)
    axis.margins(x=0.12)
    axis.locator_params(axis="x", nbins=4)
    axis.set_yticks(range(len(shown)), [feature for feature, _ in shown], fontsize=7.5)
    axis.set_ylim(max(len(shown), 8) - 0.4, -0.6)
    axis.set_xlabel("Correlation with the label" if lasso["fallback"] else "Weight")
    tidy(axis, grid="x")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    if len(ranked) > len(shown):
        axis.annotate(
            f"and {len(ranked) - len(shown)} smaller", (1, 0.02), xycoords="axes fraction", ha="right", fontsize=7.5,
            color=GREY,
        )  # fmt: skip


def _weights_title(lasso: Mapping[str, Any]) -> str:
    if lasso["fallback"]:
        return "None; the strongest alone"
    return f"{len(lasso['selected'])} selected"


def _penalty_axis(axis: "Axes", lasso: Mapping[str, Any]) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlim(max(lasso["alphas"]), min(lasso["alphas"]))
    axis.axvline(lasso["alpha"], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axis.set_xlabel("Penalty α (dashed: chosen)")
    tidy(axis)


def _name_members(axis: "Axes", tones: Mapping[str, str], titles: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    shown = [Line2D([], [], color=tone, label=titles.get(member, member)) for member, tone in tones.items()]
    axis.legend(handles=shown, loc="upper left", fontsize=7.5, frameon=True, edgecolor="none", framealpha=0.8)


def _spoken(head: str, lasso: Mapping[str, Any], heads: int) -> str:
    which = f"Head {head}: " if heads > 1 else ""
    errors = f"penalty {lasso['alpha']:.3g} with the least error, {min(lasso['mse']):.4f}"
    if lasso["fallback"]:
        return f"{which}{errors}; no feature left, the strongest single one stands in: {lasso['selected'][0]}."
    of = ", ".join(
        f"{sum(member_of(name) == member for name in lasso['selected'])} of {member}"
        for member in dict.fromkeys(map(member_of, lasso["selected"]))
    )
    return f"{which}{errors}; {len(lasso['selected'])} features left ({of})."
