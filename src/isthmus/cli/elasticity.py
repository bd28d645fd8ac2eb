"""Cohort elasticity: shear-wave elastograms back to kilopascal."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, cohort_app
from isthmus.cli.measurement import measure_and_show


@cohort_app.command("elasticity", epilog="Research use only; not a medical device. More: docs/elasticity.md.")
def cohort_elasticity(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder with views of modality swe.")],
    out: OutOption,
    range_kpa: Annotated[
        str | None,
        typer.Option(
            help="What the colour bars begin and end at, as '0 180', where views.csv has no swe_range_kpa.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the stiffness of lesions in shear-wave elastograms: mean, stiffest part, spread, ring, against tissue.

    The colours are turned back into kilopascal by the colour bar on the screen, however transparent the map lies over
    the B-mode picture. What a picture does not show is left blank, with the reason. No label is looked at.

    A picture needs its colour bar, a mask or a box, and what the bar begins and ends at. One that cannot be measured is
    listed and stops nothing.

    Leaves OUT/elasticity.csv, elasticity.html, figures/ and manifest.json.

    Example: `isthmus cohort elasticity my_cohort --out elasticity --range-kpa "0 180"`
    """
    from isthmus.cohort.elasticity import measure_elasticity, stiffness_range
    from isthmus.report.elasticity_files import write_elasticity

    scale = None if range_kpa is None else stiffness_range(range_kpa)
    measure_and_show(
        "elasticity",
        cohort,
        out,
        as_json,
        stage="pictures",
        what="elastograms",
        measure=partial(measure_elasticity, range_kpa=scale),
        write=write_elasticity,
    )
