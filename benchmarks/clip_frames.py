"""Five frames out of a long clip against decoding it all, in every form that clips come in; OpenCV beside it.

Clips of moving speckle, 640 x 480, 1,500 frames (a minute at 25 a second), written as hospitals store them. Decoding
all is `iter_frames`, one frame after another without keeping them; OpenCV reads and turns blue-green-red into
red-green-blue, as every user of it must. Readers take turns, round by round. `wrong` counts frames that are not those
which decoding in order gives. A frame of a video can be decoded from the last key frame before it: `to decode` is how
many frames the five then need (that are decoded, though not turned into red-green-blue).
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # it prints what it cannot decode behind a seek

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

import tables
from isthmus.imaging.read import iter_frames, probe, read_clip

WIDTH, HEIGHT, WANTED = 640, 480, 5
ENOUGH = 20
VIDEOS = {
    "Motion-JPEG AVI": ("mjpeg.avi", "mjpeg", "yuvj420p", {"qmin": "2", "qmax": "4"}),
    "MPEG-4 AVI, key frame every 12": ("mpeg4.avi", "mpeg4", "yuv420p", {"g": "12"}),
    "H.264 MP4, key frame every 12": ("short.mp4", "libx264", "yuv420p", {"g": "12", "preset": "veryfast"}),
    "H.264 MP4, key frame every 250": ("usual.mp4", "libx264", "yuv420p", {"g": "250", "preset": "veryfast"}),
    "H.264 MP4, one key frame": ("long.mp4", "libx264", "yuv420p", {"g": "100000", "preset": "veryfast"}),
}


def speckle(frames: int) -> Iterator[NDArray[np.uint8]]:
    """Yield speckle that drifts and decorrelates slowly."""
    generator = np.random.default_rng(0)
    two = [cv2.GaussianBlur(generator.rayleigh(60, (HEIGHT, WIDTH)), (0, 0), 1.2) for _ in range(2)]
    for number in range(frames):
        share = number / frames
        yield np.roll((1 - share) * two[0] + share * two[1], number, axis=1).clip(0, 255).astype(np.uint8)


def write_videos(folder: Path, frames: int) -> dict[str, Path]:
    """Encode all videos."""
    paths = {}
    for kind, (name, codec, layout, options) in VIDEOS.items():
        paths[kind] = folder / name
        with av.open(str(paths[kind]), "w") as output:
            stream = output.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
            for grey in speckle(frames):
                colour = np.repeat(grey[..., None], 3, axis=2)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(colour, format="rgb24")))
            output.mux(stream.encode(None))
    return paths


def write_jpegs(folder: Path, frames: int) -> dict[str, Path]:
    """Write a folder of JPEG frames, one of PNG frames, and DICOM files of the same JPEGs."""
    for name in ("jpeg", "png"):
        (folder / name).mkdir()
    stored = []
    for number, grey in enumerate(speckle(frames)):
        stored.append(cv2.imencode(".jpg", grey)[1].tobytes())
        (folder / "jpeg" / f"{number:05}.jpg").write_bytes(stored[-1])
        cv2.imwrite(str(folder / "png" / f"{number:05}.png"), grey)
    for name, table in (("table.dcm", True), ("bare.dcm", False)):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        dataset.SOPClassUID, dataset.SOPInstanceUID = UltrasoundMultiFrameImageStorage, generate_uid()
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, HEIGHT, WIDTH
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.PixelData = encapsulate(stored, has_bot=table)
        dataset.save_as(folder / name, enforce_file_format=True)
    return {
        "DICOM, JPEG, with table of offsets": folder / "table.dcm",
        "DICOM, JPEG, without": folder / "bare.dcm",
        "folder of JPEG": folder / "jpeg",
        "folder of PNG": folder / "png",
    }


def opencv_few(path: Path, wanted: list[int]) -> NDArray[np.uint8]:
    """Read the few frames by OpenCV's seeking."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    for number in wanted:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        frames.append(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
    return np.stack(frames)


def opencv_all(path: Path) -> int:
    """Read all frames by OpenCV."""
    capture, frames = cv2.VideoCapture(str(path)), 0
    while (read := capture.read())[0]:
        cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        frames += 1
    return frames


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of the files in a folder."""
    return sum(each.stat().st_size for each in path.iterdir()) if path.is_dir() else path.stat().st_size


def to_decode(path: Path, wanted: list[int]) -> int:
    """Return how many frames must be decoded for these: each from the last key frame, and none twice."""
    if path.suffix not in (".avi", ".mp4"):
        return len(wanted)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    stamps = sorted(packet.pts for packet in packets)
    keys = sorted(stamps.index(packet.pts) for packet in packets if packet.is_keyframe)
    needed = {frame for number in wanted for frame in range(max(key for key in keys if key <= number), number + 1)}
    return len(needed)


class Cost(NamedTuple):
    """Milliseconds of a clock on the wall, and of all processors together."""

    wall: float
    processor: float


def turns(readers: dict[str, Callable[[], object]], rounds: int) -> dict[str, Cost]:
    """Return each reader's median cost; they take turns, and the first round warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in readers}
    for _ in range(rounds + 1):
        for name, read in readers.items():
            wall, processor = time.perf_counter(), time.process_time()
            read()
            costs[name].append(Cost(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return {name: Cost(*map(statistics.median, zip(*each[1:], strict=True))) for name, each in costs.items()}


def measure(kind: str, path: Path, rounds: int) -> dict[str, object]:
    """Return the row of one clip."""
    frames = probe(path).frames
    wanted = [(2 * part + 1) * frames // (2 * WANTED) for part in range(WANTED)]
    true = np.stack([pixels for number, pixels in enumerate(iter_frames(path)) if number in wanted])
    readers: dict[str, Callable[[], object]] = {
        "few": lambda: read_clip(path, frames=wanted),
        "all": lambda: sum(1 for _ in iter_frames(path)),
        "probe": lambda: probe(path),
    }
    video = path.suffix in (".avi", ".mp4")
    if video:
        readers |= {"few OpenCV": lambda: opencv_few(path, wanted), "all OpenCV": lambda: opencv_all(path)}
    found, needed = turns(readers, rounds), to_decode(path, wanted)
    ratio = found["all"].processor / found["few"].processor
    return {
        "clip": kind,
        "frames": frames,
        "MB": size_of(path) / 1e6,
        "to decode": needed,
        "5 frames, ms": found["few"].processor,
        "all frames, ms": found["all"].processor,
        "times cheaper": ratio,
        "20 times": "yes" if ratio >= ENOUGH else "no",
        "by the wall clock": found["all"].wall / found["few"].wall,
        "probe, ms": found["probe"].processor,
        "5 frames OpenCV, ms": found["few OpenCV"].processor if video else "-",
        "all frames OpenCV, ms": found["all OpenCV"].processor if video else "-",
        "wrong": int((read_clip(path, frames=wanted).frames != true).any(axis=(1, 2, 3)).sum()),
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--real", type=Path, help="a clip from a scanner")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = write_videos(Path(name), options.frames) | write_jpegs(Path(name), options.frames)
        if options.real:
            paths["from a scanner (breast, AVI)"] = options.real
        rows = [measure(kind, path, options.rounds) for kind, path in paths.items()]
    facts = {"rounds": options.rounds, "av": av.__version__, "opencv": cv2.__version__}
    words = (
        "Medians of processor time, all threads together: readings of a few milliseconds on a machine that does other "
        "things too. Isthmus also checks that the file is whole and that each frame is the one asked for. `to decode`: "
        "the five and what lies between them and the key frames before them; a video with few key frames has no place "
        "to begin near them, for any reader, and of a clip of a few hundred frames those are soon a twentieth."
    )
    tables.write("clip_frames", {**facts, **tables.machine()}, rows, words)


if __name__ == "__main__":
    main()
