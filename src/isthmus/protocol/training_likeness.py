"""What each arm's fold networks know of their training pictures, for its bundle: how unlike them a case is.

Each fold network's embeddings of its training views give two distances; the views that it never saw say how large they
are elsewhere. Which of the two a bundle gets is chosen without any picture from elsewhere: on altered copies of unseen
training views.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.errors import BundleError
from isthmus.explain.fold_networks import read_fold
from isthmus.files import read_json, sha256_of_json, write_bytes, write_json
from isthmus.imaging.altered_pictures import ALTERATIONS
from isthmus.imaging.cache import PreparedStore
from isthmus.inference.batch import takes_masks
from isthmus.inference.embeddings import view_embeddings
from isthmus.models.fused_classifier import one_thread
from isthmus.models.likeness_spec import FILE, LikenessSpec, Trial
from isthmus.models.training_likeness import TrainingLikeness, read_likeness
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.schema import Protocol
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.out_of_distribution import Distance, Scale, fit_mahalanobis, fit_neighbours, scale_of
from isthmus.statistics.roc import auc
from isthmus.tables.check import write_table
from isthmus.training.spec import FitSpec

Progress = Callable[[str, int, int], None]
Altered = dict[str, FloatArray]
"""Alteration to embeddings [n, D]."""

MOST: Final = 1000
"""Training views of a fold whose embeddings are looked at: evenly through them."""
MOST_ALTERED: Final = 60
"""Unseen views of a fold that are altered in each way."""
MARGIN: Final = 0.02
"""By how much the neighbours must be better to be chosen: they put the training cases' embeddings into the bundle."""
RULE: Final = (
    "Chosen without any picture from elsewhere: by the mean AUROC with which it told altered copies of unseen training "
    f"pictures ({', '.join(ALTERATIONS)}) from the pictures themselves. Neighbours must be better by {MARGIN}, since "
    "they put the training pictures' embeddings into the bundle."
)
_BLOCK: Final = 64


@dataclass(frozen=True, eq=False)
class Fitted:
    """An arm's likeness, and how unusual each training view is to the fold network that never saw it.

    Parameters
    ----------
    likeness : TrainingLikeness
        For the bundle.
    held_out : DataFrame
        ``view_id``, ``out_of_distribution``.
    """

    likeness: TrainingLikeness
    held_out: pd.DataFrame


def fit_likeness(
    run_folder: Path,
    protocol: Protocol,
    fits: Sequence[FitSpec],
    stores: Mapping[str, PreparedStore],
    progress: Progress | None = None,
) -> dict[str, Fitted]:
    """Fit it for every arm, from the fold networks of the first seed; kept, so that a resumed run has it.

    Parameters
    ----------
    run_folder : Path
        The run; what was fitted lies in its `likeness/`.
    protocol : Protocol
        Resolved.
    fits : sequence of FitSpec
        Finished fits.
    stores : mapping
        Each arm's prepared pictures.
    progress : callable, optional
        Called with what, done, total.
    """
    found = {}
    for done, key in enumerate(protocol.arms, start=1):
        own = [fit for fit in fits if fit.arm == key and fit.seed == protocol.splits.seeds[0]]
        fingerprint = sha256_of_json([stores[key].key, RULE, *(fit.fingerprint() for fit in own)])[:16]
        folder = run_folder / "likeness" / f"{key}-{fingerprint}"
        found[key] = _kept(folder, len(own)) or _keep(folder, _of_arm(run_folder, own, stores[key]))
        if progress is not None:
            progress("what training pictures are like", done, len(protocol.arms))
    return found


def _kept(folder: Path, parts: int) -> Fitted | None:
    if not (folder / "likeness.json").is_file():
        return None
    try:
        said = LikenessSpec.model_validate(read_json(folder / "likeness.json", name="likeness")["likeness"])
        likeness = read_likeness(folder, said, parts)
    except (BundleError, ValueError, KeyError):
        return None  # damaged: it is made again
    return Fitted(likeness, pd.read_parquet(folder / "held_out.parquet"))


def _keep(folder: Path, fitted: Fitted) -> Fitted:
    said, content = fitted.likeness.encoded()
    write_bytes(folder / FILE, content)
    write_table(folder / "held_out.parquet", fitted.held_out)
    write_json(folder / "likeness.json", {"format": "isthmus-likeness/1.0", "likeness": said.model_dump(mode="json")})
    return fitted


def _of_arm(run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore) -> Fitted:
    folds, trials = _fitted(run_folder, fits, store)
    chosen = folds[trials[0].kind]
    scores = np.concatenate([fold.scale.scores(fold.unseen) for fold in chosen])
    views = [view for fold in chosen for view in fold.views]
    return Fitted(_likeness(chosen, trials), pd.DataFrame({"view_id": views, "out_of_distribution": scores}))


def fit_both(run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore) -> dict[str, TrainingLikeness]:
    """Return both distances of an arm's fold networks, the chosen one first: for comparing them."""
    folds, trials = _fitted(run_folder, fits, store)
    return {trial.kind: _likeness(folds[trial.kind], trials) for trial in trials}


def _fitted(
    run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore
) -> "tuple[dict[str, list[_Fold]], list[Trial]]":
    kinds: dict[str, list[_Fold]] = {"mahalanobis": [], "neighbours": []}
    for fit in fits:
        for kind, fold in _of_fold(run_folder, fit, store).items():
            kinds[kind].append(fold)
    trials = [
        Trial.model_validate(
            {"kind": kind, "aurocs": {name: float(np.mean([one.aurocs[name] for one in own])) for name in ALTERATIONS}}
        )
        for kind, own in kinds.items()
    ]
    return kinds, choose(trials)


def _likeness(folds: "Sequence[_Fold]", trials: Sequence[Trial]) -> TrainingLikeness:
    scales = [fold.scale for fold in folds]
    reference = np.concatenate([scale.scores(fold.unseen) for scale, fold in zip(scales, folds, strict=True)])
    return TrainingLikeness([fold.distance for fold in folds], scales, np.sort(reference), trials, RULE)


def choose(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials, the chosen one first: Mahalanobis, unless neighbours told altered pictures clearly better."""
    by_kind = {trial.kind: trial for trial in trials}
    plain, near = by_kind["mahalanobis"], by_kind["neighbours"]
    return [near, plain] if near.mean > plain.mean + MARGIN else [plain, near]


@dataclass(frozen=True, eq=False)
class _Fold:
    """One distance of one fold network: fitted, of the views that it never saw, and how well it told altered ones."""

    distance: Distance
    views: list[str]
    unseen: FloatArray
    aurocs: dict[str, float]

    @property
    def scale(self) -> Scale:
        """Of the distances of unseen views."""
        return scale_of(self.unseen)


def _of_fold(run_folder: Path, fit: FitSpec, store: PreparedStore) -> dict[str, _Fold]:
    network, there = read_fold(fit_folder(run_folder, fit)), set(store.view_ids)
    seen = evenly([view for view in fit.train_views if view in there], MOST)
    unseen = [view for view in fit.held_out_views if view in there]
    changed = evenly(unseen, MOST_ALTERED)

    def embed(views: Sequence[str], alteration: str = "") -> FloatArray:
        return _embeddings(network.classifier, fit, store, views, alteration)

    training, held_out, labels = embed(seen), embed(unseen), fit.labels_of(seen)
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
            found[kind] = _Fold(distance, unseen, far, aurocs)
    return found


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

    rows, blocks = np.asarray(store.rows(views)), []
    step = max(1, _BLOCK // int(store.pixels.shape[1]))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        pixels = np.asarray(store.pixels[part])
        if alteration:
            pixels = np.stack(
                [
                    ALTERATIONS[alteration](one, np.random.default_rng([start, place]))
                    for place, one in enumerate(pixels)
                ]
            )
        masks = np.asarray(store.lesion_masks[part]) if takes_masks(classifier) else None
        own, _ = view_embeddings(
            classifier,
            pixels,
            fit.prepare,
            default_device(),
            masks,
            flips=fit.flips,
            frame_scores=fit.frame_scores,
        )
        blocks.append(own)
    return np.concatenate(blocks).astype(np.float64)
