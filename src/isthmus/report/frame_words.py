"""Which frames of a clip an arm looks at, and how its score comes out of them, in words."""

from collections.abc import Mapping
from typing import Any, Final

from isthmus.imaging.frames import FrameSampling, key_frames_in_words

_PICKED: Final = {
    "largest_area": "looks at one frame of each clip, that of the largest lesion",
    "calcification_richest": (
        "is an oracle that looks at the one frame with most calcification in plane, which only a simulation knows"
    ),
}
_JOINED: Final = {
    "mean": "its score is the mean of their logits",
    "maximum": "its score is that of the most suspicious frame",
}

_AT_ONCE: Final = {
    "3d": ", all at once as one volume",
    "frames_as_channels": ", all at once as channels of one picture",
}


def frame_words(arm: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return what an arm sees of a clip, as the end of a sentence; empty for an arm that looks at stills.

    Parameters
    ----------
    arm : mapping
        The arm as the resolved protocol has it: ``prepare``, ``predict``, ``networks_of``.
    titles : mapping
        Arms to their names.

    Examples
    --------
    >>> frame_words({"prepare": {"layout": "3d", "frames": {"count": 16, "stored": 20, "pick": "uniform"}}}, {})
    'looks at 16 frames of each clip at once, drawn in training out of 20 that are evenly spread over the lesion'
    """
    prepare = arm.get("prepare") or {}
    frames = prepare.get("frames")
    if not frames:
        return ""
    if frames.get("pick") == "key_frames":
        at_once = _AT_ONCE.get(prepare.get("layout", "2d"), "")
        return f"looks at {key_frames_in_words(FrameSampling.model_validate(frames))}{at_once}"
    if frames.get("pick") in _PICKED:
        return _PICKED[frames["pick"]]
    count, stored = frames["count"], frames.get("stored", frames["count"])
    spread = "that are evenly spread over " + ("the lesion" if frames.get("within", "lesion") == "lesion" else "it")
    out_of = f", drawn in training out of {stored} {spread}" if stored > count else f" {spread}"
    if prepare.get("layout") in _AT_ONCE:
        return f"looks at {count} frames of each clip at once{out_of}"
    source = arm.get("networks_of")
    learnt = f"takes over the networks of {titles.get(source, source)}" if source else "learns from single frames"
    joined = _JOINED[(arm.get("predict") or {}).get("frames", "mean")]
    return f"{learnt}; it scores {count} frames of each clip one by one {spread}, and {joined}"
