"""Evaluate: evidence from tables of scores."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show


@app.command()
def evaluate(
    predictions: Annotated[
        list[Path], typer.Argument(help="Tables of scores (CSV or Parquet, contract 2) and run folders.")
    ],
    out: OutOption,
    reference: Annotated[str | None, typer.Option("--reference", help="Arm that the others are compared with.")] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="The positive class; default: the last.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate scores of any model: intervals, comparisons, calibration, figures, one report. Needs no torch.

    A table needs the columns arm, split, unit_id, label, and either p_<class> for each class or one score.
    Add group_id (or patient_id) where a patient has several rows: the patient is the unit of every interval.
    Of several runs, arms are paired on the nodules that they share, each with its own frozen thresholds.
    """
    from isthmus.protocol.evaluate_runs import evaluate_runs
    from isthmus.report.evaluate import evaluate as evaluate_tables
    from isthmus.report.summary import evidence_lines

    with progress_bars(as_json) as progress:
        move = None if progress is None else lambda done, total: progress("evidence", done, total)
        over = evaluate_runs if any(path.is_dir() for path in predictions) else evaluate_tables
        evidence = over(predictions, out, reference_arm=reference, positive=positive, progress=move)
    show(evidence, as_json, [*evidence_lines(evidence), f"Report: {out / 'report.html'}"])
