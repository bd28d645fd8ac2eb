"""What a bundle says of itself: the content of ``bundle.yaml`` (contract 3)."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from isthmus.imaging.preparation import Preparation
from isthmus.models.answer_spec import AnswerSpec
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.join_spec import JoinSpec
from isthmus.models.likeness_spec import LikenessSpec
from isthmus.tables.vocabulary import MULTI_VALUED

FORMAT = "isthmus-bundle/1.3"
"""1.1 added `aggregation`; 1.2 networks of several modalities (`join`), calibrations of several classes and of
descriptors, and `out_of_distribution`; 1.3 `answer`."""

Option = bool | int | float | str | list[int]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Facts(BaseModel):
    """What a bundle says: it does not change once read."""

    # A newer minor version may add keys; one that changed what others mean would be a newer major.
    model_config = ConfigDict(extra="ignore", frozen=True)


class NetworkSpec(Facts):
    """Which network, with which options; ``file_sha256`` of a network of the user's own."""

    name: str
    options: dict[str, Option] = {}
    classes: int = Field(ge=2)
    channels: int = Field(ge=1)
    file_sha256: Sha256 | None = None


class Requires(Facts):
    """What a case must bring: modalities, and a region for networks trained on lesion crops."""

    modalities: list[str] = Field(min_length=1)
    region: Literal["none", "box", "mask"]


class Part(Facts):
    """One fold model. ``file`` and ``sha256`` are filled in by :func:`write_bundle`.

    ``class_shares`` are those of its training views, which is what it knows of a case of which nothing is shown.
    """

    log_prior_shift: list[float]
    class_shares: list[float] = []
    file: str = Field("", pattern=r"^(parts/[A-Za-z0-9_-]+\.safetensors)?$")
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")


class Calibration(Facts):
    """``logit(p calibrated) = intercept + slope * logit(p)`` of the positive class's mean probability.

    The fields of ``isthmus.statistics.calibration.LogisticCalibration.as_dict()`` go in as they are.
    """

    intercept: float = Field(allow_inf_nan=False)
    slope: float = Field(gt=0, allow_inf_nan=False)
    method: str = "logistic recalibration"
    fitted_on: str = ""


class ClassCalibration(Facts):
    """``softmax(slope * log p_k + intercept_k)`` of the mean probabilities of several classes.

    The fields of ``isthmus.statistics.class_calibration.ClassCalibration.as_dict()`` go in as they are.
    """

    kind: Literal["classes"]
    slope: float = Field(gt=0, allow_inf_nan=False)
    intercepts: list[float]
    method: str
    fitted_on: str = ""


def _kind(said: Any) -> str:
    kind = said.get("kind") if isinstance(said, dict) else getattr(said, "kind", None)
    return "classes" if kind == "classes" else "logistic"


AnyCalibration = Annotated[
    Annotated[Calibration, Tag("logistic")] | Annotated[ClassCalibration, Tag("classes")], Discriminator(_kind)
]


class DescriptorCalibration(Facts):
    """How the descriptors' probabilities are calibrated, each descriptor by itself.

    Parameters
    ----------
    exclusive : dict
        Of descriptors of which a nodule has one code: intercepts in the order of its head.
    each_code : dict
        Of descriptors of which a nodule may have several: each code by itself.
    """

    exclusive: dict[str, ClassCalibration] = {}
    each_code: dict[str, dict[str, Calibration]] = {}


class Thresholds(Facts):
    """The frozen operating point: positive at ``value`` or above."""

    rule: str
    value: float = Field(ge=0, le=1)
    on: str = "calibrated probability of the positive class"
    chosen_on: str


class CohortFacts(Facts):
    """What the model was trained on, and what its labels rest on."""

    name: str
    fingerprint: str
    licence: str
    simulated: bool
    reference: Literal["surgery", "cytology", "follow_up", "tirads", "mixed"]


class WeightsFacts(Facts):
    """Where the weights started from."""

    origin: str = "random initial weights"
    licence: str = "none needed"
    sha256: Sha256 | None = None
    notes: list[str] = []


class BundleSpec(Facts):
    """The content of ``bundle.yaml``.

    Parameters
    ----------
    classes : dict
        Class code to shown name, in the order of the network's outputs; the last is the positive one.
    unit : {'nodule', 'patient'}
        What one prediction belongs to.
    aggregation : dict
        How views make a nodule's and nodules a patient's probability: what calibration and thresholds were chosen on.
        Bundles of format 1.0 do not say it; they get the default.
    calibration, thresholds
        None where nothing was fitted. Of more than two classes there is no threshold: where they are calibrated, the
        most probable one is called.
    descriptors : DescriptorSpec, optional
        The descriptor heads of the network.
    descriptor_calibration : DescriptorCalibration, optional
        Of their probabilities; without one they stand as the heads give them.
    join : JoinSpec, optional
        Of a network that looks at several modalities: which, in the order of its prepared pictures, and how.
    flips : bool
        Logits are means over the picture and its mirror image.
    frame_scores : {'mean', 'maximum'}
        How a 2D network's logits of a clip's frames become the clip's.
    out_of_distribution : LikenessSpec, optional
        How like its training pictures it finds a picture; filled in by :func:`write_bundle`.
    answer : AnswerSpec, optional
        Limits of its prediction sets, and the band that it refers; bundles before 1.3 have none.
    smoke : bool
        True for a rehearsal whose numbers mean nothing.
    """

    format: str = Field(FORMAT, pattern=r"^isthmus-bundle/\d+\.\d+$")
    name: str = Field(min_length=1)
    network: NetworkSpec
    target: str
    unit: Literal["nodule", "patient"] = "nodule"
    classes: dict[str, str] = Field(min_length=2)
    requires: Requires
    prepare: Preparation
    parts: list[Part] = Field(min_length=1)
    descriptors: DescriptorSpec | None = None
    descriptor_calibration: DescriptorCalibration | None = None
    join: JoinSpec | None = None
    flips: bool = False
    frame_scores: Literal["mean", "maximum"] = "mean"
    aggregation: dict[Literal["nodule", "patient"], Literal["mean", "maximum"]] = {
        "nodule": "mean",
        "patient": "maximum",
    }
    calibration: AnyCalibration | None = None
    thresholds: Thresholds | None = None
    cohort: CohortFacts
    weights: WeightsFacts = WeightsFacts()
    versions: dict[str, str] = {}
    out_of_distribution: LikenessSpec | None = None
    answer: AnswerSpec | None = None
    smoke: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        count = len(self.classes)
        if self.network.classes != count:
            raise ValueError(f"the network has {self.network.classes} classes, the bundle {count}")
        if any(len(part.log_prior_shift) != count for part in self.parts):
            raise ValueError(f"every part needs {count} values of log_prior_shift")
        if isinstance(self.calibration, ClassCalibration):
            if count == 2 or len(self.calibration.intercepts) != count or self.thresholds is not None:
                raise ValueError(f"{count} classes need {count} intercepts and no threshold (two: one intercept)")
        elif count > 2 and self.calibration is not None:
            raise ValueError(f"a calibration of one probability for {count} classes")
        if self.network.channels != self.prepare.input_channels:
            raise ValueError(
                f"prepare gives {self.prepare.input_channels} channels, the network takes {self.network.channels}"
            )
        if self.join is not None and list(self.join.modalities) != self.requires.modalities:
            raise ValueError("requires.modalities are not those that the network joins")
        if self.join is not None and any(len(part.class_shares) != count for part in self.parts):
            raise ValueError(f"a network of several modalities needs {count} values of class_shares in every part")
        if self.out_of_distribution is not None and len(self.out_of_distribution.scales) != len(self.parts):
            raise ValueError("out_of_distribution needs one scale for every part")
        if self.descriptor_calibration is not None:
            _fits_the_heads(self.descriptor_calibration, {} if self.descriptors is None else self.descriptors.heads)
        if self.answer is not None:
            at = None if self.thresholds is None else self.thresholds.value
            self.answer.check(self.classes, at, self.calibration is not None)
        if self.prepare.crop == "lesion" and self.requires.region == "none":
            raise ValueError("prepare crops the lesion, so requires.region is 'box' or 'mask'")
        return self

    @property
    def says_aggregation(self) -> bool:
        """False for a bundle of format 1.0, whose rule is our default and not its own word."""
        return "aggregation" in self.model_fields_set

    @property
    def positive(self) -> str:
        """The code of the positive class."""
        return list(self.classes)[-1]

    @property
    def marks(self) -> list[str]:
        """``SIMULATED`` and ``SMOKE`` where they apply; they stand on everything made from this model."""
        return marks_of(self.cohort, self.smoke)


def _fits_the_heads(calibration: DescriptorCalibration, heads: dict[str, list[str]]) -> None:
    """Refuse a calibration that is not of these heads."""
    sizes = {name: len(one.intercepts) for name, one in calibration.exclusive.items()}
    codes = {name: list(one) for name, one in calibration.each_code.items()}
    exclusive = {name: len(own) for name, own in heads.items() if name not in MULTI_VALUED}
    if sizes != exclusive or codes != {name: own for name, own in heads.items() if name in MULTI_VALUED}:
        raise ValueError("descriptor_calibration is not of the descriptors' heads and their codes")


def marks_of(cohort: CohortFacts, smoke: bool) -> list[str]:
    """Return the marks of a model that was trained on a cohort, in a rehearsal or not."""
    return [mark for mark, applies in (("SIMULATED", cohort.simulated), ("SMOKE", smoke)) if applies]
