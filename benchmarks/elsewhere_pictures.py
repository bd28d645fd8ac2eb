"""Pictures that a network trained on thyroid stills never learnt from: another organ, other devices, no ultrasound."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from real_pictures import of_cine_frames

from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area

DIGITS = 200
PATCHES = 30
_FRAMES = 4


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A picture with the region that is shown to a network."""

    kind: str
    group: str
    clip: Clip


def ddti(data: Path) -> Iterator[Elsewhere]:
    """Yield DDTI's thyroid stills; a case is a patient."""
    for path in sorted((data / "ddti").glob("*_*.jpg")):
        yield Elsewhere("thyroid stills (DDTI)", path.stem.partition("_")[0], in_the_middle(read_clip(path)))


def breast_stills(data: Path) -> Iterator[Elsewhere]:
    """Yield breast stills."""
    table = pd.read_csv(data / "breast_reader_study" / "manifest.csv", dtype=str)
    for row in table.itertuples():
        clip = read_clip(data / "breast_reader_study" / str(row.image))
        yield Elsewhere("breast stills", str(row.patient_id), in_the_middle(clip))


def breast_sweeps(data: Path) -> Iterator[Elsewhere]:
    """Yield four frames of each breast sweep."""
    table = pd.read_csv(data / "breast_cineclip" / "clips.csv", dtype=str)
    for row in table.itertuples():
        places = np.linspace(0, int(str(row.n_frames)) - 1, _FRAMES + 2).round().astype(int)[1:-1]
        clip = read_clip(data / "breast_cineclip" / str(row.path), frames=[int(place) for place in places])
        for frame in clip.frames:
            yield Elsewhere("breast sweeps", str(row.patient_id), in_the_middle(Clip(frame[None], source="")))


def thyroid_sweeps(data: Path) -> Iterator[Elsewhere]:
    """Yield outlined frames of thyroid sweeps by two other scanners."""
    for still in of_cine_frames(data / "thyroid_cine_frames"):
        clip = Clip(still.rgb[None], lesion=Lesion(mask=still.lesion[None]), source=still.name)
        yield Elsewhere("thyroid sweeps, other devices", still.patient, clip)


def photographs(data: Path) -> Iterator[Elsewhere]:
    """Yield patches of photographs that scikit-learn and Matplotlib bring with them."""
    import cv2
    from matplotlib.cbook import get_sample_data
    from sklearn.datasets import load_sample_images

    pictures = list(load_sample_images().images)
    with get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        pictures.append(cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng(number)
        for _ in range(PATCHES):
            side = int(rng.integers(120, 400))
            top, left = (int(rng.integers(0, length - side)) for length in picture.shape[:2])
            yield whole("photographs", f"photograph {number}", picture[top : top + side, left : left + side])


def digits(data: Path) -> Iterator[Elsewhere]:
    """Yield handwritten digits, each of another hand as far as is known."""
    import cv2
    from sklearn.datasets import load_digits

    for number, digit in enumerate(load_digits().images[:DIGITS]):
        grey = cv2.resize((digit * 15).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
        yield whole("handwritten digits", f"digit {number}", grey[:, :, None])


SETS = {
    "ddti": ddti,
    "thyroid_sweeps": thyroid_sweeps,
    "breast_stills": breast_stills,
    "breast_sweeps": breast_sweeps,
    "photographs": photographs,
    "digits": digits,
}


def in_the_middle(clip: Clip) -> Clip:
    """Return a still whose region is the middle of its scan area: nobody outlined it."""
    area: Box = clip.scan_area or find_scan_area(clip.frames[0]).box
    x0, y0, x1, y1 = area
    across, down = (x1 - x0) / 4, (y1 - y0) / 4
    return replace(
        clip, scan_area=area, lesion=Lesion(box=np.array([[x0 + across, y0 + down, x1 - across, y1 - down]]))
    )


def whole(kind: str, group: str, picture: NDArray[np.uint8]) -> Elsewhere:
    """Return a picture that is shown as it is."""
    height, width = picture.shape[:2]
    area = (0.0, 0.0, float(width), float(height))
    clip = Clip(np.ascontiguousarray(picture)[None], scan_area=area, lesion=Lesion(box=np.array([area])), source=group)
    return Elsewhere(kind, group, clip)
