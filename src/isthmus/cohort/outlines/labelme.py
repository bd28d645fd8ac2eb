"""LabelMe: one JSON file a picture, ``imagePath`` names it.

Rectangles are boxes, polygons and circles masks; ``mask`` shapes hold a small PNG that is laid at their first point.
"""

import base64
import binascii
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
from isthmus.cohort.outlines.polygons import ellipse, polygon, read_points
from isthmus.cohort.outlines.text_files import number

_MOST_MASK_PIXELS: Final = 64_000_000


def is_labelme(content: Any) -> bool:
    """Return whether a JSON file's content is LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def labelme_entries(content: dict[str, Any], source: str, relative: str) -> list[Entry]:
    """Return the one entry of a LabelMe file; ``relative`` is its path in the folder it lies in."""
    shapes = content["shapes"]
    if len(shapes) > MOST_SHAPES:
        raise OutlineUnusable(f"it has {len(shapes):,} shapes, more than {MOST_SHAPES}")
    kept = [_shape(item) for item in shapes]
    # Saved on Windows the path has backslashes; a picture moved since then is found by the file's own name.
    named = str(content["imagePath"]).replace("\\", "/")
    folder = Path(relative).parent.as_posix()
    own = Path(relative).with_suffix("").as_posix()
    height, width = content.get("imageHeight"), content.get("imageWidth")
    size = None
    if height is not None and width is not None:
        size = int(number(height, "imageHeight")), int(number(width, "imageWidth"))
    return [Entry(source, "labelme", (f"{folder}/{named}", own, named), lambda: kept, size=size)]


def _shape(item: Any) -> Shape:
    if not isinstance(item, dict):
        return Shape("", refused("a shape is no object"))
    label = item.get("label") if isinstance(item.get("label"), str) else ""
    try:
        return Shape(label or "", _drawer(item))
    except OutlineUnusable as error:
        return Shape(label or "", refused(str(error)))


def _drawer(item: dict[str, Any]) -> Drawer:
    kind = item.get("shape_type") or "polygon"  # versions before 3 knew polygons only, and said nothing
    points = item.get("points")
    if kind == "polygon":
        return polygon(read_points(points))
    if kind not in ("rectangle", "circle", "mask"):
        raise OutlineUnusable("a shape is a point or a line, not an outline" if kind in _LINES else "an unknown shape")
    if not isinstance(points, list) or len(points) not in (2, 4) or not all(_is_pair(point) for point in points):
        raise OutlineUnusable(f"a {kind} without its two points")
    xs, ys = ([number(point[axis], "a coordinate") for point in points] for axis in (0, 1))
    if kind == "rectangle":
        return drawn_box(min(xs), min(ys), max(xs), max(ys))
    if kind == "circle":
        radius = float(np.hypot(xs[1] - xs[0], ys[1] - ys[0]))
        return polygon(ellipse(xs[0], ys[0], radius, radius))
    return laid_mask(_stored(item.get("mask")), round(xs[0]), round(ys[0]))


_LINES = ("point", "points", "line", "linestrip")


def _is_pair(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2


def _stored(text: Any) -> NDArray[np.bool_]:
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(text), validate=True)), formats=("PNG",)) as image:
            if image.width * image.height > _MOST_MASK_PIXELS:
                raise OutlineUnusable("a stored mask is too large")
            return np.asarray(image.convert("L") if image.mode != "1" else image) > 0
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OutlineUnusable("a stored mask is no PNG") from error
