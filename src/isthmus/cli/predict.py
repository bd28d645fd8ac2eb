"""Predict: pictures and clips scored by a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle.")],
    inputs: Annotated[list[Path], typer.Argument(help="Pictures, or clips for a model of clips; or folders of them.")],
    out: OutOption,
    box: Annotated[str | None, typer.Option("--box", help="Lesion box x0,y0,x1,y1 in the picture's pixels.")] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Lesion mask of the same size; of a clip a page a frame.")
    ] = None,
    scan_area: Annotated[
        str | None,
        typer.Option("--scan-area", help="Where the ultrasound picture lies, x0,y0,x1,y1; else it is found."),
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
        Path | None, typer.Option("--network", help="The Python file of a bundle's own network; never run unasked.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add a Grad-CAM overlay for each picture.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score pictures or clips with a trained model: calibrated probability, call at the frozen threshold, heat map.

    A model of stills takes PNG, JPEG, TIFF, BMP and DICOM; a model of clips AVI, MP4, MOV, GIF, TIFF or DICOM of
    several frames, and folders of numbered frames. The frames that it looked at are listed.

    A model trained on outlined nodules never scores a picture without a region: give --box or --mask, or --localiser
    (made by `isthmus localiser train`). A region that it proposes is marked `proposed` in every output, with its box
    and confidence; a picture in which it finds none is listed as not scored, never scored whole.
    """
    from isthmus.explain.prediction import predict_files

    with progress_bars(as_json) as progress:
        done = predict_files(
            bundle,
            inputs,
            out,
            box=box,
            mask=mask,
            scan_area=scan_area,
            localiser=localiser,
            frame_rate_hz=frame_rate,
            explain=explain,
            own_network=network,
            progress=progress,
        )
    show(done.to_json(), as_json, done.lines())
    if done.failed:
        raise typer.Exit(1)
