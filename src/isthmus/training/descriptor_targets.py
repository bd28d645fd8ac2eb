"""The descriptors of the training views, and their part of the loss."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isthmus.models.descriptor_heads import descriptor_logits
from isthmus.tables.vocabulary import MULTI_VALUED

if TYPE_CHECKING:
    from isthmus.models.classifier import Outputs
    from isthmus.training.spec import DescriptorTask


class DescriptorTargets:
    """What the heads should say of each training view; a view without a descriptor weighs nothing in that head.

    Parameters
    ----------
    task : DescriptorTask
        Heads and labels.
    view_ids : sequence of str
        The training views, in the order of the batches' rows.

    Examples
    --------
    >>> from isthmus.training.spec import DescriptorTask
    >>> task = DescriptorTask(heads={"shape": ["wider_than_tall", "taller_than_wide"]}, labels={"shape": {"a": [1]}})
    >>> DescriptorTargets(task, ["a", "b"]).known("shape").tolist()
    [True, False]
    """

    def __init__(self, task: "DescriptorTask", view_ids: Sequence[str]) -> None:
        self.weight = task.weight
        self._targets: dict[str, Tensor] = {}
        self._known: dict[str, Tensor] = {}
        for name, codes in task.heads.items():
            labels = task.labels.get(name, {})
            targets = torch.zeros(len(view_ids), len(codes))
            for row, view in enumerate(view_ids):
                targets[row, labels.get(view, [])] = 1.0
            self._targets[name] = targets
            self._known[name] = torch.tensor([view in labels for view in view_ids], dtype=torch.bool)

    def known(self, name: str) -> Tensor:
        """Return for each view whether the descriptor is recorded: bool [N]."""
        return self._known[name]

    def loss(self, outputs: "Outputs", rows: "np.ndarray[Any, Any]") -> Tensor:
        """Return the weighted mean over descriptors of each one's mean cross-entropy over the views that have it.

        Parameters
        ----------
        outputs : Outputs
            Of the step's batch.
        rows : ndarray of int, shape [N]
            Which training views it holds.
        """
        part = torch.from_numpy(rows)
        losses = [self._one(name, logits.float(), part) for name, logits in descriptor_logits(outputs).items()]
        return self.weight * torch.stack(losses).mean()

    def _one(self, name: str, logits: Tensor, part: Tensor) -> Tensor:
        targets, known = (one[name][part].to(logits.device) for one in (self._targets, self._known))
        if name in MULTI_VALUED:
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
        else:
            each = functional.cross_entropy(logits, targets, reduction="none")
        # Not weighted by class: the probabilities are shown to people, and should stay probabilities.
        return (each * known).sum() / known.sum().clamp_min(1)
