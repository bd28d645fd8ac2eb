"""The localiser: a folder that proposes regions. ``localiser.yaml``, ``parts/*.safetensors``, ``pictures.csv``, a card.

``pictures.csv`` holds a hash of every picture that was trained on and the part that did not see it: whoever asks for a
region of one of these pictures gets it from that part alone. It names no patient.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import BundleError, InputError
from isthmus.files import read_yaml, sha256_of_file, sha256_of_json, write_yaml
from isthmus.imaging.preparation import Preparation
from isthmus.models.bundle_spec import Sha256, WeightsFacts
from isthmus.models.official_weights import LARGEST

FORMAT = "isthmus-localiser/1.0"
FILE, PICTURES = "localiser.yaml", "pictures.csv"
_LARGEST_YAML = 4 * 1024**2
_LARGEST_TABLE = 1024**3


class _Facts(BaseModel):
    # A newer minor version may add keys; one that changed what others mean would be a newer major.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Segmenter(_Facts):
    """Which network, and its width."""

    name: str
    width: float | None = None


class LocaliserPart(_Facts):
    """One fold model."""

    file: str = Field(pattern=r"^parts/[A-Za-z0-9_-]+\.safetensors$")
    sha256: Sha256


class TrainedOn(_Facts):
    """A cohort that it was trained on: views and groups with an outline."""

    name: str
    fingerprint: str
    licence: str
    citation: str = ""
    simulated: bool
    views: int
    groups: int


class LeastConfidence(_Facts):
    """The frozen confidence: a region below it is not proposed."""

    value: float = Field(ge=0, le=1)
    rule: str
    chosen_on: str
    coverage: float = Field(ge=0, le=1)


class Measured(_Facts):
    """One figure of the held-out evaluation, with its interval."""

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    method: str


class LocaliserSpec(_Facts):
    """The content of ``localiser.yaml``.

    Parameters
    ----------
    prepare : Preparation
        Of the whole scan area.
    parts : list of LocaliserPart
        The fold models, whose probabilities are averaged.
    least_confidence : LeastConfidence
        Below it no region is proposed.
    cohorts : list of TrainedOn
        What it has seen.
    pictures_sha256 : str
        Of ``pictures.csv``, which says which part saw which picture.
    performance : dict of str to Measured
        On held-out folds; the whole of it is ``report.json``.
    limits : list of str
        What a user should not expect.
    """

    format: str = Field(FORMAT, pattern=r"^isthmus-localiser/\d+\.\d+$")
    name: str = Field(min_length=1)
    network: Segmenter
    prepare: Preparation
    parts: list[LocaliserPart] = Field(min_length=2)
    least_confidence: LeastConfidence
    cohorts: list[TrainedOn] = Field(min_length=1)
    pictures_sha256: Sha256
    weights: WeightsFacts = WeightsFacts()
    performance: dict[str, Measured] = {}
    limits: list[str] = []
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _sees_scan_areas(self) -> Self:
        if self.prepare.crop != "scan_area" or self.prepare.channels != "gray":
            raise ValueError("a localiser sees grey scan areas: prepare.crop scan_area, prepare.channels gray")
        if self.prepare.crop_size != self.prepare.train_size:
            raise ValueError("a localiser sees the whole scan area: prepare.crop_size equals train_size")
        return self

    @property
    def marks(self) -> list[str]:
        """``SIMULATED`` where any cohort was; it stands on everything made from this localiser."""
        return ["SIMULATED"] if any(cohort.simulated for cohort in self.cohorts) else []

    def fingerprint(self) -> str:
        """Return a SHA-256 that names this localiser: its parts, preparation and frozen confidence."""
        return sha256_of_json(
            {
                "parts": [part.sha256 for part in self.parts],
                "prepare": self.prepare.model_dump(mode="json"),
                "least_confidence": self.least_confidence.value,
            }
        )


def write_localiser_yaml(folder: Path, spec: LocaliserSpec) -> None:
    """Write ``localiser.yaml``."""
    write_yaml(folder / FILE, spec.model_dump(mode="json"))


def read_localiser_yaml(folder: Path) -> LocaliserSpec:
    """Read and check ``localiser.yaml``; the parts are only looked for.

    Raises
    ------
    BundleError
        When the folder is no localiser, is of a newer major version, is incomplete, or contradicts itself.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise BundleError(
            "this is no localiser", where=str(folder), expected=f"a folder with {FILE}",
            hint="make one with 'isthmus localiser train'",
        )  # fmt: skip
    if path.stat().st_size > _LARGEST_YAML:
        raise BundleError(f"{FILE} has {path.stat().st_size} bytes", where=str(path), expected="a few thousand")
    try:
        spec = LocaliserSpec.model_validate(read_yaml(path, name="localiser"))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or FILE}: {one['msg']}" for one in error.errors())
        raise BundleError(f"{FILE} is not valid: {faults}", where=str(path)) from error
    except InputError as error:
        raise BundleError(error.what, where=error.where, expected=error.expected, hint=error.hint) from error
    for part in spec.parts:
        _part_file(Path(folder), part)
    return spec


def part_content(folder: Path, part: LocaliserPart) -> bytes:
    """Return a part's bytes after checking their hash.

    Raises
    ------
    BundleError
        When it is missing or altered.
    """
    path = _part_file(Path(folder), part)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise BundleError(
            "this part was altered or damaged", where=str(path), expected=f"SHA-256 {part.sha256[:8]}…",
            hint="copy the localiser again from where it came",
        )  # fmt: skip
    return content


def read_seen_pictures(folder: Path, spec: LocaliserSpec) -> dict[str, int]:
    """Return each training picture's hash and the number of the part that did not see it.

    Raises
    ------
    BundleError
        When the table is missing or altered: without it a picture could be judged by a part that saw it.
    """
    path = Path(folder) / PICTURES
    if not path.is_file() or path.stat().st_size > _LARGEST_TABLE or sha256_of_file(path) != spec.pictures_sha256:
        raise BundleError(
            f"{PICTURES} is missing, altered or damaged: it keeps a part from judging what it has seen",
            where=str(path), hint="copy the localiser again from where it came",
        )  # fmt: skip
    table = pd.read_csv(path, dtype={"picture": "str", "held_out_by": "int64"})
    return dict(zip(table["picture"].tolist(), table["held_out_by"].tolist(), strict=True))


def _part_file(folder: Path, part: LocaliserPart) -> Path:
    path = folder / PurePosixPath(part.file)
    if not path.is_file():
        raise BundleError("a part is missing", where=str(path), hint="copy the localiser again from where it came")
    if path.stat().st_size > LARGEST:
        raise BundleError(f"a part has {path.stat().st_size} bytes", where=str(path), expected=f"under {LARGEST}")
    return path
