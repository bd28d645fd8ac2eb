"""The parts of a map: where values come from, how rows and pictures are joined, what kind of picture each is."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

PICTURE_KEYS = ("file", "name", "stem", "folder")
"""What every picture can be joined by: its path in the source, its file name, that without suffix, its first folder."""
UNITS_MM = {"mm": 1.0, "cm": 10.0}
UNITS_YEARS = {"years": 1.0, "months": 1 / 12, "days": 1 / 365.25}

Modality = Literal["bmode", "cine", "ceus", "smi", "swe", "doppler"]

_SPELLINGS = {True: ("true", "yes", "on"), False: ("false", "no", "off")}
"""YAML reads all of them, unquoted, as one; which of them was written cannot be told any more."""
_MALIGNANT = re.compile(r"malign|cancer|carcinom|positive|恶|癌|阳")
_BENIGN = re.compile(r"benign|negative|良|阴")


class MapPart(BaseModel):
    """A part of a map: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _texts(values: object) -> object:
    # YAML reads an unquoted 1 as a number and `yes` as true; what stands in a table is text.
    if not isinstance(values, dict):
        return values
    return {_as_text(key): _as_text(value) for key, value in values.items()}


def _cells(values: object) -> object:
    """Return what stands in cells, and what it means, as text."""
    if not isinstance(values, dict):
        return values
    found: dict[object, object] = {}
    for key, value in values.items():
        for cell in _SPELLINGS[key] if isinstance(key, bool) else (_as_text(key),):
            found[cell] = _as_text(value)
    told: dict[str, tuple[str, object]] = {}
    for cell, value in found.items():
        same = " ".join(unicodedata.normalize("NFKC", str(cell)).split())
        # Capitals and small letters mean the same in a cell, so that they cannot tell two meanings apart.
        first, meant = told.setdefault(same.casefold(), (same, value))
        if meant != value:
            both = f"{same!r} has" if first == same else f"{first!r} and {same!r}, one but for capitals, have"
            raise ValueError(f"{both} two meanings, {meant!r} and {value!r}")
    return found


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value) if isinstance(value, int | float) else value


def compiled(pattern: str) -> str:
    """Return a regular expression as it is; a ValueError where it is none."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


class Source(MapPart):
    """Where a value comes from: a column of the table, a key of the picture, or one text for all."""

    heading: str | None = Field(None, description="heading of the table's column")
    key: str | None = Field(None, description="a key of the picture: a named group of the pattern, or a DICOM tag")
    constant: str | None = Field(None, description="the same for all")
    values: dict[str, str] = Field({}, description="what stands there: what it means; '' leaves it blank")
    unit: Literal["mm", "cm", "years", "months", "days"] | None = Field(None, description="unit of a length or an age")
    order: Literal["day_first", "month_first"] | None = Field(None, description="of dates such as 05/01/2023")

    @model_validator(mode="before")
    @classmethod
    def _heading_alone(cls, content: object) -> object:
        return {"heading": content} if isinstance(content, str) else content

    @field_validator("values", mode="before")
    @classmethod
    def _values_are_cells(cls, values: object) -> object:
        return _cells(values)

    @field_validator("constant", "heading", mode="before")
    @classmethod
    def _constant_is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if sum(origin is not None for origin in (self.heading, self.key, self.constant)) != 1:
            raise ValueError("give one of heading, key, constant")
        return self


class BoxSource(MapPart):
    """A lesion's box from columns of the table, in pixels of the picture as it stands in the source."""

    headings: list[str] = Field(min_length=1, max_length=4, description="four columns, or one with four numbers")
    form: Literal["corners", "size"] = Field("corners", description="x0 y0 x1 y1, or x0 y0 width height")

    @model_validator(mode="after")
    def _four_or_one(self) -> "BoxSource":
        if len(self.headings) not in (1, 4):
            raise ValueError("headings: name one column or four")
        return self


class Columns(MapPart):
    """Our columns, and where each comes from. Only ``patient_id`` is needed."""

    patient_id: Source
    nodule_id: Source | None = None
    site: Source | None = None
    sex: Source | None = None
    age_years: Source | None = None
    exam_id: Source | None = None
    exam_date: Source | None = None
    size_mm: Source | None = None
    composition: Source | None = None
    echogenicity: Source | None = None
    shape: Source | None = None
    margin: Source | None = None
    echogenic_foci: Source | None = None
    tirads: Source | None = None
    reference: Source | None = None
    sampling: Source | None = None
    split: Source | None = None
    modality: Source | None = None
    plane: Source | None = None
    device: Source | None = None
    frame_rate_hz: Source | None = None
    frame: Source | None = Field(None, description="which frame, from 0, a row's box is of")
    box: BoxSource | None = None

    def sources(self) -> dict[str, Source]:
        """Return what is mapped, without the box, by our column."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: source for name, source in found.items() if isinstance(source, Source)}


class TargetSource(MapPart):
    """A label: where it stands, what its values mean."""

    heading: str | None = None
    key: str | None = None
    values: dict[str, str] = Field({}, description="what stands there: the class, '' for no label")
    unit: Literal["nodule", "patient"] = "nodule"
    classes: dict[str, str] = Field(min_length=2, description="class: its name; the last is the positive one")
    reference: Literal["surgery", "cytology", "follow_up", "tirads", "mixed"]

    @field_validator("values", mode="before")
    @classmethod
    def _values_are_cells(cls, values: object) -> object:
        return _cells(values)

    @field_validator("classes", mode="before")
    @classmethod
    def _classes_are_text(cls, classes: object) -> object:
        return _texts(classes)

    @model_validator(mode="after")
    def _known_classes(self) -> "TargetSource":
        wrong = sorted(set(self.values.values()) - set(self.classes) - {""})
        if wrong:
            raise ValueError(f"values lead to {', '.join(map(repr, wrong))}, which is no class")
        *others, last = (name.lower() for name in self.classes.values())
        if _BENIGN.search(last) and not _MALIGNANT.search(last) and any(map(_MALIGNANT.search, others)):
            raise ValueError("classes: the last one is the positive class; put the malignant one last")
        if (self.heading is None) == (self.key is None):
            raise ValueError("give one of heading, key")
        return self

    @property
    def source(self) -> Source:
        """The same as a source of values."""
        return Source(heading=self.heading, key=self.key, values=self.values)


class ExtraSource(Source):
    """A column of the table that is kept as it is, beside ours."""

    table: Literal["patients", "nodules"] = "nodules"


class Readers(MapPart):
    """Columns that hold readers' calls of a target, one reader a column."""

    columns: list[str] | dict[str, str] = Field(min_length=1, description="headings, or heading: reader_id")
    target: str
    condition: str = "unaided"
    values: dict[str, str] = Field({}, description="what stands there: the class, '' for no call")
    experience: dict[str, Literal["junior", "intermediate", "senior"]] = Field({}, description="by reader_id")

    @field_validator("values", mode="before")
    @classmethod
    def _values_are_cells(cls, values: object) -> object:
        return _cells(values)

    def readers(self) -> dict[str, str]:
        """Return the reader of each heading."""
        return self.columns if isinstance(self.columns, dict) else {heading: heading for heading in self.columns}


class JoinRule(MapPart):
    """Which rows and pictures belong together: every heading of ``match`` equals its key of the picture."""

    match: dict[str, str] = Field(min_length=1, description="heading: key of the picture")
    pattern: str | None = Field(None, description="a regular expression with named groups, searched in the file's path")
    leading_zeros: Literal["keep", "ignore"] = Field("keep", description="whether '007' and '7' are different")

    @field_validator("pattern")
    @classmethod
    def _has_groups(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        if not re.compile(compiled(pattern)).groupindex:
            raise ValueError("give it a named group, such as (?P<number>[0-9]+)")
        return pattern

    def groups(self) -> tuple[str, ...]:
        """Return the names of the pattern's groups."""
        return tuple(re.compile(self.pattern).groupindex) if self.pattern else ()


class ModalityRule(MapPart):
    """What kind of picture each is, told by its path; a table's column ``modality`` goes before it."""

    default: Modality = Field("bmode", description="a bmode clip is cine by itself")
    patterns: dict[Modality, str] = Field({}, description="modality: a regular expression searched in the file's path")

    @field_validator("patterns")
    @classmethod
    def _are_expressions(cls, patterns: dict[str, str]) -> dict[str, str]:
        for pattern in patterns.values():
            compiled(pattern)
        return patterns

    def of(self, file: str) -> Modality:
        """Return the modality of a picture by its path: the first pattern that is found, or the default."""
        return next((kind for kind, pattern in self.patterns.items() if re.search(pattern, file)), self.default)


class TableRule(MapPart):
    """How the table is read; all of it is found out by itself where it is left out."""

    sheet: str | None = Field(None, description="name of a workbook's sheet; default: the first that holds a table")
    header_row: int = Field(1, ge=1, le=100, description="the row that holds the headings")
    encoding: Literal["utf-8", "gb18030"] | None = None
    delimiter: Literal[",", ";", "\t"] | None = None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
