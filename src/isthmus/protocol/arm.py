"""What a protocol says of an arm: what it looks at, how its pictures are prepared, its network and its training."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.imaging.prepare import Preparation
from isthmus.models.network_cards import cards
from isthmus.tables.vocabulary import COLOUR_MODALITIES, DESCRIPTORS
from isthmus.training.settings import TrainSettings


class Part(BaseModel):
    """A part of a protocol: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(Part):
    """Which pictures an arm looks at."""

    modality: Literal["bmode", "cine", "smi", "swe", "doppler"] = Field(
        "bmode", description="modality of the stills, or cine for clips"
    )


class Descriptors(Part):
    """Sonographic descriptors that an arm's networks learn beside the target, from what readers wrote.

    They are learnt from the training views alone; a picture is scored without them. A view that lacks one weighs
    nothing in it, and a descriptor that the cohort lacks has no head, which the plan and the report say.
    """

    predict: list[str] = Field(default=list(DESCRIPTORS), min_length=1, description="columns of nodules.csv")
    weight: float = Field(0.5, gt=0, le=10, description="of their loss beside the target's")
    feed: bool = Field(True, description="their probabilities enter the last linear layer, beside the embedding")
    where_absent: Literal["refuse", "without"] = Field(
        "refuse", description="a cohort with none of them stops the run, or the arm runs without heads and it is said"
    )

    @model_validator(mode="after")
    def _known(self) -> "Descriptors":
        for name in self.predict:
            if name not in DESCRIPTORS:
                raise ValueError(f"unknown descriptor {name!r}; expected some of {', '.join(DESCRIPTORS)}")
        if len(set(self.predict)) < len(self.predict):
            raise ValueError("a descriptor stands twice in predict")
        return self


class Predict(Part):
    """How an arm's networks score a picture, when they are tried and ever after."""

    flips: bool = Field(False, description="mean of the logits of the picture and of its mirror image, left for right")
    frames: Literal["mean", "maximum"] = Field(
        "mean", description="of a 2D network on a clip: mean of its frames' logits, or the most suspicious frame's"
    )


class Arm(Part):
    """One model to train and compare."""

    title: str = Field("", description="name in tables and figures; default: the arm's key")
    network: str = Field(description="a name of `isthmus models`, or file.py:function")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the network")
    weights: str | None = Field(None, description="initial weights: a name of `isthmus weights list`, or a file")
    view: View = View()
    prepare: Preparation
    train: TrainSettings
    descriptors: Descriptors | None = None
    predict: Predict = Predict()
    networks_of: str | None = Field(
        None, description="an arm whose trained networks this one takes over, to score with another `predict`"
    )

    @property
    def oracle(self) -> bool:
        """Whether its frame is chosen by what only a simulation knows."""
        return self.prepare.frames is not None and self.prepare.frames.pick == "calcification_richest"

    @model_validator(mode="after")
    def _clips_have_frames(self) -> "Arm":
        clips, chosen = self.view.modality == "cine", self.prepare.frames is not None
        if clips and not chosen:
            raise ValueError("view.modality is 'cine', and prepare.frames does not say which frames of a clip are seen")
        if chosen and not clips:
            raise ValueError(f"prepare.frames chooses frames of clips, and {self.view.modality} views are stills")
        known = cards().get(self.network)
        wanted = None if known is None else f"{known.spatial_dims}d"
        if wanted is not None and wanted != self.prepare.layout:
            raise ValueError(f"{self.network} is a {wanted.upper()} network; set prepare.layout to '{wanted}'")
        return self

    @model_validator(mode="after")
    def _statistics_to_keep(self) -> "Arm":
        if self.train.freeze_norm and self.weights is None:
            raise ValueError(
                "train.freeze_norm keeps the batch-norm statistics of initial weights, and there are none: "
                "name weights or set it to false"
            )
        return self

    @model_validator(mode="after")
    def _colour_is_no_mark(self) -> "Arm":
        if self.view.modality in COLOUR_MODALITIES and self.prepare.marks == "erase":
            raise ValueError(
                f"prepare.marks is 'erase', which would fill in the colour that {self.view.modality} shows; "
                "set it to 'keep'"
            )
        return self
