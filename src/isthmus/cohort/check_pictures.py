"""The pictures of ``check.html``: views, crops of marks, pairs laid on each other; all off the scan area illegible."""

import base64
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.check_report import CheckedView, SamePicture
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.mark_kinds import Kind
from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area

_WIDTH: Final = 360
_CROP, _CROP_SHOWN = 48, 96
_BLOCKS: Final = 35  # letters are about a 40th of a screen high
_WORD: Final = 2.0  # times as wide as high: several letters, which may be a name
# Blue, orange and yellow of Okabe and Ito, in OpenCV's order: told apart by colour-blind readers.
_REGION, _OUTLINE, _MARK = (233, 180, 86), (0, 94, 213), (66, 228, 240)

Picture = NDArray[np.uint8]


def thumbnail(folder: Path, view: CheckedView) -> str:
    """Return a view with its region, outline and marks as the source of an image, '' where it cannot be read."""
    picture = _shown(folder, view.path, view.frame, view.region, view)
    if picture is None:
        return ""
    mask = _mask(folder, view)
    if view.region:
        _rectangle(picture, view.region, _REGION)
    if mask is not None and mask.shape == picture.shape[:2]:
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _OUTLINE, 2)
    elif view.box:
        _rectangle(picture, view.box, _OUTLINE)
    for text in view.text:
        _rectangle(picture, text, _MARK)
    return _source(_to_width(picture, _WIDTH))


def mark_crops(folder: Path, views: list[CheckedView], most: int) -> dict[Kind, list[tuple[str, str]]]:
    """Return for each kind some marks as (view, source of an image), from as many views as there are."""
    chosen: dict[Kind, list[tuple[CheckedView, Box]]] = {}
    for kind in dict.fromkeys(kind for view in views for kind in view.kinds):
        first = [
            (view, view.text[view.kinds.index(kind)])
            for view in views
            if kind in view.kinds and not _is_word(view.text[view.kinds.index(kind)], kind)
        ]
        step = max(1, len(first) // most)
        chosen[kind] = first[::step][:most]
    crops: dict[Kind, list[tuple[str, str]]] = {}
    for kind, several in chosen.items():
        crops[kind] = []
        for view, box in several:
            picture = _shown(folder, view.path, view.frame, view.region, view)
            if picture is not None:
                crops[kind].append((view.view_id, _source(_around(picture, box))))
    return crops


def side_by_side(folder: Path, one: SamePicture, views: list[CheckedView]) -> tuple[str, str]:
    """Return both pictures' scan areas as sources of images, the second as it lies on the first; '' if unreadable."""
    if one.pair is None:  # identical clips: their middle says more than their first frame
        middles = {view.path: view.frame for view in views}
        frames = middles.get(one.first, 0), middles.get(one.second, 0)
    else:
        frames = one.pair.frames
    areas, pictures = [], []
    for path, frame in zip((one.first, one.second), frames, strict=True):
        # A view's region may be one panel of two; what was compared is the whole scan area.
        area = _scan_area(folder, path, frame)
        picture = None if area is None else _shown(folder, path, frame, area, None)
        if area is None or picture is None:
            return "", ""
        areas.append(area)
        pictures.append(picture)
    first, second = pictures
    if one.pair is not None:
        size = (first.shape[1], first.shape[0])
        second = np.asarray(cv2.warpAffine(second, one.pair.matrix, size, flags=cv2.INTER_LINEAR), np.uint8)
    x0, y0, x1, y1 = (int(value) for value in areas[0])
    part = np.s_[y0:y1, x0:x1]
    return _source(_to_width(first[part], _WIDTH)), _source(_to_width(second[part], _WIDTH))


def _scan_area(folder: Path, path: str, frame: int) -> Box | None:
    try:
        return find_scan_area(read_clip(folder / path, frames=[frame]).frames[0]).box
    except PictureError:
        return None


def _shown(folder: Path, path: str, frame: int, region: Box | None, view: CheckedView | None) -> Picture | None:
    """Return one frame in which only the scan area, without words in it, can be read."""
    try:
        rgb = read_clip(folder / path, frames=[frame]).frames[0]
    except PictureError:
        return None
    area = region or find_scan_area(rgb).box
    picture = _illegible_outside(_colour(rgb), area)
    if view is not None and view.searched and view.frame == frame:
        boxes = [box for box, kind in zip(view.text, view.kinds, strict=True) if kind in ("text", "mark")]
    else:
        boxes = find_burned_in_text(rgb, area)
    for box in _words(boxes):
        _hide(picture, box)
    return picture


def _words(boxes: list[Box]) -> list[Box]:
    """Return what letters stand in a row, joined, where it is long enough to be a word."""
    joined: list[Box] = []
    for box in sorted(boxes):
        for number, other in enumerate(joined):
            height = max(box[3] - box[1], other[3] - other[1])
            level = min(box[3], other[3]) - max(box[1], other[1]) > 0.3 * height
            if level and box[0] - other[2] < height:
                joined[number] = (
                    min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3])
                )  # fmt: skip
                break
        else:
            joined.append(box)
    return [box for box in joined if _is_word(box, "text")]


def _is_word(box: Box, kind: Kind) -> bool:
    return kind in ("text", "mark") and box[2] - box[0] > _WORD * (box[3] - box[1])


def _hide(picture: Picture, box: Box) -> None:
    x0, y0, x1, y1 = (round(value) for value in box)
    reach = max(2, (y1 - y0) // 3)
    part = picture[max(0, y0 - reach) : y1 + reach, max(0, x0 - reach) : x1 + reach]
    part[:] = np.round(part.mean(axis=(0, 1))).astype(np.uint8)


def _around(picture: Picture, box: Box) -> Picture:
    x, y = round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)
    half = round(max(_CROP, 1.3 * max(box[2] - box[0], box[3] - box[1])) / 2)
    padded = np.pad(picture, ((half, half), (half, half), (0, 0)))
    part = padded[y : y + 2 * half, x : x + 2 * half]
    return np.asarray(cv2.resize(part, (_CROP_SHOWN, _CROP_SHOWN), interpolation=cv2.INTER_LINEAR), np.uint8)


def _to_width(picture: Picture, width: int) -> Picture:
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _source(picture: Picture) -> str:
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _mask(folder: Path, view: CheckedView) -> NDArray[np.bool_] | None:
    try:
        return read_clip_mask(folder / view.mask, [view.frame])[0] if view.mask else None
    except PictureError:
        return None


def _colour(frame: Picture) -> Picture:
    turned = frame[:, :, ::-1] if frame.shape[2] == 3 else np.repeat(frame, 3, axis=2)
    return np.ascontiguousarray(turned)


def _illegible_outside(picture: Picture, region: Box) -> Picture:
    """Return the picture with coarse blocks outside the scan area: a name printed there must not reach the page."""
    height, width = picture.shape[:2]
    block = max(8, width // _BLOCKS)
    coarse = cv2.resize(picture, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    hidden = np.array(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    x0, y0, x1, y1 = (max(0, round(value)) for value in region)
    hidden[y0:y1, x0:x1] = picture[y0:y1, x0:x1]
    return hidden


def _rectangle(picture: Picture, box: Box, colour: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(value) for value in box)
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 2)
