"""One DDTI case file: untrusted XML, read under limits, its fields mapped to the coded vocabulary."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

LARGEST_CASE_BYTES: Final = 1 << 20  # the largest of the 390 has 6 kB

TIRADS_LABEL: Final[Mapping[str, str]] = {"2": "0", "3": "0", "4a": "1", "4b": "1", "4c": "1", "5": "1"}
"""The grade of the case to the target ``tirads_4a_or_higher``."""

TIRADS_GROUP: Final[Mapping[str, str]] = {
    "2": "low", "3": "low", "4a": "intermediate", "4b": "intermediate", "4c": "high", "5": "high",
}  # fmt: skip
"""The grade of the case to the target ``tirads_group``: three ordered classes."""

CODES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "composition": (
        "composition",
        {
            "solid": "solid",
            "predominantly solid": "predominantly_solid",
            "predominantly cystic": "predominantly_cystic",
            "cystic": "cystic",
            "spongiform": "spongiform",
            "dense": "",  # not a term of composition: solid, or bright?
        },
    ),
    "echogenicity": (
        "echogenicity",
        {
            "hyperechogenicity": "hyperechoic",
            "isoechogenicity": "isoechoic",
            "hypoechogenicity": "hypoechoic",
            "marked hypoechogenicity": "very_hypoechoic",
        },
    ),
    "margins": (
        "margin",
        {
            "well defined smooth": "smooth",
            "well defined": "well_defined",
            "ill defined": "ill_defined",
            "ill- defined": "ill_defined",
            "macrolobulated": "lobulated",
            "microlobulated": "lobulated",
            "spiculated": "irregular",
        },
    ),
    "calcifications": (
        "echogenic_foci",
        {
            "non": "none",
            "microcalcification": "punctate",
            "microcalcifications": "punctate",
            "macrocalcification": "macrocalcifications",
            "macrocalcifications": "macrocalcifications",
        },
    ),
    "sex": ("sex", {"F": "F", "M": "M", "u": ""}),
    "tirads": ("tirads", {grade: grade for grade in TIRADS_LABEL}),
}
"""DDTI's field to the cohort's column, and its words to codes; '' where no code is safe."""


class CaseUnreadable(Exception):  # noqa: N818  (inner to this reader; it ends as a line of the report)
    """A case file that is not what it should be, in words."""


@dataclass
class Case:
    """What one case file says.

    Parameters
    ----------
    number : str
        The case's number, from the file's name.
    values : dict of str to str
        Cohort column to code; fields without a safe code are absent.
    marks : dict of str to list of str
        Picture number to the svg texts of its marks (one, unless the file is odd).
    notes : list of str
        What could not be taken over.
    """

    number: str
    values: dict[str, str] = field(default_factory=dict)
    marks: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The label of the target of two classes, '' when there is none."""
        return TIRADS_LABEL.get(self.values.get("tirads", ""), "")

    @property
    def group(self) -> str:
        """The label of the target of three classes, '' when there is none."""
        return TIRADS_GROUP.get(self.values.get("tirads", ""), "")


def read_case(path: Path) -> Case:
    """Read one case file.

    Parameters
    ----------
    path : Path
        ``N.xml``; at most 1 MiB; no entities, no document type.

    Returns
    -------
    Case

    Raises
    ------
    CaseUnreadable
        When it is too large, is no XML, or is no DDTI case of this number.
    """
    root = _parse(path)
    if root.tag != "case":
        raise CaseUnreadable("its root element is not <case>")
    case = Case(number=path.stem)
    if (root.findtext("number") or "").strip() != case.number:
        raise CaseUnreadable("its <number> differs from its file name")
    for name, (column, codes) in CODES.items():
        _map(case, root, name, column, codes)
    _age(case, root)
    for mark in root.findall("mark"):
        picture = (mark.findtext("image") or "").strip()
        if re.fullmatch(r"[0-9]{1,6}", picture):
            case.marks.setdefault(picture, []).append(mark.findtext("svg") or "")
        else:
            case.notes.append("a mark names no picture number: not used")
    return case


def _parse(path: Path) -> Element:
    try:
        if not path.is_file():
            raise CaseUnreadable("it is not a regular file")
        if path.stat().st_size > LARGEST_CASE_BYTES:
            raise CaseUnreadable(f"it is larger than {LARGEST_CASE_BYTES} bytes")
        root: Element = ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
    except DefusedXmlException as error:
        raise CaseUnreadable("it declares a document type or entities, which are refused") from error
    except ParseError as error:
        line, column = error.position
        raise CaseUnreadable(f"it is not XML (line {line}, column {column})") from error
    except (ValueError, LookupError) as error:
        raise CaseUnreadable("its declared encoding cannot be read") from error
    except OSError as error:
        raise CaseUnreadable(f"it cannot be opened: {error.strerror}") from error
    return root


def _map(case: Case, root: Element, name: str, column: str, codes: Mapping[str, str]) -> None:
    word = (root.findtext(name) or "").strip()
    code = codes.get(word)
    if code:
        case.values[column] = code
    elif word in codes:
        case.notes.append(f"{name} {word!r} has no safe code: left blank")
    elif word:
        # The word itself is not repeated: a field filled by hand may hold a name.
        case.notes.append(f"{name} holds an unknown value: left blank")


def _age(case: Case, root: Element) -> None:
    word = (root.findtext("age") or "").strip()
    if re.fullmatch(r"[0-9]{1,3}", word) and int(word) <= 130:
        case.values["age_years"] = str(int(word))
    elif word:
        case.notes.append("age is not a number of years from 0 to 130: left blank")
