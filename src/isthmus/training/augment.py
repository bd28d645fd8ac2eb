"""Random changes of training views, on tensors: one affine transform a view, gain and gamma, and time's direction.

Mirroring, rotation, scale, shift and the place of the crop are composed into one matrix, so that a view is resampled
once, straight to the size the network sees. Pixels and lesion masks go through the same matrix, all frames of a clip
too. A matrix that only mirrors and moves by whole pixels resamples nothing: pixels are copied, and a calcification of
one pixel stays as bright as it was.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

ROTATION_DEGREES = 15.0
"""Largest turn to either side: a probe is rarely tilted further."""

SCALE = 1.1
"""Largest zoom, in either direction."""

GAIN = 1.25
"""Largest factor of the grey values, in either direction: about what the gain knob is moved between examinations."""


SHIFT = 0.1
"""Largest move along each axis, as a share of the side: about what two readers' boxes of one nodule differ by."""

GAMMA = 1.25
"""Largest exponent of the grey values, in either direction: scanners differ in dynamic range and grey map."""


class Transforms(NamedTuple):
    """What happens to each view of a batch.

    Parameters
    ----------
    matrices : Tensor, float32 [N, 2, 3]
        From pixel coordinates of the result to pixel coordinates of the source, relative to the middle of each.
    gains : Tensor, float32 [N]
        Factor of the grey values.
    gammas : Tensor of float32 [N], optional
        Exponent of the grey values, 0 to 1; None leaves them straight.
    backwards : Tensor of bool [N], optional
        Whether a clip's frames are put into the opposite order; None: none.
    """

    matrices: Tensor
    gains: Tensor
    gammas: Tensor | None = None
    backwards: Tensor | None = None


def draw(names: Sequence[str], count: int, size: int, crop: int, generator: torch.Generator) -> Transforms:
    """Draw the transforms of a batch.

    Parameters
    ----------
    names : sequence of str
        Some of :data:`isthmus.training.settings.AUGMENTATIONS`. Every kind draws its numbers whether named or not, so
        that an ablation of one leaves the others as they were.
    count : int
        Views N.
    size, crop : int
        Side of the prepared pixels and of the result, in pixels.
    generator : torch.Generator
        Of the CPU; decides everything.

    Returns
    -------
    Transforms
        On the CPU.
    """
    u = torch.rand(7, count, generator=generator)
    later = torch.rand(3, count, generator=generator)  # kinds added later draw after the first ones
    last = torch.rand(count, generator=generator)
    ones, zeros = torch.ones(count), torch.zeros(count)
    mirror_x = torch.where(u[0] < 0.5, -1.0, 1.0) if "flip" in names else ones
    mirror_y = torch.where(u[1] < 0.5, -1.0, 1.0) if "vertical_flip" in names else ones
    angle = (2 * u[2] - 1) * math.radians(ROTATION_DEGREES) if "rotate" in names else zeros
    zoom = SCALE ** (2 * u[3] - 1) if "scale" in names else ones
    gains = GAIN ** (2 * u[4] - 1) if "gain" in names else ones
    cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    room = size - crop
    # Whole pixels: without rotation and scale a crop then copies grey values instead of blurring them.
    left, top = ((u[5:7] * (room + 1)).floor() if "crop" in names else torch.full((2, count), room // 2)) - room / 2
    if "translate" in names:
        moves = (2 * later[:2] - 1) * SHIFT * crop
        resampled = "rotate" in names or "scale" in names
        left, top = (torch.stack([left, top]) + (moves if resampled else moves.round())).unbind()
    gammas = GAMMA ** (2 * later[2] - 1) if "gamma" in names else None
    backwards = last < 0.5 if "reverse" in names else None
    rows = [
        torch.stack([cosine * mirror_x, -sine * mirror_y, left], dim=1),
        torch.stack([sine * mirror_x, cosine * mirror_y, top], dim=1),
    ]
    return Transforms(torch.stack(rows, dim=1), gains, gammas, backwards)


def apply(pixels: Tensor, transforms: Transforms, crop: int) -> Tensor:
    """Change pixels.

    Parameters
    ----------
    pixels : Tensor of uint8, shape [N, T, S, S, C]
        Prepared pixels, on any device.
    transforms : Transforms
        Of :func:`draw`.
    crop : int
        Side of the result.

    Returns
    -------
    Tensor of uint8, shape [N, T, crop, crop, C]
        Copied where all matrices allow it, else resampled bilinearly; what lies outside the source is black, like
        everything outside the scan area.
    """
    n, t, size, _, c = pixels.shape
    places = _whole_pixels(transforms.matrices, size, crop)
    if places is not None:
        return _regraded(_copied(pixels, places, transforms.backwards, crop), transforms)
    planes = _in_time(pixels, transforms.backwards).permute(0, 1, 4, 2, 3).reshape(n, t * c, size, size).float()
    planes = _resample(planes, transforms.matrices, crop)
    return _graded(planes, transforms).view(n, t, c, crop, crop).permute(0, 1, 3, 4, 2)


def apply_to_masks(masks: Tensor, transforms: Transforms, crop: int) -> Tensor:
    """Move lesion masks [N, T, S, S] (bool or 0/1) as :func:`apply` moves pixels; returns bool [N, T, crop, crop]."""
    places = _whole_pixels(transforms.matrices, masks.shape[2], crop)
    if places is not None:
        return _copied(masks, places, transforms.backwards, crop) != 0
    return _resample(_in_time(masks, transforms.backwards).float(), transforms.matrices, crop) > 0.5


def _graded(planes: Tensor, transforms: Transforms) -> Tensor:
    """Return grey values [N, ...] after gamma and gain as uint8; changes ``planes``."""
    shape = (-1, *[1] * (planes.ndim - 1))
    if transforms.gammas is not None:
        # Before the gain, as in a scanner: the grey map bends, then the display is made brighter or darker.
        planes = (planes / 255).pow_(transforms.gammas.to(planes.device).view(shape)).mul_(255)
    planes *= transforms.gains.to(planes.device).view(shape)
    return planes.round_().clamp_(0, 255).to(torch.uint8)


def _regraded(pixels: Tensor, transforms: Transforms) -> Tensor:
    """Return whole grey values [N, ...] after gamma and gain, each looked up in a table of 256."""
    if transforms.gammas is None and bool((transforms.gains == 1).all()):
        return pixels
    tables = _graded(torch.arange(256, dtype=torch.float32).repeat(len(pixels), 1), transforms).to(pixels.device)
    return tables.gather(1, pixels.flatten(1).long()).view(pixels.shape)


def _whole_pixels(matrices: Tensor, size: int, crop: int) -> list[list[int]] | None:
    """Return each view's steps along y and x and its starts there; None where a matrix does more than mirror and move.

    Pixel ``p`` of the result is pixel ``step * p + start`` of the source; ``step`` is 1 or -1.
    """
    steps = torch.stack([matrices[:, 1, 1], matrices[:, 0, 0]])
    turns = torch.stack([matrices[:, 1, 0], matrices[:, 0, 1]])
    starts = torch.stack([matrices[:, 1, 2], matrices[:, 0, 2]]) + (size - 1) / 2 - steps * (crop - 1) / 2
    if bool((steps.abs() != 1).any() | (turns != 0).any() | (starts != starts.round()).any()):
        return None
    return [[int(value) for value in view] for view in torch.cat([steps, starts]).T.tolist()]


def _copied(source: Tensor, places: list[list[int]], backwards: Tensor | None, crop: int) -> Tensor:
    """Copy and mirror windows of views [N, T, S, S, ...]; what lies outside stays 0."""
    size = source.shape[2]
    result = source.new_zeros((len(source), source.shape[1], crop, crop, *source.shape[4:]))
    for row, (step_y, step_x, start_y, start_x) in enumerate(places):
        (into_y, from_y), (into_x, from_x) = (
            _window(step, start, size, crop) for step, start in ((step_y, start_y), (step_x, start_x))
        )
        part = source[row, :, from_y, from_x]
        mirrored = [axis for axis, step in ((1, step_y), (2, step_x)) if step < 0]
        if backwards is not None and backwards[row]:
            mirrored.append(0)
        result[row, :, into_y, into_x] = part.flip(mirrored) if mirrored else part
    return result


def _window(step: int, start: int, size: int, crop: int) -> tuple[slice, slice]:
    """Return where along an axis of the result pixels come to lie, and which of the source's they are."""
    if step > 0:
        first, end = max(0, -start), min(crop, size - start)
        return slice(first, end), slice(start + first, start + end)
    first, end = max(0, start - size + 1), min(crop, start + 1)
    return slice(first, end), slice(start - end + 1, start - first + 1)


def _in_time(source: Tensor, backwards: Tensor | None) -> Tensor:
    if backwards is None or source.shape[1] == 1:
        return source
    return torch.where(backwards.to(source.device).view(-1, *[1] * (source.ndim - 1)), source.flip(1), source)


def _resample(planes: Tensor, matrices: Tensor, crop: int) -> Tensor:
    size = planes.shape[-1]
    matrices = matrices.to(planes.device)
    # affine_grid measures in halves of the side: the result's are crop / 2 pixels, the source's size / 2.
    theta = torch.cat([matrices[:, :, :2] * (crop / size), matrices[:, :, 2:] * (2 / size)], dim=2)
    grid = functional.affine_grid(theta, [len(planes), 1, crop, crop], align_corners=False)
    return functional.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
