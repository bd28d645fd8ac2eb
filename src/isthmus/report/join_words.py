"""How an arm of several modalities joins them, in the words of a methods section."""

from collections.abc import Mapping
from typing import Any, Final

from isthmus.report.arm_modalities import MODALITIES
from isthmus.report.reading import listed

_HOW: Final[Mapping[str, str]] = {
    "branches": "looks at {names} at once: one network with a branch for each, and a learnt vector in the place of "
    "what a nodule lacks",
    "pooled": "sees pictures of {names} one at a time: one network for all, told which it sees; a nodule's score is "
    "the mean over its pictures",
}


def join_words(arm: Mapping[str, Any]) -> str:
    """Return how an arm, as the protocol resolves it, joins modalities; empty where it looks at one.

    Examples
    --------
    >>> join_words({"view": {"modalities": ["bmode", "swe"], "join": "branches"}})[:42]
    'looks at B-mode and elastography at once: '
    """
    view = arm.get("view") or {}
    if not view.get("modalities"):
        return ""
    words = _HOW[view["join"]].format(names=listed([MODALITIES[name] for name in view["modalities"]]))
    hidden = (arm.get("train") or {}).get("modality_dropout", 0.0)
    if hidden and view["join"] == "branches":
        words += f"; in a training step each was hidden with a chance of {100 * hidden:.0f}\u202f%"
    return words
