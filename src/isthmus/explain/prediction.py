"""What ``isthmus predict`` does: pictures in; scores, and on request their heat maps, out."""

import functools
from collections.abc import Sequence
from pathlib import Path

from isthmus.errors import InputError
from isthmus.explain.prediction_drawing import draw_prediction
from isthmus.explain.prediction_run import PredictedFiles, written
from isthmus.explain.scored_again import scored_again
from isthmus.files import refuse_existing
from isthmus.inference.fused_case import View
from isthmus.inference.input_files import find_clips, find_pictures
from isthmus.inference.load import load_bundle
from isthmus.inference.localiser import Localiser, load_localiser
from isthmus.inference.prediction import Predictions
from isthmus.inference.predictor import Predictor
from isthmus.progress import Progress


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
    count = len(paths)

    def predict() -> Predictions:
        return predictor.predict(
            paths,
            boxes=[box] * count,
            masks=[mask] * count,
            scan_areas=[scan_area] * count,
            localiser=proposer,
            frame_rates_hz=[frame_rate_hz] * count,
            progress=progress,
        )

    def draw(predictions: Predictions, folder: Path) -> tuple[Predictions, list[Path]]:
        views = [View(path, box, mask, scan_area, frame_rate_hz) for path in paths]
        return predictions, _draw_all(predictor, views, predictions, proposer, folder, progress)

    return written(out, predictor, proposer, predict, draw if explain else None)


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
    views: Sequence[View],
    predictions: Predictions,
    proposer: Localiser | None,
    folder: Path,
    progress: Progress | None,
) -> list[Path]:
    folder.mkdir()
    drawn = list[Path]()
    again = functools.partial(predictor.read_view, localiser=proposer)
    for number, picture, prediction in scored_again(views, again, predictions, progress):
        name = f"{number:03d}_{Path(views[number - 1].path).stem}"
        drawn += draw_prediction(predictor, picture, prediction, folder, name)
    return drawn
