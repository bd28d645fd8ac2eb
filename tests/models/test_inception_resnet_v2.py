"""Inception-ResNet-v2: the published layout, what same padding and a finer stem change, and time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import ProtocolError
from isthmus.models.classifier import parameter_count
from isthmus.models.inception_resnet_v2 import InceptionResNetV2
from isthmus.models.registry import create


def shapes(network: InceptionResNetV2, *size: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each layer's maps [D, …] for one picture or clip."""
    found: dict[str, tuple[int, ...]] = {}
    maps = torch.zeros(1, 1, *size)
    with torch.no_grad():
        for name in network.body:
            maps = network.net[name](maps)
            found[name] = tuple(maps.shape[1:])
    return found


def test_the_published_network_has_the_published_channels_and_grids() -> None:
    # Grids and channels: the paper's figures 3 and 15 (35 x 35, 17 x 17, 8 x 8 of 299 pixels) and timm's code.
    with torch.device("meta"):
        found = shapes(create("inception_resnet_v2").eval(), 299, 299)  # type: ignore[arg-type]
    assert found["maxpool_5a"] == (192, 35, 35)
    assert found["repeat"] == (320, 35, 35)
    assert found["repeat_1"] == (1088, 17, 17)
    assert found["block8"] == (2080, 8, 8)
    assert found["conv2d_7b"] == (1536, 8, 8)


def test_the_scales_are_the_published_ones() -> None:
    with torch.device("meta"):
        network: Any = create("inception_resnet_v2")
    assert [[block.scale for block in network.net[name]] for name in ("repeat", "repeat_1", "repeat_2")] == [
        [0.17] * 10, [0.10] * 20, [0.20] * 9,
    ]  # fmt: skip
    assert (network.net["block8"].scale, network.net["block8"].rectify) == (1.0, False)


def test_of_clips_the_stem_keeps_every_frame_and_each_reduction_halves_time() -> None:
    with torch.device("meta"):
        found = shapes(create("inception_resnet_v2_3d").eval(), 16, 64, 64)  # type: ignore[arg-type]
    assert found["repeat"] == (320, 16, 8, 8)
    assert found["repeat_1"] == (1088, 8, 4, 4)
    assert found["conv2d_7b"] == (1536, 4, 2, 2)


def test_every_kernel_of_clips_has_its_namesake_of_pictures_and_each_pair_sees_time_once() -> None:
    with torch.device("meta"):
        flat, clips = create("inception_resnet_v2"), create("inception_resnet_v2_3d")
    assert set(flat.state_dict()) == set(clips.state_dict())
    kernels = {
        tuple(module.kernel_size): tuple(clips.get_submodule(name).kernel_size)  # type: ignore[arg-type]
        for name, module in flat.named_modules()
        if isinstance(module, nn.Conv2d)
    }
    assert kernels == {
        (1, 1): (1, 1, 1), (3, 3): (3, 3, 3), (5, 5): (3, 5, 5),
        (1, 7): (1, 1, 7), (7, 1): (3, 7, 1), (1, 3): (1, 1, 3), (3, 1): (3, 3, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "smallest"),
    [
        ({}, 75),
        ({"stem_stride": 4}, 51),
        ({"stem_stride": 2}, 31),
        ({"padding": "same"}, 32),
        ({"padding": "same", "stem_stride": 4}, 16),
        ({"padding": "same", "stem_stride": 2}, 8),
    ],
)
def test_padding_and_stem_change_the_smallest_size_and_no_parameter(options: dict[str, Any], smallest: int) -> None:
    with torch.device("meta"):
        network: Any = create("inception_resnet_v2", width=8, repeats=[1, 1, 2], **options).eval()
        plain = create("inception_resnet_v2", width=8, repeats=[1, 1, 2])
        assert network.minimum_size == smallest
        assert shapes(network, smallest, smallest)["conv2d_7b"] == (384, 1, 1)
        if options.get("padding") != "same":  # which always leaves a pixel, if of less than the full stride
            with pytest.raises(RuntimeError, match=r"[Oo]utput size|[Kk]ernel size"):
                shapes(network, smallest - 1, smallest - 1)
    assert parameter_count(network) == parameter_count(plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 6}, r"width 6 \(options.width\); expected a multiple of 4"),
        ({"repeats": [2, 4]}, r"repeats \[2, 4\] .*three numbers, such as \[10, 20, 10\]"),
        ({"repeats": [2, 0, 2]}, r"repeats \[2, 0, 2\]"),
        ({"padding": "reflect"}, "expected valid or same"),
        ({"stem_stride": 16}, "stem_stride 16 .*expected 8, 4 or 2"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        create("inception_resnet_v2_3d", **options)


def clip(seed: int = 0) -> Tensor:
    return torch.randn(1, 1, 6, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_the_cnn_with_lstm_reads_frames_in_their_order_and_as_asked() -> None:
    torch.manual_seed(0)
    mean = create("cnn_lstm", width=8, hidden=8).eval()
    last = create("cnn_lstm", width=8, hidden=8, read="last").eval()
    last.load_state_dict(mean.state_dict())
    with torch.no_grad():
        forward, backward = (mean({"image": maps}).logits for maps in (clip(), clip().flip(2)))
        assert not torch.allclose(forward, backward, atol=1e-4)
        assert not torch.allclose(last({"image": clip()}).logits, forward, atol=1e-4)
    with pytest.raises(ProtocolError, match=r"read 'first' .*expected mean or last"):
        create("cnn_lstm", read="first")


def test_the_3d_resnets_have_the_counts_of_their_public_relatives() -> None:
    # torchvision's r3d_18 has 33,371,472 parameters with a first kernel of 3 x 7 x 7; Hara's is 7 x 7 x 7.
    with torch.device("meta"):
        network = create("resnet18_3d", classes=400, channels=3)
    assert parameter_count(network) - 3 * 64 * 4 * 7 * 7 == 33_371_472
