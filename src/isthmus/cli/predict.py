"""Predict: pictures and clips scored by a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle, of an arm or a fusion.")],
    out: OutOption,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Pictures, or clips for a model of clips; or folders of them. Of one case of a model of several "
            "arms or modalities MODALITY=FILE each; several files of a modality are averaged."
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", help="Lesion box [MODALITY=]x0,y0,x1,y1 in the picture's pixels; once a file."),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", help="Lesion mask [MODALITY=]FILE of the same size; of a clip a page a frame."),
    ] = None,
    scan_area: Annotated[
        list[str] | None,
        typer.Option("--scan-area", help="Where the ultrasound picture lies, [MODALITY=]x0,y0,x1,y1; else found."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="What is known of the case, NAME=VALUE, for fused models with such columns."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            "--cases",
            help="CSV of cases in the place of files: case_id, modality, path, mask, box, scan_area, frame_rate_hz; "
            "nodule_id where a patient has several; other columns are known of the case. A row a file.",
        ),
    ] = None,
    localiser: Annotated[
        Path | None,
        typer.Option("--localiser", help="Localiser folder: proposes the region of pictures that nobody outlined."),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option("--frame-rate", min=0.1, help="Frames a second of clips whose files do not say, such as folders."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", help="The Python file of a bundle's own network, [MEMBER=]FILE; never run unasked."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Add a Grad-CAM overlay for each picture; of fused models what each member brought, too."
        ),
    ] = False,
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
    show(done.to_json(), as_json, done.lines())
    if done.failed:
        raise typer.Exit(1)
