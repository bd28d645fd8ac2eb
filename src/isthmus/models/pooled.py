"""One network for the pictures of all modalities, told by a flag which of them it sees.

A view of any modality is an example of its own: the layers below the last one learn from all pictures, and the flag
beside the embedding lets the last one judge each modality by its own base rate (the pooled fusion of stills, such as
Ding et al. 2026 train beside networks of one modality). A nodule's score is the mean over its views.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from isthmus.models.classifier import IMAGE, PRESENT, Classifier, Outputs
from isthmus.models.several_modalities import SeveralModalities


class Pooled(SeveralModalities):
    """A network of one picture that sees one of several modalities at a time.

    Inputs are ``{<modality>: [N, C, H, W], …, 'present': [N, M]}``, as of
    :class:`isthmus.models.branches.Branches`; of each row one modality is there, and the first that is counts.
    ``features`` has the last maps under every modality's name: those of the picture under its own, 0 under the others.

    Parameters
    ----------
    backbone : Classifier
        A network of one picture, with its initial weights.
    modalities : sequence of M str
        What it may see.

    Examples
    --------
    >>> from isthmus.models.registry import create
    >>> network = Pooled(create("resnet18", channels=3, width=8), ["bmode", "swe"]).eval()
    >>> pictures = {name: torch.zeros(1, 3, 32, 32) for name in ("bmode", "swe")}
    >>> network({**pictures, "present": torch.tensor([[0.0, 1.0]])}).embedding.shape
    torch.Size([1, 66])
    """

    def __init__(self, backbone: Classifier, modalities: Sequence[str]) -> None:
        super().__init__(backbone, modalities)
        self.backbone = backbone
        self.last = self.last_layer(self.picture_embedding + len(modalities))
        self.stages = tuple(f"backbone.{stage}" for stage in backbone.stages)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps of each row's picture, under the name of its modality."""
        flags = self._flags(inputs)
        maps = self.backbone.features({IMAGE: self._pictures(inputs, flags)})[IMAGE]
        wide = (maps.shape[0], *[1] * (maps.ndim - 1))
        return {name: maps * flags[:, place].reshape(wide).to(maps) for place, name in enumerate(self.modalities)}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over the picture's embedding and the flag of its modality."""
        flags = self._flags(inputs)
        maps = torch.stack([features[name] for name in self.modalities]).sum(dim=0)
        own: Outputs = self.backbone.head({IMAGE: maps}, {IMAGE: self._pictures(inputs, flags)})
        embedding = torch.cat([own.embedding, flags.to(own.embedding.dtype)], 1)
        return Outputs(self.last(embedding), embedding, {})

    def _flags(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return a 1 [N, M] for the first modality that is there; none where none is."""
        present = (inputs[PRESENT] > 0).to(torch.float32)
        return present * (present.cumsum(1) == 1)

    def _pictures(self, inputs: dict[str, Tensor], flags: Tensor) -> Tensor:
        pictures = torch.stack([inputs[name] for name in self.modalities], dim=1)
        return pictures[torch.arange(flags.shape[0], device=flags.device), flags.argmax(dim=1)]
