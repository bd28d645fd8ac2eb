"""One DDTI picture with its mark: what it gives, and what it is worth when the same picture stands several times."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.cohort.sources.ddti_case import Case
from isthmus.cohort.sources.ddti_outline import Region, place, read_drawing
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area

_LIMITS = Limits(bytes=64 << 20, pixels=16_000_000, frames=1)


@dataclass
class Picture:
    """A picture file and what became of it.

    Parameters
    ----------
    path : Path
        The file.
    case : str
        Its case's number.
    panels : tuple of Box
        Scan panels, from left to right.
    regions : list of Region
        Outlined panels.
    digest : str
        Hash of its decoded pixels; '' when it could not be decoded.
    unreadable, fault, ambiguity : str
        Why it gives nothing: cannot be decoded; has no outline; the outline cannot be understood.
    duplicate_of : str
        Name of the picture that is kept in its place.
    repaired : bool
        Whether a faulty mark was taken by a rule.
    notes : list of str
        Everything else that is to be said.
    """

    path: Path
    case: str
    panels: tuple[Box, ...] = ()
    regions: list[Region] = field(default_factory=list)
    digest: str = ""
    unreadable: str = ""
    fault: str = ""
    ambiguity: str = ""
    duplicate_of: str = ""
    repaired: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """File name without its suffix."""
        return self.path.stem

    @property
    def kept(self) -> bool:
        """Whether it gives views."""
        return bool(self.regions) and not (self.duplicate_of or self.ambiguity or self.fault or self.unreadable)

    @property
    def views(self) -> int:
        """How many views it gives."""
        return len(self.regions) if self.kept else 0

    def outcome(self, label: str) -> tuple[str, str]:
        """Return its status and the words that go with it."""
        words = [word for word in (self.unreadable, self.fault, self.ambiguity) if word] + self.notes
        if self.unreadable:
            status = "unreadable"
        elif self.duplicate_of:
            status = f"duplicate of {self.duplicate_of}"
        elif self.ambiguity:
            status = "ambiguous"
        elif not self.regions or self.fault:
            status = "without outline"
        elif self.repaired:
            status = "repaired"
        else:
            status = "labelled" if label else "unlabelled"
        return status, "; ".join(dict.fromkeys(words))


def read_picture(path: Path, case: str, marks: Sequence[str]) -> Picture:
    """Decode a picture, find its panels and give each its outline.

    Parameters
    ----------
    path : Path
        ``N_M.jpg``.
    case : str
        N.
    marks : sequence of str
        The svg texts that the case file has for it: one, none where the mark is missing.

    Returns
    -------
    Picture
        A file that cannot be decoded whole is marked ``unreadable``; nothing is raised for it.
    """
    picture = Picture(path=path, case=case)
    try:
        if not path.is_file():
            raise PictureError("it is not a regular file")
        frame = read_clip(path, limits=_LIMITS).frames[0]
    except PictureError as error:
        picture.unreadable = error.what
        return picture
    picture.digest = hashlib.sha256(repr(frame.shape).encode() + frame.tobytes()).hexdigest()
    picture.panels = find_scan_area(frame).panels
    if len(marks) > 1:
        picture.ambiguity = f"its case file has {len(marks)} marks for it"
    elif not marks:
        picture.fault = "its case file has no mark for it"
    else:
        drawing = read_drawing(marks[0])
        picture.regions, picture.ambiguity = place(drawing, picture.panels, (frame.shape[0], frame.shape[1]))
        picture.fault = drawing.fault
        picture.notes, picture.repaired = drawing.notes, drawing.repaired
    return picture


def resolve_duplicates(pictures: Mapping[str, Picture], cases: Mapping[str, Case]) -> dict[str, str]:
    """Keep one of each set of pixel-identical pictures and tie the cases that share one.

    Parameters
    ----------
    pictures : mapping of str to Picture
        By name; marked here as duplicate or ambiguous.
    cases : mapping of str to Case
        Readable cases by number.

    Returns
    -------
    dict of str to str
        Case number to group (the lowest case number among those tied); cases that are tied to none are absent.
    """
    same: dict[str, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures.values(), key=_order):
        if picture.digest:
            same[picture.digest].append(picture)
    group: dict[str, str] = {}
    for holders in same.values():
        if len(holders) > 1:
            _keep_one(holders, cases)
            _tie(group, sorted({picture.case for picture in holders}, key=int))
    return group


def _order(picture: Picture) -> tuple[int, int]:
    case, index = picture.name.split("_")
    return int(case), int(index)


def _keep_one(holders: list[Picture], cases: Mapping[str, Case]) -> None:
    names = ", ".join(picture.name for picture in holders)
    labels = {picture.case: cases[picture.case].label for picture in holders if picture.case in cases}
    if {"0", "1"} <= set(labels.values()):
        for picture in holders:
            picture.ambiguity = f"the same pixels stand in cases with contradicting labels: {names}"
        return
    outlined = [picture for picture in holders if picture.kept]
    labelled = [picture for picture in outlined if labels.get(picture.case)]
    first = (labelled or outlined or holders)[0]
    for picture in holders:
        if picture is not first:
            picture.duplicate_of = first.name
    grades = {cases[number].values["tirads"] for number, label in labels.items() if label}
    differ = f"; their grades differ: {', '.join(sorted(grades))}" if len(grades) > 1 else ""
    first.notes.append(f"the same pixels stand in {names}{differ}")


def _tie(group: dict[str, str], numbers: list[str]) -> None:
    if len(numbers) < 2:
        return
    tied = {group.get(number, number) for number in numbers} | set(numbers)
    lowest = min(tied, key=int)
    for number in [*numbers, *(case for case, name in group.items() if name in tied)]:
        group[number] = lowest
