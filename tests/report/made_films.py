"""Films of a report: two frames of noise as an MP4, and a strip."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from isthmus.report.context import Film


def made_film(folder: Path, arm: str, number: int = 1) -> Film:
    """Write a film of an arm and its strip."""
    import av

    place = folder / arm
    place.mkdir(parents=True, exist_ok=True)
    video, strip = place / f"{number:02d}.mp4", place / f"{number:02d}.png"
    random = np.random.default_rng(number)
    with av.open(str(video), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(2):
            picture = random.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    Image.fromarray(random.integers(0, 255, (40, 200, 3)).astype(np.uint8)).save(strip)
    words = f"Most confident and right. View V{number}: score 0.91, malignant; label malignant."
    return Film(video, strip, words, f"Ultrasound clip V{number} with a Grad-CAM heat map on 2 frames", arm)


def made_frames(*, clips: int = 30) -> dict[str, Any]:
    """Return what a summary says of frames."""

    def entry(estimate: float, low: float, high: float) -> dict[str, Any]:
        return {"estimate": estimate, "low": low, "high": high, "level": 0.95, "method": "made"}

    found: dict[str, Any] = {"clips": clips, "groups": clips, "every_frame": 4, "sentence": "Made <sentence>."}
    if clips:
        found |= {
            "top": entry(0.72, 0.55, 0.86),
            "chance": entry(0.41, 0.35, 0.47),
            "difference": entry(0.31, 0.15, 0.44),
            "rank": entry(0.68, 0.6, 0.75),
        }
    return {"seen": 16, "steps": 8, "cells": [8, 8], "maps": "net.stage", "calcified": found}
