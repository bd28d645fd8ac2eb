"""Grad-CAM of one branch: its own picture's evidence, and none where its modality is absent."""

from pathlib import Path

import numpy as np
import torch

from isthmus.explain.gradcam import class_activation_map
from isthmus.explain.prediction_cases import predict_given
from isthmus.explain.prepared_heat import heat_of_pixels, maps_to_explain
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.classifier import PRESENT, Classifier
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.join_spec import JoinSpec
from tests.inference.small_models import bundle_spec, picture

JOIN = JoinSpec(modalities=("bmode", "swe"), how="branches")
PREPARE = Preparation(train_size=72, crop_size=64, channels="rgb", marks="keep")


def network() -> Classifier:
    torch.manual_seed(4)
    made = create_classifier("resnet18", classes=2, channels=3, options={"width": 8}, join=JOIN)
    with torch.no_grad():
        made.get_submodule("last").weight.mul_(50.0)  # type: ignore[operator]
    return made.eval()


def test_a_branchs_map_adds_up_to_what_it_brings_to_the_logit() -> None:
    # With mean pooling and one linear layer the mean of the class activation map is the branch's share of the logit
    # (Selvaraju et al. 2017, section 3.1: Grad-CAM generalises CAM), and weights of an absent branch get no gradient.
    made = network()
    inputs = {name: torch.rand(2, 3, 64, 64) for name in JOIN.modalities}
    inputs[PRESENT] = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    weight = made.get_parameter("last.weight")[1]
    features = made.features(inputs)
    for place, name in enumerate(JOIN.modalities):
        found = class_activation_map(made, inputs, 1, of=name).sum(dim=(1, 2))
        embedding = features[name].mean(dim=(2, 3))
        expected = (embedding * weight[64 * place : 64 * (place + 1)]).sum(dim=1) * inputs[PRESENT][:, place]
        torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


def test_heat_of_prepared_pixels_is_asked_for_a_branch() -> None:
    made = network()
    pixels = np.random.default_rng(0).integers(1, 255, (3, 2, 72, 72, 3), np.uint8)
    pixels[2, 1] = 0
    heat = heat_of_pixels([made], pixels, PREPARE, 1, of="swe", signed=True)
    assert heat.shape == (3, 64, 64)
    assert np.abs(heat[:2]).max() == 1.0
    assert not heat[2].any()
    assert maps_to_explain(made, PREPARE, of="swe").grid == (2, 2)


def test_predict_draws_each_branch_and_what_each_modality_brought(tmp_path: Path) -> None:
    own = bundle_spec(
        network={"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": 3},
        requires={"modalities": list(JOIN.modalities), "region": "box"}, prepare=PREPARE,
    )  # fmt: skip
    part = {"log_prior_shift": [0.1, -0.1], "class_shares": [0.6, 0.4]}
    spec = BundleSpec.model_validate({**own.model_dump(), "join": JOIN, "parts": [part]})
    write_bundle(tmp_path / "bundle", spec, [network().state_dict()])
    files = [f"{name}={picture(tmp_path / f'{name}.png', seed)}" for seed, name in enumerate(JOIN.modalities)]
    boxes = [f"{name}=40,30,100,80" for name in JOIN.modalities]
    done = predict_given(tmp_path / "bundle", files, tmp_path / "out", boxes=boxes, explain=True)
    assert sorted(path.name for path in done.overlays) == [
        "001_bmode_bmode.png", "001_modalities.png", "001_swe_swe.png",
    ]  # fmt: skip
    assert all(path.is_file() for path in done.overlays)
    (brought,) = (one.brought for one in done.predictions)
    assert brought is not None
    assert list(brought.members) == ["bmode", "swe"]
    assert any("the share of the class in training" in line for line in done.lines())
