"""The calcification-attentive 3D Inception-ResNet-v2 of Qian et al., Cancer Imaging 2025.

:class:`~isthmus.models.inception_resnet_v2.InceptionResNetV2` for clips with
:class:`~isthmus.models.calcification_attention.CalcificationAttention` where the grid is still fine: after the
Inception-A stage and after Reduction-A. Nothing else differs, so that the difference of the two arms is the module's.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from isthmus.errors import InputError
from isthmus.models.calcification_attention import CalcificationAttention, white_top_hat
from isthmus.models.classifier import IMAGE, LESION_MASK, InputSpec, Outputs
from isthmus.models.inception_resnet_v2 import REPEATS, InceptionResNetV2, Padding

_GATES = {"repeat": "gate_1", "mixed_6a": "gate_2"}
_CHANNELS = {"gate_1": 320, "gate_2": 1088}


class CalcificationInceptionResNetV2(InceptionResNetV2):
    """Inception-ResNet-v2 for clips with two gates that listen to bright specks.

    Parameters
    ----------
    width : int
        Channels of the first convolution; 32 as published.
    **options
        Of :class:`~isthmus.models.inception_resnet_v2.InceptionResNetV2`.

    Notes
    -----
    Takes the optional input ``lesion_mask``. ``Outputs.auxiliary`` holds the spatial gates, ``gate_1`` and ``gate_2``,
    float ``[N, 1, t, h, w]``, 0 to 1.
    """

    own_parts = ("attention.",)

    def __init__(self, *, width: int = 32, **options: Any) -> None:
        super().__init__(3, width=width, more_inputs=(InputSpec(LESION_MASK, 1, 3, required=False),), **options)
        self.attention = nn.ModuleDict(
            {gate: CalcificationAttention(channels * width // 32) for gate, channels in _CHANNELS.items()}
        )

    def check(self, inputs: dict[str, Tensor]) -> None:
        """Refuse inputs that this network cannot take; the mask must lie on the picture."""
        super().check(inputs)
        mask, image = inputs.get(LESION_MASK), inputs[IMAGE]
        if mask is not None and mask.shape[2:] != image.shape[2:]:
            raise InputError(
                f"input {LESION_MASK!r} is {list(mask.shape)}",
                expected=f"{[image.shape[0], 1, *image.shape[2:]]}, as the image",
            )

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps and the gates, ``{'image': [N, 1536, T / 4, H / 32, W / 32], 'gate_1': …}``."""
        maps = inputs[IMAGE]
        hats = white_top_hat(maps, inputs.get(LESION_MASK))
        gates: dict[str, Tensor] = {}
        for name in self.body:
            maps = self.net[name](maps)
            if name in _GATES:
                gate = _GATES[name]
                maps, gates[gate] = self.attention[gate](maps, hats)
        return {IMAGE: maps, **gates}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return dropout and the linear layer over the pooled maps, and the gates where they are given."""
        plain = super().head(features, inputs)
        return Outputs(plain.logits, plain.embedding, {gate: features[gate] for gate in _CHANNELS if gate in features})


def calcification_inception_resnet_v2_3d(
    *,
    classes: int,
    channels: int,
    width: int = 32,
    repeats: Sequence[int] = REPEATS,
    dropout: float = 0.2,
    padding: Padding = "same",
    stem_stride: int = 8,
) -> CalcificationInceptionResNetV2:
    """Return the network of Qian et al. 2025."""
    return CalcificationInceptionResNetV2(
        classes=classes, channels=channels, width=width, repeats=repeats, dropout=dropout, padding=padding,
        stem_stride=stem_stride,
    )  # fmt: skip
