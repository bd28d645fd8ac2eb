"""From the pictures of one study to results for the same study: what the node calls, and nothing of the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from isthmus.clinic.device_rules import DeviceRules
from isthmus.errors import InputError
from isthmus.files import sha256_of_file, sha256_of_json
from isthmus.manifest import version

if TYPE_CHECKING:
    import pydicom

    from isthmus.clinic.dicom_results import Origin
    from isthmus.clinic.study_answers import Model

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
        self._version = version_of(bundles, localiser, self._rules)
        self._models = load_models(bundles, localiser, device)

    @property
    def version(self) -> str:
        """A hash of models, localiser, rules and program."""
        return self._version

    def __call__(self, files: Sequence[Path]) -> StudyResults:
        """Assess all instances of one study.

        What is wrong with a study is said in a sentence; only what is wrong with the program or the machine raises.
        """
        from isthmus.clinic.study_answers import answers_of
        from isthmus.clinic.study_instances import read_study
        from isthmus.clinic.study_results import results_of

        try:
            study = read_study(files, self._rules)
        except InputError as error:
            return StudyResults((), (f"no result: {error.what}",))
        datasets, sentences = list["pydicom.Dataset"](), list(study.sentences)
        for place, model in enumerate(self._models):
            answers = answers_of(model, study, self._rules.join_within_s)
            made, said = results_of(model, study, answers, origin_of(model, self._version, place))
            several = f"{model.predictor.spec.name}: " if len(self._models) > 1 else ""
            datasets += made
            sentences += [f"{several}{one}" for one in said]
        return StudyResults(tuple(datasets), tuple(sentences))


def load_models(bundles: Sequence[Path], localiser: Path | None, device: str = "auto") -> "list[Model]":
    """Load models with their localiser, and warm them up: the one place that says which kind of predictor they are.

    Raises
    ------
    InputError
        When there is no model, or one needs regions and no localiser was given.
    """
    from isthmus.clinic.study_answers import Model
    from isthmus.inference.any_bundle import load_bundle
    from isthmus.inference.localiser import load_localiser
    from isthmus.inference.resident import Resident

    if not bundles:
        raise InputError("no model was given", expected="at least one bundle folder")
    models = []
    for folder in bundles:
        predictor = load_bundle(folder, device)
        proposer = None if localiser is None else load_localiser(localiser, predictor.device)
        words = "" if proposer is None else f"Regions are proposed by the localiser {proposer.spec.name}."
        model = Model(predictor, proposer, content_of(folder), words)
        if model.needs_region and proposer is None:
            raise InputError(
                "this model scores no picture without a region, and a study brings none",
                where=predictor.spec.name,
                expected="a localiser, which proposes regions",
                hint="make one with: isthmus localiser train",
            )
        models.append(replace(model, predictor=Resident(predictor, localiser=proposer).predictor))
    return models


def origin_of(model: "Model", version: str, place: int) -> "Origin":
    """Return what the results of a model say they were made by."""
    from isthmus.clinic.dicom_results import Origin

    spec = model.predictor.spec
    return Origin(spec.name, version, model.version, place, tuple(spec.marks))


def version_of(bundles: Sequence[Path], localiser: Path | None, rules: DeviceRules) -> str:
    """Return a hash of everything that an answer depends on."""
    return sha256_of_json(
        {
            "program": version(),
            "results": RESULTS_FORMAT,
            "bundles": [content_of(folder) for folder in bundles],
            "localiser": None if localiser is None else content_of(localiser),
            "rules": rules.model_dump(mode="json"),
        }
    )


def content_of(folder: Path) -> str:
    """Return a hash of all files of a folder."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return sha256_of_json({path.relative_to(folder).as_posix(): sha256_of_file(path) for path in paths})
