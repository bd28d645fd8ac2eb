"""Shortcut tests of a run: what is asked, of whom, and that a resumed run asks no network twice."""

from types import SimpleNamespace

import pandas as pd
import pytest

from isthmus.cohort.sources import import_data_set
from isthmus.imaging.pixel_changes import PAINTED_OUT, PIXEL_CHANGES
from isthmus.protocol import device_views, judging_stages, perturbation
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.schema import Shortcuts
from isthmus.protocol.shortcut_cases import Asked, planned_shortcuts
from isthmus.protocol.shortcuts import MARKS_KEPT, Changed, add_shortcuts, changes_evidence
from isthmus.report.shortcuts import KEY, UNCHANGED
from tests.ddti_tree import write_ddti_tree
from tests.protocol.conftest import SETTINGS


@pytest.fixture(scope="module")
def asked(cache, tmp_path_factory):
    """Return a finished run on pictures of two devices, and what it asked for shortcuts with."""
    folder = tmp_path_factory.mktemp("shortcuts")
    write_ddti_tree(folder / "tree", 36, seed=0)
    import_data_set("ddti", folder / "tree", folder / "cohort")
    views = pd.read_csv(folder / "cohort" / "views.csv", dtype=str)
    patients = pd.factorize(views["nodule_id"].str.extract(r"(\d+)")[0])[0]
    views["device"] = pd.Series(patients).mod(2).map({0: "one", 1: "another"})
    views.to_csv(folder / "cohort" / "views.csv", index=False)
    given: dict[str, object] = {}

    def watched(*arguments):
        given["arguments"] = arguments
        add_shortcuts(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging_stages, "add_shortcuts", watched)
        settings = [one for one in SETTINGS if "test" not in one]
        settings += ["shortcuts.views=200", "explain.arms=[]", "defaults.train.epochs=1"]
        finished = run("wang2025", folder / "cohort", folder / "run", profile="smoke", settings=settings)
    return finished, given["arguments"]


def _again(asked, **changed):
    """Ask once more, and return what is found."""
    finished, (folder, protocol, *rest) = asked
    *others, _, _ = rest
    evidence = {key: value for key, value in finished.evidence.items() if key != KEY}
    add_shortcuts(folder, protocol.model_copy(update=changed), *others, evidence, None)
    return evidence.get(KEY)


def test_both_arms_of_the_contrast_are_scored_under_every_change_and_as_they_are(asked):
    finished, _ = asked
    found = finished.evidence[KEY]
    assert list(found["changes"]) == ["thyronet_x4", "resnet34"]
    for arm, entries in found["changes"].items():
        names = [entry["change"] for entry in entries]
        assert names == [UNCHANGED, *(change.name for change in PIXEL_CHANGES), MARKS_KEPT]
        held_out = finished.predictions
        units = held_out[(held_out["arm"] == arm) & (held_out["split"] == "cv")]["unit_id"].nunique()
        assert [entry["n"] for entry in entries[:-1]] == [units] * (len(entries) - 1)
        assert 0 < entries[-1]["n"] < units  # only those that have marks
        assert entries[0]["flips"]["estimate"] == 0
        assert entries[0]["auc"]["estimate"] == pytest.approx(finished.evidence["arms"][arm]["cv"]["auc"]["estimate"])
        assert 0.1 < found["left"][arm] < 0.4  # of a crop with a margin of 15 %
    table = pd.read_csv(finished.folder / "tables" / "shortcuts.csv", dtype=str)
    assert set(table["change"]) == {UNCHANGED, MARKS_KEPT, *(change.name for change in PIXEL_CHANGES)}


def finished_units(finished, arm, split):
    rows = finished.predictions
    return rows[(rows["arm"] == arm) & (rows["split"] == split)]["unit_id"].nunique()


def test_devices_are_told_by_embeddings_and_the_auc_stands_with_and_without_marks(asked):
    found = asked[0].evidence[KEY]
    for facts in found["devices"].values():
        assert facts["devices"] == ["another", "one"]
        assert facts["by"] == "device"
        assert facts["groups"] == found["groups"]
        assert 0 <= facts["told"]["low"] <= facts["told"]["estimate"] <= facts["told"]["high"] <= 1
    marks = found["marks"]["marks"]["arms"]
    assert found["marks"]["marks"]["tests"] <= sum(len(splits) for splits in marks.values()) * len(found["marks"])
    assert "p_holm" in marks["resnet34"]["cv"]
    assert set(found["devices"]) == set(marks) == {"thyronet_x4", "resnet34"}
    counts = marks["resnet34"]["cv"]["counts"]
    assert sum(units for units, _ in counts.values()) == finished_units(asked[0], "resnet34", "cv")
    page = asked[0].report.read_text(encoding="utf-8")
    assert "Does it read something else than the disease?" in page
    assert "Can the embedding tell the device?" in page
    assert "with and without any mark in the crop" in page


def test_a_resumed_run_asks_no_network_again(asked, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a network was read")

    monkeypatch.setattr(perturbation, "read_fold", refuse)
    monkeypatch.setattr(device_views, "read_fold", refuse)
    assert _again(asked) == asked[0].evidence[KEY]


def test_few_views_are_of_whole_patients_and_null_asks_nothing(asked):
    found = _again(asked, shortcuts=Shortcuts(views=16))
    assert found["views"] <= 16
    assert found["groups"] < found["of_groups"] == asked[0].evidence[KEY]["groups"]
    assert found["changes"]["resnet34"][0]["n"] == found["groups"]
    assert found["devices"] == {}  # no ten patients of each are left
    assert _again(asked, shortcuts=None) is None


def _painted_out(scores, lefts, members=("one",)):
    units = [f"n{number}" for number in range(len(scores))]
    rows = pd.DataFrame(
        {
            "arm": "model", "split": "cv", "seed": 0, "fold": 0, "unit_id": units, "group_id": units,
            "label": ["0", "1"] * (len(units) // 2), "p_1": scores, "call": "1",
        }
    )  # fmt: skip
    asked = Asked(["model"], list(members), {"model": list(members)}, frozenset(units), len(units), len(units), 200)
    changers = {member: Changed(left=left) for member, left in zip(members, lefts, strict=True)}
    hidden = rows.assign(change=PAINTED_OUT.name)
    found = changes_evidence(asked, hidden, rows.assign(p_1=SCORES), changers, positive="1", split="cv")
    return found["changes"]["model"][0]


SCORES = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7]


def test_a_crop_without_a_rim_gives_no_auc_of_the_lesion_painted_out():
    assert _painted_out(SCORES, [0.3])["auc"]["estimate"] == 1
    for nothing in (_painted_out([0.5] * 6, [0.0]), _painted_out(SCORES, [0.04]), _painted_out([0.5] * 6, [0.3])):
        assert nothing["untested"]
        assert not {"auc", "difference", "flips"} & set(nothing)
    assert "auc" in _painted_out(SCORES, [0.0, 0.3], ("one", "other"))  # a fusion has the rim of its other member


def test_the_plan_says_how_much_the_shortcut_tests_score():
    protocol = resolve_protocol("wang2025", "smoke", ["shortcuts.views=4"])
    views = pd.DataFrame({"view_id": list("abcdef"), "group_id": list("uvwxyz"), "label": ["0", "1"] * 3})
    cases = SimpleNamespace(views=dict.fromkeys(protocol.arms, views))
    assert planned_shortcuts(protocol, cases) == (
        "shortcuts: up to 4 views of thyronet_x4, resnet34 under 10 changes, and those with marks once more: 80 views "
        "to score at least; shortcuts=null leaves them out"
    )
    assert planned_shortcuts(protocol.model_copy(update={"shortcuts": None}), cases) == ""
