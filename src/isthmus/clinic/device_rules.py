"""Which instances of a study are looked at, and as what: told by the header, and where a scanner says little by rules.

A rule names what an instance must have; the first rule that fits decides. An instance that none fits is what its
ultrasound regions and Image Type say (:func:`isthmus.cohort.sources.dicom_files.modality_told`).
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import InputError
from isthmus.files import read_yaml
from isthmus.imaging.clip import Modality

FORMAT = "isthmus-device-rules/1.0"
LEFT_OUT = "leave_out"


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_is_pattern)]
"""A regular expression that is searched for, whatever the case of letters."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceRule(_Said):
    """What an instance must have, all of it, and what it then is.

    Parameters
    ----------
    manufacturer, model, series_description : str, optional
        Patterns of Manufacturer, Manufacturer's Model Name and Series Description.
    image_type : list of str
        Values that Image Type (0008,0008) has.
    region_data_type : list of int
        Region Data Types (0018,6014) of which one region has one.
    frames_from, frames_to : int, optional
        Fewest and most frames.
    secondary_capture : bool
        Whether it is of screen captures, which are left out otherwise.
    modality : str
        What it is: ``bmode``, ``cine``, ``ceus``, ``smi``, ``swe``, ``doppler``; or ``leave_out``.
    scan_area : four numbers, optional
        Where the ultrasound picture lies on this device's screen, ``[x0, y0, x1, y1]``.
    """

    manufacturer: Pattern | None = None
    model: Pattern | None = None
    series_description: Pattern | None = None
    image_type: list[str] = []
    region_data_type: list[int] = []
    frames_from: int | None = Field(None, ge=1)
    frames_to: int | None = Field(None, ge=1)
    secondary_capture: bool = False
    modality: Modality | Literal["leave_out"]
    scan_area: tuple[float, float, float, float] | None = None

    @staticmethod
    def found(pattern: str, text: str) -> bool:
        """Whether a pattern is found in a text."""
        return re.search(pattern, text, re.IGNORECASE) is not None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.frames_from is not None and self.frames_to is not None and self.frames_to < self.frames_from:
            raise ValueError("frames_to is smaller than frames_from")
        if self.scan_area is not None:
            x0, y0, x1, y1 = self.scan_area
            if not (0 <= x0 < x1 and 0 <= y0 < y1):
                raise ValueError("scan_area is x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        return self


class DeviceRules(_Said):
    """Rules in the order in which they are tried.

    Parameters
    ----------
    rules : list of DeviceRule
        None by default: the headers alone decide.
    join_within_s : float
        Pictures of several modalities that a model looks at together lie at most this far apart in time.
    """

    format: str = Field(FORMAT, pattern=r"^isthmus-device-rules/1\.\d+$")
    rules: list[DeviceRule] = []
    join_within_s: float = Field(300.0, gt=0, allow_inf_nan=False)


def read_device_rules(path: Path) -> DeviceRules:
    """Return the rules of a YAML file.

    Raises
    ------
    InputError
        When the file cannot be read or says something that is not known.
    """
    content: Any = read_yaml(path, name="device-rules")
    try:
        return DeviceRules.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{place}: {first['msg']}", where=str(path), expected="see docs/dicom_results.md") from error
