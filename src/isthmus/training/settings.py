"""How a network is trained: the ``train`` block of a protocol. Importing this imports no torch."""

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from isthmus.files import without_defaults

AUGMENTATIONS: dict[str, str] = {
    "flip": "mirrored left to right with probability 1/2",
    "vertical_flip": "mirrored top to bottom with probability 1/2",
    "rotate": "turned by up to 15 degrees",
    "scale": "made larger or smaller by up to 10 %",
    "crop": "the crop_size window lies anywhere inside train_size, instead of in its middle",
    "gain": "grey values times a factor between 0.8 and 1.25",
    "translate": "moved by up to 10 % of the side in either direction; black moves in",
    "gamma": "grey values bent by an exponent between 0.8 and 1.25, as another dynamic range would",
    "reverse": "a clip played backwards with probability 1/2",
}
"""Name to meaning. Drawn anew for each view in each epoch; all frames of a clip are changed alike.

Without ``rotate`` and ``scale`` pixels are copied and not interpolated (``translate`` moves by whole ones), so nothing
blurs and small bright specks stay.
"""


_LATER = ("modality_dropout", "sampling", "loss", "focal_gamma", "logit_adjustment")
"""Settings that are left out of what is written while they have their default."""


class EarlyStopping(BaseModel):
    """When to stop before the last epoch; it looks at the tuning part and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patience: int = Field(10, ge=1, description="epochs without a better one before training stops")
    on: Literal["auc", "loss"] = Field("auc", description="what is better: a higher tune AUC, or a lower tune loss")


class TrainSettings(BaseModel):
    """How the networks of an arm are trained.

    Examples
    --------
    >>> TrainSettings(optimiser="sgd", rate=0.01, augment=["flip", "crop"]).schedule
    'cosine'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    optimiser: Literal["adam", "adamw", "sgd"] = Field("adam", description="optimisation algorithm")
    rate: float = Field(1e-3, gt=0, le=10, description="learning rate at the start")
    weight_decay: float = Field(0.0, ge=0, le=1, description="weight decay (decoupled for adamw, L2 otherwise)")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd; adam and adamw have their own")
    schedule: Literal["cosine", "constant"] = Field("cosine", description="learning rate over the epochs")
    warm_up: int = Field(0, ge=0, description="epochs in which the rate rises from a tenth to its start")
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="rate of all layers but the last (and the heads), as a share of `rate`"
    )
    freeze_norm: bool = Field(
        False, description="batch-norm layers keep the means and variances that came with the initial weights"
    )
    epochs: int = Field(100, ge=1, le=100_000, description="passes over the training views, at most")
    batch: int = Field(32, ge=1, le=65_536, description="views in a step, at most; an epoch is cut into equal steps")
    augment: tuple[str, ...] = Field(
        ("flip", "rotate", "scale"), description=f"random changes of training views, of: {', '.join(AUGMENTATIONS)}"
    )
    class_weight: Literal["balanced", "none"] = Field(
        "balanced", description="balanced: each class weighs alike in the loss, undone in the predictions"
    )
    sampling: Literal["natural", "balanced"] = Field(
        "natural",
        description="balanced: an epoch draws every class equally often, undone in the predictions; then no class has "
        "a weight",
    )
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", description="focal: views that are called right already count less (Lin et al. 2017)"
    )
    focal_gamma: float = Field(2.0, gt=0, le=10, description="of the focal loss: how much less")
    logit_adjustment: float = Field(
        0.0,
        ge=0,
        le=5,
        description="tau of Menon et al. 2021: each class's log share, times this, is added to its logit in the loss; "
        "undone in the predictions. Needs class_weight none and natural sampling",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of each training label that is spread evenly over all classes"
    )
    early_stopping: EarlyStopping | None = Field(
        default_factory=EarlyStopping,
        description="keeps the best epoch by the tuning part; null keeps the last epoch",
    )
    modality_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="of networks that look at several modalities: the chance that one that is there is hidden in a "
        "step, never all, so that they learn to answer without it",
    )
    recompute: bool = Field(
        False,
        description="compute the activations of a network's stages anew for the gradients instead of keeping them: "
        "less memory, about a third more time, the same weights",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="arithmetic of the training steps; auto takes bf16 where a short trial is faster"
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Fits that do not use what came later go on having the fingerprint that they had before it.
        return without_defaults(self, handler(self), _LATER)

    @field_validator("augment")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in AUGMENTATIONS:
                raise ValueError(f"unknown augmentation '{name}'; expected some of {', '.join(AUGMENTATIONS)}")
        if len(set(names)) < len(names):
            raise ValueError(f"an augmentation stands twice in {', '.join(names)}")
        return names

    @model_validator(mode="after")
    def _one_remedy(self) -> "TrainSettings":
        if self.logit_adjustment and (self.class_weight != "none" or self.sampling != "natural"):
            raise ValueError(
                "logit_adjustment corrects for the classes' shares: set class_weight none, sampling natural"
            )
        if self.loss == "focal" and self.label_smoothing:
            raise ValueError("the focal loss is of labels as they are: set label_smoothing 0")
        return self

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "TrainSettings":
        if self.warm_up >= self.epochs:
            raise ValueError(f"warm_up {self.warm_up} takes all of {self.epochs} epochs; lower it")
        return self
