"""Heat of prepared pixels: which of a network's maps are explained, and how many heat maps a view has.

A still has one. A clip has one a frame, but of a network that gets the frames as channels just one: its first
convolution adds them up, and no later map knows which frame it came from. :mod:`isthmus.explain.frame_share` asks that.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.gradcam import IMAGE, ensemble_grad_cam, evaluating

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

CELLS = 7
"""Cells on a side that the maps of a clip have at least, where the network has such: those of published heat maps, with
pictures of 224 pixels and a stride of 32."""


class Maps(NamedTuple):
    """The maps that are explained: those that go into ``stage`` (None: the last), and their size, time first in 3D."""

    stage: str | None
    grid: tuple[int, ...]


def maps_to_explain(
    classifier: "Classifier", preparation: "Preparation", device: "str | torch.device" = "cpu", of: str = IMAGE
) -> Maps:
    """Return the maps that heat is taken from: the last ones, but of clips the deepest of at least :data:`CELLS` cells.

    A clip's crop is small, so that it can be trained on, and a stride of 32 leaves of 64 pixels 2 cells on a side, in
    which nothing can be found. Grad-CAM is defined for any layer; of a network without ``stages`` the last is taken.
    """
    import torch

    from isthmus.inference.batch import inputs_of, modalities_seen

    frames = preparation.frames
    side_by_side = max(1, len(modalities_seen(classifier))) if frames is None else frames.stored
    shape = (1, side_by_side, preparation.train_size, preparation.train_size)
    black = torch.zeros((*shape, preparation.colours), dtype=torch.uint8, device=device)
    inputs = inputs_of(classifier.to(device), black, torch.zeros_like(black[..., 0]), preparation)
    inputs = {name: value[:1] for name, value in inputs.items()}
    sizes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[[Any, "tuple[Tensor, ...]"], None]:
        return lambda module, arguments: sizes.update({name: tuple(arguments[0].shape)})

    # What goes into the first stage may be the picture itself.
    later = classifier.stages[1:]
    hooks = [classifier.get_submodule(name).register_forward_pre_hook(note(name)) for name in later]
    try:
        with evaluating(classifier), torch.no_grad():
            last = tuple(classifier.features(inputs)[of].shape)
    finally:
        for hook in hooks:
            hook.remove()
    fine = [name for name in sizes if min(sizes[name][-2:]) >= CELLS]
    if frames is None or min(last[-2:]) >= CELLS or not fine:
        return Maps(None, last[2:])
    size = sizes[fine[-1]]
    return Maps(fine[-1], (size[0], *size[2:]) if preparation.layout == "3d" and len(size) == 4 else size[2:])


def frames_seen(preparation: "Preparation") -> int:
    """Return how many frames of a view a network looks at: 1 of a still."""
    return 1 if preparation.frames is None else preparation.frames.count


def frames_share_a_map(preparation: "Preparation") -> bool:
    """Whether the frames of a clip are the channels of one picture, and so have one heat map."""
    return preparation.layout == "frames_as_channels"


def maps_of_view(preparation: "Preparation") -> int:
    """Return how many heat maps a view has: one a frame seen, or one in all where the frames are channels."""
    return 1 if frames_share_a_map(preparation) else frames_seen(preparation)


def views_at_once(preparation: "Preparation", most: int) -> int:
    """Return how many views are looked at together: ``most`` stills of 224 pixels, or clips with as many pixels."""
    own = frames_seen(preparation) * preparation.crop_size**2
    return max(1, min(most, most * 224**2 // own))


def heat_of_pixels(
    classifiers: "Sequence[Classifier]",
    pixels: NDArray[Any],
    preparation: "Preparation",
    target_class: int,
    *,
    masks: NDArray[Any] | None = None,
    signed: bool = False,
    batch_size: int | None = None,
    device: "str | torch.device" = "cpu",
    of: str = IMAGE,
) -> NDArray[np.float32]:
    """Return the mean heat of networks on prepared pixels.

    Parameters
    ----------
    classifiers : sequence of Classifier
        One network or the parts of a bundle; moved to ``device``.
    pixels : ndarray of uint8, shape [N, T, S, S, C]
        Prepared pixels.
    preparation : Preparation
        The one the networks were trained with.
    target_class, signed
        As for :func:`grad_cam`.
    masks : ndarray of uint8, shape [N, T, S, S], optional
        The lesion, for networks that take it.
    batch_size : int, optional
        Views a step; 16 stills, or as many clips as have their pixels, by default.
    device : str or torch.device
        Where to compute.
    of : str
        Of networks that look at several modalities, which one's branch is explained.

    Returns
    -------
    ndarray of float32, shape [N, crop, crop], or [N, count, crop, crop] of clips
        Heat on the centre crop of the frames that the networks see, from the maps of :func:`maps_to_explain`. Frames
        that are channels share one map.
    """
    import torch

    from isthmus.inference.batch import inputs_of

    for classifier in classifiers:
        classifier.to(device)
    size, maps = preparation.crop_size, maps_of_view(preparation)
    step = views_at_once(preparation, 16) if batch_size is None else batch_size
    alone = maps if preparation.layout == "2d" else 1
    stage = maps_to_explain(classifiers[0], preparation, device, of).stage
    heat = np.zeros((len(pixels), *([maps] if maps > 1 else []), size, size), np.float32)
    for start in range(0, len(pixels), step):
        block = torch.from_numpy(np.array(pixels[start : start + step])).to(device)
        own = None if masks is None else torch.from_numpy(np.array(masks[start : start + step])).to(device)
        # The parts of a bundle are one network with different weights: they take the same inputs.
        inputs = inputs_of(classifiers[0], block, own, preparation)
        found = ensemble_grad_cam(classifiers, inputs, target_class, signed=signed, frames=alone, stage=stage, of=of)
        heat[start : start + step] = found.reshape(-1, *heat.shape[1:])
    return heat
