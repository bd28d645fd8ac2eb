"""Fits on clips: of a 3D network that looks at masks, of a 2D network frame by frame, and of another's network."""

import os

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from isthmus.errors import FitError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.scores import probabilities, view_logits
from isthmus.models.registry import create
from isthmus.training.checkpoint import NAME
from isthmus.training.fit import read_done, run_fit
from isthmus.training.schedule import Fit, run_pending
from tests.training.killed_clip_fit import SPEC
from tests.training.test_resume import kill_at_step
from tests.training.volumes import PREPARE, clip_spec, clips_of, volume

STORE = clips_of()
FLAT = Preparation(train_size=36, crop_size=32, frames={"count": 3, "stored": 6})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run_fit(SPEC, STORE, folder, device="cpu")
    return folder


def test_a_clip_fit_learns_and_predicts_with_its_masks(whole):
    log = pd.read_csv(whole / "log.csv")
    assert log["tune_auc"].iloc[-1] > 0.9
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
    frame = pd.read_csv(whole / "predictions.csv")
    network = volume()
    network.load_state_dict(load_file(whole / "weights.safetensors"))
    rows = STORE.rows(frame["view_id"].tolist())
    shift = read_done(whole)["log_prior_shift"]
    logits = view_logits(network, STORE.pixels[rows], PREPARE, masks=STORE.lesion_masks[rows])
    assert np.allclose(frame[["p_0", "p_1"]], probabilities(logits, shift), atol=1e-5)
    without = view_logits(network, STORE.pixels[rows], PREPARE)
    assert np.abs(without - logits).max() > 1e-3


def test_a_clip_fit_killed_in_the_middle_of_an_epoch_and_resumed_leaves_the_same_bytes(whole, tmp_path):
    kill_at_step(tmp_path, int.from_bytes(os.urandom(1)) % 10 + 5, module="killed_clip_fit")
    assert (tmp_path / NAME).is_file()
    epochs = []
    run_fit(SPEC, STORE, tmp_path, lambda report: epochs.append(report.epoch), device="cpu")
    assert min(epochs) >= 1
    for name in ("predictions.csv", "weights.safetensors", "fit.yaml"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_recomputed_activations_leave_the_same_bytes(whole, tmp_path):
    run_fit(
        SPEC.model_copy(update={"train": SPEC.train.model_copy(update={"recompute": True})}),
        STORE,
        tmp_path,
        device="cpu",
    )
    for name in ("predictions.csv", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_bf16_is_refused_for_volumes_on_a_cpu(tmp_path):
    with pytest.raises(FitError, match="wrong gradients of 3D convolutions"):
        run_fit(clip_spec(precision="bf16"), STORE, tmp_path, device="cpu")


class TestANetworkTakenOver:
    """A 2D network trained on frames; another arm scores clips by its most suspicious frame."""

    @staticmethod
    def specs(**changes):
        flat = {"network": "resnet18", "options": {"width": 16}, "candidate": "resnet18", "prepare": FLAT}
        trained = clip_spec(arm="frames", **flat, train={"epochs": 1})
        other = {"arm": "suspicious", "frame_scores": "maximum", "weights_of": trained.name, **changes}
        return trained, clip_spec(**{**flat, **other}, train={"epochs": 1})

    @classmethod
    def fits(cls, run, **changes):
        return [Fit(spec, run / "arms" / spec.name) for spec in cls.specs(**changes)]

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory):
        run = tmp_path_factory.mktemp("run")
        trained, taken = cls.fits(run)
        # The one that takes over stands first in the list and runs last.
        assert run_pending([taken, trained], {"key": STORE}, devices=["cpu"]) == []
        return run

    def test_only_the_scores_are_new(self, run):
        trained, taken = self.fits(run)
        for name in ("weights.safetensors", "log.csv"):
            assert (trained.folder / name).read_bytes() == (taken.folder / name).read_bytes()
        network = create("resnet18", classes=2, channels=1, width=16)
        network.load_state_dict(load_file(taken.folder / "weights.safetensors"))
        for fit, frame_scores in ((trained, "mean"), (taken, "maximum")):
            frame = pd.read_csv(fit.folder / "predictions.csv")
            pixels = STORE.pixels[STORE.rows(frame["view_id"].tolist())]
            logits = view_logits(network, pixels, FLAT, frame_scores=frame_scores)
            expected = probabilities(logits, read_done(fit.folder)["log_prior_shift"])
            assert np.allclose(frame[["p_0", "p_1"]], expected, atol=1e-5)
        done = read_done(taken.folder)
        assert (done["weights_of"], done["seconds"]) == ("frames/resnet18/seed-0/fold-0", 0.0)

    def test_it_is_scored_again_where_it_was_killed(self, run):
        _, taken = self.fits(run)
        before = (taken.folder / "predictions.csv").read_bytes()
        for name in ("done.json", "predictions.csv"):
            (taken.folder / name).unlink()
        run_fit(taken.spec, STORE, taken.folder, device="cpu")
        assert (taken.folder / "predictions.csv").read_bytes() == before

    def test_it_is_refused_where_the_other_was_trained_otherwise(self, run):
        _, taken = self.fits(run, arm="third", options={"width": 8})
        with pytest.raises(FitError, match="was trained with another `options`"):
            run_fit(taken.spec, STORE, taken.folder, device="cpu")

    def test_it_is_refused_where_the_other_is_absent(self, tmp_path):
        trained, taken = self.fits(tmp_path)
        (failure,) = run_pending([taken], {"key": STORE}, devices=["cpu"])
        assert f"takes over the network of {trained.spec.name}, which is not trained" in failure.reason

    def test_it_is_refused_outside_a_run(self, tmp_path):
        with pytest.raises(FitError, match="lies beside it in a run"):
            run_fit(self.specs()[1], STORE, tmp_path, device="cpu")

    def test_it_is_refused_where_the_other_has_no_network_of_its_own(self, run):
        _, taken = self.fits(run)
        again = taken.spec.model_copy(update={"arm": "fourth", "weights_of": taken.spec.name})
        with pytest.raises(FitError, match="has no network of its own"):
            run_fit(again, STORE, run / "arms" / again.name, device="cpu")
