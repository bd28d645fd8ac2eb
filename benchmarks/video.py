"""Reading clips: `read_clip` (PyAV) against OpenCV, for five frames by seeking and for all frames.

Clips of moving speckle, 640 x 480, 150 frames, are encoded as hospitals store them. OpenCV reads and turns
blue-green-red into red-green-blue, as every user of it must. `wrong` counts frames that are not those which decoding in
order gives.
"""

import argparse
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # it prints what it cannot decode behind a seek

import av
import cv2
import numpy as np
from numpy.typing import NDArray

import tables
from isthmus.imaging.read import iter_frames, probe, read_clip

WIDTH, HEIGHT, FRAMES = 640, 480, 150
KINDS = {
    "raw AVI": ("raw.avi", "rawvideo", "bgr24", {}),
    "Motion-JPEG AVI": ("mjpeg.avi", "mjpeg", "yuvj420p", {}),
    "MPEG-4 AVI": ("mpeg4.avi", "mpeg4", "yuv420p", {}),
    "H.264 MP4": ("h264.mp4", "libx264", "yuv420p", {"g": "50"}),
    "H.264 MP4, open GOP": ("open.mp4", "libx264", "yuv420p", {"x264-params": "open-gop=1:keyint=25:bframes=3"}),
}
FEW = [FRAMES * part // 6 for part in range(1, 6)]


def encode(path: Path, codec: str, layout: str, options: dict[str, str]) -> None:
    """Write speckle that drifts and decorrelates slowly."""
    generator = np.random.default_rng(0)
    two = [cv2.GaussianBlur(generator.rayleigh(60, (HEIGHT, WIDTH)), (0, 0), 1.2) for _ in range(2)]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
        for number in range(FRAMES):
            share = number / FRAMES
            grey = np.roll((1 - share) * two[0] + share * two[1], number, axis=1).clip(0, 255).astype(np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), format="rgb24")))
        output.mux(stream.encode(None))


def opencv_few(path: Path) -> NDArray[np.uint8]:
    """Read the few frames by OpenCV's seeking."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    for number in FEW:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        frames.append(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
    return np.stack(frames)


def opencv_all(path: Path) -> NDArray[np.uint8]:
    """Read all frames by OpenCV."""
    capture = cv2.VideoCapture(str(path))
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for frame in frames:
        cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB, dst=frame)
    return frames


def median(function: Callable[[], object], rounds: int) -> float:
    """Return the median wall time in milliseconds after one round to warm up."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def wrong(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> int:
    """Count frames whose nearest true frame is another one."""
    nearest = [
        int(np.argmin(np.abs(true[:, ::8, ::8].astype(int) - frame[::8, ::8]).mean((1, 2, 3)))) for frame in found
    ]
    return sum(number != wanted for number, wanted in zip(nearest, FEW, strict=True))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, (name, codec, layout, encoding) in KINDS.items():
            path = Path(folder) / name
            encode(path, codec, layout, encoding)
            with av.open(str(path)) as container:
                true = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
            time_of = functools.partial(median, rounds=options.rounds)
            rows.append(
                {
                    "clip": kind,
                    "MB": path.stat().st_size / 1e6,
                    "probe, ms": time_of(lambda path=path: probe(path)),
                    "5 frames, ms": time_of(lambda path=path: read_clip(path, frames=FEW)),
                    "5 frames OpenCV, ms": time_of(lambda path=path: opencv_few(path)),
                    "all, frames/s": 1000 * FRAMES / time_of(lambda path=path: read_clip(path)),
                    "all OpenCV, frames/s": 1000 * FRAMES / time_of(lambda path=path: opencv_all(path)),
                    "streamed, frames/s": 1000 * FRAMES / time_of(lambda path=path: sum(1 for _ in iter_frames(path))),
                    "wrong": wrong(read_clip(path, frames=FEW).frames, true),
                    "wrong OpenCV": wrong(opencv_few(path), true),
                }
            )
    facts = {"rounds": options.rounds, "frames": FRAMES, "av": av.__version__, "opencv": cv2.__version__}
    words = "Median wall time. Isthmus also checks that the file is whole and that each frame is the one asked for."
    tables.write("video", {**facts, **tables.machine()}, rows, words)


if __name__ == "__main__":
    main()
