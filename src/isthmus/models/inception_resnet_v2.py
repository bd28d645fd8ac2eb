"""Inception-ResNet-v2 (Szegedy et al., AAAI 2017), for pictures and for clips, with timm's parameter names.

The layout is that of the authors' code (TF-Slim), whose weights timm and Cadene's ``pretrained-models.pytorch``
converted: 32-32-64-80-192 channels in the stem, 320, 1088 and 2080 in the three stages of 10, 20 and 9 + 1 blocks, 1536
at the end, residuals scaled by 0.17, 0.10 and 0.20. 55.8 million parameters with 1,000 classes and three channels.

The published network pads nothing where it reduces, so it needs 75 pixels and spends a frame of pixels at its edges:
``padding='valid'``, the default for pictures. With ``'same'`` sizes are halved exactly, 32 pixels are enough, and the
parameters stay the same; it is the default for clips, where nothing is published. In the stem both keep every frame
(temporal stride 1); the two reductions halve time.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from isthmus.errors import ProtocolError
from isthmus.models import inception_blocks as blocks
from isthmus.models.chain import Chain
from isthmus.models.classifier import InputSpec, image_input
from isthmus.models.layers import blocks_of

Padding = Literal["valid", "same"]

REPEATS = (10, 20, 10)
"""Blocks of the three stages as published; the last of the last stage is neither scaled nor rectified."""


class InceptionResNetV2(Chain):
    """An inception network with residual connections.

    Parameters
    ----------
    spatial_dims : int
        2 for pictures, 3 for clips.
    classes, channels : int
        K and C.
    width : int
        Channels of the first convolution, a multiple of 4; 32 as published. All others in proportion.
    repeats : sequence of int
        Blocks of the three stages; 10, 20 and 10 as published.
    dropout : float
        Before the last linear layer, 0 to 1; 0.2 as published.
    padding : {'valid', 'same'}
        See above.
    stem_stride : int
        How much coarser than the picture the first stage's grid is: 8 as published; 4 or 2 keep small pictures fine,
        by leaving out the halving in the stem's last or in both of its poolings.

    Raises
    ------
    ProtocolError
        When an option has an impossible value.

    Examples
    --------
    >>> import torch
    >>> from isthmus.models.classifier import parameter_count
    >>> with torch.device("meta"):
    ...     parameter_count(InceptionResNetV2(2, classes=1000, channels=3))  # timm's own count
    55843464
    """

    published_prefix = "net."
    stem_name = "conv2d_1a.conv"
    head_name = "classif"

    def __init__(
        self,
        spatial_dims: int,
        *,
        classes: int = 2,
        channels: int = 1,
        width: int = 32,
        repeats: Sequence[int] = REPEATS,
        dropout: float = 0.2,
        padding: Padding = "valid",
        stem_stride: int = 8,
        more_inputs: tuple[InputSpec, ...] = (),
    ) -> None:
        _check_options(width=width, repeats=repeats, padding=padding, stem_stride=stem_stride)
        super().__init__(inputs=image_input(channels, spatial_dims) + more_inputs, classes=classes)
        self.minimum_size = _minimum_size(padding, stem_stride)
        shape = blocks.Shape(spatial_dims, width, padding == "same")
        conv, same = shape.convolution, shape.same
        a, b, c = repeats
        layers: dict[str, nn.Module] = {
            "conv2d_1a": shape.stem(channels),
            "conv2d_2a": conv(32, 32, 3, same=same),
            "conv2d_2b": conv(32, 64, 3),
            "maxpool_3a": shape.max_pool(2 if stem_stride > 2 else 1),
            "conv2d_3b": conv(64, 80),
            "conv2d_4a": conv(80, 192, 3, same=same),
            "maxpool_5a": shape.max_pool(2 if stem_stride > 4 else 1),
            "mixed_5b": blocks.mixed_5b(shape),
            "repeat": nn.Sequential(*(blocks.inception_a(shape) for _ in range(a))),
            "mixed_6a": blocks.reduction_a(shape),
            "repeat_1": nn.Sequential(*(blocks.inception_b(shape) for _ in range(b))),
            "mixed_7a": blocks.reduction_b(shape),
            "repeat_2": nn.Sequential(*(blocks.inception_c(shape) for _ in range(c - 1))),
            "block8": blocks.inception_c(shape, rectify=False),
            "conv2d_7b": conv(2080, 1536),
        }
        self.assemble(layers, shape.channels(1536), dropout)
        self.stages = _stages(self)

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under our names; Cadene's file names the last layer otherwise than timm's."""
        return super().from_published({name.replace("last_linear.", "classif."): state[name] for name in state})


def _stages(network: InceptionResNetV2) -> tuple[str, ...]:
    names: list[str] = []
    for layer in network.body:
        place = f"net.{layer}"
        names += blocks_of(network, place) if layer.startswith("repeat") else [place]
    return tuple(name for name in names if any(True for _ in network.get_submodule(name).parameters()))


def _minimum_size(padding: Padding, stem_stride: int) -> int:
    if padding == "same":
        return 4 * stem_stride
    # Backwards from one pixel through 7a, 6a, 5a, 4a, 3a, 2a and 1a: each needs (n - 1) * stride + 3.
    size = 1
    for stride in (2, 2, 2 if stem_stride > 4 else 1, 1, 2 if stem_stride > 2 else 1, 1, 2):
        size = (size - 1) * stride + 3
    return size


def _check_options(*, width: int, repeats: Sequence[int], padding: str, stem_stride: int) -> None:
    if width < 4 or width % 4:
        raise ProtocolError(f"width {width}", where="options.width", expected="a multiple of 4; 32 as published")
    if len(repeats) != len(REPEATS) or not all(isinstance(count, int) and count > 0 for count in repeats):
        raise ProtocolError(
            f"repeats {list(repeats)}", where="options.repeats", expected=f"three numbers, such as {list(REPEATS)}"
        )
    if padding not in ("valid", "same"):
        raise ProtocolError(f"padding {padding!r}", where="options.padding", expected="valid or same")
    if stem_stride not in (2, 4, 8):
        raise ProtocolError(f"stem_stride {stem_stride}", where="options.stem_stride", expected="8, 4 or 2")


def inception_resnet_v2(
    *,
    classes: int,
    channels: int,
    width: int = 32,
    repeats: Sequence[int] = REPEATS,
    dropout: float = 0.2,
    padding: Padding = "valid",
    stem_stride: int = 8,
) -> InceptionResNetV2:
    """Return Inception-ResNet-v2 for pictures."""
    return InceptionResNetV2(
        2, classes=classes, channels=channels, width=width, repeats=repeats, dropout=dropout, padding=padding,
        stem_stride=stem_stride,
    )  # fmt: skip


def inception_resnet_v2_3d(
    *,
    classes: int,
    channels: int,
    width: int = 32,
    repeats: Sequence[int] = REPEATS,
    dropout: float = 0.2,
    padding: Padding = "same",
    stem_stride: int = 8,
) -> InceptionResNetV2:
    """Return Inception-ResNet-v2 for clips."""
    return InceptionResNetV2(
        3, classes=classes, channels=channels, width=width, repeats=repeats, dropout=dropout, padding=padding,
        stem_stride=stem_stride,
    )  # fmt: skip
