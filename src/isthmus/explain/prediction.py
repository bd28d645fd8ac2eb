"""What ``isthmus predict`` does: pictures in; scores, and on request their heat maps, out."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.errors import InputError
from isthmus.explain.prediction_drawing import draw_prediction
from isthmus.explain.scored_again import Progress, scored_again
from isthmus.files import new_folder, refuse_existing
from isthmus.inference.input_files import find_clips, find_pictures
from isthmus.inference.load import load_bundle
from isthmus.inference.localiser import Localiser, load_localiser
from isthmus.inference.output import MARKS, Spec, model_facts, prediction_as_json, remarks, write_predictions
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.inference.seen_tirads import tirads_beside
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
        parts = "fold models" if isinstance(self.spec, BundleSpec) else "pairs"
        for prediction in self.predictions:
            low, high = prediction.member_range
            kind = "calibrated probability" if prediction.calibrated else "score, not calibrated,"
            at = "" if prediction.threshold is None else f"; threshold {prediction.threshold:.3f}"
            files = "; ".join(prediction.sources)
            name = f"{prediction.case} ({files})" if prediction.case else files
            lines.append(
                f"{name}: {kind} {prediction.probability:.3f}, {prediction.words}{at}; {parts} {low:.3f} to {high:.3f}"
            )
            lines += [f"  {in_words(prediction.descriptors)}"] if prediction.descriptors else []
            lines += [f"  {tirads.words}"] if (tirads := tirads_beside(self.spec, prediction.descriptors)) else []
            lines += [f"  {_frames_in_words(prediction.frames)}"] if prediction.frames else []
            what = "modalities" if isinstance(self.spec, BundleSpec) else "members"
            lines += [f"  {what} brought {prediction.brought.words}"] if prediction.brought else []
            lines += [f"  {likeness.words}"] if (likeness := prediction.out_of_distribution) else []
            lines += [f"  note: {note}" for note in prediction.notes]
        lines += [f"{failure.source}: not scored: {failure.reason}" for failure in self.failed]
        if self.localiser is not None:
            marks = "".join(f"; {MARKS[mark].split(':')[0]}" for mark in self.localiser["marks"])
            lines.append(f"Regions marked as proposed come from {self.localiser['name']}{marks}; nobody drew them.")
        return [*lines, *remarks(self.spec), DISCLAIMER, f"Results: {self.folder}"]


def predict_files(
    bundle: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    box: str | None = None,
    mask: Path | None = None,
    scan_area: str | None = None,
    localiser: Path | None = None,
    frame_rate_hz: float | None = None,
    explain: bool = False,
    own_network: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> PredictedFiles:
    """Score files and write the results into a new folder.

    Parameters
    ----------
    bundle : Path
        The model.
    inputs : sequence of Path
        Stills, or folders of them; for a model of clips video files, folders of numbered frames, or folders of these.
    out : Path
        Folder to make.
    box, mask : optional
        The region of the one picture or clip.
    scan_area : str, optional
        Where the ultrasound picture lies on the screen, in each of the pictures; found where it is not given.
    localiser : Path, optional
        A localiser's folder: it proposes the regions, and everything that is written says so.
    frame_rate_hz : float, optional
        Frames a second of each clip, for a model of key frames and files that do not say.
    explain : bool
        True draws a Grad-CAM overlay for each picture, of the positive class.
    own_network, device
        As for :func:`isthmus.inference.load.load_bundle`.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    PredictedFiles

    Raises
    ------
    InputError
        When there is no picture, a region is given for several or beside a localiser, a localiser is given to a model
        that needs no region, or no picture could be scored.
    OutputError
        When ``out`` exists.
    """
    refuse_existing(out)
    predictor = load_bundle(bundle, device, own_network=own_network)
    paths = find_pictures(inputs) if predictor.spec.prepare.frames is None else find_clips(inputs)
    if len(paths) > 1 and (box is not None or mask is not None):
        raise InputError(
            f"one {'box' if box is not None else 'mask'} was given for {len(paths)} pictures",
            expected="one picture with its region",
            hint="predict them one by one, or give boxes= in Python",
        )
    proposer = None if localiser is None else _localiser(localiser, predictor, box, mask)
    said = None if proposer is None else proposer.facts()
    record = Manifest("predict", {**model_facts(predictor.spec), "device": predictor.device})
    record.facts |= {} if said is None else {"localiser": said}
    with new_folder(out) as partial:
        with record.stage("predict"):
            predictions = predictor.predict(
                paths,
                boxes=[box] * len(paths),
                masks=[mask] * len(paths),
                scan_areas=[scan_area] * len(paths),
                localiser=proposer,
                frame_rates_hz=[frame_rate_hz] * len(paths),
                progress=progress,
            )
        overlays: list[Path] = []
        if explain:
            with record.stage("explain"):
                read = functools.partial(
                    predictor.read,
                    box=box,
                    mask=mask,
                    scan_area=scan_area,
                    localiser=proposer,
                    frame_rate_hz=frame_rate_hz,
                )
                overlays = _draw_all(predictor, paths, predictions, read, partial / "overlays", progress)
        files = write_predictions(partial, predictions, predictor.spec, localiser=said)
        record.facts["excluded"] = [failure.source for failure in predictions.failures]
        record.write(partial, [*files, *overlays])
    drawn = tuple(out / path.relative_to(partial) for path in overlays)
    return PredictedFiles(out, predictions, predictor.spec, drawn, said)


def _localiser(folder: Path, predictor: Predictor, box: str | None, mask: Path | None) -> Localiser:
    """Load the localiser, unless there is nothing for it to do."""
    if box is not None or mask is not None:
        raise InputError("a region and a localiser were given", expected="one of --box, --mask and --localiser")
    if predictor.spec.requires.region == "none":
        raise InputError(
            "this model looks at the whole scan area and needs no region", where=predictor.spec.name,
            hint="leave out --localiser",
        )  # fmt: skip
    return load_localiser(folder, predictor.device)


def _draw_all(
    predictor: Predictor,
    paths: Sequence[Path],
    predictions: Predictions,
    read: Callable[[Path], Picture],
    folder: Path,
    progress: Progress | None,
) -> list[Path]:
    folder.mkdir()
    drawn = list[Path]()
    for number, picture, prediction in scored_again(paths, read, predictions, progress):
        drawn += draw_prediction(predictor, picture, prediction, folder, f"{number:03d}_{paths[number - 1].stem}")
    return drawn


def _frames_in_words(frames: Sequence[Sequence[int]]) -> str:
    clips = [one for one in frames if one]  # of a case with stills too
    shown = "; ".join(", ".join(map(str, one)) for one in clips)
    return f"{'frames' if len(clips[0]) > 1 else 'frame'} {shown} (counted from 0)"
