"""What the tables of a cohort say about each other: foreign keys, groups, labels, scores."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from isthmus.cohort.description import Description, Target
from isthmus.tables.check import BadValue, bad_cells
from isthmus.tables.reads import KEY

_LINKS = (
    ("nodules", "patient_id", "patients"),
    ("views", "nodule_id", "nodules"),
    ("boxes", "view_id", "views"),
)


def find_contradictions(
    tables: Mapping[str, pd.DataFrame], files: Mapping[str, Path], description: Description
) -> list[BadValue]:
    """Return every cell that contradicts another table or ``cohort.yaml``.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables by name, as :func:`isthmus.tables.check.inspect_table` gives them (index = line of the file).
    files : mapping of str to Path
        Where each came from.
    description : Description
        The cohort's ``cohort.yaml``.

    Returns
    -------
    list of BadValue
        Ids that no row has, a patient in two groups, labels outside a target's classes, reads off their scale.
    """
    bad: list[BadValue] = []
    for name, column, owner in _LINKS:
        if name in tables:
            cells = tables[name][column].dropna()
            known = tables[owner][column]
            bad += bad_cells(str(files[name]), cells[~cells.isin(known)], f"a {column} of {files[owner].name}")
    bad += _two_groups(tables["nodules"], str(files["nodules"]))
    for target in description.targets.values():
        bad += _labels(target, tables[target.table], str(files[target.table]))
    if "reads" in tables:
        bad += _reads(tables, str(files["reads"]), description)
    return bad


def _two_groups(nodules: pd.DataFrame, file: str) -> list[BadValue]:
    if "group_id" not in nodules:
        return []
    group = nodules["group_id"].fillna(nodules["patient_id"])
    first = group.groupby(nodules["patient_id"]).transform("first")
    other = group.ne(first) & nodules["patient_id"].notna()
    return bad_cells(file, group[other].rename("group_id"), "one group for all nodules of a patient")


def _labels(target: Target, table: pd.DataFrame, file: str) -> list[BadValue]:
    if target.column not in table:
        return [BadValue(file, 1, target.column, "", f"the label column of target {target.name!r}")]
    cells = table[target.column].dropna()
    words = f"blank, or a class of target {target.name!r}: {', '.join(target.classes)}"
    return bad_cells(file, cells[~cells.astype("str").isin(list(target.classes))], words)


def _reads(tables: Mapping[str, pd.DataFrame], file: str, description: Description) -> list[BadValue]:
    reads = tables["reads"]
    targets = reads["target"].dropna()
    unknown = targets[~targets.isin(list(description.targets))]
    bad = bad_cells(file, unknown, "a target of cohort.yaml: " + ", ".join(description.targets))
    for name, target in description.targets.items():
        owner = f"{target.unit}s"
        ids = reads["unit_id"][reads["target"] == name].dropna()
        bad += bad_cells(file, ids[~ids.isin(tables[owner][f"{target.unit}_id"])], f"a {target.unit}_id of {owner}")
        calls = reads["call"][reads["target"] == name].dropna() if "call" in reads else reads["target"].iloc[:0]
        words = f"blank, or a class of target {name!r}: {', '.join(target.classes)}"
        bad += bad_cells(file, calls[~calls.isin(list(target.classes))], words)
    twice = reads.duplicated([column for column in KEY if column in reads])
    bad += bad_cells(file, reads["unit_id"][twice], "one read of a reader, condition, session, target and unit")
    if "score" in reads and reads["score"].notna().any():
        scores = reads["score"].dropna()
        if description.reads is None:
            bad.append(BadValue(file, 1, "score", "", "'reads: {low, high, higher_is}' in cohort.yaml"))
        else:
            low, high = description.reads.low, description.reads.high
            bad += bad_cells(file, scores[~scores.between(low, high)], f"a score from {low:g} to {high:g}")
    return bad
