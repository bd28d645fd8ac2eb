"""The arms of wang2025: every one is built as each profile has it and takes the picture that it prepares."""

import pytest
import torch

from isthmus.models.registry import card, create
from isthmus.protocol.resolve import resolve_protocol

ARMS = (
    "thyronet_x4", "resnet34", "bottleneck", "block", "vgg16", "alexnet", "googlenet", "mobilenet_v2",
    "densenet121", "densenet169", "densenet201",
)  # fmt: skip


def test_the_arms_are_the_papers_under_the_papers_names():
    # Wang et al. 2025: the ablation's four rows; the comparison's VGGNet, AlexNet, GoogLeNet and MobileNet.
    arms = resolve_protocol("wang2025").arms
    assert tuple(arms) == ARMS
    assert [arms[arm].title for arm in ARMS[:4]] == [
        "ThyroNet-X4 (full)", "Baseline (ResNet34)", "Baseline + Bottleneck", "Baseline + Block",
    ]  # fmt: skip


def test_every_arm_is_trained_alike():
    arms = resolve_protocol("wang2025").arms
    assert len({arm.train.model_dump_json() for arm in arms.values()}) == 1
    assert len({arm.prepare.model_dump_json() for arm in arms.values()}) == 1


@pytest.mark.parametrize("profile", ["paper", "small"])
def test_every_arm_takes_the_pictures_of_the_profile(profile):
    for arm in resolve_protocol("wang2025", profile).arms.values():
        assert card(arm.network).minimum_size <= arm.prepare.crop_size


def test_the_smoke_profile_compares_two_arms_alone():
    assert list(resolve_protocol("wang2025", "smoke").arms) == ["thyronet_x4", "resnet34"]


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_of_the_smoke_profile_answers_when_it_is_asked_for(arm):
    asked = resolve_protocol("wang2025", "smoke", ["only=null"]).arms[arm]
    network = create(asked.network, classes=2, channels=1, **asked.options).eval()
    side = asked.prepare.crop_size
    with torch.no_grad():
        assert network({"image": torch.zeros(1, 1, side, side)}).logits.shape == (1, 2)
