"""The tables beside the report, as CSV with full precision."""

from pathlib import Path
from typing import Any

from pandas import DataFrame, json_normalize

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.misclassified import misclassified
from isthmus.report.reading import splits_of
from isthmus.report.subjects import SUBJECTS
from isthmus.tables.check import write_table

_COMPARED = (
    "a", "b", "split", "measure", "difference", "low", "high", "level", "statistic", "p", "p_holm", "method", "primary",
    "order", "confirmatory", "n", "note",
)  # fmt: skip


def write_tables(folder: Path, evidence: dict[str, Any], table: AnalysisTable | None = None) -> list[Path]:
    """Write ``arms.csv, comparisons.csv, confusion.csv, folds.csv, thresholds.csv`` and ``misclassified.csv``.

    Where the evidence has them: ``ideal_observer.csv``, ``ideal_population.csv``, ``leak.csv`` and
    ``error_rates.csv``.

    Parameters
    ----------
    folder : Path
        Where they go; made if needed. Tables without rows are left out.
    evidence : dict
        The content of ``evidence.json``.
    table : AnalysisTable, optional
        The predictions behind it, for ``misclassified.csv``.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    frames = {
        "arms": DataFrame(_arm_rows(evidence)),
        "comparisons": DataFrame(evidence["comparisons"]).reindex(columns=list(_COMPARED)),
        "confusion": DataFrame(_confusion_rows(evidence)),
        "folds": DataFrame(_fold_rows(evidence)),
        "thresholds": DataFrame(_threshold_rows(evidence)),
        "ideal_observer": DataFrame(_ideal_rows(evidence)),
        "ideal_population": DataFrame(_population_rows(evidence)),
        "leak": DataFrame(_leak_rows(evidence)),
        "error_rates": DataFrame(_error_rows(evidence)),
    }
    for subject in SUBJECTS:
        frames |= subject.frames(evidence)
    if table is not None and (splits := splits_of(evidence)):
        frames["misclassified"] = misclassified(table, splits[0])
    written = []
    for name, frame in frames.items():
        if len(frame):
            path = Path(folder) / f"{name}.csv"
            write_table(path, frame)
            written.append(path)
    return written


def _parts(evidence: dict[str, Any]) -> list[tuple[dict[str, str], dict[str, Any]]]:
    return [
        ({"arm": arm, "split": split}, facts)
        for arm, by_split in evidence["arms"].items()
        for split, facts in by_split.items()
    ]


def _arm_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for named, facts in _parts(evidence):
        sizes = {"n": facts["n"], "n_groups": facts["n_groups"]}
        measured = {name: value for name, value in facts.items() if isinstance(value, dict) and "estimate" in value}
        measured |= {f"auc, {label} against rest": value for label, value in facts.get("one_vs_rest", {}).items()}
        for prevalence, pair in facts.get("predictive_values", {}).items():
            measured |= {f"{name} at prevalence {prevalence}": value for name, value in pair.items()}
        for name, value in measured.items():
            rows.append({**named, **sizes, "measure": name, **_limits(value)})
        if "majority_rate" in facts:
            rows.append({**named, **sizes, "measure": "majority_rate", "estimate": facts["majority_rate"]})
    return rows


def _confusion_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**named, "label": label, "call": call, "count": facts["confusion"]["matrix"][row][column]}
        for named, facts in _parts(evidence)
        if "confusion" in facts
        for row, label in enumerate(facts["confusion"]["labels"])
        for column, call in enumerate(facts["confusion"]["labels"])
    ]


def _fold_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**named, **entry} for named, facts in _parts(evidence) for entry in facts.get("folds", {}).get("auc", [])]


def _threshold_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**named, **entry} for named, facts in _parts(evidence) for entry in facts["thresholds"]]


def _limits(interval: dict[str, Any]) -> dict[str, Any]:
    return {key: interval.get(key) for key in ("estimate", "low", "high", "level", "method", "note")}


def _ideal_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for arm, facts in evidence.get("ideal_observer", {}).get("arms", {}).items():
        for split, values in facts["splits"].items():
            named = {"arm": arm, "split": split, "observer": facts["observer"]}
            named |= {name: values[name] for name in ("n", "n_groups")}
            parts = {values["measure"]: values, **values.get("one_vs_rest", {})}
            rows += [
                {**named, "of": of, "what": what, **_limits(part[what])}
                for of, part in parts.items()
                for what in ("arm", "observer", "latents", "gap", "efficiency")
                if what in part
            ]
    return rows


def _population_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    population = evidence.get("ideal_observer", {}).get("population", {})
    return [
        {"observer": name, **{str(key): value for key, value in json_normalize(values).iloc[0].items()}}
        for name, values in population.items()
    ]


def _leak_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    leak = evidence.get("leak", {})
    named = {name: value for name, value in leak.items() if not isinstance(value, dict)}
    return [
        {"what": what, **_limits(leak[what]), **named}
        for what in ("picture_level", "honest", "difference")
        if leak.get(what)
    ]


def _error_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for entry in evidence.get("error_rates", []):
        row = {name: value for name, value in entry.items() if not isinstance(value, dict) and name != "difference"}
        for what in ("rate", "others", "difference"):
            found = entry[what] or {}
            row |= {what: found.get("estimate"), f"{what}_low": found.get("low"), f"{what}_high": found.get("high")}
        rows.append({**row, "level": entry["rate"]["level"], "method": entry["rate"]["method"]})
    return rows
