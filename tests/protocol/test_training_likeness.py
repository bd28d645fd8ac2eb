"""What a run puts into its bundles of their training pictures, by a rule that sees no picture from elsewhere."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from isthmus.files import read_yaml
from isthmus.imaging.altered_pictures import ALTERATIONS
from isthmus.inference.load import load_bundle
from isthmus.models.likeness_spec import FILE, Trial
from isthmus.protocol import training_likeness
from isthmus.protocol.fold_likeness import LikenessOfFold, UnseenViews
from isthmus.protocol.training_likeness import MARGIN, choose, fit_likeness
from isthmus.statistics.out_of_distribution import Neighbours


def trial(kind: str, value: float) -> Trial:
    return Trial.model_validate({"kind": kind, "aurocs": {"noise": value}})


@pytest.mark.parametrize(("better", "kind"), [(MARGIN / 2, "mahalanobis"), (MARGIN * 2, "neighbours")])
def test_neighbours_are_chosen_only_where_they_are_clearly_better(better: float, kind: str) -> None:
    chosen = choose([trial("mahalanobis", 0.8), trial("neighbours", 0.8 + better)])
    assert chosen[0].kind == kind
    assert len(chosen) == 2


@pytest.fixture
def fitting(tmp_path, monkeypatch):
    """Return a function that fits an arm of two folds, whose networks are made up, and how often it looked at them."""
    seen, rng = [], np.random.default_rng(0)
    views = [f"v{n}" for n in range(8)]

    def fold(folder, fit, store, case_of):
        seen.append(fit.fold)
        own = views[4 * fit.fold : 4 * fit.fold + 4]
        held_out = UnseenViews(own, [case_of[view] for view in own], np.exp(rng.normal(size=4)))
        distance = Neighbours(np.ones((2, 1)), 1)
        known = LikenessOfFold(distance, held_out, UnseenViews([], [], np.zeros(0)), dict.fromkeys(ALTERATIONS, 0.6))
        return {"mahalanobis": known, "neighbours": known}

    monkeypatch.setattr(training_likeness, "fit_fold", fold)
    fits = [SimpleNamespace(arm="a", seed=0, fold=n, fingerprint=lambda n=n: f"f{n}") for n in range(2)]
    cases = SimpleNamespace(views={"a": pd.DataFrame({"view_id": views, "nodule_id": views})}, unit="nodule")
    protocol = SimpleNamespace(arms={"a": None}, splits=SimpleNamespace(seeds=[0]))

    def fit():
        return fit_likeness(tmp_path, protocol, cases, fits, {"a": SimpleNamespace(key="k")})["a"]

    return fit, seen


def test_what_was_fitted_is_kept_and_read(fitting) -> None:
    fit, seen = fitting
    first, again = fit(), fit()
    assert seen == [0, 1]
    pd.testing.assert_frame_equal(first.held_out, again.held_out)
    np.testing.assert_array_equal(first.likeness.reference, again.likeness.reference)


@pytest.mark.parametrize("file", [FILE, "held_out.parquet", "likeness.json"])
def test_a_kept_file_that_is_cut_short_is_made_again(fitting, tmp_path, file) -> None:
    fit, seen = fitting
    fit()
    (kept,) = (tmp_path / "likeness").glob(f"a-*/{file}")
    kept.write_bytes(kept.read_bytes()[:-20])
    made = fit()
    assert seen == [0, 1, 0, 1]
    pd.testing.assert_frame_equal(made.held_out, fit().held_out)
    assert len(seen) == 4


@pytest.mark.parametrize("name", ["RULE_VERSION", "MOST", "MOST_ALTERED", "MOST_TUNING", "NEIGHBOURS"])
def test_what_was_kept_from_another_rule_is_made_again(fitting, monkeypatch, name) -> None:
    fit, seen = fitting
    fit()
    monkeypatch.setattr(training_likeness, name, -1)
    fit()
    assert seen == [0, 1, 0, 1]


def test_every_bundle_of_a_run_says_how_unlike_its_training_pictures_a_case_is(finished) -> None:
    run, _ = finished
    for arm in ("thyronet_x4", "resnet34"):
        predictor = load_bundle(run.folder / "arms" / arm / "bundle", "cpu")
        assert predictor.likeness is not None
        (kept,) = (run.folder / "likeness").glob(f"{arm}-*")
        held_out = pd.read_parquet(kept / "held_out.parquet")
        rows = run.predictions[(run.predictions["arm"] == arm) & (run.predictions["split"] == "cv")]
        views = pd.read_parquet(run.folder / "predictions_views.parquet")
        views = views[(views["arm"] == arm) & (views["split"] == "cv")].drop_duplicates("view_id")
        whose = held_out.merge(views[["view_id", "nodule_id"]], on="view_id", validate="one_to_one")
        means = whose.groupby("nodule_id")["out_of_distribution"].agg(["mean", "size"]).sort_values("mean")
        assert len(means) == rows["unit_id"].nunique()
        np.testing.assert_allclose(means["mean"], predictor.likeness.reference)
        known = predictor.likeness.cases
        assert known is not None
        assert known.unit == "nodule"
        assert sorted(known.views) == sorted(means["size"])
        said = read_yaml(run.folder / "arms" / arm / "bundle" / "bundle.yaml", name="bundle")["out_of_distribution"]
        assert {one["kind"] for one in said["trials"]} == {"mahalanobis", "neighbours"}


def test_sets_that_were_opened_carry_it_beside_their_scores(finished) -> None:
    views = pd.read_parquet(finished[0].folder / "predictions_views.parquet")
    opened = views[views["split"].isin(["test", "external"])]
    assert opened[["spread", "out_of_distribution"]].notna().all(axis=None)
    assert views.loc[views["split"] == "cv", "spread"].isna().all()
