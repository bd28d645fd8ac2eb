"""What a fold's network says of prepared views: scored as a bundle would score them, a block at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.held_out import FoldNetwork, read_fold
from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.inference.scores import probabilities, view_logits
from isthmus.protocol.fits import fit_folder
from isthmus.training.spec import FitSpec

_BLOCK: Final = 512


def over_store(
    store: PreparedStore, view_ids: Sequence[str], block: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield pixels and lesion masks of views in their order, ``block`` of them in memory at a time."""
    rows = store.rows(view_ids)
    for start in range(0, len(rows), block):
        chunk = rows[start : start + block]
        yield store.pixels[chunk], store.lesion_masks[chunk]


def fold_scores(
    network: FoldNetwork, store: PreparedStore, view_ids: Sequence[str], preparation: Preparation
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return uncalibrated probabilities, after prior shift, of prepared views.

    Parameters
    ----------
    network : FoldNetwork
        Of a finished fit.
    store : PreparedStore
        Prepared as the fit's arm says.
    view_ids : sequence of str [N]
        Which views.
    preparation : Preparation
        The arm's.

    Returns
    -------
    float64 array [N, K]
    """
    from isthmus.training.engine import default_device

    device = default_device()
    blocks = [
        view_logits(
            network.classifier,
            pixels,
            preparation,
            device=device,
            flips=network.flips,
            masks=masks,
            frame_scores=network.frame_scores,
        )
        for pixels, masks in over_store(store, view_ids, _BLOCK)
    ]
    logits = np.concatenate(blocks) if blocks else np.zeros((0, network.classifier.classes), np.float32)
    return probabilities(logits, np.asarray(network.log_prior_shift))


def mean_fold_scores(
    run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore, view_ids: list[str]
) -> pd.DataFrame:
    """Return what the fold models of one candidate and seed say together, as the arm's model would: their mean.

    Parameters
    ----------
    run_folder : Path
        With the finished fits.
    fits : sequence of FitSpec
        Of one arm, candidate and seed: a fit a fold.
    store : PreparedStore
        Prepared as their arm says.
    view_ids : list of str
        Which views.

    Returns
    -------
    DataFrame
        `view_id` and `p_<class>`, uncalibrated.
    """
    networks = [read_fold(fit_folder(run_folder, fit)) for fit in fits]
    scores = np.mean([fold_scores(network, store, view_ids, fits[0].prepare) for network in networks], axis=0)
    columns = {f"p_{name}": scores[:, place] for place, name in enumerate(fits[0].classes)}
    return pd.DataFrame({"view_id": view_ids, **columns})
