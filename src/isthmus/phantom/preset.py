"""A preset: everything that one kind of virtual cohort is made from, as one YAML file."""

import difflib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from isthmus.cohort.description import Target
from isthmus.errors import CohortError
from isthmus.files import read_yaml
from isthmus.phantom.features import FEATURES
from isthmus.phantom.habits import SiteHabits
from isthmus.phantom.readers import ReaderSettings
from isthmus.tables.vocabulary import MODALITY, REFERENCE

SHIPPED: Final = Path(__file__).parent / "presets"

Share = Annotated[float, Field(ge=0, le=1)]
Modality = Literal["bmode", "cine", "ceus", "smi", "swe", "doppler"]
MovingModality: Final = ("cine", "ceus")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetPlan(Target):
    """What there is to predict, and the rule that makes it.

    Parameters
    ----------
    groups : dict of str to list of str
        For each class, the groups of ``frequencies.csv`` that its findings are drawn like, the special before the
        general. The findings are drawn for the site's mixture of classes; the label is then drawn anew from
        ``coefficients``, so that it depends on the findings alone.
    coefficients : dict of str to dict
        Class to feature (:data:`isthmus.phantom.features.FEATURES`) to its log odds against the first class. The
        intercepts follow from the sites' class shares.
    """

    groups: dict[str, list[str]]
    coefficients: dict[str, dict[str, float]]

    @property
    def definition(self) -> Target:
        """As ``cohort.yaml`` has it."""
        return Target.model_validate({name: getattr(self, name) for name in Target.model_fields})

    @model_validator(mode="after")
    def _one_model_a_class(self) -> "TargetPlan":
        first, *others = self.classes
        if list(self.groups) != [first, *others]:
            raise ValueError(f"groups must name the classes {', '.join(self.classes)}")
        if list(self.coefficients) != others:
            raise ValueError(f"coefficients must name the classes after the first: {', '.join(others)}")
        unknown = {name for terms in self.coefficients.values() for name in terms} - set(FEATURES)
        if unknown:
            raise ValueError(f"no features {', '.join(sorted(unknown))}; there are {', '.join(FEATURES)}")
        return self


class SitePlan(_Strict):
    """One site.

    Parameters
    ----------
    share : float
        Of the cohort's patients.
    classes : dict of str to float
        Share of each class among its nodules; sums to 1.
    devices : dict of str to float
        Scanner (:mod:`isthmus.phantom.devices`) to its share of the site's patients.
    habits : SiteHabits
        How the site works its scanners.
    stills, clips : str
        The kinds of file that it writes.
    external : bool
        Whether all its patients are the external part.
    """

    share: Share
    classes: dict[str, Share]
    devices: dict[str, Share] = Field(min_length=1)
    habits: SiteHabits = SiteHabits()
    stills: Literal["png", "dicom"] = "png"
    clips: Literal["avi", "mp4", "dicom"] = "avi"
    external: bool = False

    @field_validator("classes", "devices")
    @classmethod
    def _whole(cls, shares: dict[str, float]) -> dict[str, float]:
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise ValueError(f"the shares sum to {sum(shares.values()):g} instead of 1")
        return shares


class ViewPlan(_Strict):
    """Pictures or clips of one kind that every nodule gets.

    Parameters
    ----------
    modality, plane : str
        What is recorded, and across or along the neck.
    number : int
        How many of them a nodule.
    seconds : tuple of float, optional
        Shortest and longest clip; for ``cine`` and ``ceus`` alone.
    frame_rate_hz : float, optional
        Of the clips.
    """

    modality: Modality
    plane: Literal["transverse", "longitudinal"]
    number: int = Field(1, ge=1, le=40)
    seconds: tuple[float, float] | None = None
    frame_rate_hz: float | None = Field(None, gt=0, le=100)

    @model_validator(mode="after")
    def _clips_have_a_length(self) -> "ViewPlan":
        clip = self.modality in MovingModality
        if clip != (self.seconds is not None) or clip != (self.frame_rate_hz is not None):
            raise ValueError(f"seconds and frame_rate_hz belong to {' and '.join(MovingModality)}, and only there")
        if self.seconds is not None and not 0 < self.seconds[0] <= self.seconds[1] <= 600:
            raise ValueError("seconds must be two numbers in order, above 0 and at most 600")
        return self


class Preset(_Strict):
    """One kind of virtual cohort.

    Parameters
    ----------
    name, title : str
        For the command line and for reports.
    protocol : str
        The published study whose cohort this is like.
    about : str
        What is the paper's (P), what derived from it (D), and what ours (U).
    target : TargetPlan
        What there is to predict.
    patients : list of str
        Groups of ``frequencies.csv`` for age and sex.
    calcified : bool
        Whether every nodule has calcifications.
    nodules_per_patient : float
        Mean; one and a Poisson number of others, at most 5.
    sites : dict of str to SitePlan
        Shares sum to 1.
    parts : dict of str to dict of str to float
        How the sites that are not external are dealt: part to class to a number in proportion.
    views : list of ViewPlan
        What is recorded of a nodule.
    missing : dict of str to float
        Modality to the probability that a nodule lacks it, whatever its label.
    label_noise : float
        Share of labels in train and tune that are changed.
    sampling : str
        As in ``nodules.csv``.
    references : dict of str to dict of str to float
        Class to ``reference`` to its share.
    readers : ReaderSettings, optional
        Where ``reads.csv`` is wanted.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    protocol: str
    about: str
    target: TargetPlan
    patients: list[str] = []
    calcified: bool = False
    nodules_per_patient: float = Field(1.0, ge=1, le=3)
    sites: dict[str, SitePlan] = Field(min_length=1)
    parts: dict[Literal["train", "tune", "test"], dict[str, Annotated[float, Field(ge=0)]]] = Field(min_length=1)
    views: list[ViewPlan] = Field(min_length=1)
    missing: dict[Modality, Share] = {}
    label_noise: float = Field(0.0, ge=0, lt=0.5)
    sampling: Literal["consecutive", "selected", "case_control"]
    references: dict[str, dict[str, Share]]
    readers: ReaderSettings | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The target's codes, in order."""
        return tuple(self.target.classes)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is recorded, in the vocabulary's order."""
        recorded = {view.modality for view in self.views}
        return tuple(name for name in MODALITY if name in recorded)

    @property
    def missing_rates(self) -> dict[str, float]:
        """Each recorded modality and the probability that a nodule lacks it."""
        rates = {str(name): rate for name, rate in self.missing.items()}
        return {name: rates.get(name, 0.0) for name in self.modalities}

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Preset":
        classes = set(self.classes)
        if abs(sum(site.share for site in self.sites.values()) - 1) > 1e-6:
            raise ValueError("the sites' shares must sum to 1")
        places = {f"sites.{name}": set(site.classes) for name, site in self.sites.items()}
        places |= {f"parts.{name}": set(shares) for name, shares in self.parts.items()}
        for place, named in (places | {"references": set(self.references)}).items():
            if named != classes:
                raise ValueError(f"{place} must name the classes {', '.join(self.classes)}")
        for code, shares in self.references.items():
            if not set(shares) <= set(REFERENCE) or abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"references.{code} must share 1 between {', '.join(REFERENCE)}")
        if self.target.unit == "patient" and self.nodules_per_patient != 1:
            raise ValueError("a label of the patient needs nodules_per_patient: 1")
        if not set(self.missing) < set(self.modalities):
            raise ValueError("missing may name recorded modalities, and not all of them")
        return self


def presets() -> dict[str, Path]:
    """Return the names and files of the presets that come with the package."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def load_preset(name: str) -> Preset:
    """Read and check a preset.

    Parameters
    ----------
    name : str
        One of :func:`presets`.

    Raises
    ------
    CohortError
        When there is none of this name (the message gives the nearest), or its file is wrong.

    Examples
    --------
    >>> load_preset("stills").modalities
    ('bmode',)
    """
    shipped = presets()
    if name not in shipped:
        near = difflib.get_close_matches(name, list(shipped), n=1, cutoff=0.5)
        raise CohortError(
            f"no preset is called {name!r}",
            expected=", ".join(shipped),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )
    content = read_yaml(shipped[name], name="preset")
    try:
        return Preset.model_validate({key: value for key, value in content.items() if key != "format"})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CohortError(f"wrong entries: {wrong}", where=shipped[name].name) from error
