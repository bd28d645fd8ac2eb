"""A shear-wave elastogram's colours turned back into kilopascal, by the colour bar beside the picture.

A scanner paints stiffness over the grey B-mode picture, half transparent: ``pixel = (1 - a) * grey + a * colour``. The
opacity ``a`` is one for the picture and is found here; the grey below is another in each pixel and unknown. So every
colour of the bar is mixed with every grey, and a pixel takes the value of the mixture nearest to it in CIELAB, where
distances are as large as they look. What is near no mixture is not the map's: no shear wave was seen there, or
something was drawn over it.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.colour_bar import ColourBar, find_colour_bar, lab
from isthmus.imaging.lesion_regions import ellipse_in
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare_views import CacheItem
from isthmus.imaging.read import DEFAULT_LIMITS, open_clip, read_frames, read_mask
from isthmus.imaging.region import find_scan_area

KPA: Final = (0.0, 1000.0)
FEWEST_PIXELS: Final = 30
GREYEST: Final = 10.0
"""CIELAB chroma below which a pixel is grey, and no value."""
FARTHEST: Final = 6.0
"""CIELAB distance from the nearest mixture beyond which a pixel is not the map's."""
_LEAST_OPAQUE: Final = 0.2
_FEWEST_COLOURED: Final = 0.002  # of the picture
_SAMPLE: Final = 3000  # pixels by which the opacity is found
_COARSE, _FINE = (96, 24), (256, 64)  # colours of the bar and greys that are mixed
_SPECK: Final = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class ElasticityMap:
    """An elastogram read back.

    Parameters
    ----------
    kpa : float32 array [H, W]
        NaN where there is no colour of the map.
    lesion : bool array [H, W]
    range_kpa : tuple of float
        What the bar's foot and head stand for.
    opacity : float
        Of the map over the picture.
    distance : float
        Median CIELAB distance of the map's pixels from the mixtures that they are taken for.
    bar : Box
        Where the colour bar was found.
    outline : str
        ``mask``, or ``box``: then the lesion is taken for the ellipse in it.
    """

    kpa: NDArray[np.float32]
    lesion: NDArray[np.bool_]
    range_kpa: tuple[float, float]
    opacity: float
    distance: float
    bar: Box
    outline: str


def read_elasticity(
    item: CacheItem, range_kpa: tuple[float, float], limits: Limits = DEFAULT_LIMITS
) -> tuple[ElasticityMap, NDArray[np.uint8]]:
    """Read the elastogram of a still; the screen [H, W, 3] comes with it.

    Parameters
    ----------
    item : CacheItem
        The still with its lesion's mask or box; the whole screen, since the bar lies beside the picture.
    range_kpa : tuple of float
        What is written at the bar's foot and head.
    limits : Limits
        What is refused as too large.

    Raises
    ------
    PictureError
        When it is a clip or grey, has no colour bar, no colour in the picture or no lesion, or the range is none.
    LimitError
        When it is beyond the limits.
    """
    with open_clip(item.path, limits) as source:
        info = source.info
        if info.frames != 1:
            raise PictureError(
                f"it has {info.frames} frames", where=info.source, expected="a still", hint="save one frame of it"
            )
        frame = read_frames(source, limits=limits, modality="swe").frames[0]
    lesion, outline = _lesion(item, (info.width, info.height), info.source, limits)
    area = item.scan_area or info.scan_area or find_scan_area(frame).box
    try:
        return map_of(frame, area, lesion, range_kpa, outline), frame
    except PictureError as error:
        raise PictureError(error.what, where=info.source, expected=error.expected, hint=error.hint) from None


def map_of(
    frame: NDArray[np.uint8],
    area: Box,
    lesion: NDArray[np.bool_],
    range_kpa: tuple[float, float],
    outline: str = "mask",
) -> ElasticityMap:
    """Return the elastogram of a screen [H, W, C] whose ultrasound picture lies in ``area``; errors as above."""
    low, high = range_kpa
    if not KPA[0] <= low < high <= KPA[1]:
        raise PictureError(f"a scale from {low:g} to {high:g} kPa", expected="0 or more, rising, to 1000 at most")
    bar = find_colour_bar(frame)
    inside = _inside(frame.shape[:2], area, bar.box)
    opacity = find_opacity(frame[inside], bar)
    shares = np.full(frame.shape[:2], np.nan, np.float32)
    distances = np.full(frame.shape[:2], np.inf, np.float32)
    shares[inside], distances[inside] = shares_of(frame[inside], bar, opacity)
    seen = cv2.morphologyEx((distances <= FARTHEST).astype(np.uint8), cv2.MORPH_OPEN, _SPECK) > 0
    if seen.sum() < _FEWEST_COLOURED * inside.sum():
        raise PictureError("there is no map of the bar's colours in the picture", expected="an elastogram in colour")
    kpa = np.where(seen, np.float32(low) + shares * np.float32(high - low), np.float32(np.nan))
    middle = float(np.median(distances[seen]))
    return ElasticityMap(kpa, lesion, (low, high), opacity, middle, bar.box, outline)


def find_opacity(pixels: NDArray[np.uint8], bar: ColourBar) -> float:
    """Return the opacity at which mixtures of the bar's colours with greys come nearest to the coloured pixels [N, 3].

    Raises
    ------
    PictureError
        When next to none has a colour.
    """
    coloured = pixels[_chroma(lab(pixels)) > GREYEST]
    if len(coloured) < max(_FEWEST_COLOURED * len(pixels), FEWEST_PIXELS):
        raise PictureError("there is no map of the bar's colours in the picture", expected="an elastogram in colour")
    sample = lab(coloured[:: max(1, len(coloured) // _SAMPLE)])

    def misses(opacity: float, fineness: tuple[int, int]) -> float:
        distance, _ = cKDTree(_mixtures(bar, opacity, *fineness)[0]).query(sample, workers=1)
        return float(np.median(distance))

    steps = np.arange(_LEAST_OPAQUE, 1.001, 0.05)
    best = float(min(steps, key=lambda opacity: misses(opacity, _COARSE)))
    near = np.arange(max(_LEAST_OPAQUE, best - 0.04), min(1.0, best + 0.04) + 0.001, 0.01)
    return round(float(min(near, key=lambda opacity: misses(opacity, _FINE))), 2)


def shares_of(
    pixels: NDArray[np.uint8], bar: ColourBar, opacity: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where along the bar pixels [N, 3] lie, 0 at its foot to 1 at its head, and how far from its mixtures.

    A pixel that is as near to a grey as to the map is infinitely far.
    """
    colours, back = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    places, shares = _mixtures(bar, opacity, *_FINE)
    own = lab(colours)
    chroma = _chroma(own)
    asked = np.flatnonzero(chroma > GREYEST)
    found, nearest = cKDTree(places).query(own[asked], workers=1)
    share, distance = np.zeros(len(colours), np.float32), np.full(len(colours), np.inf, np.float32)
    share[asked] = shares[nearest]
    distance[asked] = np.where(found < chroma[asked], found, np.inf)
    back = back.reshape(-1)
    return share[back], distance[back]


def _mixtures(
    bar: ColourBar, opacity: float, colours: int, greys: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the CIELAB places [N, 3] of the bar's colours over greys, and the share of the bar of each."""
    shares = np.linspace(0.0, 1.0, colours)
    along = np.linspace(0.0, 1.0, len(bar.colours))
    over = np.stack([np.interp(shares, along, bar.colours[:, channel]) for channel in range(3)], axis=1)
    under = np.linspace(0.0, 255.0, greys if opacity < 1.0 else 1)
    mixed = opacity * over[:, None] + (1.0 - opacity) * under[None, :, None]
    return lab(np.rint(mixed).astype(np.uint8)).reshape(-1, 3), np.repeat(shares, len(under))


def _chroma(places: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.hypot(places[..., 1], places[..., 2]))


def _inside(shape: tuple[int, ...], area: Box, bar: Box) -> NDArray[np.bool_]:
    inside = np.zeros(shape, np.bool_)
    for (x0, y0, x1, y1), value in ((area, True), (bar, False)):
        inside[max(0, int(y0)) : int(np.ceil(y1)), max(0, int(x0)) : int(np.ceil(x1))] = value
    return inside


def _lesion(item: CacheItem, size: tuple[int, int], where: str, limits: Limits) -> tuple[NDArray[np.bool_], str]:
    """Return the lesion [H, W] of a still and whether it was drawn."""
    width, height = size
    if item.mask is not None:
        lesion = read_mask(item.mask, limits)
        if lesion.shape != (height, width):
            raise PictureError(
                f"the lesion mask has shape {lesion.shape}", where=where, expected=f"{(height, width)} like the picture"
            )
    elif item.box is not None:
        lesion = ellipse_in(item.box, width, height)
    else:
        raise PictureError("no lesion is given", where=where, expected="a mask or a box", hint="give one in views.csv")
    if np.count_nonzero(lesion) < FEWEST_PIXELS:
        raise PictureError("the lesion is too small", where=where, expected=f"{FEWEST_PIXELS} pixels or more")
    return lesion, "box" if item.mask is None else "mask"
