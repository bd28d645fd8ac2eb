"""Small clips and bundles of clip models, made by the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import write_bundle
from isthmus.models.registry import create
from tests.inference.small_models import bundle_spec

FRAMES, HEIGHT, WIDTH = 12, 80, 96
SEEN = range(3, 9)
"""The frames in which the lesion is seen; it moves to the right and is largest in the last."""


def frames_of_clip(seed: int = 0, frames: int = FRAMES) -> NDArray[np.uint8]:
    """Return speckle [T, 80, 96] that changes from frame to frame, dark inside the lesion; all of it ultrasound."""
    pixels = np.random.default_rng(seed).integers(60, 200, (frames, HEIGHT, WIDTH)).astype(np.uint8)
    pixels[lesion_of_clip(frames)] //= 3
    return pixels


def lesion_of_clip(frames: int = FRAMES) -> NDArray[np.bool_]:
    """Return the lesion's mask in each frame [T, 80, 96]."""
    masks = np.zeros((frames, HEIGHT, WIDTH), bool)
    for frame in set(SEEN) & set(range(frames)):
        masks[frame, 30:60, 20 + frame : 40 + 2 * frame] = True
    return masks


def boxes_of_clip() -> NDArray[np.float64]:
    """Return the same as boxes [T, 4], NaN where the lesion is out of plane."""
    boxes = np.full((FRAMES, 4), np.nan)
    for frame in SEEN:
        boxes[frame] = 20 + frame, 30, 40 + 2 * frame, 60
    return boxes


def clip(folder: Path, seed: int = 0, frames: int = FRAMES) -> Path:
    """Write a clip as a folder of numbered frames."""
    folder.mkdir(parents=True)
    for number, pixels in enumerate(frames_of_clip(seed, frames)):
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def mask_of_clip(path: Path) -> Path:
    """Write the lesion's mask in each frame as a multi-page TIFF."""
    write_clip_mask(path, lesion_of_clip())
    return path


def volume_bundle(folder: Path, *, stored: int = 5, **changes: Any) -> Path:
    """Write a bundle of two untrained attention networks that look at 4 frames as one volume, and at the mask."""
    prepare = Preparation(
        train_size=36, crop_size=32, layout="3d", frames=FrameSampling(count=4, stored=stored), **changes
    )
    return _bundle(
        folder,
        "calcification_inception_resnet_v2_3d",
        {"width": 4, "repeats": [1, 1, 1]},
        {"prepare": prepare, "parts": 2},
    )


def frame_bundle(folder: Path, frames: FrameSampling, **changes: Any) -> Path:
    """Write a bundle of an untrained network that looks at frames one by one."""
    prepare = Preparation(train_size=36, crop_size=32, frames=frames)
    return _bundle(folder, "resnet18", {"width": 8}, {"prepare": prepare, "parts": 1, **changes})


def _bundle(folder: Path, network: str, options: dict[str, Any], changes: dict[str, Any]) -> Path:
    spec = bundle_spec(
        network={"name": network, "options": options, "classes": 2, "channels": 1},
        requires={"modalities": ["cine"], "region": "box"},
        **changes,
    )
    states = []
    for part in range(len(spec.parts)):
        torch.manual_seed(part)
        states.append(create(network, classes=2, channels=1, **options).state_dict())
        # Untrained networks score alike; a larger last layer parts them.
        last = [name for name in states[-1] if name.endswith("weight") and states[-1][name].ndim == 2][-1]
        states[-1][last].mul_(20.0)
    write_bundle(folder, spec, states)
    return folder
