"""AlexNet in the one-tower form of Krizhevsky 2014, with torchvision's parameter names.

The initial weights are torch's own draw, as torchvision leaves them.
"""

from torch import nn

from isthmus.models.plain import PlainNetwork

_GRID = 6


class AlexNet(PlainNetwork):
    """AlexNet.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first convolution; 64 as published, and the two hidden linear layers have 64 times as many.
    dropout : float
        Before each hidden linear layer, 0 to 1; 0.5 as published.

    Examples
    --------
    >>> import torch
    >>> from isthmus.models.classifier import parameter_count
    >>> with torch.device("meta"):
    ...     parameter_count(AlexNet(classes=1000, channels=3))  # torchvision's own count
    61100840
    """

    minimum_size = 63  # below it the third pooling has less than its 3 x 3 maps

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 64, dropout: float = 0.5) -> None:
        convolutions = nn.Sequential(
            nn.Conv2d(channels, width, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(width, 3 * width, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(3 * width, 6 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(6 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        hidden = 64 * width
        linear = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(4 * width * _GRID * _GRID, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, classes),
        )
        super().__init__(convolutions, linear, grid=_GRID, classes=classes, channels=channels)


def alexnet(*, classes: int, channels: int, width: int = 64, dropout: float = 0.5) -> AlexNet:
    """Return AlexNet."""
    return AlexNet(classes=classes, channels=channels, width=width, dropout=dropout)
