"""One small run from end to end, and what it must leave, refuse, repeat and survive."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import isthmus
from isthmus.cli import app
from isthmus.errors import CohortError, FrozenError, InputError, OutputError, ProtocolError, WeightsError
from isthmus.files import read_json, read_yaml
from isthmus.protocol.perturbation import PERTURBATIONS
from isthmus.protocol.planning import plan_run
from isthmus.protocol.run import run
from tests.protocol.conftest import SETTINGS
from tests.unrendered import unrendered


def test_a_run_leaves_the_folder_that_the_design_promises(finished):
    folder = finished[0].folder
    for name in ("protocol.yaml", "manifest.json", "timing.json", "split.csv", "frozen.json", "predictions.csv",
                 "predictions_views.parquet", "evidence.json", "report.html", "openings.json"):  # fmt: skip
        assert (folder / name).is_file(), name
    for arm in ("thyronet_x4", "resnet34"):
        assert (folder / "arms" / arm / "bundle" / "bundle.yaml").is_file()
        assert (folder / "explanations" / arm / "localisation.csv").is_file()
        for fold in (0, 1):
            place = folder / "arms" / arm / arm / "seed-0" / f"fold-{fold}"
            assert {"fit.yaml", "done.json", "log.csv", "weights.safetensors"} <= {
                path.name for path in place.iterdir()
            }
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".svg", ".png"}
    assert (folder / "tables" / "arms.csv").is_file()


def test_the_plan_is_said_before_the_fits(finished):
    words = " ".join(finished[1])
    assert "4 fits (4 to do)" in words
    assert "splits.cross_validation.folds: 2 instead of 5" in words


def test_every_unit_is_predicted_once_in_its_part(finished):
    table = finished[0].predictions
    split = pd.read_csv(finished[0].folder / "split.csv", dtype={"group_id": str})
    held_out = table[(table["split"] == "cv") & (table["arm"] == "resnet34")]
    assert sorted(held_out["group_id"]) == sorted(split.loc[split["part"] == "cv", "group_id"])
    assert not set(table.loc[table["split"] == "test", "group_id"]) & set(split["group_id"])
    assert (table.loc[table["split"].isin(["cv", "test", "external"]), "call"] != "").all()
    assert (table.loc[table["split"] == "tune", "call"] == "").all()


def test_every_arm_is_asked_again_with_its_boxes_moved_and_scaled(finished):
    regions = finished[0].evidence["regions"]
    for arm in ("thyronet_x4", "resnet34"):
        assert [entry["change"] for entry in regions["moved"][arm]] == [change.name for change in PERTURBATIONS]
        assert all(0 <= entry["flips"]["estimate"] <= 1 for entry in regions["moved"][arm])
    assert {row["source"] for row in regions["sources"]} == {"drawn"}
    assert "Does it matter where the box is drawn?" in finished[0].report.read_text(encoding="utf-8")


def test_evidence_has_an_interval_for_every_estimate(finished):
    for arm in finished[0].evidence["arms"].values():
        assert set(arm) == {"cv", "test", "external"}
        for part in arm.values():
            for measure in ("auc", "sensitivity", "specificity", "accuracy", "f1", "brier"):
                assert {"estimate", "low", "high", "level", "method"} <= set(part[measure]), measure
    contrast = finished[0].evidence["comparisons"][0]
    assert {contrast["a"], contrast["b"]} == {"thyronet_x4", "resnet34"}


@pytest.mark.parametrize("split", ["test", "external"])
def test_the_bundle_scores_files_as_the_run_scored_its_sets(finished, cohorts, split):
    # Contract 3: `predict` on a run's test nodules equals its predictions.csv to 1e-5.
    cohort = isthmus.load_cohort(cohorts[0] if split == "test" else cohorts[1])
    table = finished[0].predictions
    rows = table[(table["split"] == split) & (table["arm"] == "resnet34")]
    views = cohort.examples("tirads_4a_or_higher")
    views = views[views["nodule_id"].isin(rows["nodule_id"])]
    predictor = finished[0].bundle("resnet34")
    predictions = predictor.predict(list(views["path"]), masks=list(views["mask"]), scan_areas=list(views["region"]))
    scores = views.assign(score=[one.probabilities["1"] for one in predictions]).groupby("nodule_id")["score"].mean()
    expected = rows.set_index("nodule_id")["p_1"]
    assert len(expected) > 5
    assert (scores.loc[expected.index] - expected).abs().max() < 1e-5


def test_sets_are_opened_once_and_the_count_is_kept(finished, cohorts, tmp_path):
    opened = read_json(finished[0].folder / "openings.json")["openings"]
    assert [one["split"] for one in opened] == ["test", "external"]
    folder = tmp_path / "again"
    shutil.copytree(finished[0].folder, folder)
    with unrendered():
        run("wang2025", cohorts[0], folder, external=cohorts[1], profile="smoke", settings=SETTINGS, resume=True)
    assert read_json(folder / "openings.json")["openings"] == opened


def test_a_choice_changed_after_an_opening_stops_the_run(finished, cohorts, tmp_path):
    folder = tmp_path / "altered"
    shutil.copytree(finished[0].folder, folder)
    (folder / "frozen.json").write_text(
        (folder / "frozen.json").read_text(encoding="utf-8").replace('"threshold": 0.', '"threshold": 0.1', 1),
        encoding="utf-8",
    )
    with pytest.raises(FrozenError, match="changed since"):
        run("wang2025", cohorts[0], folder, external=cohorts[1], profile="smoke", settings=SETTINGS, resume=True)


def test_nothing_that_is_written_names_this_machine_or_its_user(finished):
    folder = finished[0].folder
    # The folder may be a copy of what the other worker made: where both work is named then.
    words = [
        str(folder.parent),
        "made-once",
        str(Path.home()) + "/",
        f'"{socket.gethostname()}"',
        f'"{getpass.getuser()}"',
    ]
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".yaml", ".csv", ".html", ".md", ".svg"):
            text = path.read_text(encoding="utf-8")
            for word in words:
                assert word not in text, (path.name, word)


def test_the_report_says_smoke_and_research_use(finished):
    page = finished[0].report.read_text(encoding="utf-8")
    assert "SMOKE" in page
    assert "Research use only; not a medical device" in page
    assert "malignant" not in page.split("<h1", 1)[1].split("Methods", 1)[0].lower()


def test_a_finished_run_opens_with_its_numbers(finished):
    opened = isthmus.open_run(finished[0].folder)
    assert opened.protocol.profile == "smoke"
    assert opened.evidence == finished[0].evidence
    assert any("AUC" in line for line in opened.lines())


def test_a_run_folder_is_not_overwritten_without_resume(finished, cohorts):
    with pytest.raises(OutputError, match="add --resume"):
        run("wang2025", cohorts[0], finished[0].folder, profile="smoke")


def test_a_run_folder_of_another_protocol_is_refused(finished, cohorts):
    with pytest.raises(OutputError, match=r"another protocol: .* there and .* now"):
        run("wang2025", cohorts[0], finished[0].folder, profile="small", resume=True)


def test_a_run_folder_of_another_cohort_is_refused(finished, cohorts):
    with pytest.raises(OutputError, match="not the one this run began with"):
        run("wang2025", cohorts[1], finished[0].folder, profile="smoke", settings=SETTINGS, resume=True)


def test_the_own_cohort_is_no_external_one(cohorts, tmp_path):
    with pytest.raises(CohortError, match="own cohort"):
        run("wang2025", cohorts[0], tmp_path / "x", external=cohorts[0], profile="smoke")


def test_an_external_cohort_without_the_runs_target_is_refused(cohorts, tmp_path):
    shutil.copytree(cohorts[1], tmp_path / "other")
    description = tmp_path / "other" / "cohort.yaml"
    text = description.read_text(encoding="utf-8").replace("  tirads_4a_or_higher:", "  malignant:", 1)
    description.write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=r"has no target tirads_4a_or_higher.*--correspondence"):
        run("wang2025", cohorts[0], tmp_path / "x", external=tmp_path / "other", profile="smoke")
    assert not (tmp_path / "x").exists()


def test_absent_weights_stop_a_run_before_anything_is_made(cohorts, tmp_path, monkeypatch):
    monkeypatch.setenv("ISTHMUS_WEIGHTS", str(tmp_path / "empty"))
    with pytest.raises(WeightsError, match="isthmus weights fetch resnet34_imagenet"):
        run(
            "wang2025",
            cohorts[0],
            tmp_path / "x",
            profile="smoke",
            settings=["arms.resnet34.weights=resnet34_imagenet"],
        )
    assert not (tmp_path / "x").exists()


def test_too_many_folds_for_the_smaller_class_are_refused_with_the_counts(cohorts):
    with pytest.raises(CohortError, match="groups"):
        plan_run("wang2025", cohorts[0], settings=["splits.cross_validation.folds=20"])


def test_a_plan_counts_other_cohorts_and_the_fits_that_a_run_has_finished(finished, cohorts, tmp_path):
    asked = {"profile": "smoke", "settings": SETTINGS, "external": [cohorts[1]]}
    fresh = plan_run("wang2025", cohorts[0], **asked, out=tmp_path / "new")
    assert fresh.pending == fresh.fits == 4
    (outside,) = fresh.outside
    assert outside.cohort.startswith("Another")
    assert outside.target == "tirads_4a_or_higher"
    assert 0 < outside.positives < outside.nodules <= 36
    words = f"{outside.nodules} nodules ({outside.positives} positive)"
    assert any("external cohort Another" in line and words in line for line in fresh.lines())
    before = sorted(path.name for path in finished[0].folder.iterdir())
    resumed = plan_run("wang2025", cohorts[0], **asked, out=finished[0].folder, resume=True)
    assert (resumed.pending, resumed.fits, resumed.seconds) == (0, 4, 0)
    assert sorted(path.name for path in finished[0].folder.iterdir()) == before
    with pytest.raises(OutputError, match="this run folder exists"):
        plan_run("wang2025", cohorts[0], **asked, out=finished[0].folder)
    with pytest.raises(CohortError, match="this run has met"):
        plan_run("wang2025", cohorts[0], **{**asked, "external": []}, out=finished[0].folder, resume=True)
    with pytest.raises(CohortError, match="is the run's own cohort"):
        plan_run("wang2025", cohorts[0], **{**asked, "external": [cohorts[0]]}, out=tmp_path / "new")


def test_a_plan_prepares_and_trains_nothing(cohorts):
    plan = plan_run("wang2025", cohorts[0], profile="smoke", settings=[*SETTINGS, "splits.seeds=[0, 1, 2]"])
    assert plan.fits == plan.pending == 2 * 2 * 3
    assert plan.seconds > 0
    assert any("12 fits" in line for line in plan.lines())


def test_an_unfinished_run_is_not_opened(finished, tmp_path):
    shutil.copy(finished[0].folder / "protocol.yaml", tmp_path)
    with pytest.raises(InputError, match="has not finished"):
        isthmus.open_run(tmp_path)


def test_a_protocol_in_a_run_folder_that_was_altered_is_refused(finished, cohorts, tmp_path):
    folder = tmp_path / "altered"
    folder.mkdir()
    content = read_yaml(finished[0].folder / "protocol.yaml")
    content["splitz"] = {}
    (folder / "protocol.yaml").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ProtocolError, match="did you mean 'splits'"):
        run("wang2025", cohorts[0], folder, profile="smoke", settings=SETTINGS, resume=True)


def test_a_run_killed_and_resumed_ends_in_the_same_bytes(cohorts, cache, tmp_path):
    settings = [*SETTINGS, "defaults.train.epochs=4", "explain.arms=[]"]
    asked = ["--cohort", str(cohorts[0]), "--profile", "smoke", *(part for one in settings for part in ("--set", one))]
    whole, broken = (["run", "wang2025", "--out", str(tmp_path / name), *asked] for name in ("whole", "broken"))
    # Only what is killed needs a process of its own.
    with unrendered():
        assert CliRunner().invoke(app, whole).exit_code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "isthmus.cli", *broken], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "broken").rglob("done.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # somewhere inside the second fit
    process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    process.wait()
    assert not (tmp_path / "broken" / "predictions.csv").exists(), "the run ended before it was killed"
    with unrendered():
        assert CliRunner().invoke(app, [*broken, "--resume"]).exit_code == 0
    ended, stopped = tmp_path / "whole", tmp_path / "broken"
    assert (stopped / "predictions.csv").read_bytes() == (ended / "predictions.csv").read_bytes()
    assert read_json(stopped / "evidence.json") == read_json(ended / "evidence.json")
