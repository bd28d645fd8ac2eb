"""What a cohort check found, as data: for ``check.json``, ``check.html`` and the exit code."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from isthmus.imaging.clip import Box
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
    text : list of Box
        Burned-in text and marks inside the scan area.
    reached : int
        How many of them a lesion network would see.
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
    text: list[Box] = field(default_factory=list)
    reached: int = 0
    marked: bool = False
    frame: int = 0
    frames: int = 1


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
    findings : list of Finding
        Errors first.
    views : list of CheckedView
        Views whose picture could be decoded.
    """

    name: str = ""
    simulated: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    balance: list[dict[str, str | int]] = field(default_factory=list)
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
            "findings": [asdict(finding) for finding in self.findings],
        }
