"""Evidence, tables, figures and report from any predictions table: what ``isthmus evaluate`` does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.files import new_folder, write_json
from isthmus.manifest import Manifest
from isthmus.report.analysis_table import analysis_table
from isthmus.report.beside import fitting_cases, fitting_reads, imrmc_tables
from isthmus.report.choose import frozen_from_table
from isthmus.report.context import ArmFacts, Check, ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.page import write_report
from isthmus.report.reading import plural
from isthmus.report.recalibrate import Method, with_calibration
from isthmus.report.recalibrate import recalibrate as fit_calibrators
from isthmus.report.tables import write_tables
from isthmus.tables.imrmc import write_imrmc
from isthmus.tables.predictions import read_predictions


def evaluate(
    predictions: DataFrame | Path | str | Iterable[Path | str],
    out: Path,
    *,
    title: str = "Evidence from a predictions table",
    question: str = "",
    positive: str | None = None,
    target: str | None = None,
    unit: str | None = None,
    cases: DataFrame | Path | str | None = None,
    reads: DataFrame | Path | str | None = None,
    frozen: dict[str, Any] | None = None,
    recalibrate: str | None = None,
    threshold: str | None = None,
    arms: Mapping[str, ArmFacts] | None = None,
    checks: Sequence[Check] = (),
    marks: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Evaluate predictions of any origin, models or readers.

    Parameters
    ----------
    predictions : DataFrame, Path or iterable of Path
        Contract 2: a table, or CSV or Parquet files. Rows of the split ``tune`` are left out and counted.
    out : Path
        A new folder; it gets ``evidence.json``, ``report.html``, ``figures/``, ``tables/`` and ``manifest.json``;
        ``frozen.json`` where something was chosen, ``reads.imrmc`` where all reads are scores of one session.
    recalibrate : {'logistic', 'isotonic', 'temperature'}, optional
        Fit each arm's calibrator on its rows of ``tune`` (else ``cv``, else ``train``): see
        :func:`isthmus.report.recalibrate.recalibrate`.
    threshold : str, optional
        How scores without calls become calls: ``youden``, ``sensitivity=0.95``, ``specificity=0.9``, ``cost=10`` or a
        number; a rule is applied to the same rows: see :func:`isthmus.report.choose.frozen_from_table`.
    title, question : str
        Heading of the report, and the question it answers.
    positive, target, unit, frozen, progress
        As :func:`compute_evidence`.
    cases, reads : DataFrame or Path, optional
        What is known of the units, and what readers said of them; what is of no unit is left out and counted.
    arms, checks, marks
        What else the report says: see :class:`isthmus.report.context.ReportContext`.
    **asked
        ``reference_arm``, ``primary``, ``secondary``, ``oracles``, ``seed_rows``, ``reference``, ``sampling``,
        ``level``, ``bootstrap``, ``prevalences``, ``higher_is``, ``table_one_mode``: the fields of
        :class:`isthmus.report.subject.Study`.

    Returns
    -------
    dict
        The evidence.

    Raises
    ------
    TableError
        With all bad rows of the tables.
    InputError
        When they cannot be analysed as one.
    OutputError
        When ``out`` exists or cannot be written.
    """
    record = Manifest("evaluate")
    with new_folder(Path(out)) as folder:
        whole = _checked(predictions)
        read, said = fitting_reads(reads, whole, positive)
        known, more = fitting_cases(cases, whole)
        which: dict[str, Any] = {"positive": positive, "target": target, "unit": unit}
        if recalibrate is not None:
            frozen = with_calibration(frozen, fit_calibrators(whole, cast(Method, recalibrate), **which))
        if threshold is not None:
            _check_no_calls(whole)
            frozen = frozen_from_table(whole, threshold, frozen=frozen, **which)
        frame, tuned = _without_tuning(whole)
        with record.stage("statistics"):
            evidence = compute_evidence(
                frame, frozen=frozen, tuning=tuned, cases=known, reads=read, progress=progress, **which, **asked
            )
        table = analysis_table(frame, frozen=frozen, **which)
        record.facts |= {"rows": len(table.rows), "arms": list(evidence["arms"])}
        context = ReportContext(
            title=title,
            question=question,
            evidence=evidence,
            predictions=frame,
            frozen=frozen,
            arms=dict(arms or {}),
            checks=[*checks, *table_checks(evidence), *_tuning_check(0 if tuned is None else len(tuned)), *said, *more],
            marks=list(marks),
            manifest={"rows": len(table.rows)},
        )
        with record.stage("report"):
            write_json(folder / "evidence.json", evidence)
            if read is not None and (study := imrmc_tables(read, whole, evidence["positive"])):
                write_imrmc(folder / "reads.imrmc", *study)
            if recalibrate is not None or threshold is not None:
                write_json(folder / "frozen.json", frozen)
            write_tables(folder / "tables", evidence, table)
            write_report(folder, context)
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])
    return evidence


def _check_no_calls(predictions: DataFrame) -> None:
    """Refuse a threshold for rows that carry calls: it would change nothing."""
    called = predictions["call"] != ""
    if called.any():
        raise InputError(
            f"{plural(int(called.sum()), 'row')} have calls already, of arm {predictions.loc[called, 'arm'].iloc[0]!r}",
            expected="scores without calls, where a threshold is asked for",
            hint="leave out the threshold, or the column call",
        )


def _checked(predictions: DataFrame | Path | str | Iterable[Path | str]) -> DataFrame:
    """Return predictions under the contract; a DataFrame passes the same checks as a file."""
    if not isinstance(predictions, DataFrame):
        return read_predictions(predictions)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "DataFrame.csv"
        predictions.to_csv(path, index=False)
        return read_predictions(path)


def _without_tuning(frame: DataFrame) -> tuple[DataFrame, DataFrame | None]:
    """Return the rows that are evidence, and the others if any: on `tune`, thresholds and epochs were chosen."""
    tuned = frame["split"] == "tune"
    if tuned.all() or not tuned.any():
        return frame, None
    return frame[~tuned].reset_index(drop=True), frame[tuned].reset_index(drop=True)


def _tuning_check(rows: int) -> list[Check]:
    if not rows:
        return []
    sentence = f"{plural(rows, 'row')} of the tuning part are left out: choices were made on them."
    return [Check("tuning", "passed", sentence)]


def table_checks(evidence: dict[str, Any]) -> list[Check]:
    """Return what can be checked of a predictions table alone, in words."""
    checks = [Check("contract", "passed", "Keys are unique; labels and probabilities keep the contract.")]
    parts = [facts for by_split in evidence["arms"].values() for facts in by_split.values()]
    sizes = {(split, facts["n"]) for by_split in evidence["arms"].values() for split, facts in by_split.items()}
    if len(sizes) == len({split for split, _ in sizes}):
        checks.append(
            Check("same units", "passed", f"All arms of a split have the same number of {evidence['unit']}s.")
        )
    else:
        checks.append(
            Check("same units", "warning", "Arms differ in their units; pairs are compared on the shared ones.")
        )
    if all(facts["n"] == facts["n_groups"] for facts in parts):
        checks.append(
            Check("groups", "warning", f"Every {evidence['unit']} is a group of its own: no clustering was declared.")
        )
    smallest = min((min(facts["class_groups"].values()) for facts in parts), default=0)
    if smallest < 10:
        checks.append(Check("size", "warning", f"A class has only {plural(smallest, 'group')} in some split."))
    return checks
