"""From cohorts with outlines to a localiser: cross-validated by group, judged where it is blind, resumable.

The stages, in order: gather the outlined views, deal groups into folds, train and judge a part for each fold, freeze
the confidence on what the held-out parts said, write the folder. Nothing is at the destination before all is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError, OutputError
from isthmus.files import (
    locked,
    make_folder,
    publish_folder,
    read_json,
    read_yaml,
    refuse_existing,
    write_yaml,
)
from isthmus.manifest import Manifest
from isthmus.models.bundle_spec import WeightsFacts
from isthmus.models.segmenter import create_segmenter, load_encoder
from isthmus.progress import Progress
from isthmus.training import engine
from isthmus.training.localiser_examples import Outlined, deal_folds, gather_views, prepare_outlined
from isthmus.training.localiser_fit import choose_precision
from isthmus.training.localiser_folder import finish
from isthmus.training.localiser_part import run_part
from isthmus.training.localiser_settings import LocaliserSettings

__all__ = ["LocaliserSettings", "TrainedLocaliser", "train_localiser"]


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
        When there is no outline, there are fewer groups than folds, or a cohort is given twice.
    OutputError
        When the folder exists, or an unfinished training of another kind lies there.
    WeightsError
        When initial weights are absent; before any training.
    """
    out = Path(out)
    if resume and (out / "report.json").is_file():
        return TrainedLocaliser(out, read_json(out / "report.json", name="localiser-report"))
    refuse_existing(out)
    _check_cohorts(cohorts)
    place = device or engine.default_device()
    origin = _check_network(settings)
    work = out.with_name(f"{out.name}.partial")
    if work.exists() and not resume:
        raise OutputError(
            "an unfinished training lies here", where=str(work), hint="add --resume to go on with it, or remove it"
        )
    make_folder(work)
    lock = out.with_name(f".{out.name}.lock")
    with locked(lock):
        report = _train(work, cohorts, settings, origin, place, progress)
        publish_folder(work, out)
    lock.unlink(missing_ok=True)
    return TrainedLocaliser(out, report)


def _train(
    work: Path,
    cohorts: Sequence[Cohort],
    settings: LocaliserSettings,
    origin: WeightsFacts,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    record = Manifest("localiser train")
    with record.stage("gather"):
        gathered = gather_views(cohorts, progress)
        folds = deal_folds(gathered.views, settings.folds, settings.seed)
        data = prepare_outlined(gathered.views, settings.prepare, progress)
    how = _claim(work, cohorts, settings, origin, data, device)
    for fold in range(settings.folds):
        with record.stage(f"part {fold}"):
            run_part(work, fold, gathered.views, folds, data, settings, how, device, progress)
    with record.stage("report"):
        return finish(work, cohorts, gathered, folds, settings, how, origin, device, record)


def _check_cohorts(cohorts: Sequence[Cohort]) -> None:
    if len({cohort.fingerprint() for cohort in cohorts}) < len(cohorts):
        raise CohortError("a cohort was given twice", where=", ".join(cohort.name for cohort in cohorts))


def _check_network(settings: LocaliserSettings) -> WeightsFacts:
    """Build the network once, weights and all: what is wrong with either is said before any training."""
    with torch.random.fork_rng(devices=[]):
        network = create_segmenter(settings.network, settings.width)
        if settings.weights is None:
            return WeightsFacts()
        found = load_encoder(network, settings.weights)
    return WeightsFacts(origin=found.origin, licence=found.licence, sha256=found.sha256, notes=list(found.notes))


def _claim(
    work: Path,
    cohorts: Sequence[Cohort],
    settings: LocaliserSettings,
    origin: WeightsFacts,
    data: Outlined,
    device: str,
) -> dict[str, Any]:
    """Say what is trained here, once; a resumed training must say the same, and keeps the arithmetic chosen first."""
    asked = {
        "settings": settings.named(),
        "weights_sha256": origin.sha256,
        "cohorts": [{"name": cohort.name, "fingerprint": cohort.fingerprint()} for cohort in cohorts],
    }
    path = work / "training.yaml"
    if path.is_file():
        found: dict[str, Any] = read_yaml(path, name="localiser-training")
        if {key: found.get(key) for key in asked} != asked:
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
