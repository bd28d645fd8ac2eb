"""Networks whose layers run one after another: what they share."""

from abc import ABC
from collections.abc import Mapping

from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, Classifier, Outputs, initialise, pooled


class Chain(Classifier, ABC):
    """A network of layers in a row, with dropout and a linear layer over the pooled last maps.

    A subclass names its linear layer (``head_name``) and calls :meth:`assemble` once, in its constructor.

    Attributes
    ----------
    net : ModuleDict
        The layers and the last one, by their published names.
    body : tuple of str
        Names of the layers in the order in which they run.
    """

    net: nn.ModuleDict
    body: tuple[str, ...]

    def assemble(self, layers: Mapping[str, nn.Module], depth: int, dropout: float) -> None:
        """Join the layers, add the last one over ``depth`` channels, and draw initial weights."""
        self.body = tuple(layers)
        self.dropout = nn.Dropout(dropout)
        self.net = nn.ModuleDict({**layers, self.head_name: nn.Linear(depth, self.classes)})
        initialise(self)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last layer's maps, ``{'image': [N, D, h, w]}``, of clips ``[N, D, t, h, w]``."""
        maps = inputs[IMAGE]
        for name in self.body:
            maps = self.net[name](maps)
        return {IMAGE: maps}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return dropout and the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.net[self.head_name](self.dropout(embedding)), embedding, {})
