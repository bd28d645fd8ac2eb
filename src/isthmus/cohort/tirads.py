"""ACR TI-RADS: points and level from coded descriptors (Tessler 2017, 10.1016/j.jacr.2017.01.046).

Points are given only where every descriptor has a code the white paper has points for: a blank is not "cannot be
determined", and a guess would look like a reading.
"""

from collections.abc import Mapping
from typing import Final

import pandas as pd

COMPOSITION_POINTS: Final[Mapping[str, int]] = {
    "cystic": 0, "spongiform": 0, "mixed": 1, "predominantly_cystic": 1, "predominantly_solid": 1, "solid": 2,
}  # fmt: skip
ECHOGENICITY_POINTS: Final[Mapping[str, int]] = {
    "anechoic": 0, "hyperechoic": 1, "isoechoic": 1, "hypoechoic": 2, "very_hypoechoic": 3,
}  # fmt: skip
SHAPE_POINTS: Final[Mapping[str, int]] = {"wider_than_tall": 0, "taller_than_wide": 3}
MARGIN_POINTS: Final[Mapping[str, int]] = {
    "smooth": 0, "ill_defined": 0, "lobulated": 2, "irregular": 2, "extrathyroidal_extension": 3,
}  # fmt: skip
FOCI_POINTS: Final[Mapping[str, int]] = {
    "none": 0, "comet_tail": 0, "macrocalcifications": 1, "peripheral_calcifications": 2, "punctate": 3,
}  # fmt: skip


def acr_points(
    composition: str | None, echogenicity: str | None, shape: str | None, margin: str | None, foci: str | None
) -> int | None:
    """Return the sum of points of one nodule, or None where a descriptor is blank or has no points.

    Parameters
    ----------
    composition, echogenicity, shape, margin : str or None
        Codes of :mod:`isthmus.tables.vocabulary`.
    foci : str or None
        Codes of echogenic foci, separated by one blank; their points add up.

    Returns
    -------
    int or None
        0 to 17. A spongiform nodule has 0, whatever else it shows.

    Examples
    --------
    >>> acr_points("solid", "hypoechoic", "taller_than_wide", "smooth", "punctate macrocalcifications")
    11
    >>> acr_points("solid", "hypoechoic", None, "smooth", "none") is None
    True
    """
    if composition == "spongiform":
        return 0
    parts = [
        COMPOSITION_POINTS.get(composition or ""),
        ECHOGENICITY_POINTS.get(echogenicity or ""),
        SHAPE_POINTS.get(shape or ""),
        MARGIN_POINTS.get(margin or ""),
        *(FOCI_POINTS.get(code) for code in (foci or "").split(" ")),
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def acr_level(points: int | None) -> str | None:
    """Return ``TR1`` … ``TR5``, or None for no points and for 1 point, which the white paper gives no level.

    Examples
    --------
    >>> [acr_level(points) for points in (0, 1, 2, 3, 4, 6, 7)]
    ['TR1', None, 'TR2', 'TR3', 'TR4', 'TR4', 'TR5']
    """
    if points is None or points == 1:
        return None
    if points < 4:
        return {0: "TR1", 2: "TR2", 3: "TR3"}[points]
    return "TR4" if points < 7 else "TR5"


def acr_table(nodules: pd.DataFrame) -> pd.DataFrame:
    """Return ``nodule_id``, ``acr_points`` (number or missing) and ``acr_level`` (text or missing) of each nodule.

    Parameters
    ----------
    nodules : DataFrame
        A cohort's nodules; an absent descriptor column counts as blank.
    """
    names = ("composition", "echogenicity", "shape", "margin", "echogenic_foci")
    columns = [nodules[name] if name in nodules else pd.Series(None, index=nodules.index) for name in names]
    rows = zip(*columns, strict=True)
    points = [acr_points(*(None if pd.isna(value) else str(value) for value in row)) for row in rows]
    return pd.DataFrame(
        {
            "nodule_id": nodules["nodule_id"].to_numpy(),
            "acr_points": pd.array(points, dtype="Int64"),
            "acr_level": pd.array([acr_level(value) for value in points], dtype="str"),
        }
    )
