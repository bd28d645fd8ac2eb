"""What networks of several modalities share: a network of one picture below, one linear layer of their own on top."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from isthmus.errors import ProtocolError
from isthmus.models.classifier import IMAGE, PRESENT, Classifier, InputSpec, embedding_size, last_linear


class SeveralModalities(Classifier):
    """Base of the networks that look at ``{<modality>: [N, C, H, W], …, 'present': [N, M]}``.

    A subclass keeps the backbone under a name of its own, and puts a layer of :meth:`last_layer` on top as ``last``.

    Parameters
    ----------
    backbone : Classifier
        A network of one picture, with its initial weights; its last linear layer is taken away.
    modalities : sequence of M str
        What it may see.

    Attributes
    ----------
    picture_embedding : int
        D of what the backbone makes of one picture.

    Raises
    ------
    ProtocolError
        When the backbone takes clips, or looks at more than the picture.
    """

    head_name: ClassVar[str] = "last"

    def __init__(self, backbone: Classifier, modalities: Sequence[str]) -> None:
        picture = _picture_of(backbone)
        inputs = (InputSpec(name, picture.channels, 2) for name in modalities)
        super().__init__(inputs=(*inputs, InputSpec(PRESENT, len(modalities), 0)), classes=backbone.classes)
        self.network, self.options = backbone.network, backbone.options
        self.minimum_size = backbone.minimum_size
        self.picture_embedding = embedding_size(backbone)
        if (found := last_linear(backbone)) is not None:
            setattr(*found, nn.Identity())
        self.modalities = tuple(modalities)

    def last_layer(self, features: int) -> nn.Linear:
        """Return a new linear layer to the classes: small normal weights (0.01), no intercepts."""
        layer = nn.Linear(features, self.classes)
        nn.init.normal_(layer.weight, 0, 0.01)
        nn.init.zeros_(layer.bias)
        return layer


def _picture_of(backbone: Classifier) -> InputSpec:
    picture = backbone.inputs[0]
    if len(backbone.inputs) > 1 or picture.name != IMAGE or picture.spatial_dims != 2:
        seen = ", ".join(f"{spec.name} ({spec.spatial_dims}D)" for spec in backbone.inputs)
        raise ProtocolError(
            f"{backbone.network} cannot look at several modalities: it takes {seen}",
            expected="a network of one picture, such as resnet50",
        )
    return picture
