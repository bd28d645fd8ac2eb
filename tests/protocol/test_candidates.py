"""An arm that chooses its network among several: on the training patients, or, as published, on the test set."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from isthmus.errors import CohortError, ProtocolError
from isthmus.files import read_json, read_yaml, write_yaml
from isthmus.protocol.candidates import check_test_to_choose_on
from isthmus.protocol.frozen import Lock
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.report.candidates import optimism_note
from tests.unrendered import unrendered

PROTOCOL = {
    "format": "isthmus-protocol/1.0",
    "protocol": "two_networks",
    "title": "Two networks",
    "question": "Which?",
    "cite": "none",
    "target": ["tirads_4a_or_higher"],
    "primary": {"arm": "image", "against": "plain"},
    "splits": {"cross_validation": {"folds": 2}, "seeds": [0], "test": {"fraction": 0.3}},
    "defaults": {
        "options": {"width": 16},
        "prepare": {"crop": "lesion", "train_size": 40, "crop_size": 32},
        "train": {"optimiser": "adam", "rate": 0.001, "epochs": 1, "batch": 8, "precision": "fp32"},
    },
    "arms": {
        "image": {"title": "One picture", "candidates": {"small": {"network": "resnet18"}, "densenet121": None}},
        "plain": {"network": "resnet18"},
    },
}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("protocol") / "two_networks.yaml"
    write_yaml(path, PROTOCOL)
    return path


@pytest.fixture(scope="module")
def by_cross_validation(protocol, cohorts, cache, tmp_path_factory):
    return run(str(protocol), cohorts[0], tmp_path_factory.mktemp("runs") / "cv")


def test_candidates_take_what_the_arm_says_of_all_and_may_say_otherwise(protocol):
    arm = resolve_protocol(str(protocol)).arms["image"]
    assert {name: (one.network, one.options) for name, one in arm.candidates.items()} == {
        "small": ("resnet18", {"width": 16}),
        "densenet121": ("densenet121", {"width": 16}),
    }
    assert arm.network == "resnet18"
    other = resolve_protocol(str(protocol), settings=["arms.image.candidates.densenet121.options.width=8"])
    assert other.arms["image"].candidates["densenet121"].options == {"width": 8}


def test_a_network_beside_candidates_must_be_one_of_them(protocol):
    with pytest.raises(ProtocolError, match="no candidate"):
        resolve_protocol(str(protocol), settings=["arms.image.network=alexnet"])


def test_fewer_candidates_may_be_asked_for_by_name(protocol):
    arm = resolve_protocol(str(protocol), settings=["select.among=[densenet121]"]).arms["image"]
    assert (list(arm.candidates), arm.network) == (["densenet121"], "densenet121")
    with pytest.raises(ProtocolError, match="no arm's candidate"):
        resolve_protocol(str(protocol), settings=["select.among=[alexnet]"])


def test_every_candidate_is_trained_and_the_best_in_cross_validation_is_the_arm(by_cross_validation):
    folder = by_cross_validation.folder
    found = read_json(folder / "candidates.json", name="candidates")
    arm = found["arms"]["image"]
    aucs = {name: one["auc"]["cv"]["estimate"] for name, one in arm["candidates"].items()}
    assert set(aucs) == {"small", "densenet121"}
    assert arm["chosen"] == max(aucs, key=lambda name: aucs[name])
    assert read_json(folder / "frozen.json", name="frozen")["arms"]["image"]["candidate"] == arm["chosen"]
    assert set(by_cross_validation.predictions.query("arm == 'image'")["candidate"]) == {arm["chosen"]}
    network = read_yaml(folder / "arms" / "image" / "bundle" / "bundle.yaml", name="bundle")["network"]["name"]
    assert network == {"small": "resnet18", "densenet121": "densenet121"}[arm["chosen"]]
    assert by_cross_validation.bundle("image").spec.network.name == network


def test_candidates_that_were_not_chosen_never_meet_the_test_set(by_cross_validation):
    rows = pd.read_csv(by_cross_validation.folder / "predictions_candidates.csv")
    assert set(rows["split"]) == {"tune", "cv"}
    assert [one["arms"] for one in Lock(by_cross_validation.folder).openings()] == [["image", "plain"]]


def test_the_report_says_how_it_was_chosen_and_what_that_flatters(by_cross_validation):
    page = by_cross_validation.report.read_text(encoding="utf-8")
    assert "What was chosen, and what that flatters" in page
    assert "once freed from having been chosen" in page
    notes = by_cross_validation.evidence["arms"]["image"]["cv"]["notes"]
    assert any(note.startswith("optimistic") for note in notes)
    assert (by_cross_validation.folder / "figures" / "candidates_cv.svg").is_file()
    table = pd.read_csv(by_cross_validation.folder / "tables" / "candidates.csv")
    assert table["chosen"].sum() == 1


@pytest.fixture(scope="module")
def as_published(protocol, cohorts, cache, tmp_path_factory):
    return run(str(protocol), cohorts[0], tmp_path_factory.mktemp("runs") / "paper", settings=["select.rule=paper"])


def test_choosing_on_the_test_set_opens_it_twice_and_is_said_in_red(as_published):
    found = as_published.evidence["candidates"]["arms"]["image"]
    on_test = {name: one["auc"]["test"]["estimate"] for name, one in found["candidates"].items()}
    assert found["chosen"] == max(on_test, key=lambda name: on_test[name])
    assert [one["arms"] for one in Lock(as_published.folder).openings()] == [
        ["image/densenet121", "image/small"],
        ["image", "plain"],
    ]
    page = as_published.report.read_text(encoding="utf-8")
    assert 'class="danger"><p class="loud">The networks were chosen on the test set' in page
    assert "was opened 2 times: by 2 candidates to choose among, then by" in page
    assert any("on this very test set" in note for note in as_published.evidence["arms"]["image"]["test"]["notes"])


def test_the_chosen_model_says_of_the_test_set_what_made_it_chosen(as_published):
    rows = pd.read_csv(as_published.folder / "predictions_candidates.csv", dtype={"unit_id": str})
    chosen = as_published.evidence["candidates"]["arms"]["image"]["chosen"]
    met = rows[(rows["split"] == "test") & (rows["candidate"] == chosen)].set_index("unit_id")["p_1"]
    own = as_published.predictions.query("split == 'test' and arm == 'image'").set_index("unit_id")["p_1"]
    pd.testing.assert_series_equal(met.sort_index(), own.sort_index(), check_exact=False, atol=1e-6)


def test_a_run_that_is_resumed_chooses_the_same_and_opens_nothing_anew(
    as_published, protocol, cohorts, cache, tmp_path
):
    folder = tmp_path / "again"
    shutil.copytree(as_published.folder, folder)
    before = (folder / "predictions.csv").read_bytes()
    openings = json.dumps(Lock(folder).openings())
    with unrendered():
        run(str(protocol), cohorts[0], folder, settings=["select.rule=paper"], resume=True)
    assert (folder / "predictions.csv").read_bytes() == before
    assert json.dumps(Lock(folder).openings()) == openings


def test_a_fusion_of_networks_that_were_chosen_is_as_optimistic_as_they_are():
    arms = {"image": {"kind": "network", "candidates": {"a": {}, "b": {}}}}
    found = {"rule": "paper", "arms": arms, "joins": {"stacked": ["image", "clip"], "other": ["clip"]}}
    assert optimism_note(found, "stacked", "test") == (
        "too good: the networks that it joins were chosen on this very test set"
    )
    # What was chosen on the test set was not chosen on these patients.
    assert optimism_note(found, "stacked", "cv") is optimism_note(found, "image", "cv") is None
    by_cross_validation = {**found, "rule": "cross_validation"}
    assert optimism_note(by_cross_validation, "stacked", "cv").startswith("optimistic: the networks that it joins")
    assert optimism_note(by_cross_validation, "image", "cv").startswith("optimistic: its network was chosen among 2")
    assert optimism_note(by_cross_validation, "stacked", "test") is None
    assert optimism_note(found, "other", "cv") is None
    assert optimism_note(found, "stacked", "external") is None


def test_a_cohort_without_a_test_set_is_refused_before_any_training(protocol):
    asked = resolve_protocol(str(protocol), settings=["select.rule=paper"])
    with pytest.raises(CohortError, match="this cohort has none"):
        check_test_to_choose_on(asked, {})
    check_test_to_choose_on(asked, {"test": ["P1"]})


def test_choosing_on_a_test_set_needs_one(protocol):
    with pytest.raises(ProtocolError, match=r"select\.rule is 'paper'"):
        resolve_protocol(str(protocol), settings=["select.rule=paper", "splits.test=null"])
