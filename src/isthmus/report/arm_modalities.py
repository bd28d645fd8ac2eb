"""Which ideal observer an arm stands beside: what its networks can see of a nodule, in the words of modalities."""

from typing import Final

UPPER_BOUND: Final = (
    "the oracle's one frame was chosen by the simulated truth: the observer of whole clips is an upper bound of what "
    "that frame can show"
)

MODALITIES: Final = {
    "bmode": "B-mode",
    "cine": "B-mode cine",
    "ceus": "contrast enhancement",
    "smi": "SMI",
    "swe": "elastography",
    "doppler": "Doppler",
}
"""In the words of a page."""

ALL_OF_THEM: Final = "the observer sees all of the arm's modalities: of a nodule that lacks one it is an upper bound"


def modalities_shown(modality: str, frames: int | None, *, oracle: bool = False) -> tuple[list[str], str]:
    """Return the modalities that an arm is shown, and a remark on its observer ('' where there is none to make).

    A still cut out of a clip sees one plane, so that its best possible is that of a B-mode still; whoever sees several
    frames sees the nodule's planes. A frame that the truth chose lies between: it knows where to look.

    Parameters
    ----------
    modality : str
        Of the arm's views.
    frames : int, optional
        So many frames of a view its networks see; None for stills.
    oracle : bool
        Whether the truth chose the frame.

    Examples
    --------
    >>> modalities_shown("cine", 16)
    (['cine'], '')
    >>> modalities_shown("cine", 1)
    (['bmode'], '')
    """
    if modality != "cine" or frames is None or frames > 1:
        return [modality], ""
    return (["cine"], UPPER_BOUND) if oracle else (["bmode"], "")
