"""The state of an unfinished fit at an epoch's end: written atomically, read without pickle, deleted when done."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.errors import FitError
from isthmus.files import atomic_path
from isthmus.training.curves import Row

NAME = "checkpoint.pt"

SAVING_SHARE = 0.02
"""Largest share of a fit's time that saving may take; epochs shorter than that allows share a checkpoint."""


class Checkpoint:
    """Saves and restores a fit.

    Parameters
    ----------
    folder : Path
        Of the fit.
    fingerprint : str
        Of its specification; a checkpoint of another one is refused.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path, self._fingerprint = folder / NAME, fingerprint
        self._cost, self._saved_at = 0.0, time.perf_counter()

    def due(self) -> bool:
        """Whether enough time has passed since the last save for another to stay within :data:`SAVING_SHARE`."""
        return (time.perf_counter() - self._saved_at) * SAVING_SHARE >= self._cost

    def save(
        self,
        *,
        rows: list[Row],
        network: dict[str, Tensor],
        optimiser: dict[str, Any],
        best: dict[str, Tensor] | None,
    ) -> None:
        """Write the state after ``len(rows)`` epochs."""
        start = time.perf_counter()
        content = {
            "fingerprint": self._fingerprint, "rows": rows, "network": network, "optimiser": optimiser, "best": best,
        }  # fmt: skip
        with atomic_path(self.path) as temporary:
            torch.save(content, temporary)
        self._saved_at = time.perf_counter()
        self._cost = self._saved_at - start

    def load(self) -> dict[str, Any] | None:
        """Return the last saved state on the CPU, or None where there is none.

        Raises
        ------
        FitError
            When it belongs to another specification or cannot be read.
        """
        if not self.path.is_file():
            return None
        hint = "remove the fit's folder; it will be trained anew"
        try:
            content: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise FitError("the checkpoint cannot be read", where=str(self.path), hint=hint) from error
        if content["fingerprint"] != self._fingerprint:
            raise FitError("the checkpoint belongs to another fit", where=str(self.path), hint=hint)
        return content

    def delete(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
