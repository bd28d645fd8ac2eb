"""Evaluate: evidence from tables of scores."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.app import JsonOption, OutOption, app, progress_bars, show

_SCORES, _BESIDE, _ASKED = "Which scores", "What is known beside them", "How it is asked"


PredictionsArgument = Annotated[
    list[Path], typer.Argument(help="Tables of scores (CSV or Parquet, contract 2) and run folders.")
]
ReadsOption = Annotated[
    Path | None,
    typer.Option(
        "--reads",
        help="What readers said of the same units: CSV with reader_id, unit_id and a call, score or p_CLASS; "
        "optional experience, condition (unaided, aided), session, seconds. Or an .imrmc file.",
        rich_help_panel=_BESIDE,
    ),
]
CasesOption = Annotated[
    Path | None,
    typer.Option(
        "--cases",
        help="What is known of the units: CSV with unit_id and any columns (age_years, sex, size_mm, site, device, "
        "tirads, composition, …). Gives Table 1, subgroups, and TI-RADS beside the model.",
        rich_help_panel=_BESIDE,
    ),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option("--reference", help="Arm that the others are compared with.", rich_help_panel=_ASKED),
]
PrimaryOption = Annotated[
    str | None,
    typer.Option(
        "--primary",
        help="Arm whose difference from --reference was named before the analysis; it stands outside Holm's "
        "correction.",
        rich_help_panel=_ASKED,
    ),
]
PositiveOption = Annotated[
    str | None,
    typer.Option("--positive", help="The positive class; default: the last.", rich_help_panel=_SCORES),
]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", help="Which target, where the tables hold several.", rich_help_panel=_SCORES),
]
UnitOption = Annotated[
    str | None,
    typer.Option("--unit", help="view, nodule or patient, where the tables hold several.", rich_help_panel=_SCORES),
]
LabelFromOption = Annotated[
    str,
    typer.Option(
        "--label-from",
        help="Where the label comes from: surgery, cytology, follow_up, tirads, mixed or unknown.",
        rich_help_panel=_BESIDE,
    ),
]
SamplingOption = Annotated[
    str | None,
    typer.Option(
        "--sampling",
        help="consecutive, selected or case_control: predictive values of the sample count only for the first.",
        rich_help_panel=_BESIDE,
    ),
]
PrevalenceOption = Annotated[
    list[float] | None,
    typer.Option(
        "--prevalence",
        help="Share of positives in a clinic, 0 to 1, that predictive values and numbers per 1,000 are stated "
        "for; may be repeated. Default: 0.05, 0.1 and 0.2.",
        rich_help_panel=_ASKED,
    ),
]
ThresholdOption = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        help="How scores without calls become calls: youden, sensitivity=0.95, specificity=0.9, cost=10 (a missed "
        "positive weighs ten needless calls), or a number. A rule is applied to rows of the split tune (else cv, "
        "else train) and used on the others.",
        rich_help_panel=_ASKED,
    ),
]
RecalibrateOption = Annotated[
    str | None,
    typer.Option(
        "--recalibrate",
        help="logistic, isotonic or temperature: fitted on rows of the split tune (else cv, else train), used on "
        "the others; ranks do not change.",
        rich_help_panel=_ASKED,
    ),
]
TableOneOption = Annotated[
    str,
    typer.Option(
        "--table1",
        help="default, or paper: tests of Table 1 as papers often have them (chi-square whatever the counts, with "
        "Yates's correction for two by two).",
        rich_help_panel=_ASKED,
    ),
]
LevelOption = Annotated[
    float, typer.Option("--level", min=0.5, max=0.999, help="Of all intervals.", rich_help_panel=_ASKED)
]
BootstrapOption = Annotated[
    int,
    typer.Option(
        "--bootstrap", min=200, max=100_000, help="Resamplings of the groups of patients.", rich_help_panel=_ASKED
    ),
]


@app.command(epilog="Research use; not a medical device. More: docs/evaluate.md, notebooks/statistics_only.ipynb.")
def evaluate(
    predictions: PredictionsArgument,
    out: OutOption,
    reads: ReadsOption = None,
    cases: CasesOption = None,
    reference: ReferenceOption = None,
    primary: PrimaryOption = None,
    positive: PositiveOption = None,
    target: TargetOption = None,
    unit: UnitOption = None,
    label_from: LabelFromOption = "unknown",
    sampling: SamplingOption = None,
    prevalence: PrevalenceOption = None,
    threshold: ThresholdOption = None,
    recalibrate: RecalibrateOption = None,
    table_one: TableOneOption = "default",
    level: LevelOption = 0.95,
    bootstrap: BootstrapOption = 2000,
    as_json: JsonOption = False,
) -> None:
    """Evaluate scores of any model, and readers beside them: numbers with intervals, one report. Needs no torch.

    A table has one row for each arm (model) and unit (nodule), with the columns

        arm,split,unit_id,patient_id,label,p_benign,p_malignant

        resnet,test,n17,p4,malignant,0.21,0.79

    or one `score` in place of the probabilities (then no calibration and no decision curve).
    split is test, external, cv, tune or train. patient_id (or group_id) matters where a patient has several rows: the
    patient is the unit of every interval. cv rows carry seed and fold.
    Of several runs, arms are paired on the nodules that they share, each with its own frozen thresholds.

    Leaves OUT/report.html, evidence.json, tables/ (CSV), figures/ (SVG and PNG) and manifest.json.
    """
    from isthmus.protocol.evaluate_runs import evaluate_runs
    from isthmus.report.evaluate import evaluate as evaluate_tables
    from isthmus.report.summary import evidence_lines

    if primary is not None and reference is None:
        raise typer.BadParameter("--primary names an arm; --reference must name what it is compared with")
    options: dict[str, Any] = {"prevalences": tuple(prevalence)} if prevalence else {}
    with progress_bars(as_json) as progress:
        move = None if progress is None else lambda done, total: progress("evidence", done, total)
        over = evaluate_runs if any(path.is_dir() for path in predictions) else evaluate_tables
        evidence = over(
            predictions,
            out,
            reads=reads,
            cases=cases,
            reference_arm=reference,
            primary=None if primary is None else {"arm": primary, "against": str(reference)},
            positive=positive,
            target=target,
            unit=unit,
            reference=label_from,
            sampling=sampling,
            threshold=threshold,
            recalibrate=recalibrate,
            table_one_mode=table_one,
            level=level,
            bootstrap=bootstrap,
            progress=move,
            **options,
        )
    show(evidence, as_json, [*evidence_lines(evidence), f"Report: {out / 'report.html'}"])
