"""One fold network as it is exported: from the network's inputs to logits, embedding and descriptors of whole views."""

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from isthmus.inference.batch import mirrored, modalities_seen
from isthmus.inference.frame_scores import most_suspicious, of_views, pictures_a_view
from isthmus.models.classifier import PRESENT, Classifier, Outputs
from isthmus.models.descriptor_heads import descriptor_logits, probabilities_of

if TYPE_CHECKING:
    from isthmus.models.bundle_spec import BundleSpec

LOGITS: Final = "logits"
EMBEDDING: Final = "embedding"
SUBSETS: Final = "subsets"
DESCRIPTOR: Final = "descriptor."


class ExportedNetwork(nn.Module):
    """A fold network with what scoring does around it: mirror images averaged, a clip's frames joined.

    Parameters
    ----------
    network : Classifier
        In evaluation mode.
    spec : BundleSpec
        Says whether mirror images are averaged and how frames are joined.

    Attributes
    ----------
    inputs : tuple of str
        Names of what ``forward`` takes, in order.
    outputs : tuple of str
        Names of what it returns: ``logits`` [N, K], ``embedding`` [N, D], ``descriptor.<name>`` [N, codes]
        (probabilities), and of a network of M modalities ``subsets`` [N, 2 ** M, K], the logits as if only some of
        the modalities were there (number s keeps modality i where bit i of s is 1; of none left they mean nothing).
    """

    def __init__(self, network: Classifier, spec: "BundleSpec") -> None:
        super().__init__()
        self.network = network
        self.flips, self.frames = spec.flips, pictures_a_view(spec.prepare)
        self.maximum = spec.frame_scores == "maximum"
        self.modalities = modalities_seen(network)
        self.inputs = tuple(one.name for one in network.inputs)
        self.descriptors = () if spec.descriptors is None else tuple(spec.descriptors.heads)
        heads = tuple(DESCRIPTOR + name for name in self.descriptors)
        self.outputs = (LOGITS, EMBEDDING, *heads, *([SUBSETS] if self.modalities else []))

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs in the order of :attr:`outputs`."""
        inputs = dict(zip(self.inputs, given, strict=True))
        views = inputs
        if self.flips:
            # One pass over twice the batch: the weights are read once.
            views = {name: torch.cat([inputs[name], other]) for name, other in mirrored(inputs).items()}
        features = self.network.features(views)
        outputs = self.network.head(features, views)
        logits, embedding = self._meant(outputs.logits), self._meant(outputs.embedding)
        own = descriptor_logits(outputs)
        described = {name: self._meant(own[name]) for name in self.descriptors}
        if self.frames > 1:
            chosen = most_suspicious(logits, self.frames) if self.maximum else None
            logits, embedding = of_views(logits, self.frames, chosen), of_views(embedding, self.frames, chosen)
            described = {name: of_views(value, self.frames, chosen) for name, value in described.items()}
        heads = [probabilities_of(name, value) for name, value in described.items()]
        return (logits, embedding, *heads, *([self._subsets(features, views)] if self.modalities else []))

    def _meant(self, values: Tensor) -> Tensor:
        """Return the mean of pictures and their mirror images, where there are any."""
        if not self.flips:
            return values
        both = values.reshape(2, -1, values.shape[1])
        return (both[0] + both[1]) / 2

    def _subsets(self, features: dict[str, Tensor], views: dict[str, Tensor]) -> Tensor:
        count, found = len(self.modalities), []
        for subset in range(2**count):
            kept = torch.tensor([float(subset >> place & 1) for place in range(count)])
            head: Outputs = self.network.head(features, {**views, PRESENT: views[PRESENT] * kept})
            found.append(self._meant(head.logits))
        return torch.stack(found, dim=1)


def example(network: Classifier, spec: "BundleSpec", views: int, seed: int = 0) -> dict[str, Tensor]:
    """Return inputs of noise of the shape that a bundle's pictures have: of several modalities each view lacks one."""
    generator = torch.Generator().manual_seed(seed)
    side, frames = spec.prepare.crop_size, 1 if spec.prepare.frames is None else spec.prepare.frames.count
    found: dict[str, Tensor] = {}
    for one in network.inputs:
        shape: tuple[Any, ...] = {0: (), 2: (side, side), 3: (frames, side, side)}[one.spatial_dims]
        pictures = views * (pictures_a_view(spec.prepare) if one.spatial_dims == 2 else 1)
        value = torch.rand((pictures, one.channels, *shape), generator=generator)
        if one.name == PRESENT:
            value = (torch.arange(one.channels)[None] != torch.arange(views)[:, None] % max(one.channels, 2)).float()
        found[one.name] = (value > 0.5).float() if one.name == "lesion_mask" else value
    return found
