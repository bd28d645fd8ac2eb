"""Is a heat map on calcifications more than bright specks picked out? Baselines that know only the picture.

Calcifications are bright and small, so a map that marks bright small things lies on many of them, and so do comet tails
and the walls of cysts. The white top-hat (what is brighter than the picture opened with a disc: bright and smaller than
the disc) is therefore drawn as if it were a heat map. A network's maps are a coarse grid, and none of their heat
can lie on a speck alone; the specks are drawn on the same grid too, and so are the true calcifications: what a map of
that grid scores that knows them.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.localisation import centred_gaussian, heat_share, pointing_game, resampled_mean, signed, told_from

SPECK = 9
"""The disc's diameter is the side of the crop by this: 7 pixels of 64, 25 of 224; twice a coarse calcification."""

BASELINES = ("gaussian", "specks", "coarse_specks", "coarse_truth")
"""Columns ``<name>_in_calcifications``."""


def bright_specks(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much brighter each pixel is than the picture without its small bright things.

    Parameters
    ----------
    pictures : ndarray of uint8, shape [..., h, w, C]
        Centre crops; of colours the mean is taken.

    Returns
    -------
    ndarray of float32, shape [..., h, w]
        White top-hat with a disc, in grey levels; 0 where nothing small is brighter than its surroundings.
    """
    grey = pictures.mean(axis=-1).astype(np.float32)
    diameter = max(3, round(grey.shape[-1] / SPECK) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    flat = grey.reshape(-1, *grey.shape[-2:])
    specks = [cv2.morphologyEx(one, cv2.MORPH_TOPHAT, disc) for one in flat]
    return np.asarray(np.stack(specks).reshape(grey.shape), np.float32)


def on_grid(maps: NDArray[Any], grid: Sequence[int]) -> NDArray[np.float32]:
    """Return maps as coarse as a network's: averaged to its grid and enlarged again as Grad-CAM is.

    Parameters
    ----------
    maps : ndarray, shape [N, T, h, w]
        Any maps.
    grid : sequence of int
        ``[gh, gw]``: each frame by itself; ``[gt, gh, gw]``: the clip as a whole.

    Returns
    -------
    ndarray of float32, shape [N, T, h, w]
    """
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32))
    if len(grid) == 2:
        coarse = functional.adaptive_avg_pool2d(tensor, (grid[0], grid[1]))
        large = functional.interpolate(coarse, size=tensor.shape[2:], mode="bilinear", align_corners=False)
    else:
        coarse = functional.adaptive_avg_pool3d(tensor.unsqueeze(1), (grid[0], grid[1], grid[2]))
        large = functional.interpolate(coarse, size=tensor.shape[1:], mode="trilinear", align_corners=False).squeeze(1)
    return np.asarray(large.numpy(), np.float32)


def localise_baselines(
    pictures: NDArray[np.uint8], masks: NDArray[np.bool_], grid: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Return what maps that know nothing of the network score on each view's calcifications.

    Parameters
    ----------
    pictures : ndarray of uint8, shape [N, T, h, w, C]
        Centre crops of the frames seen.
    masks : ndarray of bool, shape [N, T, h, w]
        The pixels that calcifications touch.
    grid : sequence of int
        As for :func:`on_grid`: the maps that heat is taken from.

    Returns
    -------
    dict of ndarray of float64, shape [N]
        Shares of the map on calcifications, NaN where there are none: ``gaussian_in_calcifications`` (a Gaussian in the
        middle of every frame), ``specks_in_calcifications`` (bright specks), ``coarse_specks_in_calcifications`` (the
        same on the network's grid), ``coarse_truth_in_calcifications`` (the calcifications themselves on that grid);
        and ``specks_pointing`` (1 where the brightest speck is a calcification, else 0).
    """
    specks = bright_specks(pictures)
    gaussian = np.broadcast_to(centred_gaussian(masks.shape[-1]), masks.shape)
    maps = (gaussian, specks, on_grid(specks, grid), on_grid(masks, grid))
    shares = {f"{name}_in_calcifications": heat_share(one, masks) for name, one in zip(BASELINES, maps, strict=True)}
    return {**shares, "specks_pointing": pointing_game(specks, masks)}


def summarise_baselines(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any] | None:
    """Return the baselines' means beside the heat, with intervals that count patients.

    Parameters
    ----------
    rows : DataFrame
        With ``heat_in_calcifications`` and the columns of :func:`localise_baselines`.
    groups : sequence of str
        The ``group_id`` of each row.

    Returns
    -------
    dict or None
        ``groups``, and as intervals each baseline, ``specks_pointing``, ``above_coarse_specks`` (heat minus specks on
        the same grid) and ``above_gaussian``, over the views that have all; and ``sentence``. None without such a view.
    """
    columns = [f"{name}_in_calcifications" for name in BASELINES]
    known = rows[["heat_in_calcifications", *columns]].notna().all(axis=1).to_numpy()
    if not known.any():
        return None
    used, codes = rows[known], np.asarray(groups, dtype=str)[known]
    heat = used["heat_in_calcifications"].to_numpy(np.float64)
    values = {name: used[column].to_numpy(np.float64) for name, column in zip(BASELINES, columns, strict=True)}
    found: dict[str, Any] = {name: resampled_mean(own, codes).as_dict() for name, own in values.items()}
    found["groups"] = len(set(codes))
    found["specks_pointing"] = resampled_mean(used["specks_pointing"].to_numpy(np.float64), codes).as_dict()
    found["above_coarse_specks"] = resampled_mean(heat - values["coarse_specks"], codes).as_dict()
    found["above_gaussian"] = resampled_mean(heat - values["gaussian"], codes).as_dict()
    return {**found, "sentence": _sentence(float(heat.mean()), found)}


def _sentence(heat: float, found: dict[str, Any]) -> str:
    difference = found["above_coarse_specks"]
    verdict = told_from("bright specks drawn on the same grid", difference, found["groups"])
    return (
        f"Of the heat, {heat:.3f} lay on true calcifications: {verdict} ({found['coarse_specks']['estimate']:.3f}; "
        f"difference {signed(difference['estimate'], 3)}, {signed(difference['low'], 3)} to "
        f"{signed(difference['high'], 3)}). A centred Gaussian has {found['gaussian']['estimate']:.3f}, and a map of "
        f"that grid that marks the calcifications themselves {found['coarse_truth']['estimate']:.3f}."
    )
