"""Weights of pictures in networks of clips: a clip of one frame repeated is answered as the picture is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import WeightsError
from isthmus.models.classifier import Classifier
from isthmus.models.inflation import inflate
from isthmus.models.official_weights import OFFICIAL
from isthmus.models.registry import cards, create
from isthmus.models.weights import load_initial_weights, locate

SMALL = {"repeats": [1, 1, 2], "width": 8}
TWINS: dict[str, dict[str, Any]] = {
    "resnet18_3d": {"width": 8},
    "resnet50_3d": {"width": 8},
    "densenet121_3d": {"width": 8},
    "inception_resnet_v2_3d": {**SMALL, "padding": "same"},
}


def twins(name: str, tmp_path: Path) -> tuple[Classifier, Classifier, tuple[str, ...]]:
    """Return a network of pictures with norms that have seen something, its inflated twin, and the notes."""
    torch.manual_seed(0)
    flat = create(cards()[name].twin or "", classes=2, channels=1, **TWINS[name])
    for module in flat.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            nn.init.normal_(module.running_mean, 0, 0.1)
    torch.save(flat.state_dict(), tmp_path / "flat.pth")
    clips = create(name, classes=2, channels=1, **TWINS[name])
    notes = load_initial_weights(clips, tmp_path / "flat.pth").notes
    return flat.eval(), clips.eval(), notes


def endless(network: nn.Module) -> None:
    """Repeat the first and the last frame where the network pads time with black ones, as if a clip had no ends."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.MaxPool3d) and isinstance(module.padding, tuple) and module.padding[0]:
            edge, module.padding = module.padding[0], (0, *module.padding[1:])
        elif isinstance(module, nn.MaxPool3d) and module.padding == 1:
            edge, module.padding = 1, (0, 1, 1)  # type: ignore[assignment]
        else:
            continue
        module.register_forward_pre_hook(lambda _, given, edge=edge: _extended(given[0], edge))


def _extended(maps: Tensor, edge: int) -> Tensor:
    return torch.cat([maps[:, :, :1]] * edge + [maps] + [maps[:, :, -1:]] * edge, 2)


def picture(seed: int = 1) -> Tensor:
    return torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", sorted(TWINS))
def test_a_clip_without_ends_of_one_frame_gives_the_pictures_logits(name: str, tmp_path: Path) -> None:
    flat, clips, notes = twins(name, tmp_path)
    assert [note.split(":")[0] for note in notes] == ["inflated"]
    still = picture().unsqueeze(2).repeat(1, 1, 8, 1, 1)
    endless(clips)
    with torch.no_grad():
        expected, found = flat({"image": picture()}).logits, clips({"image": still}).logits
    assert float((found - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def test_of_a_clip_with_ends_the_middle_alone_is_as_the_picture(tmp_path: Path) -> None:
    flat, clips, _ = twins("resnet18_3d", tmp_path)
    still = picture().unsqueeze(2).repeat(1, 1, 17, 1, 1)
    with torch.no_grad():
        expected, found = flat.net.conv1(picture()), clips.net.conv1(still)
    same = [bool(torch.allclose(found[:, :, frame], expected, atol=1e-5)) for frame in range(17)]
    assert same == [False] * 3 + [True] * 11 + [False] * 3  # seven frames wide: three reach past each end


def test_the_note_says_how_many_kernels_and_a_kernel_of_one_frame_is_as_it_was() -> None:
    own = {"a": torch.zeros(2, 1, 3, 3, 3), "b": torch.zeros(2, 1, 1, 3, 3), "c": torch.zeros(4)}
    state = {"a": torch.ones(2, 1, 3, 3), "b": torch.ones(2, 1, 3, 3), "c": torch.ones(4)}
    inflated, notes = inflate(state, own)
    assert {name: tuple(value.shape) for name, value in inflated.items()} == {
        name: tuple(value.shape) for name, value in own.items()
    }
    assert torch.allclose(inflated["a"].sum(2), state["a"])
    assert torch.equal(inflated["b"][:, :, 0], state["b"])
    assert notes == ["inflated: 1 kernels of pictures were repeated over time and divided by their number of frames"]
    assert inflate(inflated, own)[1] == []


def test_a_published_file_of_colour_pictures_starts_a_network_of_grey_clips(tmp_path: Path) -> None:
    flat = create("resnet18", classes=1000, channels=3, width=8)
    published = {name.removeprefix("net."): value for name, value in flat.state_dict().items()}
    torch.save(published, tmp_path / "published.pth")
    clips = create("resnet18_3d", classes=2, channels=1, width=8)
    notes = load_initial_weights(clips, tmp_path / "published.pth").notes
    assert [note.split(":")[0] for note in notes] == ["inflated", "first convolution", "last layer"]
    stem = clips.state_dict()["net.conv1.weight"]
    assert torch.allclose(stem.sum(2), published["conv1.weight"].sum(1, keepdim=True), atol=1e-6)


def test_the_attention_that_no_file_has_starts_afresh_and_says_so(tmp_path: Path) -> None:
    flat = create("inception_resnet_v2", **SMALL)
    torch.save(flat.state_dict(), tmp_path / "flat.pth")
    clips = create("calcification_inception_resnet_v2_3d", **SMALL)
    fresh = {name: value.clone() for name, value in clips.state_dict().items() if name.startswith("attention.")}
    notes = load_initial_weights(clips, tmp_path / "flat.pth").notes
    assert [note.split(":")[0] for note in notes] == ["attention", "inflated"]
    assert all(torch.equal(clips.state_dict()[name], value) for name, value in fresh.items())
    # Once trained it is in the file, and then all of it must be.
    state = clips.state_dict()
    state.pop("attention.gate_1.squeeze.bias")
    torch.save(state, tmp_path / "trained.pth")
    with pytest.raises(WeightsError, match=r"1 missing \(attention.gate_1.squeeze.bias\)"):
        load_initial_weights(clips, tmp_path / "trained.pth")


def test_weights_of_resnet18_start_the_frames_of_the_cnn_with_lstm(tmp_path: Path) -> None:
    flat = create("resnet18", classes=1000, channels=3, width=8)
    torch.save({name.removeprefix("net."): value for name, value in flat.state_dict().items()}, tmp_path / "flat.pth")
    network = create("cnn_lstm", width=8, hidden=8)
    notes = load_initial_weights(network, tmp_path / "flat.pth").notes
    assert [note.split(":")[0] for note in notes] == ["weights of ResNet18", "net.lstm", "net.fc", "first convolution"]
    state = network.state_dict()
    assert torch.equal(state["net.frames.net.layer4.1.bn2.weight"], flat.state_dict()["net.layer4.1.bn2.weight"])
    # Its own file loads whole.
    torch.save(state, tmp_path / "own.pth")
    assert load_initial_weights(create("cnn_lstm", width=8, hidden=8), tmp_path / "own.pth").notes == ()


def test_the_official_file_of_the_twin_is_asked_for_by_name_or_as_imagenet(tmp_path: Path) -> None:
    for name in ("imagenet", "resnet50_imagenet"):
        with pytest.raises(WeightsError, match=rf"not on this machine \({OFFICIAL['resnet50_imagenet'].file}\)"):
            locate(name, network="resnet50_3d", cache=tmp_path)
    with pytest.raises(
        WeightsError, match="resnet18_imagenet are weights of resnet18; expected weights of resnet50_3d"
    ):
        locate("resnet18_imagenet", network="resnet50_3d", cache=tmp_path)
    with pytest.raises(WeightsError, match="no published ImageNet weights for r2plus1d_18"):
        locate("imagenet", network="r2plus1d_18", cache=tmp_path)


def test_a_file_of_clips_does_not_enter_a_network_of_pictures(tmp_path: Path) -> None:
    torch.save(create("resnet18_3d", width=8).state_dict(), tmp_path / "clips.pth")
    with pytest.raises(WeightsError, match=r"do not fit resnet18: net.conv1.weight \[8, 1, 7, 7, 7\] instead of"):
        load_initial_weights(create("resnet18", width=8), tmp_path / "clips.pth")
