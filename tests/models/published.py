"""Published weight files by hand: their names with their shapes, and a forward that reads nothing but those names.

The names come from the publishers' code, not from ours: torchvision's ``models/{alexnet,vgg,googlenet,densenet,
convnext}.py`` and ``models/video/resnet.py`` (with densenet's note that its files are older than its names),
EfficientNet-PyTorch's ``model.py``, timm's ``inception_resnet_v2.py`` and piergiaj's ``pytorch_i3d.py``.
Each list is checked by its sum: the number of parameters that the publisher gives.
"""

from collections.abc import Callable, Iterator

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
I3D_INCEPTIONS = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}
DENSENETS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32), "densenet201": (6, 12, 48, 32)}
# Kernel, stride, expansion, channels before and after, of EfficientNet-B0's sixteen blocks (its paper's table 1).
MBCONV = (
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40), (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80), (3, 1, 6, 80, 80), (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (3, 1, 6, 192, 320),
)  # fmt: skip


def _inception_resnet() -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    """Yield the name, channels before and after, and kernel of each of timm's convolutions, in its order."""
    one, three = (1, 1), (3, 3)
    stem = ((3, 32, three), (32, 32, three), (32, 64, three), (64, 80, one), (80, 192, three))
    for name, layer in zip(("1a", "2a", "2b", "3b", "4a"), stem, strict=True):
        yield (f"conv2d_{name}", *layer)
    yield "mixed_5b.branch0", 192, 96, one
    yield from _chain("mixed_5b.branch1", 192, (48, one), (64, (5, 5)))
    yield from _chain("mixed_5b.branch2", 192, (64, one), (96, three), (96, three))
    yield "mixed_5b.branch3.1", 192, 64, one
    for block in (f"repeat.{index}" for index in range(10)):
        yield f"{block}.branch0", 320, 32, one
        yield from _chain(f"{block}.branch1", 320, (32, one), (32, three))
        yield from _chain(f"{block}.branch2", 320, (32, one), (48, three), (64, three))
        yield f"{block}.conv2d", 128, 320, one
    yield "mixed_6a.branch0", 320, 384, three
    yield from _chain("mixed_6a.branch1", 320, (256, one), (256, three), (384, three))
    for block in (f"repeat_1.{index}" for index in range(20)):
        yield f"{block}.branch0", 1088, 192, one
        yield from _chain(f"{block}.branch1", 1088, (128, one), (160, (1, 7)), (192, (7, 1)))
        yield f"{block}.conv2d", 384, 1088, one
    yield from _chain("mixed_7a.branch0", 1088, (256, one), (384, three))
    yield from _chain("mixed_7a.branch1", 1088, (256, one), (288, three))
    yield from _chain("mixed_7a.branch2", 1088, (256, one), (288, three), (320, three))
    for block in (*(f"repeat_2.{index}" for index in range(9)), "block8"):
        yield f"{block}.branch0", 2080, 192, one
        yield from _chain(f"{block}.branch1", 2080, (192, one), (224, (1, 3)), (256, (3, 1)))
        yield f"{block}.conv2d", 448, 2080, one
    yield "conv2d_7b", 2080, 1536, one


def _chain(
    name: str, before: int, *layers: tuple[int, tuple[int, int]]
) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    for index, (after, kernel) in enumerate(layers):
        yield f"{name}.{index}", before, after, kernel
        before = after


INCEPTION_RESNET = tuple(_inception_resnet())


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


def inception_resnet_v2(share: float = 1) -> Shapes:
    """timm's: 1,000 classes; the file that it publishes has 1,001, one for the background."""
    shapes: Shapes = {}
    for name, before, after, kernel in INCEPTION_RESNET:
        before, after = (before if name.startswith("conv2d_1a") else int(before * share)), int(after * share)
        if name.endswith("conv2d"):
            shapes |= _layer(name, after, before, 1, 1)
        else:
            shapes |= {f"{name}.conv.weight": (after, before, *kernel), **_norm(f"{name}.bn", after)}
    return shapes | _layer("classif", 1000, int(1536 * share))


def inception_resnet_v2_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    def convolve(maps: Tensor, name: str, stride: int = 1, *, valid: bool = False) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        padding = (0, 0) if valid else (weight.shape[2] // 2, weight.shape[3] // 2)
        return _normed(
            state, f"{name}.bn", functional.conv2d(maps, weight, stride=stride, padding=padding), 1e-3
        ).relu()

    def chain(maps: Tensor, name: str, length: int, stride: int = 1) -> Tensor:
        for index in range(length):
            last = index == length - 1
            maps = convolve(maps, f"{name}.{index}", stride if last else 1, valid=last and stride == 2)
        return maps

    def residual(maps: Tensor, name: str, lengths: tuple[int, ...], scale: float) -> Tensor:
        branches = [convolve(maps, f"{name}.branch0")]
        branches += [chain(maps, f"{name}.branch{index}", length) for index, length in enumerate(lengths, start=1)]
        added = functional.conv2d(torch.cat(branches, 1), *_pair(state, f"{name}.conv2d"))
        return added * scale + maps

    maps = convolve(convolve(image, "conv2d_1a", 2, valid=True), "conv2d_2a", valid=True)
    maps = functional.max_pool2d(convolve(maps, "conv2d_2b"), 3, 2)
    maps = functional.max_pool2d(convolve(convolve(maps, "conv2d_3b"), "conv2d_4a", valid=True), 3, 2)
    mean = functional.avg_pool2d(maps, 3, 1, 1, count_include_pad=False)
    branches = [convolve(maps, "mixed_5b.branch0"), chain(maps, "mixed_5b.branch1", 2)]
    branches += [chain(maps, "mixed_5b.branch2", 3), convolve(mean, "mixed_5b.branch3.1")]
    maps = torch.cat(branches, 1)
    for index in range(10):
        maps = residual(maps, f"repeat.{index}", (2, 3), 0.17).relu()
    branches = [convolve(maps, "mixed_6a.branch0", 2, valid=True), chain(maps, "mixed_6a.branch1", 3, 2)]
    maps = torch.cat([*branches, functional.max_pool2d(maps, 3, 2)], 1)
    for index in range(20):
        maps = residual(maps, f"repeat_1.{index}", (3,), 0.10).relu()
    branches = [chain(maps, f"mixed_7a.branch{index}", length, 2) for index, length in enumerate((2, 2, 3))]
    maps = torch.cat([*branches, functional.max_pool2d(maps, 3, 2)], 1)
    for index in range(9):
        maps = residual(maps, f"repeat_2.{index}", (3,), 0.20).relu()
    maps = convolve(residual(maps, "block8", (3,), 1.0), "conv2d_7b")
    return functional.linear(maps.mean((2, 3)), *_pair(state, "classif"))


def r2plus1d_18(share: float = 1) -> Shapes:
    first = int(64 * share)
    between = int(45 * share)
    shapes: Shapes = {"stem.0.weight": (between, 3, 1, 7, 7), **_norm("stem.1", between)}
    shapes |= {"stem.3.weight": (first, between, 3, 1, 1), **_norm("stem.4", first)}
    now = first
    for layer in range(1, 5):
        after = first * 2 ** (layer - 1)
        for block in range(2):
            place = f"layer{layer}.{block}"
            middle = (now * after * 3 * 3 * 3) // (now * 3 * 3 + 3 * after)
            for name, before in (("conv1", now), ("conv2", after)):
                shapes |= {
                    f"{place}.{name}.0.0.weight": (middle, before, 1, 3, 3),
                    **_norm(f"{place}.{name}.0.1", middle),
                }
                shapes |= {f"{place}.{name}.0.3.weight": (after, middle, 3, 1, 1), **_norm(f"{place}.{name}.1", after)}
            if now != after:
                shapes |= {
                    f"{place}.downsample.0.weight": (after, now, 1, 1, 1),
                    **_norm(f"{place}.downsample.1", after),
                }
            now = after
    return shapes | _layer("fc", 400, now)


def r2plus1d_18_forward(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    def plane_and_time(maps: Tensor, name: str, stride: int) -> Tensor:
        plane, time = state[f"{name}.0.weight"], state[f"{name}.3.weight"]
        edge = plane.shape[-1] // 2
        maps = functional.conv3d(maps, plane, stride=(1, stride, stride), padding=(0, edge, edge))
        maps = _normed(state, f"{name}.1", maps).relu()
        return functional.conv3d(maps, time, stride=(1 if name == "stem" else stride, 1, 1), padding=(1, 0, 0))

    maps = _normed(state, "stem.4", plane_and_time(clip, "stem", 2)).relu()
    for layer in range(1, 5):
        for block in range(2):
            place, stride, skip = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1, maps
            maps = _normed(state, f"{place}.conv1.1", plane_and_time(maps, f"{place}.conv1.0", stride)).relu()
            maps = _normed(state, f"{place}.conv2.1", plane_and_time(maps, f"{place}.conv2.0", 1))
            if f"{place}.downsample.0.weight" in state:
                skip = functional.conv3d(skip, state[f"{place}.downsample.0.weight"], stride=stride)
                skip = _normed(state, f"{place}.downsample.1", skip)
            maps = (maps + skip).relu()
    return functional.linear(maps.mean((2, 3, 4)), *_pair(state, "fc"))


def i3d(share: float = 1) -> Shapes:
    def unit(name: str, after: int, before: int, kernel: int) -> Shapes:
        return {f"{name}.conv3d.weight": (after, before, *(kernel,) * 3), **_norm(f"{name}.bn", after)}

    first, third = int(64 * share), int(192 * share)
    shapes = unit("Conv3d_1a_7x7", first, 3, 7) | unit("Conv3d_2b_1x1", first, first, 1)
    shapes |= unit("Conv3d_2c_3x3", third, first, 3)
    for name, numbers in I3D_INCEPTIONS.items():
        before, one, reduce_a, a, reduce_b, b, pool = (int(number * share) for number in numbers)
        block = f"Mixed_{name}"
        shapes |= unit(f"{block}.b0", one, before, 1) | unit(f"{block}.b3b", pool, before, 1)
        shapes |= unit(f"{block}.b1a", reduce_a, before, 1) | unit(f"{block}.b1b", a, reduce_a, 3)
        shapes |= unit(f"{block}.b2a", reduce_b, before, 1) | unit(f"{block}.b2b", b, reduce_b, 3)
    return shapes | {"logits.conv3d.weight": (400, int(1024 * share), 1, 1, 1), "logits.conv3d.bias": (400,)}


def i3d_forward(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    def padded(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        over = [
            max(-(-size // s) * s - size + k - s, 0) for size, k, s in zip(maps.shape[2:], kernel, stride, strict=True)
        ]
        return functional.pad(maps, [side for each in reversed(over) for side in (each // 2, each - each // 2)])

    def unit(maps: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv3d.weight"]
        maps = functional.conv3d(padded(maps, tuple(weight.shape[2:]), (stride,) * 3), weight, stride=stride)
        return _normed(state, f"{name}.bn", maps, 1e-3).relu()

    def pool(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
        return functional.max_pool3d(padded(maps, kernel, stride), kernel, stride)

    maps = pool(unit(clip, "Conv3d_1a_7x7", 2), (1, 3, 3), (1, 2, 2))
    maps = unit(unit(maps, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
    before = {"3b": ((1, 3, 3), (1, 2, 2)), "4b": ((3, 3, 3), (2, 2, 2)), "5b": ((2, 2, 2), (2, 2, 2))}
    for name in I3D_INCEPTIONS:
        if name in before:
            maps = pool(maps, *before[name])
        block = f"Mixed_{name}"
        branches = [unit(maps, f"{block}.b0")]
        branches += [unit(unit(maps, f"{block}.b{n}a"), f"{block}.b{n}b") for n in (1, 2)]
        maps = torch.cat([*branches, unit(pool(maps, (3, 3, 3), (1, 1, 1)), f"{block}.b3b")], 1)
    logits = functional.conv3d(maps, *_pair(state, "logits.conv3d"))
    return logits.mean((2, 3, 4))


def _pair(state: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return state[f"{name}.weight"], state[f"{name}.bias"]


def _normed(state: dict[str, Tensor], name: str, maps: Tensor, epsilon: float = 1e-5) -> Tensor:
    mean, variance, scale, shift = (
        state[f"{name}.{part}"].view(1, -1, *[1] * (maps.ndim - 2))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (maps - mean) / torch.sqrt(variance + epsilon) * scale + shift


def _three_linear(state: dict[str, Tensor], flat: Tensor, places: tuple[int, int, int]) -> Tensor:
    first, second, third = (_pair(state, f"classifier.{place}") for place in places)
    hidden = functional.linear(functional.linear(flat, *first).relu(), *second).relu()
    return functional.linear(hidden, *third)
