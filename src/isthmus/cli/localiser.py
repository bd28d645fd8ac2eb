"""Localiser: train one on outlined pictures, and let it propose regions where nobody drew any."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show

localiser_app = typer.Typer(
    no_args_is_help=True,
    help="Propose the region of a nodule where nobody outlined it: train a localiser, and use it on a cohort.\n\n"
    "First `isthmus localiser train --cohort COHORT --out LOCALISER`, look at `LOCALISER/report.html`, then "
    "`isthmus localiser propose LOCALISER COHORT DEST` or `isthmus predict … --localiser LOCALISER`.",
)
app.add_typer(localiser_app, name="localiser")


@localiser_app.command("train")
def localiser_train(
    cohort: Annotated[list[Path], typer.Option("--cohort", help="Cohort folder with outlines; repeat it for several.")],
    out: OutOption,
    network: Annotated[
        str, typer.Option("--network", help="mobilenet_v2_unet, resnet18_unet (both take --weights) or unet.")
    ] = "mobilenet_v2_unet",
    width: Annotated[
        float | None,
        typer.Option("--width", help="Share of MobileNetV2, or channels of the others; default: as published."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Where the encoder starts: imagenet, an imported name or a file. Worth having."),
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Side the scan area is fitted into; a multiple of 32.")] = 192,
    folds: Annotated[int, typer.Option("--folds", help="Parts; each is judged on the patients it never saw.")] = 5,
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the outlined pictures.")] = 40,
    batch: Annotated[int, typer.Option("--batch", help="Pictures in a step.")] = 16,
    rate: Annotated[float, typer.Option("--rate", help="Learning rate at the start.")] = 1e-3,
    seed: Annotated[int, typer.Option("--seed", help="Decides folds, initial weights, order and variations.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished training in OUT.partial.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a localiser on B-mode stills with outlines, and measure it on held-out patients.

    Whole patients (groups) are held out in turn. OUT/report.html shows IoU and hit rate with intervals, by size and
    site, and the best, middling and worst proposals; OUT/card.md says what it is for. Calipers and letters over the
    tissue are filled in first: they would tell where to look. Outlines that a program proposed teach nothing.

    Every outlined patient takes part, also those that the cohort sets aside as a test: what the localiser proposes for
    a patient it knows always comes from the part that held this patient out.
    """
    from pydantic import ValidationError

    from isthmus.cohort.cohort import load_cohort
    from isthmus.errors import InputError
    from isthmus.training.localiser import LocaliserSettings, train_localiser

    try:
        settings = LocaliserSettings(
            network=network, width=width, weights=weights, size=size, folds=folds, epochs=epochs, batch=batch,
            rate=rate, seed=seed,
        )  # fmt: skip
    except ValidationError as error:
        faults = "; ".join(f"--{one['loc'][0]}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors())
        raise InputError(faults) from error
    with progress_bars(as_json) as progress:
        done = train_localiser(
            [load_cohort(folder) for folder in cohort], out, settings, resume=resume, progress=progress
        )
    show(done.report | {"out": str(done.folder)}, as_json, _trained_lines(done.report, done.folder))


@localiser_app.command("propose")
def localiser_propose(
    localiser: Annotated[Path, typer.Argument(help="Localiser folder, as train leaves it.")],
    cohort: Annotated[Path, typer.Argument(help="Cohort folder; it is not changed.")],
    destination: Annotated[Path, typer.Argument(help="Cohort folder to make.")],
    everything: Annotated[
        bool,
        typer.Option("--all", help="Propose for every view, also the drawn ones: the honest test of a whole pipeline."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy a cohort and propose regions for its B-mode stills and clips without one, marked `proposed`.

    A clip is read frame by frame and gets a box a frame (boxes.csv) from the first frame with a nodule to the last.

    DEST/proposals.csv says for each view what became of it, with confidence. Where nothing is found above the
    localiser's frozen confidence, the view stays without a region. A picture that the localiser was trained on, and
    with it its whole group, is judged only by the parts that never saw it.
    """
    from isthmus.cohort.cohort import load_cohort
    from isthmus.inference.localiser import load_localiser
    from isthmus.inference.proposed_cohort import propose_regions

    model = load_localiser(localiser)
    with progress_bars(as_json) as progress:
        done = propose_regions(model, load_cohort(cohort), destination, everything=everything, progress=progress)
    counts = ", ".join(f"{count} {name}" for name, count in done.counts().items())
    show(
        done.to_json() | {"localiser": model.facts()},
        as_json,
        [
            f"views: {counts}",
            f"Every view: {destination / 'proposals.csv'}",
            f"Next: isthmus cohort check {destination}",
        ],
    )


def _trained_lines(report: dict[str, Any], out: Path) -> list[str]:
    found = report["measures"]
    words = {
        "mask_iou": "IoU of the outlines", "hit_rate": "hit rate", "no_proposal": "no proposal",
        "fixed_box": "hit rate of one fixed box",
    }  # fmt: skip
    lines = [f"{found['views']} views of {found['patients']} patients, each judged by a part that never saw them:"]
    for name, said in words.items():
        if found[name]:
            value = found[name]["views"]
            lines.append(f"  {said}: {value['estimate']:.3f} ({value['low']:.3f} to {value['high']:.3f})")
    least = report["least_confidence"]["value"]
    return [
        *lines,
        f"Regions below a confidence of {least:.3f} are not proposed.",
        report["notice"],
        f"Look at {out / 'report.html'}",
        f"Next: isthmus localiser propose {out} COHORT DEST",
    ]
