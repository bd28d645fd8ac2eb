"""The protocol `stills` from end to end: heads learnt where the cohort has descriptors, and what is said where not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import isthmus
from isthmus.cohort.sources import import_data_set
from isthmus.errors import CohortError, ProtocolError
from isthmus.explain.prediction import predict_files
from isthmus.files import read_yaml
from isthmus.protocol.planning import plan_run
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run import run
from isthmus.training.spec import FitSpec
from tests.ddti_tree import write_ddti_tree

SETTINGS = ("splits.test={fraction: 0.3}", "explain={arms: [mobilenet_v2], cases: 2}")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    write_ddti_tree(folder / "tree", 36, seed=0)
    import_data_set("ddti", folder / "tree", folder / "own")
    return folder / "own"


@pytest.fixture(scope="module")
def undescribed(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undescribed") / "own"
    shutil.copytree(cohort, folder)
    nodules = pd.read_csv(folder / "nodules.csv", dtype=str)
    described = ["composition", "echogenicity", "shape", "margin", "echogenic_foci"]
    nodules.drop(columns=described, errors="ignore").to_csv(folder / "nodules.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISTHMUS_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("runs") / "stills"
        yield run("stills", cohort, out, profile="smoke", settings=SETTINGS, say=said.append), said


def test_the_plan_says_which_descriptors_are_learnt_and_which_the_cohort_lacks(finished: Any) -> None:
    line = next(line for line in finished[1] if "also learns" in line)
    assert line.startswith(
        "mobilenet_v2: also learns what readers described, at weight 0.5 beside the label: composition ("
    )
    assert line.endswith("left out, not told apart in this cohort: shape")
    page = finished[0].report.read_text(encoding="utf-8")
    assert "MobileNetV2: also learns what readers described" in page
    assert "scores a picture and its mirror image" in page
    assert "shows nothing about pathology" in page  # the label of this cohort is TI-RADS


def test_a_fit_knows_the_descriptors_of_its_training_views_alone(finished: Any, cohort: Path) -> None:
    nodules = pd.read_csv(cohort / "nodules.csv", dtype=str).set_index("nodule_id")
    views = pd.read_csv(cohort / "views.csv", dtype=str).set_index("view_id")["nodule_id"]
    folder = finished[0].folder / "arms" / "mobilenet_v2" / "mobilenet_v2" / "seed-0" / "fold-0"
    spec = FitSpec.read(folder / "fit.yaml")
    assert spec.descriptors is not None
    assert spec.flips
    for name, labels in spec.descriptors.labels.items():
        codes = spec.descriptors.heads[name]
        recorded = {view for view in spec.train_views if pd.notna(nodules.loc[views[view], name])}
        assert set(labels) == recorded
        for view, places in labels.items():
            written = set(nodules.loc[views[view], name].split()) - {"none"}
            assert {codes[place] for place in places} == written


def test_the_ablation_has_neither_heads_nor_mirror_images(finished: Any) -> None:
    folder = finished[0].folder / "arms" / "mobilenet_v2_plain"
    spec = FitSpec.read(folder / "mobilenet_v2" / "seed-0" / "fold-0" / "fit.yaml")
    assert (spec.descriptors, spec.flips) == (None, False)
    assert not list(folder.rglob("descriptors.csv"))
    assert read_yaml(folder / "bundle" / "bundle.yaml")["descriptors"] is None


def test_the_table_says_how_well_each_descriptor_was_learnt(finished: Any) -> None:
    table = pd.read_csv(finished[0].folder / "tables" / "descriptors.csv")
    assert set(table["arm"]) == {"mobilenet_v2"}
    macro = table[table["measure"] == "macro_auc"]
    assert set(macro["descriptor"]) == {"composition", "echogenicity", "margin", "echogenic_foci"}
    single = table[(table["measure"] == "auc") & table["estimate"].notna()]
    assert len(single) > 4
    assert (single["low"] <= single["estimate"]).all()
    assert (single["estimate"] <= single["high"]).all()


def test_the_report_shows_what_was_learnt_beside_the_label(finished: Any) -> None:
    rows = finished[0].evidence["descriptors"]
    assert {row["descriptor"] for row in rows} == set(
        pd.read_csv(finished[0].folder / "tables" / "descriptors.csv")["descriptor"]
    )
    page = finished[0].report.read_text(encoding="utf-8")
    assert "What the networks learnt to describe" in page
    assert "mean of its findings" in page
    assert "what it sees against what readers wrote" in page
    assert "ACR level that it sees, and the risk" in page


def test_what_is_seen_is_held_against_the_readers_and_the_label(finished: Any) -> None:
    tables = finished[0].folder / "tables"
    rows = pd.read_csv(tables / "descriptors.csv")
    agreed = rows[rows["measure"] == "weighted_kappa"].set_index("descriptor")
    assert set(agreed.index) == {"composition", "echogenicity", "margin", "echogenic_foci"}
    known = agreed["estimate"].notna()
    assert known.any()
    assert agreed.loc[known, "estimate"].between(-1, 1).all()
    assert agreed.loc[~known, "note"].str.contains("sees the same in every nodule").all()
    assert {"brier", "brier_uncalibrated", "calibration_slope"} <= set(rows["measure"])
    together = pd.read_csv(tables / "seen_tirads.csv")
    assert set(zip(together["of"], together["measure"], strict=True)) == {
        (of, measure) for of in ("points", "level") for measure in ("weighted_kappa", "same")
    }
    held_out = finished[0].predictions
    held_out = held_out[(held_out["split"] == "cv") & (held_out["arm"] == "mobilenet_v2")]
    levels = pd.read_csv(tables / "seen_levels.csv")
    assert (levels["n"].sum(), levels["positive"].sum()) == (len(held_out), (held_out["label"] == "1").sum())


def test_the_bundle_scores_files_as_the_run_scored_its_test_set(finished: Any, cohort: Path) -> None:
    table = finished[0].predictions
    rows = table[(table["split"] == "test") & (table["arm"] == "mobilenet_v2")].set_index("nodule_id")["p_1"]
    views = isthmus.load_cohort(cohort).examples("tirads_4a_or_higher")
    views = views[views["nodule_id"].isin(rows.index)]
    found = (
        finished[0]
        .bundle("mobilenet_v2")
        .predict(list(views["path"]), masks=list(views["mask"]), scan_areas=list(views["region"]))
    )
    scores = views.assign(score=[one.probabilities["1"] for one in found]).groupby("nodule_id")["score"].mean()
    assert len(rows) > 5
    assert (scores.loc[rows.index] - rows).abs().max() < 1e-5


def test_predict_shows_what_the_network_sees(finished: Any, cohort: Path, tmp_path: Path) -> None:
    view = isthmus.load_cohort(cohort).examples("tirads_4a_or_higher").iloc[0]
    bundle = finished[0].folder / "arms" / "mobilenet_v2" / "bundle"
    result = predict_files(bundle, [view["path"]], tmp_path / "out", mask=view["mask"])
    assert any(line.startswith("  the network sees: composition ") for line in result.lines())
    content = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    found = content["predictions"][0]["descriptors"]
    assert sum(found["composition"].values()) == pytest.approx(1)
    assert list(found["composition"]) == read_yaml(bundle / "bundle.yaml")["descriptors"]["heads"]["composition"]
    words = pd.read_csv(tmp_path / "out" / "predictions.csv")["descriptors"].iloc[0]
    assert words.startswith("the network sees: composition ")


def test_predict_shows_acr_points_and_level_with_the_risk(finished: Any, cohort: Path, tmp_path: Path) -> None:
    view = isthmus.load_cohort(cohort).examples("tirads_4a_or_higher").iloc[0]
    bundle = finished[0].folder / "arms" / "mobilenet_v2" / "bundle"
    result = predict_files(bundle, [view["path"]], tmp_path / "out", mask=view["mask"])
    line = next(line for line in result.lines() if line.startswith("  ACR table suggests "))
    content = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert content["descriptors_calibrated"]
    said = content["predictions"][0]["acr_tirads"]
    assert f"{said['words']}." == line.strip()
    row = pd.read_csv(tmp_path / "out" / "predictions.csv").iloc[0]
    assert [row["acr_points_low"], row["acr_points_high"]] == said["points"]
    assert [row["acr_level_low"], row["acr_level_high"]] == said["levels"]
    assert "shape" in said["open"] or said["points"] == [0, 0]  # this cohort teaches no shape


def test_the_bundle_calibrates_descriptors_on_all_held_out_folds(finished: Any) -> None:
    folder = finished[0].folder / "arms" / "mobilenet_v2" / "bundle"
    said = read_yaml(folder / "bundle.yaml")["descriptor_calibration"]
    assert set(said["exclusive"]) == {"composition", "echogenicity", "margin"}
    assert said["exclusive"]["margin"]["fitted_on"] == "out-of-fold predictions of seed 0"
    assert list(said["each_code"]) == ["echogenic_foci"]
    assert "calibrated, each descriptor by itself, on out-of-fold" in (folder / "card.md").read_text(encoding="utf-8")


def test_heat_maps_are_drawn_through_the_heads(finished: Any) -> None:
    table = pd.read_csv(finished[0].folder / "explanations" / "mobilenet_v2" / "localisation.csv")
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    assert len(table) == len(views[(views["arm"] == "mobilenet_v2") & (views["split"] == "cv")])


def test_a_cohort_without_descriptors_is_trained_without_heads_and_told(undescribed: Path) -> None:
    plan = plan_run("stills", undescribed, profile="smoke", settings=SETTINGS)
    line = "mobilenet_v2: no descriptor is recorded in this cohort; trained without descriptor heads"
    assert line in plan.lines()


def test_a_cohort_without_descriptors_is_refused_where_the_protocol_does_not_say_so(undescribed: Path) -> None:
    settings = [*SETTINGS, "arms.mobilenet_v2.descriptors.where_absent=refuse"]
    with pytest.raises(CohortError, match="none of the descriptors that arm mobilenet_v2 is to learn"):
        plan_run("stills", undescribed, profile="smoke", settings=settings)


def test_an_unknown_descriptor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProtocolError, match=r"unknown descriptor 'colour'.*echogenic_foci"):
        resolve_protocol("stills", settings=["defaults.descriptors.predict=[colour]"])


def test_frozen_statistics_of_random_weights_are_refused() -> None:
    with pytest.raises(ProtocolError, match="name weights or set it to false"):
        resolve_protocol("stills", settings=["defaults.weights=null"])


def test_the_two_arms_of_the_primary_contrast_differ_in_heads_and_mirror_images_alone() -> None:
    for profile in ("paper", "small", "smoke"):
        protocol = resolve_protocol("stills", profile)
        one, other = (protocol.arms[arm] for arm in (protocol.primary.arm, protocol.primary.against))
        same = {"title", "descriptors", "predict"}
        assert one.model_dump(exclude=same) == other.model_dump(exclude=same)
        assert one.descriptors is not None
        assert other.descriptors is None
