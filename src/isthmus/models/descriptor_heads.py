"""Heads for the sonographic descriptors on any network: what a radiologist reads, learnt beside the label.

One linear head a descriptor sees the network's embedding. With ``feed`` the heads' probabilities also enter the last
linear layer, beside the embedding: a soft concept bottleneck (Koh et al. 2020, "Concept bottleneck models", trained
jointly; the embedding stays, so that nothing a descriptor cannot say is lost).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.models.classifier import Classifier, Outputs, embedding_size
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.join_spec import JoinSpec
from isthmus.models.joined import joined
from isthmus.models.registry import create
from isthmus.tables.vocabulary import MULTI_VALUED

_PREFIX = "descriptor."


class WithDescriptors(Classifier):
    """A network with descriptor heads.

    ``auxiliary`` holds each head's logits. With ``feed`` the embedding that is returned ends in the probabilities:
    it is what the last layer sees.

    Parameters
    ----------
    inner : Classifier
        The network; its parameters keep their names after ``inner.``.
    spec : DescriptorSpec
        The heads.

    Examples
    --------
    >>> heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
    >>> network = WithDescriptors(create("resnet18", channels=1, width=8), heads)
    >>> sorted(network.eval()({"image": torch.zeros(1, 1, 32, 32)}).auxiliary)
    ['descriptor.margin']
    """

    def __init__(self, inner: Classifier, spec: DescriptorSpec) -> None:
        super().__init__(inputs=inner.inputs, classes=inner.classes)
        self.inner, self.descriptors = inner, spec
        self.network, self.options = inner.network, inner.options
        self.stages = tuple(f"inner.{stage}" for stage in inner.stages)
        size = embedding_size(inner)
        self.heads = nn.ModuleDict({name: nn.Linear(size, len(codes)) for name, codes in spec.heads.items()})
        for head in self.heads.values():
            nn.init.normal_(head.weight, 0, 0.01)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        # Weights of the last layer for the probabilities: W [embedding; probabilities] = W1 embedding + W2
        # probabilities, so the network's own last layer stays as it is. From zero: it begins as the plain network.
        self.feed = nn.Linear(spec.outputs, inner.classes, bias=False) if spec.feed else None
        if self.feed is not None:
            nn.init.zeros_(self.feed.weight)

    def check(self, inputs: dict[str, Tensor]) -> None:
        """Refuse inputs that the network cannot take."""
        self.inner.check(inputs)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the network's last maps."""
        return self.inner.features(inputs)

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the network's head, the descriptors' logits, and the class logits that both make."""
        plain = self.inner.head(features, inputs)
        found = {_PREFIX + name: head(plain.embedding) for name, head in self.heads.items()}
        auxiliary = {**plain.auxiliary, **found}
        if self.feed is None:
            return Outputs(plain.logits, plain.embedding, auxiliary)
        seen = torch.cat([probabilities_of(name, found[_PREFIX + name]) for name in self.heads], dim=1)
        seen = seen.to(plain.embedding.dtype)
        return Outputs(plain.logits + self.feed(seen), torch.cat([plain.embedding, seen], dim=1), auxiliary)


def descriptor_logits(outputs: Outputs) -> dict[str, Tensor]:
    """Return the descriptors' logits by name; empty for a network without heads."""
    return {name.removeprefix(_PREFIX): value for name, value in outputs.auxiliary.items() if name.startswith(_PREFIX)}


def probabilities_of(name: str, logits: Tensor) -> Tensor:
    """Return a descriptor's probabilities [N, codes], float32: sigmoid where it is multi-valued, else softmax."""
    return torch.sigmoid(logits.float()) if name in MULTI_VALUED else torch.softmax(logits.float(), dim=1)


def create_classifier(
    network: str,
    *,
    classes: int,
    channels: int,
    options: Mapping[str, Any],
    descriptors: DescriptorSpec | None = None,
    join: JoinSpec | None = None,
) -> Classifier:
    """Build a network of the registry, of several modalities and with descriptor heads where there are any."""
    inner = joined(create(network, classes=classes, channels=channels, **options), join)
    return inner if descriptors is None else WithDescriptors(inner, descriptors)
