"""From a map of probabilities to one proposed region: which component, how sure, how far its makers agree."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

EDGE = 0.5
"""A pixel belongs to a region from this mean probability on."""

SMALLEST = 0.002
"""Components below this share of the scan area are specks: the smallest outlined nodule of DDTI has 0.3 %."""

Readings = NDArray[np.float32]
"""Probabilities [R, H, W] on the source picture, one plane for each part and mirror; 0 outside the scan area."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A region that a localiser proposes.

    Parameters
    ----------
    box : Box
        Around ``mask``, in source pixels.
    mask : bool array [H, W]
        Of the source picture's size, one component without holes.
    confidence : float
        Mean probability inside ``mask``, over the parts and their mirrored readings.
    agreement : float
        Mean Dice coefficient of each reading's own mask with the mean's, within the scan area: 1 when all agree.
    parts : tuple of int
        Which parts were asked: those that never saw this picture's group.
    others : int
        How many further components there were: other nodules, or mistakes.
    """

    box: Box
    mask: NDArray[np.bool_]
    confidence: float
    agreement: float
    parts: tuple[int, ...]
    others: int = 0


def picture_key(frame: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of a picture's decoded pixels [H, W, C]: the same for a copy saved in another lossless form.

    Three equal channels count as one.
    """
    plane = frame[..., 0]
    grey = frame.shape[2] == 1 or (np.array_equal(plane, frame[..., 1]) and np.array_equal(plane, frame[..., 2]))
    pixels = np.ascontiguousarray(plane if grey else frame)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def proposal_of(readings: Readings, area: Box, parts: tuple[int, ...]) -> tuple[Proposal, float] | None:
    """Return the largest confident component of the mean reading, and its probability mass in pixels.

    Parameters
    ----------
    readings : float32 array [R, H, W]
        Probabilities on the source picture.
    area : Box
        The scan area that they cover.
    parts : tuple of int
        Who read.

    Returns
    -------
    Proposal and float, or None
        Of the component with the largest sum of probabilities; None where there is no component of
        :data:`SMALLEST` of the scan area or more.
    """
    mean = readings.mean(axis=0)
    inside = (mean >= EDGE).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    least = SMALLEST * (area[2] - area[0]) * (area[3] - area[1])
    large = [label for label in range(1, count) if statistics[label, cv2.CC_STAT_AREA] >= max(least, 1.0)]
    if not large:
        return None
    masses = np.bincount(labels.ravel(), weights=mean.ravel().astype(np.float64), minlength=count)
    best = max(large, key=lambda label: masses[label])
    mask = _without_holes(labels == best)
    columns, lines = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    box = (float(columns[0]), float(lines[0]), float(columns[-1] + 1), float(lines[-1] + 1))
    confidence = float(mean[mask].mean(dtype=np.float64))
    proposal = Proposal(box, mask, confidence, _agreement(readings, inside > 0), parts, len(large) - 1)
    return proposal, float(masses[best])


def _without_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled > 0


def _agreement(readings: Readings, together: NDArray[np.bool_]) -> float:
    each = readings >= EDGE
    common = np.logical_and(each, together).sum(axis=(1, 2))
    sizes = each.sum(axis=(1, 2)) + int(together.sum())
    return float(np.mean(2.0 * common / np.maximum(sizes, 1)))
