"""Smooth random pictures: uneven perfusion, stiffness and flow. The tissue itself is drawn in three dimensions."""

import cv2
import numpy as np

from isthmus.phantom.medium import Field


def smooth_field(random: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Field:
    """Return a Gaussian random field of mean 0 and variance 1 over the picture.

    Parameters
    ----------
    random : Generator
        Its numbers; how many are taken depends on ``shape`` and ``sigma`` alone.
    shape : tuple of int
        Height and width.
    sigma : float
        Width of the smoothing in pixels; wide ones are made on a coarser grid and enlarged.
    """
    coarse = max(1, int(sigma / 2))
    small: Field = random.standard_normal((shape[0] // coarse + 3, shape[1] // coarse + 3), dtype=np.float32)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), max(sigma / coarse, 0.3)), dtype=np.float32)
    field = np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)
