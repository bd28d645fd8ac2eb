"""The registry: names, options, networks of the user's own, and no torch until something is built."""

import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.errors import ProtocolError
from isthmus.models import registry
from isthmus.models.registry import cards, create

OWN = """
import torch
from isthmus.models.classifier import Classifier, Outputs, image_input, pooled

class Tiny(Classifier):
    def __init__(self, classes, channels, depth):
        super().__init__(inputs=image_input(channels), classes=classes)
        self.conv1 = torch.nn.Conv2d(channels, depth, 3)
        self.fc = torch.nn.Linear(depth, classes)

    def features(self, inputs):
        return {"image": self.conv1(inputs["image"])}

    def head(self, features, inputs):
        embedding = pooled(features["image"])
        return Outputs(self.fc(embedding), embedding, {})

def build(*, classes, channels, depth=4):
    return Tiny(classes, channels, depth)

def no_classifier(**options):
    return torch.nn.Linear(1, 1)

def forgetful(*, classes, channels):
    return Tiny(5, channels, 4)

def lazy(*, classes, channels):
    network = Tiny(classes, channels, 4)
    network.conv1 = torch.nn.LazyConv2d(4, 3)
    return network
"""


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_net.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_importing_the_registry_and_the_weights_table_imports_no_torch() -> None:
    code = (
        "import sys, isthmus.models.registry as r, isthmus.models.weights as w; r.cards(); w.list_weights();"
        "sys.exit(any(name in sys.modules for name in ('torch', 'monai', 'safetensors')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_network_knows_how_it_was_made() -> None:
    network = create("thyronet_x4", classes=3, channels=3, width=16, dense=False)
    assert (network.network, network.options) == ("thyronet_x4", {"width": 16, "dense": False})
    assert (network.classes, network.inputs[0].channels) == (3, 3)
    assert network.training


def test_the_builders_defaults_are_those_of_the_cards() -> None:
    import importlib
    import inspect

    for card in cards().values():
        module, function = card.builder.split(":")
        parameters = inspect.signature(getattr(importlib.import_module(module), function)).parameters
        defaults = {name: one.default for name, one in parameters.items() if name not in ("classes", "channels")}
        assert defaults == {name: default for name, (default, _) in card.options.items()}, card.name


def test_a_card_can_be_shown_and_written() -> None:
    import json

    for card in cards().values():
        assert json.loads(json.dumps(card.to_json()))["name"] == card.name
        assert card.lines()[0].startswith(card.name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("thyronet_x5", "did you mean 'thyronet_x4'"), ("restnet34", "'resnet34'"), ("qqq", "isthmus models")],
)
def test_an_unknown_network_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ProtocolError, match=f"there is no network '{name}'.*{hint}"):
        create(name)


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    with pytest.raises(ProtocolError, match=r"thyronet_x4 has no option 'group'.*did you mean 'groups'"):
        create("thyronet_x4", group=8)


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"channels": 0}])
def test_impossible_shapes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ProtocolError, match=r"expected (at least 2|1 or 3)"):
        create("resnet18", **wrong)


def test_an_option_of_a_wrong_type_is_named() -> None:
    with pytest.raises(ProtocolError, match=r"could not be built.*mobilenet_v2 with .*'wide'"):
        create("mobilenet_v2", width="wide")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(registry.importlib, "import_module", absent)
    with pytest.raises(ProtocolError, match=r"resnet18 needs the package 'torch'.*pip install 'isthmus\[train\]'"):
        create("resnet18")


def test_a_network_of_ones_own_is_built_from_its_file(own_file: Path) -> None:
    network = create(f"{own_file}:build", classes=3, channels=1, depth=6)
    assert network.fc.weight.shape == (3, 6)
    assert network.options == {"depth": 6}


def test_a_changed_file_is_read_again(own_file: Path) -> None:
    create(f"{own_file}:build")
    own_file.write_text(OWN.replace("depth=4", "depth=9"), encoding="utf-8")
    assert create(f"{own_file}:build").fc.weight.shape == (2, 9)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (":nothing", r"no function 'nothing'.*expected .*build"),
        ("", r"the function is not named.*my_net.py:build"),
        (":no_classifier", "returned Linear.*expected an isthmus Classifier"),
        (":forgetful", "says 5 classes.*expected 2"),
        (":lazy", "sizes are not known before its first picture"),
    ],
)
def test_a_file_that_keeps_no_agreement_is_refused(own_file: Path, function: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        create(f"{own_file}{function}")


def test_a_file_that_fails_or_is_absent_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_like_this", encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"importing your network failed: ModuleNotFoundError.*broken.py"):
        create(f"{broken}:build")
    with pytest.raises(ProtocolError, match=r"no such file for a network of your own.*absent.py"):
        create(f"{tmp_path / 'absent.py'}:build")
