"""Does the heat lie at the lesion's edge or in its middle? The claim of a published heat map, as a number.

Source: the study of occult node metastasis (10.3389/fendo.2025.1634875, section 3.4 and figure 5) saw heat "typically
located at the tumor margins" of positive lesions and "distributed evenly within the tumors" of negative ones, and
counted nothing. Here a lesion's pixels are ordered by their distance to its outline and cut into two halves of equal
area, so that even heat scores 0.5 whatever the lesion's size and shape. Only heat inside the lesion counts: how much of
it lies there at all is asked elsewhere (:mod:`isthmus.explain.localisation`).

A network's maps are a coarse grid, and a band narrower than a cell cannot be told from what lies beside it. What the
two halves themselves score when they are drawn on that grid therefore stands beside every figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.bright_specks import on_grid
from isthmus.explain.localisation import FEWEST, centred_gaussian, signed
from isthmus.statistics.interval import Interval
from isthmus.statistics.means import clustered_mean, compare_clustered_means

SMALLEST = 16
"""Pixels of a lesion that are cut into halves, at least."""

EDGE_COLUMNS = {"heat_at_edge": "evidence for", "against_at_edge": "evidence against"}
"""Columns of shares, and what of a map they count; the second of signed maps only."""

_BASELINES = ("gaussian_at_edge", "edge_on_grid", "centre_on_grid")
EVERY_EDGE_COLUMN = (*EDGE_COLUMNS, *_BASELINES)


def edge_band(mask: NDArray[np.bool_], size: int | None = None) -> NDArray[np.float32]:
    """Return how much of each pixel belongs to the outer half of a lesion's area.

    Parameters
    ----------
    mask : ndarray of bool, shape [S, S]
        True inside the lesion, which ends where the picture ends.
    size : int, optional
        Side of the middle part that is halved, the whole by default. Distances are to the outline as it is, beyond the
        part too.

    Returns
    -------
    ndarray of float32, shape [size, size]
        1 in the band, 0 elsewhere; the pixels that lie just at the cut share what is left, so that the sum is exactly
        half the area of the lesion in the part. All 0 for fewer than :data:`SMALLEST` pixels.

    Notes
    -----
    Distances are Euclidean and exact (P. Felzenszwalb, D. Huttenlocher, Theory of Computing 8 (2012) 415-428). Of a
    disc of radius r the cut lies at r / sqrt(2).

    Examples
    --------
    >>> mask = np.zeros((8, 8), bool)
    >>> mask[1:7, 1:7] = True
    >>> edge_band(mask)[1, 1:4], float(edge_band(mask).sum())
    (array([0.9, 0.9, 0.9], dtype=float32), 18.0)
    """
    size = len(mask) if size is None else size
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside, shown = (_middle(np.asarray(values), size) for values in (mask, distance[1:-1, 1:-1]))
    band = np.zeros(inside.shape, np.float32)
    if inside.sum() < SMALLEST:
        return band
    own = np.round(shown[inside], 3)
    half, cut = own.size / 2, float(np.sort(own)[(own.size - 1) // 2])
    nearer, level = own < cut, own == cut
    band[inside] = nearer + level * (half - nearer.sum()) / level.sum()
    return band


def _middle(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the middle [..., size, size] of squares [..., S, S], by the rule of ``inference.batch.centre``."""
    start = (values.shape[-1] - size) // 2
    return values[..., start : start + size, start : start + size]


def _share(heat: NDArray[Any], masks: NDArray[np.bool_], bands: NDArray[np.float32]) -> NDArray[np.float64]:
    # A frame without an outline has no halves: its heat does not count.
    halved = masks & bands.any(axis=(-2, -1), keepdims=True)
    positive = np.maximum(np.asarray(heat, np.float64), 0.0) * halved
    total, outer = (values.reshape(len(heat), -1).sum(axis=1) for values in (positive, positive * bands))
    return np.where(total > 0, outer / np.where(total > 0, total, 1.0), np.nan)


def _bands(masks: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    bands = [edge_band(mask, size) for mask in masks.reshape(-1, *masks.shape[-2:])]
    return np.asarray(bands, np.float32).reshape(*masks.shape[:-2], size, size)


def localise_edges(
    heat: NDArray[np.float32],
    masks: NDArray[np.bool_],
    grid: Sequence[int],
    against: NDArray[np.float32] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return the columns that say where in the lesion each view's heat lies.

    Parameters
    ----------
    heat : ndarray, shape [N, T, h, w]
        Evidence for the class; T is 1 of stills.
    masks : ndarray of bool, shape [N, T, S, S]
        The lesion, frame by frame, on the whole prepared picture, of which the heat is on the middle.
    grid : sequence of int
        Size of the maps that the heat is taken from, as for :func:`isthmus.explain.bright_specks.on_grid`.
    against : ndarray, shape [N, T, h, w], optional
        Evidence against it, as positive numbers.

    Returns
    -------
    dict of ndarray of float64, shape [N]
        ``heat_at_edge`` and, where given, ``against_at_edge``: shares, 0 (all in the middle) to 1 (all at the edge),
        of clips over all frames together; NaN without heat inside, or without a lesion. Beside them what is to be
        compared with: ``gaussian_at_edge`` (a Gaussian in the middle of the crop), ``edge_on_grid`` and
        ``centre_on_grid`` (the outer and the inner half themselves, drawn on this grid as if they were heat; a map that
        leaves out some of a half's cells can score beyond them).
    """
    if heat.shape[:2] != masks.shape[:2] or heat.shape[-1] > masks.shape[-1]:
        raise InputError(f"heat {list(heat.shape)} and masks {list(masks.shape)}", expected="a mask for each map")
    bands, masks = _bands(masks, heat.shape[-1]), _middle(masks, heat.shape[-1])
    gaussian = np.broadcast_to(centred_gaussian(heat.shape[-1]), heat.shape)
    columns = {"heat_at_edge": _share(heat, masks, bands)}
    if against is not None:
        columns["against_at_edge"] = _share(against, masks, bands)
    columns["gaussian_at_edge"] = _share(gaussian, masks, bands)
    columns["edge_on_grid"] = _share(on_grid(bands, grid), masks, bands)
    columns["centre_on_grid"] = _share(on_grid(masks - bands, grid), masks, bands)
    return columns


def summarise_edges(rows: pd.DataFrame, groups: Sequence[str], classes: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the shares of each class and the last class's less the others', with intervals that count patients.

    Parameters
    ----------
    rows : DataFrame
        With ``label`` and the columns of :func:`localise_edges`.
    groups : sequence of str
        The ``group_id`` of each row.
    classes : mapping
        Class code to shown name; the heat is evidence for the last.

    Returns
    -------
    dict or None
        For each of :data:`EDGE_COLUMNS` in the table: ``classes`` (name to ``views``, ``groups`` and the interval
        ``share``), ``difference`` (the last class less all others; None where one side is empty), ``even`` (0.5) and,
        as plain means over the same views, ``gaussian``, ``edge_on_grid``, ``centre_on_grid``; ``sentence``. Means are
        over views, intervals are cluster-robust t intervals. None where no view has heat inside an outline.
    """
    found = {}
    for column, words in EDGE_COLUMNS.items():
        if column in rows and rows[column].notna().any():
            known = rows[column].notna().to_numpy()
            codes = np.asarray(groups, dtype=str)[known]
            facts = _of_column(rows[known], codes, column, classes)
            found[column] = {**facts, "sentence": _sentence(facts, words, list(classes.values())[-1])}
    return found or None


def _of_column(used: pd.DataFrame, codes: NDArray[np.str_], column: str, classes: Mapping[str, str]) -> dict[str, Any]:
    values, labels = used[column].to_numpy(np.float64), used["label"].astype(str).to_numpy()
    by_class = {}
    for code, name in classes.items():
        own = labels == code
        if own.any():
            share = clustered_mean(values[own], codes[own])
            by_class[name] = {"views": int(own.sum()), "groups": len(set(codes[own])), "share": share.as_dict()}
    last = labels == list(classes)[-1]
    difference: Interval | None = None
    if last.any() and not last.all():
        difference = compare_clustered_means(values[last], values[~last], codes[last], codes[~last])
    beside = {name: float(used[name].mean()) for name in _BASELINES}
    return {
        "classes": by_class,
        "fewest": min(len(set(codes[side])) for side in (last, ~last)),
        "difference": None if difference is None else difference.as_dict(),
        "even": 0.5,
        "gaussian": beside["gaussian_at_edge"],
        "edge_on_grid": beside["edge_on_grid"],
        "centre_on_grid": beside["centre_on_grid"],
    }


def _sentence(facts: dict[str, Any], words: str, positive: str) -> str:
    parts = []
    for name, own in facts["classes"].items():
        share = own["share"]
        limits = "" if share["low"] is None else f" ({share['low']:.2f} to {share['high']:.2f})"
        parts.append(
            f"{share['estimate']:.2f}{limits} in {name} ({own['groups']} patient{'' if own['groups'] == 1 else 's'})"
        )
    said = (
        f"Of the {words} {positive} inside the lesion, the outer half of its area held {' and '.join(parts)}; even "
        f"heat scores 0.50, a Gaussian in the middle {facts['gaussian']:.2f}. On the grid of the maps the outer half "
        f"itself scores {facts['edge_on_grid']:.2f} and the inner {facts['centre_on_grid']:.2f}."
    )
    return said + _verdict(facts, positive)


def _verdict(facts: dict[str, Any], positive: str) -> str:
    difference = facts["difference"]
    if difference is None or difference["low"] is None:
        return ""
    limits = (
        f"{signed(difference['estimate'])}, {signed(difference['low'])} to {signed(difference['high'])}, "
        "clustered on patients"
    )
    if facts["fewest"] < FEWEST:
        return f" The classes differ by {limits}: {facts['fewest']} patients on a side are too few for a verdict."
    if difference["low"] > 0:
        return f" It lay further out in {positive} ({limits})."
    if difference["high"] < 0:
        return f" It lay further in, not out, in {positive} ({limits})."
    return f" The classes are not told apart by it ({limits})."
