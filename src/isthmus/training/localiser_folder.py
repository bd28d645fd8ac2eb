"""The finished localiser's folder: the frozen confidence, ``localiser.yaml``, card, report and page, from its parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.files import read_json, sha256_of_file, write_json, write_text
from isthmus.inference.localiser import Localiser, filled_segmenter
from isthmus.manifest import DISCLAIMER, Manifest, package_versions, version
from isthmus.models.bundle_spec import WeightsFacts
from isthmus.models.localiser_card import render_localiser_card
from isthmus.models.localiser_spec import (
    PICTURES,
    LeastConfidence,
    LocaliserPart,
    Measured,
    TrainedOn,
    part_content,
    write_localiser_yaml,
)
from isthmus.tables.check import write_table
from isthmus.training.localiser_examples import Gathered, LocaliserView
from isthmus.training.localiser_page import write_localiser_page
from isthmus.training.localiser_part import draft_spec
from isthmus.training.localiser_report import localiser_report
from isthmus.training.localiser_scores import RULE, accepted, least_confidence
from isthmus.training.localiser_settings import LocaliserSettings


def finish(
    work: Path,
    cohorts: Sequence[Cohort],
    gathered: Gathered,
    folds: dict[str, int],
    settings: LocaliserSettings,
    how: dict[str, Any],
    origin: WeightsFacts,
    device: str,
    record: Manifest,
) -> dict[str, Any]:
    """Freeze the confidence, write everything beside the parts, and return the content of ``report.json``."""
    outcomes = _outcomes(work, settings.folds)
    kept = accepted(outcomes)
    limit = least_confidence(outcomes)
    seen = {view.picture: folds[view.group] for view in gathered.views}
    table = pd.DataFrame(sorted(seen.items()), columns=["picture", "held_out_by"])
    write_table(work / PICTURES, table)
    report = localiser_report(cohorts, gathered, outcomes, kept, limit, settings, how)
    names = [cohort.name for cohort in cohorts]
    spec = draft_spec(
        settings,
        name=f"localiser of {' + '.join(names)}",
        parts=[_part(work, fold) for fold in range(settings.folds)],
        least_confidence=LeastConfidence(
            value=limit, rule=RULE, chosen_on="predictions of held-out parts",
            coverage=float((outcomes["found"] & (outcomes["confidence"] >= limit)).mean()),
        ),
        cohorts=[_trained_on(number, cohort, gathered.views) for number, cohort in enumerate(cohorts)],
        pictures_sha256=sha256_of_file(work / PICTURES),
        weights=origin,
        performance=_performance(report),
        limits=report["limits"],
        versions={"isthmus": version(), **package_versions(["torch", "monai", "numpy", "opencv-python-headless"])},
    )  # fmt: skip
    write_localiser_yaml(work, spec)
    write_text(work / "card.md", render_localiser_card(spec))
    write_table(work / "proposals.csv", _named(outcomes, kept, names))
    write_json(work / "report.json", report)
    parts = [filled_segmenter(spec, part_content(work, part), part.file).to(device) for part in spec.parts]
    write_localiser_page(
        work / "report.html", report, outcomes, kept, gathered.views, Localiser(spec, parts, device, seen)
    )
    excluded = [{"cohort": names[number], "view_id": view, "reason": why} for number, view, why in gathered.left_out]
    record.facts |= {
        "device": device, "cohorts": how["cohorts"], "settings": how["settings"], "precision": how["precision"],
        "threads": how["threads"], "weights": origin.model_dump(mode="json"), "marks": spec.marks,
        "excluded": excluded,
    }  # fmt: skip
    timed = ("done.json", "log.csv", "manifest.json", "timing.json")
    outputs = [path for path in work.rglob("*") if path.is_file() and path.name not in timed]
    record.write(work, outputs)
    return report


def _outcomes(work: Path, folds: int) -> pd.DataFrame:
    frames = [
        pd.read_csv(work / "folds" / str(fold) / "outcomes.csv", dtype={"view_id": "str", "site": "str", "box": "str"})
        for fold in range(folds)
    ]
    together = pd.concat(frames).sort_values(["cohort", "view_id"], ignore_index=True)
    return together.astype({"hit": bool, "found": bool, "fixed_box_hit": bool})


def _part(work: Path, fold: int) -> LocaliserPart:
    file = f"parts/{fold}.safetensors"
    return LocaliserPart(file=file, sha256=read_json(work / "folds" / str(fold) / "done.json")["sha256"])


def _trained_on(number: int, cohort: Cohort, views: Sequence[LocaliserView]) -> TrainedOn:
    own = [view for view in views if view.cohort == number]
    return TrainedOn(
        name=cohort.name, fingerprint=cohort.fingerprint(), licence=cohort.licence, citation=cohort.citation,
        simulated=cohort.simulated, views=len(own), groups=len({view.group for view in own}),
    )  # fmt: skip


def _performance(report: dict[str, Any]) -> dict[str, Measured]:
    found = report["measures"]
    return {
        name: Measured.model_validate(value["views"])
        for name, value in found.items()
        if isinstance(value, dict) and "views" in value
    }


def _named(outcomes: pd.DataFrame, kept: pd.Series, names: Sequence[str]) -> pd.DataFrame:
    """Return what every held-out part proposed, the cohorts by name; groups are numbers, not patients."""
    table = outcomes.copy()
    table.insert(0, "cohort_name", [names[number] for number in outcomes["cohort"]])
    table["proposed"] = kept
    return table.drop(columns=["cohort"]).rename(columns={"cohort_name": "cohort"}).assign(notice=DISCLAIMER)
