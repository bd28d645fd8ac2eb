"""Demo and doctor: see it work, and see what this machine can do."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, app, progress_bars, show


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make, or to go on with.", show_default=False)],
    nodules: Annotated[int, typer.Option("--nodules", help="Nodules of the virtual cohort.")] = 360,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the virtual cohort.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a demo that was stopped.")] = False,
    as_json: JsonOption = False,
) -> None:
    """See it all work in minutes, no data needed: a virtual cohort, a study on it, its report, and one unseen case.

    The cohort is a physical simulation, so the best AUC that its pictures allow is known, and the report says how near
    each network comes to it, and what the AUC would have looked like with pictures divided instead of patients.
    """
    from isthmus.protocol.demo import demo as run_demo

    with progress_bars(as_json) as progress:
        done = run_demo(
            out,
            nodules,
            seed,
            resume=resume,
            progress=progress,
            say=None if as_json else lambda line: print(line, file=sys.stderr, flush=True),
        )
    show(done.to_json(), as_json, done.lines())


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Tell what this machine can do: packages, devices, decoders, disk, and what to install for the rest."""
    from isthmus.doctor import examine

    findings = examine()
    marks = {"ok": "ok  ", "absent": "--  ", "problem": "!!  "}
    lines = [f"{marks[one.state]}{one.subject}: {one.sentence}" for one in findings]
    show({"findings": [one.to_json() for one in findings]}, as_json, lines)
    if any(one.state == "problem" for one in findings):
        raise typer.Exit(1)
