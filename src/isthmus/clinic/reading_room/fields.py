"""Types of what comes in: every text, number and choice of a request is one of these, so nothing wild gets through.

PostgreSQL refuses a NUL in a text and SQLite a number of more than 64 bits; both would be a 500.
"""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _without_controls(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise ValueError("no control characters")
    return text


def _without_controls_but_line_ends(text: str) -> str:
    _without_controls(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))
    return text


# One line that a person typed; a remark of several lines; a password, of which every character counts.
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_without_controls)]
Prose = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_without_controls_but_line_ends)]
Secret = Annotated[str, StringConstraints(max_length=1024)]
# The number of a row, in a path, a query or a body.
RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Language = Literal["en", "zh"]
Mode = Literal["system", "light", "dark"]


class Body(BaseModel):
    """A JSON body: what it does not know is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
