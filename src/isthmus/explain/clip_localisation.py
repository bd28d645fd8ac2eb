"""Does the network attend to the right frames? The frame with most heat against the frames that show what it seeks.

A clip sweeps through a nodule, and a calcification or the nodule itself is in plane in some frames only. Where it is in
plane in all frames, or in none, nothing can be asked. A frame chosen by chance shows it with the share of frames that
do, and that share stands beside every figure.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.localisation import FEWEST, resampled_mean, signed

SOUGHT = {"calcified": "a calcification", "lesion": "the nodule"}
"""What frames may show: the columns' ending, and the words."""

_TIED = 1e-6
"""Frames whose heat differs by less of the hottest's are one: maps without steps in time give all frames the same."""


def frame_attention(heat: NDArray[Any]) -> NDArray[np.float64]:
    """Return each frame's share of its clip's heat.

    Parameters
    ----------
    heat : ndarray, shape [N, T, h, w]
        Heat maps; negative heat (signed maps) is not counted.

    Returns
    -------
    ndarray of float64, shape [N, T]
        Rows sum to 1; NaN where a clip has no heat.
    """
    sums = np.maximum(np.asarray(heat, np.float64), 0.0).sum(axis=(2, 3))
    total = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan))


def attended_frames(attention: NDArray[np.float64], shows: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return how the heat of frames goes with what they show.

    Parameters
    ----------
    attention : ndarray of float64, shape [N, T]
        From :func:`frame_attention`.
    shows : ndarray of bool, shape [N, T]
        Whether what is sought is in plane.

    Returns
    -------
    dict of ndarray of float64, shape [N]
        ``top``: 1 where the frame of most heat shows it, else 0 (the mean of the frames that tie). ``chance``: the
        share of frames that show it. ``rank``: the mean percentile, 0 to 1, of the frames that show it among those that
        do not; 0.5 by chance, NaN where all show it. All NaN where a clip has no heat or no frame shows it.

    Examples
    --------
    >>> found = attended_frames(np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[False, True, False, True]]))
    >>> {name: values.tolist() for name, values in found.items()}
    {'top': [1.0], 'chance': [0.5], 'rank': [0.75]}
    """
    count = shows.sum(axis=1)
    known = (count > 0) & np.isfinite(attention).all(axis=1)
    values = np.nan_to_num(attention)
    top = values >= (1 - _TIED) * values.max(axis=1, keepdims=True)
    hit = (top & shows).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    ranks = [_placement(one, own) for one, own in zip(values, shows, strict=True)]
    nothing = np.full(len(shows), np.nan)
    return {
        "top": np.where(known, hit, nothing),
        "chance": np.where(known, count / shows.shape[1], nothing),
        "rank": np.where(known, ranks, nothing),
    }


def _placement(values: NDArray[np.float64], shows: NDArray[np.bool_]) -> float:
    if shows.all() or not shows.any():
        return float("nan")
    within, without = values[shows][:, None], values[~shows][None]
    tied = np.abs(within - without) <= _TIED * values.max()
    return float(np.where(tied, 0.5, within > without).mean())


def localise_frames(
    attention: NDArray[np.float64], frames: NDArray[np.int64], shows: dict[str, NDArray[np.bool_]]
) -> dict[str, NDArray[Any]]:
    """Return the columns that say which frames of each clip the network attends to.

    Parameters
    ----------
    attention : ndarray of float64, shape [N, T]
        From :func:`frame_attention`.
    frames : ndarray of int64, shape [N, T]
        Numbers of the frames in the source.
    shows : dict
        For each of :data:`SOUGHT` that is known, bool [N, T].

    Returns
    -------
    dict of ndarray, shape [N]
        ``frame`` (the one of most heat), ``frame_heat`` (its share), and ``top_frame_<sought>``, ``frames_<sought>``,
        ``<sought>_frame_rank`` as :func:`attended_frames` gives them.
    """
    filled = np.nan_to_num(attention)
    hottest = filled.argmax(axis=1)
    rows = np.arange(len(frames))
    columns: dict[str, NDArray[Any]] = {"frame": frames[rows, hottest], "frame_heat": attention[rows, hottest]}
    for name, own in shows.items():
        found = attended_frames(attention, own)
        columns |= {
            f"top_frame_{name}": found["top"],
            f"frames_{name}": found["chance"],
            f"{name}_frame_rank": found["rank"],
        }
    return columns


def summarise_frames(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how often the frame of most heat shows what is sought, with intervals that count patients.

    Parameters
    ----------
    rows : DataFrame
        With the columns of :func:`localise_frames`.
    groups : sequence of str
        The ``group_id`` of each row.

    Returns
    -------
    dict
        For each of :data:`SOUGHT` in the table: ``clips`` and ``groups`` that count (some frames show it and some do
        not), ``every_frame`` (clips in which all do), and, where any counts, as intervals over them ``top``,
        ``chance``, ``difference`` and ``rank``; and ``sentence``.
    """
    summaries = {}
    for name, words in SOUGHT.items():
        if f"top_frame_{name}" not in rows:
            continue
        rank = rows[f"{name}_frame_rank"].to_numpy(np.float64)
        known = np.isfinite(rank)
        codes = np.asarray(groups, dtype=str)[known]
        every = int((rows[f"frames_{name}"] == 1.0).sum())
        found: dict[str, Any] = {"clips": int(known.sum()), "groups": len(set(codes)), "every_frame": every}
        if known.any():
            top, chance = (
                rows[known][column].to_numpy(np.float64) for column in (f"top_frame_{name}", f"frames_{name}")
            )
            found |= {
                "top": resampled_mean(top, codes).as_dict(),
                "chance": resampled_mean(chance, codes).as_dict(),
                "difference": resampled_mean(top - chance, codes).as_dict(),
                "rank": resampled_mean(rank[known], codes).as_dict(),
            }
        summaries[name] = {**found, "sentence": _sentence(found, words)}
    return summaries


def _sentence(found: dict[str, Any], words: str) -> str:
    every = ""
    if found["every_frame"]:
        some = "1 clip shows" if found["every_frame"] == 1 else f"{found['every_frame']} clips show"
        every = f" {some} it in every frame and say nothing here."
    if not found["clips"]:
        return f"No clip shows {words} in some frames and not in others, so nothing is said of frames.{every}"
    difference, rank = found["difference"], found["rank"]
    verdict = "not told apart from"
    if found["groups"] < FEWEST:
        few = "1 patient is" if found["groups"] == 1 else f"{found['groups']} patients are"
        verdict = f"and {few} too few to tell it from"
    elif difference["low"] > 0:
        verdict = "more often than"
    elif difference["high"] < 0:
        verdict = "less often than"
    clips = "1 clip" if found["clips"] == 1 else f"{found['clips']} clips"
    return (
        f"The frame of most heat showed {words} in {found['top']['estimate']:.2f} of {clips}, {verdict} a frame chosen "
        f"by chance ({found['chance']['estimate']:.2f}; difference {signed(difference['estimate'])}, "
        f"{signed(difference['low'])} to {signed(difference['high'])}). Frames that show it lay at percentile "
        f"{100 * rank['estimate']:.0f} ({100 * rank['low']:.0f} to {100 * rank['high']:.0f}) of those that "
        f"do not, by heat; 50 is chance.{every}"
    )
