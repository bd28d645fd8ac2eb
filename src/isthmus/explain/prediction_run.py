"""A prediction from a model in memory to a folder: scores, on request their heat maps, and the record of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.files import new_folder
from isthmus.inference.answer import answer_sentences
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.localiser import Localiser
from isthmus.inference.output import MARKS, Spec, model_facts, prediction_as_json, remarks, write_predictions
from isthmus.inference.prediction import FailedPicture, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.descriptors import in_words


@dataclass(frozen=True, eq=False)
class PredictedFiles:
    """What a prediction of files left.

    Parameters
    ----------
    folder : Path
        With ``predictions.csv``, ``predictions.json``, ``manifest.json`` and, where asked for, ``overlays/``.
    predictions : Predictions
        In the order of the files.
    spec : BundleSpec or FusedBundleSpec
        The model's.
    overlays : tuple of Path
        One PNG a prediction, of a clip its filmstrip with an MP4 and a GIF; or none.
    localiser : dict, optional
        What is said of the localiser that proposed the regions.
    """

    folder: Path
    predictions: Predictions
    spec: Spec
    overlays: tuple[Path, ...] = ()
    localiser: dict[str, Any] | None = None

    @property
    def failed(self) -> list[FailedPicture]:
        """The pictures without a score."""
        return self.predictions.failures

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with ``--json``."""
        return {
            "notice": DISCLAIMER,
            "out": str(self.folder),
            "model": self.spec.name,
            "marks": self.spec.marks,
            "predictions": [prediction_as_json(prediction, self.spec) for prediction in self.predictions],
            "failed": [{"file": failure.source, "reason": failure.reason} for failure in self.failed],
            "overlays": [path.relative_to(self.folder).as_posix() for path in self.overlays],
            **({} if self.localiser is None else {"localiser": self.localiser}),
        }

    def lines(self) -> list[str]:
        """Return what the command prints in words."""
        lines = []
        for prediction in self.predictions:
            files = "; ".join(prediction.sources)
            name = f"{prediction.case} ({files})" if prediction.case else files
            score, *sentences = answer_sentences(prediction, self.spec)
            lines += [f"{name}: {score}", *(f"  {sentence}" for sentence in sentences)]
            lines += [f"  {in_words(prediction.descriptors)}"] if prediction.descriptors else []
            lines += [f"  {_frames_in_words(prediction.frames)}"] if prediction.frames else []
            what = "modalities" if isinstance(self.spec, BundleSpec) else "members"
            lines += [f"  {what} brought {prediction.brought.words}"] if prediction.brought else []
            lines += [f"  note: {note}" for note in prediction.notes]
        lines += [f"{failure.source}: not scored: {failure.reason}" for failure in self.failed]
        if self.localiser is not None:
            marks = "".join(f"; {MARKS[mark].split(':')[0]}" for mark in self.localiser["marks"])
            lines.append(f"Regions marked as proposed come from {self.localiser['name']}{marks}; nobody drew them.")
        return [*lines, *remarks(self.spec), DISCLAIMER, f"Results: {self.folder}"]


def written(
    out: Path,
    predictor: Predictor | FusedPredictor,
    proposer: Localiser | None,
    predict: Callable[[], Predictions],
    draw: Callable[[Predictions, Path], tuple[Predictions, list[Path]]] | None = None,
) -> PredictedFiles:
    """Predict, draw and write into a new folder.

    Parameters
    ----------
    out : Path
        Folder to make; nothing of it is left where anything fails.
    predictor : Predictor or FusedPredictor
        The model.
    proposer : Localiser or None
        That proposes regions.
    predict : callable
        Gives the predictions.
    draw : callable, optional
        From predictions and a folder to make: draws their heat maps; gives the predictions with what was found of them,
        and the files.
    """
    said = None if proposer is None else proposer.facts()
    record = Manifest(
        "predict", {**model_facts(predictor.spec), "device": predictor.device, "engine": predictor.engine_name}
    )
    record.facts |= {} if said is None else {"localiser": said}
    with new_folder(out) as partial:
        with record.stage("predict"):
            predictions = predict()
        overlays: list[Path] = []
        if draw is not None:
            with record.stage("explain"):
                predictions, overlays = draw(predictions, partial / "overlays")
        files = write_predictions(partial, predictions, predictor.spec, localiser=said)
        record.facts["excluded"] = [failure.source for failure in predictions.failures]
        record.write(partial, [*files, *overlays])
    drawn = tuple(out / path.relative_to(partial) for path in overlays)
    return PredictedFiles(out, predictions, predictor.spec, drawn, said)


def _frames_in_words(frames: Sequence[Sequence[int]]) -> str:
    clips = [one for one in frames if one]  # of a case with stills too
    shown = "; ".join(", ".join(map(str, one)) for one in clips)
    return f"{'frames' if len(clips[0]) > 1 else 'frame'} {shown} (counted from 0)"
