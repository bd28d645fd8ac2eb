"""Published weight files by hand: their names with their shapes, and a forward that reads nothing but those names.

The names come from the publishers' code, not from ours: torchvision's ``models/{alexnet,vgg,googlenet,densenet,
convnext}.py`` (with densenet's note that its files are older than its names) and EfficientNet-PyTorch's ``model.py``.
Each list is checked by its sum: the number of parameters that the publisher gives.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Shapes = dict[str, tuple[int, ...]]
Forward = Callable[[dict[str, Tensor], Tensor], Tensor]

# Channels of VGG16's configuration D, and each inception block's six numbers, as torchvision's code writes them.
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
INCEPTIONS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
DENSENETS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32), "densenet201": (6, 12, 48, 32)}
# Kernel, stride, expansion, channels before and after, of EfficientNet-B0's sixteen blocks (its paper's table 1).
MBCONV = (
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40), (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80), (3, 1, 6, 80, 80), (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (3, 1, 6, 192, 320),
)  # fmt: skip


def _layer(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, channels: int) -> Shapes:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def _convolution_norm(name: str, after: int, before: int, kernel: int) -> Shapes:
    return {f"{name}.conv.weight": (after, before, kernel, kernel), **_norm(f"{name}.bn", after)}


def alexnet(share: float = 1) -> Shapes:
    channels = [3, *(int(number * share) for number in (64, 192, 384, 256, 256))]
    shapes: Shapes = {}
    for index, place, kernel in zip(range(5), (0, 3, 6, 8, 10), (11, 5, 3, 3, 3), strict=True):
        shapes |= _layer(f"features.{place}", channels[index + 1], channels[index], kernel, kernel)
    hidden = int(4096 * share)
    shapes |= _layer("classifier.1", hidden, channels[-1] * 36) | _layer("classifier.4", hidden, hidden)
    return shapes | _layer("classifier.6", 1000, hidden)


def alexnet_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    maps = functional.conv2d(image, *_pair(state, "features.0"), stride=4, padding=2).relu()
    maps = functional.conv2d(functional.max_pool2d(maps, 3, 2), *_pair(state, "features.3"), padding=2).relu()
    maps = functional.max_pool2d(maps, 3, 2)
    for place in (6, 8, 10):
        maps = functional.conv2d(maps, *_pair(state, f"features.{place}"), padding=1).relu()
    flat = functional.adaptive_avg_pool2d(functional.max_pool2d(maps, 3, 2), 6).flatten(1)
    return _three_linear(state, flat, (1, 4, 6))


def vgg16(share: float = 1) -> Shapes:
    shapes: Shapes = {}
    place, now = 0, 3
    for entry in VGG16:
        if isinstance(entry, int):
            shapes |= _layer(f"features.{place}", int(entry * share), now, 3, 3)
            place, now = place + 2, int(entry * share)
        else:
            place += 1
    hidden = int(4096 * share)
    shapes |= _layer("classifier.0", hidden, now * 49) | _layer("classifier.3", hidden, hidden)
    return shapes | _layer("classifier.6", 1000, hidden)


def vgg16_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    maps, place = image, 0
    for entry in VGG16:
        if entry == "M":
            maps, place = functional.max_pool2d(maps, 2), place + 1
        else:
            maps, place = functional.conv2d(maps, *_pair(state, f"features.{place}"), padding=1).relu(), place + 2
    return _three_linear(state, functional.adaptive_avg_pool2d(maps, 7).flatten(1), (0, 3, 6))


def googlenet(share: float = 1) -> Shapes:
    def scaled(channels: int) -> int:
        return int(channels * share)

    first, third = scaled(64), scaled(192)
    shapes = _convolution_norm("conv1", first, 3, 7) | _convolution_norm("conv2", first, first, 1)
    shapes |= _convolution_norm("conv3", third, first, 3)
    for name, numbers in INCEPTIONS.items():
        before, one, reduce3, three, reduce5, five, pool = (scaled(number) for number in numbers)
        block = f"inception{name}"
        shapes |= _convolution_norm(f"{block}.branch1", one, before, 1)
        shapes |= _convolution_norm(f"{block}.branch2.0", reduce3, before, 1)
        shapes |= _convolution_norm(f"{block}.branch2.1", three, reduce3, 3)
        shapes |= _convolution_norm(f"{block}.branch3.0", reduce5, before, 1)
        shapes |= _convolution_norm(f"{block}.branch3.1", five, reduce5, 3)  # 3, not 5: torchvision issue 906
        shapes |= _convolution_norm(f"{block}.branch4.1", pool, before, 1)
    for name, before in (("aux1", 512), ("aux2", 528)):
        shapes |= _convolution_norm(f"{name}.conv", 128, before, 1)
        shapes |= _layer(f"{name}.fc1", 1024, 2048) | _layer(f"{name}.fc2", 1000, 1024)
    return shapes | _layer("fc", 1000, scaled(1024))


def googlenet_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    def convolve(maps: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        maps = functional.conv2d(maps, weight, stride=stride, padding=weight.shape[-1] // 2)
        return _normed(state, f"{name}.bn", maps, 1e-3).relu()

    maps = functional.max_pool2d(convolve(image, "conv1", 2), 3, 2, ceil_mode=True)
    maps = functional.max_pool2d(convolve(convolve(maps, "conv2"), "conv3"), 3, 2, ceil_mode=True)
    for name in INCEPTIONS:
        if name in ("4a", "5a"):
            maps = functional.max_pool2d(maps, 3 if name == "4a" else 2, 2, ceil_mode=True)
        block = f"inception{name}"
        branches = [convolve(maps, f"{block}.branch1")]
        branches += [convolve(convolve(maps, f"{block}.branch{n}.0"), f"{block}.branch{n}.1") for n in (2, 3)]
        branches.append(convolve(functional.max_pool2d(maps, 3, 1, 1), f"{block}.branch4.1"))
        maps = torch.cat(branches, 1)
    return functional.linear(maps.mean((2, 3)), *_pair(state, "fc"))


def densenet(name: str, share: float = 1) -> Shapes:
    now, growth = int(64 * share), int(32 * share)
    shapes: Shapes = {"features.conv0.weight": (now, 3, 7, 7), **_norm("features.norm0", now)}
    for block, layers in enumerate(DENSENETS[name], start=1):
        for layer in range(1, layers + 1):
            place = f"features.denseblock{block}.denselayer{layer}"
            shapes |= {**_norm(f"{place}.norm.1", now), f"{place}.conv.1.weight": (4 * growth, now, 1, 1)}
            shapes |= {**_norm(f"{place}.norm.2", 4 * growth), f"{place}.conv.2.weight": (growth, 4 * growth, 3, 3)}
            now += growth
        if block < 4:
            place = f"features.transition{block}"
            shapes |= {**_norm(f"{place}.norm", now), f"{place}.conv.weight": (now // 2, now, 1, 1)}
            now //= 2
    return {**shapes, **_norm("features.norm5", now), **_layer("classifier", 1000, now)}


def densenet_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    maps = functional.conv2d(image, state["features.conv0.weight"], stride=2, padding=3)
    maps = functional.max_pool2d(_normed(state, "features.norm0", maps).relu(), 3, 2, 1)
    for block in range(1, 5):
        layer = 1
        while f"features.denseblock{block}.denselayer{layer}.conv.1.weight" in state:
            place = f"features.denseblock{block}.denselayer{layer}"
            new = functional.conv2d(_normed(state, f"{place}.norm.1", maps).relu(), state[f"{place}.conv.1.weight"])
            new = _normed(state, f"{place}.norm.2", new).relu()
            maps = torch.cat([maps, functional.conv2d(new, state[f"{place}.conv.2.weight"], padding=1)], 1)
            layer += 1
        if block < 4:
            place = f"features.transition{block}"
            maps = functional.conv2d(_normed(state, f"{place}.norm", maps).relu(), state[f"{place}.conv.weight"])
            maps = functional.avg_pool2d(maps, 2)
    maps = _normed(state, "features.norm5", maps).relu()
    return functional.linear(maps.mean((2, 3)), *_pair(state, "classifier"))


def efficientnet_b0(_: float = 1) -> Shapes:
    shapes: Shapes = {"_conv_stem.weight": (32, 3, 3, 3), **_norm("_bn0", 32)}
    for index, (kernel, _stride, expansion, before, after) in enumerate(MBCONV):
        place, wide, squeezed = f"_blocks.{index}", before * expansion, before // 4
        if expansion > 1:
            shapes |= {f"{place}._expand_conv.weight": (wide, before, 1, 1), **_norm(f"{place}._bn0", wide)}
        shapes |= {f"{place}._depthwise_conv.weight": (wide, 1, kernel, kernel), **_norm(f"{place}._bn1", wide)}
        shapes |= _layer(f"{place}._se_reduce", squeezed, wide, 1, 1)
        shapes |= _layer(f"{place}._se_expand", wide, squeezed, 1, 1)
        shapes |= {f"{place}._project_conv.weight": (after, wide, 1, 1), **_norm(f"{place}._bn2", after)}
    return {**shapes, "_conv_head.weight": (1280, 320, 1, 1), **_norm("_bn1", 1280), **_layer("_fc", 1000, 1280)}


def efficientnet_b0_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    def convolve(maps: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        assert maps.shape[-1] % stride == 0
        over = weight.shape[-1] - stride  # TensorFlow's "same": what is odd is added on the far side
        maps = functional.pad(maps, [over // 2, over - over // 2] * 2)
        maps = functional.conv2d(maps, weight, stride=stride, groups=maps.shape[1] // weight.shape[1])
        return _normed(state, norm, maps, 1e-3)

    maps = functional.silu(convolve(image, "_conv_stem", "_bn0", 2))
    for index, (_kernel, stride, expansion, before, after) in enumerate(MBCONV):
        place, skip = f"_blocks.{index}", maps
        if expansion > 1:
            maps = functional.silu(convolve(maps, f"{place}._expand_conv", f"{place}._bn0"))
        maps = functional.silu(convolve(maps, f"{place}._depthwise_conv", f"{place}._bn1", stride))
        squeezed = functional.conv2d(maps.mean((2, 3), keepdim=True), *_pair(state, f"{place}._se_reduce"))
        gates = functional.conv2d(functional.silu(squeezed), *_pair(state, f"{place}._se_expand"))
        maps = convolve(maps * gates.sigmoid(), f"{place}._project_conv", f"{place}._bn2")
        maps = maps + skip if stride == 1 and before == after else maps
    maps = functional.silu(convolve(maps, "_conv_head", "_bn1"))
    return functional.linear(maps.mean((2, 3)), *_pair(state, "_fc"))


def convnext_tiny(share: float = 1) -> Shapes:
    channels = [int(number * share) for number in (96, 192, 384, 768)]
    shapes = _layer("features.0.0", channels[0], 3, 4, 4) | _layer("features.0.1", channels[0])
    for stage, (now, depth) in enumerate(zip(channels, (3, 3, 9, 3), strict=True)):
        if stage:
            shapes |= _layer(f"features.{2 * stage}.0", channels[stage - 1])
            shapes |= _layer(f"features.{2 * stage}.1", now, channels[stage - 1], 2, 2)
        for block in range(depth):
            place = f"features.{2 * stage + 1}.{block}"
            shapes |= {f"{place}.layer_scale": (now, 1, 1), **_layer(f"{place}.block.0", now, 1, 7, 7)}
            shapes |= _layer(f"{place}.block.2", now) | _layer(f"{place}.block.3", 4 * now, now)
            shapes |= _layer(f"{place}.block.5", now, 4 * now)
    return shapes | _layer("classifier.0", channels[-1]) | _layer("classifier.2", 1000, channels[-1])


def convnext_tiny_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    def normed(last: Tensor, name: str) -> Tensor:
        return functional.layer_norm(last, last.shape[-1:], *_pair(state, name), eps=1e-6)

    def normed_maps(maps: Tensor, name: str) -> Tensor:
        return normed(maps.permute(0, 2, 3, 1), name).permute(0, 3, 1, 2)

    maps = normed_maps(functional.conv2d(image, *_pair(state, "features.0.0"), stride=4), "features.0.1")
    for stage, depth in enumerate((3, 3, 9, 3)):
        if stage:
            maps = normed_maps(maps, f"features.{2 * stage}.0")
            maps = functional.conv2d(maps, *_pair(state, f"features.{2 * stage}.1"), stride=2)
        for block in range(depth):
            place = f"features.{2 * stage + 1}.{block}"
            weight, bias = _pair(state, f"{place}.block.0")
            inner = functional.conv2d(maps, weight, bias, padding=3, groups=maps.shape[1]).permute(0, 2, 3, 1)
            inner = functional.linear(normed(inner, f"{place}.block.2"), *_pair(state, f"{place}.block.3"))
            inner = functional.linear(functional.gelu(inner), *_pair(state, f"{place}.block.5")).permute(0, 3, 1, 2)
            maps = maps + state[f"{place}.layer_scale"] * inner
    return functional.linear(normed(maps.mean((2, 3)), "classifier.0"), *_pair(state, "classifier.2"))


def _pair(state: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return state[f"{name}.weight"], state[f"{name}.bias"]


def _normed(state: dict[str, Tensor], name: str, maps: Tensor, epsilon: float = 1e-5) -> Tensor:
    mean, variance, scale, shift = (
        state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (maps - mean) / torch.sqrt(variance + epsilon) * scale + shift


def _three_linear(state: dict[str, Tensor], flat: Tensor, places: tuple[int, int, int]) -> Tensor:
    first, second, third = (_pair(state, f"classifier.{place}") for place in places)
    hidden = functional.linear(functional.linear(flat, *first).relu(), *second).relu()
    return functional.linear(hidden, *third)
