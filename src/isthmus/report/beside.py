"""What is given beside the scores, reads and cases, made to fit the table: what is of no unit of it is counted."""

from pathlib import Path

from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.context import Check
from isthmus.report.reading import plural
from isthmus.tables.cases import read_cases
from isthmus.tables.imrmc import read_imrmc
from isthmus.tables.predictions import classes_of
from isthmus.tables.reads import DEFAULTS, read_reads


def fitting_reads(
    reads: DataFrame | Path | str | None, predictions: DataFrame, positive: str | None = None
) -> tuple[DataFrame | None, list[Check]]:
    """Return the reads of the table's units, and what was left out in words.

    Parameters
    ----------
    reads : DataFrame or Path, optional
        ``reads.csv`` of contract 1, or an ``.imrmc`` file, whose truth must then be the table's.
    predictions : DataFrame
        Contract 2.
    positive : str, optional
        The positive class; default the last.

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
        reads = _from_imrmc(path, predictions, positive) if path.suffix == ".imrmc" else read_reads(path)
    counted = [Check("reads", "warning", f"{note}.") for note in reads.attrs.get("notes", [])]
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
    return own[known].reset_index(drop=True), [*counted, *checks]


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


def _from_imrmc(path: Path, predictions: DataFrame, positive: str | None) -> DataFrame:
    classes = classes_of(predictions)
    positive = classes[-1] if positive is None else positive
    reads, truth = read_imrmc(path)
    labels = predictions.drop_duplicates("unit_id").set_index("unit_id")["label"]
    both = truth[truth["unit_id"].isin(labels.index)]
    here = labels.loc[both["unit_id"]].to_numpy() == positive
    other = both.loc[here != (both["label"] == "positive").to_numpy(), "unit_id"]
    if len(other):
        raise InputError(
            f"{plural(len(other), 'case')} have one truth there and another in the predictions: "
            f"{', '.join(map(str, other[:5]))}",
            where=str(path),
            expected=f"1 for the cases of class {positive!r}, 0 for the others",
        )
    return reads


def imrmc_tables(reads: DataFrame, predictions: DataFrame, positive: str) -> tuple[DataFrame, DataFrame] | None:
    """Return reads and truth as an ``.imrmc`` file takes them; None where it cannot hold them.

    The format knows two classes, one session and scores; its names hold neither blanks nor commas: ``_`` stands for
    these here, unless two names would then be one.

    Parameters
    ----------
    reads, predictions : DataFrame
        As :func:`fitting_reads` returns them, and contract 2.
    positive : str
        The positive class.
    """
    scored = "score" in reads and reads["score"].notna().all()
    one = len(reads[["session", "target"]].drop_duplicates()) == 1 if "session" in reads else True
    if not scored or not one or predictions["label"].nunique() != 2:
        return None
    names = ["reader_id", "condition", "unit_id"]
    plain = reads.assign(**{name: reads[name].astype(str).str.replace(r"[\s,]+", "_", regex=True) for name in names})
    if any(plain[name].nunique() != reads[name].nunique() for name in names):
        return None
    units = predictions[predictions["unit_id"].isin(reads["unit_id"])].drop_duplicates("unit_id")
    truth = units[["unit_id", "label"]].assign(unit_id=units["unit_id"].str.replace(r"[\s,]+", "_", regex=True))
    return plain, truth.assign(label=(truth["label"] == positive).map({True: "positive", False: "negative"}))
