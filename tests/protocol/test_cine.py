"""Arms on clips: frames, networks taken over, an oracle, the cohort's own validation part, every seed opened."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, ProtocolError
from isthmus.files import read_json, read_yaml, write_yaml
from isthmus.protocol.cases import find_cases
from isthmus.protocol.oracle import with_oracle_frames, without_oracles
from isthmus.protocol.parts import divide
from isthmus.protocol.perturbation import Perturbation
from isthmus.protocol.report_facts import _no_leak, _with_scored, cohort_facts
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.validate import validate
from tests.simulated_clips import SPECKS_IN, write_simulated_clips
from tests.unrendered import unrendered

ARMS = "only=[attention, plain, frames_mean, frames_maximum, richest_frame]"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return write_simulated_clips(tmp_path_factory.mktemp("simulated") / "sweeps", patients=36)


@pytest.fixture(scope="module")
def finished(cohort, cache, tmp_path_factory):
    said: list[str] = []
    out = tmp_path_factory.mktemp("runs") / "sweeps"
    return run("qian2025", cohort, out, profile="smoke", settings=[ARMS], say=said.append), said


@pytest.fixture
def real(cohort, tmp_path):
    """The cohort as if it were real, without a split of its own."""
    shutil.copytree(cohort, tmp_path / "real", ignore=shutil.ignore_patterns("truth"))
    write_yaml(tmp_path / "real" / "cohort.yaml", read_yaml(cohort / "cohort.yaml") | {"simulated": False})
    nodules = pd.read_csv(cohort / "nodules.csv", dtype=str)
    nodules.drop(columns="split").to_csv(tmp_path / "real" / "nodules.csv", index=False)
    return load_cohort(tmp_path / "real")


def resolved(*settings: str):
    return resolve_protocol("qian2025", "smoke", [ARMS, *settings])


class TestTheRun:
    def test_the_cohorts_validation_part_is_held_out_in_one_fold_of_every_seed(self, finished, cohort):
        split = pd.read_csv(finished[0].folder / "split.csv", dtype={"group_id": str})
        nodules = load_cohort(cohort).nodules
        tune = set(nodules.loc[nodules["split"] == "tune", "group_id"])
        assert set(split["fold"]) == {0}
        assert set(split["seed"]) == {0, 1}
        for _, rows in split.groupby("seed"):
            assert set(rows.loc[rows["part"] == "cv", "group_id"]) == tune
        chosen = [set(rows.loc[rows["part"] == "tune", "group_id"]) for _, rows in split.groupby("seed")]
        assert chosen[0] != chosen[1]

    def test_every_seed_meets_the_opened_sets_in_one_opening_and_the_first_is_the_arms_model(self, finished):
        folder = finished[0].folder
        opened = read_json(folder / "openings.json")["openings"]
        assert [one["split"] for one in opened] == ["test", "external"]
        seeds = pd.read_csv(folder / "predictions_seeds.csv", dtype={"unit_id": str})
        assert set(seeds["seed"]) == {0, 1}
        assert set(seeds["split"]) == {"test", "external"}
        table = finished[0].predictions
        kept = table[table["split"].isin(["test", "external"])]
        assert set(kept["seed"]) == {0}
        first = seeds[seeds["seed"] == 0].merge(kept, on=["arm", "split", "unit_id"], suffixes=("", "_kept"))
        assert len(first) == len(kept)
        assert first["p_1"].to_numpy() == pytest.approx(first["p_1_kept"].to_numpy(), abs=1e-6)

    def test_an_arm_takes_over_the_networks_of_another_and_scores_the_most_suspicious_frame(self, finished):
        arms = finished[0].folder / "arms"
        place = Path("inception_resnet_v2/seed-0/fold-0")
        assert read_yaml(arms / "frames_maximum" / place / "fit.yaml")["weights_of"] == f"frames_mean/{place}"
        mean, highest = (
            (arms / arm / place / "weights.safetensors").read_bytes() for arm in ("frames_mean", "frames_maximum")
        )
        assert mean == highest
        table = finished[0].predictions
        scores = [
            table[(table["arm"] == arm) & (table["split"] == "test")] for arm in ("frames_mean", "frames_maximum")
        ]
        assert (scores[1]["p_1"].to_numpy() >= scores[0]["p_1"].to_numpy() - 1e-6).all()
        assert (scores[1]["p_1"].to_numpy() > scores[0]["p_1"].to_numpy()).any()

    def test_seeds_are_judged_as_readers_and_the_named_contrasts_stand_in_their_order(self, finished):
        evidence = finished[0].evidence
        named = [one["title"] for one in evidence["contrasts"]]
        assert named == ["the primary contrast", "3D against the best use of single frames"]
        found = [(one["split"], one["kind"], one["seeds_as"]) for one in evidence["seeds"]["contrasts"][:2]]
        assert found == [("test", "primary", "fixed"), ("test", "secondary", "fixed")]

    def test_boxes_are_moved_on_clips_too(self, finished):
        assert {"attention", "frames_mean"} <= set(finished[0].evidence["regions"]["moved"])

    def test_the_report_shows_a_playable_clip(self, finished):
        page = (finished[0].folder / "report.html").read_text(encoding="utf-8")
        assert "<video" in page
        assert "data:video/mp4;base64," in page


def test_other_sweeps_are_met_by_the_finished_models_boxes_moved_too(finished, cache, tmp_path):
    other = write_simulated_clips(tmp_path / "other", patients=12, seed=7)
    write_yaml(other / "cohort.yaml", read_yaml(other / "cohort.yaml") | {"name": "other sweeps"})
    for arm in ("frames_mean", "richest_frame"):
        with unrendered() if arm == "richest_frame" else nullcontext():  # its figures are those of the first
            evidence = validate(finished[0].folder / "arms" / arm / "bundle", other, tmp_path / arm)
        assert set(evidence["regions"]["moved"]) == set(evidence["arms"])
        assert evidence["arms"][arm]["external"]["n"] == 24


class TestOracle:
    def test_the_frame_with_most_calcification_is_chosen(self, cohort):
        loaded = load_cohort(cohort)
        frames = with_oracle_frames(loaded.examples("malignant", "cine"), loaded).set_index("view_id")["frames"]
        seen = pd.read_csv(cohort / "truth" / "views.csv").dropna(subset=["calcifications"])
        speckled = [view for view in seen["view_id"] if view.startswith("C")]
        assert speckled
        assert all(frames[view][0] in SPECKS_IN for view in speckled)

    def test_a_clip_without_any_gets_the_frame_of_its_largest_lesion(self, cohort):
        loaded = load_cohort(cohort)
        frames = with_oracle_frames(loaded.examples("malignant", "cine"), loaded).set_index("view_id")["frames"]
        seen = pd.read_csv(cohort / "truth" / "views.csv")
        plain = seen.loc[seen["calcifications"].isna() & seen["view_id"].str.startswith("C"), "view_id"]
        assert {frames[view] for view in plain} == {(5,)}

    def test_a_real_cohort_runs_without_it_and_it_is_said(self, real):
        protocol, said = without_oracles(resolved(), real)
        assert "richest_frame" not in protocol.arms
        assert "richest_frame" not in protocol.secondary[0].against
        assert "this cohort is real" in said[0]

    def test_a_primary_contrast_with_an_oracle_is_refused_on_a_real_cohort(self, real):
        with pytest.raises(CohortError, match="only a simulation"):
            without_oracles(resolved("primary={arm: richest_frame, against: plain}"), real)


def test_the_report_counts_whom_the_held_out_part_judges_and_calls_no_seed_a_fold(cohort):
    protocol, cases = resolved(), find_cases(resolved(), load_cohort(cohort))
    units = cases.units
    part_of = units.set_index("nodule_id")["fixed_split"]
    scored = pd.DataFrame({"unit_id": part_of.index, "split": part_of.replace({"tune": "cv"}).to_numpy()})
    facts = _with_scored(cohort_facts(cases, {}), protocol, cases, scored.assign(unit="nodule"))
    assert facts.flow[-1].count == int((part_of != "train").sum()) < len(units) == facts.flow[-2].count
    assert f"{int((part_of == 'tune').sum())} in the validation part" in facts.flow[-1].detail
    split = divide(protocol, cases)[0]
    assert split.groupby(["seed", "fold"]).ngroups == 2
    assert _no_leak(split) == "No group of patients stands on two sides."


def test_without_a_split_of_its_own_a_cohort_is_cross_validated_and_has_no_test_part(real):
    protocol, _ = without_oracles(resolved(), real)
    split, aside = divide(protocol, find_cases(protocol, real))
    assert aside == {}
    assert set(split["fold"]) == {0, 1}


def test_a_group_on_both_sides_of_the_validation_part_is_refused(cohort, tmp_path):
    shutil.copytree(cohort, tmp_path / "mixed")
    nodules = pd.read_csv(tmp_path / "mixed" / "nodules.csv", dtype=str)
    nodules.loc[nodules["nodule_id"] == "N00a", "split"] = "tune"
    nodules.to_csv(tmp_path / "mixed" / "nodules.csv", index=False)
    mixed = load_cohort(tmp_path / "mixed")
    with pytest.raises(CohortError, match="both in the part 'tune' and outside it: P00"):
        divide(resolved(), find_cases(resolved(), mixed))


def test_all_boxes_of_a_clip_are_moved_alike_and_frames_out_of_plane_stay_without_one():
    boxes = np.array([[np.nan] * 4, [10.0, 10.0, 30.0, 20.0], [12.0, 10.0, 32.0, 20.0]])
    changed = Perturbation("moved", shift=0.1).apply_to_clip(boxes, "view 1")
    assert np.isnan(changed[0]).all()
    assert changed[2] - changed[1] == pytest.approx(boxes[2] - boxes[1])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("arms.plain.prepare.frames=null", "layout '3d' is of several frames"),
        ("arms.still.prepare.frames=null", "does not say which frames"),
        ("arms.plain.prepare.layout=2d", "is a 3D network; set prepare.layout to '3d'"),
        ("arms.frames_maximum.networks_of=frames_maximum", "no arm that trains networks"),
        ("arms.frames_maximum.train.epochs=7", "differs from it in train"),
        ("arms.plain.view.modality=bmode", "bmode views are stills"),
        ("primary.arm=atention", "is no arm of this protocol"),
    ],
)
def test_a_protocol_that_makes_no_sense_of_clips_is_refused_in_words(setting, words):
    with pytest.raises(ProtocolError, match=words):
        resolve_protocol("qian2025", "smoke", [setting])


def test_an_arm_cannot_be_chosen_without_the_arm_whose_networks_it_takes():
    with pytest.raises(ProtocolError, match="takes the networks of frames_mean"):
        resolve_protocol("qian2025", "smoke", ["only=[attention, plain, frames_maximum]"])


def test_clips_are_asked_for_shortcuts_and_count_as_four_stills(finished):
    found = finished[0].evidence["shortcuts"]
    assert 0 < found["views"] <= 24 // 4
    for entries in found["changes"].values():
        assert {"as they are", "lesion painted out", "speckle smoothed"} <= {entry["change"] for entry in entries}
