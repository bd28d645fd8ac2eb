"""The figure of what each member brought to a fused score: a dot a case, coloured by its class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.report.figure_style import GREY, INK, colour, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_attribution(found: dict[str, dict[str, Any]], titles: dict[str, str], what: str = "member") -> "Figure":
    """Draw a panel a fused arm, in it a row a member.

    Parameters
    ----------
    found : dict
        Fused arm to ``values`` (member to what it brought to each case, in log odds, None where the case lacks it),
        ``labels`` (the cases' classes)
        and ``members`` (with each class's mean).
    titles : dict
        Arm, fused or member, to its name as shown.
    what : str
        What a row is.
    """
    rows = [len(facts["values"]) + 0.5 for facts in found.values()]
    figure, axes = new_figure(
        7.2, 0.42 * sum(rows) + 0.45 * len(rows) + 0.7, nrows=len(rows), squeeze=False, sharex=True, height_ratios=rows
    )
    classes = list(dict.fromkeys(name for facts in found.values() for name in _classes(facts)))
    random = np.random.default_rng(0)
    for axis, (arm, facts) in zip(axes[:, 0], found.items(), strict=True):
        labels = np.array(facts["labels"])
        for place, (member, values) in enumerate(facts["values"].items()):
            for number, name in enumerate(classes):
                own = np.array(values, dtype=np.float64)[labels == name]
                shift = 0.22 * (number - (len(classes) - 1) / 2)
                y = place + shift + random.uniform(-0.07, 0.07, len(own))
                axis.plot(own, y, "o", color=colour(number), markersize=3, alpha=0.45, markeredgewidth=0)
                mean = facts["members"][member]["classes"].get(name)
                if mean is not None:
                    axis.plot(
                        [mean["estimate"]] * 2, [place + shift - 0.1, place + shift + 0.1], color=INK, linewidth=2
                    )
        axis.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        axis.set_yticks(range(len(facts["values"])), [titles.get(member, member) for member in facts["values"]])
        axis.set_ylim(len(facts["values"]) - 0.4, -0.6)
        axis.set_title(titles.get(arm, arm))
        tidy(axis, grid="x")
    for number, name in enumerate(classes):
        axes[0, 0].plot([], [], "o", color=colour(number), markersize=4, label=name)
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    axes[-1, 0].set_xlabel(f"What the {what} brought to the score, in log odds")
    return figure


def _classes(facts: dict[str, Any]) -> list[str]:
    """Return the classes of a fused arm's cases, in the order of the target's."""
    return list(dict.fromkeys(name for entry in facts["members"].values() for name in entry["classes"]))
