"""ThyroNet-X4 Genesis and its ablations: one residual network, four choices.

Source: Wang et al., Scientific Reports 2025 ("ThyroNet-X4 Genesis"). The paper starts from ResNet34 and names grouped
convolutions, a 5x5 kernel in the second convolution, an expansion raised from 1 to 4, residual and dense connections,
and "30 % fewer parameters". What it leaves open is fixed here by parameter counts (millions; 3 input channels, 2
classes, no dense connections):

====================================  =====
ResNet34                              21.3
plain bottleneck, 3x3                 23.5
bottleneck, 5x5 in 2 groups           27.9
bottleneck, 5x5 in 4 groups           20.1
bottleneck, 5x5 in 8 groups           16.1   31 % under the plain bottleneck: the paper's "30 %", our default
bottleneck, 5x5 in 16 groups          14.2
bottleneck, 5x5 in 32 groups          13.2
====================================  =====

A 1,000-class head would add 2.0 (expansion 4) or 0.5 million, and fits the paper's figure no better.

The paper does not draw its dense connections. Here, at the end of each stage, the stage's input is projected by a 1x1
convolution to 32 maps (DenseNet's growth rate), concatenated to the stage's output, and merged by a 1x1 convolution in
the same number of groups, so that the count stays near the paper's: 16.9 million in 8 groups, 28 % under the plain
bottleneck. A merge without groups would cost 5 million more and leave nothing of the saving.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from isthmus.errors import ProtocolError
from isthmus.models.classifier import IMAGE, Classifier, Outputs, image_input, initialise, pooled

DEPTHS = (3, 4, 6, 3)
"""Blocks in each stage, as in ResNet34 and ResNet50."""

WIDTH = 64
"""Channels of the first stage's inner convolutions; each stage doubles them."""

GROUPS = 8
"""Groups of the 5x5 convolution; see the table above."""


class ThyroNet(Classifier):
    """A residual network of basic or bottleneck blocks with grouped, larger second kernels and dense stages.

    Parameters
    ----------
    classes, channels : int
        K and C.
    block : {'basic', 'bottleneck'}
        Two convolutions (3x3, then ``kernel``) or three (1x1, ``kernel``, 1x1).
    expansion : int
        How many times wider a block's output is than its inner convolution. 1 with basic blocks.
    kernel : int
        Side of the second convolution's kernel; odd.
    groups : int
        Groups of the second convolution, and of the dense merge.
    dense : bool
        Whether each stage's input is concatenated to its output and merged.
    width : int
        Channels of the first stage.
    depths : tuple of int
        Blocks in each stage.

    Raises
    ------
    ProtocolError
        When the options contradict each other, naming the option.

    Notes
    -----
    With ``block='basic', expansion=1, kernel=3, groups=1, dense=False`` it is ResNet34, with the same parameter names.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> round(parameter_count(ThyroNet(classes=2, channels=3, dense=False)) / 1e6, 1)
    16.1
    """

    def __init__(
        self,
        *,
        classes: int = 2,
        channels: int = 1,
        block: Literal["basic", "bottleneck"] = "bottleneck",
        expansion: int = 4,
        kernel: int = 5,
        groups: int = GROUPS,
        dense: bool = True,
        width: int = WIDTH,
        depths: tuple[int, ...] = DEPTHS,
    ) -> None:
        super().__init__(inputs=image_input(channels), classes=classes)
        _check_options(block=block, expansion=expansion, kernel=kernel, groups=groups, width=width)
        self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages: list[nn.Module] = []
        now = width
        for index, depth in enumerate(depths):
            stage = Stage(
                now,
                width * 2**index,
                depth=depth,
                stride=1 if index == 0 else 2,
                expansion=expansion,
                kernel=kernel,
                groups=groups,
                block=BasicBlock if block == "basic" else BottleneckBlock,
            )
            now = width * 2**index * expansion
            if dense:
                stages.append(DenseStage(stage, growth=width // 2, groups=groups))
            else:
                stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(now, classes)
        initialise(self)

    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last stage's maps, ``{'image': [N, D, H / 32, W / 32]}``."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(inputs[IMAGE]))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
        return {IMAGE: maps}

    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return the linear layer over the pooled maps."""
        embedding = pooled(features[IMAGE])
        return Outputs(self.fc(embedding), embedding, {})


class BasicBlock(nn.Module):
    """3x3, then ``kernel`` in ``groups``, and the skip."""

    def __init__(self, before: int, width: int, *, stride: int, expansion: int, kernel: int, groups: int) -> None:
        super().__init__()
        after = width * expansion
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, after, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _skip(before, after, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``[N, width * expansion, h / stride, w / stride]``."""
        skip = maps if self.downsample is None else self.downsample(maps)
        maps = self.relu(self.bn1(self.conv1(maps)))
        maps = self.bn2(self.conv2(maps))
        maps += skip
        return self.relu(maps)  # type: ignore[no-any-return]


class BottleneckBlock(nn.Module):
    """1x1, then ``kernel`` in ``groups``, then 1x1 to ``expansion`` times the width, and the skip."""

    def __init__(self, before: int, width: int, *, stride: int, expansion: int, kernel: int, groups: int) -> None:
        super().__init__()
        after = width * expansion
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _skip(before, after, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``[N, width * expansion, h / stride, w / stride]``."""
        skip = maps if self.downsample is None else self.downsample(maps)
        maps = self.relu(self.bn1(self.conv1(maps)))
        maps = self.relu(self.bn2(self.conv2(maps)))
        maps = self.bn3(self.conv3(maps))
        maps += skip
        return self.relu(maps)  # type: ignore[no-any-return]


class Stage(nn.Sequential):
    """Blocks of one width; the first one halves the size where ``stride`` is 2."""

    def __init__(
        self,
        before: int,
        width: int,
        *,
        depth: int,
        stride: int,
        expansion: int,
        kernel: int,
        groups: int,
        block: type[BasicBlock] | type[BottleneckBlock],
    ) -> None:
        self.before, self.after, self.stride = before, width * expansion, stride
        shared = {"expansion": expansion, "kernel": kernel, "groups": groups}
        super().__init__(
            block(before, width, stride=stride, **shared),
            *(block(width * expansion, width, stride=1, **shared) for _ in range(depth - 1)),
        )


class DenseStage(nn.Module):
    """A stage whose input, projected, is concatenated to its output and merged by a grouped 1x1 convolution."""

    def __init__(self, stage: Stage, *, growth: int, groups: int) -> None:
        super().__init__()
        self.stage = stage
        self.project = nn.Sequential(
            nn.Conv2d(stage.before, growth, 1, stride=stage.stride, bias=False),
            nn.BatchNorm2d(growth),
            nn.ReLU(inplace=True),
        )
        self.merge = GroupedMerge(stage.after, growth, groups)
        self.bn = nn.BatchNorm2d(stage.after)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the stage's own shape."""
        return self.relu(self.bn(self.merge(self.stage(maps), self.project(maps))))  # type: ignore[no-any-return]


class GroupedMerge(nn.Module):
    """A grouped 1x1 convolution of two concatenated maps, in which every group sees its share of both."""

    def __init__(self, first: int, second: int, groups: int) -> None:
        super().__init__()
        self.share, self.groups = first // groups, groups
        self.weight = nn.Parameter(torch.empty(first, (first + second) // groups, 1, 1))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return ``[N, first, h, w]``."""
        # The convolution of a concatenation is the sum of the parts' convolutions. Concatenating in memory would
        # have to interleave the groups: it takes twice the time and loses the channels-last order.
        convolve = nn.functional.conv2d
        left, right = self.weight[:, : self.share], self.weight[:, self.share :]
        return convolve(first, left, groups=self.groups) + convolve(second, right, groups=self.groups)


def _skip(before: int, after: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and before == after:
        return None
    return nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))


def _check_options(*, block: str, expansion: int, kernel: int, groups: int, width: int) -> None:
    if block == "basic" and expansion != 1:
        raise ProtocolError(f"expansion {expansion} with basic blocks", where="options.expansion", expected="1")
    if kernel < 1 or kernel % 2 == 0:
        raise ProtocolError(f"kernel {kernel}", where="options.kernel", expected="an odd number, such as 3 or 5")
    if groups < 1 or width < 2 or width % 2 or (width // 2) % groups:
        raise ProtocolError(
            f"width {width} does not share out into {groups} groups",
            where="options.groups, options.width",
            expected="groups that divide half of the width",
            hint=f"use a width that is a multiple of {2 * max(groups, 1)}",
        )


def thyronet_x4(
    *, classes: int, channels: int, groups: int = GROUPS, kernel: int = 5, dense: bool = True, width: int = WIDTH
) -> ThyroNet:
    """Return the full model: expansion 4, grouped 5x5, dense stages."""
    return ThyroNet(classes=classes, channels=channels, groups=groups, kernel=kernel, dense=dense, width=width)


def thyronet_bottleneck(
    *, classes: int, channels: int, groups: int = 1, kernel: int = 3, dense: bool = False, width: int = WIDTH
) -> ThyroNet:
    """Return the ablation "Baseline + Bottleneck": expansion 4, ungrouped 3x3, no dense connections."""
    return ThyroNet(classes=classes, channels=channels, groups=groups, kernel=kernel, dense=dense, width=width)


def thyronet_block(
    *, classes: int, channels: int, groups: int = GROUPS, kernel: int = 5, dense: bool = False, width: int = WIDTH
) -> ThyroNet:
    """Return the ablation "Baseline + Block": ResNet34 whose second convolutions are grouped 5x5."""
    return ThyroNet(
        classes=classes, channels=channels, block="basic", expansion=1,
        groups=groups, kernel=kernel, dense=dense, width=width,
    )  # fmt: skip
