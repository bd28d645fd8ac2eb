"""The Lightning module of a fit."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from isthmus.inference.batch import inputs_of, takes_masks
from isthmus.inference.frame_scores import FrameScores, most_suspicious, of_views, pictures_a_view
from isthmus.training import steps
from isthmus.training.seeds import seed_of

if TYPE_CHECKING:
    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier
    from isthmus.training.data import Store, TrainingBatches
    from isthmus.training.descriptor_targets import DescriptorTargets
    from isthmus.training.imbalance import Balance
    from isthmus.training.settings import TrainSettings


class FitModule(LightningModule):
    """A classifier with its batches, loss and optimiser.

    The trainer's loader only counts steps: each batch is drawn from (seed, epoch, step), so that a fit resumed at an
    epoch's end sees what it would have seen.

    Parameters
    ----------
    classifier : Classifier
        The network.
    batches : TrainingBatches
        Its training views.
    preparation : Preparation
        For normalisation.
    train : TrainSettings
        Optimiser, learning rate, epochs.
    balance : Balance
        What classes weigh in the loss, and what that adds to the logits; taken off for the accuracy.
    seed : int
        Of the fit.
    descriptors : DescriptorTargets, optional
        What the descriptor heads should say.
    """

    def __init__(
        self,
        classifier: "Classifier",
        batches: "TrainingBatches",
        preparation: "Preparation",
        train: "TrainSettings",
        *,
        balance: "Balance",
        seed: int,
        descriptors: "DescriptorTargets | None" = None,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.batches, self.preparation, self.train_settings, self.seed = batches, preparation, train, seed
        self.register_buffer("class_weights", torch.tensor(balance.weights), persistent=False)
        self.register_buffer("tune_weights", torch.tensor(balance.tune_weights), persistent=False)
        self.register_buffer("adjustment", torch.tensor(balance.adjustment), persistent=False)
        self.register_buffer("shift", torch.tensor(balance.shift), persistent=False)
        self._descriptors = descriptors
        self.epoch = 0
        self._loss = self._correct = torch.zeros(())

    def begin_epoch(self, epoch: int) -> None:
        """Set the epoch (from 0) and the mode, reseed dropout and empty the sums."""
        self.epoch = epoch
        self._to_training()
        torch.manual_seed(seed_of(self.seed, "dropout", epoch))
        self._loss = self._correct = torch.zeros((), device=self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the fused optimiser."""
        return steps.optimiser(self.classifier, self.train_settings)

    def training_step(self, step: int, index: int) -> Tensor:
        """Return the mean weighted loss of the step's batch, and the descriptors' beside it."""
        self._set_rate(step)
        pixels, labels, masks = self.batches.draw(self.epoch, step, self.device)
        outputs = steps.forward(self.classifier, pixels, self.preparation, masks)
        smoothing = self.train_settings.label_smoothing
        losses = self._losses(outputs.logits, labels, self._buffer("class_weights"), smoothing)
        with torch.no_grad():
            self._loss = self._loss + losses.sum()
            self._correct = self._correct + self._hits(outputs.logits, labels)
        if self._descriptors is None:
            return losses.mean()
        return losses.mean() + self._descriptors.loss(outputs, self.batches.rows(self.epoch, step))

    def training_figures(self) -> dict[str, float]:
        """Return mean loss and accuracy of the target over the epoch so far, of views as augmented, in training."""
        count = len(self.batches)
        return {"train_loss": float(self._loss) / count, "train_accuracy": float(self._correct) / count}

    def evaluate(
        self,
        store: "Store",
        rows: np.ndarray[Any, Any],
        labels: np.ndarray[Any, Any],
        *,
        bf16: bool,
        frame_scores: FrameScores = "mean",
    ) -> tuple[dict[str, float], np.ndarray[Any, np.dtype[np.float64]]]:
        """Return the tuning part's figures and its scores after prior shift.

        In the arithmetic of training, which is what makes an epoch cheap to judge; recorded predictions are fp32.

        Parameters
        ----------
        store : Store
            Prepared pixels and lesion masks.
        rows : ndarray of int, shape [N]
            The tuning part's.
        labels : ndarray of int, shape [N]
            Their classes.
        bf16 : bool
            Whether training runs in bfloat16.
        frame_scores : str
            How the frames that a 2D network sees of a clip make its score.

        Returns
        -------
        figures : dict
            ``tune_loss``, ``tune_accuracy``.
        scores : ndarray, shape [N, K]
            Logits less the prior shift.
        """
        frames = pictures_a_view(self.preparation)
        batch, logits = max(1, self.train_settings.batch // frames), []
        self.classifier.eval()
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            for start in range(0, len(rows), batch):
                inputs = self._inputs(store, rows[start : start + batch])
                found = self.classifier(inputs).logits.float()
                chosen = most_suspicious(found, frames) if frame_scores == "maximum" else None
                logits.append(found if frames == 1 else of_views(found, frames, chosen))
        self._to_training()
        joined, truth = torch.cat(logits), torch.from_numpy(labels).to(self.device)
        loss = self._losses(joined, truth, self._buffer("tune_weights")).mean()
        figures = {"tune_loss": float(loss), "tune_accuracy": float(self._hits(joined, truth)) / len(labels)}
        return figures, (joined - self._buffer("shift")).double().cpu().numpy()

    def _losses(self, logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
        settings = self.train_settings
        if settings.logit_adjustment:
            logits = logits.float() + self._buffer("adjustment")
        if settings.loss == "focal":
            return steps.focal_loss(logits, labels, weights, settings.focal_gamma)
        return steps.weighted_loss(logits, labels, weights, smoothing)

    def _inputs(self, store: "Store", rows: np.ndarray[Any, Any]) -> dict[str, Tensor]:
        pixels = torch.from_numpy(store.pixels[rows]).to(self.device)
        masks = torch.from_numpy(store.lesion_masks[rows]).to(self.device) if takes_masks(self.classifier) else None
        return inputs_of(self.classifier, pixels, masks, self.preparation)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step of this epoch."""
        settings = self.train_settings
        return steps.rate_at(settings, (self.epoch + step / self.batches.steps) / settings.epochs)

    def _set_rate(self, step: int) -> None:
        optimiser: Any = self.optimizers(use_pl_optimizer=False)
        for group in optimiser.param_groups:
            group["lr"] = self.rate(step) * group.get("share", 1.0)

    def _to_training(self) -> None:
        self.classifier.train()
        if self.train_settings.freeze_norm:
            steps.freeze_norm(self.classifier)

    def _hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ((logits.detach().float() - self._buffer("shift")).argmax(1) == labels).sum()

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)
