"""Boxes as people give them: text or numbers, checked against the picture."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.clip import Box

BoxLike = str | Sequence[float] | NDArray[np.float64]
"""``x0,y0,x1,y1`` as text or numbers; of a clip also an array [T, 4], a box a frame, NaN where it shows no lesion."""


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
