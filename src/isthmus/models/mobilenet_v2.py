"""MobileNetV2 (Sandler et al. 2018), with torchvision's parameter names.

Inverted residuals: a 1x1 convolution widens, a depthwise 3x3 filters, a linear 1x1 narrows, and the skip joins the
narrow ends. torchvision's published weight file loads strictly.
"""

from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input, initialise, pooled

# Table 2 of the paper: expansion t, output channels c, repeats n, first stride s.
_SETTINGS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_LAST = 1280


class MobileNetV2(Classifier):
    """MobileNetV2.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : float
        Multiplier of all channel counts; 1.0 as published.
    dropout : float
        Before the last linear layer, 0 to 1; 0.2 as published.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(MobileNetV2(classes=1000, channels=3))  # torchvision's own count
    3504872
    """

    # A submodule named `features` would hide the method of that name.
    published_prefix = "net."
    stem_name = "features.0.0"
    head_name = "classifier.1"

    def __init__(self, *, classes: int = 2, channels: int = 1, width: float = 1.0, dropout: float = 0.2) -> None:
        super().__init__(inputs=image_input(channels), classes=classes)
        now = _multiple_of_8(32 * width)
        layers: list[nn.Module] = [_convolution(channels, now, 3, stride=2)]
        for expansion, wanted, repeats, stride in _SETTINGS:
            after = _multiple_of_8(wanted * width)
            for index in range(repeats):
                layers.append(InvertedResidual(now, after, stride if index == 0 else 1, expansion))
                now = after
        last = _multiple_of_8(_LAST * max(1.0, width))
        layers.append(_convolution(now, last, 1))
        self.net = nn.ModuleDict(
            {
                "features": nn.Sequential(*layers),
                "classifier": nn.Sequential(nn.Dropout(dropout), nn.Linear(last, classes)),
            }
        )
        initialise(self)
        linear = self.net["classifier"][1]  # type: ignore[index]
        nn.init.normal_(linear.weight, 0, 0.01)
        nn.init.zeros_(linear.bias)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps, ``{'image': [N, 1280, H / 32, W / 32]}``."""
        return {IMAGE: self.net["features"](inputs[IMAGE])}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return dropout and the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.net["classifier"](embedding), embedding, {})


class InvertedResidual(nn.Module):
    """Widen, filter depthwise, narrow; the skip joins equal shapes."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_convolution(before, wide, 1)]
        layers.append(_convolution(wide, wide, 3, stride=stride, groups=wide))
        layers += [nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.conv = nn.Sequential(*layers)
        self.has_skip = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``[N, after, h / stride, w / stride]``."""
        out: Tensor = self.conv(maps)
        return maps + out if self.has_skip else out


def _convolution(before: int, after: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU6(inplace=True),
    )


def _multiple_of_8(channels: float) -> int:
    """Round to a multiple of 8, never down by more than 10 %, as the published network does."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def mobilenet_v2(*, classes: int, channels: int, width: float = 1.0, dropout: float = 0.2) -> MobileNetV2:
    """Return MobileNetV2."""
    return MobileNetV2(classes=classes, channels=channels, width=width, dropout=dropout)
