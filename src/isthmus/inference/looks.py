"""Views of several modalities of one nodule, joined into what a network looks at side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.inference.pictures import Picture


class Pairable(NamedTuple):
    """A view of a nodule with what says to which others it belongs."""

    view_id: str
    acquisition: str | None = None
    plane: str | None = None


def pair_up(views: Mapping[str, Sequence[Pairable]]) -> list[dict[str, str]]:
    """Join a nodule's views of several modalities into looks.

    The modality with most views leads; each of its views gets one of every other modality: of the same acquisition
    where there is one, else of the same plane, else any; among those the one that was taken least often. What no look
    has taken then leads one of its own, so that every view is in some look, and no modality that a nodule has is absent
    from any.

    Parameters
    ----------
    views : mapping
        Modality to views of one nodule.

    Returns
    -------
    list of dict
        Modality to view.

    Examples
    --------
    >>> pair_up({"bmode": [Pairable("b1", "a1"), Pairable("b2", "a2")], "swe": [Pairable("e2", "a2")]})
    [{'bmode': 'b1', 'swe': 'e2'}, {'bmode': 'b2', 'swe': 'e2'}]
    """
    taken = {picture.view_id: 0 for own in views.values() for picture in own}
    looks = list[dict[str, str]]()
    for leading in sorted((name for name in views if views[name]), key=lambda name: -len(views[name])):
        for picture in views[leading]:
            if taken[picture.view_id]:
                continue
            look = {
                name: picture.view_id if name == leading else _partner(picture, own, taken)
                for name, own in views.items()
                if own
            }
            for view in look.values():
                taken[view] += 1
            looks.append(look)
    return looks


def _partner(picture: Pairable, others: Sequence[Pairable], taken: Mapping[str, int]) -> str:
    def far(other: Pairable) -> tuple[int, int]:
        alike = picture.acquisition is not None and picture.acquisition == other.acquisition
        level = picture.plane is not None and picture.plane == other.plane
        return 0 if alike else 1 if level else 2, taken[other.view_id]

    return min(others, key=far).view_id


def each_alone(views: Mapping[str, Sequence[Pairable]]) -> list[dict[str, str]]:
    """Return a look a view: what a network sees that looks at one picture at a time."""
    return [{name: picture.view_id} for name, own in views.items() for picture in own]


LOOKS: Final[Mapping[str, Callable[[Mapping[str, Sequence[Pairable]]], list[dict[str, str]]]]] = {
    "branches": pair_up,
    "pooled": each_alone,
}
"""How a nodule's views make looks, by how the network joins modalities."""


def stack_looks(
    looks: Sequence[Mapping[str, Picture]], modalities: Sequence[str]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the prepared pixels [N, M, S, S, C] and lesion masks [N, M, S, S] of looks; 0 where one is absent."""
    one = next(iter(looks[0].values())).prepared
    pixels = np.zeros((len(looks), len(modalities), *one.pixels.shape[1:]), np.uint8)
    masks = np.zeros((len(looks), len(modalities), *one.lesion_mask.shape[1:]), np.bool_)
    for row, look in enumerate(looks):
        for name, picture in look.items():
            place = modalities.index(name)
            pixels[row, place] = picture.prepared.pixels[0]
            masks[row, place] = picture.prepared.lesion_mask[0]
    return pixels, masks
