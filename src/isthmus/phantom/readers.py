"""Simulated readers: what a preset sets of them."""

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import ndtri

Experience = Literal["junior", "intermediate", "senior"]

SCALE: Final = (0.0, 100.0)
"""Ends of the score: 50 is undecided; at 50 and above the reader calls the case positive."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VarianceComponents(_Strict):
    """Variances of a reader's latent evidence (C. A. Roe, C. E. Metz, Acad Radiol 4 (1997) 298-303).

    As there, ``case + reader_case + error`` is 1. The defaults are the sums, for one modality, of their structure with
    highly correlated data and low reader variance (reader 0.0055 + 0.0055, case 0.3 + 0.3).

    Parameters
    ----------
    reader : float
        Between readers of one group: one draw a reader and class.
    case : float
        Between cases, shared by all readers: what makes a case hard for everyone, models included.
    reader_case : float
        How differently readers see one case.
    error : float
        How differently one reader reads one case twice.
    """

    reader: float = Field(0.011, ge=0, le=1)
    case: float = Field(0.6, ge=0, le=1)
    reader_case: float = Field(0.2, ge=0, le=1)
    error: float = Field(0.2, ge=0, le=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "VarianceComponents":
        if abs(self.case + self.reader_case + self.error - 1) > 1e-9:
            raise ValueError("case + reader_case + error must be 1")
        return self


class ReaderGroup(_Strict):
    """Readers of one experience.

    Parameters
    ----------
    readers : int
        How many, 1 to 20.
    auc : float
        Expected AUC of one of them without help, 0.55 to 0.995; of each pair of classes where there are several.
    criterion : float
        What they call positive, as the criterion c of signal detection theory in standard deviations: 0 is midway
        between the classes, negative is the eager side. Two classes only.
    criterion_sd : float
        Standard deviation of ``criterion`` between the readers.
    seconds : float
        Median time of an unaided read.
    aided_seconds : float
        Median time that the model's result adds to it.
    reliance : float
        Weight of the model's evidence in an aided read, 0 (ignored) to 1 (nothing else counts).
    over_reliance : float
        Probability that the reader takes over the model's call unseen, right or wrong.
    """

    readers: int = Field(ge=1, le=20)
    auc: float = Field(ge=0.55, le=0.995)
    criterion: float = Field(0.0, ge=-2, le=2)
    criterion_sd: float = Field(0.0, ge=0, le=1)
    seconds: float = Field(gt=0, le=3600)
    aided_seconds: float = Field(8.0, gt=0, le=3600)
    reliance: float = Field(ge=0, le=1)
    over_reliance: float = Field(0.0, ge=0, le=1)


class ReaderSettings(_Strict):
    """The readers of a preset.

    Parameters
    ----------
    observer : str
        The modality observer (e.g. ``bmode`` or ``bmode+smi+swe``) whose evidence says which cases are hard.
    groups : dict of str to ReaderGroup
        By experience.
    variance : VarianceComponents
        Shared by the groups.
    seconds_spread : float
        Standard deviation of the logarithm of a read's time.
    """

    observer: str = Field(min_length=1)
    groups: dict[Experience, ReaderGroup] = Field(min_length=1)
    variance: VarianceComponents = VarianceComponents()
    seconds_spread: float = Field(0.4, ge=0, le=1.5)

    def readers(self) -> Iterator[tuple[int, str, Experience, ReaderGroup]]:
        """Give each reader's number, id, experience and group."""
        number = 0
        for experience, group in self.groups.items():
            for place in range(group.readers):
                yield number, f"{experience}-{place + 1}", experience, group
                number += 1


def separation(auc: float, variance: VarianceComponents) -> float:
    """Return the distance between two classes' means at which readers have this expected AUC.

    ``AUC = Phi(mu / sqrt(2 V))`` with V the sum of all variances (Hillis 2018, equation 4 without modality terms).

    Examples
    --------
    >>> round(separation(0.702, VarianceComponents(reader=0.0)), 2)  # Roe and Metz's mu of 0.75
    0.75
    """
    return float(np.sqrt(2 * (1 + variance.reader)) * ndtri(auc))
