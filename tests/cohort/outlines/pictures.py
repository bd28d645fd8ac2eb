"""Pictures with a lesion of asymmetric L shape, so that every flip and transposition shows."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 48, 64


def l_shape(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A tall bar at the left with a foot to the right, in the upper left quarter: no symmetry maps it to itself."""
    mask = np.zeros((height, width), bool)
    mask[5:20, 8:12] = True
    mask[16:20, 8:22] = True
    return mask


CORNERS = [[8, 5], [12, 5], [12, 16], [22, 16], [22, 20], [8, 20]]
"""The L shape's outline in continuous pixel coordinates."""


def write_picture(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), 90, np.uint8)).save(path)
    return path


def write_png_mask(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def labelme(name: str, shapes: list[dict], height: int = HEIGHT, width: int = WIDTH) -> str:
    """A file as LabelMe 5 writes it."""
    full = [{"group_id": None, "description": "", "flags": {}, "mask": None, **shape} for shape in shapes]
    return json.dumps(
        {
            "version": "5.5.0",
            "flags": {},
            "shapes": full,
            "imagePath": name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
    )


def labelme_mask(mask: np.ndarray) -> str:
    """A mask as LabelMe's img_arr_to_b64 stores it: a PNG of 0 and 1."""
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()
