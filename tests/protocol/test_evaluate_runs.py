"""Arms of several runs on common nodules, checked against the statistics of the single runs and by hand."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.files import read_json, write_json
from isthmus.protocol.evaluate_runs import evaluate_runs
from isthmus.statistics.cross_validated import compare_cross_validated_aucs
from tests.unrendered import unrendered


@pytest.fixture(scope="module")
def other_run(finished, tmp_path_factory):
    """A run on the same cohort that dealt it into other folds and lacks five nodules, its scores turned a little."""
    folder = tmp_path_factory.mktemp("others") / "second"
    shutil.copytree(finished[0].folder, folder)
    table = pd.read_csv(folder / "predictions.csv", dtype={"unit_id": str, "label": str, "call": str})
    own = table["split"] == "cv"
    units = sorted(set(table.loc[own, "unit_id"]))
    table = table[~(own & table["unit_id"].isin(units[:5]))]
    own = table["split"] == "cv"
    table.loc[own, "fold"] = table.loc[own, "unit_id"].map({unit: place % 2 for place, unit in enumerate(units)})
    table.loc[own, "p_1"] = table.loc[own, "p_1"] ** 2
    table.loc[own, "p_0"] = 1 - table.loc[own, "p_1"]
    table.to_csv(folder / "predictions.csv", index=False)
    frozen = read_json(folder / "frozen.json")
    frozen["arms"]["resnet34"]["threshold"] = 0.123
    write_json(folder / "frozen.json", frozen)
    return folder


@pytest.fixture(scope="module")
def together(finished, other_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("together") / "out"
    return evaluate_runs([finished[0].folder, other_run], out), out


def test_arms_of_one_name_are_told_apart_and_keep_their_own_thresholds(together):
    evidence = together[0]
    assert set(evidence["arms"]) == {
        "wang2025/thyronet_x4", "wang2025/resnet34", "second/thyronet_x4", "second/resnet34",
    }  # fmt: skip
    thresholds = [
        evidence["arms"][f"{run}/resnet34"]["test"]["thresholds"][0]["value"] for run in ("wang2025", "second")
    ]
    assert thresholds[0] != thresholds[1] == 0.123


def test_a_runs_own_evidence_is_what_the_run_found(finished, together):
    for arm, parts in finished[0].evidence["arms"].items():
        for split in ("cv", "test", "external"):
            for measure in ("auc", "sensitivity", "brier"):
                assert together[0]["arms"][f"wang2025/{arm}"][split][measure] == parts[split][measure]


def test_pairs_stand_on_common_nodules_each_with_its_own_folds(finished, other_run, together):
    first, second = (
        pd.read_csv(folder / "predictions.csv", dtype={"unit_id": str, "group_id": str})
        for folder in (finished[0].folder, other_run)
    )
    rows = [table[(table["arm"] == "resnet34") & (table["split"] == "cv")] for table in (first, second)]
    both = rows[0].merge(rows[1][["unit_id", "fold", "p_1"]], on="unit_id", suffixes=("_a", "_b"))
    expected = compare_cross_validated_aucs(
        both["label"] == 1, both["p_1_a"], both["p_1_b"], both["fold_a"], both["seed"], both["group_id"],
        folds_b=both["fold_b"],
    ).as_dict()  # fmt: skip
    entry = next(
        one
        for one in together[0]["comparisons"]
        if (one["a"], one["b"], one["split"]) == ("wang2025/resnet34", "second/resnet34", "cv")
    )
    assert entry["n"] == len(both) == len(rows[0]) - 5
    assert entry["difference"] == pytest.approx(expected["difference"])
    assert entry["p"] is None  # fewer than ten patients in a class
    assert "other folds" in entry["note"]


def test_the_report_says_how_many_nodules_are_common_and_that_folds_differ(finished, together):
    page = (together[1] / "report.html").read_text(encoding="utf-8")
    cv = finished[0].predictions.query("split == 'cv'")["unit_id"].nunique()
    assert f"wang2025 and second, cross-validation: {cv - 5} nodules in both ({cv} and {cv - 5})" in page
    assert "They were dealt into other folds" in page
    assert "SMOKE" in page


def test_contradicting_labels_and_other_cohorts_are_refused(finished, other_run, tmp_path):
    folder = tmp_path / "third"
    shutil.copytree(other_run, folder)
    table = pd.read_csv(folder / "predictions.csv", dtype=str)
    first = table["unit_id"].iloc[0]
    table.loc[table["unit_id"] == first, "label"] = table.loc[table["unit_id"] == first, "label"].map(
        {"0": "1", "1": "0"}
    )
    table.to_csv(folder / "predictions.csv", index=False)
    with pytest.raises(InputError, match="nodules have one label in one run and another in the other"):
        evaluate_runs([finished[0].folder, folder], tmp_path / "x")
    table = pd.read_csv(other_run / "predictions.csv", dtype=str).assign(cohort="Elsewhere")
    table.to_csv(folder / "predictions.csv", index=False)
    with pytest.raises(InputError, match="are of 2 cohorts"):
        evaluate_runs([finished[0].folder, folder], tmp_path / "x")


def test_a_table_beside_a_run_takes_the_runs_cohort_and_needs_no_torch(finished, tmp_path):
    own = finished[0].predictions
    rows = own[(own["arm"] == "resnet34") & (own["split"] == "test")]
    columns = ["split", "unit_id", "label", "p_0", "p_1"]
    rows[columns].assign(arm="another tool").to_csv(tmp_path / "table.csv", index=False)
    code = (
        "import sys; from isthmus.cli import main; "
        f"sys.argv = ['isthmus', 'evaluate', {str(finished[0].folder)!r}, {str(tmp_path / 'table.csv')!r}, "
        f"'--out', {str(tmp_path / 'out')!r}, '--bootstrap', '200', '--json']; main(); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    evidence = json.loads(done.stdout)
    parts = evidence["arms"]["another tool"]["test"], evidence["arms"]["resnet34"]["test"]
    # The whole interval: the table names no patients, and their nodules are clusters there too.
    assert parts[0]["auc"] == parts[1]["auc"]
    assert parts[0]["n_groups"] == parts[1]["n_groups"]


def test_a_table_that_names_no_patients_gets_the_groups_of_the_runs(finished, other_run, tmp_path):
    folder = tmp_path / "grouped"
    shutil.copytree(other_run, folder)
    table = pd.read_csv(folder / "predictions.csv", dtype=str)
    pairs = {unit: f"pair-{place // 2}" for place, unit in enumerate(sorted(set(table["unit_id"])))}
    table.assign(group_id=table["unit_id"].map(pairs)).to_csv(folder / "predictions.csv", index=False)
    rows = table[(table["arm"] == "resnet34") & (table["split"] == "test")]
    rows[["split", "unit_id", "label", "p_0", "p_1"]].assign(arm="tool").to_csv(tmp_path / "table.csv", index=False)
    with unrendered():
        evidence = evaluate_runs([folder, tmp_path / "table.csv"], tmp_path / "out", bootstrap=200)
    own, tool = (evidence["arms"][arm]["test"] for arm in ("resnet34", "tool"))
    assert tool["n_groups"] == own["n_groups"] < own["n"]
    assert tool["auc"] == own["auc"]


def test_other_targets_and_a_table_of_an_unnamed_external_cohort_are_refused(finished, other_run, tmp_path):
    folder = tmp_path / "third"
    shutil.copytree(other_run, folder)
    table = pd.read_csv(folder / "predictions.csv", dtype=str)
    table.assign(target="malignant").to_csv(folder / "predictions.csv", index=False)
    with pytest.raises(InputError, match=r"answer 2 questions: malignant, tirads_4a_or_higher"):
        evaluate_runs([finished[0].folder, folder], tmp_path / "x")
    outside = table["split"] == "external"
    table.loc[outside, "cohort"] = "Third"
    table.to_csv(folder / "predictions.csv", index=False)
    rows = table.loc[outside & (table["arm"] == "resnet34"), ["split", "unit_id", "label", "p_0", "p_1"]]
    rows.assign(arm="tool").to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(InputError, match="does not say of which its rows are"):
        evaluate_runs([finished[0].folder, folder, tmp_path / "table.csv"], tmp_path / "x")


@pytest.mark.parametrize("option", [{"threshold": "youden"}, {"recalibrate": "logistic"}])
def test_what_a_run_froze_is_not_chosen_anew(finished, tmp_path, option):
    with pytest.raises(InputError, match="calibration and thresholds are frozen"):
        evaluate_runs([finished[0].folder], tmp_path / "out", **option)
    assert not (tmp_path / "out").exists()


def test_one_run_keeps_its_named_contrast_and_its_seeds_are_readers(finished, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(finished[0].folder, folder)
    table = pd.read_csv(folder / "predictions.csv", dtype={"unit_id": str, "group_id": str, "label": str, "call": str})
    kept = table[table["split"].isin(["test", "external"])]
    rows = [kept.assign(seed=seed, p_1=kept["p_1"] ** (1 + seed / 10)) for seed in range(5)]
    together = pd.concat(rows, ignore_index=True)
    together.assign(p_0=1 - together["p_1"], call="").to_csv(folder / "predictions_seeds.csv", index=False)
    evidence = evaluate_runs([folder], tmp_path / "out", bootstrap=200, reference_arm=None, primary=None)
    primary = finished[0].protocol.primary
    assert evidence["primary"] == {"arm": primary.arm, "against": primary.against}
    assert evidence["comparisons"][0]["difference"] == finished[0].evidence["comparisons"][0]["difference"]
    entry = next(one for one in evidence["seeds"]["contrasts"] if one["split"] == "test")
    assert (entry["a"], entry["b"], entry["order"], entry["seeds"]) == (primary.arm, primary.against, 1, 5)
    # A power ranks as the probability does: five seeds that agree are worth one.
    assert entry["difference"] == pytest.approx(evidence["comparisons"][0]["difference"])
