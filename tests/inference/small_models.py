"""Small pictures and a small bundle, made by the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.registry import create

SIZE = 64
BOX = (40.0, 30.0, 100.0, 80.0)
CLASSES = {"0": "TI-RADS 2 or 3", "1": "TI-RADS 4a or higher"}


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (120, 160)) -> Path:
    """Write speckle that fills the frame: [120, 160] pixels, all of it ultrasound."""
    grey = np.random.default_rng(seed).integers(20, 220, size).astype(np.uint8)
    grey[30:80, 40:100] //= 1 + seed % 3
    Image.fromarray(grey).save(path)
    return path


def mask_of_box(path: Path, size: tuple[int, int] = (120, 160)) -> Path:
    """Write the mask of BOX."""
    mask = np.zeros(size, np.uint8)
    mask[30:80, 40:100] = 255
    Image.fromarray(mask).save(path)
    return path


def bundle_spec(parts: int = 2, **changes: Any) -> BundleSpec:
    fields: dict[str, Any] = {
        "name": "wang2025/resnet18",
        "network": {"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 1},
        "target": "tirads_4a_or_higher",
        "classes": CLASSES,
        "requires": {"modalities": ["bmode"], "region": "box"},
        "prepare": Preparation(train_size=72, crop_size=SIZE),
        "parts": [{"log_prior_shift": [0.1 * (part + 1), -0.1]} for part in range(parts)],
        "calibration": {"method": "logistic", "intercept": 0.3, "slope": 1.2},
        "thresholds": {"rule": "youden", "value": 0.5, "chosen_on": "out-of-fold predictions of seed 0"},
        "cohort": {
            "name": "small", "fingerprint": "0" * 64, "licence": "none", "simulated": False, "reference": "tirads",
        },
        **changes,
    }  # fmt: skip
    return BundleSpec.model_validate(fields)


def bundle(folder: Path, **changes: Any) -> Path:
    """Write a bundle of untrained networks, a different one for each part."""
    spec = bundle_spec(**changes)
    states = []
    for part in range(len(spec.parts)):
        torch.manual_seed(part)
        network = create("resnet18", classes=2, channels=1, width=8)
        # Untrained networks score alike; a larger last layer parts them.
        with torch.no_grad():
            network.get_submodule("net.fc").weight.mul_(5.0)
        states.append(network.state_dict())
    write_bundle(folder, spec, states)
    return folder
