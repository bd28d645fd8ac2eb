"""Cohort check and cohort simulate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, cohort_app, progress_bars, show


@cohort_app.command("check")
def cohort_check(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where check.html and check.json go; default: COHORT.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a cohort: tables, pictures, duplicates, groups on two sides of a split, marks burned into pictures.

    Duplicates are found also when mirrored, cropped, compressed again, brighter, or cut out of a double picture. Marks
    (calipers, arrows, text, body marks) and sources of regions are counted by class and site: what goes with the label
    can be learned instead of the tissue.

    Leaves check.html (with thumbnails) and check.json. Exit code 1 when there is an error, 0 with warnings only.
    """
    from isthmus.cohort.audit import check_cohort
    from isthmus.cohort.check_page import write_check

    with progress_bars(as_json) as progress:
        move = None if progress is None else lambda done, total, what: progress(what, done, total)
        report = check_cohort(cohort, move)
    destination = out or cohort
    write_check(report, cohort, destination)
    found = [f"{finding.severity}: {finding.subject}: {finding.message}" for finding, _ in report.grouped()]
    counts = ", ".join(f"{report.count(severity)} {severity}s" for severity in ("error", "warning", "note"))
    show(report.to_json(), as_json, [*found, f"{counts}. Page: {destination / 'check.html'}"])
    if report.failed:
        raise typer.Exit(1)


@cohort_app.command("simulate")
def cohort_simulate(
    preset: Annotated[str, typer.Argument(help="What kind of cohort; see below.")],
    destination: Annotated[Path, typer.Argument(help="Cohort folder to make.")],
    nodules: Annotated[int, typer.Option("--nodules", help="How many nodules.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes, whatever the number of workers.")] = 0,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; default: one a core.")] = None,
    test_only: Annotated[
        bool,
        typer.Option("--test-only", help="All patients are for testing (--external): no label is wrong on purpose."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a virtual cohort: a physical simulation of thyroid ultrasound in which the best possible AUC is known.

    Presets, each after a published cohort:

    - **stills**: B-mode stills in two planes, benign or malignant (wang2025)
    - **cine-calcified**: B-mode sweeps through calcified nodules, benign or malignant (qian2025)
    - **multimodal**: B-mode, microvascular and elastography stills, benign or malignant (ding2026)
    - **ceus-olnm**: a still and a contrast-enhanced clip, occult node metastasis (olnm2025)
    - **three-class**: stills, benign, malignant or malignant with metastasis (zhao2025)

    Patients and findings follow the literature, labels an explicit rule of the findings. DEST/truth holds what only the
    simulation knows: the findings, clean labels, what ideal observers make of each nodule, calcifications.

    Work lies in DEST.partial until it is done: stopped at any moment, the same command goes on.

    Example: `isthmus cohort simulate stills my_cohort --nodules 200 --seed 1`
    """
    from isthmus.phantom.cohort import simulate

    try:
        with progress_bars(as_json) as progress:
            made = simulate(
                preset, destination, nodules, seed=seed, workers=workers, progress=progress, test_only=test_only
            )
    except KeyboardInterrupt:
        print("isthmus: stopped by you; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    show(made.to_json(), as_json, made.lines())
