"""Synthetic ultrasound for tests: speckle that is smooth across, as a scanner's lateral resolution makes it."""

import cv2
import numpy as np
from numpy.typing import NDArray


def speckle(height: int, width: int, seed: int, brightness: float = 60.0) -> NDArray[np.uint8]:
    """Return a grey speckle picture [H, W] with a mean of ``brightness``."""
    rayleigh = np.random.default_rng(seed).rayleigh(1.0, (height + 20, width + 20)).astype(np.float32)
    smooth = cv2.GaussianBlur(rayleigh, (0, 0), sigmaX=2.2, sigmaY=1.0)[10:-10, 10:-10]
    return np.clip(smooth * brightness / smooth.mean(), 0, 255).astype(np.uint8)


def screen(*panels: tuple[int, int, int, int], seed: int = 0, text: bool = True) -> NDArray[np.uint8]:
    """Return a scanner's screen [360, 560, 3] with ultrasound in ``panels`` and text, bar and ticks around it."""
    frame = np.zeros((360, 560, 3), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(panels):
        tissue = speckle(y1 - y0, x1 - x0, seed + number, brightness=60.0 + 25.0 * number)
        frame[y0:y1, x0:x1] = tissue[..., None]
    if text:
        cv2.putText(frame, "TIRADS 4A (4B*)", (120, 345), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        cv2.putText(frame, "12L6", (531, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1)
        frame[160:250, 4:13] = np.linspace(255, 20, 90, dtype=np.uint8)[:, None, None]
        frame[3:5, 100:500:60] = 255
    return frame
