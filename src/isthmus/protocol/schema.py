"""What a resolved protocol may say. The layers of a protocol file are merged in :mod:`isthmus.protocol.resolve`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.imaging.prepare import Preparation
from isthmus.tables.vocabulary import COLOUR_MODALITIES, DESCRIPTORS
from isthmus.training.settings import TrainSettings


class Part(BaseModel):
    """A part of a protocol: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(Part):
    """Which pictures an arm looks at."""

    modality: Literal["bmode", "smi", "swe", "doppler"] = Field("bmode", description="modality of the stills")


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


class CrossValidation(Part):
    """Grouped, stratified k-fold cross-validation; or each site held out once."""

    by: Literal["group", "site"] = Field("group", description="site: every fold holds out one site (leave one out)")
    folds: int | None = Field(5, ge=2, le=20, description="number of folds; none by site: there is one a site")

    @model_validator(mode="before")
    @classmethod
    def _a_fold_a_site(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("by") == "site":
            return {**content, "folds": None}
        return content

    @model_validator(mode="after")
    def _folds_of_groups(self) -> "CrossValidation":
        if self.by == "group" and self.folds is None:
            raise ValueError("folds is missing")
        return self


class TestPart(Part):
    """A part set aside before cross-validation and opened once: give `column` or `fraction`."""

    __test__ = False  # this is no test, whatever pytest makes of its name

    column: Literal["split"] | None = Field(
        None, description="the cohort's own fixed split; its parts temporal and external are set aside and opened too"
    )
    fraction: float | None = Field(None, gt=0, lt=0.9, description="share of the groups, stratified, drawn at seed 0")

    @model_validator(mode="after")
    def _one_rule(self) -> "TestPart":
        if (self.column is None) == (self.fraction is None):
            raise ValueError("give either column or fraction")
        return self


class Splits(Part):
    """Who is trained on, tuned on, held out. The unit is always the group."""

    cross_validation: CrossValidation = CrossValidation()
    seeds: list[int] = Field(default=[0], min_length=1, description="each seed sets split and initialisation")
    tune: float = Field(0.2, gt=0, lt=0.5, description="tuning part: share of a fold's training groups")
    test: TestPart | None = None
    external_sites: list[str] = Field(default=[], description="sites whose patients are set aside and opened once")

    @model_validator(mode="after")
    def _seeds_differ(self) -> "Splits":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed stands twice")
        return self


class Primary(Part):
    """The contrast named before the run."""

    arm: str
    against: str


class Leak(Part):
    """What the AUC would have looked like if pictures, not patients, had been divided: the error, run to be shown.

    One arm is trained once more by the same recipe, with pictures dealt into folds and tuning parts; a patient's
    pictures then stand on both sides. Its scores enter `evidence.json` under `leak` and nothing else.
    """

    arm: str = Field(description="arm to show it on")


class Explain(Part):
    """Grad-CAM on the held-out folds."""

    arms: list[str] = Field(default=[], description="arms to explain")
    cases: int = Field(12, ge=1, le=200, description="overlays drawn for each arm")


class ReportSettings(Part):
    """What the report states beside the default evidence."""

    prevalences: list[float] = Field(default=[0.05, 0.1, 0.2], description="PPV and NPV are given at these prevalences")
    table1: list[str] | None = Field(
        None, description="columns of patients.csv and nodules.csv in Table 1; default: age, sex, size, descriptors, …"
    )
    table1_mode: Literal["default", "paper"] = Field(
        "default", description="paper: chi-square with Yates, Student's t, cases taken as independent"
    )


class Protocol(Part):
    """A resolved protocol."""

    format: str = "isthmus-protocol/1.0"
    protocol: str = Field(description="name")
    title: str
    question: str = Field(description="the clinical question, as the report asks it")
    cite: str = Field(description="the publication")
    profile: str = "paper"
    claims: bool = Field(True, description="false: no number of this profile means anything")
    target: list[str] = Field(min_length=1, description="targets in order of preference; the cohort's first is used")
    primary: Primary
    splits: Splits = Splits()
    threshold: Literal["youden", "prevalence"] = Field(
        "youden", description="rule for the operating point where 20 groups a class are there to choose it on"
    )
    arms: dict[str, Arm] = Field(min_length=1)
    explain: Explain = Explain()
    leak: Leak | None = Field(None, description="one arm with pictures instead of patients divided, as a warning")
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _leak_needs_groups(self) -> "Protocol":
        if self.leak is not None and self.splits.cross_validation.by == "site":
            raise ValueError("leak compares folds of pictures with folds of groups; set it to null or divide by group")
        return self

    @model_validator(mode="after")
    def _named_arms_exist(self) -> "Protocol":
        named = {"primary.arm": self.primary.arm, "primary.against": self.primary.against}
        named |= {f"explain.arms[{index}]": arm for index, arm in enumerate(self.explain.arms)}
        named |= {"leak.arm": self.leak.arm} if self.leak else {}
        for place, arm in named.items():
            if arm not in self.arms:
                raise ValueError(f"{place} is {arm!r}, which is no arm of this protocol ({', '.join(self.arms)})")
        return self
