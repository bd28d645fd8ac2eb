"""How each make of virtual scanner lays out its screen and shows its modes."""

from dataclasses import dataclass
from typing import Final, Literal

Rgb = tuple[int, int, int]
_WHITE: Final = (235, 235, 235)


@dataclass(frozen=True)
class Console:
    """One make's screen.

    Parameters
    ----------
    margins : tuple of int
        Pixels around the ultrasound picture: left, top, right, bottom.
    text_side : str
        Where the settings stand.
    scale_side : str
        Where the depth scale stands.
    numbered : bool
        Whether every centimetre of the scale has its number.
    text, scale, calipers : Rgb
        Their colours.
    letters : int
        Height of the text in pixels.
    header : Rgb
        Colour of the bar at the top.
    contrast_map : str
        Of contrast-enhanced clips, a key of :data:`isthmus.phantom.colour_maps.CONTRAST`.
    velocity_cm_s : float
        Limit of the colour Doppler scale.
    steering_degrees : float
        Of the colour Doppler beams, the slant of the colour box.
    microvessels : str
        How microvascular imaging is shown.
    stiffest_kpa : float
        Upper end of the elastography scale.
    palette : bool
        Whether grey stills are stored as PALETTE COLOR.
    """

    margins: tuple[int, int, int, int]
    text_side: Literal["left", "right"]
    scale_side: Literal["left", "right"]
    numbered: bool
    text: Rgb = _WHITE
    scale: Rgb = _WHITE
    calipers: Rgb = _WHITE
    letters: int = 11
    header: Rgb = (0, 0, 0)
    contrast_map: str = "amber"
    velocity_cm_s: float = 6.0
    steering_degrees: float = 0.0
    microvessels: Literal["power", "directional", "monochrome"] = "power"
    stiffest_kpa: float = 100.0
    palette: bool = False


CONSOLES: Final[dict[str, Console]] = {
    "plain": Console((34, 26, 132, 34), "right", "left", numbered=False, palette=True, contrast_map="grey"),
    "dark": Console(
        (104, 36, 66, 30), "left", "right", numbered=True, text=(200, 215, 235), header=(28, 40, 62),
        calipers=(255, 235, 90), velocity_cm_s=8.0, steering_degrees=12.0, microvessels="directional",
        stiffest_kpa=180.0,
    ),
    "bright": Console(
        (46, 44, 142, 40), "right", "left", numbered=True, text=(240, 220, 150), header=(44, 44, 48), letters=12,
        calipers=(120, 255, 120), contrast_map="gold", velocity_cm_s=5.0, steering_degrees=-10.0,
        microvessels="monochrome", stiffest_kpa=140.0,
    ),
}  # fmt: skip
"""By the name of the device's screen layout."""
