"""Fused arms in a run: cross-fitted on halves, chosen among classifiers, frozen, and met by the test set once."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, FitError, InputError, ProtocolError
from isthmus.files import read_json, write_yaml
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.protocol import fused_fits, perturbation
from isthmus.protocol.frozen import Lock
from isthmus.protocol.fused_perturbation import perturbed_fusion
from isthmus.protocol.joined_columns import with_known_columns
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.protocol.validate import validate
from isthmus.training.spec import FitSpec
from tests.unrendered import unrendered

PROTOCOL = {
    "format": "isthmus-protocol/1.0",
    "protocol": "joined",
    "title": "Two looks joined",
    "question": "Do two looks at one picture tell more than one?",
    "cite": "none",
    "target": ["tirads_4a_or_higher"],
    "primary": {"arm": "combined", "against": "lesion"},
    "splits": {"cross_validation": {"folds": 2}, "seeds": [0], "test": {"fraction": 0.3}},
    "defaults": {
        "network": "resnet18",
        "options": {"width": 16},
        "prepare": {"train_size": 40, "crop_size": 32},
        "train": {"optimiser": "adam", "rate": 0.001, "epochs": 1, "batch": 8, "precision": "fp32"},
    },
    "arms": {"lesion": {"prepare": {"crop": "lesion"}}, "picture": {"prepare": {"crop": "scan_area"}}},
    "fusions": {
        "combined": {
            "title": "Both looks",
            "fuse": ["lesion", "picture"],
            "columns": ["age_years", "sex"],
            "settings": {"lasso": {"cv": 3}},
            "candidates": ["logistic", "knn"],
        },
        "stacked": {"fuse": ["lesion", "picture"], "settings": {"join": "logits", "lasso": None}},
    },
    "clinical": {"columns": ["age_years", "sex"]},
}

COLUMNS = ("age_years", "sex")


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    path = tmp_path_factory.mktemp("protocol") / "joined.yaml"
    write_yaml(path, PROTOCOL)
    return str(path)


@pytest.fixture(scope="module")
def checked_pairs():
    """What a spy saw: on one side whom something was fitted on, on the other whom it scores."""
    return []


@pytest.fixture(scope="module")
def perturbed():
    """With what each fusion was scored on changed boxes: folder, cases, folds, pictures as drawn and changed."""
    return {}


@pytest.fixture(scope="module")
def joined(protocol, cohorts, cache, checked_pairs, perturbed, tmp_path_factory):
    own = fused_fits.check_unseen

    def spy(seen, scored, where):
        checked_pairs.append((set(seen), set(scored)))
        own(seen, scored, where)

    def seen_perturbation(*given):
        perturbed[given[2][0].key] = given
        return perturbed_fusion(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_fits, "check_unseen", spy)
        patch.setattr(perturbation, "perturbed_fusion", seen_perturbation)
        said: list[str] = []
        out = tmp_path_factory.mktemp("runs") / "joined"
        result = run(protocol, cohorts[0], out, external=cohorts[1], say=said.append)
    return result, said


def test_the_plan_counts_the_fits_on_halves(joined):
    said = " ".join(joined[1])
    assert "4 fits (4 to do) and 8 on halves of the training patients, for fused arms" in said
    stated = float(re.search(r"about (\d+) MiB of disk", said)[1])
    weights = sum(path.stat().st_size for path in joined[0].folder.glob("**/*.safetensors")) / 2**20
    assert weights < stated < 2 * weights


def test_networks_of_one_half_and_the_head_of_the_other_share_no_patient(joined):
    folder = joined[0].folder
    split = pd.read_csv(folder / "split.csv", dtype={"group_id": str})
    for fold in (0, 1):
        parts = split[split["fold"] == fold].set_index("group_id")["part"]
        halves = [
            FitSpec.read(
                folder / "arms" / "lesion" / "resnet18" / "seed-0" / f"fold-{fold}" / f"half-{name}" / "fit.yaml"
            )
            for name in "ab"
        ]
        trained = [{half.groups[view] for view in half.train_views} for half in halves]
        assert not trained[0] & trained[1]
        assert trained[0] | trained[1] == set(parts.index[parts == "train"])
        for half in halves:
            assert {half.groups[view] for view in half.held_out_views} == set(parts.index[parts == "cv"])


def test_a_spy_sees_that_nothing_scores_whom_it_was_fitted_on(joined, checked_pairs):
    # Two checks (networks against head, both against the judged) for two pairs of two folds of two fusions.
    assert len(checked_pairs) == 16
    assert all(seen and scored and not seen & scored for seen, scored in checked_pairs)


def test_a_head_that_would_score_its_own_patients_is_refused():
    with pytest.raises(FitError, match="scored by what was fitted on them"):
        fused_fits.check_unseen(["a", "b"], ["b", "c"], "here")


def test_fused_arms_stand_beside_their_members_in_every_table(joined):
    evidence = joined[0].evidence
    for name in ("lesion", "picture", "combined", "stacked", "clinical"):
        assert set(evidence["arms"][name]) == {"cv", "test", "external"}, name
    counts = joined[0].predictions.groupby(["arm", "split"])["unit_id"].nunique().unstack()
    assert (counts["test"] == counts.loc["lesion", "test"]).all()
    assert (counts["cv"] == counts.loc["lesion", "cv"]).all()
    held_out = joined[0].predictions.query("split in ['cv', 'test', 'external']")
    assert (held_out["call"] != "").all()
    frozen = read_json(joined[0].folder / "frozen.json", name="frozen")["arms"]
    assert set(frozen["combined"]["folds"]) == {"0/0", "0/1"}
    assert "model" in frozen["clinical"]


def test_the_classifier_is_chosen_by_cross_validation_and_the_others_never_meet_the_test_set(joined):
    found = joined[0].evidence["candidates"]["arms"]["combined"]
    assert set(found["candidates"]) == {"logistic", "knn"}
    assert set(joined[0].predictions.query("arm == 'combined'")["candidate"]) == {found["chosen"]}
    assert [opening["arms"] for opening in Lock(joined[0].folder).openings()] == [
        ["lesion", "picture", "combined", "stacked", "clinical"]
    ] * 2


def test_a_stacked_model_has_a_head_a_fold_and_half_that_sees_one_log_odds_a_member(joined):
    from isthmus.models.fused import FusedHead

    folder = joined[0].folder
    heads = sorted((folder / "arms" / "stacked" / "logistic").glob("seed-0/fold-*/pair-*"))
    assert [head.parts[-2:] for head in heads] == [
        ("fold-0", "pair-a"), ("fold-0", "pair-b"), ("fold-1", "pair-a"), ("fold-1", "pair-b")
    ]  # fmt: skip
    columns = {FusedHead.read(head).columns for head in heads}
    assert columns == {("lesion:log_odds", "picture:log_odds")}


def test_columns_of_the_tables_join_as_they_were_coded_on_the_heads_own_patients(joined, cohorts):
    folder = joined[0].folder
    place = folder / "arms" / "combined" / "logistic" / "seed-0" / "fold-0" / "pair-a"
    terms = read_json(place / "columns.json", name="fused-columns")["terms"]
    taught = FitSpec.read(folder / "arms" / "lesion" / "resnet18" / "seed-0" / "fold-0" / "half-b" / "fit.yaml")
    groups = {taught.groups[view] for view in taught.train_views}  # the head of pair a learns from the networks' b
    patients = pd.read_csv(cohorts[0] / "patients.csv", dtype={"patient_id": str})
    ages = patients.loc[patients["patient_id"].isin(groups), "age_years"]
    assert terms[0]["column"] == "age_years"
    assert terms[0]["fill"] == pytest.approx(ages.mean())


def cases_of(cohort, nodules):
    """Return the nodules as files with regions, and what the tables know of them."""
    known = cohort.nodules.merge(cohort.patients, on="patient_id").set_index("nodule_id")
    views = cohort.examples("tirads_4a_or_higher")
    cases = []
    for nodule in nodules:
        own = views[views["nodule_id"] == nodule].itertuples()
        files = [View(row.path, mask=row.mask, scan_area=row.region) for row in own]
        columns = {name: None if pd.isna(known.loc[nodule, name]) else known.loc[nodule, name] for name in COLUMNS}
        cases.append(Case({"bmode": files}, columns, nodule))
    return cases


@pytest.mark.parametrize(("arm", "split"), [("combined", "test"), ("stacked", "test"), ("combined", "external")])
def test_a_fused_bundle_scores_files_as_the_run_scored_its_sets(joined, cohorts, arm, split):
    # Contract 3: `predict` on a run's test nodules equals its predictions.csv to 1e-5.
    cohort = isthmus.load_cohort(cohorts[0] if split == "test" else cohorts[1])
    table = joined[0].predictions
    rows = table[(table["split"] == split) & (table["arm"] == arm)].sort_values("nodule_id")
    predictor = joined[0].bundle(arm)
    assert isinstance(predictor, FusedPredictor)
    cases = cases_of(cohort, rows["nodule_id"])
    if arm == "stacked":
        cases = [Case(case.views, {}, case.name) for case in cases]
    predictions = predictor.predict(cases)
    assert len(rows) > 5
    assert [one.case for one in predictions] == rows["nodule_id"].tolist()
    assert max(abs(one.probabilities["1"] - p) for one, p in zip(predictions, rows["p_1"], strict=True)) < 1e-5
    assert [one.call for one in predictions] == rows["call"].tolist()


def test_a_bundle_keeps_what_was_frozen_and_how_its_heads_learnt(joined):
    spec, frozen = joined[0].bundle("combined").spec, read_json(joined[0].folder / "frozen.json")["arms"]["combined"]
    assert spec.thresholds.value == frozen["threshold"]
    assert spec.calibration.slope == frozen["calibration"]["slope"]
    assert spec.classifier == frozen["candidate"]
    assert [(head.fold, head.pair) for head in spec.heads] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert [column.name for column in spec.columns] == list(COLUMNS)
    assert [column.kind for column in spec.columns] == ["numeric", "unused"]  # nearly all are women
    assert spec.mode == "cross_fit"
    with pytest.raises(InputError, match="'clinical' has no bundle"):
        joined[0].bundle("clinical")
    with pytest.raises(InputError, match="no arm is called"):
        joined[0].bundle("other")


def test_a_validation_finds_of_fusions_and_the_clinical_model_what_the_run_found(joined, cohorts, tmp_path):
    shutil.copytree(joined[0].folder, tmp_path / "run")
    with unrendered():
        evidence = validate(tmp_path / "run", cohorts[1], tmp_path / "out")
    assert set(evidence["arms"]) == {"lesion", "picture", "combined", "stacked", "clinical"}
    rows = {}
    for name, place in (("run", joined[0].folder), ("validation", tmp_path / "out")):
        table = pd.read_csv(place / "predictions.csv", dtype=str)
        rows[name] = table[table["split"] == "external"].sort_values(["arm", "unit_id"]).reset_index(drop=True)
    shared = ["cohort", "arm", "candidate", "unit_id", "label", "call", "p_1"]
    pd.testing.assert_frame_equal(rows["run"][shared], rows["validation"][shared])
    assert set(evidence["regions"]["moved"]) == {"lesion", "combined", "stacked"}
    assert set(Lock(tmp_path / "run").openings()[-1]["arms"]) == set(evidence["arms"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Both looks" in page
    assert "Clinical model" in page


def test_a_fused_bundle_alone_is_validated(joined, cohorts, tmp_path):
    bundle = joined[0].folder / "arms" / "combined" / "bundle"
    with unrendered():
        evidence = validate(bundle, cohorts[1], tmp_path / "out")
    found, known = (one["arms"]["combined"]["external"]["auc"] for one in (evidence, joined[0].evidence))
    assert found == known
    (moved,) = evidence["regions"]["moved"].values()
    assert [entry["change"] for entry in moved] == [change.name for change in perturbation.PERTURBATIONS]
    assert any(entry["difference"]["difference"] != 0 for entry in moved)


def test_a_finished_run_with_fusions_is_resumed_to_the_same_bytes(joined, protocol, cohorts, cache, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(joined[0].folder, folder)
    before = (folder / "predictions.csv").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in (folder / "regions").iterdir()}
    done = folder / "arms" / "combined" / "knn" / "seed-0" / "fold-1" / "done.json"
    done.unlink()
    with unrendered():
        run(protocol, cohorts[0], folder, external=cohorts[1], resume=True)
    assert done.is_file()
    assert (folder / "predictions.csv").read_bytes() == before
    assert len(Lock(folder).openings()) == 2
    assert {path: path.stat().st_mtime_ns for path in (folder / "regions").iterdir()} == kept


def test_boxes_are_moved_and_scaled_for_what_joins_arms_too(joined):
    moved = joined[0].evidence["regions"]["moved"]
    assert set(moved) == {"lesion", "combined", "stacked"}
    held_out = joined[0].predictions.query("split == 'cv'").groupby("arm")["unit_id"].nunique()
    for arm in ("combined", "stacked"):
        assert [entry["change"] for entry in moved[arm]] == [change.name for change in perturbation.PERTURBATIONS]
        assert all(entry["n"] == held_out[arm] for entry in moved[arm])
        assert all(np.isfinite(entry["difference"]["difference"]) for entry in moved[arm])
    page = joined[0].report.read_text(encoding="utf-8")
    assert "Both looks: a box moved by 10 % changes" in page or "Both looks: none of its" in page


def test_boxes_that_stay_where_they_were_give_the_scores_of_the_run(joined, perturbed, tmp_path):
    for arm in ("combined", "stacked"):
        folder, cases, folds, as_drawn, changed = perturbed[arm]
        still = tmp_path / arm
        shutil.copytree(folder / "arms", still / "arms", ignore=shutil.ignore_patterns("bundle"))
        found = perturbed_fusion(still, cases, folds, as_drawn, {"lesion": {"not moved": as_drawn["lesion"]}})
        rows = found["not moved"].set_index("nodule_id")
        run_rows = joined[0].predictions.query("split == 'cv' and arm == @arm").set_index("nodule_id")
        assert set(rows.index) == set(run_rows.index)
        np.testing.assert_allclose(rows.loc[run_rows.index, "p_1"], run_rows["p_1"], atol=1e-9)
        moved = perturbed_fusion(folder, cases, folds, as_drawn, changed)["20 % larger"].set_index("nodule_id")
        assert (moved.loc[run_rows.index, "p_1"] - run_rows["p_1"]).abs().max() > 1e-6


def test_a_nodule_of_which_a_box_could_not_be_changed_is_left_out(perturbed, tmp_path):
    folder, cases, folds, as_drawn, _ = perturbed["stacked"]
    shutil.copytree(folder / "arms", tmp_path / "arms", ignore=shutil.ignore_patterns("bundle"))
    store = as_drawn["lesion"]
    views = cases.views["lesion"].set_index("view_id")
    lost = next(view for view in reversed(store.view_ids) if view in views.index)
    short = replace(store, view_ids=store.view_ids[: store.view_ids.index(lost)])
    rows = perturbed_fusion(tmp_path, cases, folds, as_drawn, {"lesion": {"moved": short}})["moved"]
    assert len(rows) > 0
    assert views.loc[lost, "nodule_id"] not in set(rows["nodule_id"])


def test_the_report_names_members_classifier_and_how_the_head_learnt(joined):
    page = joined[0].report.read_text(encoding="utf-8")
    assert "Both looks" in page
    assert "its head learnt only from patients that its networks never saw" in page


def test_in_sample_heads_are_said_to_be_in_sample(protocol, cohorts, cache, tmp_path):
    settings = ["fusions.combined.settings.mode=paper", "only=[lesion, picture, combined]", "splits.test=null"]
    result = run(protocol, cohorts[0], tmp_path / "run", settings=settings)
    assert "as published: in-sample" in result.report.read_text(encoding="utf-8")
    assert not list((result.folder / "arms").glob("**/half-*"))
    assert np.isfinite(result.evidence["arms"]["combined"]["cv"]["auc"]["estimate"])


def test_a_column_that_no_table_has_is_said_and_left_out(protocol, cohorts):
    asked = resolve_protocol(protocol, settings=["fusions.combined.columns=[age_years, shoe_size]"])
    known, lines = with_known_columns(asked, load_cohort(cohorts[0]))
    assert known.fusions["combined"].columns == ["age_years"]
    assert lines == ["left out of combined: shoe_size, in neither nodules.csv nor patients.csv"]


def test_perfusion_is_refused_before_any_training_where_no_clip_shows_it(protocol, cohorts):
    asked = resolve_protocol(protocol, settings=["fusions.combined.perfusion=true"])
    with pytest.raises(CohortError, match="no contrast-enhanced clip"):
        with_known_columns(asked, load_cohort(cohorts[0]))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fusions.combined.fuse=[lesion, other]", "'other', which is no arm"),
        ("fusions.combined.candidates=[oracle]", "no classifier is called 'oracle'"),
        ("fusions.combined.columns=[margin]", "may be known from the operation only"),
        ("clinical.columns=[extrathyroidal_extension]", "may be known from the operation only"),
        ("fusions.perfusion.fuse=[lesion, picture]", "may be called 'perfusion'"),
        ("primary.arm=joined", "'joined', which is no arm of this protocol"),
        ("only=[lesion, combined]", "takes the networks of picture"),
    ],
)
def test_a_fusion_of_what_is_not_there_is_refused_before_anything_is_read(protocol, setting, words):
    with pytest.raises(ProtocolError, match=words):
        resolve_protocol(protocol, settings=[setting])
