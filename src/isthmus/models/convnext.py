"""ConvNeXt-Tiny (Liu et al., CVPR 2022), by the modules of Hugging Face's transformers.

It is built from a configuration; no hub is asked for anything. torchvision's weight file loads strictly: its names
number the modules of a sequence, which are mapped to transformers' names one by one.
"""

import re

from torch import Tensor

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input

_DEPTHS = (3, 3, 9, 3)

# torchvision's names of one module, and transformers'. torchvision alternates downsamplings (even) and stages (odd).
_NAMES = (
    (r"^features\.0\.0\.", r"convnext.embeddings.patch_embeddings."),
    (r"^features\.0\.1\.", r"convnext.embeddings.layernorm."),
    (r"^classifier\.0\.", r"convnext.layernorm."),
    (r"^classifier\.2\.", r"classifier."),
)
_DOWNSAMPLING = re.compile(r"^features\.([246])\.([01])\.")
_BLOCK = re.compile(r"^features\.([1357])\.(\d+)\.(layer_scale$|block\.[0235]\.)")
_IN_A_BLOCK = {
    "block.0.": "dwconv.",
    "block.2.": "layernorm.",
    "block.3.": "pwconv1.",
    "block.5.": "pwconv2.",
    "layer_scale": "layer_scale_parameter",
}


class ConvNeXtTiny(Classifier):
    """ConvNeXt-Tiny.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first stage; 96 as published.
    drop_blocks : float
        Probability, rising with depth up to this, that training leaves out a block of one example; 0.1 as published.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(ConvNeXtTiny(classes=1000, channels=3))  # torchvision's own count
    28589128
    """

    published_prefix = "net."
    stem_name = "convnext.embeddings.patch_embeddings"
    head_name = "classifier"

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 96, drop_blocks: float = 0.1) -> None:
        # Not `from transformers import ...`: that imports what it finds of the whole library.
        from transformers.models.convnext.configuration_convnext import ConvNextConfig
        from transformers.models.convnext.modeling_convnext import ConvNextForImageClassification

        super().__init__(inputs=image_input(channels), classes=classes)
        configuration = ConvNextConfig(
            num_channels=channels,
            hidden_sizes=[width, 2 * width, 4 * width, 8 * width],
            depths=list(_DEPTHS),
            drop_path_rate=drop_blocks,
            layer_norm_eps=1e-6,  # torchvision's; transformers' own default is 1e-12
        )
        configuration.num_labels = classes
        self.net = ConvNextForImageClassification(configuration)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last stage's maps, ``{'image': [N, 768, H / 32, W / 32]}``."""
        maps = self.net.convnext.embeddings(inputs[IMAGE])
        for stage in self.net.convnext.encoder.stages:
            maps = stage(maps)
        return {IMAGE: maps}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return layer norm and the linear layer over the pooled maps."""
        embedding = self.net.convnext.layernorm(features[IMAGE].mean((-2, -1)))
        return Outputs(self.net.classifier(embedding), embedding, {})

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under transformers' names; its layer scales lose their two sides of one."""
        return super().from_published(
            {
                _transformers_name(name): value.flatten() if name.endswith(".layer_scale") else value
                for name, value in state.items()
            }
        )


def _transformers_name(name: str) -> str:
    for pattern, replacement in _NAMES:
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name)
    if found := _DOWNSAMPLING.match(name):
        stage = int(found[1]) // 2
        return f"convnext.encoder.stages.{stage}.downsampling_layer.{found[2]}.{name[found.end() :]}"
    if found := _BLOCK.match(name):
        stage = int(found[1]) // 2
        return f"convnext.encoder.stages.{stage}.layers.{found[2]}.{_IN_A_BLOCK[found[3]]}{name[found.end() :]}"
    return name


def convnext_tiny(*, classes: int, channels: int, width: int = 96, drop_blocks: float = 0.1) -> ConvNeXtTiny:
    """Return ConvNeXt-Tiny."""
    return ConvNeXtTiny(classes=classes, channels=channels, width=width, drop_blocks=drop_blocks)
