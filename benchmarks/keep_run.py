"""Keep what a finished run found: its protocol, evidence, tables and figures, and a page of its main figures.

    isthmus run qian2025 --cohort COHORT --out RUN …
    python benchmarks/keep_run.py RUN results/qian2025 --command "isthmus run qian2025 …"

Scores of cases, networks, pictures of patients and the points of curves stay where they are; films and strips of a
simulated cohort are kept with `--film`, which names files of the run's explanations.
"""

import argparse
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from isthmus.files import read_json, refuse_existing, write_bytes, write_text
from isthmus.protocol.reductions import reductions
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import Run, open_run
from isthmus.report.reading import interval, p_value, split_name, splits_of

MEASURES = {"auc": "AUC", "macro_auc": "Macro AUC"}
FIGURES = (
    "roc*.png",
    "seeds*.png",
    "ideal*.png",
    "candidates*.png",
    "selection*.png",
    "edges*.png",
    "confusion*.png",
    "modalities*.png",
)
LARGEST_TABLE = 128 * 1024
"""Bytes; larger ones hold every point of every curve, which the evidence has too."""


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
    for folder in ("figures", "tables"):
        (given.destination / folder).mkdir(parents=True)
    for name in ("protocol.yaml", "manifest.json"):
        shutil.copy2(given.run / name, given.destination / name)
    evidence = json.dumps(found.evidence, ensure_ascii=False, separators=(",", ":")).encode()
    write_bytes(given.destination / "evidence.json.gz", gzip.compress(evidence, mtime=0))
    tables = [path for path in (given.run / "tables").glob("*.csv") if path.stat().st_size <= LARGEST_TABLE]
    for path in [*tables, *(path for pattern in FIGURES for path in (given.run / "figures").glob(pattern))]:
        if path.name != "cases.csv":
            shutil.copy2(path, given.destination / path.parent.name / path.name)
    for name in given.film:
        (given.destination / "films").mkdir(exist_ok=True)
        shutil.copy2(given.run / "explanations" / name, given.destination / "films" / name.replace("/", "_"))
    write_text(given.destination / "README.md", "\n".join([*_head(found, given.command), *_body(found)]) + "\n")


def _head(found: Run, commands: list[str]) -> list[str]:
    manifest = read_json(found.folder / "manifest.json", name="manifest")
    marks = "SIMULATED. " if manifest["cohort"]["simulated"] else ""
    lines = [f"# {found.protocol.title}", "", f"{marks}Research use only. Profile `{found.protocol.profile}`.", ""]
    lines += ["```", *commands, "```", ""] if commands else []
    changed = reductions(found.protocol.protocol, found.protocol.profile, found.protocol.names)
    asked = resolve_protocol(found.protocol.protocol).splits.seeds == found.protocol.splits.seeds
    shown = [f"- {line}" for line in changed if not (asked and line.startswith("splits.seeds:"))]
    return [*lines, "Against the protocol as published:", "", *(shown or ["- nothing is changed"]), ""]


def _body(found: Run) -> list[str]:
    evidence = found.evidence
    splits = splits_of(evidence)
    measure = _measure(found)
    lines = [f"## {MEASURES[measure]} of each arm's one model", ""]
    heads = ["arm", *(_set(found, split) for split in splits)]
    lines += _table(heads, [_arm(found, arm, splits, measure) for arm in _best_first(found, measure)])
    lines += _by_class(found, splits) if measure == "macro_auc" else []
    lines += _observers(found)
    lines += _subsets(found)
    lines += _heat(found)
    if not evidence.get("seeds", {}).get("contrasts"):
        return [*lines, "", "## Contrasts", "", *_contrasts(found)]
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
        for one in evidence["seeds"]["contrasts"]
    ]
    return lines + _table(["set", "a", "b", "a − b (95 %)", "p"], rows)


def _set(found: Run, split: str) -> str:
    counts = [by[split] for by in found.evidence["arms"].values() if split in by]
    largest = max(counts, key=lambda one: one["n"])
    unit = found.evidence["unit"]
    return f"{split_name(split)}: {largest['n']} {unit}s of {largest['n_groups']} groups"


def _contrasts(found: Run) -> list[str]:
    rows = [
        [split_name(one["split"]), _title(found, one["a"]), _title(found, one["b"]), *_difference(one)]
        for one in found.evidence["comparisons"]
        if one["order"] is not None
    ]
    return _table(["set", "a", "b", "a − b (95 %)", "p"], rows)


def _observers(found: Run) -> list[str]:
    """Return what nothing can do better than, in the whole simulated population."""
    population = found.evidence.get("ideal_observer", {}).get("population", {})
    if not population:
        return []
    rows = [[name, f"{one['auc']:.3f} ± {one['standard_error']:.4f}"] for name, one in population.items()]
    return ["", "## What nothing does better than", "", *_table(["ideal observer of", "AUC"], rows), ""]


def _subsets(found: Run) -> list[str]:
    """Return what joined arms make of each subset of the modalities: on other patients where there are such."""
    rows = []
    for arm, shown in (found.evidence.get("modalities") or {}).items():
        subsets = shown.get("subsets", [])
        there = {one["split"] for one in subsets}
        lead = next((split for split in ("external", "test", "cv") if split in there), "")
        rows += [
            [_title(found, arm), ", ".join(one["shown"]), split_name(lead), str(one["n"]), interval(one["auc"], 3)]
            for one in subsets
            if one["split"] == lead
        ]
    if not rows:
        return []
    unit = found.evidence["unit"]
    head = ["", "## With some of the modalities", "", f"Each subset on the {unit}s that have all of it.", ""]
    return [*head, *_table(["arm", "shown", "set", f"{unit}s", "AUC"], rows)]


def _heat(found: Run) -> list[str]:
    """Return a section of what is said of each arm's heat maps; none where nothing is."""
    lines = []
    for path in sorted((found.folder / "explanations").glob("*/localisation.json")):
        content = read_json(path, name="localisation")
        said = [content["sentence"], content.get("calcifications", {}).get("baselines", {}).get("sentence")]
        lines.append(f"- {_title(found, path.parent.name)}: {' '.join(filter(None, said))}")
    return ["", "## Where the networks looked", "", *lines] if lines else []


def _difference(one: dict[str, Any]) -> list[str]:
    return [interval({**one, "estimate": one["difference"]}, 3), p_value(one["p"])]


def _measure(found: Run) -> str:
    return "macro_auc" if len(found.evidence["classes"]) > 2 else "auc"


def _best_first(found: Run, measure: str) -> list[str]:
    arms = found.evidence["arms"]
    lead = splits_of(found.evidence)[0]
    return sorted(arms, key=lambda arm: -(arms[arm].get(lead, {}).get(measure, {}).get("estimate") or 0.0))


def _arm(found: Run, arm: str, splits: list[str], measure: str) -> list[str]:
    parts = found.evidence["arms"][arm]
    return [_title(found, arm), *(interval(parts.get(split, {}).get(measure), 3) for split in splits)]


def _by_class(found: Run, splits: list[str]) -> list[str]:
    """Return each class against the rest, and accuracy: on other patients where there are such."""
    split = "external" if "external" in splits else splits[0]
    names, classes = found.evidence["class_names"], found.evidence["classes"]
    rows = []
    for arm in _best_first(found, "macro_auc"):
        part = found.evidence["arms"][arm][split]
        each = [interval(part["one_vs_rest"][code], 3) for code in classes]
        rows.append([_title(found, arm), *each, interval(part["accuracy"], 3), f"{part['majority_rate']:.3f}"])
    heads = ["arm", *(f"{names[code]} against the rest" for code in classes), "accuracy", "largest class called always"]
    return ["", f"On the {split_name(split)}:", "", *_table(heads, rows)]


def _title(found: Run, arm: str) -> str:
    return found.protocol.title_of(arm)


def _table(columns: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *rows)]


if __name__ == "__main__":
    main()
