"""The published paper's table, from a finished run: how the arms compare on another data set, patients kept apart.

    isthmus cohort import ddti DATA/ddti COHORT
    isthmus run wang2025 --cohort COHORT --out RUN --profile small
    python benchmarks/paper_table.py RUN --name wang2025_ddti_small

Writes `results/NAME.md` and `.json`: each arm's cross-validated AUC, accuracy beside the majority class's rate,
sensitivity, specificity and F1 with their intervals, and its difference from the reference arm. Where the paper gives
an accuracy for the arm on its own validation part, it stands beside ours; the paper's pictures were multiplied before
they were split, so that the two are no comparison of networks but of ways to split.
"""

import argparse
from pathlib import Path
from typing import Any

import tables
from isthmus.protocol.reductions import reductions
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.reading import interval, p_value

# Wang et al. 2025, validation accuracy on DDTI.
PUBLISHED = {
    "thyronet_x4": 0.7170,
    "resnet34": 0.6954,
    "bottleneck": 0.6846,
    "block": 0.7061,
    "vgg16": 0.5983,
    "alexnet": 0.4952,
    "googlenet": 0.5705,
    "mobilenet_v2": 0.5971,
}


def main() -> None:
    """Read a run and write its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run folder")
    parser.add_argument("--name", required=True, help="name of the result files")
    parser.add_argument("--command", action="append", default=[], help="what was typed; repeatable")
    given = parser.parse_args()
    found = open_run(given.run)
    tables.write(given.name, facts(found), rows(found), words(found, given.command))


def rows(found: Run) -> list[dict[str, Any]]:
    """Return one row an arm, the highest AUC first."""
    evidence, reference = found.evidence, found.protocol.primary.against
    compared = [entry for entry in evidence["comparisons"] if (entry["split"], entry["measure"]) == ("cv", "auc")]
    differences = {entry["a"]: entry for entry in compared if entry["b"] == reference}
    differences |= {entry["b"]: _turned(entry) for entry in compared if entry["a"] == reference}
    published = PUBLISHED if found.protocol.protocol == "wang2025" else {}
    table = []
    for arm, parts in evidence["arms"].items():
        part, difference = parts["cv"], differences.get(arm)
        table.append(
            {
                "arm": found.protocol.arms[arm].title or arm,
                "AUC": interval(part["auc"], 3),
                f"minus {found.protocol.arms[reference].title or reference}": interval(difference, 3),
                "p": "–" if difference is None else p_value(difference["p"]),
                "accuracy": interval(part["accuracy"], 3),
                "sensitivity": interval(part["sensitivity"]),
                "specificity": interval(part["specificity"]),
                "F1": interval(part["f1"], 3),
                **(
                    {"paper's accuracy (thyroid)": f"{published[arm]:.4f}" if arm in published else "–"}
                    if published
                    else {}
                ),
                "_auc": part["auc"]["estimate"],
            }
        )
    table.sort(key=lambda row: -row["_auc"])
    return [{name: value for name, value in row.items() if name != "_auc"} for row in table]


def _turned(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "difference": -entry["difference"], "low": -entry["high"], "high": -entry["low"]}


def facts(found: Run) -> dict[str, Any]:
    """Return what the figures rest on."""
    first = next(iter(found.evidence["arms"].values()))["cv"]
    return {
        "profile": found.protocol.profile,
        "nodules": first["n"],
        "patients": first["n_groups"],
        "majority class": f"{first['majority_rate']:.3f}",
        "reference standard": found.evidence["reference"],
        "folds": found.protocol.splits.cross_validation.folds,
        "seeds": len(found.protocol.splits.seeds),
        **tables.machine(),
    }


def words(found: Run, commands: list[str]) -> str:
    """Return the paragraph over the table."""
    protocol = found.protocol
    lines = [
        f"{protocol.title}; profile `{protocol.profile}`. Cross-validated, whole patients held out; 95 % intervals. "
        "AUC: mean of within-fold AUCs. Calls by each fold's own frozen threshold. p: not corrected for the number of "
        "arms.",
    ]
    changed = reductions(protocol.protocol, protocol.profile)
    if changed:
        lines.append(f"Against the protocol as published: {'; '.join(changed)}.")
    if found.evidence["reference"] == "tirads":
        lines.append("The label is a TI-RADS grade, not pathology: nothing here is about cancer.")
    if commands:
        lines.append("\n".join(f"    {command}" for command in commands))
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
