"""What a model says of a picture, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.errors import IsthmusError
from isthmus.inference.prediction_set import PredictionSet, Referral


@dataclass(frozen=True)
class Brought:
    """What each member of a fused model, or each modality of a network of several, brought to a score.

    In log odds of the mean over the heads, or over the fold models, before calibration; of a fused model that takes the
    mean of several nodules, as their mean.

    Parameters
    ----------
    members : dict
        Member to what it brought; the measured perfusion and the columns are members too.
    average : float
        The log odds of a case that is average in all, to which the members add up to ``log_odds``.
    log_odds : float
        Of the case.
    start : str
        What ``average`` is.
    nodule : str
        Of a patient with several nodules the one that decided the score, of which this is; '' else.
    """

    members: dict[str, float]
    average: float
    log_odds: float
    start: str = "an average case"
    nodule: str = ""

    @property
    def whose(self) -> str:
        """The nodule that it is of, where a patient has several and one decided; else nothing."""
        return f"of nodule {self.nodule}, which decided, " if self.nodule else ""

    def shown(self, member: str) -> str:
        """Return what a member brought, in two decimals; ``0`` of one that the model makes nothing of."""
        value = self.members[member]
        return f"{value:+.2f}" if value else "0"

    @property
    def words(self) -> str:
        """The members by size, and from where they lead to where."""
        order = sorted(self.members, key=lambda name: -abs(self.members[name]))
        parts = ", ".join(f"{name} {self.shown(name)}" for name in order)
        return f"{self.whose}in log odds {parts}; from {self.average:+.2f}, {self.start}, to {self.log_odds:+.2f}"


@dataclass(frozen=True)
class OutOfDistribution:
    """How unlike a model's training pictures a case is.

    Parameters
    ----------
    score : float
        Mean over the fold networks, and over the pictures of a case: 0 for the median training picture that its network
        had not seen.
    percentile : float
        Share of unseen training cases that are less unusual, 0 to 100.
    unlike : bool
        Whether no more than one in twenty of these would be as far.
    compared : int
        How many these are.
    unit : str
        What one of them is: ``nodule`` or ``patient``; ``picture`` of older bundles, which compare a case with single
        pictures and so call fewer than one in twenty unlike.
    usual : int
        How many pictures one of them usually has.
    pictures : int
        How many the case has.
    """

    score: float
    percentile: float
    unlike: bool
    compared: int
    unit: str = "picture"
    usual: int = 1
    pictures: int = 1

    @property
    def words(self) -> str:
        """What a reader should know of it."""
        # A network does not notice all that is foreign to it: that nothing was noticed is not that all is well.
        kind = "unlike" if self.unlike else "not seen to be unlike"
        found = (
            f"{kind} the training pictures: farther out than {self.percentile:.0f} % of {self.compared} training "
            f"{self.unit}s that the networks had not seen"
        )
        if self.unit == "picture":
            return f"{found}; this older model may call too few cases unlike"
        if self.pictures == self.usual:
            return found
        return f"{found}, usually with {self.usual} picture{'s' * (self.usual > 1)} each, here {self.pictures}"


@dataclass(frozen=True)
class Prediction:
    """What a model says of a picture, of the pictures of one nodule, or of a patient's nodules.

    Parameters
    ----------
    sources : tuple of str
        File names, without their folders.
    probabilities : dict
        Class code to the mean probability of the parts, not calibrated; sums to 1.
    probability : float
        Of the positive class, among several classes of the class called; calibrated where the bundle has a
        calibration.
    calibrated : bool
        Whether it is.
    call : str or None
        Class code at the frozen threshold, among several classes the most probable one; None where the bundle has no
        threshold, or of several classes no calibration.
    words : str
        The call in the label's own words.
    threshold : float or None
        On ``probability``.
    member_range : tuple of float
        Smallest and largest ``probability`` of the single parts.
    region_source : str
        ``drawn``, ``proposed`` or ``whole``; of pictures that differ in it each once, ``drawn/proposed``.
    notes : tuple of str
        What a reader should know.
    descriptors : dict
        Of a model with descriptor heads: descriptor to code to the parts' mean probability, over several pictures
        their mean too; calibrated where the bundle calibrates them. Learnt from readers' words.
    frames : tuple of tuple of int
        Of a model of clips, for each source: the frames that the network looked at, counted from 0; of a still none.
    case : str
        The case's name, where it was given one.
    calibrated_probabilities : dict
        Of a calibrated model: class code to calibrated probability; sums to 1. (`probabilities` is the networks' mean.)
    brought : Brought, optional
        Of a fused model, where an explanation was asked for.
    out_of_distribution : OutOfDistribution, optional
        Of a model that knows what its training pictures were like.
    number : int
        Its place among the inputs, counted from 1; 0 where it was scored by itself.
    prediction_set : PredictionSet, optional
        The classes that the case may have; None of older bundles, which keep no limits.
    referral : Referral, optional
        Whether the case is left to somebody else; None of older bundles. `isthmus.inference.answer` says it all in
        words.
    """

    sources: tuple[str, ...]
    probabilities: dict[str, float]
    probability: float
    calibrated: bool
    call: str | None
    words: str
    threshold: float | None
    member_range: tuple[float, float]
    region_source: str
    notes: tuple[str, ...] = ()
    descriptors: dict[str, dict[str, float]] = field(default_factory=dict)
    frames: tuple[tuple[int, ...], ...] = ()
    case: str = ""
    calibrated_probabilities: dict[str, float] = field(default_factory=dict)
    brought: Brought | None = None
    out_of_distribution: OutOfDistribution | None = None
    number: int = 0
    prediction_set: PredictionSet | None = None
    referral: Referral | None = None


@dataclass(frozen=True)
class FailedPicture:
    """A picture without a score, and why."""

    source: str
    error: IsthmusError

    @property
    def reason(self) -> str:
        """The error without its path: results name no folders."""
        error = self.error
        return str(IsthmusError(error.what, expected=error.expected, hint=error.hint))


class Predictions(list[Prediction]):
    """Predictions in the order of the pictures; ``failures`` lists the pictures without one."""

    def __init__(self, predictions: Sequence[Prediction] = (), failures: Sequence[FailedPicture] = ()) -> None:
        super().__init__(predictions)
        self.failures = list(failures)


def call_in_words(call: str | None, classes: Mapping[str, str], reference: str) -> str:
    """Return a call in the words that its label allows.

    Parameters
    ----------
    call : str or None
        Class code.
    classes : mapping
        Class code to shown name; the last is the positive one.
    reference : str
        What the labels rest on. Where they are TI-RADS categories a call is "suspicious", never a statement about
        pathology; of several classes the class is named as it stands, since it is a category by its own name.
    """
    if call is None:
        return "no call: the model has no threshold"
    name = classes[call]
    if reference != "tirads" or len(classes) > 2:
        return name
    return f"suspicious ({name})" if call == list(classes)[-1] else f"not suspicious ({name})"
