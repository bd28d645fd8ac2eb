"""Three classes by patient, from a cohort to its report, its models and whoever they meet next."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, FrozenError, ProtocolError
from isthmus.explain.prediction_cases import predict_given
from isthmus.files import read_json, read_yaml
from isthmus.protocol.cases import find_cases
from isthmus.protocol.evaluate_runs import evaluate_runs
from isthmus.protocol.frozen import Lock
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.suitability import suitability
from isthmus.protocol.validate import validate
from isthmus.statistics.class_calibration import ClassCalibration
from tests.three_class_cohort import CLASSES, write_three_class_cohort
from tests.unrendered import unrendered

CODES = list(CLASSES)
P = [f"p_{code}" for code in CODES]


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    own = write_three_class_cohort(folder / "own")
    few = {"BTN": 4, "NMTN": 2, "MMTN": 4}
    other = write_three_class_cohort(folder / "other", few, seed=1, name="other discs")
    patients = other / "patients.csv"
    for name in ("patients", "nodules", "reads"):  # they are other patients of other sites
        table = pd.read_csv(other / f"{name}.csv", dtype=str)
        column = "unit_id" if name == "reads" else "patient_id"
        table[column] = "X" + table[column]
        if name == "patients":
            table["site"] = "C"
        table.to_csv(other / f"{name}.csv", index=False)
    assert patients.is_file()
    return own, other


@pytest.fixture(scope="module")
def finished(cohorts, cache, tmp_path_factory):
    said: list[str] = []
    settings = ["only=[balanced, ordinal]", "explain.cases=3"]
    out = tmp_path_factory.mktemp("runs") / "zhao2025"
    return run("zhao2025", cohorts[0], out, profile="smoke", settings=settings, say=said.append), said


def test_a_patients_label_is_predicted_of_the_patient(finished, cohorts):
    table, cohort = finished[0].predictions, load_cohort(cohorts[0])
    assert set(table["unit"]) == {"patient"}
    labels = cohort.patients.set_index("patient_id")["diagnosis"]
    assert (labels.loc[table["unit_id"]].to_numpy() == table["label"].to_numpy()).all()
    np.testing.assert_allclose(table[P].sum(axis=1), 1.0)
    met = table[table["split"].isin(["cv", "test"])].groupby("arm")["unit_id"].agg(["nunique", "size"])
    assert (met == len(labels)).all(axis=None)
    classes = "patients: 12 benign, 6 malignant without metastasis, 16 malignant with metastasis"
    said = f"46 nodules ({classes}): 34 to train, 12 test"
    assert said in " ".join(finished[1])


def test_the_class_of_the_highest_calibrated_probability_is_called(finished):
    frozen, table = read_json(finished[0].folder / "frozen.json"), finished[0].predictions
    for arm, said in frozen["arms"].items():
        assert "threshold" not in said
        for (split, seed, fold), rows in table[table["arm"] == arm].groupby(["split", "seed", "fold"]):
            if split == "tune":
                assert (rows["call"] == "").all()
                continue
            point = said["folds"][f"{seed}/{fold}"] if split == "cv" else said
            calibrated = ClassCalibration.from_dict(point["calibration"]).apply(rows[P].to_numpy())
            assert (np.array(CODES)[calibrated.argmax(axis=1)] == rows["call"].to_numpy()).all()


def test_the_bundle_scores_files_as_the_run_scored_its_patients(finished, cohorts):
    # Contract 3: `predict` on a run's test units equals its predictions.csv to 1e-5.
    rows = finished[0].predictions.query("split == 'test' and arm == 'ordinal'").set_index("unit_id")
    views = load_cohort(cohorts[0]).examples("diagnosis")
    views = views[views["patient_id"].isin(rows.index)]
    predictor = finished[0].bundle("ordinal")
    found = predictor.predict(list(views["path"]), boxes=list(views["box"]), scan_areas=list(views["region"]))
    scores = pd.DataFrame([one.probabilities for one in found], index=views.index).rename(columns="p_{}".format)
    nodules = views[["patient_id", "nodule_id"]].join(scores).groupby(["patient_id", "nodule_id"])[P].mean()
    patients = nodules.groupby("patient_id")[P].mean()
    np.testing.assert_allclose(patients.loc[rows.index], rows[P], atol=1e-5)
    one = found[0]
    assert one.call in CODES
    assert one.probability == pytest.approx(max(one.calibrated_probabilities.values()))
    assert sum(one.calibrated_probabilities.values()) == pytest.approx(1)


def test_a_table_of_patients_with_their_nodules_is_scored_as_the_run_scored_them(finished, cohorts, tmp_path):
    # Contract 3, for patients of whom some have nodules of two and of three pictures.
    rows = finished[0].predictions.query("split == 'test' and arm == 'ordinal'").set_index("unit_id")
    views = load_cohort(cohorts[0]).examples("diagnosis")
    views = views[views["patient_id"].isin(rows.index)]
    table = pd.DataFrame({"case_id": views["patient_id"], "modality": "bmode", "path": views["path"]})
    for name, column in (("box", "box"), ("scan_area", "region")):
        table[name] = [",".join(f"{value:g}" for value in one) for one in views[column]]

    def scored(name, cases):
        cases.to_csv(tmp_path / f"{name}.csv", index=False)
        done = predict_given(finished[0].bundle_folder("ordinal"), [], tmp_path / name, table=tmp_path / f"{name}.csv")
        return pd.read_csv(done.folder / "predictions.csv").set_index("case").loc[rows.index]

    found = scored("nodules", table.assign(nodule_id=views["nodule_id"]))
    np.testing.assert_allclose(found[P], rows[P], atol=1e-5)
    assert (found["call"] == rows["call"]).all()
    several = views.groupby("patient_id")["nodule_id"].nunique().loc[rows.index].to_numpy() > 1
    assert several.sum() == 4
    assert found["notes"].fillna("").str.contains("the mean of the nodules").tolist() == several.tolist()
    as_one = scored("one", table)
    assert as_one["notes"].str.contains("taken as of one nodule").all()
    apart = np.abs(as_one[P].to_numpy() - rows[P].to_numpy()).max(axis=1)
    assert (apart[several] > 1e-4).any()
    assert (apart[~several] < 1e-5).all()


def test_predict_answers_with_a_probability_of_each_class(finished, cohorts, tmp_path):
    bundle, out = finished[0].bundle_folder("balanced"), tmp_path / "answer"
    view = load_cohort(cohorts[0]).examples("diagnosis").iloc[0]
    box = ",".join(f"{value:g}" for value in view["box"])
    asked = ["predict", str(bundle), str(view["path"]), "--box", box, "--out", str(out), "--explain"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    content = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    (answer,) = content["predictions"]
    assert content["threshold"] is None
    assert content["calibration"]["kind"] == "classes"
    assert set(answer["calibrated_probabilities"]) == set(CODES)
    assert answer["words"] == CLASSES[answer["call"]]
    (words,) = [line for line in result.output.splitlines() if "of every class:" in line]
    assert all(shown in words for shown in CLASSES.values())
    assert answer["referral"]["refer"] == (len(answer["prediction_set"]["codes"]) != 1)
    assert answer["prediction_set"]["unit"] == "patient"
    assert "no threshold was chosen" in (bundle / "card.md").read_text(encoding="utf-8")


def test_pictures_stand_beside_patients(finished):
    evidence = finished[0].evidence
    own = evidence["classes_in_detail"]
    whole, single = evidence["arms"]["balanced"]["test"], own["pictures"]["test"]["balanced"]
    assert whole["n"] == whole["n_groups"] == 8
    assert (single["n"], single["n_groups"]) == (28, 8)
    assert own["small"]["test"] == {"BTN": 3, "NMTN": 1, "MMTN": 4}
    for measure in ("accuracy", "balanced_accuracy", "macro_auc", "hand_till"):
        assert {"estimate", "low", "high"} <= set(single[measure])
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    assert len(views.query("split == 'test' and arm == 'balanced'")) == 28


def test_each_classes_calls_have_intervals_and_sum_to_one(finished):
    calls = finished[0].evidence["classes_in_detail"]["calls"]["cv"]["ordinal"]
    matrix = finished[0].evidence["arms"]["ordinal"]["cv"]["confusion"]["matrix"]
    for row, code in zip(matrix, CODES, strict=True):
        shares = [calls[code]["called"][other] for other in CODES]
        np.testing.assert_allclose([share["estimate"] for share in shares], np.array(row) / sum(row))
        assert all(share["low"] <= share["estimate"] <= share["high"] for share in shares)
    table = pd.read_csv(finished[0].folder / "tables" / "calls_by_class.csv")
    assert {"arm", "split", "label", "call", "estimate", "low", "high"} <= set(table.columns)


def test_readers_are_compared_by_their_calls(finished):
    readers = finished[0].evidence["readers"]
    assert "junior" in json.dumps(readers)
    page = finished[0].report.read_text(encoding="utf-8")
    for words in ("Several classes", "Pictures and patients side by side", "malignant without metastasis (1 patient)",
                  "The most probable class is called; no threshold is chosen", "every class was drawn equally often",
                  "Ordinal head, classes drawn alike: the last layer takes the classes as ordered",
                  "Readers"):  # fmt: skip
        assert words in page, words
    assert "Youden" not in page


def test_evaluating_the_run_again_names_its_classes(finished, tmp_path):
    with unrendered():
        evidence = evaluate_runs([finished[0].folder], tmp_path / "again", bootstrap=200)
    assert evidence["class_names"] == dict(CLASSES)
    own = finished[0].evidence["arms"]["ordinal"]["test"]
    assert evidence["arms"]["ordinal"]["test"]["accuracy"] == own["accuracy"]
    assert evidence["arms"]["ordinal"]["test"]["one_vs_rest"] == own["one_vs_rest"]
    pictures = [one["classes_in_detail"]["pictures"]["test"]["ordinal"] for one in (evidence, finished[0].evidence)]
    assert pictures[0]["accuracy"] == pictures[1]["accuracy"]
    assert "malignant without metastasis" in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")


def test_other_patients_meet_the_frozen_models(finished, cohorts, tmp_path):
    shutil.copytree(finished[0].folder, tmp_path / "run")
    evidence = validate(tmp_path / "run", cohorts[1], tmp_path / "out")
    assert evidence["unit"] == "patient"
    assert set(evidence["arms"]) == {"balanced", "ordinal"}
    assert evidence["classes_in_detail"]["pictures"]["external"]["ordinal"]["n"] > 10
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert set(table["call"]) <= set(CODES)


def test_an_altered_calibration_is_found_out(finished, tmp_path):
    folder = tmp_path / "altered"
    shutil.copytree(finished[0].folder, folder)
    content = read_json(folder / "frozen.json")
    content["arms"]["ordinal"]["calibration"]["slope"] *= 2
    said = read_yaml(folder / "arms" / "ordinal" / "bundle" / "bundle.yaml")["calibration"]
    (folder / "frozen.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FrozenError, match="slope"):
        Lock(folder).check_models({"ordinal": {"calibration": said, "threshold": None}})


def test_the_cohort_fits_and_what_needs_two_classes_is_refused_in_one_line(cohorts):
    cohort = load_cohort(cohorts[0])
    assert suitability("zhao2025", cohort, "smoke").fits
    protocol = resolve_protocol("zhao2025", "smoke")
    fused = protocol.model_validate({**protocol.model_dump(), "fusions": {"both": {"fuse": ["balanced", "ordinal"]}}})
    with pytest.raises(ProtocolError, match=r"fusions \(both\) need two classes, and target diagnosis has 3"):
        find_cases(fused, cohort)


def test_patients_who_share_pictures_and_not_their_label_are_named(cohorts, tmp_path):
    folder = tmp_path / "tied"
    shutil.copytree(cohorts[0], folder)
    nodules = pd.read_csv(folder / "nodules.csv", dtype=str)
    nodules["group_id"] = nodules["patient_id"].replace({"P00": "tied", "P33": "tied"})
    nodules.to_csv(folder / "nodules.csv", index=False)
    with pytest.raises(CohortError, match=r"contradictory labels of diagnosis: P00 \(BTN\) and P33 \(MMTN\)"):
        find_cases(resolve_protocol("zhao2025", "smoke"), load_cohort(folder))


def test_patients_of_several_classes_are_asked_for_shortcuts(finished):
    found = finished[0].evidence["shortcuts"]
    assert set(found["changes"]) == {"ordinal", "balanced"}
    for entries in found["changes"].values():
        assert {"as they are", "lesion painted out", "twice as deep"} <= {entry["change"] for entry in entries}
        assert {entry["n"] for entry in entries if "marks" not in entry["change"]} == {found["groups"]}
