"""What a run puts into its bundles of their training pictures, by a rule that sees no picture from elsewhere."""

import numpy as np
import pandas as pd
import pytest

from isthmus.files import read_yaml
from isthmus.inference.predictor import load_bundle
from isthmus.models.likeness_spec import Trial
from isthmus.protocol.training_likeness import MARGIN, choose


def trial(kind: str, value: float) -> Trial:
    return Trial.model_validate({"kind": kind, "aurocs": {"noise": value}})


@pytest.mark.parametrize(("better", "kind"), [(MARGIN / 2, "mahalanobis"), (MARGIN * 2, "neighbours")])
def test_neighbours_are_chosen_only_where_they_are_clearly_better(better: float, kind: str) -> None:
    chosen = choose([trial("mahalanobis", 0.8), trial("neighbours", 0.8 + better)])
    assert chosen[0].kind == kind
    assert len(chosen) == 2


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
