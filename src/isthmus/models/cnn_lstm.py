"""CNN and LSTM (Donahue et al., CVPR 2015; Yue-Hei Ng et al., CVPR 2015): frames are looked at one by one, then read.

Each frame goes through ResNet18 for pictures; its pooled maps are one word of a sentence that an LSTM (Hochreiter and
Schmidhuber, 1997) reads. The frames are looked at together, as a larger batch, and the LSTM belongs to the head, so
that Grad-CAM sees through it to each frame's own maps. Weights of ResNet18 start the network of frames.
"""

from typing import Literal

from torch import Tensor, nn

from isthmus.errors import ProtocolError
from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input
from isthmus.models.resnet import ResNet

Read = Literal["mean", "last"]


class CnnLstm(Classifier):
    """ResNet18 over each frame and an LSTM over frames.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of ResNet18's first stage; 64 as published.
    hidden : int
        Of the LSTM; 256 as in Donahue et al.
    read : {'mean', 'last'}
        What the last layer sees: the mean of the LSTM's states over frames, which every frame reaches as easily as
        the last, or the last state.

    Examples
    --------
    >>> import torch
    >>> network = CnnLstm(width=8, hidden=16)
    >>> network.features({"image": torch.zeros(2, 1, 5, 32, 32)})["image"].shape
    torch.Size([2, 64, 5, 1, 1])
    """

    published_prefix = "net."
    stem_name = "frames.net.conv1"
    own_parts = ("net.lstm.", "net.fc.")

    def __init__(
        self, *, classes: int = 2, channels: int = 1, width: int = 64, hidden: int = 256, read: Read = "mean"
    ) -> None:
        if read not in ("mean", "last"):
            raise ProtocolError(f"read {read!r}", where="options.read", expected="mean or last")
        super().__init__(inputs=image_input(channels, 3), classes=classes)
        self.read = read
        frames = ResNet("resnet18", classes=classes, channels=channels, width=width)
        lstm = nn.LSTM(8 * width, hidden, batch_first=True)
        self.stages = tuple(f"net.frames.{stage}" for stage in frames.stages)
        del frames.net.fc
        self.net = nn.ModuleDict({"frames": frames, "lstm": lstm, "fc": nn.Linear(hidden, classes)})

    @property
    def frames(self) -> ResNet:
        """The network of frames."""
        return self.net["frames"]  # type: ignore[return-value]

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return each frame's last maps, ``{'image': [N, D, T, H / 32, W / 32]}``."""
        clips = inputs[IMAGE]
        n, channels, frames, height, width = clips.shape
        pictures = clips.transpose(1, 2).reshape(n * frames, channels, height, width)
        maps = self.frames.features({IMAGE: pictures})[IMAGE]
        return {IMAGE: maps.reshape(n, frames, *maps.shape[1:]).transpose(1, 2)}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over what the LSTM read."""
        words = features[IMAGE].mean((3, 4)).transpose(1, 2)
        states, _ = self.net["lstm"](words)
        embedding = states.mean(1) if self.read == "mean" else states[:, -1]
        return Outputs(self.net["fc"](embedding), embedding, {})

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return a file of ResNet18 under the names of the network of frames, without its last layer."""
        known = {name.removeprefix("net."): value for name, value in state.items()}
        kept = {f"net.frames.net.{name}": value for name, value in known.items() if not name.startswith("fc.")}
        return kept, ["weights of ResNet18: they start the network of frames; its last layer is left out"]


def cnn_lstm(*, classes: int, channels: int, width: int = 64, hidden: int = 256, read: Read = "mean") -> CnnLstm:
    """Return ResNet18 with an LSTM over frames."""
    return CnnLstm(classes=classes, channels=channels, width=width, hidden=hidden, read=read)
