"""What a fold's embeddings say of the device behind each held-out view."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.held_out import FoldNetwork, read_fold
from isthmus.files import sha256_of_json
from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.inference.embeddings import view_embeddings
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.fold_scores import over_store
from isthmus.protocol.kept_tables import kept_table
from isthmus.training.device_probe import shares_of, told_devices
from isthmus.training.spec import FitSpec

_BLOCK: Final = 128
_RULE: Final = "linear discriminant analysis, shrunk, 1"
"""Change it with the rule: scores kept from another one are then made again."""


def device_views(
    run_folder: Path,
    fits: Sequence[FitSpec],
    store: PreparedStore,
    views: pd.DataFrame,
    devices: Sequence[str],
    classes: Sequence[str],
) -> pd.DataFrame:
    """Learn in each fold to tell devices by the embeddings of its training views, and try it on its held-out views.

    Parameters
    ----------
    run_folder : Path
        The run; what is found is kept in its `shortcuts/`.
    fits : sequence of FitSpec
        All folds of an arm and seed.
    store : PreparedStore
        The arm's prepared pictures.
    views : DataFrame
        Views that are asked: `view_id`, `device`, `label`, `group_id`.
    devices, classes : sequence of str
        In the order of the columns that come back.

    Returns
    -------
    DataFrame
        One row a held-out view, as :func:`isthmus.report.shortcuts.device_evidence` takes it.
    """
    facts = views[["view_id", "device", "label", "group_id"]].astype(str).sort_values("view_id", ignore_index=True)
    named = facts.to_numpy().tolist(), list(devices), list(classes), [fit.fingerprint() for fit in fits]
    path = run_folder / "shortcuts" / f"{fits[0].arm}-{sha256_of_json([_RULE, store.key, *named])[:16]}.parquet"
    parts = (_of_fold(run_folder, fit, store, facts, list(devices), list(classes)) for fit in fits)
    return kept_table(path, lambda: pd.concat(parts, ignore_index=True))


def _of_fold(
    run_folder: Path, fit: FitSpec, store: PreparedStore, facts: pd.DataFrame, devices: list[str], classes: list[str]
) -> pd.DataFrame:
    network = read_fold(fit_folder(run_folder, fit))
    learnt, tried = (facts[facts["view_id"].isin(set(own))] for own in (fit.train_views, fit.held_out_views))
    seen, asked = (_embeddings(network, store, own["view_id"].tolist(), fit.prepare) for own in (learnt, tried))
    columns = {name: [one[name].to_numpy(dtype=object) for one in (learnt, tried)] for name in ("device", "label")}
    (device, _), (label, label_asked) = columns["device"], columns["label"]
    found = {
        "told": told_devices(seen, device, asked, devices),
        "label": shares_of(device, label, label_asked, devices),
        "device": shares_of(label, device, columns["device"][1], classes),
    }
    scores = {f"{name}_{place}": values[:, place] for name, values in found.items() for place in range(values.shape[1])}
    return tried.assign(fold=fit.fold, **scores)


def _embeddings(
    network: FoldNetwork, store: PreparedStore, views: Sequence[str], preparation: Preparation
) -> NDArray[np.floating[Any]]:
    from isthmus.training.engine import default_device

    device = default_device()
    blocks = [
        view_embeddings(
            network.classifier,
            pixels,
            preparation,
            device,
            masks,
            flips=network.flips,
            frame_scores=network.frame_scores,
        )[0]
        for pixels, masks in over_store(store, views, _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
