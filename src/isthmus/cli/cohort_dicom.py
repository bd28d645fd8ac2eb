"""Cohort dicom: a simulated cohort's test patients as studies that a DICOM node can be tried with."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, cohort_app, progress_bars, show


@cohort_app.command("dicom")
def cohort_dicom(
    cohort: Annotated[Path, typer.Argument(help="A simulated cohort's folder.")],
    destination: Annotated[Path, typer.Argument(help="Folder to make.")],
    patients: Annotated[
        int | None, typer.Option("--patients", min=1, help="How many of its test patients; default: all.")
    ] = None,
    jpeg: Annotated[
        bool, typer.Option("--jpeg", help="Clips in baseline JPEG, as scanners send them; else every pixel is kept.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the test patients of a simulated cohort as DICOM ultrasound studies, to try a node without a hospital.

    DEST/studies holds one folder a study; names, dates and equipment are made up and say SIMULATED. DEST/studies.csv
    says which nodule each file shows, where, and its label.

    Example: `isthmus cohort simulate stills COHORT --nodules 24 --test-only`, then
    `isthmus cohort dicom COHORT STUDIES --patients 5`
    """
    from isthmus.phantom.dicom_studies import STUDIES, TABLE, write_studies

    with progress_bars(as_json) as progress:
        made = write_studies(cohort, destination, patients=patients, jpeg=jpeg, progress=progress)
    counts = {"patients": made.patients, "studies": made.studies, "files": made.files}
    show(
        {"folder": str(made.folder), "simulated": True, **counts},
        as_json,
        [
            f"SIMULATED: {made.studies} studies of {made.patients} patients, {made.files} files",
            f"Studies: {made.folder / STUDIES}",
            f"What each file shows: {made.folder / TABLE}",
        ],
    )
