"""The shipped protocol of stills and contrast-enhanced clips, from a cohort to its report."""

import json

import numpy as np
import pandas as pd
import pytest

from isthmus.explain.prediction_cases import predict_given
from isthmus.files import read_json
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from tests.contrast_cohort import write_contrast_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_contrast_cohort(tmp_path_factory.mktemp("contrast") / "cohort")


@pytest.fixture(scope="module")
def finished(cohort, cache, tmp_path_factory):
    said: list[str] = []
    settings = ["select.among=[resnet18, densenet121]"]
    settings.append("only=[image, ceus_video, combined, combined_clinical, clinical]")
    out = tmp_path_factory.mktemp("runs") / "olnm2025"
    return run("olnm2025", cohort, out, profile="smoke", settings=settings, say=said.append), said


def test_five_key_frames_are_five_channels(finished):
    fit = next((finished[0].folder / "arms" / "ceus_video").glob("*/seed-0/fold-0/fit.yaml"))
    assert "frames_as_channels" in fit.read_text(encoding="utf-8")
    bundle = finished[0].bundle("ceus_video")
    assert bundle.parts[0].inputs[0].channels == 5


def test_a_clip_of_fewer_samples_than_key_frames_is_kept_and_told(finished):
    assert any("fewer" in line or "repeat" in line for line in finished[1])
    assert finished[0].predictions.query("arm == 'ceus_video' and unit_id == 'P00'").shape[0] > 0


def test_a_patient_without_a_clip_is_kept_by_the_fused_arm_and_missing_from_the_clips(finished):
    held_out = finished[0].predictions.query("split in ['cv', 'test']")
    without = {f"P{number:02d}" for number in range(40) if number % 8 == 5}
    assert not without & set(held_out.query("arm == 'ceus_video'")["unit_id"])
    assert without <= set(held_out.query("arm == 'combined'")["unit_id"])
    assert without <= set(held_out.query("arm == 'image'")["unit_id"])


def test_every_arm_and_contrast_of_the_paper_is_there(finished):
    evidence = finished[0].evidence
    assert set(evidence["arms"]) == {"image", "ceus_video", "combined", "combined_clinical", "clinical"}
    pairs = {(one["a"], one["b"]) for one in evidence["comparisons"]}
    assert ("combined", "image") in pairs
    assert set(evidence["candidates"]["arms"]) == {"image", "ceus_video", "combined"}


def test_readers_who_judged_patients_stand_beside_every_arm(finished):
    # The label is the patient's, and so are the rows and the reads.
    assert set(finished[0].predictions["unit"]) == {"patient"}
    readers = finished[0].evidence["readers"]
    assert {row["name"] for row in readers["rows"] if row["kind"] == "reader"} == {"junior", "senior"}
    assert ("combined", "senior") in {(one["a"], one["reader"]) for one in readers["comparisons"]}


def test_what_the_heads_selected_and_what_each_member_brought_is_shown(finished):
    evidence, folder = finished[0].evidence, finished[0].folder
    assert set(evidence["selection"]) == {"combined", "combined_clinical"}
    attribution = pd.read_csv(folder / "explanations" / "combined" / "attribution.csv")
    assert {"image", "ceus_video"} <= set(attribution.columns)
    assert np.isfinite(attribution[["image", "ceus_video"]]).all().all()
    page = finished[0].report.read_text(encoding="utf-8")
    for words in ("What was chosen, and what that flatters", "Clinical model", "dissection"):
        assert words in page, words


def test_measured_perfusion_and_coded_columns_are_members_beside_the_networks(finished):
    folder = finished[0].folder
    table = pd.read_csv(next((folder / "perfusion").glob("*.csv")))
    assert len(table) == 35  # every clip, once
    head = json.loads(next((folder / "arms" / "combined_clinical").glob("**/pair-a/head.json")).read_text())
    members = {column.partition(":")[0] for column in head["columns"]}
    assert members == {"image", "ceus_video", "perfusion", "clinical"}


def test_the_clinical_model_is_frozen_and_leaves_out_what_the_operation_tells(finished):
    model = read_json(finished[0].folder / "frozen.json", name="frozen")["arms"]["clinical"]["model"]
    columns = {term["column"].partition("=")[0] for term in model["terms"]}
    assert columns <= {"age_years", "sex", "size_mm", "echogenic_foci"}
    assert "margin" not in columns


def test_the_published_form_has_the_papers_networks_and_joins_them_as_stated():
    protocol = resolve_protocol("olnm2025")
    for arm in ("image", "ceus_video"):
        assert list(protocol.arms[arm].candidates) == [
            "densenet121",
            "densenet169",
            "densenet201",
            "resnet18",
            "resnet34",
        ]
        assert {one.weights for one in protocol.arms[arm].candidates.values()} == {"imagenet"}
    assert protocol.arms["ceus_video"].prepare.input_channels == 5
    assert protocol.fusions["combined"].candidates[-1] == "mlp"
    assert protocol.select.rule == "cross_validation"


def test_a_table_of_cases_is_scored_as_the_run_scored_them(finished, cohort, tmp_path):
    # Contract 3, of stills, clips, measured perfusion and columns together; one case in eight has no clip.
    rows = finished[0].predictions.query("arm == 'combined_clinical' and split == 'test'").set_index("unit_id")
    nodules = pd.read_csv(cohort / "nodules.csv", dtype=str).merge(pd.read_csv(cohort / "patients.csv", dtype=str))
    views = pd.read_csv(cohort / "views.csv", dtype=str)
    bundle = finished[0].folder / "arms" / "combined_clinical" / "bundle"
    names = [column.name for column in finished[0].bundle("combined_clinical").spec.columns]
    known = [name for name in names if name in nodules]
    table = views.merge(nodules[["nodule_id", "patient_id", *known]], on="nodule_id")
    table = table[table["patient_id"].isin(rows.index)]
    table = table.rename(columns={"patient_id": "case_id", "region": "scan_area"}).sort_values(["case_id", "view_id"])
    table = table.assign(box=table["box"].str.replace(" ", ","), scan_area=table["scan_area"].str.replace(" ", ","))
    of_the_view = ["case_id", "modality", "path", "box", "scan_area", "frame_rate_hz"]
    table[[*of_the_view, *known]].to_csv(cohort / "cases.csv", index=False)
    done = predict_given(bundle, [], tmp_path / "out", table=cohort / "cases.csv")
    scored = {one.case: one for one in done.predictions}
    assert done.failed == []
    assert set(scored) == set(rows.index)
    assert max(abs(scored[name].probabilities["1"] - row["p_1"]) for name, row in rows.iterrows()) < 1e-5
    assert all(scored[name].call == row["call"] for name, row in rows.iterrows())
    assert all(one.prediction_set is not None and one.referral is not None for one in scored.values())
    without = [name for name in scored if int(name[1:]) % 8 == 5]
    assert all("ceus_video is absent" in " ".join(scored[name].notes) for name in without)


def test_a_fusion_is_asked_for_shortcuts_with_the_changed_pictures_of_all_its_members(finished):
    found = finished[0].evidence["shortcuts"]
    for arm in ("combined", "image"):
        changes = {entry["change"]: entry for entry in found["changes"][arm]}
        assert {"as they are", "lesion painted out", "gain 6 dB lower", "JPEG of quality 20"} <= set(changes)
        assert 0 < changes["gain 6 dB lower"]["n"] <= changes["as they are"]["n"] <= found["views"]
    assert {"image", "ceus_video"} == set(found["left"])
