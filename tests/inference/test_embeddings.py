"""Embeddings come with the very logits that are scored, and are what the last linear layer sees."""

from typing import Any

import numpy as np
import pytest
import torch

from isthmus.errors import InputError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.embeddings import unit_means, view_embeddings
from isthmus.inference.scores import view_logits
from isthmus.models.registry import create

STILL = Preparation(train_size=40, crop_size=32)
CLIP = Preparation(train_size=40, crop_size=32, layout="2d", frames={"stored": 4, "count": 2, "pick": "uniform"})


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return create("resnet18", classes=2, channels=1, width=8)


def pixels(frames: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (5, frames, 40, 40, 1)).astype(np.uint8)


@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("frame_scores", ["mean", "maximum"])
@pytest.mark.parametrize("preparation", [STILL, CLIP])
def test_the_last_layer_of_the_embedding_is_the_scored_logits(
    network: Any, preparation: Preparation, frame_scores: Any, flips: bool
) -> None:
    shown = pixels(1 if preparation.frames is None else 4)
    embedding, logits = view_embeddings(network, shown, preparation, flips=flips, frame_scores=frame_scores)
    scored = view_logits(network, shown, preparation, flips=flips, frame_scores=frame_scores)
    np.testing.assert_array_equal(logits, scored)
    weight, bias = (value.detach().numpy() for value in (network.net.fc.weight, network.net.fc.bias))
    np.testing.assert_allclose(embedding @ weight.T + bias, scored, atol=1e-5)
    assert embedding.dtype == np.float32


def test_embeddings_do_not_depend_on_the_batch_and_leave_the_network_in_training_mode(network: Any) -> None:
    network.train()
    together, _ = view_embeddings(network, pixels(1), STILL)
    apart, _ = view_embeddings(network, pixels(1), STILL, batch_size=2)
    np.testing.assert_allclose(apart, together, atol=1e-5)
    assert network.training


def test_no_views_have_no_embeddings(network: Any) -> None:
    assert [part.shape for part in view_embeddings(network, pixels(1)[:0], STILL)] == [(0, 0), (0, 0)]


def test_a_nodule_s_embedding_is_the_mean_over_its_views() -> None:
    values = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    units, means = unit_means(values, ["n2", "n1", "n2", "n3", "n1", "n2"])
    assert units == ["n1", "n2", "n3"]
    np.testing.assert_allclose(means, [values[[1, 4]].mean(0), values[[0, 2, 5]].mean(0), values[3]], rtol=1e-6)
    with pytest.raises(InputError, match="5 units for values of shape"):
        unit_means(values, ["n1"] * 5)
