"""Cohort import: from a source to a cohort folder."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, cohort_app, progress_bars, show


@cohort_app.command("import")
def cohort_import(
    dataset: Annotated[str, typer.Argument(help="The data set's layout: ddti.")],
    source: Annotated[Path, typer.Argument(help="Folder with the data set as published.")],
    destination: Annotated[Path, typer.Argument(help="Cohort folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Turn a public data set into a cohort folder.

    Every file of the source ends in exactly one line of DEST/import_report.csv: nothing is dropped in silence,
    nothing is guessed. ddti: the open-access thyroid ultrasound database of Pedraza et al. 2015 (N.xml, N_M.jpg).
    """
    from isthmus.cohort.sources import import_data_set

    with progress_bars(as_json) as progress:
        move = None if progress is None else lambda done, total, what: progress(what, done, total)
        report = import_data_set(dataset, source, destination, move)
    facts = {"pictures": report.counts("picture"), "cases": report.counts("case"), "cohort": report.totals}
    lines = [
        f"{kind}: " + ", ".join(f"{count} {name}" for name, count in found.items()) for kind, found in facts.items()
    ]
    show(
        facts,
        as_json,
        [*lines, f"Every file: {destination / 'import_report.csv'}", f"Next: isthmus cohort check {destination}"],
    )
