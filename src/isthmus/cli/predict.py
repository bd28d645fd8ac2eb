"""Predict: pictures and clips scored by a bundle."""

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show
from isthmus.cli.predict_options import (
    BoxOption,
    BundleArgument,
    CasesOption,
    ColumnOption,
    DicomOption,
    ExplainOption,
    FrameRateOption,
    InputsArgument,
    LocaliserOption,
    MaskOption,
    NetworkOption,
    ScanAreaOption,
)
from isthmus.errors import InputError


@app.command()
def predict(
    bundle: BundleArgument,
    out: OutOption,
    inputs: InputsArgument = None,
    box: BoxOption = None,
    mask: MaskOption = None,
    scan_area: ScanAreaOption = None,
    column: ColumnOption = None,
    cases: CasesOption = None,
    localiser: LocaliserOption = None,
    frame_rate: FrameRateOption = None,
    network: NetworkOption = None,
    explain: ExplainOption = False,
    dicom: DicomOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score pictures or clips with a trained model: calibrated probability, call at the frozen threshold, heat map.

    A model of stills takes PNG, JPEG, TIFF, BMP and DICOM; a model of clips AVI, MP4, MOV, GIF, TIFF or DICOM of
    several frames, and folders of numbered frames. The frames that it looked at are listed.

    A model trained on outlined nodules never scores a picture without a region: give --box or --mask, or --localiser
    (made by `isthmus localiser train`). A region that it proposes is marked `proposed` in every output, with its box
    and confidence; a picture in which it finds none is listed as not scored, never scored whole.

    A fused model scores cases: `isthmus predict BUNDLE bmode=still.png ceus=clip.avi --mask bmode=m.png --mask
    ceus=m.tiff --column age_years=44 --out DIR`, or a table of them with --cases. A member that a case lacks is said.
    So does a network that looks at several modalities: `bmode=still.png swe=elastogram.png`, whatever the case has.
    """
    from isthmus.explain.prediction_cases import predict_given

    beside = [name for name, given in (("--cases", cases), ("--network", network)) if given and dicom]
    if beside:
        raise InputError(f"--dicom stands beside {beside[0]}", expected="DICOM files of one study, and --dicom alone")
    if dicom:
        from isthmus.clinic.predicted_dicom import refuse_other_than_dicom, write_dicom_results

        refuse_other_than_dicom(inputs or [])
    with progress_bars(as_json) as progress:
        done = predict_given(
            bundle,
            inputs or [],
            out,
            boxes=box or [],
            masks=mask or [],
            scan_areas=scan_area or [],
            columns=column or [],
            table=cases,
            localiser=localiser,
            frame_rate_hz=frame_rate,
            explain=explain,
            networks=network or [],
            progress=progress,
        )
    said, lines = done.to_json(), done.lines()
    if dicom:
        made = write_dicom_results(
            bundle,
            inputs or [],
            out / "dicom",
            boxes=box or [],
            masks=mask or [],
            scan_areas=scan_area or [],
            columns=column or [],
            localiser=localiser,
        )
        said["dicom"] = [path.relative_to(out).as_posix() for path in made.files]
        lines += [*made.sentences, f"DICOM objects of the same study, which name the patient: {out / 'dicom'}"]
    show(said, as_json, lines)
    if done.failed:
        raise typer.Exit(1)
