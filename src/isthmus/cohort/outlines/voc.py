"""Pascal VOC: one XML file a picture, boxes only.

VOC counts pixels from 1 and its corners belong to the box: ``xmin`` 9 and ``xmax`` 22 are columns 8 to 21 from 0.
"""

from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from isthmus.cohort.outlines.outline import MOST_SHAPES, Entry, OutlineUnusable, Shape, drawn_box, refused
from isthmus.cohort.outlines.text_files import number

_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


def voc_entries(root: Element, source: str, relative: str) -> list[Entry]:
    """Return the one entry of a VOC file."""
    items = root.findall("object")
    if len(items) > MOST_SHAPES:
        raise OutlineUnusable(f"it has {len(items):,} objects, more than {MOST_SHAPES}")
    own = Path(relative).with_suffix("").as_posix()
    named = (root.findtext("filename") or "").strip().replace("\\", "/")
    size = None
    if root.find("size/width") is not None:
        height, width = (int(number(root.findtext(f"size/{name}"), name)) for name in ("height", "width"))
        size = (height, width) if height and width else None  # some tools write 0 0 for "not known"
    names = tuple(name for name in (f"{Path(relative).parent.as_posix()}/{named}" if named else "", own, named) if name)
    shapes = [_shape(item) for item in items]
    return [Entry(source, "voc", names, lambda: shapes, size=size)]


def _shape(item: Element) -> Shape:
    label = (item.findtext("name") or "").strip()
    try:
        xmin, ymin, xmax, ymax = (number(item.findtext(f"bndbox/{name}"), name) for name in _CORNERS)
    except OutlineUnusable as error:
        return Shape(label, refused(str(error)))
    if xmax < xmin or ymax < ymin:
        return Shape(label, refused("a box's corners are the wrong way round"))
    return Shape(label, drawn_box(xmin - 1, ymin - 1, xmax, ymax))
