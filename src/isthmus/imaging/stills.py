"""PNG, JPEG, TIFF and BMP through Pillow: checked by their header first, then decoded whole or refused.

- EXIF orientation of JPEG and PNG is honoured: width, height and pixels are those of the upright picture. A turned
  TIFF is refused: viewers disagree on it.
- Palettes become colour; transparency is laid over black, as a viewer shows it.
- 16-bit samples are divided by 257 to 8 bits (full range, as PNG defines them); a picture that uses less than a
  sixteenth of that range is refused, because its grey scale is then a convention that the file does not state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip import ClipInfo
from isthmus.imaging.limits import Limits

FORMATS = ("png", "jpeg", "tiff", "bmp")
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L")
_COLOUR = ("P", "PA", "RGB", "RGBA", "YCbCr")
_ORIENTATION = 0x0112
_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_FULL_RANGE_16 = 257
_DARKEST_PLAUSIBLE_16 = 4096


@contextmanager
def _decoder(path: Path) -> Iterator[None]:
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error and others on damaged
    # files; at this one door each of them means the same.
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LimitError("it has more pixels than the decoder allows", where=str(path), hint="leave it out") from error
    except Exception as error:
        reason = " ".join(str(error).replace(str(path), "the file").split()) or type(error).__name__
        raise PictureError(
            f"the picture is damaged or cut short: {reason}", where=str(path), hint="copy it again from its source"
        ) from error


@contextmanager
def _opened(path: Path, kind: str, limits: Limits) -> Iterator[tuple[Image.Image, ClipInfo, int]]:
    with _decoder(path), Image.open(path, formats=(kind.upper(),)) as image:
        orientation = _orientation(image, kind)
        width, height = image.size
        if kind == "tiff" and orientation != 1:
            raise PictureError(
                f"the TIFF is stored turned (orientation {orientation})",
                where=str(path),
                expected="orientation 1",
                hint="save it upright",
            )
        if orientation >= 5:
            width, height = height, width
        frames = getattr(image, "n_frames", 1) if kind == "tiff" else 1
        limits.check_header(str(path), width=width, height=height, frames=frames)
        if image.mode not in _GREY + _COLOUR:
            raise PictureError(
                f"its pixels are stored as {image.mode}",
                where=str(path),
                expected="8- or 16-bit grey, 8-bit palette, RGB or RGBA",
                hint="save it again as an 8-bit PNG",
            )
        info = ClipInfo(
            source=str(path),
            format=kind,
            width=width,
            height=height,
            channels=1 if image.mode in _GREY else 3,
            frames=frames,
            bits=16 if "16" in image.mode or (image.tile and ";16" in str(image.tile[0][3])) else 8,
        )
        yield image, info, orientation


def _orientation(image: Image.Image, kind: str) -> int:
    # Asking a PNG for EXIF that stands after the pixels would decode them; such EXIF is not looked for.
    if kind == "bmp" or (kind == "png" and "exif" not in image.info):
        return 1
    value: Any = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def probe_still(path: Path, kind: str, limits: Limits) -> ClipInfo:
    """Return what the header says, without decoding a pixel."""
    with _opened(path, kind, limits) as (_, info, _):
        return info


def read_still(path: Path, kind: str, limits: Limits, frames: Sequence[int] | None) -> NDArray[np.uint8]:
    """Decode the frames asked for (pages of a TIFF; a still is frame 0) as uint8 [T, H, W, C]."""
    with _opened(path, kind, limits) as (image, info, orientation):
        wanted = range(info.frames) if frames is None else frames
        limits.check_decoded(
            str(path), width=info.width, height=info.height, channels=info.channels, frames=len(wanted)
        )
        decoded = np.empty((len(wanted), info.height, info.width, info.channels), dtype=np.uint8)
        for position, frame in enumerate(wanted):
            pixels = _page(image, frame, info, orientation)
            if pixels.shape != decoded.shape[1:]:
                raise PictureError(
                    f"page {frame} has shape {pixels.shape}, the first {decoded.shape[1:]}",
                    where=str(path),
                    hint="save the pages as pictures of their own",
                )
            decoded[position] = pixels
        return decoded


def _page(image: Image.Image, frame: int, info: ClipInfo, orientation: int) -> NDArray[np.uint8]:
    page = image
    if info.format == "tiff":
        image.seek(frame)
        if image.size != (info.width, info.height):
            raise PictureError(
                f"page {frame} has {image.size[0]} x {image.size[1]} pixels, the first {info.width} x {info.height}",
                where=info.source,
                hint="save the pages as pictures of their own",
            )
        image.load()
    elif orientation in _TRANSPOSED:
        page = image.transpose(_TRANSPOSED[orientation])
    grey = page.mode in _GREY
    if "16" in page.mode:
        return _eight_bits(np.asarray(page), info.source)[..., None]
    if page.has_transparency_data:
        layered = np.asarray(page.convert("LA" if grey else "RGBA"))
        opacity = layered[..., -1:].astype(np.uint16)
        return ((layered[..., :-1] * opacity + 127) // 255).astype(np.uint8)
    pixels = np.asarray(page.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def _eight_bits(samples: NDArray[Any], where: str) -> NDArray[np.uint8]:
    brightest = int(samples.max())
    if 0 < brightest < _DARKEST_PLAUSIBLE_16:
        raise PictureError(
            f"its 16-bit samples end at {brightest:,} of 65,535: the grey scale is not stated",
            where=where,
            hint="save it as an 8-bit picture with the window you mean",
        )
    return ((samples.astype(np.uint32) + _FULL_RANGE_16 // 2) // _FULL_RANGE_16).astype(np.uint8)
