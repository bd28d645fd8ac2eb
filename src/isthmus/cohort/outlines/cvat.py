"""CVAT for images, XML 1.1: one file for many pictures; boxes, polygons, ellipses and masks (run lengths).

A mask's runs count row by row through its own rectangle (``left``, ``top``, ``width``, ``height``), background first.
Tracks (CVAT for video) are refused by name: their export as "CVAT for images" says the same picture by picture.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.outline import (
    MOST_SHAPES,
    Drawer,
    Entry,
    OutlineUnusable,
    Shape,
    drawn_box,
    laid_mask,
    refused,
)
from isthmus.cohort.outlines.polygons import ellipse, polygon, read_points, turned_box
from isthmus.cohort.outlines.text_files import number

_LINES: Final = ("polyline", "points", "cuboid", "skeleton")
_MOST_PIXELS: Final = 64_000_000


def cvat_entries(root: Element, source: str, relative: str) -> list[Entry]:
    """Return an entry for each picture of a CVAT file that has a shape."""
    if root.find("track") is not None:
        raise OutlineUnusable("it holds tracks (CVAT for video): export it as 'CVAT for images 1.1'")
    folder = Path(relative).parent.as_posix()
    entries = []
    for image in root.iter("image"):
        shapes = [_shape(item) for item in image if item.tag != "tag"]
        if len(shapes) > MOST_SHAPES:
            raise OutlineUnusable(f"a picture has {len(shapes):,} shapes, more than {MOST_SHAPES}")
        if shapes:
            name = (image.get("name") or "").replace("\\", "/")
            size = int(number(image.get("height"), "height")), int(number(image.get("width"), "width"))
            # In CVAT's archive the pictures lie in images/ beside the file.
            names = (f"{folder}/{name}", f"{folder}/images/{name}", name)
            entries.append(Entry(source, "cvat", names, _given(shapes), size=size))
    return entries


def _given(shapes: list[Shape]) -> Callable[[], list[Shape]]:
    return lambda: shapes


def _shape(item: Element) -> Shape:
    label = item.get("label") or ""
    try:
        return Shape(label, _drawer(item))
    except OutlineUnusable as error:
        return Shape(label, refused(str(error)))


def _drawer(item: Element) -> Drawer:
    def value(key: str) -> float:
        return number(item.get(key), key)

    if item.tag == "box":
        corners = value("xtl"), value("ytl"), value("xbr"), value("ybr")
        turned = number(item.get("rotation", "0"), "rotation")
        return polygon(turned_box(*corners, turned)) if turned % 360 else drawn_box(*corners)
    if item.tag == "polygon":
        return polygon(read_points([pair.split(",") for pair in (item.get("points") or "").split(";") if pair]))
    if item.tag == "ellipse":
        return polygon(ellipse(value("cx"), value("cy"), value("rx"), value("ry")))
    if item.tag == "mask":
        return laid_mask(_runs(item), int(value("left")), int(value("top")))
    raise OutlineUnusable("a point or a line is no outline" if item.tag in _LINES else "an unknown shape")


def _runs(item: Element) -> NDArray[np.bool_]:
    width, height = (int(number(item.get(key), key)) for key in ("width", "height"))
    if width < 1 or height < 1 or width * height > _MOST_PIXELS:
        raise OutlineUnusable(f"a mask of {width} x {height} pixels")
    try:
        counts = np.array([int(run) for run in (item.get("rle") or "").split(",")], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise OutlineUnusable("a mask's run lengths are not whole numbers") from error
    if (counts < 0).any() or counts.sum() != width * height:
        raise OutlineUnusable(f"a mask's run lengths do not fill its {width} x {height} pixels")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
