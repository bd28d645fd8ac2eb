"""Clips with fewer frames to give than an arm keeps of each, so that it sees some of them twice: counted and told."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.imaging.cache import PreparedStore
from isthmus.protocol.schema import Protocol
from isthmus.report.context import Check


def short_clips(stores: Mapping[str, PreparedStore]) -> dict[str, dict[str, int]]:
    """Count each arm's clips in which frames are repeated; arms without any are left out.

    Parameters
    ----------
    stores : mapping
        Arm to its prepared pictures.

    Returns
    -------
    dict
        Arm to `repeated`, `clips` and `fewest`, the number of different frames in the shortest.
    """
    found = {}
    for arm, store in stores.items():
        stored = store.frame_indices.shape[1]
        different = np.array([len(set(frames)) for frames in store.frame_indices.tolist()], dtype=int)
        if (different < stored).any():
            found[arm] = {
                "repeated": int(np.count_nonzero(different < stored)),
                "clips": len(different),
                "fewest": int(different.min()),
            }
    return found


def short_clip_lines(found: Mapping[str, Mapping[str, int]], protocol: Protocol) -> list[str]:
    """Return a sentence for each arm of :func:`short_clips`."""
    lines = []
    for arm, counts in found.items():
        frames = protocol.arms[arm].prepare.frames
        kept = 1 if frames is None else frames.stored
        kind = "key frames" if frames is not None and frames.pick == "key_frames" else "frames"
        lines.append(
            f"{protocol.title_of(arm)}: {counts['repeated']} of {counts['clips']} clips have fewer than {kept} {kind} "
            f"to give, the shortest {counts['fewest']}: some are seen more than once"
        )
    return lines


def short_clip_checks(manifest: Mapping[str, Any], protocol: Protocol) -> list[Check]:
    """Return what the report says of them, from the `short_clips` of a run's manifest."""
    lines = short_clip_lines(manifest.get("short_clips", {}), protocol)
    return [Check("Short clips", "warning", ". ".join(lines) + ".")] if lines else []
