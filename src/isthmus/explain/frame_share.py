"""Which frame counted? Of a network that gets the frames of a clip as channels, one frame is hidden at a time.

Such a network has one heat map for all frames, because its first convolution adds them up. What a frame brought is
therefore asked of the score: the frame is replaced by the mean of the other frames, as if it had held nothing of its
own, and the fall of the log odds is its effect. Frames whose tissue stands still take each other's place, and then no
frame counts much, though the clip does.

Source: occlusion (M. Zeiler, R. Fergus, ECCV 2014, "Visualizing and understanding convolutional networks", section 4.2)
with a frame as the occluded part, and a filling from the same clip, so that the network still sees tissue.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from isthmus.explain.localisation import FEWEST
from isthmus.explain.seen_views import looked_at
from isthmus.inference.scores import view_logits
from isthmus.statistics.means import clustered_mean

if TYPE_CHECKING:
    import torch

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

_NOTHING = 1e-6
"""Effects that are smaller in all are rounding: no frame counted."""


def frame_effects(
    classifiers: "Sequence[Classifier]",
    pixels: NDArray[np.uint8],
    preparation: "Preparation",
    target_class: int,
    *,
    masks: NDArray[np.uint8] | None = None,
    flips: bool = False,
    device: "str | torch.device" = "cpu",
) -> NDArray[np.float64]:
    """Return by how much the log odds of a class fall when a frame is hidden.

    Parameters
    ----------
    classifiers : sequence of Classifier
        One network or the parts of a bundle, whose log odds are averaged.
    pixels : ndarray of uint8, shape [N, stored, S, S, C]
        Prepared pixels.
    preparation : Preparation
        The one the networks were trained with; its layout gives them all frames at once.
    target_class : int
        Against all other classes.
    masks, flips, device
        As for :func:`isthmus.inference.scores.view_logits`.

    Returns
    -------
    ndarray of float64, shape [N, T]
        One for each frame seen, in their order; positive where the frame speaks for the class.
    """

    def log_odds(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
        parts = [view_logits(part, shown, preparation, device=device, masks=masks, flips=flips) for part in classifiers]
        return np.asarray(np.mean([_against_others(part, target_class) for part in parts], axis=0), np.float64)

    places, whole = looked_at(preparation), log_odds(pixels)
    return np.stack([whole - log_odds(without_frame(pixels, places, place)) for place in range(len(places))], axis=1)


def without_frame(pixels: NDArray[np.uint8], places: NDArray[np.int64], hidden: int) -> NDArray[np.uint8]:
    """Return clips [N, stored, S, S, C] whose frame ``places[hidden]`` is the mean of the other ``places``."""
    others = np.delete(places, hidden)
    filled = np.array(pixels)
    filled[:, places[hidden]] = np.round(pixels[:, others].mean(axis=1, dtype=np.float64)).astype(np.uint8)
    return filled


def _against_others(logits: NDArray[np.float32], target_class: int) -> NDArray[np.float64]:
    values = logits.astype(np.float64)
    others = logsumexp(np.delete(values, target_class, axis=1), axis=1)
    return np.asarray(values[:, target_class] - others, np.float64)


def frame_shares(effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each frame's share of the effects [N, T], taken without sign; NaN where no frame counted.

    Examples
    --------
    >>> frame_shares(np.array([[1.0, -3.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    sizes = np.abs(effects)
    total = sizes.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > _NOTHING, sizes / np.where(total > 0, total, 1.0), np.nan), np.float64)


def frame_columns(effects: NDArray[np.float64], frames: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the columns ``frame_effect_1`` … and ``counted_frame``: the number in the source of the largest."""
    counted = frames[np.arange(len(frames)), np.abs(effects).argmax(axis=1)]
    names = {f"frame_effect_{place + 1}": effects[:, place] for place in range(effects.shape[1])}
    return {**names, "counted_frame": counted}


def effects_of(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the effects [N, T] that :func:`frame_columns` wrote into a table."""
    count = sum(str(name).startswith("frame_effect_") for name in rows.columns)
    return rows[[f"frame_effect_{place + 1}" for place in range(count)]].to_numpy(np.float64)


def summarise_counted(rows: pd.DataFrame, groups: Sequence[str]) -> dict[str, Any] | None:
    """Return how much each frame counted, with intervals that count patients.

    Parameters
    ----------
    rows : DataFrame
        With the columns of :func:`frame_columns`.
    groups : sequence of str
        The ``group_id`` of each row.

    Returns
    -------
    dict or None
        ``clips``, ``groups``, ``even`` (1 / T), ``shares`` (T cluster-robust t intervals) and ``sentence``, whose
        verdict allows for T comparisons (Bonferroni). None where no frame counted in any clip.
    """
    shares = frame_shares(effects_of(rows))
    known = np.isfinite(shares).all(axis=1)
    if not known.any():
        return None
    codes, shares = np.asarray(groups, dtype=str)[known], shares[known]
    count = shares.shape[1]
    first = int(shares.mean(axis=0).argmax())
    strict = clustered_mean(shares[:, first], codes, level=1 - 0.05 / count)
    found = {
        "clips": int(known.sum()),
        "groups": len(set(codes)),
        "even": 1 / count,
        "shares": [clustered_mean(shares[:, place], codes).as_dict() for place in range(count)],
    }
    return {**found, "sentence": _sentence(found, first, strict.low > 1 / count)}


def _sentence(found: dict[str, Any], first: int, clear: bool) -> str:
    count, own = len(found["shares"]), found["shares"][first]
    limits = "" if own["low"] is None else f" ({own['low']:.2f} to {own['high']:.2f})"
    if found["groups"] < FEWEST:
        verdict = f"; {found['groups']} patients are too few for a verdict"
    elif clear:
        verdict = f": more than an even share of {found['even']:.2f}"
    else:
        verdict = f": not told apart from an even share of {found['even']:.2f}"
    return (
        f"Hidden one at a time, frame {first + 1} of the {count} in time moved the score most, with a mean share of "
        f"{own['estimate']:.2f}{limits} of all such changes in {found['clips']} clips{verdict}."
    )
