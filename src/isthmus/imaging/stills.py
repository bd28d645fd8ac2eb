"""PNG, JPEG, TIFF and BMP through Pillow: checked by their header first, then decoded whole or refused.

- EXIF orientation of JPEG and PNG is honoured: width, height and pixels are those of the upright picture. A turned
  TIFF is refused: viewers disagree on it.
- Palettes become colour; transparency is laid over black, as a viewer shows it.
- 16-bit samples are divided by 257 to 8 bits (full range, as PNG defines them); a picture that uses less than a
  sixteenth of that range is refused, because its grey scale is then a convention that the file does not state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.limits import Limits
from isthmus.imaging.tiff_pages import count_pages

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"BM", "bmp"),
)
FORMATS = tuple(dict.fromkeys(kind for _, kind in _SIGNATURES))
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


def still_kind(head: bytes) -> str | None:
    """Return which of :data:`FORMATS` starts with these bytes, if any."""
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


@contextmanager
def picture_decoder(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises on a damaged picture into one clear :class:`PictureError`."""
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


@dataclass(frozen=True)
class _Still:
    image: ImageFile
    info: ClipInfo
    orientation: int

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Decode these pages of a TIFF; a still is page 0."""
        for page in wanted:
            with picture_decoder(Path(self.info.source)):
                pixels = _page(self.image, page, self.info, self.orientation)
            yield pixels


@contextmanager
def open_still(path: Path, limits: Limits, *, kind: str) -> Iterator[OpenClip]:
    """Open a picture of this kind, one of :data:`FORMATS`; no pixel is decoded before one is asked for."""
    with picture_decoder(path):
        image = Image.open(path, formats=(kind.upper(),))
    with image:
        with picture_decoder(path):
            info, orientation = _header(image, path, kind, limits)
        yield _Still(image, info, orientation)


def _header(image: ImageFile, path: Path, kind: str, limits: Limits) -> tuple[ClipInfo, int]:
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
    frames = count_pages(path, limits.frames) if kind == "tiff" else 1
    limits.check_header(str(path), width=width, height=height, frames=frames)
    if image.mode not in _GREY + _COLOUR:
        raise PictureError(
            f"its pixels are stored as {image.mode}",
            where=str(path),
            expected="8- or 16-bit grey, 8-bit palette, RGB or RGBA",
            hint="save it again as an 8-bit PNG",
        )
    channels = 1 if image.mode in _GREY else 3
    limits.check_expansion(str(path), stored=path.stat().st_size, decoded=width * height * channels)
    info = ClipInfo(
        source=str(path),
        format=kind,
        width=width,
        height=height,
        channels=channels,
        frames=frames,
        bits=16 if "16" in image.mode or (image.tile and ";16" in str(image.tile[0][3])) else 8,
    )
    return info, orientation


def _orientation(image: Image.Image, kind: str) -> int:
    # Asking a PNG for EXIF that stands after the pixels would decode them; such EXIF is not looked for.
    if kind == "bmp" or (kind == "png" and "exif" not in image.info):
        return 1
    value: Any = image.getexif().get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


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
        return over_black(np.asarray(page.convert("LA" if grey else "RGBA")))
    pixels = np.asarray(page.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def over_black(layered: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay samples [H, W, C + 1], the last of them opacity, over black: what a viewer shows."""
    opacity = layered[..., -1:].astype(np.uint16)
    return ((layered[..., :-1] * opacity + 127) // 255).astype(np.uint8)


def _eight_bits(samples: NDArray[Any], where: str) -> NDArray[np.uint8]:
    brightest = int(samples.max())
    if 0 < brightest < _DARKEST_PLAUSIBLE_16:
        raise PictureError(
            f"its 16-bit samples end at {brightest:,} of 65,535: the grey scale is not stated",
            where=where,
            hint="save it as an 8-bit picture with the window you mean",
        )
    return ((samples.astype(np.uint32) + _FULL_RANGE_16 // 2) // _FULL_RANGE_16).astype(np.uint8)
