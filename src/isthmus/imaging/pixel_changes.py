"""Changes of prepared pictures that change nothing of the disease: gain, depth, speckle, compression; and the lesion
painted out, after which nothing of its inside is left. What lies around it is, and so is its size: a crop is enlarged
to a fixed size, and the grain of the rim shows by how much.

A decibel is 255 / 60 grey levels: on a display that is compressed by the logarithm and shows 60 dB, which is what
scanners offer as a rule (Szabo, Diagnostic Ultrasound Imaging, 2nd edition, 2014, chapter 10), gain is a shift and
speckle of the echo's intensity is added. Pixels that are black, or in colour, keep their value: they are padding, or a
map that another rule drew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.files import sha256_of_json
from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.denoise import denoise

Pixels = NDArray[np.uint8]

RULE_VERSION: Final = 1
"""Raise it with every change that alters a changed pixel: scores kept from older ones are then made again."""

LEVELS_A_DECIBEL: Final = 255 / 60
_BEYOND = 1.1  # of the square around the lesion that is painted out: the halo goes with it
_COLOURED = 24  # levels between the channels of a pixel
_GRAIN = 1 / 256  # of the picture's side: spread of a grain of speckle


@dataclass(frozen=True)
class PixelChange:
    """A change of a prepared picture.

    Parameters
    ----------
    name : str
        As the report says it.
    how : str
        ``paint_out``: the smallest square that holds the lesion, a tenth larger, becomes as grey as what is left on
        average, so that neither texture nor outline remains. ``gain``: ``by`` dB are added. ``depth``: as if the same
        tissue had been drawn ``by`` times as small, and enlarged. ``speckle``: independent grain of ``by`` dB is added;
        with 0 speckle is smoothed by a median instead. ``jpeg``: compressed with quality ``by``, and read again.
    by : float
        How much.
    """

    name: str
    how: Literal["paint_out", "gain", "depth", "speckle", "jpeg"]
    by: float = 0.0

    def apply(self, pictures: Pixels, masks: Pixels, view_id: str, *, moving: bool = False) -> tuple[Pixels, Pixels]:
        """Return a view's pictures and lesion masks, changed.

        Parameters
        ----------
        pictures : uint8 array [T, S, S, C]
            Frames of a clip, or one picture of each of T modalities; one that is black (absent) stays so.
        masks : uint8 array [T, S, S]
            1 inside the lesion.
        view_id : str
            Decides the grain.
        moving : bool
            Whether these are frames of one clip: what any of them shows of the lesion is then painted out in all.

        Returns
        -------
        tuple of uint8 array
            Where the lesion was painted out its mask is the painted square, which tells a network no shape.
        """
        if self.how == "paint_out":
            return _painted_out(pictures, masks, moving)
        grain = np.random.default_rng(int.from_bytes(sha256(f"{self.name}:{view_id}".encode()).digest()[:8]))
        changed = [self._changed(one, grain) if one.any() else one for one in pictures]
        return np.stack(changed), masks

    def _changed(self, picture: Pixels, random: np.random.Generator) -> Pixels:
        if self.how == "gain":
            return _shifted(picture, self.by * LEVELS_A_DECIBEL)
        if self.how == "speckle":
            if self.by == 0:
                return denoise(picture, "median")
            return _shifted(picture, self.by * LEVELS_A_DECIBEL * _grain(len(picture), random))
        return _coarser(picture, self.by) if self.how == "depth" else _compressed(picture, int(self.by))


PAINTED_OUT: Final = PixelChange("lesion painted out", "paint_out")
PIXEL_CHANGES: Final = (
    PAINTED_OUT,
    PixelChange("gain 6 dB lower", "gain", -6.0),
    PixelChange("gain 6 dB higher", "gain", 6.0),
    PixelChange("1.5 times as deep", "depth", 1.5),
    PixelChange("twice as deep", "depth", 2.0),
    PixelChange("speckle smoothed", "speckle"),
    PixelChange("1.4 dB of speckle added", "speckle", 1.4),
    PixelChange("2.8 dB of speckle added", "speckle", 2.8),
    PixelChange("JPEG of quality 50", "jpeg", 50.0),
    PixelChange("JPEG of quality 20", "jpeg", 20.0),
)
"""5.6 dB is what fully developed speckle spreads over (Wagner et al., IEEE Trans Sonics Ultrason 30 (1983) 156-163):
what is added is a quarter and a half of it."""


def changed_store(store: PreparedStore, views: Sequence[str], change: PixelChange, *, moving: bool) -> PreparedStore:
    """Return some views of a store with every picture changed when it is read: nothing is kept.

    Parameters
    ----------
    store : PreparedStore
        As prepared.
    views : sequence of str
        Which of its views; of ``paint_out`` those of :func:`outlined`.
    change : PixelChange
        What is done to each.
    moving : bool
        Whether the pictures of a view are frames of one clip.
    """
    rows = store.rows(views)
    pixels, masks = (cast(Any, _ChangedRows(store, rows, change, moving, part)) for part in ("pixels", "masks"))
    return replace(
        store,
        key=sha256_of_json([RULE_VERSION, store.key, list(views), change.name, change.how, change.by])[:32],
        view_ids=list(views),
        pixels=pixels,
        lesion_masks=masks,
        source_to_prepared=store.source_to_prepared[rows],
        frame_indices=store.frame_indices[rows],
    )


def outlined(store: PreparedStore, views: Sequence[str], *, moving: bool) -> Mapping[str, float]:
    """Return of which of these views the lesion can be painted out, and the share of the pictures that is then left.

    A clip needs an outline in one frame; of several modalities each picture that is there needs its own.
    """
    found = {}
    for view, row in zip(views, store.rows(views).tolist(), strict=True):
        pictures, masks = store.pixels[[row]][0], store.lesion_masks[[row]][0]
        there = pictures.reshape(len(pictures), -1).any(axis=1)
        drawn = masks.reshape(len(masks), -1).any(axis=1)
        if drawn.any() and (moving or drawn[there].all()):
            squares = _squares(masks, moving)[there]
            found[view] = 1.0 - float(squares.mean())
    return found


class _ChangedRows:
    """Stands for an array of a store in what is done with it: ``array[rows]``, ``len(array)``, ``array.shape``."""

    def __init__(
        self, store: PreparedStore, rows: NDArray[np.int64], change: PixelChange, moving: bool, part: str
    ) -> None:
        self._store, self._rows, self._change, self._moving, self._part = store, rows, change, moving, part
        self.dtype = np.dtype(np.uint8)
        self.shape = (len(rows), *(store.pixels if part == "pixels" else store.lesion_masks).shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Pixels:
        asked = self._rows[rows]
        chosen = np.atleast_1d(asked)
        found: Pixels = self._store.lesion_masks[chosen]
        if self._part == "pixels" or self._change.how == "paint_out":
            masks, found = found, np.zeros((len(chosen), *self.shape[1:]), np.uint8)
            for place, row in enumerate(chosen.tolist()):
                pictures, view = self._store.pixels[[row]][0], self._store.view_ids[row]
                both = self._change.apply(pictures, masks[place], view, moving=self._moving)
                found[place] = both[0 if self._part == "pixels" else 1]
        one: Pixels = found if asked.ndim else found[0]
        return one


def _painted_out(pictures: Pixels, masks: Pixels, moving: bool) -> tuple[Pixels, Pixels]:
    squares, painted = _squares(masks, moving), pictures.copy()
    for picture, square in zip(painted, squares, strict=True):
        left = ~square & picture.any(axis=-1)
        if picture.any():  # 128 where nothing is left, which is as grey as any and not absent
            picture[square] = picture[left].mean(axis=0).round().clip(1, 255) if left.any() else 128
    return painted, squares.astype(np.uint8)


def _squares(masks: Pixels, moving: bool) -> NDArray[np.bool_]:
    """Return the square around each mask, a tenth larger; of frames of a clip around all of them."""
    squares = np.zeros(masks.shape, bool)
    shown = np.broadcast_to(masks.any(axis=0), masks.shape) if moving else masks.astype(bool)
    for mask, square in zip(shown, squares, strict=True):
        if not mask.any():
            continue
        lines, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        half = _BEYOND * max(np.ptp(lines) + 1, np.ptp(columns) + 1) / 2
        edges = [(ends[0] + ends[-1] + 1) / 2 + side for ends in (lines, columns) for side in (-half, half)]
        top, bottom, left, right = (max(0, round(float(edge))) for edge in edges)
        square[top:bottom, left:right] = True
    return squares


def _shifted(picture: Pixels, levels: "float | NDArray[np.float64]") -> Pixels:
    """Add grey levels to what is tissue."""
    tissue = picture.any(axis=-1) & (np.ptp(picture, axis=-1) <= _COLOURED)
    shifted = picture.astype(np.float64) + (levels if np.ndim(levels) == 0 else np.asarray(levels)[..., None])
    return np.where(tissue[..., None], shifted.round().clip(0, 255), picture).astype(np.uint8)


def _grain(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return a smooth random field [size, size] of mean 0 and standard deviation 1."""
    field = cv2.GaussianBlur(random.standard_normal((size, size)), (0, 0), max(0.5, _GRAIN * size))
    return np.asarray((field - field.mean()) / field.std(), np.float64)


def _coarser(picture: Pixels, factor: float) -> Pixels:
    size = len(picture)
    small = max(1, round(size / factor))
    drawn = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8).reshape(picture.shape)


def _compressed(picture: Pixels, quality: int) -> Pixels:
    grey = picture.shape[-1] == 1
    drawn = picture if grey else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    code = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    read = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(read if grey else cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8).reshape(picture.shape)
