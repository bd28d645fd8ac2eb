"""How a network looks at several modalities at once. Importing this imports no torch."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from isthmus.tables.vocabulary import MODALITY


class JoinSpec(BaseModel):
    """What makes one network of one for a single picture.

    Parameters
    ----------
    modalities : tuple of str
        In the order in which the prepared pictures of a view stand.
    how : {'branches', 'pooled'}
        A branch for each modality, or one network for the pictures of all that is told which modality it sees.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    modalities: tuple[str, ...] = Field(min_length=1, max_length=6, description="in the order of the prepared pictures")
    how: Literal["branches", "pooled"] = Field(description="a branch for each, or one network told which it sees")

    @field_validator("modalities")
    @classmethod
    def _known_and_each_once(cls, modalities: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in modalities if name not in MODALITY]:
            raise ValueError(f"unknown: {', '.join(unknown)}; expected {', '.join(MODALITY)}")
        if len(set(modalities)) < len(modalities):
            raise ValueError("a modality is named twice")
        return modalities
