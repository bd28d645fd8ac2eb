"""What a fit's kept network says of the views that it was not trained on: its tables of scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from isthmus.inference.batch import takes_masks
from isthmus.inference.scores import ViewScores, probabilities, view_scores
from isthmus.tables.check import write_table

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier
    from isthmus.training.data import Store
    from isthmus.training.spec import FitSpec

_BLOCK = 512
"""Frames read from the store at once."""


def write_scores(
    spec: "FitSpec", store: "Store", classifier: "Classifier", shift: Sequence[float], folder: Path, device: str
) -> None:
    """Write ``predictions.csv`` and, of a network with descriptor heads, ``descriptors.csv``, in fp32.

    Parameters
    ----------
    spec : FitSpec
        Gives the tuning and held-out views.
    store : Store
        Their prepared pixels.
    classifier : Classifier
        With the kept weights.
    shift : sequence of K floats
        The prior shift that is taken off.
    folder : Path
        Of the fit. ``predictions.csv``: ``view_id``, ``part`` tune|cv, ``p_<class>``; ``descriptors.csv``: ``view_id``,
        ``part``, ``descriptor``, ``code``, ``probability``.
    device : str
        Where to compute.
    """
    names = ["view_id", "part", *(f"p_{name}" for name in spec.classes)]
    scores, descriptors = [pd.DataFrame(columns=names)], list[pd.DataFrame]()
    for part, views in (("tune", spec.tune_views), ("cv", spec.held_out_views)):
        if not views:
            continue
        ordered = sorted(views)
        logits, found = _of_views(spec, store, classifier, ordered, device)
        values = probabilities(logits, shift)
        columns = {f"p_{name}": values[:, place] for place, name in enumerate(spec.classes)}
        scores.append(pd.DataFrame({"view_id": ordered, "part": part, **columns}))
        if spec.descriptors is not None:
            descriptors += _long(spec.descriptors.heads, found, ordered, part)
    write_table(folder / "predictions.csv", pd.concat(scores[1:]) if len(scores) > 1 else scores[0])
    if descriptors:
        write_table(folder / "descriptors.csv", pd.concat(descriptors))


def _of_views(
    spec: "FitSpec", store: "Store", classifier: "Classifier", views: list[str], device: str
) -> tuple["np.ndarray[Any, Any]", dict[str, "np.ndarray[Any, Any]"]]:
    """Score views in blocks, so that a large store never has to fit into memory."""
    rows = np.asarray(store.rows(views))
    masks = store.lesion_masks if takes_masks(classifier) else None
    step = max(1, _BLOCK // store.pixels.shape[1])
    blocks: list[ViewScores] = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        scored = view_scores(
            classifier, store.pixels[part], spec.prepare, spec.train.batch, device,
            masks=None if masks is None else masks[part], flips=spec.flips, frame_scores=spec.frame_scores,
        )  # fmt: skip
        blocks.append(scored)
    found = {name: np.concatenate([one.descriptors[name] for one in blocks]) for name in blocks[0].descriptors}
    return np.concatenate([one.logits for one in blocks]), found


def _long(
    heads: dict[str, list[str]], found: dict[str, "np.ndarray[Any, Any]"], views: list[str], part: str
) -> list[pd.DataFrame]:
    return [
        pd.DataFrame(
            {
                "view_id": views,
                "part": part,
                "descriptor": name,
                "code": code,
                "probability": found[name][:, place].astype(np.float64),
            }
        )
        for name, codes in heads.items()
        for place, code in enumerate(codes)
    ]
