"""What one fold network makes of its training views, of those that it never learnt from, and of altered ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from isthmus.explain.fold_networks import read_fold
from isthmus.imaging.altered_pictures import ALTERATIONS
from isthmus.imaging.cache import PreparedStore
from isthmus.inference.batch import takes_masks
from isthmus.inference.embeddings import view_embeddings
from isthmus.models.fused_classifier import one_thread
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.fold_scores import over_store
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.out_of_distribution import (
    Distance,
    Scale,
    fit_mahalanobis,
    fit_neighbours,
    scale_of,
    scores_of_unseen,
)
from isthmus.statistics.roc import auc
from isthmus.training.spec import FitSpec

MOST: Final = 1000
"""Training views of a fold whose embeddings are looked at: evenly through them."""
MOST_ALTERED: Final = 60
"""Unseen views of a fold that are altered in each way."""
MOST_TUNING: Final = 300
"""Cases of a fold's tuning part that say how far networks agree."""
_BLOCK: Final = 64


@dataclass(frozen=True, eq=False)
class UnseenViews:
    """Views that a network did not learn from: which, of which cases, and how far each is from its training views."""

    views: list[str]
    cases: list[str]
    distances: FloatArray


@dataclass(frozen=True, eq=False)
class LikenessOfFold:
    """One distance of one fold network.

    Parameters
    ----------
    distance : Mahalanobis or Neighbours
        Fitted to its training views.
    held_out : UnseenViews
        Of the held-out fold: these set the scale.
    tuning : UnseenViews
        Of the part that chose its epoch.
    aurocs : dict
        Alteration to the AUROC with which the distance told altered views.
    """

    distance: Distance
    held_out: UnseenViews
    tuning: UnseenViews
    aurocs: dict[str, float]

    @property
    def scale(self) -> Scale:
        """Of the distances of held-out views."""
        return scale_of(self.held_out.distances)

    @property
    def held_out_scores(self) -> FloatArray:
        """How unusual each held-out view is, beside those of the other cases."""
        return scores_of_unseen(self.held_out.distances, self.held_out.cases)

    @property
    def tuning_scores(self) -> FloatArray:
        """How unusual each tuning view is."""
        return self.scale.scores(self.tuning.distances)


def fit_fold(
    run_folder: Path, fit: FitSpec, store: PreparedStore, case_of: Mapping[str, str]
) -> dict[str, LikenessOfFold]:
    """Fit both distances of a fold network; ``case_of`` says to which case a view belongs."""
    network, there = read_fold(fit_folder(run_folder, fit)), set(store.view_ids)
    seen = evenly([view for view in fit.train_views if view in there], MOST)
    unseen = [view for view in fit.held_out_views if view in there]
    tuning = _of_cases([view for view in fit.tune_views if view in there], case_of)
    changed = evenly(unseen, MOST_ALTERED)

    def embed(views: Sequence[str], alteration: str = "") -> FloatArray:
        return _embeddings(network.classifier, fit, store, views, alteration)

    training, labels = embed(seen), fit.labels_of(seen)
    held_out, tuned = embed(unseen), embed(tuning) if tuning else training[:0]
    altered = {name: embed(changed, name) for name in ALTERATIONS}
    found = {}
    with one_thread():
        distances: dict[str, Distance] = {
            "mahalanobis": fit_mahalanobis(training, labels),
            "neighbours": fit_neighbours(training),
        }
        for kind, distance in distances.items():
            far = distance.distances(held_out)
            aurocs = {name: _told(far, distance.distances(own)) for name, own in altered.items()}
            found[kind] = LikenessOfFold(
                distance,
                UnseenViews(unseen, [case_of[view] for view in unseen], far),
                UnseenViews(tuning, [case_of[view] for view in tuning], distance.distances(tuned)),
                aurocs,
            )
    return found


def _of_cases(views: Sequence[str], case_of: Mapping[str, str]) -> list[str]:
    """Return all views of at most so many cases."""
    kept = set(evenly(list(dict.fromkeys(case_of[view] for view in views)), MOST_TUNING))
    return [view for view in views if case_of[view] in kept]


def _told(plain: FloatArray, altered: FloatArray) -> float:
    labels = np.repeat([False, True], [len(plain), len(altered)])
    return auc(labels, np.concatenate([plain, altered]))


def evenly(views: Sequence[str], most: int) -> list[str]:
    """Return at most so many views, evenly through them.

    Examples
    --------
    >>> evenly(["a", "b", "c", "d"], 2)
    ['a', 'd']
    """
    if len(views) <= most:
        return list(views)
    return [views[place] for place in np.linspace(0, len(views) - 1, most).round().astype(int)]


def _embeddings(
    classifier: Any, fit: FitSpec, store: PreparedStore, views: Sequence[str], alteration: str
) -> FloatArray:
    """Return what the network's last layer sees of views, altered or not: float64 [N, D]."""
    from isthmus.training.engine import default_device

    blocks, step = [], max(1, _BLOCK // int(store.pixels.shape[1]))
    for number, (pixels, masks) in enumerate(over_store(store, views, step)):
        shown = pixels
        if alteration:
            shown = np.stack(
                [
                    ALTERATIONS[alteration](one, np.random.default_rng([number * step, place]))
                    for place, one in enumerate(pixels)
                ]
            )
        own, _ = view_embeddings(
            classifier,
            shown,
            fit.prepare,
            default_device(),
            masks if takes_masks(classifier) else None,
            flips=fit.flips,
            frame_scores=fit.frame_scores,
        )
        blocks.append(own)
    return np.concatenate(blocks).astype(np.float64)
