"""What happens between the epochs of a fit."""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from isthmus.errors import FitError
from isthmus.models.classifier import Classifier
from isthmus.statistics.roc import auc
from isthmus.training.checkpoint import Checkpoint
from isthmus.training.curves import Curves, Row, best_row
from isthmus.training.data import Store
from isthmus.training.module import FitModule
from isthmus.training.spec import FitSpec


@dataclasses.dataclass(frozen=True)
class FitProgress:
    """How far a fit is.

    Parameters
    ----------
    step, steps : int
        Training steps done, and in all if it does not stop early.
    epoch, epochs : int
        Epochs done, and at most.
    row : dict, optional
        The last row of ``log.csv``, where an epoch has just ended.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    row: Row | None = None


Progress = Callable[[FitProgress], None]


class Recorder(Callback):
    """Between epochs: judges the tuning part, keeps the best weights, writes curves and checkpoint, stops early."""

    def __init__(
        self,
        spec: FitSpec,
        store: Store,
        curves: Curves,
        checkpoint: Checkpoint,
        state: dict[str, Any] | None,
        progress: Progress | None,
    ) -> None:
        self._spec, self.curves, self._checkpoint = spec, curves, checkpoint
        self._state, self._progress = state, progress
        self._best: dict[str, Tensor] | None = state["best"] if state else None
        self._first = len(curves.rows)
        self._stopping = spec.train.early_stopping
        self._store, self._tune_rows = store, np.asarray(store.rows(spec.tune_views), np.int64)
        self._tune_labels = np.asarray(spec.labels_of(spec.tune_views), np.int64)
        self._start = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the network and the optimiser of a resumed fit."""
        if self._state is not None:
            pl_module.get_submodule("classifier").load_state_dict(self._state["network"])
            trainer.optimizers[0].load_state_dict(self._state["optimiser"])
            self._state = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch and start its clock."""
        assert isinstance(pl_module, FitModule)
        pl_module.begin_epoch(self._first + trainer.current_epoch)
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report a step."""
        self._report(batch_idx + 1, int(trainer.num_training_batches))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge, write, save, report, and stop where it is time."""
        assert isinstance(pl_module, FitModule)
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)
        trained = time.perf_counter() - self._start
        row = self._judge(pl_module)
        row["seconds"] = round(time.perf_counter() - self._start, 4)
        row["images_per_s"] = round(len(pl_module.batches) / trained, 3)
        self.curves.add(row)
        if self._stopping and self.kept_row() is row:
            self._best = copy_of(pl_module.classifier)
        trainer.should_stop = self.finished()
        if not self.finished() and self._checkpoint.due():
            self._checkpoint.save(
                rows=self.curves.rows,
                network=pl_module.classifier.state_dict(),
                optimiser=trainer.optimizers[0].state_dict(),
                best=self._best,
            )
        self._report(0, int(trainer.num_training_batches), row)

    def kept_row(self) -> Row:
        """Return the row of the epoch whose weights are kept."""
        return best_row(self.curves.rows, self._stopping.on) if self._stopping else self.curves.rows[-1]

    def kept(self, classifier: Classifier) -> dict[str, Tensor]:
        """Return the weights of that epoch."""
        return copy_of(classifier) if self._best is None else self._best

    def finished(self) -> bool:
        """Whether the epochs are used up or early stopping has lost patience."""
        done = len(self.curves.rows)
        if done == 0 or done >= self._spec.train.epochs:
            return done > 0
        return self._stopping is not None and done - self.kept_row()["epoch"] >= self._stopping.patience

    def _judge(self, module: FitModule) -> Row:
        row = dict.fromkeys(("tune_loss", "tune_accuracy", "tune_auc"), math.nan)
        row |= {"epoch": module.epoch + 1, "learning_rate": module.rate(0), **module.training_figures()}
        self._check_loss(row, "train_loss")
        if len(self._tune_rows):
            figures, scores = module.evaluate(
                self._store, self._tune_rows, self._tune_labels, bf16=self._spec.precision == "bf16",
                frame_scores=self._spec.frame_scores,
            )  # fmt: skip
            row |= figures
            self._check_loss(row, "tune_loss")
            row["tune_auc"] = _tune_auc(self._tune_labels, scores)
        return row

    def _check_loss(self, row: Row, name: str) -> None:
        if not math.isfinite(row[name]):
            raise FitError(
                f"{name} became {row[name]} in epoch {row['epoch']:.0f}",
                where=self._spec.name,
                expected="a finite number",
                hint="lower train.rate, or set train.precision to fp32",
            )

    def _report(self, step: int, steps_an_epoch: int, row: Row | None = None) -> None:
        if self._progress is not None:
            done, epochs = len(self.curves.rows), self._spec.train.epochs
            self._progress(FitProgress(done * steps_an_epoch + step, epochs * steps_an_epoch, done, epochs, row))


def _tune_auc(labels: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Return the AUC of the positive class, or the mean of the one-against-rest AUCs of several; NaN without both."""
    count = scores.shape[1]
    aucs = []
    for name in range(count) if count > 2 else [1]:
        truth = labels == name
        if not 0 < truth.sum() < len(truth):
            return math.nan
        others = np.delete(scores, name, axis=1)
        aucs.append(auc(truth, scores[:, name] - np.logaddexp.reduce(others, axis=1)))
    return float(np.mean(aucs))


def copy_of(classifier: Classifier) -> dict[str, Tensor]:
    """Return the weights and running statistics on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in classifier.state_dict().items()}
