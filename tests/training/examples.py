"""A store of noise with a brighter middle in the positive class, and fits on it that take a tenth of a second."""

from typing import Any

import numpy as np

from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.training.settings import TrainSettings
from isthmus.training.spec import FitSpec

PREPARE = Preparation(train_size=36, crop_size=32)


def store_of(count: int = 60, size: int = 36) -> PreparedStore:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 160, (count, 1, size, size, 1), dtype=np.uint8)
    middle = slice(size // 4, -(size // 4))
    pixels[::3, :, middle, middle] += 60
    masks = np.zeros((count, 1, size, size), np.uint8)
    masks[:, :, middle, middle] = 1
    affines = np.tile(np.eye(2, 3), (count, 1, 1))
    frames = np.zeros((count, 1), np.int64)
    return PreparedStore("key", pixels, masks, [f"view{row:02d}" for row in range(count)], affines, {}, frames)


def spec_of(**changes: Any) -> FitSpec:
    """A fit on :func:`store_of`: 36 training, 12 tuning and 12 held-out views, every third of them positive."""
    views = [f"view{row:02d}" for row in range(60)]
    train = {"epochs": 3, "batch": 16, "early_stopping": None, **changes.pop("train", {})}
    facts: dict[str, Any] = {
        "arm": "image",
        "candidate": "resnet18",
        "seed": 0,
        "fold": 0,
        "network": "resnet18",
        "options": {"width": 8},
        "classes": ["0", "1"],
        "prepare": PREPARE,
        "train": TrainSettings(**train),
        "train_views": views[:36],
        "tune_views": views[36:48],
        "held_out_views": views[48:],
        "labels": {view: int(row % 3 == 0) for row, view in enumerate(views)},
        "groups": {view: f"group{row:02d}" for row, view in enumerate(views)},
        "store_key": "key",
    }
    return FitSpec(**{**facts, **changes})
