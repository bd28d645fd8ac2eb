"""What one training step is made of: loss, optimiser, learning rate. Shared by fits and by the timed trial."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.inference.batch import to_batch

if TYPE_CHECKING:
    from isthmus.imaging.prepare import Preparation
    from isthmus.models.classifier import Classifier
    from isthmus.training.settings import TrainSettings


def class_weights(labels: Sequence[int], classes: int, how: str) -> list[float]:
    """Return each class's weight in the loss.

    Parameters
    ----------
    labels : sequence of int
        Classes of the training views.
    classes : int
        K.
    how : {'balanced', 'none'}
        ``balanced``: n / (K n_k), so that every class weighs alike and the mean weight of a view is 1.

    Returns
    -------
    list of K floats
        Weights.

    Examples
    --------
    >>> class_weights([0, 0, 0, 1], 2, "balanced")
    [0.6666666666666666, 2.0]
    """
    if how == "none":
        return [1.0] * classes
    counts = np.bincount(np.asarray(labels, np.int64), minlength=classes)
    return [len(labels) / (classes * int(count)) for count in counts]


def log_prior_shift(weights: Sequence[float]) -> list[float]:
    """Return what class weights add to a network's logits, with mean 0; zeros for equal weights.

    A network trained with weights w learns p(k|x) w_k / sum, so log w_k comes off its logits again (prior shift:
    Saerens et al. 2002).

    Examples
    --------
    >>> [round(value, 4) for value in log_prior_shift([0.5, 2.0])]
    [-0.6931, 0.6931]
    """
    logs = [math.log(weight) for weight in weights]
    mean = sum(logs) / len(logs)
    return [value - mean for value in logs]


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the cross-entropy of each view [N], times its class's weight, in float32."""
    return functional.cross_entropy(logits.float(), labels, reduction="none") * weights[labels]


def forward(classifier: "Classifier", pixels: Tensor, preparation: "Preparation") -> Tensor:
    """Return the logits [N, K] of augmented pixels, uint8 [N, T, crop, crop, C]."""
    logits: Tensor = classifier({"image": to_batch(pixels, preparation, centre_crop=False)}).logits
    return logits


def optimiser(network: nn.Module, train: "TrainSettings") -> torch.optim.Optimizer:
    """Return the optimiser; the fused kernels update all parameters in one pass over memory."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if train.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, train.rate, momentum=train.momentum, weight_decay=train.weight_decay, fused=True
        )
    kind = torch.optim.Adam if train.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, train.rate, weight_decay=train.weight_decay, fused=True)


def rate_at(train: "TrainSettings", progress: float) -> float:
    """Return the learning rate after a share ``progress`` (0 to 1) of all steps.

    Cosine: half a period from ``rate`` to 0 (Loshchilov and Hutter 2017, without restarts).
    """
    if train.schedule == "constant":
        return train.rate
    return train.rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
