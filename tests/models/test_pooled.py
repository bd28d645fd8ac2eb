"""One network for pictures of all modalities: it sees the one that is there, and is told which it is."""

import pytest
import torch

from isthmus.errors import InputError, ProtocolError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.modality_subsets import subset_logits
from isthmus.models.classifier import IMAGE, PRESENT, parameter_count
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.join_spec import JoinSpec
from isthmus.models.pooled import Pooled
from isthmus.models.registry import create

NAMES = ("bmode", "smi", "swe")
JOIN = JoinSpec(modalities=NAMES, how="pooled")


@pytest.fixture
def network() -> Pooled:
    torch.manual_seed(0)
    made = Pooled(create("resnet18", channels=3, width=8), NAMES)
    torch.nn.init.normal_(made.last.weight)
    return made.eval()


def views(present: list[list[int]], seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pictures = {name: torch.rand(len(present), 3, 32, 32, generator=generator) for name in NAMES}
    return {**pictures, PRESENT: torch.tensor(present, dtype=torch.float32)}


def test_a_row_is_the_picture_that_is_there_whatever_the_others_show(network: Pooled) -> None:
    one, other = views([[0, 1, 0], [0, 0, 1]]), views([[0, 1, 0], [0, 0, 1]])
    other["bmode"][:] = 7.0
    other["smi"][1] = 7.0
    torch.testing.assert_close(network(one).logits, network(other).logits)
    other["smi"][0] += 1.0
    assert not torch.allclose(network(one).logits[0], network(other).logits[0])


def test_the_backbone_is_one_and_the_flag_adds_what_its_weight_says(network: Pooled) -> None:
    inputs = views([[1, 0, 0]])
    same = {**inputs, "swe": inputs["bmode"], PRESENT: torch.tensor([[0.0, 0.0, 1.0]])}
    first, second = network(inputs), network(same)
    torch.testing.assert_close(first.embedding[:, :-3], second.embedding[:, :-3])
    assert first.embedding[0, -3:].tolist() == [1, 0, 0]
    assert second.embedding[0, -3:].tolist() == [0, 0, 1]
    flags = network.last.weight[:, -3:]
    torch.testing.assert_close(second.logits - first.logits, (flags[:, 2] - flags[:, 0])[None])


def test_without_flags_in_the_last_layer_it_is_the_network_of_one_picture(network: Pooled) -> None:
    alone = create("resnet18", channels=3, width=8).eval()
    state = {name.removeprefix("backbone."): value for name, value in network.state_dict().items()}
    weight, bias = state.pop("last.weight"), state.pop("last.bias")
    alone.load_state_dict({**state, "net.fc.weight": weight[:, :-3], "net.fc.bias": bias})
    network.last.weight.data[:, -3:] = 0
    inputs = views([[0, 0, 1], [0, 0, 1]])
    torch.testing.assert_close(network(inputs).logits, alone({IMAGE: inputs["swe"]}).logits)
    assert parameter_count(network) == parameter_count(alone) + 3 * network.classes


def test_the_names_and_the_order_of_the_weights_are_those_of_bundles_and_checkpoints_that_there_are(
    network: Pooled,
) -> None:
    alone = [name for name in create("resnet18", channels=3, width=8).state_dict() if not name.startswith("net.fc.")]
    assert list(network.state_dict()) == [*(f"backbone.{name}" for name in alone), "last.weight", "last.bias"]


def test_maps_lie_under_the_name_of_the_modality_that_is_there(network: Pooled) -> None:
    maps = network.features(views([[1, 0, 0], [0, 0, 1]]))
    assert set(maps) == set(NAMES)
    shown = [[bool(maps[name][row].abs().sum() > 0) for name in NAMES] for row in range(2)]
    assert shown == [[True, False, False], [False, False, True]]


def test_a_batch_of_mixed_modalities_trains_one_backbone(network: Pooled) -> None:
    network.train()
    network(views([[1, 0, 0], [0, 1, 0], [0, 0, 1]])).logits[:, 1].sum().backward()
    gradient = network.backbone.get_parameter("net.conv1.weight").grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0
    assert float(network.last.weight.grad[1, -3:].abs().min()) > 0


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "vgg16", "mobilenet_v2"])
def test_any_network_of_pictures_is_told_what_it_sees(name: str) -> None:
    options = {"width": 8} if name == "densenet121" else {"width": 4}
    made = create_classifier(name, classes=3, channels=3, options=options, join=JOIN).eval()
    side = made.minimum_size
    pictures = {key: torch.rand(2, 3, side, side) for key in NAMES}
    outputs = made({**pictures, PRESENT: torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])})
    assert outputs.logits.shape == (2, 3)


def test_descriptor_heads_and_the_ordinal_head_sit_on_top() -> None:
    heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
    made = create_classifier(
        "resnet18", classes=3, channels=3, options={"width": 8, "head": "ordinal"}, descriptors=heads, join=JOIN
    ).eval()
    outputs = made(views([[1, 0, 0]]))
    assert "descriptor.margin" in outputs.auxiliary
    torch.testing.assert_close(outputs.logits.exp().sum(dim=1), torch.ones(1))


def test_a_subset_without_the_picture_says_nothing(network: Pooled) -> None:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.zeros(2, 3, 32, 32, 3, dtype=torch.uint8)
    pixels[0, 0] = torch.randint(1, 255, (32, 32, 3), generator=generator)
    pixels[1, 2] = torch.randint(1, 255, (32, 32, 3), generator=generator)
    logits = subset_logits(network, pixels.numpy(), Preparation(train_size=32, crop_size=32, channels="rgb"))
    left = ~torch.isnan(torch.from_numpy(logits))[:, :, 0]
    assert left[:, 0].tolist() == [bool(subset & 1) for subset in range(8)]
    assert left[:, 1].tolist() == [bool(subset & 4) for subset in range(8)]


def test_clips_are_refused_and_flags_are_needed(network: Pooled) -> None:
    with pytest.raises(ProtocolError, match="cannot look at several modalities"):
        Pooled(create("resnet18_3d", width=8), NAMES)
    inputs = views([[1, 0, 0]])
    del inputs[PRESENT]
    with pytest.raises(InputError, match="present"):
        network(inputs)
