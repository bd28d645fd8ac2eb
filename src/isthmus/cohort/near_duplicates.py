"""Pictures that show the same: also mirrored, cropped, compressed again, brighter, or cut out of a double picture.

Two stages: short codes of local features name candidates among all pairs (:mod:`.duplicate_candidates`), then each
candidate is laid on its partner and fine texture compared (:mod:`.duplicate_proof`). Speckle is as good as a
fingerprint: two scans of one nodule do not share it, two copies of one scan do.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.duplicate_candidates import VOTES, CandidateIndex
from isthmus.cohort.duplicate_features import Features, features_of
from isthmus.cohort.duplicate_proof import Proof, prove
from isthmus.cohort.duplicate_words import transformation
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.read import open_clip

Certainty = Literal["certain", "probable"]
Progress = Callable[[int, int, str], None]
CERTAIN: Final = 0.9
"""Correlation of fine texture from which two pictures are the same one, processed; see benchmarks/duplicates.py."""
PROBABLE: Final = 0.4
"""From which they are one scan: a neighbouring frame of the same sweep, or a picture changed more strongly."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures that show the same.

    Parameters
    ----------
    first, second : str
        Their names: paths inside their cohort folders.
    certainty : {'certain', 'probable'}
    words : str
        What was done to the first to make the second: ``mirrored, 83 % crop``.
    correlation : float
        Of fine texture, median over blocks; 1 for the same pixels.
    matches : int
        Local features that agree.
    orientation : int
        Of the second on the first, see :data:`isthmus.cohort.duplicate_features.ORIENTATIONS`.
    matrix : float array [2, 3]
        From pixels of the second (x, y, 1), not yet turned, to pixels of the first.
    frames : (int, int)
        Which frame of each was compared, counted from 0.
    """

    first: str
    second: str
    certainty: Certainty
    words: str
    correlation: float
    matches: int
    orientation: int
    matrix: NDArray[np.float64]
    frames: tuple[int, int] = (0, 0)

    def on_first(self, box: Box) -> Box:
        """Return where a box of the second picture lies in the first."""
        x0, y0, x1, y1 = box
        corners = np.array([[x0, y0, 1.0], [x1, y1, 1.0]]) @ self.matrix.T
        (a, b), (c, d) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return a, b, c, d


class KnownPictures:
    """The features of many pictures, kept in a temporary file: memory does not grow with their number.

    Parameters
    ----------
    names : list of str
        Of the pictures, in the order they were added; a clip stands there once for each of its frames.
    frames : list of int
        Which frame it is.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.frames: list[int] = []
        self._file = tempfile.TemporaryFile(prefix="isthmus-check-")  # noqa: SIM115 (closed by __exit__)
        self._places: list[tuple[int, tuple[int, int], Box, int]] = []

    def __enter__(self) -> "KnownPictures":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, name: str, features: Features, frame: int = 0) -> None:
        """Add a picture, or one frame of a clip; what may be taken in two ways is added twice under its name."""
        self.names.append(name)
        self.frames.append(frame)
        start = self._file.seek(0, 2)
        height, width = features.small.shape
        self._places.append((start, (height, width), features.area, len(features.places)))
        for part in (features.places, features.descriptors, features.small):
            self._file.write(np.ascontiguousarray(part).tobytes())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> Features:
        start, (height, width), area, count = self._places[number]
        self._file.seek(start)
        data = self._file.read(count * (12 + 128) + height * width)
        places = np.frombuffer(data, np.float32, count * 3).reshape(count, 3)
        descriptors = np.frombuffer(data, np.uint8, count * 128, count * 12).reshape(count, 128)
        small = np.frombuffer(data, np.uint8, height * width, count * 140).reshape(height, width)
        return Features(small, area, places, descriptors)

    def __iter__(self) -> Iterator[Features]:
        return (self[number] for number in range(len(self)))


def find_near_duplicates(
    pictures: KnownPictures, sides: Sequence[int] | None = None, progress: Progress | None = None
) -> list[Pair]:
    """Return all pairs of pictures that show the same, each pair once with its best frames.

    Parameters
    ----------
    pictures : KnownPictures
    sides : sequence of int, optional
        One a picture: then only pairs from different sides are looked for (two cohorts).
    progress : callable, optional
        Called as ``progress(done, total, name)`` for each picture.

    Returns
    -------
    list of Pair
        Sorted by names. Pairs of one name (frames of one clip) are left out.
    """
    if len(pictures) < 2:
        return []
    codes = {name: code for code, name in enumerate(dict.fromkeys(pictures.names))}
    named = np.array([codes[name] for name in pictures.names])
    side = None if sides is None else np.asarray(sides)

    def wanted(number: int, others: NDArray[np.int32]) -> NDArray[np.bool_]:
        apart: NDArray[np.bool_] = named[others] != named[number]
        return apart if side is None else apart & (side[others] != side[number])

    best: dict[tuple[str, str], Pair] = {}
    for number, candidates in CandidateIndex(pictures).candidates(wanted, VOTES):
        second = pictures[number]
        for candidate in candidates:
            first = pictures[candidate.first]
            proof = prove(first, second, candidate.orientation)
            if proof is None or proof.correlation < PROBABLE:
                continue
            pair = _pair(pictures, candidate.first, number, first, second, proof)
            key = (pair.first, pair.second)
            if key not in best or best[key].correlation < pair.correlation:
                best[key] = pair
        if progress is not None:
            progress(number + 1, len(pictures), pictures.names[number])
    return [best[key] for key in sorted(best)]


def compare_cohorts(a: Cohort, b: Cohort, progress: Progress | None = None) -> list[Pair]:
    """Return the pictures of one cohort that stand in another too: patients that both may hold.

    Parameters
    ----------
    a, b : Cohort
        Unreadable pictures are passed over: `cohort check` lists them.
    progress : callable, optional
        Called as ``progress(done, total, name)`` for each picture, then again for each while pairs are sought.

    Returns
    -------
    list of Pair
        ``first`` of `a`, ``second`` of `b`.
    """
    with KnownPictures() as pictures:
        sides: list[int] = []
        paths = [(side, cohort.folder, str(path)) for side, cohort in enumerate((a, b)) for path in _paths(cohort)]
        for done, (side, folder, path) in enumerate(paths, start=1):
            # The side stands before the name: both cohorts may have a picture of one name.
            for frame, features in _features_of_file(folder / path):
                pictures.add(f"{side}{path}", features, frame)
                sides.append(side)
            if progress is not None:
                progress(done, len(paths), path)
        found = find_near_duplicates(pictures, sides, progress)
    return [_renamed(pair) for pair in found]


def _paths(cohort: Cohort) -> list[str]:
    return sorted(set(cohort.views["path"].dropna()))


def _features_of_file(path: Path) -> Iterable[tuple[int, Features]]:
    try:
        with open_clip(path) as source:
            frames = source.info.frames
            numbers = sorted({0, frames // 2, frames - 1})
            return [
                (number, each)
                for number, pixels in zip(numbers, source.frames(numbers), strict=True)
                for each in features_of(pixels)
            ]
    except PictureError:
        return []


def _renamed(pair: Pair) -> Pair:
    return Pair(**{**pair.__dict__, "first": pair.first[1:], "second": pair.second[1:]})


def _pair(pictures: KnownPictures, one: int, two: int, first: Features, second: Features, proof: Proof) -> Pair:
    matrix = _to_first(first, second, proof)
    return Pair(
        first=pictures.names[one],
        second=pictures.names[two],
        certainty="certain" if proof.correlation >= CERTAIN else "probable",
        words=transformation(proof, matrix),
        correlation=round(proof.correlation, 4),
        matches=proof.matches,
        orientation=proof.orientation,
        matrix=matrix,
        frames=(pictures.frames[one], pictures.frames[two]),
    )


def _to_first(first: Features, second: Features, proof: Proof) -> NDArray[np.float64]:
    """Return the matrix from pixels of the second picture to pixels of the first."""
    turn = _turn(second.small.shape, proof.orientation)
    lay = np.array([[proof.scale[0], 0, proof.shift[0]], [0, proof.scale[1], proof.shift[1]], [0, 0, 1]])
    whole = np.linalg.inv(_shrunk(first)) @ lay @ turn @ _shrunk(second)
    result: NDArray[np.float64] = whole[:2]
    return result


def _shrunk(features: Features) -> NDArray[np.float64]:
    """Return the matrix from pixels of a picture (centres at whole numbers) to those of its small copy."""
    x0, y0, x1, y1 = (int(value) for value in features.area)
    height, width = features.small.shape
    x, y = width / (x1 - x0), height / (y1 - y0)
    return np.array([[x, 0, (0.5 - x0) * x - 0.5], [0, y, (0.5 - y0) * y - 0.5], [0, 0, 1.0]])


def _turn(shape: tuple[int, ...], orientation: int) -> NDArray[np.float64]:
    height, width = shape[:2]
    matrix = np.eye(3)
    if orientation & 4:
        matrix = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
        height, width = width, height
    if orientation & 1:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    if orientation & 2:
        matrix = np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ matrix
    return matrix
