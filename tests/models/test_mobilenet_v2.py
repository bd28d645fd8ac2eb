"""MobileNetV2: torchvision's names, and parity of the real ImageNet weights with a forward written another way."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from isthmus.models.classifier import parameter_count
from isthmus.models.mobilenet_v2 import MobileNetV2
from isthmus.models.state import read_state
from isthmus.models.weights import load_initial_weights


@pytest.fixture(scope="module")
def weights_file(data_folder: Path) -> Path:
    path = data_folder / "weights" / "mobilenet_v2_dequantised.pth"
    if not path.is_file():
        pytest.skip("no real MobileNetV2 weights")
    return path


def straight_forward(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """MobileNetV2 read off the names of its state dictionary, with nothing of ours."""

    def convolve(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)
        keys = ("running_mean", "running_var", "weight", "bias")
        mean, variance, scale, shift = (state[f"{norm}.{key}"].view(1, -1, 1, 1) for key in keys)
        return (x - mean) / torch.sqrt(variance + 1e-5) * scale + shift

    x = convolve(image, "features.0.0", "features.0.1", 2).clamp(0, 6)
    for index in range(1, 18):
        block, skip = f"features.{index}.conv", x
        stride = 2 if index in (2, 4, 7, 14) else 1  # the first blocks of the paper's rows with s = 2
        deepest = 0
        if index > 1:
            x = convolve(x, f"{block}.0.0", f"{block}.0.1").clamp(0, 6)
            deepest = 1
        x = convolve(x, f"{block}.{deepest}.0", f"{block}.{deepest}.1", stride).clamp(0, 6)
        x = convolve(x, f"{block}.{deepest + 1}", f"{block}.{deepest + 2}")
        x = x + skip if stride == 1 and x.shape == skip.shape else x
    x = convolve(x, "features.18.0", "features.18.1").clamp(0, 6).mean((2, 3))
    return x @ state["classifier.1.weight"].T + state["classifier.1.bias"]


def test_the_real_weights_load_strictly_and_give_the_straight_forwards_logits(weights_file: Path) -> None:
    network = MobileNetV2(classes=1000, channels=3).eval()
    provenance = load_initial_weights(network, weights_file)
    assert provenance.notes == ()
    image = torch.rand(2, 3, 128, 160, generator=torch.Generator().manual_seed(0)) * 4 - 2
    with torch.no_grad():
        ours = network({"image": image}).logits
        expected = straight_forward(read_state(weights_file), image)
    assert float((ours - expected).abs().max()) < 1e-4
    assert float(ours.std()) > 0.5  # trained weights tell classes apart; silent ones would agree with anything


def test_one_grey_channel_sees_what_three_equal_channels_saw(weights_file: Path) -> None:
    grey, colour = MobileNetV2(classes=2, channels=1).eval(), MobileNetV2(classes=1000, channels=3).eval()
    provenance = load_initial_weights(grey, weights_file)
    load_initial_weights(colour, weights_file)
    assert len(provenance.notes) == 2
    image = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        one = grey.features({"image": image})["image"]
        three = colour.features({"image": image.expand(-1, 3, -1, -1)})["image"]
    assert float((one - three).abs().max()) < 1e-4
    assert float(three.std()) > 0.01


def test_the_count_and_names_are_torchvisions() -> None:
    with torch.device("meta"):
        network = MobileNetV2(classes=1000, channels=3)
    assert parameter_count(network) == 3_504_872  # torchvision's documentation, "num_params"
    assert {name.split(".")[1] for name in network.state_dict()} == {"features", "classifier"}


@pytest.mark.parametrize(("width", "stem"), [(0.25, 8), (0.5, 16), (1.0, 32), (1.4, 48)])
def test_the_width_multiplier_rounds_to_eights_as_published(width: float, stem: int) -> None:
    # 32 * width to the nearest multiple of 8, not below 90 %: 44.8 becomes 48.
    with torch.device("meta"):
        network = MobileNetV2(width=width)
    assert network.get_submodule("net.features.0.0").weight.shape[0] == stem
