"""What the members of a fusion say of nodules: embeddings or log odds of their networks, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.held_out import read_fold
from isthmus.imaging.cache import PreparedStore
from isthmus.inference.embeddings import unit_means
from isthmus.inference.member_values import MemberViews, member_values
from isthmus.models.fused_columns import Join
from isthmus.models.mean_head import LOG_ODDS
from isthmus.protocol.fits import fit_folder
from isthmus.training.spec import FitSpec


class Block(NamedTuple):
    """What one member says.

    Parameters
    ----------
    units : list of str [U]
        Nodules that it has a view of.
    values : float64 array [U, D]
        Means over their views.
    columns : tuple of str [D]
        ``<arm>:<place>``.
    """

    units: list[str]
    values: NDArray[np.float64]
    columns: tuple[str, ...]


def member_features(run_folder: Path, fit: FitSpec, views: pd.DataFrame, store: PreparedStore, on: Join) -> Block:
    """Return what a fit's network says of the nodules of some views.

    Parameters
    ----------
    run_folder : Path
        With the finished fit.
    fit : FitSpec
        Whose network.
    views : DataFrame
        `view_id`, `nodule_id`.
    store : PreparedStore
        Prepared as the fit's arm says.
    on : {'embeddings', 'logits', 'mean'}
        What the last layer sees, or the log odds of the positive class that it gives.
    """
    from isthmus.training.engine import default_device

    network, device = read_fold(fit_folder(run_folder, fit)), default_device()
    rows = np.asarray(store.rows(views["view_id"].tolist()), np.int64)
    seen = MemberViews(store.pixels, store.lesion_masks, rows, np.arange(len(rows)))
    values = member_values(
        network.classifier, seen, fit.prepare, on, device, flips=network.flips, frame_scores=network.frame_scores
    )
    units, means = unit_means(values, views["nodule_id"].to_numpy(dtype=object))
    names = [str(place) for place in range(values.shape[1])] if on == "embeddings" else [LOG_ODDS]
    return Block(units, means, tuple(f"{fit.arm}:{name}" for name in names))


def side_by_side(blocks: Sequence[Block], units: Sequence[str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the members' values of these units [N, D], NaN where a member has no view of one, and their names.

    Examples
    --------
    >>> image = Block(["a", "b"], np.array([[1.0], [2.0]]), ("image:0",))
    >>> clip = Block(["b"], np.array([[5.0]]), ("clip:0",))
    >>> side_by_side([image, clip], ["a", "b"])[0].tolist()
    [[1.0, nan], [2.0, 5.0]]
    """
    parts = []
    for block in blocks:
        place = {unit: row for row, unit in enumerate(block.units)}
        part = np.full((len(units), len(block.columns)), np.nan)
        there = [row for row, unit in enumerate(units) if unit in place]
        part[there] = block.values[[place[units[row]] for row in there]]
        parts.append(part)
    return np.concatenate(parts, axis=1), tuple(name for block in blocks for name in block.columns)
