"""A fit of a network whose channels are the frames of a clip: trained, read again, scored as in its own predictions."""

import numpy as np
import pandas as pd
import pytest
import torch

from isthmus.explain.fold_networks import read_fold
from isthmus.imaging.preparation import Preparation
from isthmus.inference.scores import probabilities, view_logits
from isthmus.training.fit import read_done, run_fit
from isthmus.training.spec import FitSpec
from tests.training.examples import spec_of
from tests.training.volumes import clips_of

STORE = clips_of()
PREPARE = Preparation(
    train_size=36,
    crop_size=32,
    layout="frames_as_channels",
    frames={"count": 5, "stored": 6, "pick": "key_frames", "every_s": 2, "clear": 15},
)
SPEC = spec_of(prepare=PREPARE, train={"epochs": 2, "augment": ["flip", "vertical_flip", "crop"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    run_fit(SPEC, STORE, folder, device="cpu")
    return folder


def test_the_fit_is_read_back_as_it_was_and_names_its_key_frames(folder):
    assert FitSpec.read(folder / "fit.yaml") == SPEC
    assert SPEC.channels == 5
    assert spec_of().fingerprint() != SPEC.fingerprint()


def test_its_network_scores_the_views_as_its_predictions_say(folder):
    network = read_fold(folder).classifier
    assert network.inputs[0].channels == 5
    frame = pd.read_csv(folder / "predictions.csv")
    rows = STORE.rows(frame["view_id"].tolist())
    logits = view_logits(network, STORE.pixels[rows], PREPARE)
    assert logits.shape == (len(frame), 2)
    expected = probabilities(logits, read_done(folder)["log_prior_shift"])
    assert np.allclose(frame[["p_0", "p_1"]], expected, atol=1e-5)


def test_the_order_of_the_frames_matters_to_it(folder):
    network, pixels = read_fold(folder).classifier, STORE.pixels[:4]
    other = np.ascontiguousarray(pixels[:, ::-1])
    assert not torch.allclose(
        torch.from_numpy(view_logits(network, pixels, PREPARE)), torch.from_numpy(view_logits(network, other, PREPARE))
    )
