"""Unequal classes: how often each is drawn, what each weighs, what its share adds to the loss; all is undone later."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.training.seeds import seed_of
from isthmus.training.steps import class_weights, log_prior_shift

if TYPE_CHECKING:
    from isthmus.training.settings import TrainSettings


@dataclass(frozen=True)
class Balance:
    """How a fit treats its classes.

    Parameters
    ----------
    weights : list of K floats
        Of the classes in the loss of a training step.
    tune_weights : list of K floats
        The same for views as they are, such as those of the tuning part.
    adjustment : list of K floats
        Added to the logits before the loss.
    shift : list of K floats
        What all of it adds to the logits that the network learns, with mean 0; taken off before probabilities.
    """

    weights: list[float]
    tune_weights: list[float]
    adjustment: list[float]
    shift: list[float]


def balance_of(train: "TrainSettings", labels: Sequence[int], classes: int) -> Balance:
    """Return how classes are treated.

    Balanced sampling draws class k more often by n / (K n_k), which is also what `class_weight: balanced` would weigh
    it with; where they are drawn alike, nothing is left to weigh. Logit adjustment adds tau log pi_k to the logits in
    the loss, pi_k the class's share of the training views, so that the network itself learns log p(k|x) - tau log pi_k.

    Parameters
    ----------
    train : TrainSettings
        With `sampling`, `class_weight` and `logit_adjustment`.
    labels : sequence of int
        Classes of the training views.
    classes : int
        K.

    Source: A. Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 10; M. Saerens et al., Neural
    Computation 14 (2002) 21-41, for taking shares off again.

    Examples
    --------
    >>> from isthmus.training.settings import TrainSettings
    >>> balance_of(TrainSettings(sampling="balanced"), [0, 0, 0, 1], 2).weights
    [1.0, 1.0]
    """
    if train.sampling == "balanced":
        drawn = class_weights(labels, classes, "balanced")
        return Balance([1.0] * classes, drawn, [0.0] * classes, log_prior_shift(drawn))
    weights = class_weights(labels, classes, train.class_weight)
    if not train.logit_adjustment:
        return Balance(weights, weights, [0.0] * classes, log_prior_shift(weights))
    counts = np.bincount(np.asarray(labels, np.int64), minlength=classes)
    adjustment = [train.logit_adjustment * math.log(int(count) / len(labels)) for count in counts]
    mean = sum(adjustment) / classes
    return Balance(weights, weights, adjustment, [mean - value for value in adjustment])


def balanced_order(labels: np.ndarray[Any, Any], seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the order of an epoch in which every class comes equally often, each spread evenly.

    The epoch keeps its length. Views of a small class come several times, each as often as another within one; of a
    large one each epoch draws others.

    Parameters
    ----------
    labels : ndarray of int, shape [N]
        Class of each view.
    seed, epoch : int
        Decide the order.

    Returns
    -------
    ndarray of int64, shape [N]
        Places of views; some come more than once, some not at all.
    """
    generator = np.random.default_rng(seed_of(seed, "balanced order", epoch))
    names = np.unique(labels)
    # What does not divide goes to other classes in other epochs.
    extra = generator.permutation(len(names)) < len(labels) % len(names)
    chosen, places = [], []
    for name, more in zip(names, extra, strict=True):
        members, wanted = np.flatnonzero(labels == name), len(labels) // len(names) + int(more)
        rounds = [generator.permutation(members) for _ in range(-(-wanted // len(members)))]
        drawn = np.concatenate(rounds)[:wanted] if rounds else members[:0]
        chosen.append(drawn)
        places.append((np.arange(wanted) + generator.random()) / max(wanted, 1))
    return np.concatenate(chosen)[np.argsort(np.concatenate(places), kind="stable")]
