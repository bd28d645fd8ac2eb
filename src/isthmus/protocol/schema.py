"""What a resolved protocol may say. The layers of a protocol file are merged in :mod:`isthmus.protocol.resolve`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from isthmus.models.fused_columns import RESERVED
from isthmus.models.mean_head import MEAN
from isthmus.protocol.arm import Arm, Part
from isthmus.report.clinical_terms import CLINICAL, CLINICAL_TITLE, WITHHELD
from isthmus.training.fusion import FusionSettings
from isthmus.training.fusion_classifiers import CLASSIFIERS


class CrossValidation(Part):
    """Grouped, stratified k-fold cross-validation; each site held out once; or the cohort's own validation part."""

    by: Literal["group", "site", "column"] = Field(
        "group",
        description="site: every fold holds out one site (leave one out); column: the cohort's own split, one fold "
        "that trains on its part `train` and holds out its part `tune`; where the cohort has none, by group",
    )
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
    where_absent: Literal["refuse", "without"] = Field(
        "refuse", description="a cohort without a split of its own stops the run, or has no test part and it is said"
    )

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
    open_with: Literal["first_seed", "every_seed"] = Field(
        "first_seed",
        description="every_seed: the models of all seeds meet the sets that were set aside, and contrasts are judged "
        "with seeds as random readers; the arm's model, which is calibrated and kept, is still the first seed's",
    )

    @model_validator(mode="after")
    def _seeds_differ(self) -> "Splits":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed stands twice")
        return self


class Primary(Part):
    """The contrast named before the run."""

    arm: str
    against: str


class Secondary(Part):
    """A contrast named before the run and tested after the primary one."""

    title: str = Field(description="the question, in the words of the report")
    arm: str
    against: list[str] = Field(
        min_length=1, description="one arm, or several: then the one with the best cross-validated AUC among them"
    )


class Select(Part):
    """Which of an arm's candidates is the arm."""

    rule: Literal["cross_validation", "paper"] = Field(
        "cross_validation",
        description="the largest cross-validated AUC on the training patients; paper: the largest AUC on the test set, "
        "as published studies have done, which makes that AUC too good; the report says so",
    )
    among: list[str] | None = Field(
        None, min_length=1, description="of the arms' candidates only these, by name; default all"
    )


class Fusion(Part):
    """Several arms joined into one: their networks' embeddings or logits, selected, and a classifier on them.

    The training patients are halved; a head learns only from patients that its networks never saw (cross-fitting).
    """

    title: str = Field("", description="name in tables and figures; default: the fusion's key")
    fuse: list[str] = Field(min_length=1, description="arms whose networks are joined")
    columns: list[str] = Field(
        default=[], description="columns of nodules.csv and patients.csv that join them, known before an operation"
    )
    perfusion: bool = Field(
        False, description="what `isthmus cohort perfusion` measures in contrast-enhanced clips joins them"
    )
    settings: FusionSettings = FusionSettings()
    candidates: list[str] = Field(
        default=["logistic"], min_length=1, description="classifiers; `select` says which is the fusion's"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_classifier_of_a_mean(cls, content: Any) -> Any:
        settings = content.get("settings") if isinstance(content, dict) else None
        if not isinstance(settings, dict) or settings.get("join") != MEAN:
            return content
        return {**content, "candidates": content.get("candidates", [MEAN])}

    @model_validator(mode="after")
    def _a_mean_of_networks(self) -> "Fusion":
        if self.settings.join != MEAN:
            return self
        more = {"columns": self.columns, "perfusion": self.perfusion, "candidates": self.candidates != [MEAN]}
        given = [name for name, value in more.items() if value]
        if given:
            raise ValueError(f"settings.join is 'mean', which joins networks and nothing else: it takes no {given[0]}")
        return self

    @model_validator(mode="after")
    def _known(self) -> "Fusion":
        known = [MEAN] if self.settings.join == MEAN else [*CLASSIFIERS]
        unknown = [name for name in self.candidates if name not in known]
        if unknown:
            raise ValueError(f"no classifier is called {unknown[0]!r}; expected some of {', '.join(CLASSIFIERS)}")
        for what, names in (("fuse", self.fuse), ("columns", self.columns), ("candidates", self.candidates)):
            if len(set(names)) < len(names):
                raise ValueError(f"a name stands twice in {what}")
        _refuse_withheld(self.columns)
        return self


class Clinical(Part):
    """A logistic model of what the tables know of a case, as an arm beside the others."""

    columns: list[str] | None = Field(
        None, description="columns of nodules.csv and patients.csv; default: those known before an operation"
    )

    @model_validator(mode="after")
    def _preoperative(self) -> "Clinical":
        _refuse_withheld(self.columns or [])
        return self


def _refuse_withheld(columns: list[str]) -> None:
    withheld = [name for name in columns if name in WITHHELD]
    if withheld:
        raise ValueError(
            f"columns holds {' and '.join(withheld)}, which may be known from the operation only; "
            "what they would add is shown beside the clinical model"
        )


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
    signed: bool = Field(
        False, description="evidence against the class too, measured and drawn on the published scales and an even one"
    )


class Shortcuts(Part):
    """What the arms of the primary contrast read besides the disease, asked of their fold networks on held-out views.

    Lesion painted out, gain, depth, speckle, compression, marks the other way, devices. Of 200 views that is some 3,000
    to score, which takes an arm about as long as one epoch of training on 1,000.
    """

    views: int = Field(
        200,
        ge=4,
        le=100_000,
        description="at most so many views of each arm, of whole patients, classes in turn; a clip counts as four",
    )


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
    secondary: list[Secondary] = Field(default=[], description="further contrasts named before the run, in order")
    splits: Splits = Splits()
    threshold: Literal["youden", "prevalence"] = Field(
        "youden", description="rule for the operating point where 20 groups a class are there to choose it on"
    )
    select: Select = Select()
    arms: dict[str, Arm] = Field(min_length=1)
    fusions: dict[str, Fusion] = Field(default={}, description="arms that join other arms")
    clinical: Clinical | None = Field(None, description="adds the arm `clinical`")
    explain: Explain = Explain()
    leak: Leak | None = Field(None, description="one arm with pictures instead of patients divided, as a warning")
    shortcuts: Shortcuts | None = Field(Shortcuts(), description="null: no shortcut tests")
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _leak_needs_groups(self) -> "Protocol":
        if self.leak is not None and self.splits.cross_validation.by == "site":
            raise ValueError("leak compares folds of pictures with folds of groups; set it to null or divide by group")
        if self.leak is not None and self.leak.arm in self.arms and self.arms[self.leak.arm].candidates:
            raise ValueError(f"leak.arm is {self.leak.arm!r}, which has candidates; name an arm of one network")
        return self

    @model_validator(mode="after")
    def _a_test_part_to_choose_on(self) -> "Protocol":
        if self.select.rule == "paper" and self.splits.test is None:
            raise ValueError("select.rule is 'paper', which chooses on the test set, and splits.test names none")
        return self

    @model_validator(mode="after")
    def _named_arms_exist(self) -> "Protocol":
        named = {"primary.arm": self.primary.arm, "primary.against": self.primary.against}
        named |= {f"explain.arms[{index}]": arm for index, arm in enumerate(self.explain.arms)}
        named |= {"leak.arm": self.leak.arm} if self.leak else {}
        for number, contrast in enumerate(self.secondary):
            named |= {f"secondary[{number}].arm": contrast.arm}
            named |= {f"secondary[{number}].against[{index}]": arm for index, arm in enumerate(contrast.against)}
        for place, arm in named.items():
            known = list(self.arms) if place.startswith(("explain", "leak")) else self.names
            if arm not in known:
                raise ValueError(f"{place} is {arm!r}, which is no arm of this protocol ({', '.join(known)})")
        return self

    @model_validator(mode="after")
    def _fusions_join_arms(self) -> "Protocol":
        taken = [name for name in (*self.arms, *self.fusions) if name in (CLINICAL, *RESERVED)]
        if taken and (self.fusions or self.clinical):
            raise ValueError(f"no arm or fusion may be called {taken[0]!r}: fused models have columns of this name")
        for key, fusion in self.fusions.items():
            if key in self.arms:
                raise ValueError(f"{key!r} is an arm and a fusion; give one another name")
            for arm in fusion.fuse:
                if arm not in self.arms:
                    raise ValueError(f"fusions.{key}.fuse names {arm!r}, which is no arm ({', '.join(self.arms)})")
                if self.arms[arm].networks_of is not None:
                    raise ValueError(f"fusions.{key}.fuse names {arm!r}, which trains no networks of its own")
                if self.arms[arm].view.join is not None:
                    raise ValueError(f"fusions.{key}.fuse names {arm!r}, which joins modalities itself; name its parts")
                if self.arms[arm].oracle:
                    raise ValueError(f"fusions.{key}.fuse names {arm!r}, which is told the truth of a simulation")
        return self

    @property
    def names(self) -> list[str]:
        """All that has predictions of its own: arms, fusions, the clinical model."""
        return [*self.arms, *self.fusions, *([CLINICAL] if self.clinical else [])]

    def title_of(self, name: str) -> str:
        """Return how one of `names` is shown."""
        if name == CLINICAL:
            return CLINICAL_TITLE
        return (self.arms[name].title if name in self.arms else self.fusions[name].title) or name

    @model_validator(mode="after")
    def _networks_are_those_of_a_trained_arm(self) -> "Protocol":
        for key, arm in self.arms.items():
            if arm.networks_of is None:
                continue
            trained = self.arms.get(arm.networks_of)
            if trained is None or trained.networks_of is not None:
                raise ValueError(f"arms.{key}.networks_of: {arm.networks_of!r} is no arm that trains networks")
            if arm.candidates or trained.candidates:
                raise ValueError(f"arms.{key}.networks_of: of several candidates it is not known whose networks")
            recipe = ("network", "options", "weights", "view", "prepare", "train", "descriptors")
            other = [name for name in recipe if getattr(arm, name) != getattr(trained, name)]
            if other:
                raise ValueError(
                    f"arms.{key} takes the networks of {arm.networks_of} and differs from it in "
                    f"{', '.join(other)}; only title and predict may differ"
                )
        return self
