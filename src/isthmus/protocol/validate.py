"""Finished models on a cohort of other patients: what is asked of whom, before anything is scored."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import CohortError
from isthmus.files import locked, new_folder, refuse_existing
from isthmus.imaging.cache import PreparedCache
from isthmus.inference.fused_predictor import OwnNetworks
from isthmus.inference.output import Spec
from isthmus.manifest import Manifest
from isthmus.progress import Progress
from isthmus.protocol.correspondence import read_correspondences
from isthmus.protocol.external import Outside, answered
from isthmus.protocol.frozen import Lock
from isthmus.protocol.overlap import DIGESTS, refusal, refuse_overlap, run_compares_ids, shared_with_run
from isthmus.protocol.pictures import cache_folder
from isthmus.protocol.run_folder import Run
from isthmus.protocol.validated_models import (
    able,
    finished_models,
    frozen_choices,
    frozen_clinical,
    looks_of_models,
    target_of,
)
from isthmus.protocol.validation import SPLIT, Validation
from isthmus.report.clinical_terms import CLINICAL


def validate(
    model: Path | str,
    cohort: Path | str,
    out: Path | str,
    *,
    correspondence: Path | str | None = None,
    training_cohort: Path | str | None = None,
    own_network: OwnNetworks = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Let finished models meet a cohort of other patients; nothing is fitted or chosen on it.

    Parameters
    ----------
    model : Path
        A finished run, all of whose arms, fusions and clinical model are validated, or one bundle.
    cohort : Path
        Cohort folder.
    out : Path
        A new folder: `predictions.csv`, `predictions_views.parquet`, `evidence.json`, `tables/`, `figures/`,
        `report.html`, `manifest.json`, and `perfusion/` where a model measures it. In a run the validation is logged
        among its openings too.
    correspondence : Path, optional
        YAML that says which target and classes of the cohort stand for those of the models, where they differ.
    training_cohort : Path, optional
        What the models were trained on: copies of its pictures are looked for, not only the pictures themselves.
    own_network : Path or mapping, optional
        The Python file of a bundle's own network; of a fused one also one for each member that has such.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    dict
        The evidence.

    Raises
    ------
    CohortError
        When the cohort answers another question, or holds training patients.
    InputError, FrozenError, OutputError
        When `model` is neither, a run's choices were altered, or `out` exists.
    """
    out, record = Path(out), Manifest("validate")
    refuse_existing(out)
    run, models = finished_models(Path(model), own_network)
    specs = {arm: one.spec for arm, one in models.items()}
    frozen, clinical = frozen_choices(specs), None if run is None else frozen_clinical(run)
    if run is not None:
        Lock(run.folder).check_models(frozen["arms"])
    if clinical is not None:
        frozen["arms"][CLINICAL] = {name: clinical[name] for name in ("calibration", "threshold", "rule", "chosen_on")}
    said = {} if correspondence is None else read_correspondences(correspondence)
    outside = answered(looks_of_models(specs), load_cohort(cohort), target_of(specs), said)
    kept = able(models, outside.absent, outside.cases.cohort)
    outside = replace(outside, absent=[arm for arm in models if arm not in kept])
    frozen["arms"] = {arm: own for arm, own in frozen["arms"].items() if arm in (*kept, CLINICAL)}
    with record.stage("overlap"):
        outside = _apart(outside, run, specs, training_cohort, out, progress)
    if run is not None:
        with locked(run.folder / ".lock", seconds=10):  # two validations at once must both be counted
            Lock(run.folder).open(SPLIT, outside.name, list(frozen["arms"]))
    with new_folder(out) as folder:
        cache = PreparedCache(cache_folder())
        return Validation(run, kept, frozen, clinical, outside, folder, record, cache, progress).do()


def _apart(
    outside: Outside,
    run: Run | None,
    specs: Mapping[str, Spec],
    training_cohort: Path | str | None,
    out: Path,
    progress: Progress | None,
) -> Outside:
    """Refuse a cohort that holds training patients, by whatever is there to compare with."""
    cohort, trained = outside.cases.cohort, next(iter(specs.values())).cohort
    if cohort.fingerprint() == trained.fingerprint or cohort.name == trained.name:
        raise CohortError(
            f"the models were trained on a cohort called {trained.name!r}, as this one is",
            where=str(cohort.folder),
            expected="a cohort of other patients, with a name of its own",
        )
    listing = out.with_name(f"{out.name}.overlap.csv")
    if training_cohort is not None:
        own = _training(load_cohort(training_cohort), trained.fingerprint)
        shared = refuse_overlap(own, cohort, out / "none", listing, progress)
        return replace(outside, shared=shared)
    if run is not None and (run.folder / DIGESTS).is_file():
        ids = run_compares_ids(run.folder) and not (trained.simulated and cohort.simulated)
        own_rows = run.predictions[run.predictions["cohort"] == trained.name]
        proven = shared_with_run(run.folder, own_rows if ids else own_rows.iloc[:0], cohort, progress)
        if proven:
            raise refusal(proven, cohort, listing)
        return replace(outside, compared="ids and pictures" if ids else "pictures")
    return replace(outside, compared="nothing")


def _training(cohort: Cohort, fingerprint: str) -> Cohort:
    if cohort.fingerprint() != fingerprint:
        raise CohortError(
            f"cohort {cohort.name} is not the one that the models were trained on",
            where=str(cohort.folder),
            expected="the same tables, byte for byte",
        )
    return cohort
