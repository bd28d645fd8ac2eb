"""What a fused bundle says of itself: the content of its ``bundle.yaml`` (contract 3)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from isthmus.models.answer_spec import AnswerSpec
from isthmus.models.bundle_spec import Calibration, CohortFacts, Facts, Requires, Sha256, Thresholds, marks_of
from isthmus.models.fused_columns import Join, WhereAbsent

FORMAT = "isthmus-fused-bundle/1.2"
"""1.1 added what is joined without a fitted head: ``join: mean``, whose ``mode`` is null; 1.2 `answer`."""

ArmName = Annotated[str, Field(pattern=r"^[^./\\:][^/\\:]*$", max_length=100)]
"""A name that is a folder inside the bundle, and nothing else."""


class MemberFacts(Facts):
    """One member: ``members/<arm>/`` is a bundle of its own. ``sha256`` is that of its ``bundle.yaml``."""

    arm: ArmName
    requires: Requires
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")


class HeadFacts(Facts):
    """One pair of networks and head: place n of the list is ``fusion/<n>/`` and part n of every member."""

    fold: int = Field(ge=0)
    pair: Literal["a", "b", "all"]
    sha256: dict[Literal["head.json", "columns.json"], Sha256] = Field({})


class ColumnFacts(Facts):
    """One column of the tables that joins the members.

    ``values`` are the codes that the heads were fitted on, ``low`` to ``high`` the range of a column of numbers;
    ``missing`` says what a value that is not known counts as.
    """

    name: str = Field(min_length=1, max_length=200)
    title: str
    kind: Literal["numeric", "categorical", "unused"]
    values: list[str] = Field([], max_length=1000)
    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)
    missing: str = "what most training cases have"


class FusedBundleSpec(Facts):
    """The content of a fused bundle's ``bundle.yaml``.

    Parameters
    ----------
    members : list of MemberFacts
        In the order in which the heads take them.
    heads : list of HeadFacts
        Their probabilities are averaged.
    join : {'embeddings', 'logits', 'mean'}
        What of the members the heads see; of a mean, nothing is fitted.
    classifier : str
        Which kind of head, as :data:`isthmus.training.fusion_classifiers.CLASSIFIERS` names it; or ``mean``.
    where_absent : {'mean', 'leave_out'}
        What happens to a case that lacks a member.
    mode : {'cross_fit', 'paper'}, optional
        Whether the heads learnt from patients that their networks never saw; None of a mean: nothing was learnt.
    perfusion : bool
        Whether what is measured in the case's contrast-enhanced clips joins the members.
    classes, target, unit, aggregation, calibration, thresholds, answer, cohort, versions, smoke
        As :class:`isthmus.models.bundle_spec.BundleSpec` has them; the views of a nodule are averaged before the heads.
    """

    format: str = Field(FORMAT, pattern=r"^isthmus-fused-bundle/\d+\.\d+$")
    name: str = Field(min_length=1)
    title: str = ""
    target: str
    unit: Literal["nodule", "patient"] = "nodule"
    classes: dict[str, str] = Field(min_length=2, max_length=2)
    members: list[MemberFacts] = Field(min_length=1, max_length=32)
    heads: list[HeadFacts] = Field(min_length=1, max_length=1000)
    join: Join
    classifier: str
    where_absent: WhereAbsent
    mode: Literal["cross_fit", "paper"] | None = None
    perfusion: bool = False
    columns: list[ColumnFacts] = Field([], max_length=1000)
    aggregation: dict[Literal["nodule", "patient"], Literal["mean", "maximum"]]
    calibration: Calibration
    thresholds: Thresholds
    answer: AnswerSpec | None = None
    cohort: CohortFacts
    versions: dict[str, str] = Field({})
    smoke: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("members", [member.arm for member in self.members]),
            ("heads", [(head.fold, head.pair) for head in self.heads]),
            ("columns", [column.name for column in self.columns]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"one stands twice in {what}")
        if self.answer is not None:
            self.answer.check(self.classes, self.thresholds.value, True)
        if (self.mode is None) != (self.join == "mean"):
            raise ValueError("mode says how heads were fitted, and a mean has none")
        return self

    @property
    def positive(self) -> str:
        """The code of the positive class."""
        return list(self.classes)[-1]

    @property
    def marks(self) -> list[str]:
        """``SIMULATED`` and ``SMOKE`` where they apply."""
        return marks_of(self.cohort, self.smoke)

    @property
    def says_aggregation(self) -> bool:
        """True: every fused bundle says it."""
        return True

    def member(self, arm: str) -> MemberFacts:
        """Return what is said of a member."""
        return next(member for member in self.members if member.arm == arm)
