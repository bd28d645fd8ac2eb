"""The head of a fused model: everything between the members' embeddings and a probability, and its folder.

``head.json`` (columns, means, what was kept, the classifier's file and its SHA-256) and that file. Nothing in it is
executed when it is read, and there is no pickle.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import BundleError, InputError
from isthmus.files import make_folder, read_json, write_bytes, write_json
from isthmus.models.fused_classifier import FittedClassifier, read_model
from isthmus.models.fused_columns import WhereAbsent, checked, component_names, usable
from isthmus.models.skops_file import LARGEST_FILE
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.inputs import BoolArray, FloatArray

_FORMAT = "isthmus-fused-head/1.0"

Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class FusedHead:
    """One fitted head.

    Features pass through it in this order: indicators of absence are appended, z-scores, the kept columns, the
    rotation to principal components where there is one, the selected of these, the classifier.

    Parameters
    ----------
    columns : tuple of D str
        Names of the features, each ``<member>:<name>``.
    indicators : tuple of (str, int)
        Name of each of I indicators, and the column whose absence it marks.
    where_absent : str
        ``mean`` or ``leave_out``.
    means, deviations : ndarray [D + I]
        Of the fitted examples; a constant feature has deviation 1 and is not kept.
    kept : ndarray of int [F]
        Columns and indicators that were neither constant nor correlated.
    rotation : ndarray [C, F], optional
        Principal axes, one a row.
    selected : ndarray of int [S]
        Of the F features, or of the C components.
    classifier : FittedClassifier
        Of the S selected.
    """

    columns: tuple[str, ...]
    indicators: tuple[tuple[str, int], ...]
    where_absent: WhereAbsent
    means: FloatArray
    deviations: FloatArray
    kept: Places
    rotation: FloatArray | None
    selected: Places
    classifier: FittedClassifier

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of what the selection chose from: kept columns and indicators, or components."""
        if self.rotation is not None:
            return component_names(len(self.rotation))
        names = (*self.columns, *(name for name, _ in self.indicators))
        return tuple(names[index] for index in self.kept)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the S features that the classifier sees."""
        return tuple(self.candidates[index] for index in self.selected)

    def scored(self, features: FloatArray) -> BoolArray:
        """Return which examples [N] get a probability: at least one member is there, or all under ``leave_out``."""
        return usable(features, self.columns, self.where_absent)

    def transform(self, features: FloatArray) -> FloatArray:
        """Return what the classifier sees, float64 [N, S], of features [N, D] with NaN where something is absent.

        Raises
        ------
        InputError
            When the features have other columns or are infinite.
        """
        return np.ascontiguousarray(self._selected_of(self.kept_scores(features)))

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return the probability of the positive class, float64 [N]; NaN for examples that are not scored.

        Raises
        ------
        InputError
            As :meth:`transform`.
        """
        scored = self.scored(features)
        found = np.full(len(scored), np.nan)
        found[scored] = self.classifier.probabilities(self.transform(np.asarray(features)[scored]))
        return found

    def kept_scores(self, features: FloatArray) -> FloatArray:
        """Return the z-scores [N, F] of the kept columns and indicators, 0 where something is absent."""
        values = checked(features, self.columns)
        marks = np.isnan(values[:, [place for _, place in self.indicators]]).astype(np.float64)
        scores = (np.concatenate([values, marks], axis=1) - self.means) / self.deviations
        return np.nan_to_num(scores[:, self.kept], nan=0.0)

    def of_kept(self, scores: FloatArray) -> FloatArray:
        """Return the probabilities [N] of z-scores [N, F] from :meth:`kept_scores`."""
        return self.classifier.probabilities(np.ascontiguousarray(self._selected_of(scores)))

    def _selected_of(self, scores: FloatArray) -> FloatArray:
        candidates = scores if self.rotation is None else scores @ self.rotation.T
        return np.asarray(candidates[:, self.selected])

    def write(self, folder: Path) -> None:
        """Write ``head.json`` and the classifier's file into a folder, which is made where it is not there.

        Raises
        ------
        OutputError
            When the system refuses.
        """
        folder = Path(folder)
        make_folder(folder)
        file, content = self.classifier.file()
        write_bytes(folder / file, content)
        calibration = self.classifier.calibration
        written = _Written(
            format=_FORMAT,
            columns=list(self.columns),
            indicators=list(self.indicators),
            where_absent=self.where_absent,
            means=self.means.tolist(),
            deviations=self.deviations.tolist(),
            kept=self.kept.tolist(),
            rotation=None if self.rotation is None else self.rotation.tolist(),
            selected=self.selected.tolist(),
            classifier=_WrittenClassifier(
                name=self.classifier.name,
                file=file,
                sha256=hashlib.sha256(content).hexdigest(),
                log_prior_shift=self.classifier.log_prior_shift,
                calibration=None if calibration is None else calibration.as_dict(),
            ),
        )
        write_json(folder / "head.json", written.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> "FusedHead":
        """Read a head; the classifier's SHA-256 is checked before it is built.

        Raises
        ------
        BundleError
            When a file is absent, altered, too large or contradicts itself.
        """
        folder = Path(folder)
        path = folder / "head.json"
        _bounded(path)
        try:
            found = _Written.model_validate(read_json(path, name="fused-head"))
        except ValidationError as error:
            first = error.errors()[0]
            raise BundleError(
                f"head.json is not valid: {'.'.join(map(str, first['loc'])) or 'head'}: {first['msg']}", where=str(path)
            ) from error
        except InputError as error:
            raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
        return cls(
            columns=tuple(found.columns),
            indicators=tuple(found.indicators),
            where_absent=found.where_absent,
            means=np.asarray(found.means, np.float64),
            deviations=np.asarray(found.deviations, np.float64),
            kept=np.asarray(found.kept, np.int64),
            rotation=None if found.rotation is None else np.asarray(found.rotation, np.float64),
            selected=np.asarray(found.selected, np.int64),
            classifier=_read_classifier(folder, found),
        )


class _WrittenClassifier(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    file: str
    sha256: str
    log_prior_shift: tuple[float, float]
    calibration: dict[str, Any] | None


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    format: str
    columns: list[str] = Field(min_length=1)
    indicators: list[tuple[str, int]]
    where_absent: WhereAbsent
    means: list[float]
    deviations: list[float]
    kept: list[int] = Field(min_length=1)
    rotation: list[list[float]] | None
    selected: list[int] = Field(min_length=1)
    classifier: _WrittenClassifier

    @model_validator(mode="after")
    def _fits_together(self) -> "_Written":
        wide, features = len(self.columns), len(self.columns) + len(self.indicators)
        last = len(self.kept) if self.rotation is None else len(self.rotation)
        if any(not 0 <= place < wide for _, place in self.indicators):
            raise ValueError(f"expected indicators of columns 0 to {wide - 1}")
        if not (len(self.means) == len(self.deviations) == features) or min(self.deviations) <= 0:
            raise ValueError(f"expected {features} means, and as many deviations above 0")
        if any(not 0 <= place < features for place in self.kept):
            raise ValueError(f"expected kept features 0 to {features - 1}")
        if self.rotation is not None and any(len(axis) != len(self.kept) for axis in self.rotation):
            raise ValueError(f"expected principal axes of {len(self.kept)} features")
        if any(not 0 <= place < last for place in self.selected):
            raise ValueError(f"expected selected features 0 to {last - 1}")
        return self


def _read_classifier(folder: Path, found: _Written) -> FittedClassifier:
    said = found.classifier
    # The name of a file of this very folder: `read_model` knows three, and none has a slash.
    path = folder / Path(said.file).name
    _bounded(path)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != said.sha256:
        raise BundleError(
            "the classifier was altered or damaged", where=str(path), expected=f"SHA-256 {said.sha256[:8]}…",
            hint="copy the bundle again from where it came",
        )  # fmt: skip
    try:
        calibration = None if said.calibration is None else LogisticCalibration.from_dict(said.calibration)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("the classifier's calibration is not valid", where=str(folder / "head.json")) from error
    model = read_model(said.file, content, len(found.selected), str(path))
    return FittedClassifier(said.name, model, said.log_prior_shift, calibration)


def _bounded(path: Path) -> None:
    if not path.is_file():
        raise BundleError("a part is missing", where=str(path), hint="copy the bundle again from where it came")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise BundleError(f"this file has {size} bytes", where=str(path), expected=f"at most {LARGEST_FILE}")
