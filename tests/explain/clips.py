"""Small simulated clips, made by the tests: a nodule that comes and goes, and a bright speck in some of its frames."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from isthmus.imaging.cache import CacheItem, PreparedCache, PreparedStore
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import Classifier, InputSpec, Outputs

HEIGHT, WIDTH, TOTAL = 96, 128, 12
SPECK_FRAMES = (6, 7, 8)
LESION_FRAMES = range(2, 11)
FRAMES = {"count": 6, "stored": 12, "within": "clip"}
PREPARATION = Preparation.model_validate(
    {"train_size": 36, "crop_size": 32, "marks": "keep", "layout": "3d", "frames": FRAMES}
)


def write_clip(folder: Path, seed: int, *, calcified: bool) -> tuple[Path, Path, np.ndarray]:
    """Write a folder of frames and its masks; return both, and where the speck is [T, H, W]."""
    random = np.random.default_rng(seed)
    frames = random.integers(30, 90, (TOTAL, HEIGHT, WIDTH)).astype(np.uint8)
    lesion, speck = np.zeros((2, TOTAL, HEIGHT, WIDTH), bool)
    lesion[list(LESION_FRAMES), 30:70, 40:90] = True
    frames[lesion] //= 2
    if calcified:
        y, x = random.integers(38, 58), random.integers(50, 78)
        speck[list(SPECK_FRAMES), y : y + 4, x : x + 4] = True
        frames[speck] = 240
    place = folder / f"clip{seed}"
    place.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(place / f"{number:03d}.png")
    mask = folder / f"clip{seed}.tiff"
    write_clip_mask(mask, lesion)
    return place, mask, speck


def made_clips(folder: Path, count: int = 6) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return views as `Cohort.examples` gives them, and the calcifications of those that have some."""
    rows, truth = [], {}
    for number in range(count):
        calcified = number % 2 == 1
        path, mask, speck = write_clip(folder, number, calcified=calcified)
        name = f"v{number}"
        if calcified:
            truth[name] = speck
        rows.append(
            {"view_id": name, "nodule_id": f"n{number}", "group_id": f"g{number}", "label": str(int(calcified)),
             "path": path, "mask": mask, "box": None, "frame_boxes": None, "region": (0.0, 0.0, WIDTH, HEIGHT),
             "frame_rate_hz": 12.0}
        )  # fmt: skip
    return pd.DataFrame(rows), truth


def made_store(views: pd.DataFrame, folder: Path, preparation: Preparation = PREPARATION) -> PreparedStore:
    """Prepare them."""
    items = [CacheItem(row.view_id, row.path, row.mask, None, row.region) for row in views.itertuples()]
    return PreparedCache(folder / "cache").store(items, preparation)


class Brightest(Classifier):
    """A network of two or three dimensions whose one map is the picture averaged to cells, and whose logit grows with
    the brightest cell: its heat lies where the picture is bright."""

    def __init__(self, dimensions: int = 3, cells: int = 8) -> None:
        super().__init__(inputs=(InputSpec("image", 1, dimensions),), classes=2)
        self.dimensions, self.cells = dimensions, cells
        self.fc = nn.Linear(1, 2)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[-1.0], [1.0]]))
            self.fc.bias.copy_(torch.tensor([0.7, -0.7]))

    def features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        image = inputs["image"]
        bright = (image - 0.6).relu()
        size = (self.cells, self.cells) if self.dimensions == 2 else (image.shape[2], self.cells, self.cells)
        pool = nn.functional.adaptive_max_pool2d if self.dimensions == 2 else nn.functional.adaptive_max_pool3d
        return {"image": pool(bright, size)}

    def head(self, features: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> Outputs:
        embedding = 5 * features["image"].flatten(2).amax(dim=2)
        return Outputs(self.fc(embedding), embedding, {})
