"""What ``cohort check`` asks of one picture or clip, and of each view of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.check_report import CheckedView, Finding, Severity
from isthmus.cohort.duplicate_features import Features, features_of
from isthmus.cohort.view_items import cell_text
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, ClipInfo, Lesion
from isthmus.imaging.frame_folder import frame_paths
from isthmus.imaging.limits import Limits
from isthmus.imaging.mark_kinds import kind_of_mark
from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.read import clip_hash, mask_of_frame, open_clip
from isthmus.tables.cohort import parse_box
from isthmus.tables.vocabulary import COLOUR_MODALITIES

CROP_MARGIN: Final = 0.15  # of the standard preparation: what a lesion network sees around the box
_UNEVEN: Final = 1.5  # longest to shortest step between frames; rounding to milliseconds stays well below
_RATE_TOLERANCE: Final = 0.05

FrameBoxes = list[tuple[int, Box]]
_Found = Callable[[Severity, str, str], None]


@dataclass(frozen=True, eq=False)
class SeenClip:
    """A file that was looked at.

    Parameters
    ----------
    info : ClipInfo
        Its headers.
    frame : uint8 array [H, W, C]
        Its middle frame.
    digest : str
        The same for stills of the same pixels, and for clips of the same bytes.
    features : list of (int, Features)
        What its first, middle and last frame are recognised by.
    """

    info: ClipInfo
    frame: NDArray[np.uint8]
    digest: str
    features: list[tuple[int, Features]]


def look_at(folder: Path, name: str) -> tuple[SeenClip, list[Finding]]:
    """Read a file's headers and decode its first, middle and last frame; one frame is held at a time.

    Raises
    ------
    PictureError
        When it cannot be read, or lies outside the cohort's folder.
    """
    path = _inside_folder(folder, name)
    with open_clip(path) as source:
        info = source.info
        middle = info.frames // 2
        numbers = sorted({0, middle, info.frames - 1})
        features: list[tuple[int, Features]] = []
        for number, pixels in zip(numbers, source.frames(numbers), strict=True):
            features += [(number, each) for each in features_of(pixels)]
            if number == middle:
                frame = pixels
    digest = _digest_of_still(frame) if info.frames == 1 else clip_hash(path)
    findings = [Finding(severity, "clip", message, name) for severity, message in _doubts(info)]
    return SeenClip(info, frame, digest, features), findings


def digest_of(folder: Path, name: str) -> str:
    """Return the digest of a file alone, as :func:`look_at` gives it; a clip is not decoded for it.

    Raises
    ------
    PictureError
        When it cannot be read, or lies outside the cohort's folder.
    """
    path = _inside_folder(folder, name)
    with open_clip(path) as source:
        if source.info.frames == 1:
            return _digest_of_still(next(iter(source.frames([0]))))
    return clip_hash(path)


def _digest_of_still(frame: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(frame.shape).encode() + frame.tobytes()).hexdigest()


def _doubts(info: ClipInfo) -> list[tuple[Severity, str]]:
    doubts: list[tuple[Severity, str]] = []
    if info.missing_frames:
        doubts.append(("warning", f"the numbering of its frames leaves out {info.missing_frames}: were they lost?"))
    steps = np.diff(info.frame_times_s) if info.frame_times_s else np.empty(0)
    if len(steps) and steps.max() > _UNEVEN * steps.min():
        shown = f"{1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms"
        doubts.append(("note", f"its frame rate varies ({shown} between frames); its own times are used"))
    return doubts


def check_view(
    folder: Path, row: dict[Any, Any], seen: SeenClip, boxes: FrameBoxes
) -> tuple[CheckedView, list[Finding]]:
    """Hold a view's row against its picture or clip.

    Parameters
    ----------
    folder : Path
        The cohort's.
    row : dict
        Of ``views.csv``.
    seen : SeenClip
        Its file.
    boxes : list of (int, Box)
        Its rows of ``boxes.csv``.

    Returns
    -------
    CheckedView, list of Finding
    """
    info, findings = seen.info, list[Finding]()
    view = CheckedView(
        str(row["view_id"]), str(row["path"]), _box(row, "region"), _box(row, "box"), cell_text(row, "mask"),
        frame=info.frames // 2, frames=info.frames,
    )  # fmt: skip

    def found(severity: Severity, subject: str, message: str) -> None:
        view.marked = view.marked or severity != "note"
        findings.append(Finding(severity, subject, message, f"view {view.view_id}"))

    _check_boxes(view, boxes, info, found)
    _check_rate(row, info, found)
    view.lesion = view.box
    if view.mask is not None:
        view.lesion = _check_mask(folder, view, info, found) or view.box
    if row["modality"] in COLOUR_MODALITIES:
        found("note", "text", "not searched for burned-in marks: colour over the tissue is this modality's signal")
        return view, findings
    _check_marks(view, seen.frame, found)
    return view, findings


def _check_marks(view: CheckedView, frame: NDArray[np.uint8], found: _Found) -> None:
    within = view.region or (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0]))
    crop = None if view.lesion is None else _crop(view.lesion)
    view.searched = True
    for box in find_burned_in_text(frame, within):
        view.text.append(box)
        view.kinds.append(kind_of_mark(frame, box))
        view.in_crop.append(crop is not None and _overlap(box, crop))
    if view.reached:
        found("warning", "text", "burned-in marks inside the lesion crop; a network sees it with them filled in")
    elif view.text:
        found("note", "text", "burned-in marks inside the scan area, off the lesion")


def _check_boxes(view: CheckedView, boxes: FrameBoxes, info: ClipInfo, found: _Found) -> None:
    size = f"the picture of {info.width} x {info.height} pixels"
    for name, box in (("region", view.region), ("box", view.box)):
        if box is not None and not _contains(_whole(info), box):
            found("error", "geometry", f"the {name} leaves {size}")
    if view.box is not None and view.region is not None and not _contains(view.region, view.box):
        found("warning", "geometry", "the box leaves the scan region; what is outside will be black")
    for frame, box in boxes:
        if frame >= info.frames:
            found("error", "geometry", f"boxes.csv has a box for frame {frame}, and the last is {info.frames - 1}")
        elif not _contains(_whole(info), box):
            found("error", "geometry", f"the box of frame {frame} leaves {size}")


def _check_rate(row: dict[Any, Any], info: ClipInfo, found: _Found) -> None:
    stated, times = row.get("frame_rate_hz"), info.frame_times_s
    if stated is None or pd.isna(stated) or not times or times[-1] <= 0:
        return
    rate = (info.frames - 1) / times[-1]
    if abs(rate - float(stated)) > _RATE_TOLERANCE * rate:
        found("warning", "clip", f"frame_rate_hz is {float(stated):g}, and its own times say {rate:.1f}")


def _check_mask(folder: Path, view: CheckedView, info: ClipInfo, found: _Found) -> Box | None:
    try:
        boxes = _mask_boxes(_inside_folder(folder, str(view.mask)), info)
    except PictureError as error:
        found("error", "mask", f"its mask: {error.what}")
        return None
    boxes = boxes[~np.isnan(boxes).any(axis=1)]
    if not len(boxes):
        found("error", "mask", "the mask is empty")
        return None
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    box: Box = (float(x0), float(y0), float(x1), float(y1))
    if view.region is not None and not _contains(view.region, box):
        found("warning", "geometry", "the mask leaves the scan region; what is outside will be black")
    if view.box is not None and max(abs(a - b) for a, b in zip(view.box, box, strict=True)) > 1:
        found("warning", "geometry", "the box is not the mask's: they differ by more than a pixel")
    return box


def _mask_boxes(path: Path, info: ClipInfo) -> NDArray[np.float64]:
    """Return the lesion's bounds in each frame [T, 4], NaN where there is none; one mask is held at a time."""
    with open_clip(path) as source:
        mask = source.info
        if mask.frames != info.frames:
            raise PictureError(f"it has {mask.frames} frames, the picture or clip {info.frames}")
        if (mask.width, mask.height) != (info.width, info.height):
            raise PictureError(f"it has {mask.width} x {mask.height} pixels, the picture {info.width} x {info.height}")
        frames = (mask_of_frame(pixels, str(path)) for pixels in source.frames(range(mask.frames)))
        return np.concatenate([Lesion.still(mask=frame).boxes() for frame in frames])


def _inside_folder(folder: Path, name: str) -> Path:
    path = folder / name
    inside = [path, *(frame_paths(path, Limits()) if path.is_dir() else ())]
    if not all(each.resolve().is_relative_to(folder.resolve()) for each in inside):
        raise PictureError("this link leads out of the cohort folder", where=name)
    return path


def _whole(info: ClipInfo) -> Box:
    return 0.0, 0.0, float(info.width), float(info.height)


def _box(row: dict[Any, Any], name: str) -> Box | None:
    value = cell_text(row, name)
    try:
        return None if value is None else parse_box(value)
    except ValueError:
        return None  # a bad box is a finding of the schema already


def _contains(outer: Box, inner: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _crop(box: Box) -> Box:
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (1 + 2 * CROP_MARGIN) / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - half, cy - half, cx + half, cy + half


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
