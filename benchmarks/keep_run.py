"""Keep what a finished run found: its protocol, evidence, tables and figures, and a page of its main figures.

    isthmus run qian2025 --cohort COHORT --out RUN …
    python benchmarks/keep_run.py RUN results/qian2025 --command "isthmus run qian2025 …"

Scores of cases, networks and pictures of patients stay where they are; films and strips of a simulated cohort are kept
with `--film`, which names files of the run's explanations.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from isthmus.files import read_json, refuse_existing, write_text
from isthmus.protocol.reductions import reductions
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.reading import interval, p_value, split_name

KEPT = ("protocol.yaml", "manifest.json", "evidence.json", "tables", "figures")


def main() -> None:
    """Copy a run's findings and write their page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run folder")
    parser.add_argument("destination", type=Path, help="a new folder")
    parser.add_argument("--command", action="append", default=[], help="what was typed; repeatable")
    parser.add_argument("--film", action="append", default=[], help="a file below RUN/explanations; repeatable")
    given = parser.parse_args()
    found = open_run(given.run)
    if given.film and not read_json(given.run / "manifest.json", name="manifest")["cohort"]["simulated"]:
        parser.error("pictures are kept of simulated cohorts only")
    refuse_existing(given.destination)
    for name in KEPT:
        source, target = given.run / name, given.destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("cases.csv", "*.svg"))
        else:
            shutil.copy2(source, target)
    for name in given.film:
        (given.destination / "films").mkdir(exist_ok=True)
        shutil.copy2(given.run / "explanations" / name, given.destination / "films" / name.replace("/", "_"))
    write_text(given.destination / "README.md", "\n".join([*_head(found, given.command), *_body(found)]) + "\n")


def _head(found: Run, commands: list[str]) -> list[str]:
    manifest = read_json(found.folder / "manifest.json", name="manifest")
    marks = "SIMULATED. " if manifest["cohort"]["simulated"] else ""
    lines = [f"# {found.protocol.title}", "", f"{marks}Research use only. Profile `{found.protocol.profile}`.", ""]
    lines += ["```", *commands, "```", ""] if commands else []
    changed = reductions(found.protocol.protocol, found.protocol.profile, found.protocol.arms)
    shown = [f"- {line}" for line in changed]
    return [*lines, "Against the protocol as published:", "", *(shown or ["- nothing is changed"]), ""]


def _body(found: Run) -> list[str]:
    evidence = found.evidence
    splits = [split for split in ("test", "external", "cv") if any(split in by for by in evidence["arms"].values())]
    lines = ["## AUC of each arm's one model", ""]
    lines += _table(
        ["arm", *(split_name(split) for split in splits)], [_arm(found, arm, splits) for arm in _by_auc(found)]
    )
    lines += [
        "",
        "## Contrasts over seeds",
        "",
        "Seeds are random readers; intervals cover other patients and another",
        "training on these patients.",
        "",
    ]
    rows = [
        [split_name(one["split"]), _title(found, one["a"]), _title(found, one["b"]), *_difference(one)]
        for one in evidence.get("seeds", {}).get("contrasts", [])
    ]
    return lines + _table(["set", "a", "b", "a − b (95 %)", "p"], rows)


def _difference(one: dict[str, Any]) -> list[str]:
    return [interval({**one, "estimate": one["difference"]}, 3), p_value(one["p"])]


def _by_auc(found: Run) -> list[str]:
    arms = found.evidence["arms"]
    lead = next(split for split in ("test", "external", "cv") if any(split in by for by in arms.values()))
    return sorted(arms, key=lambda arm: -(arms[arm].get(lead, {}).get("auc", {}).get("estimate") or 0.0))


def _arm(found: Run, arm: str, splits: list[str]) -> list[str]:
    parts = found.evidence["arms"][arm]
    return [_title(found, arm), *(interval(parts.get(split, {}).get("auc"), 3) for split in splits)]


def _title(found: Run, arm: str) -> str:
    return found.protocol.arms[arm].title or arm


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *rows)]


if __name__ == "__main__":
    main()
