"""The commands. Thin: each reads its arguments, imports its room, calls one function and shows what came out."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from isthmus.errors import IsthmusError

app = typer.Typer(
    name="isthmus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="From a folder of thyroid ultrasound to trained, compared, calibrated and explained models, and the "
    "report.\n\nNo data at hand: `isthmus demo --out DEMO`.\n\nStart: `isthmus cohort import ddti SRC DEST`, then "
    "`isthmus run wang2025 --cohort DEST --out RUN --profile small`, then open `RUN/report.html`.\n\n"
    "**Research use only; not a medical device.**",
)
cohort_app = typer.Typer(
    no_args_is_help=True, help="Make a cohort from a public data set or a simulation, and check one."
)
weights_app = typer.Typer(no_args_is_help=True, help="Initial weights: what is known, what is here, and how to get it.")
app.add_typer(cohort_app, name="cohort")
app.add_typer(weights_app, name="weights")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to make; it may not exist yet.", show_default=False)]
Progress = Callable[[str, int, int], None]
# What the extra `train` brings; `evaluate`, `cohort`, `protocols`, `models` and `doctor` run without.
TRAINING_MODULES = ("torch", "lightning", "monai", "safetensors", "sklearn", "tensorboard")


def main() -> None:
    """Run the command line: an error on purpose is one line on stderr and exit code 1."""
    try:
        app()
    except IsthmusError as error:
        _refuse(str(error), type(error).__name__)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING_MODULES:
            raise
        _refuse(f"this command needs {error.name}. Next: pip install 'isthmus[train]'", "MissingExtra")
    except KeyboardInterrupt:
        print("isthmus: stopped by you; a run goes on from here with --resume", file=sys.stderr)
        sys.exit(130)


def _refuse(sentence: str, kind: str) -> NoReturn:
    if "--json" in sys.argv:
        print(json.dumps({"error": sentence, "kind": kind}))
    else:
        print(f"isthmus: {sentence}", file=sys.stderr)
    sys.exit(1)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """Give a function that moves progress bars on a terminal, or None where there is none."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield move


def _show(facts: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str) if as_json else "\n".join(lines))


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *rows]
    ]


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

    with _progress(as_json) as progress:
        move = None if progress is None else lambda done, total, what: progress(what, done, total)
        report = import_data_set(dataset, source, destination, move)
    facts = {"pictures": report.counts("picture"), "cases": report.counts("case"), "cohort": report.totals}
    lines = [
        f"{kind}: " + ", ".join(f"{count} {name}" for name, count in found.items()) for kind, found in facts.items()
    ]
    _show(
        facts,
        as_json,
        [*lines, f"Every file: {destination / 'import_report.csv'}", f"Next: isthmus cohort check {destination}"],
    )


@cohort_app.command("check")
def cohort_check(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where check.html and check.json go; default: COHORT.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a cohort: tables, pictures, duplicates, groups on two sides of a split, text burned into pictures.

    Leaves check.html (with thumbnails) and check.json. Exit code 1 when there is an error, 0 with warnings only.
    """
    from isthmus.cohort.audit import check_cohort
    from isthmus.cohort.check_page import write_check

    with _progress(as_json) as progress:
        move = None if progress is None else lambda done, total, what: progress(what, done, total)
        report = check_cohort(cohort, move)
    destination = out or cohort
    write_check(report, cohort, destination)
    found = [f"{finding.severity}: {finding.subject}: {finding.message}" for finding, _ in report.grouped()]
    counts = ", ".join(f"{report.count(severity)} {severity}s" for severity in ("error", "warning", "note"))
    _show(report.to_json(), as_json, [*found, f"{counts}. Page: {destination / 'check.html'}"])
    if report.failed:
        raise typer.Exit(1)


@cohort_app.command("simulate")
def cohort_simulate(
    preset: Annotated[str, typer.Argument(help="What kind of cohort; see below.")],
    destination: Annotated[Path, typer.Argument(help="Cohort folder to make.")],
    nodules: Annotated[int, typer.Option("--nodules", help="How many nodules.", show_default=False)],
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes, whatever the number of workers.")] = 0,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; default: one a core.")] = None,
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
        with _progress(as_json) as progress:
            made = simulate(preset, destination, nodules, seed=seed, workers=workers, progress=progress)
    except KeyboardInterrupt:
        print("isthmus: stopped by you; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    _show(made.to_json(), as_json, made.lines())


@app.command()
def run(
    protocol: Annotated[str, typer.Argument(help="A shipped protocol (see `isthmus protocols`) or a YAML file.")],
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort folder.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Run folder to make, or to go on with.", show_default=False)],
    external: Annotated[Path | None, typer.Option("--external", help="Cohort of other patients, opened once.")] = None,
    profile: Annotated[str, typer.Option(help="paper, small (minutes on 2 cores) or smoke (seconds).")] = "paper",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over the protocol, e.g. defaults.train.epochs=20.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Only print fits, epochs, disk and expected time.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, compare, calibrate, explain and report, as a protocol says.

    A run that was stopped at any moment goes on with --resume and ends in the same predictions.csv.
    """
    from isthmus.protocol.run import plan_run
    from isthmus.protocol.run import run as run_protocol

    if plan:
        planned = plan_run(protocol, cohort, profile=profile, settings=settings or ())
        _show(planned.to_json(), as_json, planned.lines())
        return
    with _progress(as_json) as progress:
        finished = run_protocol(
            protocol,
            cohort,
            out,
            external=external,
            profile=profile,
            settings=settings or (),
            resume=resume,
            progress=progress,
            say=None if as_json else lambda line: print(line, file=sys.stderr, flush=True),
        )
    _show(finished.to_json(), as_json, finished.lines())


@app.command()
def evaluate(
    predictions: Annotated[list[Path], typer.Argument(help="Tables of scores, CSV or Parquet (contract 2).")],
    out: OutOption,
    reference: Annotated[str | None, typer.Option("--reference", help="Arm that the others are compared with.")] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="The positive class; default: the last.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate scores of any model: intervals, comparisons, calibration, figures, one report. Needs no torch.

    A table needs the columns arm, split, unit_id, label, and either p_<class> for each class or one score.
    Add group_id (or patient_id) where a patient has several rows: the patient is the unit of every interval.
    """
    from isthmus.report.evaluate import evaluate as evaluate_tables
    from isthmus.report.summary import evidence_lines

    with _progress(as_json) as progress:
        move = None if progress is None else lambda done, total: progress("evidence", done, total)
        evidence = evaluate_tables(predictions, out, reference_arm=reference, positive=positive, progress=move)
    _show(evidence, as_json, [*evidence_lines(evidence), f"Report: {out / 'report.html'}"])


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle.")],
    inputs: Annotated[list[Path], typer.Argument(help="Pictures (PNG, JPEG, TIFF, BMP, DICOM) or folders of them.")],
    out: OutOption,
    box: Annotated[str | None, typer.Option("--box", help="Lesion box x0,y0,x1,y1 in the picture's pixels.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="Lesion mask, a picture of the same size.")] = None,
    network: Annotated[
        Path | None, typer.Option("--network", help="The Python file of a bundle's own network; never run unasked.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add a Grad-CAM overlay for each picture.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score pictures with a trained model: calibrated probability, call at the frozen threshold, heat map.

    A model trained on outlined nodules never scores a picture without a region: give --box or --mask.
    """
    from isthmus.explain.prediction import predict_files

    with _progress(as_json) as progress:
        done = predict_files(
            bundle, inputs, out, box=box, mask=mask, explain=explain, own_network=network, progress=progress
        )
    _show(done.to_json(), as_json, done.lines())
    if done.failed:
        raise typer.Exit(1)


@app.command()
def protocols(
    name: Annotated[str | None, typer.Argument(help="Show one protocol, resolved.")] = None,
    profile: Annotated[str, typer.Option(help="paper, small or smoke.")] = "paper",
    as_json: JsonOption = False,
) -> None:
    """List the shipped protocols, or show one as it will run."""
    from isthmus.protocol.schema import reductions, resolve_protocol, shipped_protocols

    if name is None:
        found = [resolve_protocol(shipped) for shipped in shipped_protocols()]
        rows = [[one.protocol, f"{len(one.arms)} arms", one.title] for one in found]
        facts = {
            "protocols": [
                one.model_dump(mode="json", include={"protocol", "title", "cite", "question"}) for one in found
            ]
        }
        _show(facts, as_json, [*_table(["protocol", "arms", "title"], rows), "", "One in full: isthmus protocols NAME"])
        return
    import yaml

    resolved = resolve_protocol(name, profile).model_dump(mode="json")
    changed = [f"# {line}" for line in reductions(name, profile)]
    _show(resolved, as_json, [*changed, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=110)])


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show one network with its options.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks, or show one with its options, source and initial weights."""
    from isthmus.models.registry import card, cards

    if name is None:
        rows = [[one.name, f"{one.parameters_millions:.1f} M", one.summary] for one in cards().values()]
        facts = {"models": [one.to_json() for one in cards().values()]}
        _show(
            facts,
            as_json,
            [*_table(["network", "parameters", "what it is"], rows), "", "One in full: isthmus models NAME"],
        )
        return
    one = card(name)
    _show(one.to_json(), as_json, one.lines())


@weights_app.command("list")
def weights_list(as_json: JsonOption = False) -> None:
    """List the official weight files that the networks know, and which of them are in the cache."""
    from isthmus.models.weights import list_weights

    found = list_weights()
    rows = [[one.name, one.network, "here" if one.present else "absent", one.licence] for one in found]
    facts = {"weights": [one.to_json() for one in found]}
    _show(facts, as_json, _table(["weights", "network", "state", "licence"], rows))


@weights_app.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="A name of `isthmus weights list`.")], as_json: JsonOption = False
) -> None:
    """Download an official weight file into the cache and check its hash."""
    from isthmus.models.weights import fetch

    path = fetch(name)
    _show({"name": name, "file": path.name}, as_json, [f"{name} is here: {path}"])


@weights_app.command("import")
def weights_import(
    path: Annotated[Path, typer.Argument(help="A .pth or .safetensors file.")],
    name: Annotated[str | None, typer.Option("--name", help="Name for a file that is not an official one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a weight file into the cache: for machines without internet, and for weights of your own."""
    from isthmus.models.weights import import_weights

    entry = import_weights(path, name=name)
    _show({"name": entry}, as_json, [f"Imported as {entry}: use `weights: {entry}` in a protocol."])


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

    with _progress(as_json) as progress:
        done = run_demo(
            out,
            nodules,
            seed,
            resume=resume,
            progress=progress,
            say=None if as_json else lambda line: print(line, file=sys.stderr, flush=True),
        )
    _show(done.to_json(), as_json, done.lines())


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Tell what this machine can do: packages, devices, decoders, disk, and what to install for the rest."""
    from isthmus.doctor import examine

    findings = examine()
    marks = {"ok": "ok  ", "absent": "--  ", "problem": "!!  "}
    lines = [f"{marks[one.state]}{one.subject}: {one.sentence}" for one in findings]
    _show({"findings": [one.to_json() for one in findings]}, as_json, lines)
    if any(one.state == "problem" for one in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
