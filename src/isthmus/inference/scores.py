"""Scores of views, and from views to nodules and patients."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from isthmus.errors import InputError
from isthmus.inference.batch import mirrored
from isthmus.inference.frame_scores import FrameScores, most_suspicious, of_views, pictures_a_view

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

_Seen = TypeVar("_Seen")

_RUN_COLUMNS = ("target", "cohort", "arm", "candidate", "split", "seed", "fold")
"""Rows of different runs are never averaged with each other."""

_OWN_COLUMNS = {"nodule": ("view_id",), "patient": ("view_id", "nodule_id")}
"""Ids that lose their meaning above the unit, even where they happen to be constant."""


def view_logits(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any]",
    preparation: "Preparation",
    batch_size: int = 32,
    device: "str | torch.device" = "cpu",
    *,
    masks: "np.ndarray[Any, Any] | None" = None,
    flips: bool = False,
    frame_scores: FrameScores = "mean",
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the logits of prepared views: :func:`view_scores` without the descriptors."""
    return view_scores(
        classifier, pixels, preparation, batch_size, device, masks=masks, flips=flips, frame_scores=frame_scores
    ).logits


@dataclass(frozen=True, eq=False)
class ViewScores:
    """What a network gives for views.

    Parameters
    ----------
    logits : ndarray of float32, shape [N, K]
        Before any prior shift.
    descriptors : dict
        Of a network with descriptor heads: descriptor to probabilities float32 [N, codes], in the order of its head.
    embeddings : ndarray of float32, shape [N, D]
        What the network's last linear layer sees; mirror images and frames are joined in it as they are in the logits.
    """

    logits: np.ndarray[Any, np.dtype[np.float32]]
    descriptors: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=dict)
    embeddings: np.ndarray[Any, np.dtype[np.float32]] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def view_scores(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any]",
    preparation: "Preparation",
    batch_size: int = 32,
    device: "str | torch.device" = "cpu",
    *,
    masks: "np.ndarray[Any, Any] | None" = None,
    flips: bool = False,
    frame_scores: FrameScores = "mean",
) -> ViewScores:
    """Score prepared views: evaluation mode, no gradients, full single precision.

    Parameters
    ----------
    classifier : Classifier
        Moved to ``device``; its training or evaluation mode is put back afterwards.
    pixels : ndarray of uint8, shape [N, T, S, S, C]
        Prepared pixels; a memory map is read one batch at a time.
    preparation : Preparation
        The one the network was trained with.
    batch_size : int
        Views a step, or pictures where a 2D network sees several frames of a view; the logits depend on it by
        rounding only (1e-6 of their size).
    device : str or torch.device
        Where to compute.
    masks : ndarray of uint8, shape [N, T, S, S], optional
        Lesion masks, for networks that look at them.
    flips : bool
        True: logits, the descriptors' too, are means over the picture and its mirror image, left for right.
    frame_scores : str
        ``mean`` or ``maximum`` over the frames that a 2D network sees of a clip; means nothing otherwise.
    """
    from isthmus.models.descriptor_heads import probabilities_of

    frames = pictures_a_view(preparation)

    def score(inputs: "dict[str, Tensor]") -> ViewScores:
        plain, embeddings, descriptors = _both(classifier, inputs, flips, frames, frame_scores)
        found = {name: probabilities_of(name, one).cpu().numpy() for name, one in descriptors.items()}
        return ViewScores(plain.cpu().numpy(), found, embeddings.cpu().numpy())

    parts = over_blocks(classifier, pixels, preparation, score, batch_size, device, masks)
    if not parts:
        return ViewScores(np.zeros((0, 0), np.float32))
    joined = {name: np.concatenate([part.descriptors[name] for part in parts]) for name in parts[0].descriptors}
    embeddings = np.concatenate([part.embeddings for part in parts])
    return ViewScores(np.concatenate([part.logits for part in parts]), joined, embeddings)


def over_blocks(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any]",
    preparation: "Preparation",
    see: "Callable[[dict[str, Tensor]], _Seen]",
    batch_size: int,
    device: "str | torch.device",
    masks: "np.ndarray[Any, Any] | None",
) -> list[_Seen]:
    """Show prepared views to a network block by block: evaluation mode, no gradients, full single precision.

    Parameters
    ----------
    see : callable
        From the network's inputs of a block of views to what is kept of it.
    classifier, pixels, preparation, batch_size, device, masks
        As in :func:`view_scores`.

    Returns
    -------
    list
        Of each block, in order.
    """
    import torch

    from isthmus.inference.batch import inputs_of

    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}", expected="1 or more")
    step = max(1, batch_size // pictures_a_view(preparation))
    was_training = classifier.training
    classifier.to(device).eval()
    found: list[_Seen] = []
    try:
        with torch.inference_mode(), full_precision(torch.device(device).type):
            for start in range(0, len(pixels), step):
                block, marked = (
                    None if array is None else torch.from_numpy(np.array(array[start : start + step])).to(device)
                    for array in (pixels, masks)
                )
                assert block is not None
                found.append(see(inputs_of(classifier, block, marked, preparation)))
    finally:
        classifier.train(was_training)
    return found


def _both(
    classifier: "Classifier", inputs: "dict[str, Tensor]", flips: bool, frames: int, frame_scores: FrameScores
) -> "tuple[Tensor, Tensor, dict[str, Tensor]]":
    """Return a view's float32 logits, embedding and descriptors' logits, over both mirror images where asked for."""
    from isthmus.models.descriptor_heads import descriptor_logits

    outputs = classifier(inputs)
    logits, embedding, descriptors = outputs.logits.float(), outputs.embedding.float(), descriptor_logits(outputs)
    if flips:
        other = classifier(mirrored(inputs))
        theirs = descriptor_logits(other)
        descriptors = {name: (one.float() + theirs[name].float()) / 2 for name, one in descriptors.items()}
        logits, embedding = (logits + other.logits.float()) / 2, (embedding + other.embedding.float()) / 2
    if frames == 1:
        return logits, embedding, descriptors
    chosen = most_suspicious(logits, frames) if frame_scores == "maximum" else None
    joined = {name: of_views(one.float(), frames, chosen) for name, one in descriptors.items()}
    return of_views(logits, frames, chosen), of_views(embedding, frames, chosen), joined


@contextlib.contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Switch autocast and the shortened products of TF32 and bf16 off while the block runs."""
    import torch

    before = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = convolutions


def probabilities(logits: "np.ndarray[Any, Any]", log_prior_shift: ArrayLike) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return softmax(logits - log_prior_shift): what class weighting added is taken off again.

    Parameters
    ----------
    logits : ndarray, shape [N, K]
        Logits of a network.
    log_prior_shift : array_like of K floats
        log of each class's weight in training; zeros where no class was weighted.

    Returns
    -------
    ndarray of float64, shape [N, K]
        Rows sum to 1.

    Examples
    --------
    >>> probabilities(np.array([[0.0, np.log(3.0)]]), [0.0, np.log(3.0)]).tolist()
    [[0.5, 0.5]]
    """
    shifted = np.asarray(logits, np.float64) - np.asarray(log_prior_shift, np.float64)
    weights = np.exp(shifted - shifted.max(axis=1, keepdims=True)) if len(shifted) else shifted
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def aggregate(
    frame: pd.DataFrame, classes: Sequence[str], rule: Mapping[str, str], unit: str = "nodule"
) -> pd.DataFrame:
    """Join views into nodules and, where ``unit`` is ``patient``, nodules into patients.

    Parameters
    ----------
    frame : DataFrame
        One row a view: ``nodule_id`` (and ``patient_id`` for patients), ``p_<class>``, and any other column.
        Rows of different target, cohort, arm, candidate, split, seed or fold stay apart.
    classes : sequence of str
        The classes in order; the last one is the positive class.
    rule : mapping
        ``{'nodule': 'mean', 'patient': 'maximum'}``: ``mean`` averages the probabilities, ``maximum`` takes those of
        the member with the highest probability of the positive class.
    unit : str
        ``nodule`` or ``patient``.

    Returns
    -------
    DataFrame
        One row a unit, with ``unit``, ``unit_id``, the probabilities, and those columns that are constant within
        every unit. A patient's ``label`` under ``maximum`` is the highest of the nodules' labels.

    Raises
    ------
    InputError
        When a column is missing, an id is empty, or a unit has two labels under ``mean``.
    """
    if unit not in _OWN_COLUMNS:
        raise InputError(f"unknown unit '{unit}'", expected="nodule or patient")
    nodules = _join(frame, classes, rule.get("nodule", "mean"), "nodule")
    if unit == "nodule":
        return nodules
    return _join(nodules, classes, rule.get("patient", "mean"), "patient")


def _join(frame: pd.DataFrame, classes: Sequence[str], how: str, unit: str) -> pd.DataFrame:
    scores = [f"p_{name}" for name in classes]
    key = f"{unit}_id"
    _check_columns(frame, [key, *scores], how)
    runs = [name for name in _RUN_COLUMNS if name in frame.columns]
    ordered = frame
    if "label" in frame.columns and how == "maximum":
        ordered = frame.assign(label=_highest_label(frame, classes, [*runs, key]))
    groups = ordered.groupby([*runs, key], sort=True, dropna=False)
    if "label" in frame.columns:
        _check_one_label(groups, key)
    if how == "mean":
        joined = groups[scores].mean()
    else:
        joined = ordered.loc[groups[scores[-1]].idxmax(), [*runs, key, *scores]].set_index([*runs, key])
    dropped = {*scores, *runs, key, "unit", "unit_id", *_OWN_COLUMNS[unit]}
    others = [name for name in frame.columns if name not in dropped]
    if others:
        constant = (groups[others].nunique(dropna=False) == 1).all()
        kept = [name for name in others if constant[name]]
        joined = joined.join(groups[kept].first() if kept else joined[[]])
    joined = joined.reset_index()
    joined.insert(len(runs), "unit", unit)
    joined.insert(len(runs) + 1, "unit_id", joined[key])
    return joined


def _check_columns(frame: pd.DataFrame, needed: Sequence[str], how: str) -> None:
    if how not in ("mean", "maximum"):
        raise InputError(f"unknown aggregation '{how}'", expected="mean or maximum")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(f"no column '{missing[0]}' to aggregate by", expected=", ".join(needed))
    if frame.index.has_duplicates:
        raise InputError("rows to aggregate share index values", hint="reset_index(drop=True) first")
    empty = frame[needed].isna().any(axis=1)
    if empty.any():
        column = next(name for name in needed if frame[name].isna().any())
        raise InputError(f"{int(empty.sum())} rows have an empty value", where=f"column '{column}'")


def _highest_label(frame: pd.DataFrame, classes: Sequence[str], by: Sequence[str]) -> pd.Series:
    order = {name: place for place, name in enumerate(classes)}
    places = frame["label"].map(order)
    if places.isna().any():
        unknown = str(frame.loc[places.isna(), "label"].iloc[0])
        raise InputError(f"label '{unknown}' is outside the classes", expected=", ".join(classes))
    highest = places.groupby([frame[name] for name in by], dropna=False).transform("max")
    return highest.map(dict(enumerate(classes)))


def _check_one_label(groups: Any, key: str) -> None:
    labels = groups["label"].nunique(dropna=False)
    several = labels[labels > 1]
    if len(several):
        name = several.index[0]
        unit_id = name[-1] if isinstance(name, tuple) else name
        raise InputError(f"{key} '{unit_id}' has {int(several.iloc[0])} different labels", expected="one")
