"""Which patients a fused model's networks learn from, and which its head: never the same, unless the paper did so.

A network's embeddings of its own training patients are over-fitted; a classifier fitted on them learns to trust what
will not be there in new patients. Cross-fitting (Chernozhukov et al., The Econometrics Journal 2018) halves the
patients: networks of one half, head of the other, and the reverse; the fused model is the mean of the two pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from isthmus.cohort.splits import strata_of
from isthmus.errors import CohortError, FitError

FusionMode = Literal["cross_fit", "paper"]

FEWEST: Final = 4
"""Groups of each class, at least: a head is fitted on half of them, and cross-validated it needs two of each class."""


@dataclass(frozen=True)
class Pair:
    """Networks and a head that belong together.

    Parameters
    ----------
    name : str
        ``a``, ``b``, or ``all`` in the paper's way.
    networks, head : tuple of str
        Groups that the networks, and the head, are fitted on; sorted.
    """

    name: str
    networks: tuple[str, ...]
    head: tuple[str, ...]


def halve_groups(groups: ArrayLike, labels: ArrayLike, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deal whole groups into two halves, each class by itself.

    Parameters
    ----------
    groups, labels : array_like [N]
        Of examples. A group with several labels counts as the rarest.
    seed : int
        Same seed, same halves, whatever the order of the examples.

    Returns
    -------
    tuple of two tuples of str
        Sorted groups. In each class, and in all, the halves differ by one group at most.

    Raises
    ------
    CohortError
        When there are not two classes, or one has fewer than :data:`FEWEST` groups.
    """
    strata = strata_of(pd.DataFrame({"group_id": np.asarray(groups, object), "label": np.asarray(labels, object)}))
    counts = strata.value_counts()
    if len(counts) < 2 or counts.min() < FEWEST:
        shown = ", ".join(f"{counts[label]} of class {label}" for label in sorted(counts.index))
        raise CohortError(
            f"these patients cannot be halved: groups are {shown}",
            expected=f"at least {FEWEST} groups of each of 2 classes",
            hint="fusion needs more patients of the rarer class",
        )
    generator = np.random.default_rng(seed)
    # One sequence through all classes, dealt in turn: then an odd class takes its turn with the next.
    drawn = [str(group) for _, part in sorted(strata.groupby(strata)) for group in generator.permutation(part.index)]
    return tuple(sorted(drawn[0::2])), tuple(sorted(drawn[1::2]))


def pairs_of(groups: ArrayLike, labels: ArrayLike, mode: FusionMode, seed: int) -> tuple[Pair, ...]:
    """Return who is fitted on whom: two pairs of halves, or one pair of everybody in the paper's way (in-sample).

    Raises
    ------
    CohortError
        As :func:`halve_groups`.
    """
    if mode == "paper":
        everybody = tuple(sorted({str(group) for group in np.asarray(groups, object)}))
        return (Pair("all", everybody, everybody),)
    first, second = halve_groups(groups, labels, seed)
    return Pair("a", first, second), Pair("b", second, first)


def check_unseen(seen: Sequence[str], scored: Sequence[str], where: str) -> None:
    """Prove that no group is scored by what was fitted on it.

    Raises
    ------
    FitError
        With the groups concerned.
    """
    both = sorted({str(group) for group in seen} & {str(group) for group in scored})
    if both:
        raise FitError(
            f"{len(both)} groups are scored by what was fitted on them: {', '.join(both[:10])}",
            where=where,
            expected="no group on both sides",
        )
