"""How a localiser is trained. Importing this imports no torch."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from isthmus.imaging.preparation import Preparation


class LocaliserSettings(BaseModel):
    """Everything that decides a localiser beside its cohorts.

    Parameters
    ----------
    network : str
        One of :data:`isthmus.models.segmenter.SEGMENTERS`.
    width : float, optional
        Of the network; the published one by default.
    weights : str, optional
        Where the encoder starts: ``imagenet``, an imported name or a file; random without.
    size : int
        Side of the square that the scan area is fitted into; a multiple of 32.
    folds : int
        Fold models; each is judged on the groups that it did not see.
    epochs, batch, rate, weight_decay
        Of AdamW with a cosine schedule.
    seed : int
        Decides folds, initial weights, order and augmentation.
    precision : {'auto', 'fp32', 'bf16'}
        Of the training steps; auto takes bf16 where a short trial is faster.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str = "mobilenet_v2_unet"
    width: float | None = Field(None, gt=0)
    weights: str | None = None
    size: int = Field(192, ge=64, le=1024)
    folds: int = Field(5, ge=2, le=20)
    epochs: int = Field(40, ge=1, le=10_000)
    batch: int = Field(16, ge=2, le=4096)
    rate: float = Field(1e-3, gt=0, le=1)
    weight_decay: float = Field(1e-4, ge=0, le=1)
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @field_validator("size")
    @classmethod
    def _halves_five_times(cls, size: int) -> int:
        if size % 32:
            raise ValueError(f"size {size}: expected a multiple of 32, for example {round(size / 32) * 32}")
        return size

    @property
    def prepare(self) -> Preparation:
        """How pictures reach the network: the scan area, marks erased, so that no caliper says where to look."""
        return Preparation(crop="scan_area", marks="erase", normalise="z", train_size=self.size)

    def named(self) -> dict[str, Any]:
        """Return the settings as they are written down: a weight file by its name, never by its folder."""
        weights = self.weights and Path(self.weights).name
        return {**self.model_dump(mode="json"), "weights": weights}
