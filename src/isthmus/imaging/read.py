"""The one door for picture files: what it is, what it holds, its frames. Nothing is decoded beyond the limits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import PictureError
from isthmus.files import atomic_path
from isthmus.imaging import dicom, stills
from isthmus.imaging.clip import Clip, ClipInfo, check_frames
from isthmus.imaging.limits import Limits

DEFAULT_LIMITS = Limits()
_READ = "PNG, JPEG, TIFF, BMP or DICOM"
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"BM", "bmp"),
)
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> ClipInfo:
    """Return what a picture's header says, without decoding a pixel.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF, BMP or DICOM file; its content decides, not its suffix.
    limits : Limits
        What is refused as too large.

    Returns
    -------
    ClipInfo

    Raises
    ------
    PictureError
        When it is missing, a folder, empty, damaged or of another kind.
    LimitError
        When its header announces more than the limits allow.
    """
    path = Path(path)
    kind = _kind(path, limits)
    if kind == "dicom":
        return dicom.probe_dicom(path, limits)
    return stills.probe_still(path, kind, limits)


def read_clip(
    path: str | Path,
    *,
    frames: Sequence[int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    modality: str = "bmode",
) -> Clip:
    """Read a picture or clip.

    Parameters
    ----------
    path : str or Path
        As for :func:`probe`.
    frames : sequence of int, optional
        Which frames, counted from 0, in this order; all of them by default. Only these are decoded.
    limits : Limits
        What is refused as too large, before decoding.
    modality : str
        Written into the clip.

    Returns
    -------
    Clip
        Colour stays colour: equal channels are not merged here.

    Raises
    ------
    PictureError
        When the file cannot be read whole: a truncated picture is never returned half grey.
    LimitError
        When it is beyond the limits.
    """
    path = Path(path)
    kind = _kind(path, limits)
    if kind == "dicom":
        return dicom.read_dicom(path, limits, frames=frames, modality=modality)
    if frames is not None:
        check_frames(frames, stills.probe_still(path, kind, limits).frames, path)
    pixels = stills.read_still(path, kind, limits, frames)
    times = np.zeros(1) if len(pixels) == 1 else None
    return Clip(frames=pixels, frame_times_s=times, modality=modality, source=str(path))


def iter_frames(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames [H, W, C] one after another; never more than one is held in memory."""
    path = Path(path)
    if _kind(path, limits) == "dicom":
        yield from dicom.iter_dicom(path, limits)
        return
    for frame in range(probe(path, limits).frames):
        yield read_clip(path, frames=[frame], limits=limits).frames[0]


def read_mask(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> NDArray[np.bool_]:
    """Read a lesion mask.

    Parameters
    ----------
    path : str or Path
        A picture of one frame with 0 outside and one other value inside (1 or 255, as tools differ).
    limits : Limits
        What is refused as too large.

    Returns
    -------
    bool array [H, W]

    Raises
    ------
    PictureError
        When the file cannot be read, or holds more than two values: a lossy or blended mask has no certain edge.
    """
    clip = read_clip(path, limits=limits)
    if len(clip.frames) != 1:
        raise PictureError(f"the mask has {len(clip.frames)} pages", where=str(path), expected="one")
    grey = clip.frames[0].max(axis=2)
    values = np.flatnonzero(np.bincount(grey.ravel(), minlength=256))
    if len(values[values > 0]) > 1:
        raise PictureError(
            f"the mask holds {len(values)} grey values",
            where=str(path),
            expected="0 outside and one other value inside",
            hint="save it again without smoothing and without lossy compression (PNG)",
        )
    mask: NDArray[np.bool_] = grey > 0
    return mask


def write_mask(path: str | Path, mask: NDArray[np.bool_]) -> None:
    """Write a lesion mask [H, W] as an 8-bit PNG, 0 outside and 255 inside; atomic.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(temporary, format="PNG")


def _kind(path: Path, limits: Limits) -> str:
    limits.check_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise PictureError(f"the file cannot be opened: {error.strerror}", where=str(path)) from error
    if head[128:132] == b"DICM":
        return "dicom"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if path.suffix.lower() in _DICOM_SUFFIXES:
        return "dicom"
    raise PictureError(
        "its content is of no kind that Isthmus reads as a picture", where=str(path), expected=_READ, hint="convert it"
    )
