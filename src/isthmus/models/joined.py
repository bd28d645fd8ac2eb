"""A network of one picture made into one of several modalities."""

from isthmus.models.branches import Branches
from isthmus.models.classifier import Classifier
from isthmus.models.join_spec import JoinSpec
from isthmus.models.ordinal import with_ordinal_head
from isthmus.models.registry import HEAD


def joined(network: Classifier, spec: JoinSpec | None) -> Classifier:
    """Return a network that looks at the modalities of ``spec``; without one, the network itself.

    Parameters
    ----------
    network : Classifier
        Of one picture, with its initial weights: they are those of every branch.
    spec : JoinSpec, optional
        Which modalities, and how they are joined.
    """
    if spec is None:
        return network
    branches = Branches(network, spec.modalities)
    return with_ordinal_head(branches) if network.options.get(HEAD) == "ordinal" else branches
