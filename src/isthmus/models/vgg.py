"""VGG16 without batch norm (Simonyan and Zisserman, ICLR 2015), with torchvision's parameter names."""

from torch import nn

from isthmus.models.classifier import initialise
from isthmus.models.plain import PlainNetwork

# Configuration D of the paper's table 1: stages of 3x3 convolutions, in multiples of the first stage's channels.
_STAGES = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
_GRID = 7


class VGG16(PlainNetwork):
    """VGG16.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first stage; 64 as published, and the two hidden linear layers have 64 times as many.
    dropout : float
        After each hidden linear layer, 0 to 1; 0.5 as published.

    Examples
    --------
    >>> import torch
    >>> from isthmus.models.classifier import parameter_count
    >>> with torch.device("meta"):
    ...     parameter_count(VGG16(classes=1000, channels=3))  # torchvision's own count
    138357544
    """

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 64, dropout: float = 0.5) -> None:
        layers: list[nn.Module] = []
        now = channels
        for stage in _STAGES:
            for multiple in stage:
                layers += [nn.Conv2d(now, width * multiple, 3, padding=1), nn.ReLU(inplace=True)]
                now = width * multiple
            layers.append(nn.MaxPool2d(2))
        hidden = 64 * width
        linear = nn.Sequential(
            nn.Linear(now * _GRID * _GRID, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )
        super().__init__(nn.Sequential(*layers), linear, grid=_GRID, classes=classes, channels=channels)
        initialise(self)
        for module in linear:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)


def vgg16(*, classes: int, channels: int, width: int = 64, dropout: float = 0.5) -> VGG16:
    """Return VGG16."""
    return VGG16(classes=classes, channels=channels, width=width, dropout=dropout)
