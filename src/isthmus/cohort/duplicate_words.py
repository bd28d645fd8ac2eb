"""How one picture was made from another, in a few words."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.duplicate_proof import Proof

_ORIENTATIONS: Final = (
    "",
    "mirrored",
    "upside down",
    "turned by 180°",
    "mirrored and turned by 90°",
    "turned by 90° clockwise",
    "turned by 90° anticlockwise",
    "mirrored and turned by 90°",
)
_WHOLE = 0.93  # scan areas of one picture, found twice, differ by a pixel or two
_SAME_SIZE, _SAME_SHAPE = 0.03, 0.06
_SAME_CONTRAST, _SAME_BRIGHTNESS = 0.1, 8.0


def transformation(proof: Proof, matrix: NDArray[np.float64]) -> str:
    """Return what makes the second picture of the first: ``mirrored, 83 % crop, enlarged to 120 %``.

    Parameters
    ----------
    proof : Proof
    matrix : float array [2, 3]
        From pixels of the second to pixels of the first.

    Returns
    -------
    str
        ``same extent and brightness`` where nothing else is to be said: compressed again, or another file format.
    """
    said = [_ORIENTATIONS[_inverse(proof.orientation)], _extent(proof.covered), _size(matrix), _grey(proof)]
    return ", ".join(word for word in said if word) or "same extent and brightness"


def _inverse(orientation: int) -> int:
    """Return the orientation that undoes one: a quarter turn is undone by the other, all others by themselves."""
    return {5: 6, 6: 5}.get(orientation, orientation)


def _extent(covered: tuple[float, float]) -> str:
    first, second = covered
    if first >= _WHOLE and second >= _WHOLE:
        return ""
    if second >= _WHOLE:
        return f"{100 * first:.0f} % crop"
    if first >= _WHOLE:
        return f"the first is a {100 * second:.0f} % crop of the second"
    return f"{100 * first:.0f} % and {100 * second:.0f} % of them overlap"


def _size(matrix: NDArray[np.float64]) -> str:
    x, y = np.abs(matrix[:, :2]).sum(axis=1)
    mean = float(np.sqrt(x * y))
    said = []
    if abs(mean - 1) > _SAME_SIZE:
        said.append(f"{'enlarged' if mean < 1 else 'reduced'} to {100 / mean:.0f} %")
    if abs(x / y - 1) > _SAME_SHAPE:
        said.append("stretched")
    return ", ".join(said)


def _grey(proof: Proof) -> str:
    said = []
    if abs(proof.contrast - 1) > _SAME_CONTRAST:
        said.append(f"contrast {100 * proof.contrast:.0f} %")
    middle = proof.brightness + (proof.contrast - 1) * 64
    if abs(middle) > _SAME_BRIGHTNESS:
        said.append("brighter" if middle > 0 else "darker")
    return ", ".join(said)
