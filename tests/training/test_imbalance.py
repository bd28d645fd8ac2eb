"""Unequal classes: drawn, weighed or adjusted, and each time taken back from the probabilities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from isthmus.inference.scores import probabilities
from isthmus.training import steps
from isthmus.training.imbalance import balance_of, balanced_order
from isthmus.training.settings import TrainSettings

LABELS = [0] * 60 + [1] * 10 + [2] * 30
PLAIN = {"class_weight": "none"}


@pytest.mark.parametrize(
    "train",
    [
        TrainSettings(class_weight="none"),
        TrainSettings(class_weight="balanced"),
        TrainSettings(sampling="balanced"),
        TrainSettings(class_weight="none", logit_adjustment=1.0),
        TrainSettings(class_weight="none", logit_adjustment=0.5),
    ],
)
def test_a_network_that_learns_all_it_can_gives_back_the_shares_of_the_classes(train):
    # One network output for all views, fitted to the end: what it should say afterwards is each class's share.
    balance, labels = balance_of(train, LABELS, 3), torch.tensor(LABELS)
    logits = torch.zeros(3, dtype=torch.double, requires_grad=True)
    order = balanced_order(np.array(LABELS), 0, 0) if train.sampling == "balanced" else np.arange(len(LABELS))
    drawn = labels[torch.from_numpy(order)]
    optimiser = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        adjusted = (logits + torch.tensor(balance.adjustment)).expand(len(drawn), 3)
        found = steps.weighted_loss(adjusted, drawn, torch.tensor(balance.weights)).mean()
        found.backward()
        return found

    optimiser.step(loss)
    given_back = probabilities(logits.detach().numpy()[None], balance.shift)[0]
    np.testing.assert_allclose(given_back, [0.6, 0.1, 0.3], atol=0.01)
    assert sum(balance.shift) == pytest.approx(0, abs=1e-9)


def test_full_adjustment_leaves_what_balanced_weights_leave():
    adjusted = balance_of(TrainSettings(**PLAIN, logit_adjustment=1.0), LABELS, 3).shift
    np.testing.assert_allclose(adjusted, balance_of(TrainSettings(), LABELS, 3).shift, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(0, 5))
def test_balanced_epochs_hold_every_class_alike_and_use_its_views_alike(counts, epoch):
    labels = np.repeat(np.arange(len(counts)), counts)
    order = balanced_order(labels, 1, epoch)
    assert len(order) == len(labels)
    drawn = np.bincount(labels[order], minlength=len(counts))
    assert np.ptp(drawn) <= 1
    for name in range(len(counts)):
        times = np.bincount(order, minlength=len(labels))[labels == name]
        assert np.ptp(times) <= 1
    assert (order == balanced_order(labels, 1, epoch)).all()


def test_the_focal_loss_is_that_of_monai():
    from monai.losses import FocalLoss

    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(50, 3, generator=generator), torch.randint(0, 3, (50,), generator=generator)
    other = FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True, reduction="none")(logits, labels[:, None])
    found = steps.focal_loss(logits, labels, torch.ones(3), 2.0)
    torch.testing.assert_close(found, other.sum(dim=1))


def test_a_focal_loss_of_confident_views_is_finite_and_small():
    logits = torch.tensor([[60.0, 0.0, 0.0], [0.0, 0.0, 60.0]])
    found = steps.focal_loss(logits, torch.tensor([0, 0]), torch.ones(3), 2.0)
    torch.testing.assert_close(found, torch.tensor([0.0, 60.0]))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_focal_loss_of_confident_views_has_a_gradient(gamma):
    logits = torch.tensor([[20.0, -20.0], [20.0, -20.0]], requires_grad=True)
    steps.focal_loss(logits, torch.tensor([0, 1]), torch.ones(2), gamma).sum().backward()
    # Right beyond float32: nothing to learn. Wrong with p = exp(-40): that of cross-entropy, p - 1, whatever gamma.
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [1.0, -1.0]]))


@pytest.mark.parametrize(
    "wrong",
    [{"logit_adjustment": 1.0}, {**PLAIN, "logit_adjustment": 1.0, "sampling": "balanced"},
     {"loss": "focal", "label_smoothing": 0.1}],
)  # fmt: skip
def test_two_remedies_for_one_thing_are_refused(wrong):
    with pytest.raises(ValidationError):
        TrainSettings(**wrong)


def test_what_is_not_used_is_not_written():
    assert not {"sampling", "loss", "focal_gamma", "logit_adjustment"} & set(TrainSettings().model_dump())
    assert TrainSettings(sampling="balanced").model_dump()["sampling"] == "balanced"
