"""Grad-CAM of clips: time is kept, against MONAI's in three dimensions."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from isthmus.explain.gradcam import class_activation_map, grad_cam
from isthmus.explain.prepared_heat import heat_of_pixels, maps_to_explain, views_at_once
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import Classifier, InputSpec, Outputs
from isthmus.models.registry import create
from tests.explain.clips import PREPARATION, Brightest


class Small3d(Classifier):
    """Three convolutions of three dimensions."""

    def __init__(self) -> None:
        super().__init__(inputs=(InputSpec("image", 1, 3), InputSpec("lesion_mask", 1, 3, required=False)), classes=2)
        layers: list[nn.Module] = []
        for before, after, stride in ((1, 8, (1, 2, 2)), (8, 16, (2, 2, 2)), (16, 16, (1, 2, 2))):
            layers += [nn.Conv3d(before, after, 3, stride, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.fc = nn.Linear(16, 2)
        self.seen: list[torch.Tensor] = []

    def features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if "lesion_mask" in inputs:
            self.seen.append(inputs["lesion_mask"])
        return {"image": self.body(inputs["image"])}

    def head(self, features: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> Outputs:
        embedding = torch.tanh(features["image"]).mean(dim=(2, 3, 4))
        return Outputs(self.fc(embedding), embedding, {})


def small() -> Small3d:
    torch.manual_seed(3)
    network = Small3d()
    with torch.no_grad():
        network.fc.weight.mul_(5.0)
    return network.eval()


def clips(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 1, 8, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("target", [0, 1])
def test_a_clip_s_heat_is_monai_s_on_the_same_scale(target: int) -> None:
    from monai.visualize import GradCAM

    class Plain(nn.Module):
        def __init__(self, inner: Classifier) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.inner({"image": image}).logits

    network = small()
    cam = GradCAM(Plain(network), target_layers="inner.body.5", postprocessing=lambda heat: heat)
    expected = cam(clips(), class_idx=target).detach().numpy()[:, 0]
    expected = expected / expected.reshape(2, -1).max(axis=1).reshape(2, 1, 1, 1)
    found = grad_cam(network, {"image": clips()}, target)
    assert found.shape == (2, 8, 32, 32)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_weights_are_means_over_time_and_place() -> None:
    network = small()
    maps = network.features({"image": clips()})["image"].detach().requires_grad_()
    network.head({"image": maps}, {}).logits[:, 1].sum().backward()
    expected = (maps.grad.mean(dim=(2, 3, 4), keepdim=True) * maps).sum(dim=1).detach()
    assert expected.shape == (2, 4, 4, 4)
    torch.testing.assert_close(class_activation_map(network, {"image": clips()}, 1), expected)


def pixels(count: int = 3, stored: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, stored, 36, 36, 1)).astype(np.uint8)


def test_heat_of_a_clip_has_the_frames_that_the_network_sees_and_does_not_depend_on_the_batch() -> None:
    together = heat_of_pixels([small()], pixels(), PREPARATION, 1, batch_size=3)
    assert together.shape == (3, 6, 32, 32)
    np.testing.assert_allclose(heat_of_pixels([small()], pixels(), PREPARATION, 1, batch_size=1), together, atol=1e-5)


def test_a_network_that_takes_the_lesion_gets_it() -> None:
    network, masks = small(), np.ones((3, 12, 36, 36), np.uint8)
    heat_of_pixels([network], pixels(), PREPARATION, 1, masks=masks)
    assert network.seen[-1].shape == (3, 1, 6, 32, 32)
    assert bool((network.seen[-1] == 1).all())


def flat(**changes: Any) -> Preparation:
    return PREPARATION.model_copy(update={"layout": "2d", **changes})


def test_a_2d_network_explains_each_frame_by_itself_and_the_frames_of_a_clip_share_a_scale() -> None:
    torch.manual_seed(0)
    network = create("resnet18", classes=2, channels=1, width=16).eval()
    own = pixels()
    found = heat_of_pixels([network], own, flat(), 1, signed=True)
    assert found.shape == (3, 6, 32, 32)
    still = flat(frames=FrameSampling(count=1, stored=1))
    frames = own[:, 1::2]  # the middle of each of six strata of twelve
    alone = np.stack([heat_of_pixels([network], frames[:, [t]], still, 1, signed=True) for t in range(6)], axis=1)
    for clip, single in zip(found, alone, strict=True):
        assert abs(clip).max() == pytest.approx(1.0)
        for frame, one in zip(clip, single, strict=True):
            # The same picture of heat, less bright where the clip has a hotter frame.
            np.testing.assert_allclose(frame, one * abs(frame).max(), atol=1e-4)


def test_a_bright_speck_is_hot_in_its_frames_and_nowhere_else() -> None:
    own = np.full((1, 12, 36, 36, 1), 40, np.uint8)
    own[0, 5:8, 10:14, 10:14] = 250
    for network, preparation in ((Brightest(3), PREPARATION), (Brightest(2), flat())):
        heat = heat_of_pixels([network], own, preparation, 1)[0]
        # Frames 1, 3, 5, … are seen: the third and fourth of six show it.
        hot = heat.reshape(6, -1).max(axis=1)
        assert hot[[2, 3]].min() > 0.5, network.dimensions
        assert hot[[0, 5]].max() == 0.0, network.dimensions
        assert heat[2, 8:12, 8:12].min() > 0.2, network.dimensions


def test_the_maps_of_small_clips_are_the_deepest_that_have_seven_cells_on_a_side() -> None:
    assert maps_to_explain(small(), PREPARATION) == (None, (3, 4, 4))  # it names no stages
    assert maps_to_explain(Brightest(2), flat()) == (None, (8, 8))
    network = small()
    network.stages = ("body.0", "body.2", "body.4")
    assert maps_to_explain(network, PREPARATION) == ("body.4", (3, 8, 8))
    still = Preparation(train_size=36, crop_size=32)
    assert maps_to_explain(create("resnet18", classes=2, channels=1, width=8), still).stage is None


@pytest.mark.parametrize("stage", ["body.2", "body.4"])
def test_heat_of_maps_that_go_into_a_stage_is_that_of_the_network_from_there_on(stage: str) -> None:
    network, place = small(), int(stage.removeprefix("body."))
    maps = network.body[:place](clips()).detach().requires_grad_()
    network.head({"image": network.body[place:](maps)}, {}).logits[:, 1].sum().backward()
    expected = (maps.grad.mean(dim=(2, 3, 4), keepdim=True) * maps).sum(dim=1).detach()
    network.zero_grad(set_to_none=True)
    torch.testing.assert_close(class_activation_map(network, {"image": clips()}, 1, stage), expected)
    assert all(parameter.grad is None for parameter in network.body.parameters())


@pytest.mark.parametrize("name", ["calcification_inception_resnet_v2_3d", "r2plus1d_18", "i3d", "cnn_lstm"])
def test_networks_of_clips_have_heat_of_every_frame(name: str) -> None:
    torch.manual_seed(0)
    options = {"width": 8, "repeats": [1, 1, 1]} if "inception" in name else {"width": 8}
    network = create(name, classes=2, channels=1, **options).eval()
    preparation = Preparation.model_validate({"train_size": 64, "layout": "3d", "frames": {"count": 8}})
    own = np.random.default_rng(0).integers(0, 256, (1, 8, 64, 64, 1)).astype(np.uint8)
    maps = maps_to_explain(network, preparation)
    assert maps.stage is not None
    assert maps.grid[1:] == (8, 8)
    heat = heat_of_pixels([network], own, preparation, 1, signed=True)
    assert heat.shape == (1, 8, 64, 64)
    assert abs(heat).max() == pytest.approx(1.0)


def test_the_maps_of_the_attention_network_are_those_behind_its_gate() -> None:
    torch.manual_seed(0)
    network = create("calcification_inception_resnet_v2_3d", classes=2, channels=1, width=8, repeats=[1, 1, 1]).eval()
    inputs, seen = {"image": torch.rand(1, 1, 8, 64, 64)}, list[torch.Tensor]()
    gate = network.get_submodule("attention.gate_1")
    gate.register_forward_hook(lambda module, arguments, output: seen.append(output[0].detach()))
    stage = next(name for name in network.stages if "mixed_6a" in name)
    network.get_submodule(stage).register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach()))
    assert maps_to_explain(network, Preparation.model_validate(
        {"train_size": 64, "layout": "3d", "frames": {"count": 8}})).stage == stage  # fmt: skip
    seen.clear()
    class_activation_map(network, inputs, 1, stage)
    torch.testing.assert_close(seen[0], seen[1])


def test_as_many_clips_are_looked_at_together_as_memory_of_stills_allows() -> None:
    assert views_at_once(Preparation(train_size=224), 16) == 16
    assert views_at_once(Preparation(train_size=64), 16) == 16
    assert views_at_once(PREPARATION.model_copy(update={"crop_size": 224}), 32) == 5
    large = Preparation.model_validate({"train_size": 224, "layout": "3d", "frames": {"count": 64}})
    assert views_at_once(large, 16) == 1
