"""Grad-CAM: where in the picture the evidence for a class lies.

Source: Selvaraju et al., ICCV 2017, "Grad-CAM". Each last map is weighted with the mean gradient of the class's logit
with respect to it; the weighted sum is the map. Only ``Classifier.head`` is differentiated: nothing below the last maps
changes that gradient, so the result is the same as through the whole network, and quicker.

In clips the axis of time is kept. A 3D network's maps are weighted with their mean over time, height and width. A 2D
network explains each frame by itself, and a clip's frames share one scale: its score is the mean of their logits, whose
gradient differs from the frames' own by the same factor for all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from isthmus.models.classifier import Classifier

IMAGE = "image"


def class_activation_map(
    classifier: "Classifier", inputs: "dict[str, Tensor]", target_class: int, stage: str | None = None, of: str = IMAGE
) -> "Tensor":
    """Return the weighted sum of the last maps, before ReLU, scaling and enlargement.

    Parameters
    ----------
    classifier : Classifier
        Any network of the registry; its mode and its gradients are left as they are.
    inputs : dict of Tensor
        What its ``forward`` takes; ``'image'`` is float32 [N, C, H, W], or [N, C, T, H, W] of a 3D network.
    target_class : int
        The class whose evidence is mapped, 0 to K - 1.
    stage : str, optional
        One of ``Classifier.stages``: the maps that go into it are taken instead of the last ones, with what a network
        does to them between its stages (gates of attention).
    of : str
        The input whose last maps are explained: of a network of several modalities one of them, whose absence leaves a
        map of zeros.

    Returns
    -------
    Tensor of float32, shape [N, h, w] or [N, t, h, w]
        Positive where the maps speak for the class, negative where they speak against it.
    """
    import torch

    from isthmus.inference.scores import full_precision

    if not 0 <= target_class < classifier.classes:
        raise InputError(f"class {target_class} of a network of {classifier.classes} classes", expected="0 to K - 1")
    with evaluating(classifier), full_precision(inputs[of].device.type), _without_fused_recurrence(classifier):
        maps, logits = _last_maps(classifier, inputs, of) if stage is None else _maps_into(classifier, inputs, stage)
        # Pictures do not influence each other in evaluation mode: the gradient of the sum is that of each.
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(logits[:, target_class].sum(), maps)
    weights = gradient.flatten(2).mean(2).reshape(*gradient.shape[:2], *[1] * (gradient.ndim - 2))
    raw = (weights * maps).sum(1).detach()
    # A network that looks at frames one by one inside has maps of pictures; they are its clips' frames.
    return raw.reshape(len(inputs[of]), -1, *raw.shape[-2:]) if inputs[of].ndim == 5 else raw


@contextmanager
def _without_fused_recurrence(classifier: "Classifier") -> Iterator[None]:
    """Let an LSTM on a GPU be differentiated in evaluation mode, which cuDNN's own cannot."""
    import torch

    # These flags would put the others back to their defaults: they are touched only where they must be.
    recurrent = any(isinstance(module, torch.nn.RNNBase) for module in classifier.modules())
    with torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext():
        yield


def _last_maps(classifier: "Classifier", inputs: "dict[str, Tensor]", of: str) -> "tuple[Tensor, Tensor]":
    import torch

    with torch.no_grad():
        features = classifier.features(inputs)
    features = {name: maps.detach() for name, maps in features.items()}
    maps = features[of].requires_grad_()
    with torch.enable_grad():
        return maps, classifier.head(features, inputs).logits


def _maps_into(classifier: "Classifier", inputs: "dict[str, Tensor]", stage: str) -> "tuple[Tensor, Tensor]":
    import torch

    caught: list[Tensor] = []

    def catch(module: Any, arguments: "tuple[Tensor, ...]") -> "tuple[Tensor, ...]":
        torch.set_grad_enabled(True)  # from here on; leaving the block below puts it back
        caught.append(arguments[0].detach().requires_grad_())
        return caught[-1].clone(), *arguments[1:]  # what follows may write into it

    handle = classifier.get_submodule(stage).register_forward_pre_hook(catch)
    try:
        with torch.no_grad():  # nothing below the stage needs a gradient, and its maps are the largest
            logits = classifier(inputs).logits
    finally:
        handle.remove()
    return caught[-1], logits


@contextmanager
def evaluating(classifier: "Classifier") -> Iterator[None]:
    """Put a network into evaluation mode, and back."""
    was_training = classifier.training
    classifier.eval()
    try:
        yield
    finally:
        classifier.train(was_training)


def grad_cam(
    classifier: "Classifier",
    inputs: "dict[str, Tensor]",
    target_class: int,
    *,
    signed: bool = False,
    frames: int = 1,
    stage: str | None = None,
    of: str = IMAGE,
) -> NDArray[np.float32]:
    """Return the Grad-CAM heat of each picture or clip, enlarged to its size.

    Parameters
    ----------
    classifier, inputs, target_class, stage, of
        As for :func:`class_activation_map`.
    signed : bool
        False: evidence against the class is cut off (ReLU), as published. True: it is kept, as negative heat.
    frames : int
        How many pictures in a row are frames of one clip, for a 2D network; they share one scale.

    Returns
    -------
    ndarray of float32, shape [N, H, W] or [N, T, H, W]
        In [0, 1], or [-1, 1] when signed: divided by the largest absolute value of each picture or clip. One without
        any evidence is 0 everywhere.
    """
    import torch

    raw = class_activation_map(classifier, inputs, target_class, stage, of)
    if not signed:
        raw = raw.relu()
    size = inputs[of].shape[2:]
    mode = "bilinear" if len(size) == 2 else "trilinear"
    heat = torch.nn.functional.interpolate(raw.unsqueeze(1), size=size, mode=mode, align_corners=False).squeeze(1)
    largest = heat.abs().reshape(len(heat) // frames, -1).amax(dim=1).repeat_interleave(frames)
    largest = largest.reshape(-1, *[1] * (heat.ndim - 1))
    # Below this a map is rounding noise, and enlarging it to full scale would show evidence where there is none.
    scaled = torch.where(largest > 1e-12, heat / largest.clamp_min(1e-12), torch.zeros_like(heat))
    return np.asarray(scaled.cpu().numpy(), dtype=np.float32)


def ensemble_grad_cam(
    classifiers: "Sequence[Classifier]",
    inputs: "dict[str, Tensor]",
    target_class: int,
    *,
    signed: bool = False,
    frames: int = 1,
    stage: str | None = None,
    of: str = IMAGE,
) -> NDArray[np.float32]:
    """Return the mean heat of several networks, each on its own scale of 0 to 1.

    Parameters
    ----------
    classifiers : sequence of Classifier
        The parts of a bundle.
    inputs, target_class, signed, frames, stage, of
        As for :func:`grad_cam`.

    Returns
    -------
    ndarray of float32, shape [N, H, W] or [N, T, H, W]
        It reaches 1 only where all parts have their maximum: parts that disagree give a weaker map.
    """
    heats = [
        grad_cam(classifier, inputs, target_class, signed=signed, frames=frames, stage=stage, of=of)
        for classifier in classifiers
    ]
    return np.asarray(np.mean(heats, axis=0), dtype=np.float32)
