"""COCO: one JSON file for many pictures; polygons (an object may have several parts), run lengths, boxes.

Run lengths count column by column through the whole picture; their compressed text is opened here.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.outline import (
    MOST_SHAPES,
    Drawer,
    Entry,
    OutlineUnusable,
    Shape,
    check_size,
    drawn_box,
    mask_box,
    refused,
)
from isthmus.cohort.outlines.polygons import polygon, read_points
from isthmus.cohort.outlines.text_files import number
from isthmus.imaging.clip import Box


def is_coco(content: Any) -> bool:
    """Return whether a JSON file's content is COCO's."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def coco_entries(content: dict[str, Any], source: str, relative: str) -> tuple[list[Entry], list[str]]:
    """Return an entry for each picture of a COCO file that has an outline, and what is wrong with the others."""
    images = {key: item for item in content["images"] if (key := _id(item)) is not None}
    categories = content.get("categories")
    labels = {_id(item): str(item["name"]) for item in _list(categories) if _id(item) is not None and "name" in item}
    by_image: dict[Any, list[Shape]] = defaultdict(list)
    faults = []
    for item in content["annotations"]:
        key = item.get("image_id") if isinstance(item, dict) else None
        if not isinstance(key, int | str) or key not in images:
            faults.append("an annotation belongs to no picture of the file")
        else:
            category = item.get("category_id")
            label = labels.get(category, "") if isinstance(category, int | str) else ""
            by_image[key].append(Shape(label, _drawer_of(item)))
    entries = []
    for key, shapes in by_image.items():
        try:
            entries.append(_entry(images[key], shapes, source, relative))
        except OutlineUnusable as error:
            faults.append(str(error))
    return entries, sorted(set(faults))


def _id(item: Any) -> int | str | None:
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, int | str) else None


def _list(content: Any) -> list[Any]:
    return content if isinstance(content, list) else []


def _entry(image: dict[str, Any], shapes: list[Shape], source: str, relative: str) -> Entry:
    if len(shapes) > MOST_SHAPES:
        raise OutlineUnusable(f"a picture has {len(shapes):,} annotations, more than {MOST_SHAPES}")
    name = str(image.get("file_name", "")).replace("\\", "/")
    size = int(number(image.get("height"), "height")), int(number(image.get("width"), "width"))
    folder = Path(relative).parent.as_posix()
    return Entry(source, "coco", (f"{folder}/{name}", name), _given(shapes), size=size)


def _given(shapes: list[Shape]) -> Callable[[], list[Shape]]:
    return lambda: shapes


def _drawer_of(item: dict[str, Any]) -> Drawer:
    try:
        return _drawer(item)
    except OutlineUnusable as error:
        return refused(str(error))


def _drawer(item: dict[str, Any]) -> Drawer:
    drawn, box = item.get("segmentation"), item.get("bbox")
    if isinstance(drawn, dict):
        return _runs(drawn)
    if isinstance(drawn, list) and drawn:
        return polygon(*(_part(part) for part in drawn))
    if isinstance(box, list) and len(box) == 4:
        x, y, width, height = (number(value, "bbox") for value in box)
        return drawn_box(x, y, x + width, y + height)
    raise OutlineUnusable("an annotation has neither segmentation nor bbox")


def _part(part: Any) -> NDArray[np.float64]:
    if not isinstance(part, list) or len(part) % 2:
        raise OutlineUnusable("a polygon's coordinates are not pairs")
    return read_points([part[at : at + 2] for at in range(0, len(part), 2)])


def _runs(content: dict[str, Any]) -> Drawer:
    size, counts = content.get("size"), content.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise OutlineUnusable("run lengths without their size")
    found = size[0], size[1]

    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        check_size(found, height, width, "the run lengths' picture")
        mask = _unpacked(counts, height, width)
        return mask, mask_box(mask)

    return draw


def _unpacked(counts: Any, height: int, width: int) -> NDArray[np.bool_]:
    # Compressed text is opened here and not by pycocotools: its C code trusts the text, and files come from anywhere.
    runs = np.array(_numbers(counts) if isinstance(counts, str) else counts, dtype=object)
    if runs.ndim != 1 or not all(isinstance(run, int) and run >= 0 for run in runs):
        raise OutlineUnusable("run lengths are not whole numbers")
    if sum(runs) != height * width:
        raise OutlineUnusable(f"run lengths do not fill the {width} x {height} pixels")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs.astype(np.int64)).reshape(width, height).T


def _numbers(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed text: five bits a character, from the third on as differences."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise OutlineUnusable("compressed run lengths are damaged")
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            value -= (1 << shift) if bits & 0x10 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise OutlineUnusable("compressed run lengths are cut off")
    return runs
