"""The one door for pictures and clips: what a file is, what it holds, its frames. Nothing is decoded beyond the limits.

The content decides what a file is, not its suffix. A clip may also be a folder of numbered frames.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import PictureError
from isthmus.files import atomic_path, sha256_of_file, sha256_of_json
from isthmus.imaging.clip import Clip, ClipInfo, OpenClip, check_frames
from isthmus.imaging.dicom import open_dicom
from isthmus.imaging.frame_folder import frame_paths, open_frame_folder
from isthmus.imaging.gif import open_gif
from isthmus.imaging.limits import Limits
from isthmus.imaging.numpy_file import open_numpy
from isthmus.imaging.stills import FORMATS, open_still, still_kind
from isthmus.imaging.video import open_video

DEFAULT_LIMITS = Limits()
_READ = "PNG, JPEG, TIFF, BMP, GIF, AVI, MP4, MOV, NumPy (.npy), DICOM or a folder of numbered frames"
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MOV_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_QUICKTIME_BRAND = b"qt  "

_Opener = Callable[[Path, Limits], AbstractContextManager[OpenClip]]
_OPENERS: dict[str, _Opener] = {
    **{kind: partial(open_still, kind=kind) for kind in FORMATS},
    **{kind: partial(open_video, kind=kind) for kind in ("avi", "mp4", "mov")},
    "gif": open_gif,
    "npy": open_numpy,
    "dicom": open_dicom,
}


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> ClipInfo:
    """Return what the headers of a picture or clip say, without decoding a pixel.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF, BMP, GIF, AVI, MP4, MOV, NumPy or DICOM file, or a folder of numbered frames.
    limits : Limits
        What is refused as too large.

    Returns
    -------
    ClipInfo

    Raises
    ------
    PictureError
        When it is missing, empty, damaged, cut short or of another kind.
    LimitError
        When its headers announce more than the limits allow.
    """
    with open_clip(path, limits) as source:
        return source.info


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
        Which frames, counted from 0, in this order; all of them by default. Only these come back; a video's are
        reached from the last key frame before them.
    limits : Limits
        What is refused as too large, before decoding.
    modality : str
        Written into the clip.

    Returns
    -------
    Clip
        Colour stays colour: equal channels are not merged here. Times are those that the file states for each frame.

    Raises
    ------
    PictureError
        When the file cannot be read whole: a damaged picture or frame is never returned half grey.
    LimitError
        When it is beyond the limits.
    """
    with open_clip(path, limits, every_header=frames is None) as source:
        return read_frames(source, frames=frames, limits=limits, modality=modality)


def read_frames(
    source: OpenClip,
    *,
    frames: Sequence[int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    modality: str = "bmode",
) -> Clip:
    """Read frames of a clip that is open; as :func:`read_clip`."""
    info = source.info
    wanted = list(range(info.frames)) if frames is None else list(frames)
    check_frames(wanted, info.frames, info.source)
    limits.check_decoded(info.source, width=info.width, height=info.height, channels=info.channels, frames=len(wanted))
    decoded = np.empty((len(wanted), info.height, info.width, info.channels), dtype=np.uint8)
    places: dict[int, list[int]] = defaultdict(list)
    for place, frame in enumerate(wanted):
        places[frame].append(place)
    for frame, pixels in zip(sorted(places), source.frames(sorted(places)), strict=True):
        for place in places[frame]:
            decoded[place] = pixels
    times = np.zeros(1) if info.frames == 1 else None
    if info.frame_times_s is not None:
        times = np.asarray(info.frame_times_s)[wanted]
    return Clip(
        frames=decoded,
        frame_times_s=times,
        spacing_mm=info.spacing_mm,
        modality=modality,
        scan_area=info.scan_area,
        panels=info.panels,
        source=info.source,
    )


def iter_frames(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames [H, W, C] one after another; never more than one is held in memory."""
    with open_clip(path, limits) as source:
        yield from source.frames(range(source.info.frames))


@contextmanager
def open_clip(path: str | Path, limits: Limits = DEFAULT_LIMITS, *, every_header: bool = True) -> Iterator[OpenClip]:
    """Open a picture or clip for a look at its frames one by one; errors as :func:`read_clip`.

    Parameters
    ----------
    path, limits
        As for :func:`probe`.
    every_header : bool
        Of a folder of frames: whether every frame's header is read now, or the first's and each other's when that
        frame is decoded.

    Yields
    ------
    OpenClip
        Its ``info`` is what :func:`probe` returns; its ``frames`` decodes.
    """
    path = Path(path)
    kind = _kind(path, limits)
    opener = partial(open_frame_folder, every_header=every_header) if kind == "folder" else _OPENERS[kind]
    with opener(path, limits) as source:
        yield source


def clip_hash(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the SHA-256 of a file's bytes; of a frame folder, that of its frames' names and bytes.

    Raises
    ------
    PictureError
        When the folder is no clip.
    OSError
        When a file cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        return sha256_of_file(path)
    return sha256_of_json([[frame.name, sha256_of_file(frame)] for frame in frame_paths(path, limits)])


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
    return mask_of_frame(clip.frames[0], str(path))


def mask_of_frame(pixels: NDArray[np.uint8], where: str) -> NDArray[np.bool_]:
    """Return where a mask picture [H, W, C] is not black; refuse one that holds more than two values."""
    grey = pixels[..., 0] if pixels.shape[2] == 1 else pixels.max(axis=2)
    mask: NDArray[np.bool_] = grey > 0
    if not np.array_equal(mask, grey == (grey.max() or 1)):
        raise PictureError(
            f"the mask holds {len(np.unique(grey))} grey values",
            where=where,
            expected="0 outside and one other value inside",
            hint="save it again without smoothing and without lossy compression (PNG, TIFF)",
        )
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
    if path.is_dir():
        return "folder"
    limits.check_file(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise PictureError(f"the file cannot be opened: {error.strerror}", where=str(path)) from error
    kind = "dicom" if head[128:132] == b"DICM" else still_kind(head) or _clip_kind(head)
    if kind is None and path.suffix.lower() in _DICOM_SUFFIXES:
        kind = "dicom"
    if kind is None:
        raise PictureError(
            "its content is of no kind that Isthmus reads as a picture or clip",
            where=str(path),
            expected=_READ,
            hint="convert it",
        )
    return kind


def _clip_kind(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] == b"ftyp":
        return "mov" if head[8:12] == _QUICKTIME_BRAND else "mp4"
    if head[4:8] in _MOV_ATOMS:
        return "mov"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    return "npy" if head[:6] == b"\x93NUMPY" else None
