"""The head of late fusion: the mean of the log odds of the members that a case has. Nothing in it is fitted.

Each member's log odds are those of the probability that it gives by itself, without what class weights added. The mean
of log odds is the geometric mean of the odds (logarithmic pooling: C. Genest, J. V. Zidek, Statistical Science 1 (1986)
114-135); a member that is absent says nothing, and the others are averaged.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.special import expit

from isthmus.errors import BundleError, InputError
from isthmus.files import make_folder, read_json, write_json
from isthmus.models.fused_columns import WhereAbsent, checked, usable
from isthmus.statistics.inputs import BoolArray, FloatArray

FORMAT: Final = "isthmus-mean-head/1.0"
LOG_ODDS: Final = "log_odds"
MEAN: Final = "mean"
"""What stands in the place of a classifier."""
_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, eq=False)
class MeanHead:
    """The mean over members; beside it what :class:`isthmus.models.fused.FusedHead` has, for those who ask a head.

    Parameters
    ----------
    columns : tuple of D str
        ``<member>:log_odds``.
    shifts : ndarray [D]
        What class weights added to each member's log odds.
    """

    columns: tuple[str, ...]
    shifts: FloatArray

    indicators: tuple[tuple[str, int], ...] = ()
    where_absent: WhereAbsent = "mean"
    rotation: None = None

    @property
    def kept(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """All columns."""
        return np.arange(len(self.columns))

    @property
    def selected(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """All columns."""
        return self.kept

    def scored(self, features: FloatArray) -> BoolArray:
        """Return which examples [N] have a member."""
        return usable(features, self.columns, self.where_absent)

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return the probability of the positive class, float64 [N], of log odds [N, D]; NaN where no member is there.

        Examples
        --------
        >>> head = MeanHead(("image:log_odds", "map:log_odds"), np.zeros(2))
        >>> head.probabilities(np.array([[1.0, -1.0], [1.0, np.nan], [np.nan, np.nan]])).round(3).tolist()
        [0.5, 0.731, nan]
        """
        found = np.full(len(features), np.nan)
        there = self.scored(features)
        found[there] = self.of_kept(self.kept_scores(features)[there])
        return found

    def kept_scores(self, features: FloatArray) -> FloatArray:
        """Return the members' log odds [N, D] without what class weights added; NaN where a member is absent."""
        return np.asarray(checked(features, self.columns) - self.shifts)

    def of_kept(self, scores: FloatArray) -> FloatArray:
        """Return the probabilities [N] of log odds [N, D]; 0.5 where nobody says anything."""
        there = ~np.isnan(scores)
        mean = np.where(there, scores, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        return np.asarray(expit(mean), np.float64)

    def write(self, folder: Path) -> None:
        """Write ``head.json`` into a folder, which is made where it is not there."""
        make_folder(Path(folder))
        written = _Written(columns=list(self.columns), shifts=[float(shift) for shift in self.shifts])
        write_json(Path(folder) / "head.json", written.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> "MeanHead | None":
        """Read a head; None where the folder's ``head.json`` is of another kind, or there is none.

        Raises
        ------
        BundleError
            When it is not valid.
        """
        path = Path(folder) / "head.json"
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        try:
            content = read_json(path)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                return None
            found = _Written.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "head"
            raise BundleError(f"head.json is not valid: {place}: {first['msg']}", where=str(path)) from error
        except InputError as error:
            raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
        return cls(tuple(found.columns), np.asarray(found.shifts, np.float64))


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["isthmus-mean-head/1.0"] = FORMAT
    columns: list[str] = Field(min_length=1, max_length=32)
    shifts: list[float] = Field(max_length=32)

    @model_validator(mode="after")
    def _a_shift_a_member(self) -> "_Written":
        if len(self.shifts) != len(self.columns) or not np.isfinite(self.shifts).all():
            raise ValueError("columns and shifts do not match")
        if any(name.rpartition(":")[2] != LOG_ODDS for name in self.columns):
            raise ValueError("a column is no member's log odds")
        return self
