"""A run of two fusions of stills: an arm that pools the pictures of three modalities, and the mean of two arms' logits.

Late fusion trains nothing, is kept as a fused bundle, and answers for a nodule with whatever it has; so does pooling.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import InputError, ProtocolError
from isthmus.explain.prediction_cases import predict_given
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.joined_cases import predict_joined_cases
from isthmus.inference.load import load_bundle
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import Run
from tests.multimodal_cohort import MODALITIES
from tests.protocol.conftest import Multimodal


@pytest.fixture
def folder(multimodal: Multimodal) -> Path:
    return multimodal.cohort


@pytest.fixture
def finished(multimodal: Multimodal) -> tuple[Run, list[str]]:
    return multimodal.run, multimodal.said


@pytest.fixture
def held_out(finished: tuple[Run, list[str]]) -> pd.DataFrame:
    """The held-out views of every arm."""
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    return views[views["split"] == "cv"]


def case_of(folder: Path, nodule: str, *modalities: str) -> Case:
    """A nodule as files, of these modalities."""
    views = load_cohort(folder).views
    given: dict[str, list[View]] = {}
    for row in views[(views["nodule_id"] == nodule) & views["modality"].isin(modalities)].itertuples():
        view = View(folder / str(row.path), box=",".join(str(row.box).split()), scan_area="0,0,72,56")
        given.setdefault(str(row.modality), []).append(view)
    return Case(given, {}, nodule)


def test_every_picture_is_an_example_and_a_nodule_the_mean_of_its_pictures(
    finished: tuple[Run, list[str]], folder: Path
) -> None:
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    own = views[(views["arm"] == "pooled") & views["split"].isin(["cv", "test"])]
    assert set(own["view_id"]) == set(load_cohort(folder).views["view_id"])
    rows = finished[0].predictions.query("arm == 'pooled' and split in ['cv', 'test']").set_index("unit_id")["p_1"]
    np.testing.assert_allclose(own.groupby("nodule_id")["p_1"].mean()[rows.index], rows, atol=1e-6)


def test_pooling_is_judged_with_every_subset_of_modalities(
    finished: tuple[Run, list[str]], folder: Path, held_out: pd.DataFrame
) -> None:
    found = finished[0].evidence["modalities"]["pooled"]["subsets"]
    assert len({"+".join(one["shown"]) for one in found if one["split"] == "cv"}) == 7
    table = pd.read_csv(finished[0].folder / "tables" / "modalities.csv", dtype={"unit_id": str})
    alone = table.query("arm == 'pooled' and split == 'cv' and subset == 1").set_index("unit_id")["p_1"]
    modality = load_cohort(folder).views.set_index("view_id")["modality"]
    own = held_out[(held_out["arm"] == "pooled") & (held_out["view_id"].map(modality) == "bmode")]
    np.testing.assert_allclose(own.groupby("nodule_id")["p_1"].mean()[alone.index], alone, atol=1e-6)


def test_a_pooled_bundle_says_of_files_what_the_run_said_of_the_test_set(
    finished: tuple[Run, list[str]], folder: Path
) -> None:
    predictor = load_bundle(finished[0].bundle_folder("pooled"), "cpu")
    assert predictor.spec.join is not None
    assert (predictor.spec.join.how, predictor.spec.requires.modalities) == ("pooled", list(MODALITIES))
    rows = finished[0].predictions.query("arm == 'pooled' and split == 'test'").set_index("unit_id")["p_1"]
    said = predict_joined_cases(predictor, [case_of(folder, nodule, *MODALITIES) for nodule in rows.index])
    np.testing.assert_allclose([one.probabilities["1"] for one in said], rows, atol=1e-5)
    (alone,) = predict_joined_cases(predictor, [case_of(folder, rows.index[0], "bmode")])
    assert "swe is absent: the model answers without it" in alone.notes


def test_for_late_fusion_no_network_is_trained_and_no_head_fitted(finished: tuple[Run, list[str]]) -> None:
    result, said = finished
    assert "8 fits (8 to do)" in " ".join(said)
    assert "halves" not in " ".join(said)
    assert not list((result.folder / "arms").glob("**/half-*"))
    assert not list((result.folder / "arms" / "late").glob("**/classifier.*"))
    assert "selection" not in result.evidence


def test_late_fusion_is_the_mean_of_the_log_odds_of_the_arms_that_a_nodule_has(held_out: pd.DataFrame) -> None:
    late = held_out[held_out["arm"] == "late"].set_index("nodule_id")["p_1"]
    own = held_out[held_out["arm"].isin(["bmode", "swe"])].assign(odds=lambda rows: logit(rows["p_1"]))
    expected = expit(own.groupby(["nodule_id", "arm"])["odds"].mean().groupby("nodule_id").mean())
    assert set(late.index) == set(expected.index)
    np.testing.assert_allclose(late, expected[late.index], atol=2e-6)
    assert own.groupby("nodule_id")["arm"].nunique().min() == 1


def test_late_fusion_stands_beside_its_arms_with_calls_and_what_each_brought(finished: tuple[Run, list[str]]) -> None:
    evidence = finished[0].evidence
    assert set(evidence["arms"]) == {"bmode", "swe", "pooled", "branches", "late"}
    assert set(evidence["attribution"]["late"]["members"]) == {"bmode", "swe"}
    assert evidence["regions"]["moved"]["late"]
    page = finished[0].report.read_text(encoding="utf-8")
    assert "the mean of the log odds of" in page
    assert "nothing is fitted" in page
    assert "members lead from even odds" in page
    rows = pd.read_csv(finished[0].folder / "explanations" / "late" / "attribution.csv").set_index("nodule_id")
    late = finished[0].predictions.query("arm == 'late' and split == 'cv'").set_index("unit_id")["p_1"]
    np.testing.assert_allclose(rows[["bmode", "swe"]].sum(axis=1), logit(late[rows.index]), atol=1e-5)
    assert (rows["swe"] == 0).any()


def test_a_late_bundle_says_of_files_what_the_run_said_of_the_test_set(
    finished: tuple[Run, list[str]], folder: Path
) -> None:
    predictor = finished[0].bundle("late")
    assert isinstance(predictor, FusedPredictor)
    assert [(head.fold, head.pair) for head in predictor.spec.heads] == [(0, "all"), (1, "all")]
    rows = finished[0].predictions.query("arm == 'late' and split == 'test'").sort_values("nodule_id")
    said = predictor.predict([case_of(folder, nodule, "bmode", "swe") for nodule in rows["nodule_id"]])
    np.testing.assert_allclose([one.probabilities["1"] for one in said], rows["p_1"], atol=1e-5)
    assert [one.call for one in said] == rows["call"].tolist()
    (alone,) = predictor.predict([case_of(folder, rows["nodule_id"].iloc[0], "bmode")])
    assert "swe is absent: the score is the mean of the others" in alone.notes
    card = (finished[0].bundle_folder("late") / "card.md").read_text(encoding="utf-8")
    assert "Nothing but the networks was fitted" in card
    assert "the others are averaged" in card


def test_predict_explains_a_late_bundle_and_refuses_other_modalities(
    finished: tuple[Run, list[str]], folder: Path, tmp_path: Path
) -> None:
    case = case_of(folder, str(load_cohort(folder).nodules["nodule_id"].iloc[0]), "bmode", "swe")
    files = [f"{name}={own[0].path}" for name, own in case.views.items()]
    boxes = [f"{name}={own[0].box}" for name, own in case.views.items()]
    bundle = finished[0].bundle_folder("late")
    assert predict_given(bundle, files, tmp_path / "out", boxes=boxes, explain=True).overlays
    with pytest.raises(InputError, match="looks at no 'smi'"):
        predict_given(bundle, [f"smi={case.views['bmode'][0].path}"], tmp_path / "none")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fusions.late.settings.mode=cross_fit", "takes no mode"),
        ("fusions.late.settings.lasso=null", "takes no lasso"),
        ("fusions.late.columns=[age_years]", "takes no columns"),
        ("fusions.late.candidates=[logistic]", "takes no candidates"),
        ("fusions.late.fuse=[bmode, pooled]", "joins modalities itself"),
    ],
)
def test_a_mean_takes_nothing_that_a_head_would(setting: str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        resolve_protocol("ding2026", settings=[setting])


def test_a_resolved_protocol_says_no_more_than_was_asked() -> None:
    kept = resolve_protocol("ding2026").model_dump(mode="json")["fusions"]["late"]
    assert kept["settings"] == {"join": "mean"}
    assert kept["candidates"] == ["mean"]
