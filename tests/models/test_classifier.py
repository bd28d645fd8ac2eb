"""Where a network's last linear layer is: what takes its place is put there."""

import pytest
from torch import nn

from isthmus.models.classifier import last_linear
from isthmus.models.registry import create


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet18", {"width": 8}), ("vgg16", {"width": 4}), ("mobilenet_v2", {"width": 0.25}),
     ("densenet121", {"width": 8}), ("efficientnet_b0", {"width": 0.25})],
)  # fmt: skip
def test_the_last_linear_layer_is_found_where_the_network_names_it(name, options):
    network = create(name, classes=3, channels=1, **options)
    holder, own = last_linear(network)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert getattr(holder, own) is layers[-1]
    assert layers[-1].out_features == 3


@pytest.mark.parametrize("name", ["nowhere", "nowhere.fc", "conv1", "layer1", ""])
def test_a_network_that_names_none_has_none(name):
    network = create("resnet18", classes=3, channels=1, width=8)
    network.__class__ = type("Renamed", (type(network),), {"head_name": name})
    assert last_linear(network) is None
