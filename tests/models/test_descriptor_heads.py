"""Descriptor heads: on every network, from nothing, with and without feeding the last layer, through a bundle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from isthmus.errors import BundleError
from isthmus.models.bundle import load_parts, read_bundle, write_bundle
from isthmus.models.descriptor_heads import (
    WithDescriptors,
    create_classifier,
    descriptor_logits,
    probabilities_of,
)
from isthmus.models.descriptors import DescriptorSpec, in_words
from isthmus.models.registry import cards, create
from tests.inference.small_models import bundle_spec

SPEC = DescriptorSpec(heads={"composition": ["mixed", "solid"], "echogenic_foci": ["macrocalcifications", "punctate"]})
WITHOUT = SPEC.model_copy(update={"feed": False})


def resnet(spec: DescriptorSpec | None = SPEC, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return create_classifier("resnet18", classes=2, channels=1, options={"width": 8}, descriptors=spec)


def image(seed: int = 0) -> dict[str, torch.Tensor]:
    return {"image": torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(seed))}


@pytest.mark.parametrize("name", sorted(cards()))
def test_every_network_of_the_registry_takes_the_heads(name: str) -> None:
    with torch.device("meta"):  # shapes alone
        network = WithDescriptors(create(name, classes=2, channels=1), SPEC)
        card = cards()[name]
        side = max(64, card.minimum_size)
        size = (side, side) if card.spatial_dims == 2 else (card.minimum_frames, side, side)
        outputs = network.eval()({"image": torch.zeros(2, 1, *size)})
    assert network.stages == tuple(f"inner.{stage}" for stage in network.inner.stages)
    assert outputs.logits.shape == (2, 2)
    assert {key: tuple(value.shape) for key, value in descriptor_logits(outputs).items()} == {
        "composition": (2, 2), "echogenic_foci": (2, 2),
    }  # fmt: skip


def test_fresh_heads_leave_the_networks_logits_as_they_were() -> None:
    network = resnet().eval()
    plain = network.inner(image())
    outputs = network(image())
    assert torch.equal(outputs.logits, plain.logits)
    assert outputs.embedding.shape[1] == plain.embedding.shape[1] + SPEC.outputs


def test_fed_probabilities_stand_beside_the_embedding_in_one_linear_layer() -> None:
    network = resnet().eval()
    torch.nn.init.normal_(network.feed.weight)
    with torch.no_grad():
        outputs = network(image())
    last = network.inner.get_submodule("net.fc")
    weights = np.hstack([last.weight.detach().numpy(), network.feed.weight.detach().numpy()])
    # NumPy's one product over the embedding that is returned: resnet18 has no dropout between.
    expected = outputs.embedding.numpy() @ weights.T + last.bias.detach().numpy()
    assert np.allclose(outputs.logits.numpy(), expected, atol=1e-5)
    seen = outputs.embedding[:, -SPEC.outputs :]
    assert torch.allclose(seen[:, :2].sum(1), torch.ones(3))  # composition: one of two
    found = descriptor_logits(outputs)["echogenic_foci"]
    assert torch.allclose(seen[:, 2:], 1 / (1 + torch.exp(-found)))  # foci: each there or not


def test_without_feeding_the_label_does_not_rest_on_the_descriptors() -> None:
    network = resnet(WITHOUT).eval()
    before = network(image()).logits
    with torch.no_grad():
        for parameter in network.heads.parameters():
            parameter.add_(1.0)
    assert torch.equal(network(image()).logits, before)
    assert not any(name.startswith("feed") for name in network.state_dict())


def test_heads_draw_nothing_from_the_networks_own_initial_weights() -> None:
    plain, headed = resnet(None, seed=3), resnet(seed=3)
    assert all(torch.equal(value, headed.state_dict()[f"inner.{name}"]) for name, value in plain.state_dict().items())


def test_probabilities_of_a_single_valued_descriptor_sum_to_one() -> None:
    logits = torch.tensor([[0.0, 3.0]])
    assert probabilities_of("margin", logits).sum() == pytest.approx(1)
    assert probabilities_of("echogenic_foci", logits).tolist() == [[0.5, pytest.approx(0.952574, abs=1e-6)]]


@pytest.mark.parametrize(
    ("heads", "words"),
    [
        ({"colour": ["red", "blue"]}, "unknown descriptor 'colour'"),
        ({"margin": ["smooth", "fuzzy"]}, "fuzzy"),
        ({"margin": ["smooth"]}, "nothing to tell apart"),
        ({"echogenic_foci": ["none"]}, "expected different ones"),
    ],
)
def test_heads_outside_the_vocabulary_are_refused(heads: dict[str, list[str]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DescriptorSpec(heads=heads)


def test_the_words_name_the_likeliest_code_and_foci_that_are_there() -> None:
    found = {
        "composition": {"mixed": 0.19, "predominantly_solid": 0.81},
        "echogenic_foci": {"macrocalcifications": 0.7, "punctate": 0.55},
    }
    assert in_words(found) == (
        "the network sees: composition predominantly solid (0.81), "
        "echogenic foci macrocalcifications (0.70) and punctate (0.55)"
    )


def test_a_bundle_carries_its_heads(tmp_path: Path) -> None:
    networks = [resnet(seed=seed) for seed in (0, 1)]
    write_bundle(tmp_path / "b", bundle_spec(descriptors=SPEC, flips=True), [one.state_dict() for one in networks])
    spec = read_bundle(tmp_path / "b")
    assert (spec.descriptors, spec.flips) == (SPEC, True)
    for loaded, network in zip(load_parts(tmp_path / "b", spec), networks, strict=True):
        assert torch.equal(loaded(image()).embedding, network.eval()(image()).embedding)
    card = (tmp_path / "b" / "card.md").read_text(encoding="utf-8")
    assert "composition (mixed, solid)" in card
    assert "mirror image" in card


def test_a_bundle_whose_parts_lack_the_heads_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", bundle_spec(parts=1, descriptors=SPEC), [resnet(None).state_dict()])
    with pytest.raises(BundleError, match="does not fit"):
        load_parts(tmp_path / "b", read_bundle(tmp_path / "b"))


def test_a_bundle_yaml_from_before_there_were_descriptors_reads_as_one_without(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", bundle_spec(parts=1), [resnet(None).state_dict()])
    path = tmp_path / "b" / "bundle.yaml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:5] not in ("descr", "flips")]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_bundle(tmp_path / "b").descriptors is None
    assert not isinstance(load_parts(tmp_path / "b", read_bundle(tmp_path / "b"))[0], WithDescriptors)
