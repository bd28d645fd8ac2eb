"""What a network gives to a fused model's head: its embeddings of views, or its log odds of the positive class."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from isthmus.inference.embeddings import Float32, unit_means, view_embeddings
from isthmus.models.fused_columns import Join
from isthmus.statistics.inputs import FloatArray

if TYPE_CHECKING:
    import torch

    from isthmus.imaging.preparation import Preparation
    from isthmus.inference.engines import Engine
    from isthmus.inference.frame_scores import FrameScores
    from isthmus.models.classifier import Classifier

_BLOCK: Final = 256
"""Views that are held in memory at once."""


class MemberViews(NamedTuple):
    """The views that a member has of some cases.

    Parameters
    ----------
    pixels : uint8 array [M, T, S, S, C]
        Prepared; may be a memory map.
    masks : uint8 or bool array [M, T, S, S]
        Prepared lesion masks.
    rows : int array [V]
        Which of the M are the views.
    cases : int array [V]
        Whose each is: places from 0.
    """

    pixels: "np.ndarray[Any, Any]"
    masks: "np.ndarray[Any, Any]"
    rows: "np.ndarray[Any, np.dtype[np.int64]]"
    cases: "np.ndarray[Any, np.dtype[np.int64]]"


def member_values(
    classifier: "Classifier",
    views: MemberViews,
    preparation: "Preparation",
    join: Join,
    device: "str | torch.device",
    *,
    flips: bool = False,
    frame_scores: "FrameScores" = "mean",
) -> Float32:
    """Return what a network says of views, float32 [V, D]; D is 1 for log odds."""
    found: list[Float32] = []
    for start in range(0, len(views.rows), _BLOCK):
        chunk = views.rows[start : start + _BLOCK]
        embeddings, logits = view_embeddings(
            classifier,
            views.pixels[chunk],
            preparation,
            device,
            views.masks[chunk],
            flips=flips,
            frame_scores=frame_scores,
        )
        found.append(embeddings if join == "embeddings" else logits[:, -1:] - logits[:, :1])
    return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def member_values_of_parts(engine: "Engine", views: MemberViews, join: Join) -> list[Float32]:
    """Return what each part of a member says of views, float32 [V, D]; D is 1 for log odds."""
    found: list[list[Float32]] = []
    for start in range(0, len(views.rows), _BLOCK):
        chunk = views.rows[start : start + _BLOCK]
        scored = engine.view_scores(views.pixels[chunk], views.masks[chunk])
        found.append(
            [one.embeddings if join == "embeddings" else one.logits[:, -1:] - one.logits[:, :1] for one in scored]
        )
    return [np.concatenate(own) for own in zip(*found, strict=True)]


def means_of_cases(values: Float32, cases: "np.ndarray[Any, Any]", count: int) -> FloatArray:
    """Return the mean over each case's views, float64 [count, D]; NaN for a case without one.

    Examples
    --------
    >>> means_of_cases(np.array([[1.0], [3.0], [5.0]]), np.array([2, 2, 0]), 3).ravel().tolist()
    [5.0, nan, 2.0]
    """
    means = np.full((count, values.shape[1]), np.nan)
    names, own = unit_means(values, cases.astype(str))
    means[np.array(names, dtype=np.int64)] = own
    return means
