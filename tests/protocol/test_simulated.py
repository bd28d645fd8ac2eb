"""A run on a simulated cohort: its own split and external part, pictures divided on purpose, true calcifications."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, ProtocolError
from isthmus.files import read_json
from isthmus.protocol.cases import find_cases
from isthmus.protocol.parts import divide
from isthmus.protocol.planning import plan_run
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.statistics.roc import auc
from tests.cohort.small import spoil
from tests.simulated_cohort import write_simulated_cohort
from tests.unrendered import unrendered

SETTINGS = (
    "splits.test={column: split}",
    "leak={arm: resnet34}",
    "explain={arms: [resnet34], cases: 2}",
    "defaults.options.width=8",
    "arms.thyronet_x4.options.groups=4",
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return write_simulated_cohort(tmp_path_factory.mktemp("simulated") / "blobs")


@pytest.fixture(scope="module")
def finished(cohort, cache, tmp_path_factory):
    said: list[str] = []
    out = tmp_path_factory.mktemp("runs") / "blobs"
    return run("wang2025", cohort, out, profile="smoke", settings=SETTINGS, say=said.append), said


def resolved(*settings: str):
    return resolve_protocol("wang2025", "smoke", [*SETTINGS, *settings])


class TestTheCohortsOwnSplit:
    def test_no_network_meets_a_patient_that_is_set_aside(self, finished, cohort):
        nodules = load_cohort(cohort).nodules
        away = set(nodules.loc[nodules["split"].isin(["test", "external"]), "group_id"])
        split = pd.read_csv(finished[0].folder / "split.csv", dtype=str)
        assert set(split["group_id"]) == set(nodules["group_id"]) - away
        for path in (finished[0].folder / "arms").rglob("fit.yaml"):
            assert not any(f"\n- V{group[1:]}" in path.read_text(encoding="utf-8") for group in away)

    def test_the_external_part_is_opened_once_after_the_test_part_and_predicted_whole(self, finished, cohort):
        nodules = load_cohort(cohort).nodules
        opened = read_json(finished[0].folder / "openings.json")["openings"]
        assert [one["split"] for one in opened] == ["test", "external"]
        table = finished[0].predictions
        for part in ("test", "external"):
            rows = table[(table["split"] == part) & (table["arm"] == "resnet34")]
            assert sorted(rows["unit_id"]) == sorted(nodules.loc[nodules["split"] == part, "nodule_id"])
        assert set(finished[0].evidence["arms"]["resnet34"]) == {"cv", "test", "external"}

    def test_a_later_period_is_set_aside_under_its_own_name(self, cohort, tmp_path):
        shutil.copytree(cohort, tmp_path / "blobs")
        for line in (2, 3):
            spoil(tmp_path / "blobs", "nodules", line, "split", "temporal")
        split, aside = divide(resolved(), find_cases(resolved(), load_cohort(tmp_path / "blobs")))
        assert aside["temporal"] == ["P00"]
        assert "P00" not in set(split["group_id"])

    @pytest.mark.parametrize(
        ("table", "line", "column", "words"),
        [("nodules", 12, "split", "P05"), ("patients", 7, "site", "sites of the external part")],
    )
    def test_a_patient_or_a_site_on_two_sides_is_refused(self, cohort, tmp_path, table, line, column, words):
        shutil.copytree(cohort, tmp_path / "blobs")
        spoil(tmp_path / "blobs", table, line, column, {"split": "train", "site": "A"}[column])
        with pytest.raises(CohortError, match=words):
            divide(resolved(), find_cases(resolved(), load_cohort(tmp_path / "blobs")))

    def test_another_cohort_of_the_same_name_is_refused_before_anything_is_made(self, cohort, tmp_path):
        other = write_simulated_cohort(tmp_path / "other", 24, seed=1)
        with pytest.raises(CohortError, match="two cohorts are called 'blobs'"):
            run("wang2025", cohort, tmp_path / "x", external=other, profile="smoke", settings=SETTINGS)
        assert not (tmp_path / "x").exists()


class TestPicturesDivided:
    def test_the_plan_counts_these_fits_and_says_what_they_are(self, cohort, finished):
        plan = plan_run("wang2025", cohort, profile="smoke", settings=SETTINGS)
        assert (plan.fits, plan.picture_level) == (6, 2)
        assert any("2 of them with pictures divided instead of patients" in line for line in finished[1])

    def test_patients_stand_on_both_sides_and_every_view_is_held_out_once(self, finished):
        place = finished[0].folder / "arms" / "resnet34" / "resnet34" / "picture-level"
        held_out = []
        for fold in (0, 1):
            scores = pd.read_csv(place / f"fold-{fold}" / "predictions.csv", dtype=str)
            held_out += scores.loc[scores["part"] == "cv", "view_id"].tolist()
        assert len(held_out) == len(set(held_out)) == finished[0].evidence["leak"]["views"]
        first, second = held_out[: len(held_out) // 2], held_out[len(held_out) // 2 :]
        assert {view[1:4] for view in first} & {view[1:4] for view in second}

    def test_the_evidence_holds_both_aucs_of_the_same_views_and_their_difference(self, finished):
        leak = finished[0].evidence["leak"]
        folder, score = finished[0].folder, []
        for fold in (0, 1):
            part = pd.read_csv(folder / f"arms/resnet34/resnet34/picture-level/fold-{fold}/predictions.csv", dtype=str)
            score.append(part[part["part"] == "cv"].assign(nodule_id="N" + part["view_id"].str[1:4]))
        labels = pd.read_csv(next(iter(folder.glob("predictions.csv"))), dtype=str)
        labels = labels.drop_duplicates("nodule_id").set_index("nodule_id")["label"]
        expected = np.mean([auc(one["nodule_id"].map(labels) == "1", one["p_1"].astype(float)) for one in score])
        assert leak["picture_level"]["estimate"] == pytest.approx(expected)
        assert leak["difference"]["estimate"] == pytest.approx(expected - leak["honest"]["estimate"])
        assert leak["difference"]["low"] < leak["difference"]["high"]

    def test_they_enter_no_prediction_and_no_bundle(self, finished):
        table = finished[0].predictions
        assert not table.duplicated(["arm", "split", "seed", "fold", "unit_id"]).any()
        assert len(list((finished[0].folder / "arms" / "resnet34" / "bundle" / "parts").iterdir())) == 2

    def test_a_resumed_run_repeats_them_and_says_the_same(self, finished, cohort, tmp_path):
        folder = tmp_path / "resumed"
        shutil.copytree(finished[0].folder, folder)
        shutil.rmtree(folder / "arms" / "resnet34" / "resnet34" / "picture-level" / "fold-1")
        said: list[str] = []
        with unrendered():
            again = run("wang2025", cohort, folder, profile="smoke", settings=SETTINGS, resume=True, say=said.append)
        assert any("6 fits (1 to do" in line for line in said)
        assert again.evidence == finished[0].evidence
        assert (folder / "predictions.csv").read_bytes() == (finished[0].folder / "predictions.csv").read_bytes()

    def test_an_arm_that_is_none_is_refused(self):
        with pytest.raises(ProtocolError, match=r"leak\.arm is 'resnet'"):
            resolved("leak={arm: resnet}")


def test_heat_on_true_calcifications_is_measured_where_there_are_some(finished, cohort):
    rows = pd.read_csv(finished[0].folder / "explanations" / "resnet34" / "localisation.csv", dtype={"view_id": str})
    truth = pd.read_csv(cohort / "truth" / "views.csv", dtype=str, keep_default_na=False).set_index("view_id")
    shows = rows["view_id"].map(truth["calcifications"]) != ""
    has_heat = rows["heat_in_lesion"].notna()
    assert rows.loc[shows & has_heat, "heat_in_calcifications"].between(0, 1).all()
    assert rows.loc[~shows, "heat_in_calcifications"].isna().all()
    # Four specks of 2 x 2 source pixels in a window of 52 x 52, which a crop of 32 shows: 16 pixels of 2,704 at least.
    assert rows["calcification_area"].dropna().between(16 / 52**2 * 0.5, 0.08).all()
    summary = read_json(finished[0].folder / "explanations" / "resnet34" / "localisation.json")["calcifications"]
    assert summary["views"] == int((shows & has_heat).sum())


def test_each_arm_stands_beside_its_ideal_observer_on_every_part(finished):
    ideal = finished[0].evidence["ideal_observer"]
    for arm in ("thyronet_x4", "resnet34"):
        assert ideal["arms"][arm]["observer"] == "bmode"
        assert set(ideal["arms"][arm]["splits"]) == {"cv", "test", "external"}
        found = ideal["arms"][arm]["splits"]["test"]
        assert found["gap"]["estimate"] == pytest.approx(found["observer"]["estimate"] - found["arm"]["estimate"])
        assert found["arm"]["estimate"] == finished[0].evidence["arms"][arm]["test"]["auc"]["estimate"]


def test_the_simulated_readers_read_again_with_the_primary_arms_calibrated_help(finished, cohort):
    reads = pd.read_csv(finished[0].folder / "reads.csv", dtype=str)
    nodules = load_cohort(cohort).nodules
    unseen = nodules.loc[nodules["split"].isin(["test", "external"]), "nodule_id"]
    assert set(reads["unit_id"]) == set(unseen)
    assert reads["condition"].value_counts().to_dict() == {"unaided": 3 * len(unseen), "aided": 3 * len(unseen)}
    rows = finished[0].evidence["readers"]
    assert rows["simulated"] is True
    assert {(row["kind"], row["condition"]) for row in rows["rows"]} >= {("reader", "aided"), ("reader", "unaided")}


def test_another_cohorts_patients_are_not_looked_up_in_this_ones_truth(cohort, cache, tmp_path):
    other = write_simulated_cohort(tmp_path / "other", 30, seed=1, name="other blobs")
    settings = ["splits.test={fraction: 0.2}", "explain.arms=[]", "defaults.train.epochs=1", *SETTINGS[3:]]
    with unrendered():
        found = run("wang2025", cohort, tmp_path / "run", external=other, profile="smoke", settings=settings).evidence
    assert set(found["arms"]["resnet34"]) == {"cv", "test", "external"}
    assert set(found["ideal_observer"]["arms"]["resnet34"]["splits"]) == {"cv", "test"}
    assert "leak" not in found


def test_the_report_is_written_from_it(finished):
    assert "SIMULATED" in finished[0].report.read_text(encoding="utf-8")
