"""Batches of training views, drawn from the memory-mapped store.

There are no loader workers: a batch of prepared uint8 pixels is a copy out of a memory map and one resampling, a few
milliseconds beside a training step. Each batch follows from (seed, epoch, step) alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from isthmus.training import augment
from isthmus.training.seeds import seed_of

if TYPE_CHECKING:
    from isthmus.imaging.prepare import Preparation


class Store(Protocol):
    """What a fit needs of an :class:`isthmus.imaging.cache.PreparedStore`."""

    @property
    def pixels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Prepared pixels, uint8 [N, T, S, S, C]."""

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
        Gives ``train_size`` and ``crop_size``.
    augmentations : sequence of str
        Names of :data:`isthmus.training.settings.AUGMENTATIONS`.
    batch : int
        Views a step at most. An epoch is cut into equal steps, so that no last batch is tiny.
    seed : int
        Of the fit.
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
    ) -> None:
        self._pixels, self._rows = store.pixels, np.asarray(store.rows(list(view_ids)))
        self.labels = np.asarray(labels, np.int64)
        self._size, self._crop = self._pixels.shape[2], preparation.crop_size
        self._augmentations, self._seed = tuple(augmentations), seed
        self.steps = -(-len(self.labels) // batch)
        self._epoch, self._parts = -1, [np.zeros(0, np.int64)]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, epoch: int, step: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return which training views the batch of a step holds: places in the order they were given."""
        if epoch != self._epoch:
            self._epoch, self._parts = epoch, np.array_split(epoch_order(self.labels, self._seed, epoch), self.steps)
        return self._parts[step]

    def draw(self, epoch: int, step: int, device: "str | torch.device" = "cpu") -> tuple[Tensor, Tensor]:
        """Return the batch of a step.

        Parameters
        ----------
        epoch, step : int
            From 0.
        device : str or torch.device
            Where the batch is augmented.

        Returns
        -------
        pixels : Tensor of uint8, shape [N, T, crop, crop, C]
            Augmented pixels.
        labels : Tensor of int64, shape [N]
            Their classes.
        """
        part = self.rows(epoch, step)
        generator = torch.Generator().manual_seed(seed_of(self._seed, "augmentation", epoch, step))
        transforms = augment.draw(self._augmentations, len(part), self._size, self._crop, generator)
        pixels = torch.from_numpy(np.ascontiguousarray(self._pixels[self._rows[part]])).to(device)
        return augment.apply(pixels, transforms, self._crop), torch.from_numpy(self.labels[part]).to(device)
