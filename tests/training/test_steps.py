import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import FitError
from isthmus.inference.scores import probabilities
from isthmus.models.descriptor_heads import WithDescriptors
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.registry import cards, create
from isthmus.training import steps
from isthmus.training.settings import TrainSettings


@given(st.lists(st.integers(0, 2), min_size=3).filter(lambda labels: len(set(labels)) == 3))
def test_balanced_weights_give_every_class_the_same_total_and_a_view_the_mean_1(labels):
    weights = steps.class_weights(labels, 3, "balanced")
    totals = [weight * labels.count(name) for name, weight in enumerate(weights)]
    assert totals == pytest.approx([len(labels) / 3] * 3)
    assert sum(weights[label] for label in labels) / len(labels) == pytest.approx(1)


def test_no_weighting_shifts_nothing():
    assert steps.log_prior_shift(steps.class_weights([0, 0, 1], 2, "none")) == [0.0, 0.0]


@given(st.floats(0.02, 0.98), st.integers(1, 30), st.integers(1, 30))
def test_the_shift_returns_the_probability_that_weighting_distorted(truth, n0, n1):
    # The weighted cross-entropy of p = truth is least at q = w1 p / (w0 (1 - p) + w1 p).
    w0, w1 = steps.class_weights([0] * n0 + [1] * n1, 2, "balanced")
    distorted = w1 * truth / (w0 * (1 - truth) + w1 * truth)
    logits = np.log([[1 - distorted, distorted]])
    assert probabilities(logits, steps.log_prior_shift([w0, w1]))[0, 1] == pytest.approx(truth, abs=1e-9)


def test_the_weighted_loss_is_least_where_that_law_says():
    weights = torch.tensor([0.6, 2.0])
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    # Of six views two are positive: at the least loss the odds are 2 * 2.0 to 4 * 0.6.
    logit = torch.tensor(math.log(4.0 / 2.4), requires_grad=True)
    logits = torch.stack([torch.zeros(6), logit.expand(6)], dim=1)
    (slope,) = torch.autograd.grad(steps.weighted_loss(logits, labels, weights).mean(), logit)
    assert float(slope) == pytest.approx(0, abs=1e-6)


def test_the_cosine_starts_at_the_rate_halves_in_the_middle_and_ends_at_nothing():
    settings = TrainSettings(rate=0.2, schedule="cosine")
    assert [steps.rate_at(settings, at) for at in (0.0, 0.5, 1.0)] == pytest.approx([0.2, 0.1, 0.0])
    assert steps.rate_at(TrainSettings(rate=0.2, schedule="constant"), 0.9) == 0.2


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_the_optimiser_is_the_named_one_with_its_settings(name, kind):
    settings = TrainSettings(optimiser=name, rate=0.01, weight_decay=0.001, momentum=0.8)
    group = steps.optimiser(torch.nn.Linear(2, 2), settings).param_groups[0]
    assert type(steps.optimiser(torch.nn.Linear(2, 2), settings)) is kind
    assert (group["lr"], group["weight_decay"], group["fused"]) == (0.01, 0.001, True)
    assert group.get("momentum", 0.8) == 0.8


def test_the_warm_up_rises_from_a_tenth_and_the_cosine_follows_it_whole():
    settings = TrainSettings(rate=0.2, schedule="cosine", epochs=10, warm_up=2)
    # A tenth, half way between that and the rate, the rate; then the cosine over the other eight epochs.
    expected = [0.02, 0.11, 0.2, 0.1, 0.0]
    assert [steps.rate_at(settings, at) for at in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx(expected)


def test_smoothing_spreads_its_share_of_the_label_over_all_classes():
    logits, labels = torch.tensor([[0.3, -1.2, 2.0]]), torch.tensor([2])
    logs = logits[0] - torch.logsumexp(logits[0], 0)
    target = torch.tensor([0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3])
    found = steps.weighted_loss(logits, labels, torch.tensor([1.0, 1.0, 2.0]), smoothing=0.1)
    assert float(found) == pytest.approx(-2 * float((target * logs).sum()), abs=1e-6)


class TestALowerRateForTheBackbone:
    SETTINGS = TrainSettings(optimiser="adamw", rate=0.01, backbone_rate=0.1, weight_decay=0.02)

    def test_the_last_layer_and_the_heads_have_the_whole_rate(self):
        heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
        network = WithDescriptors(create("mobilenet_v2", channels=1, width=0.25), heads)
        backbone, last = steps.optimiser(network, self.SETTINGS).param_groups
        assert (backbone["lr"], last["lr"]) == (pytest.approx(0.001), 0.01)
        assert backbone["weight_decay"] == last["weight_decay"] == 0.02
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        assert {names[id(parameter)] for parameter in last["params"]} == {
            "inner.net.classifier.1.weight", "inner.net.classifier.1.bias",
            "heads.margin.weight", "heads.margin.bias", "feed.weight",
        }  # fmt: skip
        assert len(backbone["params"]) + 5 == len(names)

    @pytest.mark.parametrize("name", sorted(cards()))
    def test_every_network_of_the_registry_names_its_last_layer(self, name):
        with torch.device("meta"):
            network = create(name, classes=2, channels=1)
            found = steps.last_layers(network)
        last = [name for name in found if name.startswith(f"{network.published_prefix}{network.head_name}.")]
        assert {dict(network.named_parameters())[one].shape[0] for one in last} == {2}
        assert all(name in last or name.startswith(network.own_parts) for name in found)

    def test_a_network_that_does_not_is_refused(self):
        with pytest.raises(FitError, match="does not name its last"):
            steps.optimiser(torch.nn.Linear(2, 2), self.SETTINGS)


def test_frozen_batch_norm_keeps_its_statistics_and_trains_scale_and_offset():
    norm = torch.nn.BatchNorm2d(2)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), norm, torch.nn.Dropout(0.5)).train()
    steps.freeze_norm(network)
    assert [module.training for module in network] == [True, False, True]
    network(torch.rand(4, 1, 3, 3)).sum().backward()
    assert torch.equal(norm.running_mean, torch.zeros(2))
    assert norm.weight.grad is not None


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 1, 1), (1, 3, 3)])
def test_quick_kernels_give_what_the_slow_ones_give(kernel):
    torch.manual_seed(0)
    network = torch.nn.Conv3d(4, 6, kernel, padding=tuple(side // 2 for side in kernel))
    clips = torch.rand(2, 4, 5, 8, 8)
    before = network(clips)
    steps.quick_kernels(network)
    steps.channels_last(network)
    assert torch.allclose(network(clips), before, atol=1e-6)
    assert (network.dilation == (1, 1, 1)) == (kernel == (1, 3, 3))
