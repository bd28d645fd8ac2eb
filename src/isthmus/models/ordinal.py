"""A last layer for ordered classes: beyond the first? Beyond the second, given beyond the first? And so on.

K - 1 outputs f_k are the log odds of being beyond class k given that it is not below; their chain makes the K
probabilities, which sum to 1 and never contradict one another. The layer returns the logarithms of these probabilities,
so that whatever takes logits (softmax, cross-entropy, prior shift, calibration) takes them as they are; their
cross-entropy is the loss of the conditional tasks, added up.

Source: X. Shi, W. Cao, S. Raschka, Deep neural networks for rank-consistent ordinal regression based on conditional
probabilities (CORN), Pattern Analysis and Applications 26 (2023); the continuation-ratio model of J. Cox (1988).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import ProtocolError
from isthmus.models.classifier import Classifier, last_linear


class OrdinalLinear(nn.Linear):
    """A linear layer of K - 1 outputs that returns the log probabilities [N, K] of K ordered classes.

    Parameters
    ----------
    features : int
        D of what it sees.
    classes : int
        K, at least 2. It begins with all classes alike.

    Examples
    --------
    >>> layer = OrdinalLinear(4, 3)
    >>> layer(torch.zeros(1, 4)).detach().double().exp().numpy().round(4).tolist()
    [[0.3333, 0.3333, 0.3333]]
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes - 1)
        nn.init.normal_(self.weight, 0, 0.01)
        with torch.no_grad():
            self.bias.copy_(torch.tensor([math.log(classes - 1 - place) for place in range(classes - 1)]))

    def forward(self, seen: Tensor) -> Tensor:
        """Return log probabilities [N, K] of embeddings [N, D]."""
        return log_probabilities(super().forward(seen))


def log_probabilities(beyond: Tensor) -> Tensor:
    """Return the log probabilities [N, K] of K ordered classes from the log odds [N, K - 1] of being beyond each."""
    values = beyond.float()
    reached = functional.pad(functional.logsigmoid(values).cumsum(1), (1, 0))
    stays = functional.pad(functional.logsigmoid(-values), (0, 1))
    return reached + stays


def with_ordinal_head(network: Classifier) -> Classifier:
    """Put the layer for ordered classes in the place of a network's last linear layer, under its name.

    Raises
    ------
    ProtocolError
        When the network does not name its last linear layer.
    """
    found = last_linear(network)
    if found is None:
        raise ProtocolError(
            "this network does not name its last linear layer, whose place the ordinal head takes",
            where=network.network,
            expected="a Classifier whose head_name is the name of an nn.Linear",
            hint="set options.head to plain",
        )
    setattr(*found, OrdinalLinear(getattr(*found).in_features, network.classes))
    return network
