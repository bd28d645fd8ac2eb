"""The pictures a benchmark trains on: a cohort's, or JPEGs of noise with a brighter lesion in every third one."""

import dataclasses
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Picture:
    """One labelled view.

    Parameters
    ----------
    name, path, label, group
        Of the view; label 0 or 1.
    box : tuple of 4 floats
        Of the lesion, in pixels of the picture.
    area : tuple of 4 floats, optional
        The scan area.
    """

    name: str
    path: Path
    label: int
    group: str
    box: tuple[float, float, float, float]
    area: tuple[float, float, float, float] | None = None


def of_cohort(folder: Path, target: str | None) -> list[Picture]:
    """Return the labelled views of a cohort that have an outline or a box."""
    from isthmus.cohort.cohort import load_cohort
    from isthmus.imaging.limits import Limits
    from isthmus.imaging.read import read_mask

    cohort = load_cohort(folder)
    name = target or next(iter(cohort.targets))
    positive = list(cohort.targets[name].classes)[-1]
    pictures = []
    for row in cohort.examples(name).itertuples():
        box = row.box
        if box is None and row.mask is not None:
            y, x = np.nonzero(read_mask(row.mask, Limits()))
            box = (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
        if box is not None:
            pictures.append(
                Picture(row.view_id, row.path, int(row.label == positive), row.group_id, box, row.region or None)
            )
    return pictures


def synthetic(folder: Path, count: int) -> list[Picture]:
    """Write and return JPEGs of 560 x 360, the size of DDTI's."""
    import cv2

    generator = np.random.default_rng(0)
    pictures = []
    for number in range(count):
        x, y = int(generator.integers(90, 330)), int(generator.integers(60, 190))
        w, h = int(generator.integers(90, 150)), int(generator.integers(70, 120))
        label = int(number % 3 == 0)
        frame = generator.rayleigh(45, (360, 560))
        frame[y : y + h, x : x + w] *= 0.75 - 0.2 * label + generator.normal(0, 0.06)
        path = folder / f"{number:04d}.jpg"
        grey = cv2.GaussianBlur(frame.clip(0, 255).astype(np.uint8), (3, 3), 0)
        cv2.imwrite(str(path), cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        pictures.append(Picture(path.stem, path, label, path.stem, (x, y, x + w, y + h), (0, 0, 560, 360)))
    return pictures


def halves(pictures: list[Picture], held_out: float) -> tuple[list[Picture], list[Picture]]:
    """Return training and held-out pictures; a group stands on one side."""
    groups = sorted({picture.group for picture in pictures})
    chosen = set(np.random.default_rng(1).permutation(groups)[: round(held_out * len(groups))].tolist())
    return (
        [picture for picture in pictures if picture.group not in chosen],
        [picture for picture in pictures if picture.group in chosen],
    )
