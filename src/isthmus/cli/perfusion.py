"""Cohort perfusion: time-intensity curves and features of contrast-enhanced clips."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, cohort_app
from isthmus.cli.measurement import measure_and_show


@cohort_app.command("perfusion", epilog="Research use only; not a medical device. More: docs/perfusion.md.")
def cohort_perfusion(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder with views of modality ceus.")],
    out: OutOption,
    dynamic_range: Annotated[
        float,
        typer.Option(
            "--dynamic-range-db",
            help="Of the scanner's contrast display, for clips whose views.csv has no dynamic_range_db.",
        ),
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Measure the perfusion of lesions in contrast-enhanced clips: peak, times, wash-in, wash-out, area, ring.

    Each clip gives time-intensity curves of the lesion, a ring along its outline and the tissue beyond, a bolus curve
    fitted to each, and one row of features, lesion against tissue. What a clip does not show is left blank, with the
    reason. No label is looked at.

    A clip needs a mask or boxes, and a frame rate. One that cannot be measured is listed and stops nothing.

    Leaves OUT/perfusion.csv, curves.json, perfusion.html, figures/ and manifest.json.

    Example: `isthmus cohort perfusion my_cohort --out perfusion --dynamic-range-db 55`
    """
    from isthmus.cohort.perfusion import measure_perfusion
    from isthmus.report.perfusion_files import write_perfusion

    measure_and_show(
        "perfusion",
        cohort,
        out,
        as_json,
        stage="clips",
        what="clips",
        measure=partial(measure_perfusion, dynamic_range_db=dynamic_range),
        write=partial(write_perfusion, dynamic_range_db=dynamic_range),
    )
