"""What every network of the registry keeps: shapes, counts, features and head apart, ONNX, a smallest size."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import InputError
from isthmus.models.classifier import Classifier, parameter_count
from isthmus.models.registry import NetworkCard, cards, create

# The narrowest version of each network: the laws do not depend on width, the seconds do.
NARROW: dict[str, dict[str, Any]] = {
    "thyronet_x4": {"width": 16},
    "thyronet_bottleneck": {"width": 16},
    "thyronet_block": {"width": 16},
    "resnet18": {"width": 8},
    "resnet34": {"width": 8},
    "resnet50": {"width": 8},
    "mobilenet_v2": {"width": 0.25},
    "alexnet": {"width": 8},
    "vgg16": {"width": 8},
    "googlenet": {"width": 8},
    "densenet121": {"width": 8},
    "densenet169": {"width": 8},
    "densenet201": {"width": 8},
    "efficientnet_b0": {"width": 0.25},
    "convnext_tiny": {"width": 8},
    "inception_resnet_v2": {"width": 8, "repeats": (1, 2, 2), "padding": "same"},
    "inception_resnet_v2_3d": {"width": 8, "repeats": (1, 2, 2)},
    "calcification_inception_resnet_v2_3d": {"width": 8, "repeats": (1, 2, 2)},
    "resnet18_3d": {"width": 8},
    "resnet50_3d": {"width": 8},
    "densenet121_3d": {"width": 8},
    "i3d": {"width": 8},
    "r2plus1d_18": {"width": 8},
    "cnn_lstm": {"width": 8, "hidden": 8},
}
SIZE = 64
CLIP = (4, 32, 32)
# The last maps of a picture of 64 pixels, where they are not 64 / 32: before the last pooling; and of the clip.
LAST_MAPS = {
    "alexnet": (3, 3),
    "vgg16": (4, 4),
    **{name: (1, 1, 1) for name, card in cards().items() if card.spatial_dims == 3},
    "r2plus1d_18": (1, 2, 2),
    "cnn_lstm": (4, 1, 1),
}
# Exported once by hand and found equal; the exporter takes a quarter of a minute for each, and what it exports is the
# same few modules as another's, more often or of one dimension less.
DEEPER = {
    "densenet169": "densenet121",
    "densenet201": "densenet121",
    "inception_resnet_v2": "calcification_inception_resnet_v2_3d",
    "inception_resnet_v2_3d": "calcification_inception_resnet_v2_3d",
    "resnet50_3d": "resnet18_3d",
    "densenet121_3d": "densenet121",
    "r2plus1d_18": "resnet18_3d",
}


@pytest.fixture(scope="module", params=sorted(cards()))
def card(request: pytest.FixtureRequest) -> NetworkCard:
    return cards()[request.param]


@pytest.fixture(scope="module")
def network(card: NetworkCard) -> Classifier:
    torch.manual_seed(0)
    return create(card.name, classes=3, channels=1, **NARROW[card.name]).eval()


@pytest.fixture(scope="module")
def inputs(card: NetworkCard) -> dict[str, Tensor]:
    return {"image": pictures(card, 1)}


def pictures(card: NetworkCard, seed: int) -> Tensor:
    size = (SIZE, SIZE) if card.spatial_dims == 2 else CLIP
    return torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(seed))


def test_its_card_says_its_count_and_smallest_size(card: NetworkCard) -> None:
    with torch.device("meta"):  # shapes without numbers: quick
        full = create(card.name)
    assert round(parameter_count(full) / 1e6, 2) == card.parameters_millions
    assert (full.minimum_size, full.minimum_frames) == (card.minimum_size, card.minimum_frames)
    assert {spec.spatial_dims for spec in full.inputs} == {card.spatial_dims}
    assert card.twin is None or cards()[card.twin].spatial_dims == 2


def test_its_outputs_have_the_agreed_shapes(network: Classifier, inputs: dict[str, Tensor]) -> None:
    with torch.no_grad():
        maps = network.features(inputs)["image"]
        outputs = network(inputs)
    assert maps.shape[0] == 2
    assert tuple(maps.shape[2:]) == LAST_MAPS.get(network.network, (SIZE // 32, SIZE // 32))
    assert outputs.logits.shape == (2, 3)
    assert outputs.embedding.shape == (2, _head(network).in_features)
    assert outputs.logits.dtype == torch.float32
    assert torch.isfinite(outputs.logits).all()
    assert not torch.equal(outputs.logits[0], outputs.logits[1])


def test_forward_is_the_head_of_the_features(network: Classifier, inputs: dict[str, Tensor]) -> None:
    with torch.no_grad():
        apart = network.head(network.features(inputs), inputs)
        whole = network(inputs)
    assert torch.equal(apart.logits, whole.logits)
    assert torch.equal(apart.embedding, whole.embedding)


def test_a_gradient_reaches_the_last_maps_through_the_head_alone(
    network: Classifier, inputs: dict[str, Tensor]
) -> None:
    network.zero_grad()
    with torch.no_grad():
        maps = network.features(inputs)["image"]
    maps.requires_grad_()
    network.head({"image": maps}, inputs).logits[:, 2].sum().backward()
    assert maps.grad is not None
    assert float(maps.grad.abs().sum()) > 0
    of_the_head = _with_gradient(network)
    network.zero_grad()
    network.features(inputs)["image"].sum().backward()
    of_the_features = _with_gradient(network)
    published = f"{network.published_prefix}{network.head_name}"
    assert {f"{published}.weight", f"{published}.bias"} <= of_the_head
    assert of_the_head.isdisjoint(of_the_features)
    assert of_the_head | of_the_features == {name for name, _ in network.named_parameters()}
    network.zero_grad()


def test_every_parameter_learns(card: NetworkCard, inputs: dict[str, Tensor]) -> None:
    network = create(card.name, classes=3, channels=1, **NARROW[card.name]).train()
    network(inputs).logits.square().sum().backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert silent == []


def test_the_stem_and_the_head_are_where_it_says(network: Classifier) -> None:
    stem = network.get_submodule(network.published_prefix + network.stem_name)
    assert isinstance(stem, nn.Conv2d | nn.Conv3d)
    assert stem.in_channels == 1
    assert _head(network).out_features == 3


def test_it_answers_at_its_smallest_size_and_refuses_below(network: Classifier, card: NetworkCard) -> None:
    smallest, frames = network.minimum_size, (network.minimum_frames,) * (card.spatial_dims == 3)
    with torch.no_grad():
        assert network({"image": torch.zeros(1, 1, *frames, smallest, smallest)}).logits.shape == (1, 3)
    with pytest.raises(
        InputError, match=rf"is {smallest - 1}x{smallest} pixels; expected at least {smallest}x{smallest}"
    ):
        network({"image": torch.zeros(1, 1, *frames, smallest - 1, smallest)})
    if frames:
        few = frames[0] - 1
        with pytest.raises(InputError, match=rf"has {few} frames; expected at least {frames[0]}.*prepare.frames.count"):
            network({"image": torch.zeros(1, 1, few, smallest, smallest)})


def test_its_stages_hold_all_that_its_features_learn_but_for_small_parts(network: Classifier) -> None:
    if not network.stages:
        pytest.skip("a network of pictures that is never too large to keep")
    names = [name for name, _ in network.named_parameters()]
    for stage in network.stages:
        assert network.get_submodule(stage) is not None
        assert not any(other.startswith(f"{stage}.") for other in network.stages)
    within = [name for name in names if name.startswith(tuple(f"{stage}." for stage in network.stages))]
    assert len(within) > 0.8 * len(names)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"needs the input 'image'; expected \[N, 1, H, W\]"),
        ({"image": torch.zeros(1, 3, 64, 64)}, r"'image' is \[1, 3, 64, 64\]; expected \[N, 1, H, W\]"),
        ({"image": torch.zeros(1, 64, 64)}, r"'image' is \[1, 64, 64\]"),
    ],
)
def test_a_wrong_input_is_named(given: dict[str, Tensor], message: str) -> None:
    network = create("mobilenet_v2", width=0.25)
    with pytest.raises(InputError, match=message):
        network(given)


def test_onnx_runtime_gives_the_same_logits(
    network: Classifier, card: NetworkCard, inputs: dict[str, Tensor], tmp_path: Path
) -> None:
    if network.network in DEEPER:
        pytest.skip(f"the same modules as {DEEPER[network.network]}")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        # torch 2.13's exporter calls a part of itself that it has deprecated.
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated", category=FutureWarning)
        # Unoptimised and of a fixed batch: half the seconds, and what is tested is the network, not the optimiser.
        torch.onnx.export(
            _Logits(network).eval(), (inputs["image"],), path, dynamo=True, verbose=False, optimize=False,
            custom_translation_table={torch.ops.aten.conv3d.default: _conv3d},
        )  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    others = pictures(card, 2)
    with torch.no_grad():
        expected = network({"image": others}).logits.numpy()
    (found,) = session.run(None, {session.get_inputs()[0].name: others.numpy()})
    # design.md: 1e-4; relative, since random weights give logits of any size.
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, float(np.abs(expected).max()))


def _conv3d(
    maps: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (0, 0, 0),
    dilation: Sequence[int] = (1, 1, 1),
    groups: int = 1,
) -> Any:
    # onnxscript 0.7.2 gives a convolution of clips without bias one of shape [D, 2], which ONNX Runtime refuses.
    from onnxscript import opset18

    given = {"strides": list(stride), "pads": [*padding, *padding], "dilations": list(dilation), "group": groups}
    return opset18.Conv(maps, weight, *(() if bias is None else (bias,)), **given)


def _head(network: Classifier) -> nn.Linear:
    head = network.get_submodule(network.published_prefix + network.head_name)
    assert isinstance(head, nn.Linear)
    return head


def _with_gradient(network: Classifier) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.grad is not None}


class _Logits(nn.Module):
    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network({"image": image}).logits
