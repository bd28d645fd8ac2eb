"""Grad-CAM against a gradient through the whole network, and against MONAI's."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from isthmus.errors import InputError
from isthmus.explain.gradcam import class_activation_map, ensemble_grad_cam, grad_cam
from isthmus.explain.prepared_heat import heat_of_pixels
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import Classifier
from isthmus.models.registry import create

NETWORKS = [
    ("resnet18", {"width": 8}),
    ("mobilenet_v2", {"width": 0.25}),
    ("thyronet_x4", {"width": 16}),
    ("thyronet_block", {"width": 16}),
]


def network(name: str = "resnet18", seed: int = 0, **options: Any) -> Classifier:
    torch.manual_seed(seed)
    return create(name, classes=2, channels=1, **(options or {"width": 8})).eval()


def pictures(count: int = 3, size: int = 64) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def through_the_whole_network(classifier: Classifier, image: torch.Tensor, target: int) -> torch.Tensor:
    """Selvaraju's formula with one backward pass from the logit down to the pixels, maps caught on the way."""
    caught: dict[str, torch.Tensor] = {}
    original = classifier.features

    def catching(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        caught.update(original(inputs))
        caught["image"].retain_grad()
        return caught

    classifier.features = catching
    try:
        classifier({"image": image.clone().requires_grad_()}).logits[:, target].sum().backward()
    finally:
        del classifier.features
    maps = caught["image"]
    assert maps.grad is not None
    alpha = maps.grad.mean(dim=(2, 3), keepdim=True)
    return (alpha * maps).sum(dim=1).detach()


@pytest.mark.parametrize(("name", "options"), NETWORKS)
@pytest.mark.parametrize("target", [0, 1])
def test_the_gradient_of_the_head_is_that_of_the_whole_network(name: str, options: dict[str, Any], target: int) -> None:
    classifier = network(name, **options)
    expected = through_the_whole_network(classifier, pictures(), target)
    found = class_activation_map(classifier, {"image": pictures()}, target)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_map_is_monai_s() -> None:
    from monai.visualize import GradCAM

    class Plain(nn.Module):
        def __init__(self, inner: Classifier) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.inner({"image": image}).logits

    classifier = network()
    image = pictures()
    expected = GradCAM(Plain(classifier), target_layers="inner.net.layer4").compute_map(image, class_idx=1)[:, 0]
    found = class_activation_map(classifier, {"image": image}, 1).relu()
    scale = float(expected.detach().max())
    assert scale > 0
    assert float((found - expected.detach()).abs().max()) / scale < 1e-4


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_signed_map_is_monai_s_of_the_logit_less_that_of_its_negative() -> None:
    """MONAI cuts off what is negative; of the negated logit it cuts off the other half."""
    from monai.visualize import GradCAM

    class Times(nn.Module):
        def __init__(self, inner: Classifier, sign: float) -> None:
            super().__init__()
            self.inner, self.sign = inner, sign

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.sign * self.inner({"image": image}).logits

    classifier = network("mobilenet_v2", width=0.25)
    image = pictures(size=96).requires_grad_()
    halves = [
        GradCAM(Times(classifier, sign), target_layers="inner.net.features").compute_map(image, class_idx=1)[:, 0]
        for sign in (1.0, -1.0)
    ]
    expected = (halves[0] - halves[1]).detach()
    found = class_activation_map(classifier, {"image": image.detach()}, 1)
    assert min(float(half.detach().max()) for half in halves) > 0
    assert float((found - expected).abs().max()) / float(expected.abs().max()) < 1e-4


def test_heat_has_the_picture_s_size_and_runs_from_zero_to_one() -> None:
    heat = grad_cam(network(), {"image": pictures()}, 1)
    assert heat.shape == (3, 64, 64)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    alive = heat.reshape(3, -1).max(axis=1) > 0
    np.testing.assert_array_equal(heat.reshape(3, -1).max(axis=1)[alive], 1.0)
    assert alive.any()


def test_two_classes_with_opposite_weights_have_opposite_signed_heat() -> None:
    classifier = network()
    with torch.no_grad():
        classifier.net.fc.weight[0] = -classifier.net.fc.weight[1]
    against = grad_cam(classifier, {"image": pictures()}, 0, signed=True)
    np.testing.assert_allclose(against, -grad_cam(classifier, {"image": pictures()}, 1, signed=True), atol=1e-6)
    assert against.min() < 0 < against.max()


def test_a_picture_without_evidence_is_zero_everywhere() -> None:
    classifier = network()
    with torch.no_grad():
        classifier.net.fc.weight.zero_()
    assert not grad_cam(classifier, {"image": pictures()}, 1).any()


def test_heat_lies_where_the_evidence_was_put() -> None:
    """A network whose only map is the picture itself, averaged to 2 x 2, must point at the bright quarter."""

    class Bright(Classifier):
        def __init__(self) -> None:
            super().__init__(inputs=(), classes=2)
            self.fc = nn.Linear(1, 2)
            with torch.no_grad():
                self.fc.weight.copy_(torch.tensor([[-1.0], [1.0]]))

        def features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"image": nn.functional.adaptive_avg_pool2d(inputs["image"], 2)}

        def head(self, features: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> Any:
            embedding = features["image"].mean(dim=(2, 3))
            return SimpleNamespace(logits=self.fc(embedding), embedding=embedding, auxiliary={})

    image = torch.zeros(1, 1, 32, 32)
    image[..., 16:, :16] = 1.0
    heat = grad_cam(Bright(), {"image": image}, 1)[0]
    assert heat[20:, :12].min() > 0.5
    # Cells are 16 pixels wide: up to its middle a cold cell is untouched by its neighbours.
    assert heat[:8, 24:].max() == 0.0


def test_looking_leaves_the_network_as_it_was() -> None:
    classifier = network().train()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    grad_cam(classifier, {"image": pictures()}, 1)
    assert classifier.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in classifier.parameters())
    assert all(torch.equal(before[name], value) for name, value in classifier.state_dict().items())


def test_heat_can_be_asked_for_inside_inference_code() -> None:
    with torch.no_grad():
        assert grad_cam(network(), {"image": pictures()}, 1).any()


def test_an_ensemble_s_heat_is_the_mean_of_its_parts() -> None:
    parts = [network(seed=seed) for seed in (0, 1)]
    inputs = {"image": pictures()}
    expected = (grad_cam(parts[0], inputs, 1) + grad_cam(parts[1], inputs, 1)) / 2
    np.testing.assert_allclose(ensemble_grad_cam(parts, inputs, 1), expected, atol=1e-7)


def test_heat_of_pixels_does_not_depend_on_the_batch() -> None:
    preparation = Preparation(train_size=72, crop_size=64)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 72, 72, 1)).astype(np.uint8)
    parts = [network()]
    together = heat_of_pixels(parts, pixels, preparation, 1, batch_size=5)
    assert together.shape == (5, 64, 64)
    np.testing.assert_allclose(heat_of_pixels(parts, pixels, preparation, 1, batch_size=2), together, atol=1e-4)


def test_a_class_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="class 2 of a network of 2"):
        grad_cam(network(), {"image": pictures()}, 2)
