"""Bundles: what is written is what is loaded, alterations are noticed, and nothing in them is executed."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import Tensor

from isthmus.errors import BundleError, OutputError
from isthmus.files import read_yaml, write_yaml
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle import load_parts, read_bundle, write_bundle
from isthmus.models.bundle_spec import (
    FORMAT,
    BundleSpec,
    Calibration,
    CohortFacts,
    NetworkSpec,
    Part,
    Requires,
    Thresholds,
    WeightsFacts,
)
from isthmus.models.card import render_card
from isthmus.models.registry import create
from isthmus.statistics.calibration import LogisticCalibration

OPTIONS: dict[str, Any] = {"width": 8}


def make_spec(**changes: Any) -> BundleSpec:
    fields: dict[str, Any] = {
        "name": "wang2025 thyronet_x4",
        "network": NetworkSpec(name="resnet18", options=OPTIONS, classes=2, channels=1),
        "target": "tirads_4a_or_higher",
        "classes": {"0": "TI-RADS 2 or 3", "1": "TI-RADS 4a or higher"},
        "requires": Requires(modalities=["bmode"], region="box"),
        "prepare": Preparation(train_size=128, crop_size=112),
        "parts": [Part(log_prior_shift=[0.0, 0.3]), Part(log_prior_shift=[0.0, 0.4])],
        "calibration": Calibration.model_validate(LogisticCalibration(-0.25, 0.8).as_dict()),
        "thresholds": Thresholds(rule="youden", value=0.4321, chosen_on="out-of-fold predictions of seed 0"),
        "cohort": CohortFacts(
            name="ddti", fingerprint="ab" * 32, licence="CC BY 3.0", simulated=False, reference="tirads"
        ),
        "weights": WeightsFacts(origin="torchvision resnet18", licence="BSD-3-Clause", notes=["a replaced head"]),
        "versions": {"isthmus": "0.1.0", "torch": "2.13.0"},
    }
    return BundleSpec(**{**fields, **changes})


def make_parts(count: int = 2) -> list[dict[str, Tensor]]:
    torch.manual_seed(0)
    return [dict(create("resnet18", **OPTIONS).state_dict()) for _ in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", make_spec(), make_parts())
    return tmp_path / "bundle"


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "bundle.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_what_is_written_is_what_is_loaded(folder: Path) -> None:
    spec = read_bundle(folder)
    written = make_spec()
    assert spec.model_copy(update={"parts": written.parts}) == written
    assert [part.log_prior_shift for part in spec.parts] == [[0.0, 0.3], [0.0, 0.4]]
    networks = load_parts(folder, spec)
    for network, state in zip(networks, make_parts(), strict=True):
        assert not network.training
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert not any(parameter.requires_grad for parameter in network.parameters())
    image = torch.randn(1, 1, 64, 64)
    assert not torch.equal(networks[0]({"image": image}).logits, networks[1]({"image": image}).logits)


def test_a_bundle_is_the_files_of_the_contract_with_the_same_bytes_each_time(folder: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "again", make_spec(), make_parts())
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == ["bundle.yaml", "card.md", "parts/0.safetensors", "parts/1.safetensors"]
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)
    assert (folder / "bundle.yaml").read_text(encoding="utf-8").startswith(f"format: {FORMAT}\n")


def test_channels_last_parameters_are_kept(tmp_path: Path) -> None:
    parts = [{name: _channels_last(value) for name, value in part.items()} for part in make_parts()]
    spec = write_bundle(tmp_path / "bundle", make_spec(), parts)
    loaded = load_parts(tmp_path / "bundle", spec)[1].state_dict()
    assert all(torch.equal(value, parts[1][name]) for name, value in loaded.items())


def _channels_last(value: Tensor) -> Tensor:
    return value.to(memory_format=torch.channels_last) if value.ndim == 4 else value


def test_loading_leaves_the_random_state_alone(folder: Path) -> None:
    spec = read_bundle(folder)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_parts(folder, spec)
    assert torch.equal(torch.rand(3), expected)


def test_an_altered_part_is_named(folder: Path) -> None:
    path = folder / "parts" / "1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    spec = read_bundle(folder)
    with pytest.raises(BundleError, match=r"altered or damaged \(.*1\.safetensors\); expected SHA-256 [0-9a-f]{8}"):
        load_parts(folder, spec)


def test_a_missing_part_is_named(folder: Path) -> None:
    (folder / "parts" / "0.safetensors").unlink()
    with pytest.raises(BundleError, match=r"a part is missing \(.*0\.safetensors\)"):
        read_bundle(folder)


def test_parts_of_another_network_are_refused(folder: Path) -> None:
    edit(folder, network={"name": "resnet18", "options": {"width": 16}, "classes": 2, "channels": 1})
    with pytest.raises(BundleError, match=r"does not fit the bundle's network.*0\.safetensors"):
        load_parts(folder, read_bundle(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "isthmus-bundle/2.0"}, r"newer than this Isthmus reads.*upgrade"),
        ({"format": "isthmus-cohort/1.0"}, r"format is 'isthmus-cohort/1.0'.*expected isthmus-bundle/1.x"),
        ({"classes": {"0": "a", "1": "b", "2": "c"}}, "the network has 2 classes, the bundle 3"),
        ({"requires": {"modalities": ["bmode"], "region": "none"}}, "requires.region is 'box' or 'mask'"),
        ({"network": {"name": "resnet18", "classes": 2, "channels": 3}}, "prepare gives 1 channels"),
        ({"thresholds": {"rule": "youden", "value": 1.5, "chosen_on": "x"}}, r"thresholds\.value"),
        ({"calibration": {"intercept": 0.0, "slope": -1.0}}, r"calibration\.logistic\.slope"),
        ({"prepare": {"train_size": 128, "crop_size": 112, "krop": "lesion"}}, r"prepare\.krop"),
        ({"parts": [{"file": "../secret", "sha256": "0" * 64, "log_prior_shift": [0, 0]}]}, r"parts\.0\.file"),
        ({"parts": [{"log_prior_shift": [0, 0]}]}, "lacks its file or sha256"),
    ],
)
def test_a_bundle_that_contradicts_the_contract_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(BundleError, match=message):
        read_bundle(folder)


def test_a_newer_minor_version_with_a_new_key_is_read(folder: Path) -> None:
    edit(folder, format="isthmus-bundle/1.7", something_new=1)
    assert read_bundle(folder).name == "wang2025 thyronet_x4"


def test_the_rule_that_joins_views_travels_and_an_older_bundle_without_one_gets_the_mean(tmp_path: Path) -> None:
    rule = {"nodule": "maximum", "patient": "mean"}
    write_bundle(tmp_path / "bundle", make_spec(aggregation=rule), make_parts())
    kept = read_bundle(tmp_path / "bundle")
    assert (kept.aggregation, kept.says_aggregation) == (rule, True)
    assert "the view that scores highest" in (tmp_path / "bundle" / "card.md").read_text(encoding="utf-8")
    content = read_yaml(tmp_path / "bundle" / "bundle.yaml")
    del content["aggregation"]
    write_yaml(tmp_path / "bundle" / "bundle.yaml", {**content, "format": "isthmus-bundle/1.0"})
    older = read_bundle(tmp_path / "bundle")
    assert (older.aggregation, older.says_aggregation) == ({"nodule": "mean", "patient": "maximum"}, False)


def test_what_is_no_bundle_says_what_a_bundle_is(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"this is no bundle .*expected a folder with bundle\.yaml"):
        read_bundle(tmp_path)


def test_a_run_or_an_arm_that_is_taken_for_a_bundle_is_answered_with_its_bundles(tmp_path: Path) -> None:
    for arm in ("bmode", "branches"):
        (tmp_path / "arms" / arm / "bundle").mkdir(parents=True)
        (tmp_path / "arms" / arm / "bundle" / "bundle.yaml").touch()
    with pytest.raises(BundleError, match=r"Next: one of its bundles: .*arms/bmode/bundle, .*arms/branches/bundle"):
        read_bundle(tmp_path)
    with pytest.raises(BundleError, match=r"Next: one of its bundles: [^,]*arms/bmode/bundle$"):
        read_bundle(tmp_path / "arms" / "bmode")


def test_parts_and_specification_must_match(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="1 state dictionaries for 2 parts"):
        write_bundle(tmp_path / "b", make_spec(), make_parts(1))
    first, second = make_parts()
    second.pop("net.fc.bias")
    with pytest.raises(BundleError, match="different parameter names"):
        write_bundle(tmp_path / "b", make_spec(), [first, second])
    with pytest.raises(ValidationError, match="2 values of log_prior_shift"):
        make_spec(parts=[Part(log_prior_shift=[0.0])])
    assert not (tmp_path / "b").exists()


def test_nothing_is_overwritten(folder: Path) -> None:
    with pytest.raises(OutputError, match="nothing is overwritten"):
        write_bundle(folder, make_spec(), make_parts())


# --- a network of the author's own -----------------------------------------------------------------------------------

OWN = """
from isthmus.models.registry import create
def build(*, classes, channels):
    return create("resnet18", classes=classes, channels=channels, width=8)
"""


def test_an_authors_file_is_never_run_unasked(tmp_path: Path) -> None:
    own = tmp_path / "my_net.py"
    own.write_text(OWN, encoding="utf-8")
    network = NetworkSpec(name=f"{own}:build", classes=2, channels=1)
    write_bundle(tmp_path / "bundle", make_spec(network=network), make_parts())
    spec = read_bundle(tmp_path / "bundle")
    assert spec.network.name == "my_net.py:build"  # no path of the machine that trained it
    with pytest.raises(BundleError, match=r"my_net\.py:build, which is not run unasked"):
        load_parts(tmp_path / "bundle", spec)
    assert len(load_parts(tmp_path / "bundle", spec, own_network=own)) == 2
    own.write_text(OWN + "\n", encoding="utf-8")
    with pytest.raises(BundleError, match="not the file that the bundle was trained with"):
        load_parts(tmp_path / "bundle", spec, own_network=own)


def test_an_unknown_network_is_a_fault_of_the_bundle(folder: Path) -> None:
    edit(folder, network={"name": "resnet19", "classes": 2, "channels": 1})
    with pytest.raises(BundleError, match=r"cannot be built.*did you mean 'resnet1"):
        load_parts(folder, read_bundle(folder))


# --- the card --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "words"), [("mean", "mean of their"), ("maximum", "of the nodule that scores highest")]
)
def test_the_card_says_how_a_patients_nodules_are_joined(tmp_path: Path, rule: str, words: str) -> None:
    card = render_card(make_spec(unit="patient", aggregation={"nodule": "mean", "patient": rule}))
    assert "Several views of a nodule: the mean of their probabilities." in card
    (said,) = [line for line in card.splitlines() if line.startswith("Several nodules of a patient: ")]
    assert words in said
    assert "Several nodules" not in render_card(make_spec())


def test_the_card_says_what_a_user_must_know(folder: Path) -> None:
    card = (folder / "card.md").read_text(encoding="utf-8")
    for words in (
        "# wang2025 thyronet_x4",
        "Research use only; not a medical device.",
        "Intended use",
        "not pathology: a positive call means *suspicious*",
        "CC BY 3.0",
        "torchvision resnet18; licence: BSD-3-Clause",
        "a replaced head",
        "a box around the lesion",
        "a square around the lesion with a margin of 15%",
        "mean of 2 fold models",
        "logistic recalibration (intercept -0.250, slope 0.800)",
        "Positive from 0.4321 on the calibrated probability",
        "rule: youden; chosen on out-of-fold predictions of seed 0",
        "unknown until it is validated there",
        "torch 2.13.0",
    ):
        assert words in card, words
    assert "malignant" not in card
    assert "SIMULATED" not in card


def test_the_card_marks_simulated_and_smoke_models_and_missing_steps() -> None:
    cohort = CohortFacts(name="virtual", fingerprint="0", licence="CC0", simulated=True, reference="surgery")
    spec = make_spec(cohort=cohort, smoke=True, calibration=None, thresholds=None)
    card = render_card(spec)
    assert spec.marks == ["SIMULATED", "SMOKE"]
    assert card.index("SIMULATED") < card.index("SMOKE") < card.index("Intended use")
    assert "not calibrated" in card
    assert "No threshold was chosen" in card
    assert "pathology of surgical specimens" in card
