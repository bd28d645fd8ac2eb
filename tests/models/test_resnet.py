"""ResNets: torchvision's parameter names and counts."""

import pytest
import torch

from isthmus.models.classifier import parameter_count
from isthmus.models.resnet import ResNet


# Counts from torchvision's documentation of IMAGENET1K_V1 weights ("num_params").
@pytest.mark.parametrize(
    ("name", "count"), [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)]
)
def test_the_counts_are_torchvisions(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(ResNet(name, classes=1000, channels=3)) == count


def test_the_names_are_torchvisions() -> None:
    with torch.device("meta"):
        names = {
            name.removeprefix("net.") for name, _ in ResNet("resnet50", classes=1000, channels=3).named_parameters()
        }
    # The first and last entries of torchvision's resnet50 state dictionary, and one shortcut.
    assert {"conv1.weight", "bn1.weight", "layer1.0.downsample.0.weight", "layer4.2.conv3.weight", "fc.bias"} <= names
    assert "layer1.0.downsample.0.bias" not in names
    assert len(names) == 161
