"""What a report is made from: plain facts, filled in by whoever ran the study."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pandas import DataFrame

from isthmus.report.arm_modalities import MODALITIES
from isthmus.report.truth import Truth

LOUD_MARKS = ("SMOKE", "SIMULATED")
"""Marks that stand on every page and figure."""


@dataclass(frozen=True)
class FlowStep:
    """One box of the flow diagram.

    Parameters
    ----------
    label : str
        What is counted here, e.g. ``"Cases with a label"``.
    count : int
        How many are left.
    detail : str
        A second line, e.g. ``"402 views of 386 nodules"``.
    left_out : list of (str, int)
        What was left out on the way to the next box: reason and count.
    """

    label: str
    count: int
    detail: str = ""
    left_out: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class CohortFacts:
    """The cohort in counts. ``None`` where a count is not known (foreign tables).

    Parameters
    ----------
    reference : str
        Where the label comes from: ``surgery``, ``cytology``, ``follow_up``, ``tirads``, ``mixed`` or ``unknown``.
    label_names : dict
        Class value to the name shown, in class order; the last is the positive class.
    label_counts : dict
        Class value to the number of units with it.
    excluded : list of (stage, reason, count)
        Who was left out, and why.
    import_counts : dict
        The import report in counts, e.g. ``{"labelled": 349, "without outline": 3}``.
    flow : list of FlowStep
        Boxes of the flow diagram, from files to units analysed.
    remarks : list of str
        What the cohort's maker says of the source.
    region_source : str
        ``drawn``, ``proposed``, ``whole``, or empty where no region is used.
    """

    name: str
    licence: str = ""
    citation: str = ""
    patients: int | None = None
    groups: int | None = None
    nodules: int | None = None
    views: int | None = None
    positives: int | None = None
    sites: int | None = None
    simulated: bool = False
    reference: str = "unknown"
    patient_ids: Literal["real", "absent"] = "real"
    label_names: dict[str, str] = field(default_factory=dict)
    label_counts: dict[str, int] = field(default_factory=dict)
    excluded: list[tuple[str, str, int]] = field(default_factory=list)
    import_counts: dict[str, int] = field(default_factory=dict)
    flow: list[FlowStep] = field(default_factory=list)
    region_source: str = ""
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ProtocolFacts:
    """Which protocol ran, and what its profile reduced."""

    name: str
    title: str = ""
    citation: str = ""
    profile: str = "paper"
    reductions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SplitFacts:
    """How the groups were divided."""

    folds: int | None = None
    seeds: list[int] = field(default_factory=list)
    tune_fraction: float | None = None
    test_rule: str = ""
    fingerprint: str = ""
    by: Literal["group", "site", "column"] = "group"
    external_sites: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ArmFacts:
    """One arm as tables and figures name it; ``descriptors`` says in words which descriptors it also learns."""

    title: str
    network: str = ""
    parameters_millions: float | None = None
    weights: str = "none (random initialisation)"
    description: str = ""
    descriptors: str = ""


@dataclass(frozen=True)
class Localisation:
    """Where an arm's heat maps point, case by case, beside a Gaussian in the middle of the same picture.

    Parameters
    ----------
    heat_in_lesion, baseline : list of float
        Share of the heat inside the lesion's outline, 0 to 1, in the same order of cases.
    pointing_game, pointing_baseline : float or None
        Share of cases whose hottest point lies inside the outline.
    heat_in_calcifications, calcification_share : list of float
        Of the cases that show calcifications (known on simulated cohorts only), in the same order of cases: share of
        the heat on them, and the share of the picture's area that they fill, which even heat would score. 0 to 1.
    calcification_pointing : float or None
        Share of those cases whose hottest point lies on a calcification.
    baselines : str
        The heat on calcifications beside maps that know nothing of the network, in words.
    frames : dict
        Of clips: ``seen`` (frames that the network sees), ``steps`` in time and ``cells`` (down, across) of the maps
        that are explained, and for what is sought in a frame (``calcified``, ``lesion``) how often the frame of most
        heat shows it: ``clips``, ``every_frame``, intervals ``top``, ``chance``, ``difference``, ``rank``, and
        ``sentence``. Of frames that are channels ``counted`` instead: ``clips``, ``groups``, ``even``, intervals
        ``shares``, ``sentence``.
    edges : dict
        Share of the heat inside the lesion that lies in the outer half of its area, for ``heat_at_edge`` and, of
        signed maps, ``against_at_edge``: ``classes`` (name to ``views``, ``groups``, interval ``share``), interval
        ``difference`` or None, ``gaussian``, ``edge_on_grid``, ``centre_on_grid``, ``sentence``.
    """

    heat_in_lesion: list[float]
    baseline: list[float]
    pointing_game: float | None = None
    pointing_baseline: float | None = None
    heat_in_calcifications: list[float] = field(default_factory=list)
    calcification_share: list[float] = field(default_factory=list)
    calcification_pointing: float | None = None
    baselines: str = ""
    frames: dict[str, Any] = field(default_factory=dict)
    edges: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LeakDemonstration:
    """What the AUC would have looked like had pictures been divided instead of patients: the fault, run on purpose.

    Parameters
    ----------
    arm, title : str
        The arm that was trained once more, and its name as shown.
    unit : str
        What was ranked in both: ``view``.
    picture_level, honest : dict
        AUC {estimate, low, high, level, method} of views when views, and when groups of patients, were divided.
    difference : dict or None
        Picture level minus honest, {estimate, low, high, level, method}; None where no interval could be had.
    views, patients, folds : int
    """

    arm: str
    title: str
    unit: Literal["view"]
    picture_level: dict[str, Any]
    honest: dict[str, Any]
    difference: dict[str, Any] | None
    views: int
    patients: int
    folds: int


@dataclass(frozen=True)
class Picture:
    """A picture of the gallery; ``alternative`` is read out to those who do not see it."""

    path: Path
    caption: str
    alternative: str = ""
    arm: str = ""


@dataclass(frozen=True)
class Film:
    """A clip of the gallery: an MP4 for the screen, its filmstrip for paper; ``alternative`` is read out."""

    video: Path
    filmstrip: Path
    caption: str
    alternative: str
    arm: str


@dataclass(frozen=True)
class Failure:
    """A view, a fit or a file that failed, and why."""

    kind: str
    name: str
    reason: str


@dataclass(frozen=True)
class Check:
    """A check in words."""

    name: str
    status: Literal["passed", "warning", "failed"]
    sentence: str


@dataclass(frozen=True)
class ReportContext:
    """Everything a report shows. Sections whose facts are missing are left out.

    Parameters
    ----------
    title, question : str
        Heading and clinical question.
    evidence : dict
        The content of ``evidence.json``.
    predictions : DataFrame, optional
        The predictions behind it (contract 2): ROC curves, calibration plots and the misclassified cases need it.
    frozen : dict, optional
        The content of ``frozen.json``: calibrations and thresholds of the arms.
    learning : dict
        Arm to fit (``"seed 0, fold 1"``) to the fit's log (columns epoch, train_loss, tune_loss, tune_auc, …).
    protocol_resolved : dict, optional
        The resolved protocol; the methods paragraph is written from it.
    manifest : dict
        Versions, seeds, precision, device, commit.
    openings : str
        How often each test or external set was opened, and by which arms, in words.
    marks : list of str
        ``SMOKE``, ``SIMULATED``, ``SMALL PROFILE``.
    films : list of Film
        Clips with their heat, of each explained arm those that are shown.
    misclassified : list of Picture
        Wrong calls on held-out folds, the most confident of each explained arm first.
    leak : LeakDemonstration, optional
        The same arm with pictures divided instead of patients.
    truth : Truth, optional
        What is true of a simulated cohort.
    """

    title: str
    evidence: dict[str, Any]
    question: str = ""
    predictions: DataFrame | None = None
    frozen: dict[str, Any] | None = None
    protocol: ProtocolFacts | None = None
    cohort: CohortFacts | None = None
    splits: SplitFacts | None = None
    arms: dict[str, ArmFacts] = field(default_factory=dict)
    learning: dict[str, dict[str, DataFrame]] = field(default_factory=dict)
    localisation: dict[str, Localisation] = field(default_factory=dict)
    gallery: list[Picture] = field(default_factory=list)
    films: list[Film] = field(default_factory=list)
    misclassified: list[Picture] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    protocol_resolved: dict[str, Any] | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    openings: str = ""
    marks: list[str] = field(default_factory=list)
    leak: LeakDemonstration | None = None
    truth: Truth | None = None

    @property
    def class_names(self) -> dict[str, str]:
        """Label value to shown name: the cohort's, or what the evidence says; empty where nobody does."""
        return self.cohort.label_names if self.cohort else dict(self.evidence.get("class_names") or {})

    def class_name(self, label: str) -> str:
        """Return a class as shown."""
        return self.class_names.get(label, label)

    def title_of(self, arm: str) -> str:
        """Return an arm's name as shown, or with its modality that of a branch, ``arm/modality``."""
        whole, _, branch = arm.partition("/")
        if branch and whole in self.arms:
            return f"{self.arms[whole].title}: {MODALITIES.get(branch, branch)}"
        return self.arms[arm].title if arm in self.arms else arm
