"""What a network of several modalities says with each subset of them: maps are computed once for all subsets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.inference.batch import mirrored, modalities_seen
from isthmus.inference.scores import over_blocks

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

Float32 = np.ndarray[Any, np.dtype[np.float32]]


def subset_logits(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any]",
    preparation: "Preparation",
    batch_size: int = 32,
    device: "str | torch.device" = "cpu",
    *,
    flips: bool = False,
) -> Float32:
    """Score looks as if only some of their modalities were there.

    Parameters
    ----------
    classifier : Classifier
        That looks at M modalities.
    pixels : ndarray of uint8, shape [N, M, S, S, C]
        Prepared; black where a modality is absent.
    preparation, batch_size, device, flips
        As in :func:`isthmus.inference.scores.view_scores`, whose logits are those of the last subset.

    Returns
    -------
    ndarray of float32, shape [2 ** M, N, K]
        Subset number s keeps modality i where bit i of s is 1. NaN where nothing is left of a look; so is subset 0.
    """
    count = len(modalities_seen(classifier))

    def see(inputs: "dict[str, Tensor]") -> Float32:
        views = [inputs, mirrored(inputs)] if flips else [inputs]
        return np.asarray(np.mean([_of_block(classifier, view, count) for view in views], axis=0), np.float32)

    blocks = over_blocks(classifier, pixels, preparation, see, batch_size, device, None)
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((2**count, 0, classifier.classes), np.float32)


def _of_block(classifier: "Classifier", inputs: "dict[str, Tensor]", count: int) -> Float32:
    import torch

    from isthmus.models.classifier import PRESENT

    features, there = classifier.features(inputs), inputs[PRESENT]
    found = []
    for subset in range(2**count):
        kept = torch.tensor([float(subset >> place & 1) for place in range(count)], device=there.device)
        present = there * kept
        logits = classifier.head(features, {**inputs, PRESENT: present}).logits.float()
        found.append(torch.where(present.any(dim=1, keepdim=True), logits, float("nan")))
    return np.asarray(torch.stack(found).cpu().numpy(), np.float32)
