"""What is given beside the scores, reads and cases, made to fit the table: what is of no unit of it is counted."""

from pathlib import Path

import pandas as pd
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.context import Check
from isthmus.report.reading import plural
from isthmus.tables.predictions import classes_of
from isthmus.tables.reads import DEFAULTS, read_reads


def fitting_reads(reads: DataFrame | Path | str | None, predictions: DataFrame) -> tuple[DataFrame | None, list[Check]]:
    """Return the reads of the table's units, and what was left out in words.

    Parameters
    ----------
    reads : DataFrame or Path, optional
        ``reads.csv`` of contract 1, or an ``.imrmc`` file, whose truth must then be the table's.
    predictions : DataFrame
        Contract 2.

    Raises
    ------
    TableError
        With all bad rows.
    InputError
        When no read is of a unit of the table, a call is no class of it, or a file's truth contradicts it.
    """
    if reads is None:
        return None, []
    if not isinstance(reads, DataFrame):
        path = Path(reads)
        reads = _from_imrmc(path, predictions) if path.suffix == ".imrmc" else read_reads(path)
    targets = sorted(set(predictions["target"]))
    if set(reads["target"]) == {DEFAULTS["target"]} and len(targets) == 1:
        reads = reads.assign(target=targets[0])
    own = reads[reads["target"].isin(targets)]
    known = own["unit_id"].isin(predictions["unit_id"])
    if not known.any():
        raise InputError(
            f"none of {plural(len(reads), 'read')} is of a unit and target of the predictions",
            expected=f"unit_id as in the predictions, such as {predictions['unit_id'].iloc[0]!r}, "
            f"and target {' or '.join(targets)}",
        )
    _check_calls(own[known], classes_of(predictions))
    out = len(reads) - int(known.sum())
    checks = [
        Check("reads", "warning", f"{plural(out, 'read')} of {len(reads)} are of no unit here and are left out.")
        if out
        else Check("reads", "passed", f"All {plural(len(reads), 'read')} are of units of the predictions.")
    ]
    return own[known].reset_index(drop=True), checks


def fitting_cases(cases: DataFrame | Path | str | None, predictions: DataFrame) -> tuple[DataFrame | None, list[Check]]:
    """Return what is known of the table's units, and how many of them it says nothing of.

    Parameters
    ----------
    cases : DataFrame or Path, optional
        As :func:`isthmus.tables.cases.read_cases` reads it.
    predictions : DataFrame
        Contract 2.

    Raises
    ------
    TableError
        With all bad rows.
    InputError
        When it knows no unit of the table.
    """
    if cases is None:
        return None, []
    if not isinstance(cases, DataFrame):
        from isthmus.tables.cases import read_cases

        cases = read_cases(Path(cases))
    units = predictions["unit_id"].drop_duplicates()
    known = units.isin(cases["unit_id"])
    if not known.any():
        raise InputError(
            "the table of cases knows no unit of the predictions",
            expected=f"unit_id as in the predictions, such as {units.iloc[0]!r}",
        )
    if known.all():
        return cases, [Check("cases", "passed", "Something is known of every unit.")]
    unknown = int((~known).sum())
    return cases, [Check("cases", "warning", f"Nothing is known of {plural(unknown, 'unit')} of {len(units)}.")]


def _check_calls(reads: DataFrame, classes: list[str]) -> None:
    calls = set(reads["call"].dropna()) - {""} if "call" in reads else set()
    if wrong := sorted(calls - set(classes)):
        raise InputError(
            f"readers call what is no class of the predictions: {', '.join(map(repr, wrong[:5]))}",
            expected=", ".join(classes),
        )


def _from_imrmc(path: Path, predictions: DataFrame) -> DataFrame:
    from isthmus.tables.imrmc import read_imrmc

    reads, truth = read_imrmc(path)
    labels = predictions.drop_duplicates("unit_id").set_index("unit_id")["label"]
    both = truth[truth["unit_id"].isin(labels.index)]
    positive = labels.loc[both["unit_id"]].to_numpy() == classes_of(predictions)[-1]
    other = both.loc[positive != (both["label"].astype(str) == "1").to_numpy(), "unit_id"]
    if len(other):
        raise InputError(
            f"{plural(len(other), 'case')} have one truth here and another in the predictions: "
            f"{', '.join(map(str, other[:5]))}",
            where=str(path),
            expected="the same reference in both",
        )
    return pd.DataFrame(reads)
