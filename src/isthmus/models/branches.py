"""One network with a branch for each modality, and a learnt answer for one that is not there.

Fusion of features with presence flags: each branch's embedding, or where its modality is absent a learnt vector in its
place, beside flags that say which are there, under one linear layer. Trained with modality dropout (Neverova et al.
2016, "ModDrop: adaptive multi-modal gesture recognition", IEEE TPAMI 38:1692) it answers for any subset.
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, PRESENT, Classifier, Outputs
from isthmus.models.several_modalities import SeveralModalities


class Branches(SeveralModalities):
    """A network for one picture, once for each modality, joined before the last layer.

    Inputs are ``{<modality>: [N, C, H, W], …, 'present': [N, M]}``; what an absent modality's picture shows does not
    matter. ``features`` has each branch's last maps under its modality's name.

    Parameters
    ----------
    backbone : Classifier
        A network of one picture. Every branch begins as a copy of it, with its initial weights.
    modalities : sequence of M str
        One branch each.

    Examples
    --------
    >>> from isthmus.models.registry import create
    >>> network = Branches(create("resnet18", channels=3, width=8), ["bmode", "swe"]).eval()
    >>> pictures = {name: torch.zeros(1, 3, 32, 32) for name in ("bmode", "swe")}
    >>> network({**pictures, "present": torch.tensor([[1.0, 0.0]])}).embedding.shape
    torch.Size([1, 130])
    """

    own_parts: ClassVar[tuple[str, ...]] = ("absent.",)

    def __init__(self, backbone: Classifier, modalities: Sequence[str]) -> None:
        super().__init__(backbone, modalities)
        size = self.picture_embedding
        self.branches = nn.ModuleDict({name: copy.deepcopy(backbone) for name in modalities})
        self.absent = nn.ParameterDict({name: nn.Parameter(torch.zeros(size)) for name in modalities})
        self.last = self.last_layer(len(modalities) * (size + 1))
        self.stages = tuple(f"branches.{name}.{stage}" for name in modalities for stage in backbone.stages)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps of each modality's branch."""
        present = inputs[PRESENT] > 0
        return {name: self._maps(name, inputs[name], present[:, place]) for place, name in enumerate(self.modalities)}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over the branches' embeddings, the learnt vectors of absent ones, and the flags."""
        present, parts = inputs[PRESENT], list[Tensor]()
        for place, name in enumerate(self.modalities):
            own: Outputs = self._branch(name).head({IMAGE: features[name]}, {IMAGE: inputs[name]})
            there = present[:, place : place + 1] > 0
            parts.append(torch.where(there, own.embedding, self.absent[name].to(own.embedding.dtype)))
        embedding = torch.cat([*parts, present.to(parts[0].dtype)], 1)
        return Outputs(self.last(embedding), embedding, {})

    def _branch(self, name: str) -> Classifier:
        branch = self.branches[name]
        assert isinstance(branch, Classifier)
        return branch

    def _maps(self, name: str, pictures: Tensor, present: Tensor) -> Tensor:
        branch = self._branch(name)
        if not self.training or bool(present.all()):
            return branch.features({IMAGE: pictures})[IMAGE]
        # Batch norm must learn from pictures that are there, and a single one has no statistics of a batch.
        rows = present.nonzero()[:, 0]
        shown = pictures[rows] if len(rows) else pictures[:1]
        with _evaluating(branch) if len(rows) < 2 else contextlib.nullcontext():
            maps = branch.features({IMAGE: shown})[IMAGE]
        blank = maps.new_zeros(len(pictures), *maps.shape[1:])
        return blank.index_copy(0, rows, maps[: len(rows)])


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode and back; what was in it already, such as frozen norms, stays."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
