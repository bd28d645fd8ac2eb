"""What a bundle is, in a table for people and programs: read from its words alone, no network is built."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isthmus.errors import IsthmusError
from isthmus.files import read_yaml, sha256_of_json
from isthmus.models.bundle_files import AnyBundleSpec, hashes_of, read_any_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.bundle_terms import training_rows

_GRAPHS = ("model.onnx", "model-int8.onnx")


def facts_of_bundle(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself, after checking its files.

    Raises
    ------
    BundleError
        When it is no bundle, is altered, or holds other files.
    """
    folder = Path(folder)
    spec, members = read_any_bundle(folder)
    hashes = hashes_of(folder)
    networks = [spec] if isinstance(spec, BundleSpec) else list(members.values())
    rows = training_rows(spec, members.values())
    return {
        "name": spec.name,
        "kind": "network" if isinstance(spec, BundleSpec) else "fused",
        "marks": spec.marks,
        "target": spec.target,
        "unit": spec.unit,
        "classes": dict(spec.classes),
        "networks": [_network(one) for one in networks],
        "columns": [] if isinstance(spec, BundleSpec) else [column.name for column in spec.columns],
        "joined_by": None if isinstance(spec, BundleSpec) else spec.classifier,
        "requires": _requires(networks),
        "cohort": spec.cohort.model_dump(mode="json"),
        "training_groups": None if spec.answer is None else dict(spec.answer.groups),
        "licences": {"data": spec.cohort.licence, "weights": sorted({one.weights.licence for one in networks})},
        "calibration": None if spec.calibration is None else spec.calibration.method,
        "threshold": None if spec.thresholds is None else spec.thresholds.model_dump(mode="json"),
        "prediction_sets": None if spec.answer is None else spec.answer.level,
        "says_how_unusual": any(one.out_of_distribution is not None for one in networks),
        "training_rows": rows,
        "engines": _engines(folder, spec, list(members)),
        "versions": dict(spec.versions),
        "format": spec.format,
        "files": len(hashes),
        "bytes": sum((folder / name).stat().st_size for name in hashes),
        "sha256": sha256_of_json(hashes),
    }


def _network(spec: BundleSpec) -> dict[str, Any]:
    prepare = spec.prepare
    return {
        "name": spec.network.name,
        "options": dict(spec.network.options),
        "parts": len(spec.parts),
        "modalities": spec.requires.modalities,
        "region": spec.requires.region,
        "picture": f"{prepare.crop}, {prepare.crop_size} pixels, {prepare.channels}",
        "weights": spec.weights.origin,
    }


def _requires(networks: Iterable[BundleSpec]) -> dict[str, Any]:
    networks = list(networks)
    regions = {one.requires.region for one in networks}
    return {
        "modalities": list(dict.fromkeys(name for one in networks for name in one.requires.modalities)),
        "region": next((kind for kind in ("mask", "box") if kind in regions), "none"),
    }


def _engines(folder: Path, spec: AnyBundleSpec, members: list[str]) -> dict[str, Any]:
    """Return which exported graphs lie in it, which engine was chosen, and whether it scores without torch."""
    places = [folder] if isinstance(spec, BundleSpec) else [folder / "members" / name for name in members]
    graphs = [name for name in _GRAPHS if all((place / name).is_file() for place in places)]
    choice = None
    if (folder / "engines.yaml").is_file():
        try:
            said = read_yaml(folder / "engines.yaml")
        except IsthmusError:
            said = None
        measured = said.get("measured") if isinstance(said, dict) else None
        choice = measured.get("choice") if isinstance(measured, dict) else None
    return {"graphs": graphs, "chosen": choice, "needs_torch": not graphs}


def lines_of(facts: dict[str, Any]) -> list[str]:
    """Return the facts in words, a subject a line."""
    marks = f" [{', '.join(facts['marks'])}]" if facts["marks"] else ""
    networks = [f"{one['name']} ({one['parts']} fold models; {one['picture']})" for one in facts["networks"]]
    threshold, sets = facts["threshold"], facts["prediction_sets"]
    cohort = facts["cohort"]
    known = facts["training_groups"]
    groups = "" if known is None else f"; {sum(known.values())} groups of patients judged out of fold"
    engines = facts["engines"]
    runs = "PyTorch" if engines["needs_torch"] else f"PyTorch, or without it {', '.join(engines['graphs'])}"
    rows = [
        ("model", f"{facts['name']}{marks}"),
        ("answers", f"{facts['target']} of a {facts['unit']}: {', '.join(facts['classes'].values())}"),
        ("networks", "; ".join(networks)),
        ("joined by", "" if facts["joined_by"] is None else ", ".join([facts["joined_by"], *facts["columns"]])),
        ("needs", f"{', '.join(facts['requires']['modalities'])}; region: {facts['requires']['region']}"),
        ("trained on", f"{cohort['name']} ({'simulated' if cohort['simulated'] else 'patients'}){groups}"),
        ("labels", cohort["reference"]),
        ("licences", f"data: {facts['licences']['data']}; weights: {', '.join(facts['licences']['weights'])}"),
        ("calibration", facts["calibration"] or "none"),
        ("threshold", "none" if threshold is None else f"{threshold['value']:.4f} ({threshold['rule']})"),
        ("sets", "none" if sets is None else f"hold the class of {sets:.0%} of new patients"),
        ("rows of patients", "; ".join(facts["training_rows"]) or "none"),
        ("runs with", f"{runs}{'' if engines['chosen'] is None else '; chosen: ' + engines['chosen']}"),
        ("size", f"{facts['files']} files, {facts['bytes'] / 1e6:.1f} MB, {facts['format']}"),
        ("sha256", facts["sha256"]),
    ]
    return [f"{name + ':':<18}{value}" for name, value in rows if value]
