"""Does the heat lie on the calcifications? Asked where they are known: on simulated cohorts.

Nothing here opens a cohort: whoever knows where the calcifications are hands the masks over.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.localisation import heat_share, pointing_game, resampled_mean
from isthmus.explain.seen_views import looked_at
from isthmus.statistics.proportions import clustered_proportion

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation

Masks = Callable[[str, Sequence[int]], NDArray[np.bool_] | None]
"""Gives a view's calcifications in these of its frames (0 of a still), in source pixels [frames, H, W], or None where
it shows none in any frame."""


def masks_on_crops(
    store: "PreparedStore", view_ids: Sequence[str], preparation: "Preparation", masks: Masks
) -> NDArray[np.bool_]:
    """Return the pixels that calcifications touch on the centre crop of each frame seen, bool [N, T, crop, crop]."""
    size, own = preparation.crop_size, looked_at(preparation)
    found = np.zeros((len(view_ids), len(own), size, size), np.bool_)
    for number, (view_id, row) in enumerate(zip(view_ids, store.rows(view_ids), strict=True)):
        frames = masks(view_id, np.asarray(store.frame_indices[row])[own].tolist())
        for place, frame in enumerate(() if frames is None else frames):
            if frame.any():
                found[number, place] = calcifications_on_crop(
                    frame, store.source_to_prepared[row], preparation.train_size, size
                )
    return found


def calcifications_on_crop(
    mask: NDArray[np.bool_], source_to_prepared: NDArray[np.float64], prepared_size: int, crop_size: int
) -> NDArray[np.bool_]:
    """Return which pixels of the centre crop a calcification touches.

    A microcalcification may be smaller than a pixel of the crop, and a mask that is only sampled would lose it: each
    pixel is looked at in as many places as it covers source pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape [H, W]
        Calcifications in source pixels.
    source_to_prepared : ndarray of float64, shape [2, 3]
        As ``prepare`` gives it.
    prepared_size, crop_size : int
        Side of the prepared picture, and of its middle that a network sees.

    Returns
    -------
    ndarray of bool, shape [crop_size, crop_size]
        On the same pixels as the heat.

    Examples
    --------
    >>> mask = np.zeros((8, 8), bool)
    >>> mask[5, 2] = True
    >>> halved = np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]])
    >>> np.argwhere(calcifications_on_crop(mask, halved, 4, 4)).tolist()
    [[2, 1]]
    """
    offset = (prepared_size - crop_size) // 2
    scale = float(source_to_prepared[0, 0])
    finer = max(1, int(np.ceil(1 / scale)))
    to_finer = np.array(source_to_prepared, dtype=np.float64)
    # Whole numbers are the centres of pixels, before and after.
    to_finer[:, 2] = (to_finer[:, 2] - offset + 0.5) * finer - 0.5
    to_finer[:, :2] *= finer
    side = crop_size * finer
    sampled = cv2.warpAffine(mask.astype(np.uint8), to_finer, (side, side), flags=cv2.INTER_NEAREST)
    return np.asarray(sampled.reshape(crop_size, finer, crop_size, finer).any(axis=(1, 3)))


def localise_calcifications(heat: NDArray[Any], masks: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return the columns that say where each view's heat lies against its calcifications.

    Parameters
    ----------
    heat : ndarray, shape [N, h, h] or [N, T, h, h]
        Heat on the centre crop of a still, or of the frames of a clip.
    masks : ndarray of bool, of the same shape
        The pixels that calcifications touch, on the same crop.

    Returns
    -------
    dict of ndarray of float64, shape [N]
        ``heat_in_calcifications``, ``calcification_area`` (shares, 0 to 1: the second is what even heat would score)
        and ``calcification_pointing`` (1, 0). NaN where a view shows no calcification or has no heat.
    """
    inside, hits = heat_share(heat, masks), pointing_game(heat, masks)
    area = np.where(np.isnan(inside), np.nan, masks.reshape(len(masks), -1).mean(axis=1))
    return {"heat_in_calcifications": inside, "calcification_area": area, "calcification_pointing": hits}


def summarise_calcifications(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any] | None:
    """Return means over the views with calcifications and heat, with intervals that count patients.

    Parameters
    ----------
    rows : DataFrame
        With the columns of :func:`localise_calcifications`.
    groups : sequence of str
        The ``group_id`` of each row.

    Returns
    -------
    dict or None
        ``views``, ``groups``, and as intervals ``heat_in_calcifications``, ``calcification_area``, ``difference``
        (heat minus area; percentiles of 2,000 group bootstraps) and ``pointing`` (Wilson, effective n). None without
        such a view.
    """
    known = rows["heat_in_calcifications"].notna().to_numpy()
    if not known.any():
        return None
    used, codes = rows[known], np.asarray(groups, dtype=str)[known]
    heat, area = (used[name].to_numpy(np.float64) for name in ("heat_in_calcifications", "calcification_area"))
    return {
        "views": len(used),
        "groups": len(set(codes)),
        "heat_in_calcifications": resampled_mean(heat, codes).as_dict(),
        "calcification_area": resampled_mean(area, codes).as_dict(),
        "difference": resampled_mean(heat - area, codes).as_dict(),
        "pointing": clustered_proportion(used["calcification_pointing"].to_numpy() == 1.0, codes).as_dict(),
    }
