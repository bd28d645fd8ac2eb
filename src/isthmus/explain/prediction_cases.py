"""What ``isthmus predict`` does with cases: the pictures of each, of one modality or several, in; one score out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from isthmus.errors import InputError
from isthmus.explain.explained_cases import explain_cases, explain_single_cases
from isthmus.explain.explained_looks import explain_looks
from isthmus.explain.prediction import predict_files
from isthmus.explain.prediction_run import PredictedFiles, written
from isthmus.files import refuse_existing
from isthmus.inference.any_bundle import load_bundle, modalities_of
from isthmus.inference.case_table import read_case_table
from isthmus.inference.fused_case import Case
from isthmus.inference.fused_predictor import FusedPredictor, OwnNetworks
from isthmus.inference.joined_cases import predict_joined_cases
from isthmus.inference.localiser import load_localiser
from isthmus.inference.named_files import case_of_files, columns_of, named
from isthmus.inference.prediction import Predictions
from isthmus.inference.single_cases import predict_single_cases
from isthmus.models.bundle import read_bundle
from isthmus.models.fused_bundle import is_fused_bundle
from isthmus.progress import Progress


def predict_given(
    bundle: Path,
    inputs: Sequence[str],
    out: Path,
    *,
    boxes: Sequence[str] = (),
    masks: Sequence[str] = (),
    scan_areas: Sequence[str] = (),
    columns: Sequence[str] = (),
    table: Path | None = None,
    localiser: Path | None = None,
    frame_rate_hz: float | None = None,
    explain: bool = False,
    networks: Sequence[str] = (),
    progress: Progress | None = None,
) -> PredictedFiles:
    """Score what the command line names: files, one case of several modalities, or a table of cases.

    Parameters
    ----------
    inputs, boxes, masks, scan_areas, networks : sequence of str
        ``[NAME=]VALUE``, the name a modality or a member of a fused model.
    columns : sequence of str
        ``NAME=VALUE``, of the one case of a fused model.
    table : Path, optional
        Of cases (:func:`isthmus.inference.case_table.read_case_table`), in the place of all of these.
    bundle, out, localiser, frame_rate_hz, explain, progress
        As for :func:`isthmus.explain.prediction.predict_files`.

    Raises
    ------
    InputError
        When the model has no use for something that was given, or what it needs is missing.
    """
    refuse_existing(out)
    joining = is_fused_bundle(bundle) or read_bundle(bundle).join is not None
    if table is None and not inputs:
        raise InputError("no picture was given", expected="files, or a table of cases (--cases)")
    networks_of = own_networks_of(networks)
    if table is not None:
        given = {"files": inputs, "--box": boxes, "--mask": masks, "--scan-area": scan_areas, "--column": columns}
        beside = [name for name, values in given.items() if values] + (["--frame-rate"] if frame_rate_hz else [])
        if beside:
            raise InputError(f"{' and '.join(beside)} stand beside --cases", expected="them in the table's columns")
        cases = read_case_table(table)
    elif joining:
        case = case_of_files(
            inputs,
            modalities_of(bundle),
            boxes=boxes,
            masks=masks,
            scan_areas=scan_areas,
            frame_rate_hz=frame_rate_hz,
            columns=columns_of(columns),
        )
        cases = [case]
    else:
        if columns:
            raise InputError("this model looks at pictures only", hint="leave out --column")
        known = modalities_of(bundle)
        return predict_files(
            bundle,
            [Path(_own(value, known)) for value in inputs],
            out,
            box=_only("box", [_own(value, known) for value in boxes]),
            mask=None if not masks else Path(str(_only("mask", [_own(value, known) for value in masks]))),
            scan_area=_only("scan-area", [_own(value, known) for value in scan_areas]),
            localiser=localiser,
            frame_rate_hz=frame_rate_hz,
            explain=explain,
            own_network=networks_of if isinstance(networks_of, Path) else None,
            progress=progress,
        )
    return predict_cases(
        bundle, cases, out, localiser=localiser, explain=explain, own_network=networks_of, progress=progress
    )


def _own(value: str, known: Sequence[str]) -> str:
    """Return a value without the modality before it, which must be the model's."""
    name, rest = named(value)
    if name and name not in known:
        raise InputError(f"this model looks at no {name!r}", where=value, expected=" or ".join(known))
    return rest


def _only(what: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise InputError(f"--{what} was given {len(values)} times", expected="once, for the one picture or clip")
    return values[0] if values else None


def own_networks_of(values: Sequence[str]) -> OwnNetworks:
    """Return the files that ``--network`` names: one, or one a member."""
    pairs = [named(value) for value in values]
    files: Mapping[str, Path] = {name: Path(file) for name, file in pairs}
    if len(files) < len(pairs) or ("" in files and len(files) > 1):
        raise InputError(
            "several networks were given", expected="one file, or one for each member: --network MEMBER=FILE"
        )
    return files.get("") or files or None


def predict_cases(
    bundle: Path,
    cases: Sequence[Case],
    out: Path,
    *,
    localiser: Path | None = None,
    explain: bool = False,
    own_network: OwnNetworks = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> PredictedFiles:
    """Score cases and write the results into a new folder.

    Parameters
    ----------
    bundle : Path
        The model, of one arm or of several.
    cases : sequence of Case
        One a nodule.
    out : Path
        Folder to make.
    localiser : Path, optional
        A localiser's folder: it proposes the regions of B-mode pictures that have none.
    explain : bool
        True draws the heat of each picture, of a fused model for each member, and what each member brought.
    own_network, device
        As for :func:`isthmus.inference.any_bundle.load_bundle`.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    InputError
        When no case could be scored.
    OutputError
        When ``out`` exists.
    """
    refuse_existing(out)
    predictor = load_bundle(bundle, device, own_network=own_network)
    proposer = None if localiser is None else load_localiser(localiser, predictor.device)

    def predict() -> Predictions:
        if isinstance(predictor, FusedPredictor):
            return predictor.predict(cases, localiser=proposer, progress=progress)
        score = predict_single_cases if predictor.spec.join is None else predict_joined_cases
        return score(predictor, cases, localiser=proposer, progress=progress)

    def draw(predictions: Predictions, folder: Path) -> tuple[Predictions, list[Path]]:
        if isinstance(predictor, FusedPredictor):
            return explain_cases(predictor, cases, predictions, folder, localiser=proposer, progress=progress)
        heat = explain_single_cases if predictor.spec.join is None else explain_looks
        return predictions, heat(predictor, cases, predictions, folder, localiser=proposer, progress=progress)

    return written(out, predictor, proposer, predict, draw if explain else None)
