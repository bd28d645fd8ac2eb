"""How often a localiser trained on DDTI finds the nodule: grouped cross-validation, a few minutes on two cores.

    python benchmarks/localiser.py --data DATA [--weights FILE] [--out FOLDER] [--folds N] [--size N] [--epochs N]

Imports DDTI, trains `isthmus localiser train` with the settings given, and writes `results/localiser_ddti.json` and
`.md` from its report. With --out the localiser itself and its `report.html` are kept, outside the repository because
the page shows patients' pictures; a killed benchmark goes on from there with the same command.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from real_pictures import data_folder

import tables
from isthmus.cohort.cohort import load_cohort
from isthmus.training.localiser import LocaliserSettings, train_localiser

ROWS = {
    "mask_iou": "IoU of the outlines",
    "dice": "Dice coefficient of the outlines",
    "box_iou": "IoU of the boxes",
    "hit_rate": "hit rate",
    "hit_rate_among_proposed": "hit rate among proposed regions",
    "no_proposal": "no proposal",
    "fixed_box": "hit rate of one fixed box",
}


def main() -> None:
    """Import, train, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with ddti/ (or ISTHMUS_DATA)")
    parser.add_argument("--weights", help="ImageNet weights of MobileNetV2: a name or a file; random without")
    parser.add_argument("--out", type=Path, help="folder in which to keep cohort and localiser")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--size", type=int, default=128, help="side of the square the scan area is fitted into")
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    data = data_folder(options.data)
    settings = LocaliserSettings(weights=options.weights, folds=options.folds, size=options.size, epochs=options.epochs)
    with tempfile.TemporaryDirectory() as scratch:
        place = options.out or Path(scratch)
        _measure(data, place, settings)


def _measure(data: Path, place: Path, settings: LocaliserSettings) -> None:
    if not (place / "ddti").is_dir():
        from isthmus.cohort.sources.ddti import import_ddti

        import_ddti(data / "ddti", place / "ddti")
    done = train_localiser([load_cohort(place / "ddti")], place / "localiser", settings, resume=True, progress=_say)
    report = done.report
    parts = [json.loads(path.read_text("utf-8")) for path in sorted(done.folder.glob("folds/*/done.json"))]
    facts = {
        **tables.machine(),
        "command": _command(settings),
        "precision": report["precision"],
        "training, minutes": round(sum(part["seconds"] for part in parts) / 60, 1),
        "least confidence": report["least_confidence"]["value"],
        "report": report,
    }
    words = (
        f"Localiser of `{settings.network}` at {settings.size} pixels, {settings.folds} parts, {settings.epochs} "
        f"epochs, {'ImageNet weights' if settings.weights else 'random weights'}; DDTI, "
        f"{report['measures']['views']} views of {report['measures']['patients']} patients, each judged by the part "
        "that saw nobody of its group. 95 % intervals, patients as clusters. Hit: "
        f"{report['definitions']['hit']}. Views without a proposal count as 0 and as missed."
    )
    _write(facts, _rows(report), words)


def _rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    strata = [("all", report["measures"]), ("whatever was found", report["measures_without_least_confidence"])]
    for found in (report["by_size"], report["by_site"], report["by_nodules"]):
        strata += [(row["stratum"], row) for row in found if len(found) > 1]
    rows = []
    for name, found in strata:
        for measure, words in ROWS.items():
            if name in ("all", "whatever was found") or measure in ("mask_iou", "hit_rate", "no_proposal"):
                value = found[measure]
                rows.append(
                    {
                        "views": f"{name} ({found['views']} of {found['patients']} patients)",
                        "measure": words,
                        "by view": _shown(value["views"]),
                        "by patient": _shown(value["patients"]) if "patients" in value else "",
                    }
                )
    return rows


def _shown(value: dict[str, Any]) -> str:
    return f"{value['estimate']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _write(facts: dict[str, Any], rows: list[dict[str, Any]], words: str) -> None:
    report = facts.pop("report")
    tables.write("localiser_ddti", facts, rows, words)
    path = tables.RESULTS / "localiser_ddti.json"
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**content, "report": report}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _command(settings: LocaliserSettings) -> str:
    weights = f" --weights {Path(settings.weights).name}" if settings.weights else ""
    return (
        f"python benchmarks/localiser.py --data DATA{weights} --folds {settings.folds} --size {settings.size} "
        f"--epochs {settings.epochs}"
    )


def _say(what: str, done: int, total: int) -> None:
    if done == total or done % 25 == 0:
        print(f"{what}: {done} of {total}", flush=True)


if __name__ == "__main__":
    main()
