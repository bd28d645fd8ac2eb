"""``map.yaml``: how a hospital's table and pictures become a cohort. What it lacks is asked for, not guessed."""

import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from isthmus.cohort.description import Description, Target
from isthmus.cohort.map_parts import (
    Columns,
    ExtraSource,
    JoinRule,
    MapPart,
    ModalityRule,
    Readers,
    Source,
    TableRule,
    TargetSource,
    compiled,
    nearest,
)
from isthmus.errors import InputError
from isthmus.files import read_yaml, write_text
from isthmus.tables.vocabulary import MODALITY

FORMAT = "isthmus-map/1.0"


class CohortMap(MapPart):
    """The whole of ``map.yaml``; see `docs/import.md`."""

    name: str = Field(min_length=1)
    licence: str = "not stated"
    citation: str = "none"
    remarks: list[str] = Field(default_factory=list)
    table: TableRule = TableRule()
    join: JoinRule
    nodules: Literal["one_per_patient", "one_per_row"] = Field(
        "one_per_patient", description="what rows are where there is no nodule_id"
    )
    columns: Columns
    identifying: list[str] = Field([], description="headings with names, telephone numbers …: never copied")
    targets: dict[str, TargetSource] = Field(description="{} where no label is known")
    extra: dict[str, ExtraSource] = Field(default_factory=dict)
    reads: Readers | None = None
    modality: ModalityRule = ModalityRule()
    frame_folders: str | None = Field(None, description="a regular expression: folders whose path has it are clips")
    screen: Literal["keep", "black"] = Field("keep", description="what stands outside the scan area of a picture")
    dates: Literal["relative", "drop"] = Field("relative", description="days since the patient's first examination")

    @field_validator("frame_folders")
    @classmethod
    def _is_expression(cls, pattern: str | None) -> str | None:
        return compiled(pattern) if pattern is not None else None

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

    def description(self, unusable_cells: int) -> Description:
        """Return what `cohort.yaml` will say; how many cells could not be used is among its remarks."""
        targets = {
            name: Target(
                name=name,
                column=name,
                table="nodules" if target.unit == "nodule" else "patients",
                unit=target.unit,
                classes=target.classes,
                reference=target.reference,
            )
            for name, target in self.targets.items()
        }
        plural = "s" if unusable_cells > 1 else ""
        told = [f"{unusable_cells} cell{plural} of the source table could not be used"] if unusable_cells else []
        return Description(
            name=self.name,
            licence=self.licence,
            citation=self.citation,
            remarks=[*self.remarks, *told],
            targets=targets,
        )

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
    content = read_yaml(path, name="map", texts=True)
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
