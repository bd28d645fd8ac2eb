"""Frames whose decoders cannot be trusted with a damaged file, in a process of their own.

Of lossless and 12-bit JPEG that is GDCM, which ends the process it runs in; of JPEG-LS it is CharLS, which may compute
for very long. The other process reads the file, writes the frames to a pipe, and is bounded
in time and memory; whatever becomes of it, here it is a frame that comes or does not come.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo

_SECONDS: Final = 60  # of computing
_BYTES: Final = 4 * 1024**3
_FRAME, _REASON = b"F", b"R"
_LONGEST_REASON: Final = 500


class FrameLostError(Exception):
    """The other process gave no further frame."""


def frames_of_process(path: Path, info: ClipInfo, frames: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield these frames as uint8 [H, W, C], decoded elsewhere.

    Raises
    ------
    PictureError
        What the other process said of the file.
    FrameLostError
        When it ended without a word.
    """
    shape = (info.height, info.width, info.channels)
    command = [sys.executable, "-P", "-m", "isthmus.imaging.isolated_frames", *map(str, frames)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        try:
            stream, told = cast(BinaryIO, other.stdout), cast(BinaryIO, other.stdin)
            # By the pipe: others may read the arguments of a process, and a path may hold a name.
            told.write(bytes(path.resolve()))
            told.close()
            for _ in frames:
                if (kind := stream.read(1)) == _REASON:
                    raise PictureError(stream.read(_LONGEST_REASON).decode(errors="replace"))
                content = stream.read(int(np.prod(shape)))
                if kind != _FRAME or len(content) < np.prod(shape):
                    raise FrameLostError
                yield np.frombuffer(content, np.uint8).reshape(shape)
        finally:
            other.kill()


def main() -> None:
    """Write the frames of these numbers, of the file that standard input names, to standard output."""
    from isthmus.imaging.dicom import frames_of_isolated
    from isthmus.imaging.limits import Limits

    with contextlib.suppress(ImportError, ValueError):  # there is none on Windows; a smaller one may be set already
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    path = Path(os.fsdecode(sys.stdin.buffer.read()))
    out = sys.stdout.buffer
    try:
        for frame in frames_of_isolated(path, Limits(), [int(number) for number in sys.argv[1:]]):
            out.write(_FRAME + frame.tobytes())
            out.flush()
    except PictureError as error:
        out.write(_REASON + error.what.encode())


if __name__ == "__main__":
    main()
