"""Finished models on another cohort: predicted as the run would have, nothing fitted, nobody whom they know."""

import json
import shutil

import pandas as pd
import pytest
from scipy.special import expit, logit
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.errors import CohortError, FrozenError, InputError, OutputError
from isthmus.files import read_json, read_yaml, write_yaml
from isthmus.imaging.pixel_changes import PIXEL_CHANGES
from isthmus.protocol.perturbation import PERTURBATIONS
from isthmus.protocol.validate import validate
from tests.unrendered import unrendered


@pytest.fixture(scope="module")
def validated(finished, cohorts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("validated")
    shutil.copytree(finished[0].folder, folder / "run")
    evidence = validate(folder / "run", cohorts[1], folder / "out")
    return folder, evidence


def test_a_validation_finds_what_the_run_found_of_its_external_cohort(finished, validated):
    # The run opened the same cohort with the same bundles.
    folder, evidence = validated
    rows = {}
    for name, place in (("run", finished[0].folder), ("validation", folder / "out")):
        table = pd.read_csv(place / "predictions.csv", dtype=str)
        rows[name] = table[table["split"] == "external"].sort_values(["arm", "unit_id"]).reset_index(drop=True)
    shared = ["cohort", "arm", "unit_id", "label", "call", "p_1"]
    pd.testing.assert_frame_equal(rows["run"][shared], rows["validation"][shared])
    for arm, parts in evidence["arms"].items():
        assert parts["external"]["auc"] == finished[0].evidence["arms"][arm]["external"]["auc"]
        assert parts["external"]["thresholds"][0]["value"] == read_json(
            finished[0].folder / "frozen.json"
        )["arms"][arm]["threshold"]  # fmt: skip


def test_it_says_what_moved_and_scaled_boxes_do_and_who_drew_them(validated):
    folder, evidence = validated
    moved = evidence["regions"]["moved"]
    assert set(moved) == {"thyronet_x4", "resnet34"}
    assert [entry["change"] for entry in moved["resnet34"]] == [change.name for change in PERTURBATIONS]
    assert all(entry["split"] == "external" and "flips" in entry for entries in moved.values() for entry in entries)
    before = evidence["arms"]["resnet34"]["external"]["auc"]["estimate"]
    entry = moved["resnet34"][1]
    assert entry["auc"]["estimate"] - before == pytest.approx(entry["difference"]["difference"])
    assert sum(row["views"] for row in evidence["regions"]["sources"]) > 0
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Does it matter where the box is drawn?" in page
    assert "external set; each model with its calibrator and threshold as frozen" in page


def test_it_asks_the_contrast_for_shortcuts_with_the_models_as_frozen(validated):
    folder, evidence = validated
    found = evidence["shortcuts"]
    assert list(found["changes"]) == ["thyronet_x4", "resnet34"]
    for arm, entries in found["changes"].items():
        assert [entry["change"] for entry in entries] == ["as they are", *(change.name for change in PIXEL_CHANGES)]
        assert {entry["n"] for entry in entries} == {found["groups"]}
        assert {entry["split"] for entry in entries} == {found["split"]} == {"external"}
        assert entries[0]["flips"]["estimate"] == 0
        assert len({entry["auc"]["estimate"] for entry in entries}) > 1, arm
    assert found["devices"] is None
    table = pd.read_csv(folder / "out" / "tables" / "shortcuts.csv", dtype=str)
    before = pd.read_csv(folder / "out" / "predictions.csv", dtype=str).set_index(["arm", "unit_id"])["call"]
    same = table[table["change"] == "as they are"].set_index(["arm", "unit_id"])["call"]
    assert (before.loc[same.index] == same).all()
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "External set; each model as it was frozen." in page


def test_its_calls_follow_from_the_bundle_alone(finished, validated):
    spec = read_yaml(finished[0].folder / "arms" / "resnet34" / "bundle" / "bundle.yaml")
    table = pd.read_csv(validated[0] / "out" / "predictions.csv", dtype={"label": str, "call": str})
    rows = table[table["arm"] == "resnet34"]
    calibrated = expit(spec["calibration"]["intercept"] + spec["calibration"]["slope"] * logit(rows["p_1"]))
    assert ((calibrated >= spec["thresholds"]["value"]) == (rows["call"] == "1")).all()


def test_it_leaves_a_report_with_calibration_and_is_logged_in_both_places(finished, validated):
    folder, evidence = validated
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "nothing was fitted or chosen here" in page
    assert "was opened 2 times: by ThyroNet-X4 (full) and Baseline (ResNet34), then by ThyroNet" in page
    assert "copies were not looked for" in page
    assert "Calibration of the probabilities (calibrated), external set" in page
    assert "Research use only; not a medical device" in page
    assert {"calibration_slope", "calibration_intercept", "brier"} <= set(evidence["arms"]["resnet34"]["external"])
    assert list(read_json(folder / "out" / "manifest.json")["external"]) == list(evidence["external"])
    before, after = (read_json(place / "openings.json")["openings"] for place in (finished[0].folder, folder / "run"))
    assert after[: len(before)] == before
    assert [(one["split"], one["arms"]) for one in after[len(before) :]] == [("external", ["thyronet_x4", "resnet34"])]


def test_a_bundle_alone_is_validated_by_the_command_and_says_what_it_could_not_compare(finished, cohorts, tmp_path):
    bundle = finished[0].folder / "arms" / "resnet34" / "bundle"
    command = ["validate", str(bundle), "--cohort", str(cohorts[1]), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    evidence = json.loads(result.stdout)
    assert (
        evidence["arms"]["resnet34"]["external"]["auc"] == finished[0].evidence["arms"]["resnet34"]["external"]["auc"]
    )
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "whether patients overlap was not looked at" in page
    with pytest.raises(OutputError, match="nothing is overwritten"):
        validate(bundle, cohorts[1], tmp_path / "out")


def test_training_patients_are_refused_by_cohort_and_by_picture(finished, cohorts, tmp_path):
    with pytest.raises(CohortError, match="were trained on a cohort called"):
        validate(finished[0].folder, cohorts[0], tmp_path / "x")
    shutil.copytree(cohorts[1], tmp_path / "other")
    shutil.copy(cohorts[0] / "pictures" / "1_1.jpg", tmp_path / "other" / "pictures" / "2_1.jpg")
    with pytest.raises(CohortError, match=r"1 patients of .* stand in the training cohort too"):
        validate(finished[0].folder, tmp_path / "other", tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert pd.read_csv(tmp_path / "x.overlap.csv")["other_picture"].tolist() == ["pictures/2_1.jpg"]


def test_a_training_patient_with_new_pictures_is_refused_by_id_and_site(finished, cohorts, tmp_path):
    # A later export of the same hospital: other pictures, so that only the id tells.
    shutil.copytree(cohorts[1], tmp_path / "other")
    patients = pd.read_csv(tmp_path / "other" / "patients.csv", dtype=str)
    own = pd.read_csv(cohorts[0] / "patients.csv", dtype=str)
    patients.loc[0, "site"] = own.set_index("patient_id").loc[patients.loc[0, "patient_id"], "site"]
    patients.to_csv(tmp_path / "other" / "patients.csv", index=False)
    # Simulations number their patients alike: between two of them an id tells nothing.
    description = read_yaml(tmp_path / "other" / "cohort.yaml")
    write_yaml(tmp_path / "other" / "cohort.yaml", description | {"simulated": False})
    with pytest.raises(CohortError, match=r"1 patients of .* \(1 by same id at the same site\)"):
        validate(finished[0].folder, tmp_path / "other", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("what", ["calibration intercept", "the threshold"])
def test_a_bundle_that_is_not_what_was_frozen_is_refused_and_nothing_is_opened(finished, cohorts, tmp_path, what):
    shutil.copytree(finished[0].folder, tmp_path / "run")
    path = tmp_path / "run" / "arms" / "resnet34" / "bundle" / "bundle.yaml"
    spec = read_yaml(path)
    if what == "the threshold":
        # The band that is referred holds it still: nothing but the run's own record tells.
        value, band = spec["thresholds"]["value"], spec["answer"]["refer"]
        spec["thresholds"]["value"] = max(band["low"], band["high"], key=lambda edge: abs(edge - value))
    else:
        spec["calibration"]["intercept"] += 0.5
    write_yaml(path, spec)
    before = (tmp_path / "run" / "openings.json").read_bytes()
    with pytest.raises(FrozenError, match=rf"the bundle of resnet34 has {what} .* was frozen"):
        validate(tmp_path / "run", cohorts[1], tmp_path / "out")
    assert (tmp_path / "run" / "openings.json").read_bytes() == before


@pytest.fixture(scope="module")
def half_known(finished, cohorts, tmp_path_factory):
    """A bundle of an older format, on a cohort of which one view lost its outline: evidence, page, and that view."""
    folder = tmp_path_factory.mktemp("half_known")
    shutil.copytree(finished[0].folder / "arms" / "resnet34" / "bundle", folder / "bundle")
    spec = read_yaml(folder / "bundle" / "bundle.yaml")
    assert spec.pop("aggregation") == {"nodule": "mean", "patient": "maximum"}
    write_yaml(folder / "bundle" / "bundle.yaml", spec | {"format": "isthmus-bundle/1.0"})
    shutil.copytree(cohorts[1], folder / "other")
    views = pd.read_csv(folder / "other" / "views.csv", dtype=str)
    columns = [name for name in ("mask", "box", "region_source") if name in views]
    gone = views.loc[0, "view_id"]
    views.loc[0, columns] = None
    views.to_csv(folder / "other" / "views.csv", index=False)
    with unrendered():
        evidence = validate(folder / "bundle", folder / "other", folder / "out")
    return evidence, (folder / "out" / "report.html").read_text(encoding="utf-8"), gone


def test_an_older_bundle_that_does_not_say_how_views_are_joined_is_validated_and_said_so(half_known):
    assert "older bundles that do not say" in half_known[1]


def test_views_without_an_outline_are_left_out_and_listed(half_known):
    evidence, page, gone = half_known
    assert next(iter(evidence["external"].values()))["views_left_out"] == 1
    assert gone in page


def test_another_training_cohort_and_a_folder_of_another_kind_are_refused(finished, cohorts, tmp_path):
    with pytest.raises(CohortError, match="is not the one that the models were trained on"):
        validate(finished[0].folder, cohorts[1], tmp_path / "x", training_cohort=cohorts[1])
    with pytest.raises(InputError, match="neither a run nor a bundle"):
        validate(cohorts[0], cohorts[1], tmp_path / "x")
    renamed = tmp_path / "renamed"
    shutil.copytree(cohorts[1], renamed)
    content = read_yaml(renamed / "cohort.yaml")
    content["targets"]["other"] = content["targets"].pop("tirads_4a_or_higher")
    write_yaml(renamed / "cohort.yaml", content)
    with pytest.raises(CohortError, match="--correspondence"):
        validate(finished[0].folder, renamed, tmp_path / "x")
