"""Grad-CAM of a network of pictures of all modalities: the map of the picture that is there, and predict --explain."""

from pathlib import Path

import torch

from isthmus.explain.gradcam import class_activation_map
from isthmus.explain.prediction_cases import predict_given
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.classifier import PRESENT, Classifier
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.join_spec import JoinSpec
from tests.inference.small_models import bundle_spec, picture

JOIN = JoinSpec(modalities=("bmode", "swe"), how="pooled")
PREPARE = Preparation(train_size=72, crop_size=64, channels="rgb", marks="keep")


def network() -> Classifier:
    torch.manual_seed(4)
    made = create_classifier("resnet18", classes=2, channels=3, options={"width": 8}, join=JOIN)
    with torch.no_grad():
        made.get_parameter("last.weight").mul_(50.0)
    return made.eval()


def test_the_map_adds_up_to_what_the_picture_brings_to_the_logit_beside_its_flag() -> None:
    # With mean pooling and one linear layer the mean of the class activation map is the logit less bias and flag
    # (Selvaraju et al. 2017, section 3.1); a modality that is absent has a map of zeros.
    made = network()
    inputs = {name: torch.rand(2, 3, 64, 64) for name in JOIN.modalities}
    inputs[PRESENT] = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    logits, weight, bias = (
        made(inputs).logits[:, 1],
        made.get_parameter("last.weight")[1],
        made.get_parameter("last.bias")[1],
    )
    for place, name in enumerate(JOIN.modalities):
        found = class_activation_map(made, inputs, 1, of=name).sum(dim=(1, 2))
        expected = (logits - bias - weight[64 + place]) * inputs[PRESENT][:, place]
        torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


def test_predict_draws_each_picture_and_what_each_modality_brought(tmp_path: Path) -> None:
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
    (one,) = done.predictions
    assert one.brought is not None
    assert set(one.brought.members) == {"bmode", "swe"}
    alone = predict_given(tmp_path / "bundle", files[1:], tmp_path / "alone", boxes=boxes[1:])
    assert "bmode is absent: the model answers without it" in alone.predictions[0].notes
