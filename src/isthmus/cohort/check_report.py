"""What a cohort check found, as data: for ``check.json``, ``check.html`` and the exit code."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from isthmus.cohort.near_duplicates import Pair
from isthmus.cohort.shortcuts import Association, Rate
from isthmus.imaging.clip import Box
from isthmus.imaging.mark_kinds import KINDS, Kind
from isthmus.manifest import DISCLAIMER

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    severity : {'error', 'warning', 'note'}
        An error fails the check.
    subject : str
        What kind of thing: ``schema``, ``picture``, ``clip``, ``mask``, ``geometry``, ``split``, ``duplicates``,
        ``text``, ``labels``.
    message : str
        What is wrong, and what to do where that is not plain.
    where : str
        File, view or group.
    """

    severity: Severity
    subject: str
    message: str
    where: str


@dataclass
class CheckedView:
    """What the check saw of one view, for the page.

    Parameters
    ----------
    view_id, path : str
        Its id, and its file inside the cohort folder.
    region, box : Box or None
        As the table has them.
    mask : str or None
        Its mask file.
    lesion : Box or None
        Around the lesion: the mask's, else the table's.
    text : list of Box
        Burned-in text and marks inside the scan area.
    kinds : list of Kind
        What each of them is, by its shape.
    in_crop : list of bool
        Whether a network that is given the lesion's crop would see it.
    searched : bool
        Whether marks were looked for.
    marked : bool
        Whether a finding above a note is about it.
    frame, frames : int
        The frame that was looked at, counted from 0, and how many there are; a clip's is the middle one.
    """

    view_id: str
    path: str
    region: Box | None
    box: Box | None
    mask: str | None
    lesion: Box | None = None
    text: list[Box] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    in_crop: list[bool] = field(default_factory=list)
    searched: bool = False
    marked: bool = False
    frame: int = 0
    frames: int = 1

    @property
    def reached(self) -> int:
        """How many marks a network that is given the lesion's crop would see."""
        return sum(self.in_crop)


@dataclass(frozen=True, eq=False)
class SamePicture:
    """Two pictures that show the same.

    Parameters
    ----------
    first, second : str
        Paths inside the cohort folder.
    certainty : {'identical', 'certain', 'probable'}
        ``identical``: the same pixels, or clips of the same bytes.
    words : str
        What was done to the first to make the second.
    severity : Severity
        ``note`` within one group.
    groups : (list of str, list of str)
        Whose they are.
    contradiction : str
        How the labels of one lesion in both differ, '' where they do not.
    other_lesion : str
        How labels differ that stand at other places of the picture: perhaps two lesions.
    correlation : float
        Of fine texture.
    pair : Pair, optional
        How they lie on each other; of identical pictures none.
    """

    first: str
    second: str
    certainty: Literal["identical", "certain", "probable"]
    words: str
    severity: Severity
    groups: tuple[list[str], list[str]]
    contradiction: str
    other_lesion: str
    correlation: float
    pair: Pair | None = None

    def to_json(self) -> dict[str, Any]:
        """Return its entry in ``check.json``."""
        return {
            "first": self.first,
            "second": self.second,
            "certainty": self.certainty,
            "transformation": self.words,
            "severity": self.severity,
            "groups": [list(one) for one in self.groups],
            "contradiction": self.contradiction,
            "other_lesion": self.other_lesion,
            "correlation": self.correlation,
            "frames": [0, 0] if self.pair is None else list(self.pair.frames),
        }


@dataclass
class CheckReport:
    """All findings about one cohort.

    Parameters
    ----------
    name : str
        The cohort's name, '' when ``cohort.yaml`` could not be read.
    simulated : bool
        Whether it says so of itself.
    counts : dict of str to int
        Patients, groups, nodules, views, pictures.
    balance : list of dict
        For each target, site and class: nodules, groups, views, and views with marks that a lesion network would see:
        where their share differs between the classes, a network can learn the marks.
    rates : list of Rate
        Marks of each kind, and where lesion regions come from, by class and site.
    associations : list of Association
        Whether they go with the label.
    same : list of SamePicture
        Pairs of pictures that show the same, errors first.
    unreadable : list of str
        Files that could not be read.
    findings : list of Finding
        Errors first.
    views : list of CheckedView
        Views whose picture could be decoded.
    """

    name: str = ""
    simulated: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    balance: list[dict[str, str | int]] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    same: list[SamePicture] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    views: list[CheckedView] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether any finding is an error."""
        return any(finding.severity == "error" for finding in self.findings)

    def count(self, severity: Severity) -> int:
        """Return how many findings are of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def grouped(self) -> list[tuple[Finding, list[str]]]:
        """Return one finding of each kind, in order, with all the places where it holds."""
        places: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
        for finding in self.findings:
            key = (finding.severity, finding.subject, finding.message)
            places.setdefault(key, (finding, []))[1].append(finding.where)
        return list(places.values())

    def _marks(self) -> dict[str, dict[str, int]]:
        """Return how many marks of each kind there are, and in how many views."""
        kinds = [(kind, view) for view in self.views for kind in view.kinds]
        return {
            kind: {
                "marks": sum(one == kind for one, _ in kinds),
                "views": len({view.view_id for one, view in kinds if one == kind}),
            }
            for kind in KINDS
        }

    def to_json(self) -> dict[str, Any]:
        """Return what ``check.json`` holds."""
        return {
            "format": "isthmus-check/1.0",
            "notice": DISCLAIMER,
            "cohort": self.name,
            "simulated": self.simulated,
            "passed": not self.failed,
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "notes": self.count("note"),
            "counts": self.counts,
            "balance": self.balance,
            "marks": self._marks(),
            "rates": [rate.to_json() for rate in self.rates],
            "associations": [asdict(association) for association in self.associations],
            "same_pictures": [pair.to_json() for pair in self.same],
            "unreadable": self.unreadable,
            "findings": [asdict(finding) for finding in self.findings],
        }
