"""A hospital's export, made by the tests: pictures of noise in a black frame, and tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from openpyxl import Workbook

HEIGHT, WIDTH = 120, 160
SCAN = (20, 10, 140, 110)
"""The scan area of every picture, x0 y0 x1 y1."""


def write_picture(path: Path, seed: int) -> None:
    """Write one still: speckle in :data:`SCAN`, black around it; equal seeds are equal pixels."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    x0, y0, x1, y1 = SCAN
    pixels[y0:y1, x0:x1] = np.random.default_rng(seed).integers(30, 200, (y1 - y0, x1 - x0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def write_pictures(folder: Path, names: Iterable[str]) -> Path:
    """Write one still a name, all different."""
    for seed, name in enumerate(names):
        write_picture(folder / name, seed)
    return folder


def write_workbook(path: Path, rows: Sequence[Sequence[object]], sheet: str = "Sheet1") -> Path:
    """Write an .xlsx of one sheet; the first row holds the headings."""
    book = Workbook()
    page = book.active
    page.title = sheet
    for row in rows:
        page.append(list(row))
    book.save(path)
    return path
