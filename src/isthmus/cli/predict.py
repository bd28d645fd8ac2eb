"""Predict: pictures scored by a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle.")],
    inputs: Annotated[list[Path], typer.Argument(help="Pictures (PNG, JPEG, TIFF, BMP, DICOM) or folders of them.")],
    out: OutOption,
    box: Annotated[str | None, typer.Option("--box", help="Lesion box x0,y0,x1,y1 in the picture's pixels.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="Lesion mask, a picture of the same size.")] = None,
    localiser: Annotated[
        Path | None,
        typer.Option("--localiser", help="Localiser folder: proposes the region of pictures that nobody outlined."),
    ] = None,
    network: Annotated[
        Path | None, typer.Option("--network", help="The Python file of a bundle's own network; never run unasked.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add a Grad-CAM overlay for each picture.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score pictures with a trained model: calibrated probability, call at the frozen threshold, heat map.

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
            localiser=localiser,
            explain=explain,
            own_network=network,
            progress=progress,
        )
    show(done.to_json(), as_json, done.lines())
    if done.failed:
        raise typer.Exit(1)
