"""What ``bundle.yaml`` says of how sure an answer is: limits of a prediction set, and a band that is referred."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]


class ReferBand(BaseModel):
    """Between which calibrated probabilities of the positive class a case is left to somebody else.

    Parameters
    ----------
    low, high : float
        Around the threshold; a probability of exactly one of them is not referred.
    share : float
        Of the out-of-fold cases that lay between them: the least certain ones.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    share: Annotated[float, Field(ge=0, lt=1)]


class AnswerSpec(BaseModel):
    """``answer`` in ``bundle.yaml``: frozen with calibration and threshold, on the same out-of-fold predictions.

    Parameters
    ----------
    level : float
        Share of new patients whose class the set is made to hold, each class by itself.
    limits : dict
        Class code to the most that 1 less its calibrated probability may be for it to stand in a set; None where the
        class has too few groups for the level: it then stands in every set.
    groups : dict
        Class code to the groups of patients that its limit rests on.
    refer : ReferBand, optional
        Of two classes; of several a set of other than one class is referred.
    chosen_on : str
        On which predictions.
    method : str
        How the limits were found.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    level: Share
    limits: dict[str, Annotated[float, Field(ge=0, le=1)] | None] = Field(min_length=2)
    groups: dict[str, Annotated[int, Field(ge=0)]]
    refer: ReferBand | None = None
    chosen_on: str
    method: Literal["split conformal, a limit for each class"] = "split conformal, a limit for each class"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.limits) != list(self.groups):
            raise ValueError("answer has other classes in groups than in limits")
        if (self.refer is None) != (len(self.limits) > 2):
            raise ValueError("answer has a band of two classes, and of several none")
        return self

    @property
    def open(self) -> list[str]:
        """The classes that stand in every set, for want of patients."""
        return [code for code, limit in self.limits.items() if limit is None]

    def check(self, classes: Iterable[str], threshold: float | None, calibrated: bool) -> None:
        """Raise a ValueError where it is not of this model: its classes, its threshold, its calibration."""
        if list(self.limits) != list(classes):
            raise ValueError("answer.limits are not of the bundle's classes in their order")
        if not calibrated:
            raise ValueError("answer holds limits of calibrated probabilities, and the bundle has no calibration")
        if self.refer is not None and (threshold is None or not self.refer.low <= threshold <= self.refer.high):
            raise ValueError("answer.refer does not hold the threshold")
