"""DenseNet121, 169 and 201 (Huang et al., CVPR 2017), for pictures and for clips, by MONAI's modules.

Structure and outputs are torchvision's; names are not. torchvision's files write ``denselayer1.norm.1.weight`` (they
are older than the rule against dots in names), its code ``denselayer1.norm1.weight``, MONAI
``denselayer1.layers.norm1.weight``: both of the first are read, and read strictly.

For clips (Hara et al., CVPR 2018) the first convolution keeps every frame; MONAI's own would halve time there too, and
32 frames would be the fewest. The transitions halve time as long as there is more than one frame left to halve.
"""

import re

from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input, pooled
from isthmus.models.layers import extent

_LAYERS = {
    "densenet121": (6, 12, 24, 16),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}
_IN_A_LAYER = re.compile(r"(denselayer\d+)\.(norm|conv)\.?([12])\.")


class DenseNet(Classifier):
    """A densely connected network.

    Parameters
    ----------
    name : {'densenet121', 'densenet169', 'densenet201'}
        Which one.
    classes, channels : int
        K and C.
    width : int
        Channels of the first convolution, even; 64 as published. Each layer adds half as many.
    spatial_dims : int
        2 for pictures, 3 for clips.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(DenseNet("densenet121", classes=1000, channels=3))  # torchvision's own count
    7978856
    """

    published_prefix = "net."
    stem_name = "features.conv0"
    head_name = "class_layers.out"

    def __init__(
        self, name: str, *, classes: int = 2, channels: int = 1, width: int = 64, spatial_dims: int = 2
    ) -> None:
        from monai.networks.nets import densenet as monai_densenet

        super().__init__(inputs=image_input(channels, spatial_dims), classes=classes)
        self.net = monai_densenet.DenseNet(
            spatial_dims=spatial_dims,
            in_channels=channels,
            out_channels=classes,
            init_features=width,
            growth_rate=width // 2,
            block_config=_LAYERS[name],
        )
        if spatial_dims == 3:
            self.net.features.get_submodule("conv0").stride = extent(3, 1, 2)  # type: ignore[assignment]
            for index in (1, 2, 3):
                self.net.features.get_submodule(f"transition{index}").pool = _HalvingPool()
        self.stages = tuple(
            f"net.features.{part}" for part, _ in self.net.features.named_children() if part[:5] in ("dense", "trans")
        )

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps, ``{'image': [N, D, H / 32, W / 32]}``, of clips ``[N, D, T / 16, H / 32, W / 32]``."""
        # MONAI counts the last rectifier to the head; the maps that are pooled are those after it.
        return {IMAGE: nn.functional.relu(self.net.features(inputs[IMAGE]), inplace=True)}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.net.get_submodule("class_layers.out")(embedding), embedding, {})

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under MONAI's names."""
        return super().from_published({_monai_name(name): value for name, value in state.items()})


class _HalvingPool(nn.Module):
    """The mean of 2 x 2 x 2 cells, or of 1 x 2 x 2 where a single frame is left."""

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.avg_pool3d(maps, (min(2, maps.shape[2]), 2, 2))


def _monai_name(name: str) -> str:
    name = _IN_A_LAYER.sub(r"\1.layers.\2\3.", name)
    return re.sub(r"^classifier\.", "class_layers.out.", name)


def densenet121(*, classes: int, channels: int, width: int = 64) -> DenseNet:
    """Return DenseNet121."""
    return DenseNet("densenet121", classes=classes, channels=channels, width=width)


def densenet169(*, classes: int, channels: int, width: int = 64) -> DenseNet:
    """Return DenseNet169."""
    return DenseNet("densenet169", classes=classes, channels=channels, width=width)


def densenet201(*, classes: int, channels: int, width: int = 64) -> DenseNet:
    """Return DenseNet201."""
    return DenseNet("densenet201", classes=classes, channels=channels, width=width)


def densenet121_3d(*, classes: int, channels: int, width: int = 64) -> DenseNet:
    """Return DenseNet121 for clips."""
    return DenseNet("densenet121", classes=classes, channels=channels, width=width, spatial_dims=3)
