"""``cohort.yaml``: what a cohort is called, whose it is, and what there is to predict."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from isthmus.errors import CohortError
from isthmus.files import read_yaml, write_yaml

FORMAT = "isthmus-cohort/1.0"
FILE = "cohort.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Strict):
    """One thing to predict.

    Parameters
    ----------
    name : str
        Its name on the command line and in tables.
    column : str
        The label's column in ``table``; blank cells are unlabelled.
    table : {'nodules', 'patients'}
        Where the column stands.
    unit : {'nodule', 'patient'}
        What the label belongs to.
    classes : dict
        Label value to shown name, in order; the last is the positive class.
    aggregation : dict
        How views make a nodule's and nodules a patient's probability.
    reference : {'surgery', 'cytology', 'follow_up', 'tirads', 'mixed'}
        Where the labels come from.
    """

    name: str = Field(min_length=1)
    column: str = Field(min_length=1)
    table: Literal["nodules", "patients"]
    unit: Literal["nodule", "patient"]
    classes: dict[str, str] = Field(min_length=2)
    aggregation: dict[Literal["nodule", "patient"], Literal["mean", "maximum"]] = {
        "nodule": "mean",
        "patient": "maximum",
    }
    reference: Literal["surgery", "cytology", "follow_up", "tirads", "mixed"]

    @field_validator("classes", mode="before")
    @classmethod
    def _codes_are_text(cls, classes: object) -> object:
        # YAML reads an unquoted 0 as a number; a label is text everywhere.
        if isinstance(classes, dict):
            return {str(code) if type(code) is int else code: shown for code, shown in classes.items()}
        return classes

    @model_validator(mode="after")
    def _unit_has_its_table(self) -> "Target":
        if (self.table == "nodules") != (self.unit == "nodule"):
            raise ValueError(f"a label of the {self.unit} stands in {self.unit}s.csv, not in {self.table}.csv")
        return self


class ReadScale(_Strict):
    """The scale of ``reads.csv``'s ``score``.

    Parameters
    ----------
    low, high : float
        Its ends.
    higher_is : {'positive', 'negative'}
        Whether a higher score speaks for or against the positive class.
    """

    low: float
    high: float
    higher_is: Literal["positive", "negative"]

    @model_validator(mode="after")
    def _ends_in_order(self) -> "ReadScale":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self


class Description(_Strict):
    """The content of ``cohort.yaml``.

    Parameters
    ----------
    name, licence, citation : str
        Shown in every report.
    simulated : bool
        Marks every page, figure, card and DICOM object made from it.
    patient_ids : {'real', 'absent'}
        Whether pictures of one patient can be told to belong together.
    remarks : list of str
        What a reader of a report should know of the source; shown in every report.
    targets : dict of str to Target
        Empty where no label is known: such a cohort can be looked at, and nothing is learnt from it.
    reads : ReadScale, optional
        The scale of ``reads.csv``; needed where that has scores.
    """

    name: str = Field(min_length=1)
    licence: str
    citation: str
    simulated: bool = False
    patient_ids: Literal["real", "absent"] = "real"
    remarks: list[str] = []
    targets: dict[str, Target]
    reads: ReadScale | None = None

    @field_validator("targets", mode="before")
    @classmethod
    def _names_from_keys(cls, targets: object) -> object:
        if isinstance(targets, dict):
            return {
                name: {"name": name, **target} if isinstance(target, dict) else target
                for name, target in targets.items()
            }
        return targets


def read_description(folder: Path) -> Description:
    """Read and check a cohort folder's ``cohort.yaml``.

    Raises
    ------
    CohortError
        With every wrong key.
    InputError
        When it is missing, no YAML, or of another format.
    """
    path = folder / FILE
    if not folder.is_dir():
        raise CohortError(
            "no such cohort folder", where=str(folder), hint="make one with 'isthmus cohort import' or 'simulate'"
        )
    if not path.is_file():
        inside = sorted(str(place.parent) for place in [*folder.glob(f"*/{FILE}"), *folder.glob(f"*/*/{FILE}")])
        make = "make a cohort of these files with 'isthmus cohort import'"
        hint = f"there are cohorts in it: {', '.join(inside[:5])}" if inside else make
        raise CohortError(f"no {FILE} here", where=str(folder), expected="a cohort folder", hint=hint)
    content = read_yaml(path, name="cohort")
    try:
        return Description.model_validate({key: value for key, value in content.items() if key != "format"})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CohortError(f"wrong entries: {wrong}", where=str(path)) from error


def write_description(folder: Path, description: Description) -> None:
    """Write ``cohort.yaml``."""
    content = description.model_dump(exclude_none=True)
    for target in content["targets"].values():
        del target["name"]
    write_yaml(folder / FILE, {"format": FORMAT, **content})
