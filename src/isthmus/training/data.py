"""Batches of training views, drawn from the memory-mapped store.

There are no loader workers: a batch of prepared uint8 pixels is a copy out of a memory map and one resampling, a few
milliseconds beside a training step. Each batch follows from (seed, epoch, step) alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from isthmus.training import augment
from isthmus.training.imbalance import balanced_order
from isthmus.training.seeds import seed_of

if TYPE_CHECKING:
    from isthmus.imaging.preparation import Preparation


class Store(Protocol):
    """What a fit needs of an :class:`isthmus.imaging.cache.PreparedStore`."""

    @property
    def pixels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Prepared pixels, uint8 [N, T, S, S, C]."""

    @property
    def lesion_masks(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Lesion masks, uint8 [N, T, S, S]."""

    @property
    def view_ids(self) -> list[str]:
        """Ids of the rows."""

    @property
    def failures(self) -> dict[str, str]:
        """View id to why it could not be prepared."""

    def rows(self, view_ids: Sequence[str]) -> np.ndarray[Any, Any]:
        """Rows of these views."""


def epoch_order(labels: np.ndarray[Any, Any], seed: int, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the order of an epoch: every view once, shuffled, each class spread evenly.

    An even spread keeps the shares of the classes alike in all batches, which steadies batch statistics and the
    weighted loss where the smaller class has only a few views a batch.

    Parameters
    ----------
    labels : ndarray of int, shape [N]
        Class of each view.
    seed, epoch : int
        Decide the order.

    Returns
    -------
    ndarray of int64, shape [N]
        A permutation.
    """
    generator = np.random.default_rng(seed_of(seed, "order", epoch))
    place = np.empty(len(labels))
    for name in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == name))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(place, kind="stable")


def draw_frames(
    stored: int, count: int, views: int, generator: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw which of the stored frames a network sees: of each view one out of each of ``count`` equal strata of time.

    Parameters
    ----------
    stored, count : int
        As in :class:`~isthmus.imaging.frames.FrameSampling`.
    views : int
        How many views N.
    generator : numpy.random.Generator
        Decides.

    Returns
    -------
    ndarray of int64, shape [N, count]
        Rows ascend; those of :func:`~isthmus.imaging.frames.seen_frames` lie in the same strata.

    Examples
    --------
    >>> draw_frames(4, 4, 1, np.random.default_rng(0)).tolist()
    [[0, 1, 2, 3]]
    """
    stratum = (2 * np.arange(stored) + 1) * count // (2 * stored)
    sizes = np.bincount(stratum, minlength=count)
    return np.cumsum(sizes) - sizes + generator.integers(0, sizes, size=(views, count))


def hide_modalities(
    pixels: np.ndarray[Any, np.dtype[np.uint8]], chance: float, generator: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Paint modalities black, which is how an absent one looks: each that is there with this chance, never all.

    Where chance would hide all that a view has, one of them stays, each as likely (Neverova et al. 2016, "ModDrop").

    Parameters
    ----------
    pixels : ndarray of uint8, shape [N, M, S, S, C]
        Of M modalities.
    chance : float
        0 to 1.
    generator : numpy.random.Generator
        Decides.

    Returns
    -------
    ndarray of uint8, shape [N, M, S, S, C]
        Anew.
    """
    there = pixels.any(axis=(2, 3, 4))
    draws = np.where(there, generator.random(there.shape), -1.0)
    kept = draws >= chance
    # The draw is as likely to be the largest in one modality as in another.
    kept |= ~kept.any(axis=1, keepdims=True) & (draws == draws.max(axis=1, keepdims=True))
    return pixels * (there & kept)[:, :, None, None, None].astype(np.uint8)


class Batch(NamedTuple):
    """Augmented training views.

    Parameters
    ----------
    pixels : Tensor of uint8, shape [N, T, crop, crop, C]
        T is 1 for networks that see frames one by one.
    labels : Tensor of int64, shape [N]
        Their classes.
    masks : Tensor of bool, shape [N, T, crop, crop], optional
        Where the lesion lies.
    """

    pixels: Tensor
    labels: Tensor
    masks: Tensor | None = None


class TrainingBatches:
    """The training views of a fit, an epoch and a step at a time.

    Parameters
    ----------
    store : Store
        Prepared pixels.
    view_ids : sequence of str
        Training views.
    labels : sequence of int
        Class of each.
    preparation : Preparation
        Gives ``train_size``, ``crop_size``, ``frames`` and ``layout``. Of a clip a network that sees all frames at
        once gets one drawn out of each of ``count`` strata, any other one drawn out of all that are stored.
    augmentations : sequence of str
        Names of :data:`isthmus.training.settings.AUGMENTATIONS`.
    batch : int
        Views a step at most. An epoch is cut into equal steps, so that no last batch is tiny.
    seed : int
        Of the fit.
    masks : bool
        Whether the network looks at lesion masks.
    hidden : float
        Of views of several modalities: the chance that one that is there is hidden in a step (modality dropout).
    balanced : bool
        Whether an epoch draws every class equally often, instead of every view once.
    """

    def __init__(
        self,
        store: Store,
        view_ids: Sequence[str],
        labels: Sequence[int],
        preparation: "Preparation",
        augmentations: Sequence[str],
        *,
        batch: int,
        seed: int,
        masks: bool = False,
        hidden: float = 0.0,
        balanced: bool = False,
    ) -> None:
        self._pixels, self._rows = store.pixels, np.asarray(store.rows(list(view_ids)))
        self._masks = store.lesion_masks if masks else None
        self._frames = _drawn_frames(preparation)
        self.labels = np.asarray(labels, np.int64)
        self._size, self._crop = self._pixels.shape[2], preparation.crop_size
        self._augmentations, self._seed, self._hidden = tuple(augmentations), seed, hidden
        self._order = balanced_order if balanced else epoch_order
        self.steps = -(-len(self.labels) // batch)
        self._epoch, self._parts = -1, [np.zeros(0, np.int64)]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, epoch: int, step: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return which training views the batch of a step holds: places in the order they were given."""
        if epoch != self._epoch:
            self._epoch, self._parts = epoch, np.array_split(self._order(self.labels, self._seed, epoch), self.steps)
        return self._parts[step]

    def draw(self, epoch: int, step: int, device: "str | torch.device" = "cpu") -> Batch:
        """Return the batch of a step.

        Parameters
        ----------
        epoch, step : int
            From 0.
        device : str or torch.device
            Where the batch is augmented.

        Returns
        -------
        Batch
            On the device.
        """
        part = self.rows(epoch, step)
        generator = torch.Generator().manual_seed(seed_of(self._seed, "augmentation", epoch, step))
        transforms = augment.draw(self._augmentations, len(part), self._size, self._crop, generator)
        where: Any = self._rows[part]
        if self._frames is not None:
            # Numbers of their own: other frames leave the augmentation as it was.
            order = np.random.default_rng(seed_of(self._seed, "frames", epoch, step))
            where = (where[:, None], draw_frames(*self._frames, len(part), order))
        labels = torch.from_numpy(self.labels[part]).to(device)
        shown = self._pixels[where]
        if self._hidden:
            chance = np.random.default_rng(seed_of(self._seed, "hidden", epoch, step))
            shown = hide_modalities(shown, self._hidden, chance)
        pixels = torch.from_numpy(shown).to(device)
        masks = None if self._masks is None else torch.from_numpy(self._masks[where]).to(device)
        return Batch(
            augment.apply(pixels, transforms, self._crop),
            labels,
            None if masks is None else augment.apply_to_masks(masks, transforms, self._crop),
        )


def _drawn_frames(preparation: "Preparation") -> tuple[int, int] | None:
    """Return how many frames are stored and how many of them a step sees; None where there is nothing to draw."""
    sampling = preparation.frames
    if sampling is None or sampling.stored == 1:
        return None
    return sampling.stored, sampling.count if preparation.sees_all_frames else 1
