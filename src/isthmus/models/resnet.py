"""ResNet18, 34 and 50 (He et al. 2016), for pictures and for clips, by MONAI's modules.

MONAI's defaults differ from the published network (stem stride, biased shortcuts); with the settings here its parameter
names and outputs equal torchvision's, so torchvision's weight files load strictly. Its ``forward`` cannot be split into
features and head, so its modules are called one by one.

For clips they are the 3D residual networks of Hara et al., CVPR 2018, whose code MONAI's comes from: every kernel gets
a time as long as its side, the first convolution keeps every frame, and everything after it that halves the plane
halves time. (Theirs of 18 layers pads its shortcuts with zeros; ours convolves them, as all of the others do.)
"""

from torch import Tensor

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input, pooled
from isthmus.models.layers import blocks_of, extent

_LAYERS: dict[str, tuple[str, list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet34": ("basic", [3, 4, 6, 3]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}


class ResNet(Classifier):
    """A residual network with torchvision's parameter names (``conv1``, ``layer1.0.conv1``, ``fc``).

    Parameters
    ----------
    name : {'resnet18', 'resnet34', 'resnet50'}
        Which one.
    classes, channels : int
        K and C.
    width : int
        Channels of the first stage; 64 as published. On a CPU with several threads train no fewer than 16: torch
        2.13 was seen to corrupt the heap in the backward pass of 8.
    spatial_dims : int
        2 for pictures, 3 for clips.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(ResNet("resnet18", classes=1000, channels=3))  # torchvision's own count
    11689512
    """

    published_prefix = "net."

    def __init__(
        self, name: str, *, classes: int = 2, channels: int = 1, width: int = 64, spatial_dims: int = 2
    ) -> None:
        from monai.networks.nets import resnet as monai_resnet

        super().__init__(inputs=image_input(channels, spatial_dims), classes=classes)
        block, layers = _LAYERS[name]
        self.net = monai_resnet.ResNet(
            block=block,
            layers=layers,
            block_inplanes=[width, 2 * width, 4 * width, 8 * width],
            spatial_dims=spatial_dims,
            n_input_channels=channels,
            conv1_t_size=7,
            conv1_t_stride=extent(spatial_dims, 1, 2),  # type: ignore[arg-type]
            shortcut_type="B",
            bias_downsample=False,
            num_classes=classes,
        )
        self.stages = blocks_of(self, *(f"net.layer{stage}" for stage in (1, 2, 3, 4)))

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last stage's maps, ``{'image': [N, D, H / 32, W / 32]}``, of clips ``[N, D, T / 16, …]``."""
        net = self.net
        maps = net.maxpool(net.act(net.bn1(net.conv1(inputs[IMAGE]))))
        return {IMAGE: net.layer4(net.layer3(net.layer2(net.layer1(maps))))}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.net.get_submodule("fc")(embedding), embedding, {})


def resnet18(*, classes: int, channels: int, width: int = 64) -> ResNet:
    """Return ResNet18."""
    return ResNet("resnet18", classes=classes, channels=channels, width=width)


def resnet34(*, classes: int, channels: int, width: int = 64) -> ResNet:
    """Return ResNet34, the baseline of Wang et al. 2025."""
    return ResNet("resnet34", classes=classes, channels=channels, width=width)


def resnet50(*, classes: int, channels: int, width: int = 64) -> ResNet:
    """Return ResNet50."""
    return ResNet("resnet50", classes=classes, channels=channels, width=width)


def resnet18_3d(*, classes: int, channels: int, width: int = 64) -> ResNet:
    """Return ResNet18 for clips."""
    return ResNet("resnet18", classes=classes, channels=channels, width=width, spatial_dims=3)


def resnet50_3d(*, classes: int, channels: int, width: int = 64) -> ResNet:
    """Return ResNet50 for clips."""
    return ResNet("resnet50", classes=classes, channels=channels, width=width, spatial_dims=3)
