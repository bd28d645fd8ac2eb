"""A network with a branch for each modality: what an absent one shows does not matter, what is there does."""

import contextlib

import numpy as np
import pytest
import torch

from isthmus.errors import InputError, ProtocolError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.batch import inputs_of
from isthmus.models.branches import Branches
from isthmus.models.classifier import PRESENT, Classifier
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.join_spec import JoinSpec
from isthmus.models.registry import create
from isthmus.training.recompute import recomputing

NAMES = ("bmode", "smi", "swe")
JOIN = JoinSpec(modalities=NAMES, how="branches")


@pytest.fixture
def network() -> Branches:
    torch.manual_seed(0)
    made = Branches(create("resnet18", channels=3, width=8), NAMES)
    for vector in made.absent.values():
        torch.nn.init.normal_(vector)
    torch.nn.init.normal_(made.last.weight)
    return made


def views(present: list[list[int]], seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pictures = {name: torch.rand(len(present), 3, 32, 32, generator=generator) for name in NAMES}
    return {**pictures, PRESENT: torch.tensor(present, dtype=torch.float32)}


@pytest.mark.parametrize("training", [False, True])
def test_what_an_absent_modality_shows_does_not_matter(network: Branches, training: bool) -> None:
    network.train(training)
    one, other = (
        views([[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]),
        views([[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]),
    )
    other["swe"][:2] = 7.0
    torch.testing.assert_close(network(one).logits, network(other).logits)


def test_what_is_there_matters_and_so_does_that_it_is_absent(network: Branches) -> None:
    network.eval()
    all_there, without = views([[1, 1, 1]]), views([[1, 1, 0]])
    other = {**all_there, "swe": all_there["swe"] + 1}
    assert not torch.allclose(network(all_there).logits, network(other).logits)
    assert not torch.allclose(network(all_there).logits, network(without).logits)


def test_batch_norm_learns_from_pictures_that_are_there(network: Branches) -> None:
    network.train()
    bright = views([[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]])
    bright["swe"][:2] = 1e6
    network(bright)
    statistics = network.branches["swe"].get_submodule("net.bn1").running_mean
    assert isinstance(statistics, torch.Tensor)
    assert statistics.abs().max() < 10


@pytest.mark.parametrize("there", [[[1, 0, 0], [1, 0, 1]], [[1, 0, 0], [1, 0, 0]]])
def test_a_batch_with_one_picture_of_a_modality_or_none_trains(network: Branches, there: list[list[int]]) -> None:
    network.train()
    network(views(there)).logits.sum().backward()
    assert network.absent["smi"].grad is not None
    assert float(network.absent["smi"].grad.abs().sum()) > 0
    assert network.branches["smi"].get_submodule("net.bn1").training


def test_half_precision_and_recomputed_stages_train_it_alike(network: Branches) -> None:
    inputs = views([[1, 0, 0], [1, 0, 1], [1, 1, 1]])
    with torch.autocast("cpu", torch.bfloat16):
        network.train()(inputs).logits.float().sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    gradients = []
    for context in (contextlib.nullcontext(), recomputing(network)):
        network.zero_grad()
        with context:
            network(inputs).logits.sum().backward()
        gradients.append(network.get_parameter("branches.swe.net.conv1.weight").grad)
    torch.testing.assert_close(*gradients)


def test_every_branch_begins_with_the_same_weights_and_trains_its_own() -> None:
    network = Branches(create("resnet18", channels=3, width=8), NAMES)
    first, second = (network.get_parameter(f"branches.{name}.net.conv1.weight") for name in NAMES[:2])
    torch.testing.assert_close(first, second)
    assert first is not second


def test_the_names_and_the_order_of_the_weights_are_those_of_bundles_and_checkpoints_that_there_are() -> None:
    alone = [name for name in create("resnet18", channels=3, width=8).state_dict() if not name.startswith("net.fc.")]
    network = Branches(create("resnet18", channels=3, width=8), NAMES)
    expected = [f"branches.{modality}.{name}" for modality in NAMES for name in alone]
    expected += [*(f"absent.{modality}" for modality in NAMES), "last.weight", "last.bias"]
    assert list(network.state_dict()) == expected


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "vgg16", "googlenet"])
def test_the_networks_of_the_paper_can_be_branches(name: str) -> None:
    network = Branches(create(name, channels=3, width=8 if name == "densenet121" else 4), NAMES).eval()
    side = network.minimum_size
    inputs = {n: torch.rand(2, 3, side, side) for n in NAMES} | {PRESENT: torch.tensor([[1.0, 0, 1], [0, 1, 0]])}
    outputs = network(inputs)
    assert outputs.logits.shape == (2, 2)
    # The published last layer is gone: no weight is there that nothing trains.
    network.train()(inputs).logits.sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


def test_heads_of_descriptors_stand_on_the_joined_embedding() -> None:
    heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
    network = create_classifier("resnet18", classes=2, channels=3, options={"width": 8}, descriptors=heads, join=JOIN)
    assert isinstance(network, Classifier)
    assert network.eval()(views([[1, 0, 1]])).auxiliary["descriptor.margin"].shape == (1, 2)


def test_networks_of_clips_have_no_branches() -> None:
    with pytest.raises(ProtocolError, match="resnet18_3d cannot look at several modalities"):
        Branches(create("resnet18_3d", width=8), NAMES)


def test_a_black_picture_is_an_absent_modality() -> None:
    network = Branches(create("resnet18", channels=3, width=8), NAMES)
    prepare = Preparation(crop="scan_area", channels="rgb", train_size=36, crop_size=32, normalise="imagenet")
    pixels = np.zeros((2, 3, 36, 36, 3), np.uint8)
    pixels[0, 1, 20, 20] = 1
    pixels[1] = 9
    inputs = inputs_of(network, pixels, None, prepare)
    assert list(inputs) == [*NAMES, PRESENT]
    assert inputs[PRESENT].tolist() == [[0, 1, 0], [1, 1, 1]]
    assert inputs["smi"].shape == (2, 3, 32, 32)
    with pytest.raises(InputError, match="bmode, smi, swe"):
        inputs_of(network, pixels[:, :2], None, prepare)


def test_an_input_without_its_flags_is_refused(network: Branches) -> None:
    inputs = views([[1, 1, 1]])
    del inputs[PRESENT]
    with pytest.raises(InputError, match=r"needs the input 'present'.*\[N, 3\]"):
        network(inputs)
