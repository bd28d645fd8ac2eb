"""EfficientNet-B0 (Tan and Le, ICML 2019), by MONAI's modules.

Parameter names are those of the EfficientNet-PyTorch project, whose file loads strictly, but for one thing: MONAI puts
each stage's blocks into a container of their own (``_blocks.1.2.`` for the project's ``_blocks.2.``).
"""

import re

from torch import Tensor, nn

from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input, pooled

# Table 1 of the paper, in MONAI's words: repeats, kernel, stride, expansion, channels in and out, squeeze.
_BLOCKS = (
    "r1_k3_s11_e1_i32_o16_se0.25",
    "r2_k3_s22_e6_i16_o24_se0.25",
    "r2_k5_s22_e6_i24_o40_se0.25",
    "r3_k3_s22_e6_i40_o80_se0.25",
    "r3_k5_s11_e6_i80_o112_se0.25",
    "r4_k5_s22_e6_i112_o192_se0.25",
    "r1_k3_s11_e6_i192_o320_se0.25",
)


class EfficientNetB0(Classifier):
    """EfficientNet-B0.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : float
        Multiplier of all channel counts; 1.0 as published.
    dropout : float
        Before the last linear layer, 0 to 1; 0.2 as published.
    drop_blocks : float
        Probability, rising with depth up to this, that training leaves out a block of one example; 0.2 as published.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(EfficientNetB0(classes=1000, channels=3))  # the count of torchvision's and the project's B0
    5288548
    """

    published_prefix = "net."
    stem_name = "_conv_stem"
    head_name = "_fc"

    def __init__(
        self,
        *,
        classes: int = 2,
        channels: int = 1,
        width: float = 1.0,
        dropout: float = 0.2,
        drop_blocks: float = 0.2,
    ) -> None:
        from monai.networks.nets import efficientnet as monai_efficientnet

        super().__init__(inputs=image_input(channels), classes=classes)
        self.net = monai_efficientnet.EfficientNet(
            blocks_args_str=list(_BLOCKS),
            spatial_dims=2,
            in_channels=channels,
            num_classes=classes,
            width_coefficient=width,
            dropout_rate=dropout,
            drop_connect_rate=drop_blocks,
            # The published momentum of 0.01 is for millions of steps; after a small study's hundred, the running
            # means would still be half of what they began as. torchvision's B0 takes torch's 0.1 too.
            norm=("batch", {"eps": 1e-3, "momentum": 0.1}),
        )
        # MONAI's memory-saving Swish has a backward of its own, which cannot be exported; torch's is as lean.
        for module in self.net.modules():
            if hasattr(module, "_swish"):
                module._swish = nn.SiLU(inplace=False)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps, ``{'image': [N, 1280, H / 32, W / 32]}``."""
        net = self.net
        maps = net._swish(net._bn0(net._conv_stem(net._conv_stem_padding(inputs[IMAGE]))))
        maps = net._conv_head(net._conv_head_padding(net._blocks(maps)))
        return {IMAGE: net._swish(net._bn1(maps))}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return dropout and the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.net._fc(self.net._dropout(embedding)), embedding, {})

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under MONAI's names."""
        stages = {
            block: f"_blocks.{stage}.{block}."
            for stage, blocks in self.net._blocks.named_children()
            for block, _ in blocks.named_children()
        }
        return super().from_published(
            {
                re.sub(r"^_blocks\.(\d+)\.", lambda found: stages.get(found[1], found[0]), name): value
                for name, value in state.items()
            }
        )


def efficientnet_b0(
    *, classes: int, channels: int, width: float = 1.0, dropout: float = 0.2, drop_blocks: float = 0.2
) -> EfficientNetB0:
    """Return EfficientNet-B0."""
    return EfficientNetB0(classes=classes, channels=channels, width=width, dropout=dropout, drop_blocks=drop_blocks)
