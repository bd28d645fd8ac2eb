"""The command line itself: the tree of commands, how errors, progress and results are shown."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from isthmus.errors import IsthmusError
from isthmus.manifest import version as installed_version
from isthmus.progress import Progress

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


def _print_version(asked: bool) -> None:
    if asked:
        print(f"isthmus {installed_version()}")
        raise typer.Exit


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to make; it may not exist yet.", show_default=False)]
# What the extra `train` brings; `evaluate`, `cohort`, `protocols`, `models` and `doctor` run without.
TRAINING_MODULES = (
    "torch",
    "lightning",
    "monai",
    "safetensors",
    "sklearn",
    "tensorboard",
    "skops",
    "threadpoolctl",
    "lightgbm",
    "xgboost",
)
# What the extra `clinic` brings beside those.
CLINIC_MODULES = (
    "highdicom",
    "pynetdicom",
    "dicomweb_client",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "openvino",
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "argon2",
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Hold what stands before a command."""


def main() -> None:
    """Run the command line: an error on purpose is one line on stderr and exit code 1."""
    try:
        app()
    except IsthmusError as error:
        _refuse(str(error), type(error).__name__)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in (*TRAINING_MODULES, *CLINIC_MODULES):
            raise
        extra = "train" if name in TRAINING_MODULES else "clinic"
        _refuse(f"this command needs {error.name}. Next: pip install 'isthmus[{extra}]'", "MissingExtra")
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
def progress_bars(quiet: bool) -> Iterator[Progress | None]:
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


def show(facts: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Print what came out: as JSON for programs, or in words."""
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str) if as_json else "\n".join(lines))


def columns_of(headings: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table as lines, its columns aligned."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [headings, *rows]
    ]
