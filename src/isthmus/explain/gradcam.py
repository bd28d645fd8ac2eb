"""Grad-CAM: where in the picture the evidence for a class lies.

Source: Selvaraju et al., ICCV 2017, "Grad-CAM". Each last map is weighted with the mean gradient of the class's logit
with respect to it; the weighted sum is the map. Only ``Classifier.head`` is differentiated: nothing below the last maps
changes that gradient, so the result is the same as through the whole network, and quicker.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.imaging.prepare import Preparation
    from isthmus.models.classifier import Classifier

IMAGE = "image"


def class_activation_map(classifier: "Classifier", inputs: "dict[str, Tensor]", target_class: int) -> "Tensor":
    """Return the weighted sum of the last maps, before ReLU, scaling and enlargement.

    Parameters
    ----------
    classifier : Classifier
        Any network of the registry; its mode and its gradients are left as they are.
    inputs : dict of Tensor
        What its ``forward`` takes; ``'image'`` is float32 [N, C, H, W].
    target_class : int
        The class whose evidence is mapped, 0 to K - 1.

    Returns
    -------
    Tensor of float32, shape [N, h, w]
        Positive where the maps speak for the class, negative where they speak against it.
    """
    import torch

    from isthmus.inference.scores import full_precision

    if not 0 <= target_class < classifier.classes:
        raise InputError(f"class {target_class} of a network of {classifier.classes} classes", expected="0 to K - 1")
    with _evaluating(classifier), full_precision(inputs[IMAGE].device.type):
        with torch.no_grad():
            features = classifier.features(inputs)
        features = {name: maps.detach() for name, maps in features.items()}
        maps = features[IMAGE].requires_grad_()
        with torch.enable_grad():
            logits = classifier.head(features, inputs).logits
            # Pictures do not influence each other in evaluation mode: the gradient of the sum is that of each.
            (gradient,) = torch.autograd.grad(logits[:, target_class].sum(), maps)
    weights = gradient.flatten(2).mean(2).reshape(*gradient.shape[:2], *[1] * (gradient.ndim - 2))
    return (weights * maps).sum(1).detach()


@contextmanager
def _evaluating(classifier: "Classifier") -> Iterator[None]:
    was_training = classifier.training
    classifier.eval()
    try:
        yield
    finally:
        classifier.train(was_training)


def grad_cam(
    classifier: "Classifier", inputs: "dict[str, Tensor]", target_class: int, *, signed: bool = False
) -> NDArray[np.float32]:
    """Return the Grad-CAM heat of each picture, enlarged to the picture's size.

    Parameters
    ----------
    classifier, inputs, target_class
        As for :func:`class_activation_map`.
    signed : bool
        False: evidence against the class is cut off (ReLU), as published. True: it is kept, as negative heat.

    Returns
    -------
    ndarray of float32, shape [N, H, W]
        In [0, 1], or [-1, 1] when signed: divided by each picture's largest absolute value. A picture without any
        evidence is 0 everywhere.
    """
    import torch

    raw = class_activation_map(classifier, inputs, target_class)
    if not signed:
        raw = raw.relu()
    size = inputs[IMAGE].shape[2:]
    mode = "bilinear" if len(size) == 2 else "trilinear"
    heat = torch.nn.functional.interpolate(raw.unsqueeze(1), size=size, mode=mode, align_corners=False).squeeze(1)
    largest = heat.abs().amax(dim=tuple(range(1, heat.ndim)), keepdim=True)
    # Below this a map is rounding noise, and enlarging it to full scale would show evidence where there is none.
    scaled = torch.where(largest > 1e-12, heat / largest.clamp_min(1e-12), torch.zeros_like(heat))
    return np.asarray(scaled.cpu().numpy(), dtype=np.float32)


def ensemble_grad_cam(
    classifiers: "Sequence[Classifier]", inputs: "dict[str, Tensor]", target_class: int, *, signed: bool = False
) -> NDArray[np.float32]:
    """Return the mean heat of several networks, each on its own scale of 0 to 1.

    Parameters
    ----------
    classifiers : sequence of Classifier
        The parts of a bundle.
    inputs, target_class, signed
        As for :func:`grad_cam`.

    Returns
    -------
    ndarray of float32, shape [N, H, W]
        It reaches 1 only where all parts have their maximum: parts that disagree give a weaker map.
    """
    heats = [grad_cam(classifier, inputs, target_class, signed=signed) for classifier in classifiers]
    return np.asarray(np.mean(heats, axis=0), dtype=np.float32)


def heat_of_pixels(
    classifiers: "Sequence[Classifier]",
    pixels: NDArray[Any],
    preparation: "Preparation",
    target_class: int,
    *,
    signed: bool = False,
    batch_size: int = 16,
    device: "str | torch.device" = "cpu",
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
    batch_size : int
        Pictures a step.
    device : str or torch.device
        Where to compute.

    Returns
    -------
    ndarray of float32, shape [N, crop, crop]
        Heat on the centre crop that the networks see.
    """
    import torch

    from isthmus.inference.batch import to_batch

    for classifier in classifiers:
        classifier.to(device)
    size = preparation.crop_size
    heat = np.zeros((len(pixels), size, size), np.float32)
    for start in range(0, len(pixels), batch_size):
        block = torch.from_numpy(np.array(pixels[start : start + batch_size])).to(device)
        inputs = {IMAGE: to_batch(block, preparation)}
        heat[start : start + batch_size] = ensemble_grad_cam(classifiers, inputs, target_class, signed=signed)
    return heat
