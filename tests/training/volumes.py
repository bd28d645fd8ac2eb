"""A small network of clips that looks at masks and names its stages, and fits of it that take a second."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import IMAGE, LESION_MASK, Classifier, InputSpec, Outputs
from isthmus.training.spec import FitSpec
from tests.training.examples import spec_of

PREPARE = Preparation(train_size=36, crop_size=32, layout="3d", frames={"count": 4, "stored": 6})
NETWORK = f"{__file__}:build"


class SmallVolume(Classifier):
    """Two stages of convolution, batch norm and dropout; the mask weighs the picture."""

    head_name = "fc"

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(
            inputs=(InputSpec(IMAGE, channels, 3), InputSpec(LESION_MASK, 1, 3, required=False)), classes=classes
        )
        self.first = nn.Sequential(nn.Conv3d(channels, 16, 3, (1, 2, 2), 1), nn.BatchNorm3d(16), nn.ReLU())
        self.second = nn.Sequential(
            nn.Conv3d(16, 16, 3, 2, 1), nn.BatchNorm3d(16), nn.Dropout3d(0.2), nn.ReLU(), nn.MaxPool3d((1, 2, 2))
        )
        self.fc = nn.Linear(16, classes)
        self.stages = ("first", "second")

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        image, mask = inputs[IMAGE], inputs.get(LESION_MASK)
        return {IMAGE: self.second(self.first(image if mask is None else image * (0.5 + mask)))}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        embedding = features[IMAGE].mean((2, 3, 4))
        return Outputs(self.fc(embedding), embedding, {})


def build(*, classes: int, channels: int) -> SmallVolume:
    return SmallVolume(classes, channels)


def clips_of(count: int = 60, frames: int = 6, size: int = 36) -> PreparedStore:
    """Clips of noise; of every third one the middle, which is the lesion, is brighter in all frames."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 160, (count, frames, size, size, 1), dtype=np.uint8)
    middle = slice(size // 4, -(size // 4))
    pixels[::3, :, middle, middle] += 60
    masks = np.zeros((count, frames, size, size), np.uint8)
    masks[:, :, middle, middle] = 1
    numbers = np.tile(np.arange(frames), (count, 1))
    return PreparedStore(
        key="key", pixels=pixels, lesion_masks=masks, view_ids=[f"view{row:02d}" for row in range(count)],
        frame_indices=numbers, source_to_prepared=np.tile(np.eye(2, 3), (count, 1, 1)), failures={},
    )  # fmt: skip


def clip_spec(**changes: Any) -> FitSpec:
    """The fit of :func:`tests.training.examples.spec_of` on :func:`clips_of`."""
    facts = {"network": NETWORK, "options": {}, "candidate": "volumes", "prepare": PREPARE, **changes}
    return spec_of(**facts)


def volume(seed: int = 0) -> SmallVolume:
    torch.manual_seed(seed)
    return SmallVolume(2, 1)
