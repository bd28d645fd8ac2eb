"""Validate: finished models on a cohort of other patients."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show


@app.command()
def validate(
    model: Annotated[Path, typer.Argument(help="A run folder (all its arms, fusions, clinical model), or one bundle.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort of other patients.", show_default=False)],
    out: OutOption,
    correspondence: Annotated[
        Path | None, typer.Option("--correspondence", help="YAML: which target and classes of theirs stand for ours.")
    ] = None,
    training_cohort: Annotated[
        Path | None,
        typer.Option("--training-cohort", help="What the models were trained on, to look for copied pictures too."),
    ] = None,
    network: Annotated[
        Path | None, typer.Option("--network", help="The Python file of a bundle's own network; never run unasked.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let finished models meet a cohort of other patients, as they are: nothing is fitted or chosen on it.

    Calibration and threshold are those that were frozen; the report shows how far they hold in the new place.
    """
    from isthmus.protocol.validate import validate as validate_models
    from isthmus.report.summary import evidence_lines

    with progress_bars(as_json) as progress:
        evidence = validate_models(
            model,
            cohort,
            out,
            correspondence=correspondence,
            training_cohort=training_cohort,
            own_network=network,
            progress=progress,
        )
    lacking = [arm for one in evidence["external"].values() for arm in one["arms_left_out"]]
    lines = [f"without {', '.join(lacking)}: the cohort has no picture that they look at"] if lacking else []
    show(evidence, as_json, [*lines, *evidence_lines(evidence), f"Report: {out / 'report.html'}"])
