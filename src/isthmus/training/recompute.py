"""Gradient checkpointing (Chen et al. 2016): a network's stages compute their activations anew for the gradients."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from isthmus.errors import FitError

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier


@contextlib.contextmanager
def recomputing(classifier: "Classifier") -> Iterator[None]:
    """Keep only what enters the network's stages while the block runs, and compute the rest again in the backward pass.

    A training step then needs the memory of the stages' outputs and of one stage's activations, and about a third more
    time. It gives the same gradients: dropout draws the same masks again, and batch norm moves its running statistics
    once.

    Parameters
    ----------
    classifier : Classifier
        Its ``stages`` name submodules.

    Raises
    ------
    FitError
        When it names none.
    """
    if not classifier.stages:
        raise FitError(
            f"train.recompute needs a network that names its stages, and {classifier.network} names none",
            expected="a network with stages",
            hint="set train.recompute to false",
        )
    stages = [classifier.get_submodule(name) for name in classifier.stages]
    try:
        for stage in stages:
            stage.forward = functools.partial(_forward, stage, stage.forward)
        yield
    finally:
        for stage in stages:
            vars(stage).pop("forward", None)  # the class's own is found again


def _forward(stage: nn.Module, forward: Callable[..., Any], *inputs: Any) -> Any:
    if not stage.training or not torch.is_grad_enabled():
        return forward(*inputs)
    contexts = functools.partial(_contexts, stage)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


def _contexts(stage: nn.Module) -> tuple[Any, Any]:
    return contextlib.nullcontext(), _statistics_kept(stage)


@contextlib.contextmanager
def _statistics_kept(stage: nn.Module) -> Iterator[None]:
    """Let batch norm use the batch's statistics and move its running ones by nothing."""
    norms = [module for module in stage.modules() if isinstance(module, _BatchNorm) and module.training]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
