"""How large a picture or clip may be; asked before anything is decoded."""

from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import LimitError, PictureError

_HINT = "leave the file out, or raise the limit by giving Limits(...) of your own"
_ALWAYS = 16 * 1024**2


@dataclass(frozen=True)
class Limits:
    """Upper limits on what a reader accepts, so that no file can fill the memory or run for hours.

    Parameters
    ----------
    bytes : int
        Largest file, and largest decoded clip held in memory at once, in bytes.
    pixels : int
        Most pixels in one frame.
    frames : int
        Most frames in one file.
    seconds : float
        Longest playing time of a clip.
    expansion : int
        How many times a file's bytes may become when it is inflated or one of its frames is decoded. Whatever becomes
        at most 16 MiB (a colour frame of 2,560 x 1,600 pixels is 12) is let through: few bytes may well be a black
        screen, but not a vast one.

    Examples
    --------
    >>> Limits(pixels=1_000_000).pixels
    1000000
    """

    bytes: int = 2 * 1024**3
    pixels: int = 64_000_000
    frames: int = 20_000
    seconds: float = 1800.0
    expansion: int = 25

    def largest_of(self, stored: int) -> int:
        """Return to how many bytes a file of this many may be inflated, or one of its frames decoded."""
        return min(self.bytes, max(_ALWAYS, self.expansion * stored))

    def check_expansion(self, where: str, *, stored: int, decoded: int) -> None:
        """Refuse a frame that would take far more memory than the file has bytes: made to fill it, not by a scanner.

        Raises
        ------
        LimitError
            When it is larger than :meth:`largest_of` allows.
        """
        if decoded > self.largest_of(stored):
            raise LimitError(
                f"one frame of it would take {decoded:,} bytes, and the file has {stored:,}",
                where=where,
                expected=f"at most {self.largest_of(stored):,}",
                hint="send it uncompressed, if it is a scanner's",
            )

    def check_file(self, path: Path) -> None:
        """Refuse what is no file, is empty or is larger than ``bytes``.

        Raises
        ------
        PictureError
            When there is no such file, it is a folder, cannot be opened, or is empty.
        LimitError
            When the file is larger than ``bytes``.
        """
        if path.is_dir():
            raise PictureError("this is a folder, not a picture", where=str(path), hint="name one file in it")
        try:
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise PictureError("no such file", where=str(path)) from error
        except OSError as error:
            raise PictureError(f"the file cannot be opened: {error.strerror}", where=str(path)) from error
        if size == 0:
            raise PictureError("the file is empty", where=str(path), hint="copy it again from its source")
        if size > self.bytes:
            raise LimitError(
                f"the file has {size:,} bytes", where=str(path), expected=f"at most {self.bytes:,}", hint=_HINT
            )

    def check_header(self, where: str, *, width: int, height: int, frames: int = 1, seconds: float = 0.0) -> None:
        """Refuse what a header announces beyond the limits.

        Raises
        ------
        PictureError
            When the header announces no pixels or no frames.
        LimitError
            When one frame, their number or the playing time is beyond its limit.
        """
        if width < 1 or height < 1 or frames < 1:
            raise PictureError(f"its header announces {frames} frame(s) of {width} x {height} pixels", where=where)
        for found, limit, unit in (
            (width * height, self.pixels, f"pixels a frame ({width} x {height})"),
            (frames, self.frames, "frames"),
            (round(seconds, 1), self.seconds, "seconds"),
        ):
            if found > limit:
                raise LimitError(f"it has {found:,} {unit}", where=where, expected=f"at most {limit:,}", hint=_HINT)

    def check_decoded(self, where: str, *, width: int, height: int, channels: int, frames: int) -> None:
        """Refuse a request whose decoded frames would take more than ``bytes`` of memory.

        Raises
        ------
        LimitError
            When they would; the hint says to ask for fewer frames.
        """
        size = width * height * channels * frames
        if size > self.bytes:
            raise LimitError(
                f"{frames:,} decoded frame(s) would take {size:,} bytes",
                where=where,
                expected=f"at most {self.bytes:,}",
                hint="ask for fewer frames, or use iter_frames",
            )
