"""What a fit is a pure function of: the content of ``fit.yaml``. Importing this imports no torch."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from isthmus.files import read_yaml, sha256_of_json, without_defaults, write_yaml
from isthmus.imaging.preparation import Preparation
from isthmus.models.descriptors import DescriptorSpec, fewest_codes
from isthmus.models.join_spec import JoinSpec
from isthmus.training.settings import TrainSettings

_FORMAT = "isthmus-fit/1.0"


class DescriptorTask(DescriptorSpec):
    """The descriptors that a fit also learns, with the labels of its training views and of no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(0.5, gt=0, le=10, description="of the descriptors' loss beside the target's")
    labels: dict[str, dict[str, list[int]]] = Field(
        description="descriptor to view to the places of its codes in the head; views without it are left out"
    )

    @model_validator(mode="after")
    def _places_exist(self) -> Self:
        for name, views in self.labels.items():
            codes = self.heads.get(name, [])
            for view, places in views.items():
                if any(not 0 <= place < len(codes) for place in places):
                    raise ValueError(f"view {view} has places {places} of the {len(codes)} codes of {name}")
                if len(places) != 1 and fewest_codes(name) > 1:
                    raise ValueError(f"view {view} has {len(places)} codes of {name}, which has one")
        return self


class FitSpec(BaseModel):
    """One fit: a candidate of an arm, trained on one fold of one seed.

    ``precision`` and ``threads`` belong to it because they change the last bits of the result: a caller resolves them
    once (:func:`isthmus.training.precision.choose_precision`) and every later run of the fit keeps them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: str = Field(description="arm of the protocol")
    candidate: str = Field(description="candidate of the arm")
    seed: int = Field(ge=0, description="sets split, initialisation, order, augmentation and dropout")
    fold: int = Field(ge=0, description="fold of cross-validation")
    divided: Literal["groups", "pictures"] = Field(
        "groups", description="what was dealt into parts; pictures: a group stands on both sides, to show that error"
    )
    half: Literal["a", "b"] | None = Field(
        None,
        description="trained on this half of the fold's training groups: the other half is for a fused model's head",
    )
    network: str = Field(description="name in the registry, or file.py:function")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the network")
    weights: str | None = Field(None, description="initial weights, by name or path; null starts from random ones")
    classes: list[str] = Field(min_length=2, description="labels in order; the last is the positive one")
    prepare: Preparation = Field(description="how the store's pixels were prepared")
    train: TrainSettings = Field(description="how to train")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the training steps, resolved")
    threads: int = Field(1, ge=1, description="threads of the CPU's arithmetic")
    train_views: list[str] = Field(description="views to train on")
    tune_views: list[str] = Field(description="views that choose the epoch")
    held_out_views: list[str] = Field(description="views of the held-out fold, only predicted")
    labels: dict[str, int] = Field(description="view id to index in classes, of all of these views")
    groups: dict[str, str] = Field(description="view id to group id, of all of these views")
    store_key: str = Field("", description="key of the prepared store")
    descriptors: DescriptorTask | None = Field(None, description="sonographic descriptors learnt beside the target")
    flips: bool = Field(False, description="predictions are means of the logits of picture and mirror image")
    frame_scores: Literal["mean", "maximum"] = Field(
        "mean", description="a 2D network's score of a clip: mean of its frames' logits, or the most suspicious frame's"
    )
    join: JoinSpec | None = Field(
        None, description="of a network that looks at several modalities: which, and how they are joined"
    )
    weights_of: str | None = Field(
        None, description="another fit of the run whose trained network is taken over, to score the views otherwise"
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Fits that are no halves, and look at one modality, go on having the fingerprint that they had before.
        return without_defaults(self, handler(self), ("half", "join"))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = {"train": self.train_views, "tune": self.tune_views, "held-out": self.held_out_views}
        seen: dict[str, str] = {}
        for part, views in parts.items():
            for view in views:
                if view not in self.labels or view not in self.groups:
                    raise ValueError(f"view {view} has no label or no group")
                if not 0 <= self.labels[view] < len(self.classes):
                    raise ValueError(f"view {view} has label index {self.labels[view]} of {len(self.classes)} classes")
                one = f"group {self.groups[view]}" if self.divided == "groups" else f"view {view}"
                if seen.setdefault(one, part) != part:
                    raise ValueError(f"{one} stands in the {seen[one]} part and in the {part} part")
        if len(set(self.train_views)) < len(self.train_views):
            raise ValueError("a view stands twice in train_views")
        training = set(self.train_views)
        for name, labels in (self.descriptors.labels if self.descriptors else {}).items():
            other = next((view for view in labels if view not in training), None)
            if other is not None:
                raise ValueError(f"{name} is labelled for view {other}, which is not trained on")
        return self

    @property
    def name(self) -> str:
        """Short name for messages and progress bars."""
        split = f"seed-{self.seed}" if self.divided == "groups" else "picture-level"
        half = f"/half-{self.half}" if self.half else ""
        return f"{self.arm}/{self.candidate}/{split}/fold-{self.fold}{half}"

    @property
    def channels(self) -> int:
        """C of the network's input."""
        return self.prepare.input_channels

    def labels_of(self, views: list[str]) -> list[int]:
        """Return the class index of each view."""
        return [self.labels[view] for view in views]

    def fingerprint(self) -> str:
        """Return the SHA-256 of the whole specification."""
        return sha256_of_json(self.model_dump(mode="json"))

    def write(self, path: Path) -> None:
        """Write ``fit.yaml`` atomically."""
        write_yaml(path, {"format": _FORMAT, **self.model_dump(mode="json")})

    @classmethod
    def read(cls, path: Path) -> "FitSpec":
        """Read ``fit.yaml``.

        Raises
        ------
        InputError
            When it is missing, of another format, or newer.
        """
        content = dict(read_yaml(path, name="fit"))
        content.pop("format")
        return cls.model_validate(content)
