"""The shipped protocol of three modalities, on cases that lack some of them, from the cohort to the answer for one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, InputError, ProtocolError
from isthmus.files import read_json
from isthmus.inference.fused_case import Case, View
from isthmus.inference.joined_cases import predict_joined_cases
from isthmus.inference.load import load_bundle
from isthmus.protocol.absent_modalities import without_absent_modalities
from isthmus.protocol.cases import find_cases
from isthmus.protocol.rating import make_form
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import Run
from isthmus.protocol.schema import Protocol
from isthmus.protocol.suitability import suitability
from isthmus.protocol.validate import validate
from tests.multimodal_cohort import write_multimodal_cohort
from tests.protocol.conftest import Multimodal
from tests.unrendered import unrendered


@pytest.fixture
def folder(multimodal: Multimodal) -> Path:
    return multimodal.cohort


@pytest.fixture
def finished(multimodal: Multimodal) -> Run:
    return multimodal.run


def test_every_nodule_is_scored_with_whatever_it_has(finished: Run, folder: Path) -> None:
    own = finished.predictions[finished.predictions["arm"] == "branches"]
    nodules = load_cohort(folder).nodules
    assert set(own.loc[own["split"].isin(["cv", "test"]), "unit_id"]) == set(nodules["nodule_id"])
    assert (own["split"] == "external").sum() == 8


def test_the_whole_subset_is_what_the_run_predicted(finished: Run) -> None:
    own = finished.predictions[finished.predictions["arm"] == "branches"].set_index(["split", "unit_id"])["p_1"]
    table = pd.read_csv(finished.folder / "tables" / "modalities.csv", dtype={"unit_id": str})
    whole = table.query("arm == 'branches' and subset == 7").set_index(["split", "unit_id"])["p_1"]
    assert set(whole.index) == {one for one in own.index if one[0] != "tune"}
    np.testing.assert_allclose(whole, own.loc[whole.index], atol=1e-6)


def test_the_evidence_has_every_subset_of_every_set_and_what_each_modality_counted(finished: Run) -> None:
    found = read_json(finished.folder / "evidence.json", name="evidence")["modalities"]["branches"]
    by_split = {
        split: {"+".join(entry["shown"]): entry for entry in found["subsets"] if entry["split"] == split}
        for split in ("cv", "test", "external")
    }
    assert all(len(own) == 7 for own in by_split.values())
    assert by_split["external"]["swe"]["n"] == 0
    assert by_split["external"]["bmode"]["n"] == 8
    assert by_split["cv"]["smi"]["n"] < by_split["cv"]["bmode"]["n"]
    rows = pd.read_csv(finished.folder / "explanations" / "branches" / "modalities.csv")
    brought = rows[["bmode", "smi", "swe"]]
    np.testing.assert_allclose(rows["start"] + brought.sum(axis=1), rows["log_odds"], atol=1e-9)
    assert brought["bmode"].notna().all()
    assert brought["swe"].isna().any()
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "With and without each modality" in page
    assert "How much each modality counted" in page


def test_each_branch_has_heat_maps_of_its_own_pictures(finished: Run, folder: Path) -> None:
    views = load_cohort(folder).views
    own = finished.predictions[(finished.predictions["arm"] == "branches") & (finished.predictions["split"] == "cv")]
    for modality in ("bmode", "smi", "swe"):
        place = finished.folder / "explanations" / "branches" / modality
        rows = pd.read_csv(place / "localisation.csv", dtype={"view_id": str})
        having = views.loc[views["modality"] == modality, "nodule_id"]
        assert set(rows["nodule_id"]) == set(own["unit_id"]) & set(having)
        assert (place / "gallery.png").is_file()
    assert "Joined, a branch for each: elastography" in (finished.folder / "report.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="one of branches/bmode, branches/smi, branches/swe"):
        make_form(finished.folder, finished.folder.parent / "form", arms=["branches"])


def test_the_bundle_says_of_files_what_the_run_said_of_the_test_set(finished: Run, folder: Path) -> None:
    predictor = load_bundle(finished.bundle_folder("branches"), "cpu")
    views, rows = load_cohort(folder).views, finished.predictions
    own = rows[(rows["arm"] == "branches") & (rows["split"] == "test")].set_index("unit_id")
    cases = []
    for nodule in own.index:
        pictures: dict[str, list[View]] = {}
        for view in views[views["nodule_id"] == nodule].itertuples():
            box = ",".join(str(view.box).split())
            pictures.setdefault(str(view.modality), []).append(
                View(folder / str(view.path), box=box, scan_area="0,0,72,56")
            )
        cases.append(Case(pictures, name=str(nodule)))
    said = predict_joined_cases(predictor, cases)
    np.testing.assert_allclose([one.probabilities["1"] for one in said], own["p_1"], atol=1e-5)


def test_a_modality_that_no_case_has_is_left_out_and_said(tmp_path: Path) -> None:
    cohort, asked = load_cohort(write_multimodal_cohort(tmp_path / "a", 8, modalities=("bmode", "smi"))), resolved()
    narrowed, said = without_absent_modalities(asked, cohort)
    assert narrowed.arms["branches"].view.shown == narrowed.arms["pooled"].view.shown == ("bmode", "smi")
    assert narrowed.names == ["bmode", "smi", "pooled", "branches", "late"]
    assert narrowed.fusions["late"].fuse == ["bmode", "smi"]
    assert said[0] == "arm pooled is trained without swe: the cohort has no labelled view"
    assert said[-1] == "left out: swe, of which the cohort has no labelled view"
    assert type(asked).model_validate(narrowed.model_dump(mode="json")) == narrowed
    assert find_cases(narrowed, cohort).views["branches"]["nodule_id"].nunique() == 8
    assert said[0] in suitability("ding2026", cohort, "smoke").notes


def test_a_cohort_with_none_of_the_modalities_is_refused(tmp_path: Path) -> None:
    cohort = load_cohort(write_multimodal_cohort(tmp_path / "a", 8, modalities=("bmode",)))
    asked = resolved("arms.branches.view.modalities=[smi, swe]")
    with pytest.raises(CohortError, match=r"branches joins smi and swe, and cohort .* has a labelled view of none"):
        without_absent_modalities(asked, cohort)


def test_a_joined_arm_is_asked_for_shortcuts_with_all_its_pictures_changed(finished: Run) -> None:
    found = finished.evidence["shortcuts"]
    assert set(found["changes"]) >= {"branches", "bmode"}
    changes = {entry["change"]: entry["n"] for entry in found["changes"]["branches"]}
    assert 0 < changes["lesion painted out"] <= changes["as they are"] == changes["gain 6 dB lower"]
    assert not any("marks" in change for change in changes)  # colour would be taken for marks


def test_a_cohort_without_elastography_is_met_by_the_arms_that_can_and_the_rest_is_said(
    multimodal: Multimodal, tmp_path: Path
) -> None:
    rows = multimodal.run.predictions.query("split == 'external'")
    assert set(rows["arm"]) == {"bmode", "pooled", "branches"}
    page = multimodal.run.report.read_text(encoding="utf-8")
    assert "they did not meet it: swe and late" in page
    assert multimodal.run.evidence["external"]["elsewhere"]["arms_left_out"] == ["swe", "late"]
    with unrendered():
        found = validate(multimodal.run.folder, multimodal.elsewhere, tmp_path / "validated")
    assert set(found["arms"]) == {"bmode", "pooled", "branches"}
    assert found["external"]["elsewhere"]["arms_left_out"] == ["swe", "late"]
    again = pd.read_csv(tmp_path / "validated" / "predictions.csv")
    joined = again.merge(rows, on=["arm", "unit_id"], validate="one_to_one")
    np.testing.assert_allclose(joined["p_1_x"], joined["p_1_y"], atol=1e-6)
    with pytest.raises(CohortError, match="no view of modality 'swe'"):
        validate(multimodal.run.bundle_folder("swe"), multimodal.elsewhere, tmp_path / "none")


def test_what_is_joined_already_joins_no_fusion() -> None:
    with pytest.raises(ProtocolError, match="'branches', which joins modalities itself"):
        resolved("fusions.late.fuse=[branches, swe]")


def resolved(*settings: str) -> Protocol:
    return resolve_protocol("ding2026", "smoke", settings)
