"""Late fusion in a run: the mean of what the arms' own networks say, kept as a bundle, met by the test set once."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from isthmus.errors import InputError, ProtocolError
from isthmus.explain.prediction_cases import predict_given
from isthmus.files import write_yaml
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from tests.contrast_cohort import write_contrast_cohort

CLIP = {"crop": "scan_area", "frames": {"count": 2}}
PROTOCOL = {
    "format": "isthmus-protocol/1.0",
    "protocol": "late",
    "title": "Two looks averaged",
    "question": "Do two looks tell more than one?",
    "cite": "none",
    "target": ["olnm"],
    "primary": {"arm": "late", "against": "image"},
    "splits": {"cross_validation": {"folds": 2}, "seeds": [0], "test": {"column": "split"}},
    "defaults": {
        "network": "resnet18",
        "options": {"width": 8},
        "prepare": {"train_size": 40, "crop_size": 32},
        "train": {
            "optimiser": "adam", "rate": 0.001, "epochs": 1, "batch": 8, "precision": "fp32",
            "class_weight": "balanced",
        },
    },
    "arms": {"image": {}, "clip": {"view": {"modality": "ceus"}, "prepare": CLIP}},
    "fusions": {"late": {"title": "Mean of both", "fuse": ["image", "clip"], "settings": {"join": "mean"}}},
}  # fmt: skip
WITHOUT_CLIP = {f"N{number:02d}" for number in range(40) if number % 8 == 5}


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    path = tmp_path_factory.mktemp("protocol") / "late.yaml"
    write_yaml(path, PROTOCOL)
    return str(path)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_contrast_cohort(tmp_path_factory.mktemp("contrast") / "cohort")


@pytest.fixture(scope="module")
def finished(protocol, cohort, cache, tmp_path_factory):
    said: list[str] = []
    return run(protocol, cohort, tmp_path_factory.mktemp("runs") / "late", say=said.append), said


def averaged(views: pd.DataFrame) -> pd.Series:
    """The mean over arms of the mean over views of log odds, by nodule, as anyone would reckon it from the table."""
    own = views[views["arm"] != "late"].assign(odds=lambda rows: logit(rows["p_1"]))
    return own.groupby(["nodule_id", "arm"])["odds"].mean().groupby("nodule_id").mean()


def test_no_network_is_trained_for_it_and_no_head_fitted(finished):
    result, said = finished
    assert "4 fits (4 to do)" in " ".join(said)
    assert "halves" not in " ".join(said)
    assert not list((result.folder / "arms").glob("**/half-*"))
    assert not list((result.folder / "arms" / "late").glob("**/classifier.*"))
    assert "selection" not in result.evidence


def test_it_is_the_mean_of_the_log_odds_of_the_arms_that_a_nodule_has(finished):
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    held_out = views[views["split"] == "cv"]
    late = held_out[held_out["arm"] == "late"].set_index("nodule_id")["p_1"]
    expected = expit(averaged(held_out))
    assert set(late.index) == set(expected.index)
    np.testing.assert_allclose(late, expected[late.index], atol=2e-6)
    alone = WITHOUT_CLIP & set(late.index)
    image = held_out[held_out["arm"] == "image"].set_index("nodule_id")["p_1"]
    assert alone
    np.testing.assert_allclose(late[sorted(alone)], image[sorted(alone)], atol=2e-6)


def test_it_stands_beside_its_arms_with_calls_and_what_each_member_brought(finished):
    evidence = finished[0].evidence
    assert set(evidence["arms"]) == {"image", "clip", "late"}
    assert {("late", "image")} <= {(one["a"], one["b"]) for one in evidence["comparisons"]}
    assert set(evidence["attribution"]["late"]["members"]) == {"image", "clip"}
    assert [entry["change"] for entry in evidence["regions"]["moved"]["late"]]
    page = finished[0].report.read_text(encoding="utf-8")
    assert "the mean of the log odds of" in page
    assert "nothing is fitted" in page


def test_its_bundle_scores_files_as_the_run_scored_its_test_set(finished, cohort):
    predictor = finished[0].bundle("late")
    assert isinstance(predictor, FusedPredictor)
    assert predictor.spec.mode is None
    assert [(head.fold, head.pair) for head in predictor.spec.heads] == [(0, "all"), (1, "all")]
    rows = finished[0].predictions.query("arm == 'late' and split == 'test'").sort_values("nodule_id")
    predictions = predictor.predict([case_of(cohort, nodule) for nodule in rows["nodule_id"]])
    assert max(abs(one.probabilities["1"] - p) for one, p in zip(predictions, rows["p_1"], strict=True)) < 1e-5
    assert [one.call for one in predictions] == rows["call"].tolist()
    assert not any("is absent" in note for one in predictions for note in one.notes)
    (without,) = predictor.predict([case_of(cohort, min(WITHOUT_CLIP))])
    assert "clip is absent: the score is the mean of the others" in without.notes


def case_of(cohort, nodule):
    views = pd.read_csv(cohort / "views.csv", dtype=str, keep_default_na=False)
    given: dict[str, list[View]] = {}
    for row in views[views["nodule_id"] == nodule].itertuples():
        box, area = (tuple(map(float, text.split())) for text in (row.box, row.region))
        rate = float(row.frame_rate_hz) if row.frame_rate_hz else None
        given.setdefault(row.modality, []).append(View(cohort / row.path, box=box, scan_area=area, frame_rate_hz=rate))
    return Case(given, {}, nodule)


def test_the_card_says_that_nothing_but_networks_was_fitted(finished):
    card = (finished[0].folder / "arms" / "late" / "bundle" / "card.md").read_text(encoding="utf-8")
    assert "Nothing but the networks was fitted" in card
    assert "the others are averaged" in card


def test_predict_takes_the_modalities_that_there_are_and_explains(finished, cohort, tmp_path):
    bundle = finished[0].folder / "arms" / "late" / "bundle"
    both = [f"bmode={cohort}/pictures/B01.png", f"ceus={cohort}/pictures/C01.npy"]
    files = predict_given(bundle, both, tmp_path / "both", boxes=["bmode=20,20,50,50"], explain=True)
    assert files.overlays
    with pytest.raises(InputError, match="looks at no 'swe'"):
        predict_given(bundle, [f"swe={cohort}/pictures/B01.png"], tmp_path / "none")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fusions.late.settings.mode=cross_fit", "takes no mode"),
        ("fusions.late.settings.lasso=null", "takes no lasso"),
        ("fusions.late.columns=[age_years]", "takes no columns"),
        ("fusions.late.candidates=[logistic]", "takes no candidates"),
    ],
)
def test_a_mean_takes_nothing_that_a_head_would(protocol, setting, words):
    with pytest.raises(ProtocolError, match=words):
        resolve_protocol(protocol, settings=[setting])


def test_a_resolved_protocol_says_no_more_than_was_asked(protocol):
    kept = resolve_protocol(protocol).model_dump(mode="json")["fusions"]["late"]
    assert kept["settings"] == {"join": "mean"}
    assert kept["candidates"] == ["mean"]
