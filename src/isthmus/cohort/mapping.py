"""``map.yaml``: how a hospital's table and pictures become a cohort. What it lacks is asked for, not guessed."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from isthmus.errors import InputError
from isthmus.files import read_yaml, write_text
from isthmus.tables.vocabulary import MODALITY

FORMAT = "isthmus-map/1.0"
PICTURE_KEYS = ("file", "name", "stem", "folder")
"""What every picture can be joined by: its path in the source, its file name, that without suffix, its first folder."""
UNITS_MM = {"mm": 1.0, "cm": 10.0}
UNITS_YEARS = {"years": 1.0, "months": 1 / 12, "days": 1 / 365.25}

Modality = Literal["bmode", "cine", "ceus", "smi", "swe", "doppler"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _texts(values: object) -> object:
    # YAML reads an unquoted 1 as a number and `yes` as true; what stands in a table is text.
    if not isinstance(values, dict):
        return values
    return {_as_text(key): _as_text(value) for key, value in values.items()}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value) if isinstance(value, int | float) else value


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


class Source(_Part):
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
    def _values_are_text(cls, values: object) -> object:
        return _texts(values)

    @field_validator("constant", "heading", mode="before")
    @classmethod
    def _constant_is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if sum(origin is not None for origin in (self.heading, self.key, self.constant)) != 1:
            raise ValueError("give one of heading, key, constant")
        return self


class BoxSource(_Part):
    """A lesion's box from columns of the table, in pixels of the picture as it stands in the source."""

    headings: list[str] = Field(min_length=1, max_length=4, description="four columns, or one with four numbers")
    form: Literal["corners", "size"] = Field("corners", description="x0 y0 x1 y1, or x0 y0 width height")

    @model_validator(mode="after")
    def _four_or_one(self) -> "BoxSource":
        if len(self.headings) not in (1, 4):
            raise ValueError("headings: name one column or four")
        return self


class Columns(_Part):
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
    box: BoxSource | None = None

    def sources(self) -> dict[str, Source]:
        """Return what is mapped, without the box, by our column."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: source for name, source in found.items() if isinstance(source, Source)}


class TargetSource(_Part):
    """A label: where it stands, what its values mean."""

    heading: str | None = None
    key: str | None = None
    values: dict[str, str] = Field({}, description="what stands there: the class, '' for no label")
    unit: Literal["nodule", "patient"] = "nodule"
    classes: dict[str, str] = Field(min_length=2, description="class: its name; the last is the positive one")
    reference: Literal["surgery", "cytology", "follow_up", "tirads", "mixed"]

    @field_validator("values", "classes", mode="before")
    @classmethod
    def _values_are_text(cls, values: object) -> object:
        return _texts(values)

    @model_validator(mode="after")
    def _known_classes(self) -> "TargetSource":
        wrong = sorted(set(self.values.values()) - set(self.classes) - {""})
        if wrong:
            raise ValueError(f"values lead to {', '.join(map(repr, wrong))}, which is no class")
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


class Readers(_Part):
    """Columns that hold readers' calls of a target, one reader a column."""

    columns: list[str] | dict[str, str] = Field(min_length=1, description="headings, or heading: reader_id")
    target: str
    condition: str = "unaided"
    values: dict[str, str] = Field({}, description="what stands there: the class, '' for no call")
    experience: dict[str, Literal["junior", "intermediate", "senior"]] = Field({}, description="by reader_id")

    @field_validator("values", mode="before")
    @classmethod
    def _values_are_text(cls, values: object) -> object:
        return _texts(values)

    def readers(self) -> dict[str, str]:
        """Return the reader of each heading."""
        return self.columns if isinstance(self.columns, dict) else {heading: heading for heading in self.columns}


class JoinRule(_Part):
    """Which rows and pictures belong together: every heading of ``match`` equals its key of the picture."""

    match: dict[str, str] = Field(min_length=1, description="heading: key of the picture")
    pattern: str | None = Field(None, description="a regular expression with named groups, searched in the file's path")
    leading_zeros: Literal["keep", "ignore"] = Field("keep", description="whether '007' and '7' are different")

    @field_validator("pattern")
    @classmethod
    def _has_groups(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        if not re.compile(_compiled(pattern)).groupindex:
            raise ValueError("give it a named group, such as (?P<number>[0-9]+)")
        return pattern

    def groups(self) -> tuple[str, ...]:
        """Return the names of the pattern's groups."""
        return tuple(re.compile(self.pattern).groupindex) if self.pattern else ()


class ModalityRule(_Part):
    """What kind of picture each is, told by its path; a table's column ``modality`` goes before it."""

    default: Modality = Field("bmode", description="a bmode clip is cine by itself")
    patterns: dict[Modality, str] = Field({}, description="modality: a regular expression searched in the file's path")

    @field_validator("patterns")
    @classmethod
    def _are_expressions(cls, patterns: dict[str, str]) -> dict[str, str]:
        for pattern in patterns.values():
            _compiled(pattern)
        return patterns

    def of(self, file: str) -> Modality:
        """Return the modality of a picture by its path: the first pattern that is found, or the default."""
        return next((kind for kind, pattern in self.patterns.items() if re.search(pattern, file)), self.default)


class TableRule(_Part):
    """How the table is read; all of it is found out by itself where it is left out."""

    sheet: str | None = Field(None, description="name of the sheet of a workbook; default: its only or first one")
    header_row: int = Field(1, ge=1, le=100, description="the row that holds the headings")
    encoding: Literal["utf-8", "gb18030"] | None = None
    delimiter: Literal[",", ";", "\t"] | None = None


class CohortMap(_Part):
    """The whole of ``map.yaml``; see `docs/import.md`."""

    name: str = Field(min_length=1)
    licence: str = "not stated"
    citation: str = "none"
    remarks: list[str] = []
    table: TableRule = TableRule()
    join: JoinRule
    nodules: Literal["one_per_patient", "one_per_row"] = Field(
        "one_per_patient", description="what rows are where there is no nodule_id"
    )
    columns: Columns
    identifying: list[str] = Field([], description="headings with names, telephone numbers …: never copied")
    targets: dict[str, TargetSource] = Field(min_length=1)
    extra: dict[str, ExtraSource] = {}
    reads: Readers | None = None
    modality: ModalityRule = ModalityRule()
    frame_folders: str | None = Field(None, description="a regular expression: folders whose path has it are clips")
    screen: Literal["keep", "black"] = Field("keep", description="what stands outside the scan area of a picture")
    dates: Literal["relative", "drop"] = Field("relative", description="days since the patient's first examination")

    @field_validator("frame_folders")
    @classmethod
    def _is_expression(cls, pattern: str | None) -> str | None:
        return _compiled(pattern) if pattern is not None else None

    @model_validator(mode="after")
    def _fits_together(self) -> "CohortMap":
        if self.reads is not None and self.reads.target not in self.targets:
            raise ValueError(f"reads.target {self.reads.target!r} is none of the targets: {', '.join(self.targets)}")
        ours = {*Columns.model_fields, "group_id"}
        for name in [*self.targets, *self.extra]:
            if name in ours or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"{name!r} cannot name a column of its own: small letters, digits and _, none of ours")
        twice = sorted(set(self.targets) & set(self.extra))
        if twice:
            raise ValueError(f"{twice[0]!r} stands in targets and in extra")
        copied = {source.heading for source in self.all_sources().values() if source.heading}
        shown = sorted(copied & set(self.identifying) - {self.columns.patient_id.heading})
        if shown:
            raise ValueError(f"{shown[0]!r} is identifying and would be copied")
        return self

    def all_sources(self) -> dict[str, Source]:
        """Return every mapped value's source by our column: columns, targets, extra."""
        targets = {name: target.source for name, target in self.targets.items()}
        return {**self.columns.sources(), **targets, **self.extra}

    def headings(self) -> list[str]:
        """Return every heading that the map names, in its order."""
        named = [*self.join.match, *(source.heading for source in self.all_sources().values() if source.heading)]
        named += self.columns.box.headings if self.columns.box else []
        named += self.reads.readers() if self.reads else []
        return list(dict.fromkeys(named))


def read_map(path: Path) -> CohortMap:
    """Read and check a map.

    Raises
    ------
    InputError
        With every wrong entry; an unknown key with the nearest one.
    """
    content = read_yaml(path, name="map")
    try:
        return CohortMap.model_validate({key: value for key, value in content.items() if key != "format"})
    except ValidationError as error:
        wrong = "".join(f"\n  {_in_words(item['loc'], item['type'], item['msg'])}" for item in error.errors())
        raise InputError(f"the map has {error.error_count()} wrong entries:{wrong}", where=str(path)) from error


def write_map(path: Path, text: str) -> None:
    """Write a map's text; an existing file is never overwritten.

    Raises
    ------
    InputError
        When the file exists.
    """
    if path.exists():
        raise InputError("a map is here already and is not overwritten", where=str(path), hint=f"--map {path}")
    write_text(path, text)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known word, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _in_words(steps: tuple[int | str, ...], kind: str, message: str) -> str:
    place = ".".join(str(step) for step in steps) or "the map"
    if kind == "extra_forbidden":
        return f"{place}: unknown key; {nearest(str(steps[-1]), _fields_at(steps[:-1]))}"
    if kind == "literal_error" and steps and str(steps[-1]) == "[key]":
        return f"{place}: no such modality; expected {', '.join(MODALITY)}"
    return f"{place}: {'it is needed' if kind == 'missing' else message.removeprefix('Value error, ')}"


def _fields_at(steps: Iterable[int | str]) -> list[str]:
    model: Any = CohortMap
    for step in steps:
        annotation = model
        if isinstance(model, type) and issubclass(model, BaseModel):
            annotation = model.model_fields[str(step)].annotation
        elif get_origin(model) is dict:
            annotation = get_args(model)[1]
        if get_origin(annotation) in (Union, UnionType):
            annotation = next(option for option in get_args(annotation) if option is not type(None))
        model = annotation
    return [*model.model_fields] if isinstance(model, type) and issubclass(model, BaseModel) else []
