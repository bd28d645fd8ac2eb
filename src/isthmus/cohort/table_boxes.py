"""Boxes that a table gives: of a picture, of a whole clip, or of single frames of a clip, held against the picture."""

from collections.abc import Iterable, Sequence

from isthmus.cohort.rows import UnderstoodRows
from isthmus.imaging.clip import Box, ClipInfo

FrameBoxes = tuple[tuple[int, Box], ...]
"""Frame, counted from 0, and its box."""

_ROUNDING = 1.0
"""A table's box may leave its picture by so many pixels, and is clipped."""


def boxes_of_rows(rows: UnderstoodRows, labels: Sequence[int]) -> tuple[Box | None, FrameBoxes, str]:
    """Return what the rows of one picture say of its lesion's place.

    Parameters
    ----------
    rows : UnderstoodRows
        The table.
    labels : sequence of int
        All rows that fit the picture, the one that stands for it first.

    Returns
    -------
    box : Box or None
        Of the picture, or of the whole clip.
    frames : FrameBoxes
        Of single frames, where the map has ``columns.frame``.
    note : str
        What could not be used; '' for nothing.
    """
    boxed = [label for label in labels if label in rows.boxes]
    if "frame" not in rows.values.columns:
        different = {rows.boxes[label] for label in boxed}
        if len(different) > 1:
            return None, (), f"{len(different)} rows give boxes of it, and no `frame` says of which frame: none is used"
        return rows.boxes.get(labels[0]), (), ""
    found: dict[int, Box] = {}
    twice, unnumbered = set[int](), 0
    for label in boxed:
        number = rows.value(label, "frame")
        if not number:
            unnumbered += 1
        elif found.setdefault(int(number), rows.boxes[label]) != rows.boxes[label]:
            twice.add(int(number))
    notes = [f"{len(twice)} of its frames have two boxes in the table: left blank"] if twice else []
    notes += [f"{unnumbered} of its boxes are of no frame: left blank"] if unnumbered else []
    return None, tuple((frame, box) for frame, box in sorted(found.items()) if frame not in twice), "; ".join(notes)


def box_inside(box: Box | None, info: ClipInfo) -> Box | None:
    """Return a box clipped to its picture, or None where it lies outside by more than rounding."""
    if box is None or box[2] > info.width + _ROUNDING or box[3] > info.height + _ROUNDING:
        return None
    clipped = (box[0], box[1], min(box[2], float(info.width)), min(box[3], float(info.height)))
    return clipped if clipped[0] < clipped[2] and clipped[1] < clipped[3] else None


def frames_inside(boxes: FrameBoxes, info: ClipInfo) -> tuple[FrameBoxes, str]:
    """Return the boxes of frames that a clip has, clipped to them, and a note on those that were left out."""
    kept = tuple((frame, box) for frame, one in boxes if frame < info.frames and (box := box_inside(one, info)))
    lost = len(boxes) - len(kept)
    return (
        kept,
        f"{lost} of the table's boxes are of no frame of this clip, or lie outside it: left blank" if lost else "",
    )


def around(boxes: Iterable[Box]) -> Box | None:
    """Return the box around all boxes; None for none."""
    sides = list(zip(*boxes, strict=True))
    return (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])) if sides else None
