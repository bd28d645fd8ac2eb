"""What a network's last linear layer sees: embeddings of views, and of nodules."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import InputError
from isthmus.inference.frame_scores import FrameScores
from isthmus.inference.scores import view_scores

if TYPE_CHECKING:
    import torch

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

Float32 = np.ndarray[Any, np.dtype[np.float32]]


def view_embeddings(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any]",
    preparation: "Preparation",
    device: "str | torch.device" = "cpu",
    masks: "np.ndarray[Any, Any] | None" = None,
    *,
    batch_size: int = 32,
    flips: bool = False,
    frame_scores: FrameScores = "mean",
) -> tuple[Float32, Float32]:
    """Return embeddings and logits of prepared views: evaluation mode, no gradients, full single precision.

    Parameters
    ----------
    classifier, pixels, preparation, device, masks, batch_size, flips, frame_scores
        As in :func:`isthmus.inference.scores.view_scores`; the logits are the same. Mirror images and frames are
        joined in the embedding as they are in the logits.

    Returns
    -------
    embeddings : ndarray of float32, shape [N, D]
    logits : ndarray of float32, shape [N, K]
        Before any prior shift.
    """
    found = view_scores(
        classifier, pixels, preparation, batch_size, device, masks=masks, flips=flips, frame_scores=frame_scores
    )
    return found.embeddings, found.logits


def unit_means(values: "np.ndarray[Any, Any]", units: ArrayLike) -> tuple[list[str], "np.ndarray[Any, Any]"]:
    """Return the mean over the views of each nodule.

    Parameters
    ----------
    values : ndarray, shape [N, D]
        Of views.
    units : array_like of N str
        The nodule of each view.

    Returns
    -------
    units : list of U str
        Sorted.
    means : ndarray of float64, shape [U, D]
        Summed in the order of the views.

    Examples
    --------
    >>> names, means = unit_means(np.array([[1.0], [5.0], [3.0]]), ["b", "a", "b"])
    >>> names, means.tolist()
    (['a', 'b'], [[5.0], [2.0]])
    """
    names, codes = np.unique(np.asarray(units, object).astype(str), return_inverse=True)
    if values.ndim != 2 or len(codes) != len(values):
        raise InputError(f"{len(codes)} units for values of shape {list(values.shape)}", expected="one a row of [N, D]")
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, codes, np.asarray(values, np.float64))
    return [str(name) for name in names], sums / np.bincount(codes, minlength=len(names))[:, None]
