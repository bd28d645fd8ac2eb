"""From the pictures of one study to results for the same study: what the node calls, and nothing of the network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from isthmus.clinic.device_rules import DeviceRules
from isthmus.files import sha256_of_file, sha256_of_json
from isthmus.manifest import version

if TYPE_CHECKING:
    import pydicom

RESULTS_FORMAT = 1
"""Raised when the results of the same study by the same model would be written in another way."""


@dataclass(frozen=True)
class StudyResults:
    """What came out of a study.

    Parameters
    ----------
    datasets : tuple of Dataset
        Complete DICOM objects with file meta information, ready to be sent or written. They name the patient, as every
        object of a study does; may be empty.
    sentences : tuple of str
        What happened, in words without any identifier.
    """

    datasets: "tuple[pydicom.Dataset, ...]"
    sentences: tuple[str, ...]


class Assess(Protocol):
    """What turns a study into results."""

    @property
    def version(self) -> str:
        """A hash that changes when the answer to a study could change: of models, localiser, rules and program."""

    def __call__(self, files: Sequence[Path]) -> StudyResults:
        """Assess all instances of one study, as stored in Part 10 files."""


class Assessor:
    """Assesses studies by one model or several.

    Parameters
    ----------
    bundles : sequence of Path
        Folders of models.
    localiser : Path, optional
        A localiser's folder, for models that need a region.
    rules : DeviceRules, optional
        Which instances are used, and as what.
    device : str
        As for :func:`isthmus.inference.load.load_bundle`.
    """

    def __init__(
        self,
        bundles: Sequence[Path],
        *,
        localiser: Path | None = None,
        rules: DeviceRules | None = None,
        device: str = "auto",
    ) -> None:
        self._rules = rules or DeviceRules()
        self._device = device
        self._version = version_of(bundles, localiser, self._rules)

    @property
    def version(self) -> str:
        """A hash of models, localiser, rules and program."""
        return self._version

    def __call__(self, files: Sequence[Path]) -> StudyResults:
        """Assess all instances of one study."""
        return StudyResults((), (f"0 of {len(files)} pictures scored",))


def version_of(bundles: Sequence[Path], localiser: Path | None, rules: DeviceRules) -> str:
    """Return a hash of everything that an answer depends on."""
    return sha256_of_json(
        {
            "program": version(),
            "results": RESULTS_FORMAT,
            "bundles": [_content(folder) for folder in bundles],
            "localiser": None if localiser is None else _content(localiser),
            "rules": rules.model_dump(mode="json"),
        }
    )


def _content(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in paths}
