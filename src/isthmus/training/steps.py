"""What one training step is made of: loss, optimiser, learning rate. Shared by fits and by the timed trial."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import FitError
from isthmus.inference.batch import inputs_of
from isthmus.models.classifier import Classifier
from isthmus.models.descriptor_heads import WithDescriptors

if TYPE_CHECKING:
    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Outputs
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


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of each view [N], times its class's weight, in float32.

    ``smoothing`` of each label is spread evenly over all classes (Szegedy et al. 2016).
    """
    losses = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    return losses * weights[labels]


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Return the focal loss of each view [N], times its class's weight, in float32: (1 - p)^gamma times cross-entropy.

    Source: T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, equation 4.
    """
    losses = functional.cross_entropy(logits.float(), labels, reduction="none")
    # exp(-cross-entropy) is p of the right class; 1 - p by expm1 keeps its digits where p is near 1. Where it is 0 a
    # power below 1 has no gradient, so the least number above 0 stands in for it.
    wrong = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
    return wrong**gamma * losses * weights[labels]


def forward(
    classifier: "Classifier", pixels: Tensor, preparation: "Preparation", masks: Tensor | None = None
) -> "Outputs":
    """Return logits [N, K] and what else the head gives for augmented pixels, uint8 [N, T, crop, crop, C].

    ``masks``, of [N, T, crop, crop], reach a network that looks at them.
    """
    outputs: Outputs = classifier(inputs_of(classifier, pixels, masks, preparation, centre_crop=False))
    return outputs


def channels_last(network: nn.Module) -> None:
    """Lay the kernels of convolutions out as the batches are: channels last, in pictures and in volumes."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.to(memory_format=formats[parameter.ndim])


def quick_kernels(network: nn.Module) -> None:
    """Have convolutions of clips by kernels of one pixel computed by oneDNN with one thread, as with several.

    With one thread, fp32 and fewer than 16 clips PyTorch sends them to a path that is three to five times slower
    (`ConvParams::use_mkldnn` in ATen's Convolution.cpp), unless they are strided or dilated. Along an axis where a
    kernel has one value dilation changes nothing; so that is what they get there.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and module.kernel_size[1:] == (1, 1) and set(module.dilation) == {1}:
            frames = 2 if module.kernel_size[0] == 1 else 1
            module.dilation = (frames, 2, 2)


def freeze_norm(network: nn.Module) -> None:
    """Put batch-norm layers into evaluation mode: they apply the statistics they came with and update none.

    Few views a step give poor batch statistics, and weights whose batch norm was folded into the convolutions (mean 0,
    variance 1) compute another function with any others. Scale and offset are still trained.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.eval()


def last_layers(network: nn.Module) -> list[str]:
    """Return the names of the parameters that no weight file brings: the last layer's, the heads', own parts'."""
    names = [name for name, _ in network.named_parameters()]
    fresh = [name for name in names if isinstance(network, WithDescriptors) and not name.startswith("inner.")]
    inner, prefix = (network.inner, "inner.") if isinstance(network, WithDescriptors) else (network, "")
    if isinstance(inner, Classifier):
        parts = (f"{inner.published_prefix}{inner.head_name}.", *inner.own_parts)
        fresh += [name for name in names if name.startswith(tuple(f"{prefix}{part}" for part in parts))]
    return fresh


def _groups(network: nn.Module, train: "TrainSettings") -> list[Any]:
    """Return the trained parameters, in two groups of their own rates where the backbone has a lower one."""
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    if train.backbone_rate == 1:
        return list(named.values())
    fresh = last_layers(network)
    if not fresh:
        raise FitError(
            "train.backbone_rate lowers the rate of all layers but the last, and this network does not name its last",
            expected="a Classifier whose head_name is the name of its last linear layer",
            hint="set train.backbone_rate to 1",
        )
    return [
        {
            "params": [parameter for name, parameter in named.items() if (name in fresh) == last],
            "lr": train.rate * share,
            "share": share,
        }
        for last, share in ((False, train.backbone_rate), (True, 1.0))
    ]


def optimiser(network: nn.Module, train: "TrainSettings") -> torch.optim.Optimizer:
    """Return the optimiser; the fused kernels update all parameters in one pass over memory."""
    parameters = _groups(network, train)
    if train.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, train.rate, momentum=train.momentum, weight_decay=train.weight_decay, fused=True
        )
    kind = torch.optim.Adam if train.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, train.rate, weight_decay=train.weight_decay, fused=True)


def rate_at(train: "TrainSettings", progress: float) -> float:
    """Return the learning rate after a share ``progress`` (0 to 1) of all steps.

    Cosine: half a period from ``rate`` to 0 (Loshchilov and Hutter 2017, without restarts). A warm-up rises linearly
    from a tenth of the rate before it (Goyal et al. 2017), so that random last layers do not shake trained ones.
    """
    warm = train.warm_up / train.epochs
    if progress < warm:
        return train.rate * (0.1 + 0.9 * progress / warm)
    if warm:
        progress = (progress - warm) / (1 - warm)
    if train.schedule == "constant":
        return train.rate
    return train.rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
