"""Which of many pictures may show the same: a search over all pairs that reads short codes, never two pictures.

Locality-sensitive hashing: each feature's descriptor becomes one short code a table; equal codes are hits. Each hit
says how one picture would lie on the other (orientation, size, place), and hits that agree are votes for the pair.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.duplicate_features import (
    FEATURES,
    ORIENTATIONS,
    SIDE,
    Features,
    oriented_descriptors,
    oriented_places,
)

VOTES: Final = 4
"""Agreeing hits that make a candidate. Of 780 pairs of different DDTI pictures none had more than 3."""

_TABLES, _COMPONENTS = 6, 24
_FEWEST_BITS, _MOST_BITS = 16, 20
_SAMPLE = 20_000  # descriptors that the codes are fitted to
_SIZE_STEP = 0.35  # natural logarithm of how many times as large
_PLACE_STEP = 0.13 * SIDE
_LIKEST, _PLENTY = 8, 12
_COMMON = 200  # more features than this with one code in one table: a code of text or of nothing, it tells no pictures


@dataclass(frozen=True)
class Candidate:
    """Two pictures that may show the same.

    Parameters
    ----------
    first, second : int
        Places in the sequence that was searched; first < second.
    orientation : int
        Of the second, to lie on the first.
    votes : int
    """

    first: int
    second: int
    orientation: int
    votes: int


def root_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return descriptors of length 1 whose product is the Bhattacharyya coefficient (R. Arandjelovic, CVPR 2012)."""
    values = descriptors.astype(np.float32)
    result: NDArray[np.float32] = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1.0))
    return result


class FeatureList(Protocol):
    """A list of pictures' features, or something on disk that reads like one."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Features: ...
    def __iter__(self) -> Iterator[Features]: ...


class CandidateIndex:
    """The codes of all pictures' features.

    Parameters
    ----------
    features : list of Features
        One a picture. Read one after another, so that a sequence on disk will do.
    """

    def __init__(self, features: FeatureList) -> None:
        counts = [len(one.places) for one in features]
        self._features = features
        self._bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._common = _COMMON + 4 * len(counts)  # the same picture many times over is still found
        self._picture = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self._fit(counts)
        codes = np.empty((_TABLES, len(self._picture)), np.uint32)
        self._places = np.empty((len(self._picture), 3), np.float32)
        for number, one in enumerate(features):
            if counts[number]:
                part = slice(*self._bounds[number : number + 2])
                codes[:, part] = self._codes(one.descriptors)
                self._places[part] = _with_log_size(one.places)
        self._order = np.argsort(codes, axis=1, kind="stable").astype(np.int32)
        # Where each code's features begin in that order: looked up, not searched for.
        self._starts = np.zeros((_TABLES, (1 << self._bits) + 1), np.int32)
        for table, row in enumerate(codes):
            np.cumsum(np.bincount(row, minlength=1 << self._bits), out=self._starts[table, 1:])

    def _fit(self, counts: Sequence[int]) -> None:
        """Choose the directions that codes tell: random ones among the descriptors' principal components."""
        generator = np.random.default_rng(0)
        share = min(1.0, _SAMPLE / max(1, sum(counts)))
        sample = [np.zeros((1, 128), np.float32)]
        for number in np.flatnonzero(np.array(counts) * share > 0).tolist():
            taken = max(1, round(counts[number] * share))
            if share == 1.0 or generator.random() < counts[number] * share:
                own = self._features[number].descriptors[generator.permutation(counts[number])[:taken]]
                sample.append(root_descriptors(own))
        known = np.concatenate(sample[1:] or sample)
        self._mean = known.mean(axis=0)
        centred = known - self._mean
        variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        # Between equal weight of all components and their own variance: equal weight makes noise of the last ones.
        whitened = directions[:, : -_COMPONENTS - 1 : -1] / np.maximum(variances[: -_COMPONENTS - 1 : -1], 1e-6) ** 0.25
        self._bits = int(np.clip(np.ceil(np.log2(max(2, sum(counts)))), _FEWEST_BITS, _MOST_BITS))
        turns = [
            np.linalg.qr(generator.normal(size=(_COMPONENTS, _COMPONENTS)))[0][:, : self._bits] for _ in range(_TABLES)
        ]
        self._directions = (whitened @ np.concatenate(turns, axis=1)).astype(np.float32)
        self._middles = np.median(centred @ self._directions, axis=0)

    def _codes(self, descriptors: NDArray[np.uint8]) -> NDArray[np.uint32]:
        above = (root_descriptors(descriptors) - self._mean) @ self._directions > self._middles
        weights = (1 << np.arange(self._bits)).astype(np.uint32)
        codes: NDArray[np.uint32] = (above.reshape(len(above), _TABLES, self._bits) @ weights).T.astype(np.uint32)
        return codes

    def candidates(
        self, wanted: Callable[[int, NDArray[np.int32]], NDArray[np.bool_]] | None = None, votes: int = VOTES
    ) -> Iterator[tuple[int, list[Candidate]]]:
        """Yield each picture's number with the candidates among the pictures before it.

        Parameters
        ----------
        wanted : callable, optional
            Which of these pictures to hold against this one; default: all.
        votes : int
            Agreeing hits asked for.
        """
        for number, one in enumerate(self._features):
            if not len(one.places) or number == 0:
                yield number, []
                continue
            theirs, mine, orientation = self._hits(number, one)
            if wanted is not None:
                keep = wanted(number, self._picture[theirs])
                theirs, mine, orientation = theirs[keep], mine[keep], orientation[keep]
            yield number, self._voted(number, one, theirs, mine, orientation, votes)

    def _hits(self, number: int, one: Features) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return features of earlier pictures, this picture's features with the same code, and its orientation."""
        turned = np.concatenate([oriented_descriptors(one.descriptors, each) for each in ORIENTATIONS])
        count = len(one.places)
        found: list[NDArray[np.int32]] = []
        for starts, order, wanted in zip(self._starts, self._order, self._codes(turned), strict=True):
            low, many = starts[wanted], starts[wanted + 1] - starts[wanted]
            many[many > self._common] = 0
            asked = np.repeat(np.arange(len(wanted), dtype=np.int32), many)
            steps = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
            theirs = order[np.repeat(low, many) + steps]
            earlier = theirs < self._bounds[number]
            found.append(np.stack([theirs[earlier], asked[earlier]]))
        theirs, asked = np.concatenate(found, axis=1)
        return theirs, asked % count, asked // count

    def _voted(
        self,
        number: int,
        one: Features,
        theirs: NDArray[np.int32],
        mine: NDArray[np.int32],
        orientation: NDArray[np.int32],
        votes: int,
    ) -> list[Candidate]:
        pictures = self._picture[theirs] * len(ORIENTATIONS) + orientation
        enough = np.bincount(pictures, minlength=1)[pictures] >= votes if len(pictures) else np.zeros(0, bool)
        theirs, mine, orientation, pictures = theirs[enough], mine[enough], orientation[enough], pictures[enough]
        if not len(theirs):
            return []
        turned = np.stack([_with_log_size(oriented_places(one, each)) for each in ORIENTATIONS])[orientation, mine]
        given = self._places[theirs]
        larger = given[:, 2] - turned[:, 2]
        shift = given[:, :2] - np.exp(larger)[:, None] * turned[:, :2]
        # A ballot as one number: picture and orientation, how many times as large, where.
        ballots = pictures.astype(np.int64)
        for part in (larger / _SIZE_STEP, *(shift / _PLACE_STEP).T):
            ballots = ballots * 256 + np.clip(np.rint(part), -127, 127).astype(np.int64) + 128
        # One feature votes once for a place: several tables finding the same two features are one finding.
        once = np.unique(ballots * FEATURES + mine) // FEATURES
        places, counts = np.unique(once, return_counts=True)
        best: dict[int, tuple[int, int]] = {}
        chosen = counts >= votes
        for picture, count in zip((places[chosen] >> 24).tolist(), counts[chosen].tolist(), strict=True):
            other, way = divmod(picture, len(ORIENTATIONS))
            best[other] = max(best.get(other, (0, 0)), (count, way))
        ranked = sorted((-count, other, way) for other, (count, way) in best.items())
        # Of pictures that are like nothing and a little like all, the likest few are enough.
        return [
            Candidate(other, number, way, -minus)
            for rank, (minus, other, way) in enumerate(ranked)
            if rank < _LIKEST or -minus >= _PLENTY
        ]


def _with_log_size(places: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([places[:, :2], np.log(places[:, 2:])], axis=1)
