"""From cohorts with outlines to a localiser: cross-validated by group, judged where it is blind, resumable.

The stages, in order: gather the outlined views, deal groups into folds, train and judge a part for each fold, freeze
the confidence on what the held-out parts said, write the folder. Nothing is at the destination before all is done.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from isthmus.cohort.cohort import Cohort
from isthmus.errors import OutputError
from isthmus.files import (
    locked,
    make_folder,
    publish_folder,
    read_json,
    read_yaml,
    refuse_existing,
    sha256_of_file,
    sha256_of_json,
    write_bytes,
    write_json,
    write_text,
    write_yaml,
)
from isthmus.inference.localiser import Localiser, filled_segmenter
from isthmus.manifest import DISCLAIMER, Manifest, package_versions, version
from isthmus.models.bundle_spec import WeightsFacts
from isthmus.models.localiser_card import render_localiser_card
from isthmus.models.localiser_spec import (
    PICTURES,
    LeastConfidence,
    LocaliserPart,
    LocaliserSpec,
    Measured,
    Segmenter,
    TrainedOn,
    part_content,
    write_localiser_yaml,
)
from isthmus.models.segmenter import create_segmenter, load_encoder
from isthmus.tables.check import write_table
from isthmus.training import engine
from isthmus.training.localiser_examples import (
    Gathered,
    LocaliserView,
    Outlined,
    deal_folds,
    gather_views,
    prepare_outlined,
)
from isthmus.training.localiser_fit import choose_precision, train_fold
from isthmus.training.localiser_page import write_localiser_page
from isthmus.training.localiser_report import localiser_report
from isthmus.training.localiser_scores import COVERAGE, accepted, as_frame, judge_fold, least_confidence
from isthmus.training.localiser_settings import LocaliserSettings

__all__ = ["LocaliserSettings", "TrainedLocaliser", "train_localiser"]

Progress = Callable[[str, int, int], None]
_RULE = f"highest hit rate among proposed regions while at least {COVERAGE:.0%} of the views keep one"


@dataclass(frozen=True)
class TrainedLocaliser:
    """What a training left: the folder and the content of its ``report.json``."""

    folder: Path
    report: dict[str, Any]


def train_localiser(
    cohorts: Sequence[Cohort],
    out: Path,
    settings: LocaliserSettings,
    *,
    resume: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
) -> TrainedLocaliser:
    """Train, judge and write a localiser.

    Parameters
    ----------
    cohorts : sequence of Cohort
        At least one with outlined B-mode stills.
    out : Path
        The folder to make. While the training runs, and after a kill, its work lies in ``OUT.partial``.
    settings : LocaliserSettings
        How.
    resume : bool
        True goes on with ``OUT.partial``: finished parts are kept, one in progress restarts at its last epoch.
    device : str, optional
        ``cpu``, ``cuda:0``, …; by default a GPU where there is one.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    TrainedLocaliser

    Raises
    ------
    CohortError
        When there is no outline, or there are fewer groups than folds.
    OutputError
        When the folder exists, or an unfinished training of another kind lies there.
    WeightsError
        When initial weights are absent; before any training.
    """
    out = Path(out)
    if resume and (out / "report.json").is_file():
        return TrainedLocaliser(out, read_json(out / "report.json", name="localiser-report"))
    refuse_existing(out)
    place = device or engine.default_device()
    origin = _check_network(settings)
    work = out.with_name(f"{out.name}.partial")
    if work.exists() and not resume:
        raise OutputError(
            "an unfinished training lies here", where=str(work), hint="add --resume to go on with it, or remove it"
        )
    make_folder(work)
    record = Manifest("localiser train")
    with locked(out.with_name(f".{out.name}.lock")):
        with record.stage("gather"):
            gathered = gather_views(cohorts, progress)
            folds = deal_folds(gathered.views, settings.folds, settings.seed)
            data = prepare_outlined(gathered.views, settings.prepare, progress)
        how = _claim(work, cohorts, settings, data, place)
        for fold in range(settings.folds):
            with record.stage(f"part {fold}"):
                _fold(work, fold, gathered.views, folds, data, settings, how, place, progress)
        with record.stage("report"):
            report = _finish(work, cohorts, gathered, folds, settings, how, origin, place, record)
        publish_folder(work, out)
    out.with_name(f".{out.name}.lock").unlink(missing_ok=True)
    return TrainedLocaliser(out, report)


def _check_network(settings: LocaliserSettings) -> WeightsFacts:
    """Build the network once, weights and all: what is wrong with either is said before any training."""
    with torch.random.fork_rng(devices=[]):
        network = create_segmenter(settings.network, settings.width)
        if settings.weights is None:
            return WeightsFacts()
        found = load_encoder(network, settings.weights)
    return WeightsFacts(origin=found.origin, licence=found.licence, sha256=found.sha256, notes=list(found.notes))


def _claim(
    work: Path, cohorts: Sequence[Cohort], settings: LocaliserSettings, data: Outlined, device: str
) -> dict[str, Any]:
    """Say what is trained here, once; a resumed training must say the same, and keeps the arithmetic chosen first."""
    asked = {
        "settings": settings.model_dump(mode="json"),
        "cohorts": [{"name": cohort.name, "fingerprint": cohort.fingerprint()} for cohort in cohorts],
    }
    path = work / "training.yaml"
    if path.is_file():
        found: dict[str, Any] = read_yaml(path, name="localiser-training")
        if {key: found[key] for key in asked} != asked:
            raise OutputError(
                "the unfinished training here has other cohorts or settings", where=str(path),
                hint="repeat its own command, or remove the folder",
            )  # fmt: skip
        return found
    threads = torch.get_num_threads()
    how = {
        "format": "isthmus-localiser-training/1.0",
        **asked,
        "precision": choose_precision(settings, data, device, threads),
        "threads": threads,
    }
    write_yaml(path, how)
    return how


def _fold(
    work: Path,
    fold: int,
    views: Sequence[LocaliserView],
    folds: dict[str, int],
    data: Outlined,
    settings: LocaliserSettings,
    how: dict[str, Any],
    device: str,
    progress: Progress | None,
) -> None:
    folder, part = work / "folds" / str(fold), work / "parts" / f"{fold}.safetensors"
    if (folder / "done.json").is_file():
        return
    make_folder(folder)
    rows = np.array([row for row, group in enumerate(data.groups) if folds[group] != fold])
    move = None if progress is None else lambda done, total: progress(f"part {fold + 1}", done, total)
    network, history, _ = train_fold(
        data, rows, fold, settings, folder, precision=how["precision"], threads=how["threads"], device=device,
        fingerprint=sha256_of_json({**how, "fold": fold}), progress=move,
    )  # fmt: skip
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_bytes(part, content)
    held_out = [view for view in views if folds[view.group] == fold]
    training = [view for view in views if folds[view.group] != fold]
    judge = Localiser(_draft_spec(settings), [network.to(device).requires_grad_(False)], device, {})
    watch = None if progress is None else lambda done, total: progress(f"part {fold + 1}, held out", done, total)
    with engine.reproducible(how["threads"], device):
        outcomes = judge_fold(judge, held_out, fold, training, watch)
    write_table(folder / "log.csv", pd.DataFrame(history).astype({"epoch": "int64"}))
    write_table(folder / "outcomes.csv", as_frame(outcomes))
    write_json(
        folder / "done.json",
        {
            "format": "isthmus-localiser-part/1.0",
            "sha256": hashlib.sha256(content).hexdigest(),
            "pictures": len(rows),
            "seconds": round(sum(row["seconds"] for row in history), 3),
        },
    )
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def _draft_spec(settings: LocaliserSettings, **facts: Any) -> LocaliserSpec:
    """Return a specification without parts and confidence yet: a held-out part is asked for all that it finds."""
    nothing = "0" * 64
    values: dict[str, Any] = {
        "name": "in training",
        "parts": [LocaliserPart(file=f"parts/{part}.safetensors", sha256=nothing) for part in range(settings.folds)],
        "least_confidence": LeastConfidence(value=0.0, rule="none", chosen_on="nothing", coverage=1.0),
        "cohorts": [
            TrainedOn(name="in training", fingerprint="", licence="", simulated=False, views=0, groups=0),
        ],
        "pictures_sha256": nothing,
        **facts,
    }
    return LocaliserSpec(
        network=Segmenter(name=settings.network, width=settings.width), prepare=settings.prepare, **values
    )


def _finish(
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
    outcomes = _outcomes(work, settings.folds)
    kept = accepted(outcomes)
    limit = least_confidence(outcomes)
    seen = {view.picture: folds[view.group] for view in gathered.views}
    table = pd.DataFrame(sorted(seen.items()), columns=["picture", "held_out_by"])
    write_table(work / PICTURES, table)
    report = localiser_report(cohorts, gathered, outcomes, kept, limit, settings, how)
    names = [cohort.name for cohort in cohorts]
    spec = _draft_spec(
        settings,
        name=f"localiser of {' + '.join(names)}",
        parts=[_part(work, fold) for fold in range(settings.folds)],
        least_confidence=LeastConfidence(
            value=limit, rule=_RULE, chosen_on="predictions of held-out parts",
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
