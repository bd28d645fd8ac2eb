"""Cohort elasticity: shear-wave elastograms back to kilopascal."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, cohort_app, progress_bars, show


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
    from isthmus.cohort.cohort import load_cohort
    from isthmus.cohort.elasticity import measure_elasticity, stiffness_range
    from isthmus.files import refuse_existing
    from isthmus.manifest import Manifest
    from isthmus.report.elasticity_files import write_elasticity

    refuse_existing(out)
    record = Manifest("cohort elasticity")
    scale = None if range_kpa is None else stiffness_range(range_kpa)
    loaded = load_cohort(cohort)
    with progress_bars(as_json) as progress, record.stage("pictures"):
        move = None if progress is None else lambda done, total: progress("pictures", done, total)
        measured = measure_elasticity(loaded, range_kpa=scale, progress=move)
    facts = write_elasticity(loaded, measured, out, record)
    lines = [
        f"{facts['measured']} of {facts['measured'] + len(facts['refused'])} elastograms measured, "
        f"{facts['in_full']} of them in full",
        *(f"not measured: view {view}: {why}" for view, why in facts["refused"].items()),
        f"Page: {out / 'elasticity.html'}",
    ]
    show(facts | {"out": str(out)}, as_json, lines)
