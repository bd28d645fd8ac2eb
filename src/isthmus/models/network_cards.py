"""What is told of each network that Isthmus brings. Importing it imports no torch."""

from typing import Any

from isthmus.models.network_card import NetworkCard

_WANG = "Wang et al., Scientific Reports 2025 (ThyroNet-X4 Genesis)"
_HE = "He et al., CVPR 2016"
_HARA = "Hara et al., CVPR 2018"
_HUANG = "Huang et al., CVPR 2017"


def _card(
    name: str,
    summary: str,
    source: str,
    millions: float,
    options: dict[str, tuple[Any, str]],
    *,
    dims: int = 2,
    minimum_size: int = 32,
    module: str = "",
    **more: Any,
) -> NetworkCard:
    """Return a card; ``module`` where the builder's differs from the name."""
    return NetworkCard(
        name=name,
        summary=summary,
        source=source,
        spatial_dims=dims,
        parameters_millions=millions,
        minimum_size=minimum_size,
        builder=f"isthmus.models.{module or name}:{name}",
        options=options,
        **more,
    )


def _thyronet(name: str, summary: str, millions: float, *, groups: int, kernel: int, dense: bool) -> NetworkCard:
    options = {
        "groups": (groups, "groups of each block's second convolution; must divide half of the width"),
        "kernel": (kernel, "side of that convolution's kernel, odd"),
        "dense": (dense, "whether each stage's input is concatenated to its output and merged"),
        "width": (64, "channels of the first stage"),
    }
    return _card(name, summary, _WANG, millions, options, module="thyronet")


def _of_pictures_and_clips(
    flat: str, summary: str, sources: tuple[str, str], millions: float, width: str, dims: int
) -> NetworkCard:
    """Return the card of a network that is built for pictures, or for clips with the weights of pictures."""
    return _card(
        flat if dims == 2 else f"{flat}_3d",
        summary,
        sources[dims - 2],
        millions,
        {"width": (64, width)},
        dims=dims,
        module=flat.rstrip("0123456789"),
        weights=(f"{flat}_imagenet",),
        requires=("torch", "monai"),
        twin=flat if dims == 3 else None,
    )


def _resnet(depth: int, millions: float, *, dims: int = 2) -> NetworkCard:
    summary = f"residual network of {depth} layers{' for clips, 3x3x3 kernels' if dims == 3 else ''}"
    width = "channels of the first stage; published weights need 64"
    return _of_pictures_and_clips(f"resnet{depth}", summary, (_HE, _HARA), millions, width, dims)


def _densenet(depth: int, millions: float, *, dims: int = 2) -> NetworkCard:
    summary = f"densely connected network of {depth} layers{' for clips' if dims == 3 else ''}"
    width = "channels of the first convolution, even; each layer adds half; published weights: 64"
    return _of_pictures_and_clips(f"densenet{depth}", summary, (_HUANG, _HARA), millions, width, dims)


_DROPOUT = "before the last linear layer, 0 to 1"
_DROP_BLOCKS = "training leaves out blocks of an example with a probability rising to this, 0 to 1"


def _plain(name: str, summary: str, source: str, millions: float, minimum_size: int) -> NetworkCard:
    options = {
        "width": (64, "channels of the first convolution; two hidden layers of 64 times; published weights: 64"),
        "dropout": (0.5, "at each of the two hidden linear layers, 0 to 1"),
    }
    module = "vgg" if name == "vgg16" else name
    weights = (f"{name}_imagenet",)
    return _card(name, summary, source, millions, options, minimum_size=minimum_size, module=module, weights=weights)


_STEM_STRIDE = "how much coarser than the picture the first stage's grid is: 8, 4 or 2; 4 keeps small pictures fine"


def _inception_resnet(name: str, summary: str, source: str, millions: float, *, dims: int) -> NetworkCard:
    padding = "valid" if dims == 2 else "same"
    options = {
        "width": (32, "channels of the first convolution, a multiple of 4; published weights need 32"),
        "repeats": ((10, 20, 10), "blocks of the three stages, such as [2, 4, 2]; published weights need these"),
        "dropout": (0.2, _DROPOUT),
        "padding": (padding, "valid as published, from 75 pixels on, or same, from 32 pixels on"),
        "stem_stride": (8, _STEM_STRIDE),
    }
    return _card(
        name,
        summary,
        source,
        millions,
        options,
        dims=dims,
        minimum_size=75 if dims == 2 else 32,
        module=name.removesuffix("_3d"),
        twin="inception_resnet_v2" if dims == 3 else None,
    )


_SZEGEDY = "Szegedy et al., AAAI 2017"


_CARDS = (
    _thyronet(
        "thyronet_x4", "bottleneck blocks with grouped 5x5 kernels, dense stages", 16.90, groups=8, kernel=5, dense=True
    ),
    _thyronet("thyronet_bottleneck", "ablation: bottleneck blocks, plain 3x3", 23.51, groups=1, kernel=3, dense=False),
    _thyronet("thyronet_block", "ablation: ResNet34 with grouped 5x5 kernels", 13.89, groups=8, kernel=5, dense=False),
    _resnet(18, 11.17),
    _resnet(34, 21.28),
    _resnet(50, 23.51),
    _card(
        "mobilenet_v2",
        "inverted residuals, depthwise kernels: the small and quick one",
        "Sandler et al., CVPR 2018",
        2.23,
        {
            "width": (1.0, "multiplier of all channels; published weights need 1.0"),
            "dropout": (0.2, _DROPOUT),
        },
        weights=("mobilenet_v2_imagenet",),
    ),
    _plain(
        "alexnet", "five convolutions, no norms, wide linear layers", "Krizhevsky, arXiv:1404.5997, 2014", 57.00, 63
    ),
    _plain("vgg16", "plain 3x3 convolutions, no norms, wide linear layers", "Simonyan, ICLR 2015", 134.27, 32),
    _card(
        "googlenet",
        "inception blocks with batch norm, no auxiliary heads",
        "Szegedy et al., CVPR 2015; batch norm as in torchvision",
        5.60,
        {
            "width": (64, "channels of the first convolution, a multiple of 4; published weights need 64"),
            "dropout": (0.2, _DROPOUT),
        },
        weights=("googlenet_imagenet",),
    ),
    _densenet(121, 6.95),
    _densenet(169, 12.48),
    _densenet(201, 18.09),
    _card(
        "efficientnet_b0",
        "inverted residuals that weigh their channels, sizes found by search",
        "Tan and Le, ICML 2019",
        4.01,
        {
            "width": (1.0, "multiplier of all channels; published weights need 1.0"),
            "dropout": (0.2, _DROPOUT),
            "drop_blocks": (0.2, _DROP_BLOCKS),
        },
        module="efficientnet",
        weights=("efficientnet_b0_imagenet",),
        requires=("torch", "monai"),
    ),
    _card(
        "convnext_tiny",
        "depthwise 7x7 kernels and layer norm: a residual network brought up to date",
        "Liu et al., CVPR 2022",
        27.82,
        {
            "width": (96, "channels of the first stage; published weights need 96"),
            "drop_blocks": (0.1, _DROP_BLOCKS),
        },
        module="convnext",
        weights=("convnext_tiny_imagenet",),
        requires=("torch", "transformers"),
    ),
    _inception_resnet(
        "inception_resnet_v2",
        "inception blocks with scaled residual connections",
        _SZEGEDY,
        54.31,
        dims=2,
    ),
    _inception_resnet(
        "inception_resnet_v2_3d",
        "inception_resnet_v2 for clips: 3 x k x k kernels, the two reductions halve time",
        f"{_SZEGEDY}, made three-dimensional",
        79.37,
        dims=3,
    ),
    _inception_resnet(
        "calcification_inception_resnet_v2_3d",
        "inception_resnet_v2_3d with two gates that listen to bright specks",
        "Qian et al., Cancer Imaging 2025",
        79.53,
        dims=3,
    ),
    _resnet(18, 33.16, dims=3),
    _resnet(50, 46.16, dims=3),
    _densenet(121, 11.24, dims=3),
    _card(
        "i3d",
        "inception for clips",
        "Carreira and Zisserman, CVPR 2017",
        12.25,
        {
            "width": (64, "channels of the first convolution, a multiple of 4; published weights need 64"),
            "dropout": (0.5, _DROPOUT),
        },
        dims=3,
    ),
    _card(
        "r2plus1d_18",
        "residual network of 18 layers, its kernels split into plane and time",
        "Tran et al., CVPR 2018",
        31.30,
        {"width": (64, "channels of the first stage; published weights need 64")},
        dims=3,
        module="r2plus1d",
        weights=("r2plus1d_18_kinetics",),
    ),
    _card(
        "cnn_lstm",
        "ResNet18 over each frame, and an LSTM that reads the frames",
        "Donahue et al., CVPR 2015",
        11.96,
        {
            "width": (64, "channels of the first stage of ResNet18; published weights need 64"),
            "hidden": (256, "of the LSTM"),
            "read": ("mean", "what the last layer sees of the LSTM's states: their mean, or the last"),
        },
        dims=3,
        weights=("resnet18_imagenet",),
        requires=("torch", "monai"),
        twin="resnet18",
    ),
)


def cards() -> dict[str, NetworkCard]:
    """Return the networks that Isthmus brings, by name."""
    return {entry.name: entry for entry in _CARDS}
