"""What AlexNet and VGG16 share: convolutions without norms or skips, a grid of pooled maps, three linear layers."""

import torch
from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input


class PlainNetwork(Classifier):
    """Convolutions, then linear layers over a grid of pooled maps, with torchvision's parameter names.

    Its last maps are those before the last pooling: what Grad-CAM's authors take of VGG16, and twice as fine.

    Parameters
    ----------
    convolutions : nn.Sequential
        Down to the last pooling, which it ends with.
    linear : nn.Sequential
        Over the flattened grid; its last module gives the logits.
    grid : int
        Height and width of the pooled maps whatever the picture's size.
    classes, channels : int
        K and C.
    """

    # A submodule named `features` would hide the method of that name.
    published_prefix = "net."
    stem_name = "features.0"
    head_name = "classifier.6"

    def __init__(
        self, convolutions: nn.Sequential, linear: nn.Sequential, *, grid: int, classes: int, channels: int
    ) -> None:
        super().__init__(inputs=image_input(channels), classes=classes)
        self.net = nn.ModuleDict({"features": convolutions, "classifier": linear})
        self.grid = grid

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last convolution's maps, before the last pooling."""
        return {IMAGE: self._part("features")[:-1](inputs[IMAGE])}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the last pooling and the linear layers; the embedding is what the last of them sees."""
        maps = self._part("features")[-1](features[IMAGE])
        linear = self._part("classifier")
        embedding = linear[:-1](torch.flatten(nn.functional.adaptive_avg_pool2d(maps, self.grid), 1))
        return Outputs(linear[-1](embedding), embedding, {})

    def _part(self, name: str) -> nn.Sequential:
        part = self.net[name]
        assert isinstance(part, nn.Sequential)
        return part
