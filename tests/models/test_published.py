"""Files with the publishers' own names load strictly, and the network then computes what their names say."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from isthmus.errors import WeightsError
from isthmus.models.registry import create
from isthmus.models.weights import load_initial_weights
from tests.models import published
from tests.models.published import Forward, Shapes


@dataclass(frozen=True)
class Known:
    """A network, its file's names, its publisher's number of parameters, and a narrow version of both."""

    shapes: Any
    forward: Forward
    count: int
    share: float
    width: float
    size: tuple[int, ...] = (64, 64)
    classes: int = 1000


# Counts: torchvision's documentation ("num_params"; GoogLeNet's is without the auxiliary heads that its file has);
# EfficientNet-B0's 5,288,548 is torchvision's of the same network. Where the publisher's list of channels has no
# exact narrow version (B0 rounds to eights), the network is tested at its full width.
KNOWN = {
    "alexnet": Known(published.alexnet, published.alexnet_forward, 61_100_840, 1 / 8, 8),
    "vgg16": Known(published.vgg16, published.vgg16_forward, 138_357_544, 1 / 8, 8),
    "googlenet": Known(published.googlenet, published.googlenet_forward, 6_624_904, 1 / 8, 8),
    "densenet121": Known(partial(published.densenet, "densenet121"), published.densenet_forward, 7_978_856, 1 / 8, 8),
    "densenet169": Known(partial(published.densenet, "densenet169"), published.densenet_forward, 14_149_480, 1 / 8, 8),
    "densenet201": Known(partial(published.densenet, "densenet201"), published.densenet_forward, 20_013_928, 1 / 8, 8),
    "efficientnet_b0": Known(published.efficientnet_b0, published.efficientnet_b0_forward, 5_288_548, 1, 1.0),
    "convnext_tiny": Known(published.convnext_tiny, published.convnext_tiny_forward, 28_589_128, 1 / 12, 8),
    # timm says 55.8 million, torchvision 31,505,325 ("num_params" in its documentation). OpenVINO counts 12.69 million
    # in the authors' I3D, whose norms have no scales: 12,697,264 are 12,689,984 and 7,280 scales of the conversion.
    "inception_resnet_v2": Known(
        published.inception_resnet_v2, published.inception_resnet_v2_forward, 55_843_464, 1 / 4, 8, size=(96, 96)
    ),
    "r2plus1d_18": Known(
        published.r2plus1d_18, published.r2plus1d_18_forward, 31_505_325, 1 / 8, 8, size=(5, 48, 48), classes=400
    ),
    "i3d": Known(published.i3d, published.i3d_forward, 12_697_264, 1 / 8, 8, size=(7, 45, 45), classes=400),
}


@pytest.fixture(params=sorted(KNOWN))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def filled(shapes: Shapes) -> dict[str, Tensor]:
    """Return values that keep signals alive through any depth: draws scaled by fan in, norms near one."""
    chance = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in shapes.items():
        value = torch.randn(shape, generator=chance)
        if key.endswith("running_var") or (key.endswith("weight") and len(shape) == 1):
            value = 1 + 0.3 * torch.rand(shape, generator=chance)
        elif len(shape) in (2, 4, 5):
            value = value * (2 / prod(shape[1:])) ** 0.5
        elif not key.endswith("layer_scale"):
            value = 0.2 * value
        state[key] = value
    return state


def saved(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    torch.save(state, tmp_path / "published.pth")
    return tmp_path / "published.pth"


def test_the_list_of_names_sums_to_the_publishers_count(name: str) -> None:
    shapes = KNOWN[name].shapes()
    learned = {key: shape for key, shape in shapes.items() if "running_" not in key and not key.startswith("aux")}
    assert sum(prod(shape) for shape in learned.values()) == KNOWN[name].count


def test_the_published_names_load_strictly_and_compute_what_they_say(name: str, tmp_path: Path) -> None:
    known = KNOWN[name]
    state = filled(known.shapes(known.share))
    network = create(name, classes=known.classes, channels=3, width=known.width).eval()
    notes = load_initial_weights(network, saved(tmp_path, state)).notes
    assert [note.split(":")[0] for note in notes] == (["auxiliary heads"] if name == "googlenet" else [])
    image = torch.randn(2, 3, *known.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = network({"image": image}).logits, known.forward(state, image)
    assert float((ours - theirs).abs().max()) <= 1e-4 * float(theirs.abs().max())
    assert float(theirs.std(0).mean()) > 1e-3 * float(theirs.abs().max())  # the two pictures are told apart


def test_a_grey_picture_and_two_classes_take_the_file_with_two_notes(name: str, tmp_path: Path) -> None:
    known = KNOWN[name]
    network = create(name, classes=2, channels=1, width=known.width)
    notes = load_initial_weights(network, saved(tmp_path, filled(known.shapes(known.share)))).notes
    kinds = [note.split(":")[0] for note in notes]
    assert kinds[-2:] == ["first convolution", "last layer"]


def test_a_name_too_many_or_too_few_is_refused(name: str, tmp_path: Path) -> None:
    known = KNOWN[name]
    state = filled(known.shapes(known.share))
    network = create(name, classes=known.classes, channels=3, width=known.width)
    with pytest.raises(WeightsError, match=r"nothing missing, 1 unknown \(net.aux1.fc3.weight\)"):
        load_initial_weights(network, saved(tmp_path, {**state, "aux1.fc3.weight": torch.zeros(1)}))
    stem = next(iter(state))
    with pytest.raises(WeightsError, match="1 missing"):
        load_initial_weights(network, saved(tmp_path, {key: value for key, value in state.items() if key != stem}))


def test_the_names_that_torchvisions_densenet_writes_today_load_too(tmp_path: Path) -> None:
    state = filled(published.densenet("densenet121", 1 / 8))
    today = {key.replace("norm.", "norm").replace("conv.", "conv") if "denselayer" in key else key: value
             for key, value in state.items()}  # fmt: skip
    assert "features.denseblock1.denselayer1.norm1.weight" in today
    load_initial_weights(create("densenet121", classes=1000, channels=3, width=8), saved(tmp_path, today))


def test_convnext_is_built_silently_and_asks_no_hub() -> None:
    # In a process of its own: transformers says what it says when it is first imported.
    code = """
import socket
def refused(*_):
    raise AssertionError("a connection was opened")
socket.socket.connect = socket.getaddrinfo = refused
from isthmus.models.registry import create
create("convnext_tiny", width=8)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
