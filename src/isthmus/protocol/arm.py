"""What a protocol says of an arm: what it looks at, how its pictures are prepared, its network and its training."""

import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from isthmus.imaging.preparation import Preparation
from isthmus.models.join_spec import JoinSpec
from isthmus.models.network_cards import cards
from isthmus.tables.vocabulary import COLOUR_MODALITIES, DESCRIPTORS
from isthmus.training.settings import TrainSettings

CLIP_MODALITIES: Final = ("cine", "ceus")
Modality = Literal["bmode", "cine", "ceus", "smi", "swe", "doppler"]
LAYOUTS: Final = {2: ("2d", "frames_as_channels"), 3: ("3d",)}
"""How networks of two and of three dimensions take their pictures."""

NETWORK_KEYS: Final = ("network", "options", "weights")


class Part(BaseModel):
    """A part of a protocol: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(Part):
    """Which pictures an arm looks at: those of one modality, or of several that are joined."""

    modality: Modality = Field("bmode", description="modality of the stills, or cine and ceus for clips")
    modalities: tuple[Modality, ...] = Field(
        (), description="in the place of `modality` several, of stills; a nodule need not have all of them"
    )
    join: Literal["branches", "pooled"] | None = Field(
        None,
        description="how several are joined; branches: one network with a branch for each modality, which looks at one "
        "picture of each at once; pooled: one network for the pictures of all, told the modality of each",
    )

    @model_validator(mode="before")
    @classmethod
    def _one_or_several(cls, content: Any) -> Any:
        """Let `modality` of several be the first, so that what needs any one of them has it."""
        if not isinstance(content, dict) or not content.get("modalities"):
            return content
        if "modality" in content:
            raise ValueError("give modality, or modalities")
        first = content["modalities"][0] if isinstance(content["modalities"], list | tuple) else None
        return {**content, "modality": first}

    @model_validator(mode="after")
    def _joined_stills(self) -> "View":
        if bool(self.modalities) != (self.join is not None):
            raise ValueError("modalities and join belong together: give both, or modality alone")
        if len(set(self.modalities)) < len(self.modalities):
            raise ValueError("a modality stands twice in modalities")
        clips = [name for name in self.modalities if name in CLIP_MODALITIES]
        if clips:
            raise ValueError(f"modalities joins stills, and {clips[0]} views are clips")
        return self

    @model_serializer(mode="wrap")
    def _one_way_to_say_it(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        kept: dict[str, Any] = handler(self)
        if self.modalities:
            return {name: value for name, value in kept.items() if name != "modality"}
        return {"modality": self.modality}

    @property
    def shown(self) -> tuple[str, ...]:
        """All modalities that the arm looks at."""
        return self.modalities or (self.modality,)

    @property
    def joined(self) -> JoinSpec | None:
        """How the modalities are joined; None of one."""
        return None if self.join is None else JoinSpec(modalities=self.modalities, how=self.join)


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


class Candidate(Part):
    """One of several networks that an arm chooses among."""

    network: str = Field(description="a name of `isthmus models`, or file.py:function")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the network")
    weights: str | None = Field(None, description="initial weights: a name of `isthmus weights list`, or a file")


class Arm(Part):
    """One model to train and compare."""

    title: str = Field("", description="name in tables and figures; default: the arm's key")
    network: str = Field(description="a name of `isthmus models`, or file.py:function; of candidates the first")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the network")
    weights: str | None = Field(None, description="initial weights: a name of `isthmus weights list`, or a file")
    candidates: dict[str, Candidate] = Field(
        default_factory=dict,
        description="networks by name, all trained in all folds; `select` says which is the arm's. Options and weights "
        "of the arm hold for each that does not say otherwise",
    )
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

    @model_validator(mode="before")
    @classmethod
    def _first_candidate(cls, content: Any) -> Any:
        """Give each candidate what the arm says of all of them, and the arm the first one's network."""
        if not isinstance(content, dict) or not isinstance(content.get("candidates"), dict):
            return content
        shared = {key: content[key] for key in ("options", "weights") if content.get(key)}
        candidates = {}
        for name, own in content["candidates"].items():
            if not isinstance(own, dict | None):
                return content  # its type is wrong, which is said below
            one = {"network": name, **shared, **(own or {})}
            candidates[name] = {**one, "options": {**shared.get("options", {}), **one.get("options", {})}}
        first = {} if "network" in content else next(iter(candidates.values()), {})
        return {**content, "candidates": candidates, **first}

    @model_validator(mode="after")
    def _network_is_a_candidate(self) -> "Arm":
        if not self.candidates:
            return self
        own = {key: getattr(self, key) for key in NETWORK_KEYS}
        if own not in [one.model_dump() for one in self.candidates.values()]:
            raise ValueError("network, options and weights are those of no candidate: give them, or candidates")
        for name in self.candidates:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
                raise ValueError(f"a candidate is called {name!r}; use letters, digits, - and _")
        return self

    @model_validator(mode="after")
    def _clips_have_frames(self) -> "Arm":
        modality, chosen = self.view.modality, self.prepare.frames is not None
        if modality in CLIP_MODALITIES and not chosen:
            raise ValueError(
                f"view.modality is '{modality}', and prepare.frames does not say which frames of a clip are seen"
            )
        if chosen and modality not in CLIP_MODALITIES:
            raise ValueError(f"prepare.frames chooses frames of clips, and {modality} views are stills")
        for network in [self.network, *(one.network for one in self.candidates.values())]:
            known = cards().get(network)
            if known is not None and self.prepare.layout not in LAYOUTS[known.spatial_dims]:
                names = " or ".join(f"'{name}'" for name in LAYOUTS[known.spatial_dims])
                raise ValueError(f"{network} is a {known.spatial_dims}D network; set prepare.layout to {names}")
        return self

    @model_validator(mode="after")
    def _something_to_hide(self) -> "Arm":
        if self.train.modality_dropout and self.view.join != "branches":
            raise ValueError(
                "train.modality_dropout hides one of several modalities that a network sees at once, and this arm "
                "joins none by branches; set it to 0"
            )
        return self

    def variants(self) -> dict[str, "Arm"]:
        """Return the arm with each of its candidates as its network, by the candidate's name; with none, itself."""
        if not self.candidates:
            return {Path(self.network.partition(":")[0]).stem: self}
        return {name: self.model_copy(update=dict(one)) for name, one in self.candidates.items()}

    @model_validator(mode="after")
    def _statistics_to_keep(self) -> "Arm":
        weights = [self.weights, *(one.weights for one in self.candidates.values())]
        if self.train.freeze_norm and None in weights:
            raise ValueError(
                "train.freeze_norm keeps the batch-norm statistics of initial weights, and there are none: "
                "name weights or set it to false"
            )
        return self

    @model_validator(mode="after")
    def _colour_is_no_mark(self) -> "Arm":
        coloured = [name for name in self.view.shown if name in COLOUR_MODALITIES]
        if coloured and self.prepare.marks == "erase":
            raise ValueError(
                f"prepare.marks is 'erase', which would fill in the colour that {coloured[0]} shows; set it to 'keep'"
            )
        return self
