"""What is told of each network that Isthmus brings. Importing it imports no torch."""

from typing import Any

from isthmus.models.network_card import NetworkCard

_WANG = "Wang et al., Scientific Reports 2025 (ThyroNet-X4 Genesis)"
_HE = "He et al., CVPR 2016"
_HARA = "Hara et al., CVPR 2018"
_MODULES = "isthmus.models."


def _thyronet(name: str, summary: str, millions: float, *, groups: int, kernel: int, dense: bool) -> NetworkCard:
    return NetworkCard(
        name=name,
        summary=summary,
        source=_WANG,
        spatial_dims=2,
        parameters_millions=millions,
        minimum_size=32,
        builder=f"{_MODULES}thyronet:{name}",
        options={
            "groups": (groups, "groups of each block's second convolution; must divide half of the width"),
            "kernel": (kernel, "side of that convolution's kernel, odd"),
            "dense": (dense, "whether each stage's input is concatenated to its output and merged"),
            "width": (64, "channels of the first stage"),
        },
    )


def _resnet(depth: int, millions: float, *, dims: int = 2) -> NetworkCard:
    flat = f"resnet{depth}"
    name = flat if dims == 2 else f"{flat}_3d"
    return NetworkCard(
        name=name,
        summary=f"residual network of {depth} layers{' for clips, 3x3x3 kernels' if dims == 3 else ''}",
        source=_HE if dims == 2 else _HARA,
        spatial_dims=dims,
        parameters_millions=millions,
        minimum_size=32,
        builder=f"{_MODULES}resnet:{name}",
        options={"width": (64, "channels of the first stage; published weights need 64")},
        weights=(f"{flat}_imagenet",),
        requires=("torch", "monai"),
        twin=flat if dims == 3 else None,
    )


_DROPOUT = "before the last linear layer, 0 to 1"
_DROP_BLOCKS = "training leaves out blocks of an example with a probability rising to this, 0 to 1"


def _densenet(depth: int, millions: float, *, dims: int = 2) -> NetworkCard:
    flat = f"densenet{depth}"
    name = flat if dims == 2 else f"{flat}_3d"
    return NetworkCard(
        name=name,
        summary=f"densely connected network of {depth} layers{' for clips' if dims == 3 else ''}",
        source="Huang et al., CVPR 2017" if dims == 2 else _HARA,
        spatial_dims=dims,
        parameters_millions=millions,
        minimum_size=32,
        builder=f"{_MODULES}densenet:{name}",
        options={"width": (64, "channels of the first convolution, even; each layer adds half; published weights: 64")},
        weights=(f"{flat}_imagenet",),
        requires=("torch", "monai"),
        twin=flat if dims == 3 else None,
    )


def _plain(name: str, summary: str, source: str, millions: float, minimum_size: int) -> NetworkCard:
    return NetworkCard(
        name=name,
        summary=summary,
        source=source,
        spatial_dims=2,
        parameters_millions=millions,
        minimum_size=minimum_size,
        builder=f"{_MODULES}{'vgg' if name == 'vgg16' else name}:{name}",
        options={
            "width": (64, "channels of the first convolution; two hidden layers of 64 times; published weights: 64"),
            "dropout": (0.5, "at each of the two hidden linear layers, 0 to 1"),
        },
        weights=(f"{name}_imagenet",),
    )


_STEM_STRIDE = "how much coarser than the picture the first stage's grid is: 8, 4 or 2; 4 keeps small pictures fine"


def _inception_resnet(name: str, summary: str, source: str, millions: float, *, dims: int, **more: Any) -> NetworkCard:
    padding = "valid" if dims == 2 else "same"
    return NetworkCard(
        name=name,
        summary=summary,
        source=source,
        spatial_dims=dims,
        parameters_millions=millions,
        minimum_size=75 if padding == "valid" else 32,
        options={
            "width": (32, "channels of the first convolution, a multiple of 4; published weights need 32"),
            "repeats": ((10, 20, 10), "blocks of the three stages, such as [2, 4, 2]; published weights need these"),
            "dropout": (0.2, _DROPOUT),
            "padding": (padding, "valid as published, from 75 pixels on, or same, from 32 pixels on"),
            "stem_stride": (8, _STEM_STRIDE),
        },
        twin="inception_resnet_v2" if dims == 3 else None,
        **more,
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
    NetworkCard(
        name="mobilenet_v2",
        summary="inverted residuals, depthwise kernels: the small and quick one",
        source="Sandler et al., CVPR 2018",
        spatial_dims=2,
        parameters_millions=2.23,
        minimum_size=32,
        builder=f"{_MODULES}mobilenet_v2:mobilenet_v2",
        options={
            "width": (1.0, "multiplier of all channels; published weights need 1.0"),
            "dropout": (0.2, _DROPOUT),
        },
        weights=("mobilenet_v2_imagenet",),
    ),
    _plain(
        "alexnet", "five convolutions, no norms, wide linear layers", "Krizhevsky, arXiv:1404.5997, 2014", 57.00, 63
    ),
    _plain("vgg16", "plain 3x3 convolutions, no norms, wide linear layers", "Simonyan, ICLR 2015", 134.27, 32),
    NetworkCard(
        name="googlenet",
        summary="inception blocks with batch norm, no auxiliary heads",
        source="Szegedy et al., CVPR 2015; batch norm as in torchvision",
        spatial_dims=2,
        parameters_millions=5.60,
        minimum_size=32,
        builder=f"{_MODULES}googlenet:googlenet",
        options={
            "width": (64, "channels of the first convolution, a multiple of 4; published weights need 64"),
            "dropout": (0.2, _DROPOUT),
        },
        weights=("googlenet_imagenet",),
    ),
    _densenet(121, 6.95),
    _densenet(169, 12.48),
    _densenet(201, 18.09),
    NetworkCard(
        name="efficientnet_b0",
        summary="inverted residuals that weigh their channels, sizes found by search",
        source="Tan and Le, ICML 2019",
        spatial_dims=2,
        parameters_millions=4.01,
        minimum_size=32,
        builder=f"{_MODULES}efficientnet:efficientnet_b0",
        options={
            "width": (1.0, "multiplier of all channels; published weights need 1.0"),
            "dropout": (0.2, _DROPOUT),
            "drop_blocks": (0.2, _DROP_BLOCKS),
        },
        weights=("efficientnet_b0_imagenet",),
        requires=("torch", "monai"),
    ),
    NetworkCard(
        name="convnext_tiny",
        summary="depthwise 7x7 kernels and layer norm: a residual network brought up to date",
        source="Liu et al., CVPR 2022",
        spatial_dims=2,
        parameters_millions=27.82,
        minimum_size=32,
        builder=f"{_MODULES}convnext:convnext_tiny",
        options={
            "width": (96, "channels of the first stage; published weights need 96"),
            "drop_blocks": (0.1, _DROP_BLOCKS),
        },
        weights=("convnext_tiny_imagenet",),
        requires=("torch", "transformers"),
    ),
    _inception_resnet(
        "inception_resnet_v2",
        "inception blocks with scaled residual connections",
        _SZEGEDY,
        54.31,
        dims=2,
        builder=f"{_MODULES}inception_resnet_v2:inception_resnet_v2",
    ),
    _inception_resnet(
        "inception_resnet_v2_3d",
        "inception_resnet_v2 for clips: 3 x k x k kernels, the two reductions halve time",
        f"{_SZEGEDY}, made three-dimensional",
        79.37,
        dims=3,
        builder=f"{_MODULES}inception_resnet_v2:inception_resnet_v2_3d",
    ),
    _inception_resnet(
        "calcification_inception_resnet_v2_3d",
        "inception_resnet_v2_3d with two gates that listen to bright specks",
        "Qian et al., Cancer Imaging 2025",
        79.53,
        dims=3,
        builder=f"{_MODULES}calcification_inception_resnet_v2:calcification_inception_resnet_v2_3d",
    ),
    _resnet(18, 33.16, dims=3),
    _resnet(50, 46.16, dims=3),
    _densenet(121, 11.24, dims=3),
    NetworkCard(
        name="i3d",
        summary="inception for clips",
        source="Carreira and Zisserman, CVPR 2017",
        spatial_dims=3,
        parameters_millions=12.25,
        minimum_size=32,
        builder=f"{_MODULES}i3d:i3d",
        options={
            "width": (64, "channels of the first convolution, a multiple of 4; published weights need 64"),
            "dropout": (0.5, _DROPOUT),
        },
    ),
    NetworkCard(
        name="r2plus1d_18",
        summary="residual network of 18 layers, its kernels split into plane and time",
        source="Tran et al., CVPR 2018",
        spatial_dims=3,
        parameters_millions=31.30,
        minimum_size=32,
        builder=f"{_MODULES}r2plus1d:r2plus1d_18",
        options={"width": (64, "channels of the first stage; published weights need 64")},
        weights=("r2plus1d_18_kinetics",),
    ),
    NetworkCard(
        name="cnn_lstm",
        summary="ResNet18 over each frame, and an LSTM that reads the frames",
        source="Donahue et al., CVPR 2015",
        spatial_dims=3,
        parameters_millions=11.96,
        minimum_size=32,
        builder=f"{_MODULES}cnn_lstm:cnn_lstm",
        options={
            "width": (64, "channels of the first stage of ResNet18; published weights need 64"),
            "hidden": (256, "of the LSTM"),
            "read": ("mean", "what the last layer sees of the LSTM's states: their mean, or the last"),
        },
        weights=("resnet18_imagenet",),
        requires=("torch", "monai"),
        twin="resnet18",
    ),
)


def cards() -> dict[str, NetworkCard]:
    """Return the networks that Isthmus brings, by name."""
    return {entry.name: entry for entry in _CARDS}
