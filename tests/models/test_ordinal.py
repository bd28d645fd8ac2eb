"""The head for ordered classes: a chain of conditional tasks, as scikit-learn's logistic regressions fit them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from isthmus.errors import ProtocolError
from isthmus.models.join_spec import JoinSpec
from isthmus.models.joined import joined
from isthmus.models.ordinal import OrdinalLinear, log_probabilities
from isthmus.models.registry import create


def test_maximum_likelihood_is_that_of_a_logistic_regression_for_each_step():
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(0)
    seen = generator.normal(size=(400, 3))
    labels = np.digitize(seen @ [1.0, -0.5, 0.2] + generator.logistic(size=400), [-0.5, 1.0])
    layer = OrdinalLinear(3, 3).double()
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")
    inputs, truth = torch.from_numpy(seen), torch.from_numpy(labels)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        beyond = functional.linear(inputs, layer.weight, layer.bias)
        found = functional.nll_loss(log_probabilities(beyond), truth)
        found.backward()
        return found

    optimiser.step(loss)
    for step in (0, 1):
        reached = labels >= step
        other = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(seen[reached], labels[reached] > step)
        np.testing.assert_allclose(layer.weight[step].detach(), other.coef_[0], atol=2e-3)
        np.testing.assert_allclose(layer.bias[step].detach(), other.intercept_[0], atol=2e-3)


def test_cross_entropy_is_the_sum_of_the_conditional_tasks():
    beyond = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.4]])
    labels = torch.tensor([1, 3])
    # CORN, equation 5, of one example each: of class 1 the tasks 0 (beyond) and 1 (not); of class 3 all three.
    corn = [-functional.logsigmoid(beyond[0, 0]) - functional.logsigmoid(-beyond[0, 1])]
    corn.append(-functional.logsigmoid(beyond[1]).sum())
    found = functional.cross_entropy(log_probabilities(beyond), labels, reduction="none")
    torch.testing.assert_close(found, torch.stack(corn))


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet18", {"width": 8}), ("mobilenet_v2", {"width": 0.25}), ("densenet121", {"width": 8}),
     ("thyronet_x4", {"width": 16}), ("efficientnet_b0", {"width": 0.25})],
)  # fmt: skip
def test_any_network_with_a_last_linear_layer_takes_the_head(name, options):
    network = create(name, classes=3, channels=1, head="ordinal", **options).eval()
    with torch.no_grad():
        logits = network({"image": torch.rand(2, 1, 64, 64)}).logits
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2))
    assert network.options["head"] == "ordinal"


def test_branches_of_several_modalities_take_the_head_too():
    spec = JoinSpec(modalities=("bmode", "swe"), how="branches")
    plain = create("resnet18", classes=3, channels=1, width=8, head="ordinal")
    network = joined(plain, spec).eval()
    pictures = {name: torch.rand(2, 1, 32, 32) for name in spec.modalities}
    with torch.no_grad():
        logits = network({**pictures, "present": torch.ones(2, 2)}).logits
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(2))
    assert network.last.out_features == 2


def test_the_probabilities_never_contradict_one_another():
    beyond = torch.linspace(-60, 60, 12).reshape(4, 3)
    values = log_probabilities(beyond)
    assert torch.isfinite(values).all()
    torch.testing.assert_close(values.exp().sum(dim=1), torch.ones(4))
    passed = torch.stack([values[:, place:].exp().sum(dim=1) for place in range(4)], dim=1)
    assert (passed.diff(dim=1) <= 1e-6).all()


def test_an_unknown_head_is_refused():
    with pytest.raises(ProtocolError, match="plain or ordinal"):
        create("resnet18", classes=3, channels=1, head="round", width=8)
