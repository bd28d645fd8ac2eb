"""From a 2D network's scores of a clip's frames to the clip's own."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from isthmus.imaging.preparation import Preparation

FrameScores = Literal["mean", "maximum"]
"""``mean``: of the frames' logits; ``maximum``: those of the frame with the largest log-odds of the last class."""


def pictures_a_view(preparation: "Preparation") -> int:
    """Return how many pictures of a view a network scores, each by itself; 1 for stills and for 3D networks."""
    return preparation.frames.count if preparation.layout == "2d" and preparation.frames is not None else 1


def most_suspicious(logits: "Tensor", frames: int) -> "Tensor":
    """Return which of each view's frames has the largest log-odds of the last class; the first of equal ones.

    Parameters
    ----------
    logits : Tensor, shape [N * frames, K]
        Of the frames, view by view.
    frames : int
        Of each view.

    Returns
    -------
    Tensor of int64, shape [N]
    """
    odds = logits[:, -1] - logits[:, :-1].logsumexp(1)
    return odds.view(-1, frames).argmax(1)


def of_views(values: "Tensor", frames: int, chosen: "Tensor | None") -> "Tensor":
    """Return values of views [N, K] from those of their frames [N * frames, K]: the chosen frame's, or the mean."""
    apart = values.view(-1, frames, values.shape[1])
    return apart.mean(1) if chosen is None else apart.take_along_dim(chosen.view(-1, 1, 1), 1).squeeze(1)
