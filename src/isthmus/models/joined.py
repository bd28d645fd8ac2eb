"""A network of one picture made into one of several modalities."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from isthmus.models.branches import Branches
from isthmus.models.classifier import Classifier
from isthmus.models.join_spec import JoinSpec
from isthmus.models.ordinal import with_ordinal_head
from isthmus.models.pooled import Pooled
from isthmus.models.registry import HEAD

KINDS: Final[Mapping[str, Callable[[Classifier, Sequence[str]], Classifier]]] = {
    "branches": Branches,
    "pooled": Pooled,
}
"""What a network of one picture becomes, by how modalities are joined."""


def joined(network: Classifier, spec: JoinSpec | None) -> Classifier:
    """Return a network that looks at the modalities of ``spec``; without one, the network itself.

    Parameters
    ----------
    network : Classifier
        Of one picture, with its initial weights: they are those of every branch, or of the one network for all.
    spec : JoinSpec, optional
        Which modalities, and how they are joined.
    """
    if spec is None:
        return network
    whole = KINDS[spec.how](network, spec.modalities)
    return with_ordinal_head(whole) if network.options.get(HEAD) == "ordinal" else whole
