"""Does the heat lie on the lesion? Counted for every view, against a heat map that knows nothing.

A lesion crop has the lesion in its middle, so any map that prefers the middle looks good. Every figure therefore
stands beside the same figure of a fixed Gaussian in the middle of the crop, and beside the lesion's share of the area,
which is what a flat map would score. In clips all of it is counted over all frames together, the Gaussian in each.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.interval import Interval
from isthmus.statistics.proportions import clustered_proportion, compare_paired_proportions

GAUSSIAN_SIGMA = 0.25
"""Standard deviation of the baseline, as a share of the crop's side."""


def centred_gaussian(size: int, sigma: float = GAUSSIAN_SIGMA) -> NDArray[np.float32]:
    """Return a Gaussian in the middle of a crop.

    Parameters
    ----------
    size : int
        Side of the crop in pixels.
    sigma : float
        Standard deviation as a share of the side.

    Returns
    -------
    ndarray of float32, shape [size, size]
        Largest value 1.

    Examples
    --------
    >>> (100 * centred_gaussian(3, 0.5)).round().astype(int).tolist()
    [[64, 80, 64], [80, 100, 80], [64, 80, 64]]
    """
    distance = np.arange(size) - (size - 1) / 2
    line = np.exp(-0.5 * (distance / (sigma * size)) ** 2)
    both = np.outer(line, line)
    return np.asarray(both / both.max(), dtype=np.float32)


def heat_share(heat: NDArray[Any], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each map's heat that lies inside the lesion.

    Parameters
    ----------
    heat : ndarray, shape [N, h, w] or [N, T, h, w]
        Heat maps, of clips over all frames together. Negative heat (signed maps) is not counted.
    masks : ndarray of bool, of the same shape
        True inside the lesion.

    Returns
    -------
    ndarray of float64, shape [N]
        0 to 1; NaN where a map has no heat or a mask is empty.
    """
    positive = np.maximum(np.asarray(heat, np.float64), 0.0).reshape(len(heat), -1)
    flat_masks = np.asarray(masks).reshape(len(masks), -1)
    total, inside = positive.sum(axis=1), (positive * flat_masks).sum(axis=1)
    known = (total > 0) & flat_masks.any(axis=1)
    return np.where(known, inside / np.where(total > 0, total, 1.0), np.nan)


def pointing_game(heat: NDArray[Any], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return whether each map's hottest point lies inside the lesion.

    Source: Zhang et al., ECCV 2016, "Top-down neural attention by excitation backprop"; here without its tolerance of
    15 pixels, which is as large as a small nodule.

    Parameters
    ----------
    heat, masks
        As for :func:`heat_share`.

    Returns
    -------
    ndarray of float64, shape [N]
        1 or 0; where several pixels share the largest value, 1 when most of them lie inside. NaN as above.
    """
    values = np.asarray(heat, np.float64).reshape(len(heat), -1)
    flat_masks = np.asarray(masks).reshape(len(masks), -1)
    largest = values.max(axis=1, keepdims=True) if len(values) else np.zeros((0, 1))
    hottest = values == largest
    inside = (hottest & flat_masks).sum(axis=1) / np.maximum(hottest.sum(axis=1), 1)
    known = (largest[:, 0] > 0) & flat_masks.any(axis=1)
    return np.where(known, (inside > 0.5).astype(np.float64), np.nan)


def localise(view_ids: Sequence[str], heat: NDArray[Any], masks: NDArray[np.bool_]) -> pd.DataFrame:
    """Return one row a view: its map, the Gaussian and the flat map against the lesion.

    Parameters
    ----------
    view_ids : sequence of str
        N ids.
    heat : ndarray, shape [N, h, h] or [N, T, h, h]
        Heat on the centre crop of a still, or of the frames of a clip.
    masks : ndarray of bool, of the same shape
        The lesion on the same crop, frame by frame.

    Returns
    -------
    DataFrame
        ``view_id``, ``heat_in_lesion``, ``gaussian_in_lesion``, ``lesion_area`` (shares, 0 to 1), ``pointing``,
        ``gaussian_pointing`` (1, 0); NaN where there is no lesion mask or no heat.
    """
    if heat.shape != masks.shape or len(view_ids) != len(heat):
        raise InputError(
            f"{len(view_ids)} views, heat {list(heat.shape)} and masks {list(masks.shape)} do not fit together",
            expected="one map and one mask of the same size a view",
        )
    gaussian = np.broadcast_to(centred_gaussian(heat.shape[-1]), heat.shape)
    area = masks.reshape(len(masks), -1).mean(axis=1)
    return pd.DataFrame(
        {
            "view_id": list(view_ids),
            "heat_in_lesion": heat_share(heat, masks),
            "gaussian_in_lesion": heat_share(gaussian, masks),
            "lesion_area": np.where(area > 0, area, np.nan),
            "pointing": pointing_game(heat, masks),
            "gaussian_pointing": pointing_game(gaussian, masks),
        }
    )


def summarise(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any]:
    """Return the means over views with intervals that count patients, not views.

    Parameters
    ----------
    rows : DataFrame
        From :func:`localise`.
    groups : sequence of str
        The ``group_id`` of each row.

    Returns
    -------
    dict
        Plain values: ``views``, ``groups``, ``left_out`` (no outline or no heat), ``gaussian_sigma``, and as intervals
        ``heat_in_lesion``, ``gaussian_in_lesion``, ``lesion_area``, ``difference`` (heat minus Gaussian; percentiles
        of 2,000 group bootstraps), ``pointing``, ``gaussian_pointing`` (Wilson, effective n), ``pointing_difference``
        (cluster-robust); and ``sentence``.

    Raises
    ------
    InputError
        When no view has both an outline and heat.
    """
    known = (rows["heat_in_lesion"].notna() & rows["pointing"].notna()).to_numpy()
    if not known.any():
        raise InputError(f"none of {len(rows)} views has a lesion outline and heat", expected="at least one")
    used = rows[known]
    codes = np.asarray(groups, dtype=str)[known]
    heat, gaussian = (used[name].to_numpy(np.float64) for name in ("heat_in_lesion", "gaussian_in_lesion"))
    hits, gaussian_hits = (used[name].to_numpy(np.float64) == 1.0 for name in ("pointing", "gaussian_pointing"))
    summary: dict[str, Any] = {
        "views": len(used),
        "groups": len(set(codes)),
        "left_out": int((~known).sum()),
        "gaussian_sigma": GAUSSIAN_SIGMA,
        "heat_in_lesion": resampled_mean(heat, codes).as_dict(),
        "gaussian_in_lesion": resampled_mean(gaussian, codes).as_dict(),
        "lesion_area": resampled_mean(used["lesion_area"].to_numpy(np.float64), codes).as_dict(),
        "difference": resampled_mean(heat - gaussian, codes).as_dict(),
        "pointing": clustered_proportion(hits, codes).as_dict(),
        "gaussian_pointing": clustered_proportion(gaussian_hits, codes).as_dict(),
        "pointing_difference": compare_paired_proportions(hits, gaussian_hits, codes).difference.as_dict(),
    }
    return {**summary, "sentence": _sentence(summary)}


def resampled_mean(values: NDArray[np.float64], groups: NDArray[Any]) -> Interval:
    """Return the mean of values [N] over views, with the percentiles of 2,000 bootstraps of groups [N]."""
    replicates = group_bootstrap(lambda weights: weights @ values / weights.sum(axis=1), len(values), groups)
    return percentile_interval(float(values.mean()), replicates)


FEWEST = 10
"""Groups from which on a verdict is given: percentiles of resamplings of fewer are too narrow."""


def signed(value: float, digits: int = 2) -> str:
    """Return a difference with its sign, a real minus where it is negative.

    Examples
    --------
    >>> signed(0.25), signed(-0.25) == "\u22120.25"
    ('+0.25', True)
    """
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def told_from(baseline: str, difference: Mapping[str, Any], groups: int) -> str:
    """Return whether heat is more or less than a baseline, by the limits of their difference over so many groups.

    Examples
    --------
    >>> told_from("a flat map", {"low": 0.1, "high": 0.2}, 10), told_from("a flat map", {"low": 0.1, "high": 0.2}, 9)
    ('more than a flat map', '9 patients are too few to tell it from a flat map')
    """
    if groups < FEWEST:
        return f"{'1 patient is' if groups == 1 else f'{groups} patients are'} too few to tell it from {baseline}"
    if difference["low"] > 0:
        return f"more than {baseline}"
    return f"{'less than' if difference['high'] < 0 else 'not told apart from'} {baseline}"


def _sentence(summary: dict[str, Any]) -> str:
    heat = summary["heat_in_lesion"]
    verdict = told_from("a Gaussian in the middle of the crop", summary["difference"], summary["groups"])
    return (
        f"Of the heat, {heat['estimate']:.2f} ({heat['low']:.2f} to {heat['high']:.2f}) lay inside the lesion: "
        f"{verdict} ({summary['gaussian_in_lesion']['estimate']:.2f}). The hottest point lay inside in "
        f"{summary['pointing']['estimate']:.2f} of {summary['views']} views (Gaussian "
        f"{summary['gaussian_pointing']['estimate']:.2f})."
    )
