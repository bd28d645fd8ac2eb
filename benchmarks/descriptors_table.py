"""How well a model reads the sonographic descriptors, and three TI-RADS groups, of real pictures: held-out nodules.

    isthmus run stills --cohort DDTI --out STILLS --profile small --set defaults.weights=mobilenet_imagenet
    isthmus run zhao2025 --cohort DDTI --out GROUPS --profile small --set 'target=[tirads_group]' …
    python benchmarks/descriptors_table.py STILLS GROUPS

Kappa is quadratic-weighted, over the ACR points of the findings.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

import tables
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.reading import interval

MEASURES = {"macro_auc": "macro AUC", "same": "the very same", "weighted_kappa": "weighted kappa"}


def main() -> None:
    """Read the finished runs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stills", type=Path, help="a run with descriptor heads")
    parser.add_argument("groups", type=Path, help="a run of the TI-RADS groups")
    given = parser.parse_args()
    stills, groups = open_run(given.stills), open_run(given.groups)
    rows = [*_descriptors(stills), *_groups(groups)]
    facts = {"profile": stills.protocol.profile, "cohort": "DDTI", **tables.machine()}
    tables.write("ddti_descriptors", facts, rows, (__doc__ or "").split("\n\n")[0] + " 95 % intervals by patient.")


def _descriptors(run: Run) -> list[dict[str, Any]]:
    found = pd.read_csv(run.folder / "tables" / "descriptors.csv")
    seen = pd.read_csv(run.folder / "tables" / "seen_tirads.csv").rename(columns={"of": "descriptor"})
    both = pd.concat([found, seen], ignore_index=True).replace({"measure": {"same_finding": "same"}})
    rows = []
    for (arm, name), own in both.groupby(["arm", "descriptor"], sort=False):
        values = {one["measure"]: dict(one) for _, one in own.iterrows() if pd.isna(one.get("code"))}
        row = {"what": f"{run.protocol.title_of(arm)}: {_words(str(name))}", "nodules": int(own["n"].iloc[0])}
        rows.append(row | {head: interval(values.get(key)) for key, head in MEASURES.items()})
    return rows


def _words(name: str) -> str:
    words = {"points": "all ACR points together", "level": "ACR level"}
    return words.get(name, name.replace("_", " "))


def _groups(run: Run) -> list[dict[str, Any]]:
    rows = []
    for arm, parts in run.evidence["arms"].items():
        held = parts["cv"]
        row = {"what": f"three TI-RADS groups: {run.protocol.title_of(arm)}", "nodules": held["n"]}
        rows.append(
            row
            | {"macro AUC": interval(held["macro_auc"]), "the very same": interval(held["accuracy"])}
            | {"weighted kappa": "–"}
        )
    return rows


if __name__ == "__main__":
    main()
