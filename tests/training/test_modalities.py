"""Fits on several modalities: one of them is hidden now and then, and none of the views that lack one is in the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from isthmus.imaging.joined_store import join_stores
from isthmus.models.join_spec import JoinSpec
from isthmus.models.registry import create
from isthmus.training.data import hide_modalities
from isthmus.training.fit import run_fit
from isthmus.training.precision import time_step
from isthmus.training.settings import TrainSettings
from isthmus.training.spec import FitSpec
from tests.training.examples import PREPARE, spec_of, store_of

JOIN = JoinSpec(modalities=("bmode", "swe"), how="branches")


def pictures(there: np.ndarray) -> np.ndarray:
    return np.broadcast_to(there[:, :, None, None, None], (*there.shape, 2, 2, 1)).astype(np.uint8) * 7


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(1, 4), st.sampled_from([0.1, 0.5, 0.99]))
def test_what_is_there_may_be_hidden_but_never_all_of_it(seed: int, modalities: int, chance: float) -> None:
    generator = np.random.default_rng(seed)
    there = generator.random((30, modalities)) < 0.7
    there[:, 0] |= ~there.any(axis=1)
    shown = hide_modalities(pictures(there), chance, generator)
    seen = np.any(shown, axis=(2, 3, 4))
    assert not (seen & ~there).any()
    assert seen.any(axis=1).all()
    assert set(np.unique(shown)) <= {0, 7}


def test_each_is_hidden_as_often_as_asked_and_the_last_one_left_is_any_of_them() -> None:
    there = np.ones((20000, 3), bool)
    seen = np.any(hide_modalities(pictures(there), 0.5, np.random.default_rng(1)), axis=(2, 3, 4))
    # Each is kept with 1/2, or as one of three where all three would be hidden: 1/2 + 1/8/3.
    np.testing.assert_allclose(seen.mean(axis=0), 1 / 2 + 1 / 24, atol=0.02)


def test_an_older_fit_keeps_its_fingerprint() -> None:
    said = spec_of().model_dump(mode="json")
    assert "join" not in said
    assert "modality_dropout" not in said["train"]
    own = spec_of(join=JOIN, train={"modality_dropout": 0.3})
    assert own.model_dump(mode="json")["train"]["modality_dropout"] == 0.3
    assert own.fingerprint() != spec_of().fingerprint()
    assert TrainSettings.model_validate(own.train.model_dump()) == own.train


@pytest.mark.parametrize(
    ("changes", "digits"),
    [
        ({}, "b039a11b181a7a66"),
        ({"half": "a"}, "958d7347b9f6ea10"),
        ({"join": JOIN, "train": {"modality_dropout": 0.3}}, "c16cafa00ce2ae8d"),
        ({"train": {"loss": "focal", "focal_gamma": 1.5}}, "3715f1ab8c3772b4"),
    ],
)
def test_finished_fits_go_on_having_their_fingerprints(changes: dict[str, Any], digits: str) -> None:
    # Recorded on 2026-11-22; with another fingerprint finished fits would be trained anew.
    assert spec_of(**changes).fingerprint().startswith(digits)


def test_a_fit_learns_from_whatever_each_view_has_and_comes_out_the_same_twice(tmp_path: Path) -> None:
    store = store_of()
    noise = replace(store, key="noise", pixels=np.random.default_rng(5).integers(0, 220, store.pixels.shape, np.uint8))
    members = {view: (None if row % 4 == 1 else view, view) for row, view in enumerate(store.view_ids)}
    joined = join_stores([noise, store], members)
    spec = spec_of(join=JOIN, train={"epochs": 6, "rate": 0.003, "modality_dropout": 0.3})
    for name in ("one", "two"):
        run_fit(spec, joined, tmp_path / name, device="cpu")
    one, two = (tmp_path / name / "predictions.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert FitSpec.read(tmp_path / "one" / "fit.yaml") == spec
    scores = pd.read_csv(one)
    assert roc_auc_score(scores["view_id"].map(spec.labels).to_numpy() == 1, scores["p_1"].to_numpy()) > 0.9


def test_published_weights_begin_every_branch(tmp_path: Path) -> None:
    plain = create("resnet18", classes=2, channels=1, width=8)
    save_file(plain.state_dict(), tmp_path / "own.safetensors")
    store = store_of()
    joined = join_stores([store, store], {view: (view, view) for view in store.view_ids})
    spec = spec_of(join=JOIN, weights=str(tmp_path / "own.safetensors"), train={"epochs": 1, "rate": 1e-12})
    run_fit(spec, joined, tmp_path / "fit", device="cpu")
    kept = load_file(tmp_path / "fit" / "weights.safetensors")
    for name in JOIN.modalities:
        torch.testing.assert_close(
            kept[f"branches.{name}.net.layer1.0.conv1.weight"], plain.state_dict()["net.layer1.0.conv1.weight"]
        )
    assert not any("net.fc" in name for name in kept)


def test_a_step_of_several_modalities_is_timed() -> None:
    train = TrainSettings(batch=2, augment=["flip"], precision="fp32")
    tiny = {"classes": 2, "prepare": PREPARE, "train": train, "join": JOIN}
    assert time_step("resnet18", {"width": 8}, precision="fp32", device="cpu", threads=1, **tiny) > 0  # type: ignore[arg-type]
