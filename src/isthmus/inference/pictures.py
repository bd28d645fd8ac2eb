"""One picture made ready for a model: read, its region checked, its scan area found, prepared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from isthmus.errors import InputError, PictureError, RegionMissing
from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare import Preparation, Prepared, prepare
from isthmus.imaging.read import probe, read_clip, read_mask
from isthmus.imaging.region import find_scan_area
from isthmus.inference.proposal import Proposal

DEFAULT_LIMITS = Limits()
MUCH_ENLARGED = 4.0
"""From this factor on a note says that the network sees mostly interpolation."""

SMALLEST_INSIDE = 0.5
"""A region of which less than this share lies inside the ultrasound picture is refused."""

BoxLike = str | Sequence[float]


class Proposer(Protocol):
    """What proposes regions: :class:`isthmus.inference.localiser.Localiser`."""

    def propose(self, clip: Clip) -> Proposal | None:
        """Return the region that the lesion seems to have, or None: not found."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that a model can score.

    Parameters
    ----------
    source : str
        File name, without its folders.
    clip : Clip
        As read, with its lesion and the scan area that was used.
    prepared : Prepared
        What the network gets.
    region_source : str
        ``drawn`` (a box or mask was given), ``proposed`` (by a localiser) or ``whole`` (the model needs none).
    notes : tuple of str
        What a reader of the score should know.
    """

    source: str
    clip: Clip
    prepared: Prepared
    region_source: str
    notes: tuple[str, ...] = ()


def read_picture(
    path: str | Path,
    preparation: Preparation,
    requires: str,
    *,
    box: BoxLike | None = None,
    mask: str | Path | None = None,
    scan_area: BoxLike | None = None,
    localiser: Proposer | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Picture:
    """Read a still and make it ready.

    Parameters
    ----------
    path : str or Path
        Anything that :func:`isthmus.imaging.read.probe` knows, of one frame.
    preparation : Preparation
        The model's.
    requires : str
        The model's ``requires.region``: ``none``, ``box`` or ``mask``.
    box : str or sequence of four numbers, optional
        ``x0,y0,x1,y1`` around the lesion in the picture's own pixels, ends exclusive.
    mask : str or Path, optional
        A picture of the same size, 0 outside the lesion.
    scan_area : str or sequence of four numbers, optional
        Where the ultrasound picture lies on the screen; found when it is not given.
    localiser : Proposer, optional
        Asked for a region where the model needs one and neither box nor mask is given; the picture says so.
    limits : Limits
        What is refused as too large.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        When the file cannot be read, or is a clip.
    InputError
        When a box is empty, inverted or reaches outside, a mask is empty or of another size, or the region lies mostly
        outside the ultrasound picture.
    RegionMissing
        When the model needs a region and none was given, or the localiser finds none.
    """
    info = probe(path, limits)
    if info.frames != 1 and preparation.layout == "2d":
        raise PictureError(
            f"a clip of {info.frames} frames, and this model reads stills",
            where=Path(path).name,
            expected="one frame",
            hint="save the frame to be scored as PNG",
        )
    clip = read_clip(path, limits=limits)
    name = Path(path).name
    if box is not None and mask is not None:
        raise InputError("both a box and a mask were given", where=name, expected="one of the two")
    height, width = clip.frames.shape[1:3]
    if box is not None:
        clip = replace(clip, lesion=Lesion.still(box=parse_box(box, width, height, where=name)))
    if mask is not None:
        pixels = read_mask(mask, limits)
        if not pixels.any():
            raise InputError("the mask is empty", where=Path(mask).name, expected="the lesion in white on black")
        clip = replace(clip, lesion=Lesion.still(mask=pixels))
    if scan_area is not None:
        clip = replace(clip, scan_area=parse_box(scan_area, width, height, where=name, what="scan area"))
    if localiser is not None and clip.lesion is None and requires != "none":
        proposal = _proposed(clip, localiser, name)
        picture = picture_of_clip(replace(clip, lesion=Lesion.still(mask=proposal.mask)), preparation, requires)
        return replace(picture, region_source="proposed", notes=(*_said_of(proposal), *picture.notes))
    return picture_of_clip(clip, preparation, requires)


def _proposed(clip: Clip, localiser: Proposer, name: str) -> Proposal:
    proposal = localiser.propose(clip)
    if proposal is None:
        raise RegionMissing(
            "region not found: the localiser proposes none that it is confident of", where=name,
            hint="draw it and give --box x0,y0,x1,y1 or --mask FILE",
        )  # fmt: skip
    return proposal


def _said_of(proposal: Proposal) -> list[str]:
    box = ",".join(f"{value:g}" for value in proposal.box)
    notes = [
        f"the region was proposed by a localiser, not drawn (box {box}, confidence {proposal.confidence:.2f}): "
        "look at it before you use the score"
    ]
    if proposal.others:
        more = "one more region" if proposal.others == 1 else f"{proposal.others} more regions"
        notes.append(f"the localiser saw {more} in this picture, not scored")
    return notes


def picture_of_clip(clip: Clip, preparation: Preparation, requires: str) -> Picture:
    """Make a clip ready that is in memory already; errors as :func:`read_picture`."""
    name = Path(clip.source).name
    lesion = clip.lesion
    if requires != "none" and lesion is None:
        raise RegionMissing(
            "this model was trained on lesion crops and scores no picture without a region",
            where=name,
            expected="the lesion's box or mask",
            hint="give --box x0,y0,x1,y1 or --mask FILE (in Python: boxes=, masks=)",
        )
    if requires == "mask" and lesion is not None and lesion.mask is None:
        raise RegionMissing(
            "this model needs the lesion's outline, not only a box", where=name, hint="give --mask FILE"
        )
    notes: list[str] = []
    if clip.scan_area is None:
        clip = replace(clip, scan_area=_scan_area(clip, name, notes))
    prepared = prepare(clip, preparation)
    enlarged = float(prepared.source_to_prepared[0, 0])
    if enlarged > MUCH_ENLARGED:
        notes.append(f"the region is small: its pixels were enlarged {enlarged:.1f} times")
    return Picture(name, clip, prepared, "whole" if lesion is None else "drawn", tuple(notes))


def _scan_area(clip: Clip, name: str, notes: list[str]) -> Box:
    found = find_scan_area(clip.frames[0])
    if clip.lesion is None:
        return found.box
    lesion = tuple(float(value) for value in clip.lesion.boxes()[0])
    panel = found.panel_at((lesion[0] + lesion[2]) / 2, (lesion[1] + lesion[3]) / 2)
    width = min(lesion[2], panel[2]) - max(lesion[0], panel[0])
    height = min(lesion[3], panel[3]) - max(lesion[1], panel[1])
    inside = max(width, 0.0) * max(height, 0.0) / ((lesion[2] - lesion[0]) * (lesion[3] - lesion[1]))
    if inside < SMALLEST_INSIDE:
        # Painting most of a lesion black because box or finder erred would be a silent wrong answer.
        raise InputError(
            f"{1 - inside:.0%} of the region lies outside the ultrasound picture that was found",
            where=name,
            expected=f"a region inside {','.join(f'{value:g}' for value in panel)}",
            hint="check that box or mask is in this picture's own pixels; in Python scan_areas= names the area",
        )
    if inside < 1.0:
        notes.append(f"{1 - inside:.0%} of the region lies outside the ultrasound picture and was painted black")
    return panel


def parse_box(box: BoxLike, width: int, height: int, *, where: str, what: str = "box") -> Box:
    """Return a checked box.

    Parameters
    ----------
    box : str or sequence of four numbers
        ``'x0,y0,x1,y1'`` or the numbers, in pixels, ends exclusive.
    width, height : int
        Of the picture.
    where : str
        The picture's name, for the message.
    what : str
        What the box is, for the message.

    Raises
    ------
    InputError
        When it is not four numbers, is empty or inverted, or reaches outside the picture.

    Examples
    --------
    >>> parse_box("20,10,250,230", 560, 360, where="100_1.jpg")
    (20.0, 10.0, 250.0, 230.0)
    """
    expected = f"x0,y0,x1,y1 with 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}"
    shown = box if isinstance(box, str) else ",".join(f"{value:g}" for value in box)
    try:
        values = [float(value) for value in (box.split(",") if isinstance(box, str) else box)]
    except ValueError:
        values = []
    if len(values) != 4 or not all(map(math.isfinite, values)):
        raise InputError(f"the {what} {shown!r} is not four numbers", where=where, expected=expected)
    x0, y0, x1, y1 = values
    if x1 <= x0 or y1 <= y0:
        fault = "is empty" if x1 == x0 or y1 == y0 else "is inverted"
        raise InputError(f"the {what} {shown} {fault}", where=where, expected=expected)
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        raise InputError(
            f"the {what} {shown} reaches outside the picture of {width} x {height} pixels",
            where=where,
            expected=expected,
        )
    return x0, y0, x1, y1
