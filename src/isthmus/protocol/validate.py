"""Finished models on a cohort of other patients: predicted as they are, with calibration and threshold as frozen."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import CohortError
from isthmus.files import locked, new_folder, refuse_existing, write_json
from isthmus.imaging.cache import PreparedCache
from isthmus.inference.any_bundle import load_bundle
from isthmus.inference.fused_predictor import FusedPredictor, OwnNetworks
from isthmus.inference.output import Spec
from isthmus.inference.predictor import Predictor
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.protocol.case_doubts import case_doubts
from isthmus.protocol.case_facts import case_facts
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, without_failures
from isthmus.protocol.class_calls import picture_rows
from isthmus.protocol.clinical_arm import clinical_predictions
from isthmus.protocol.correspondence import read_correspondences
from isthmus.protocol.external import Outside, answered
from isthmus.protocol.findings import reads_of_the_target
from isthmus.protocol.frozen import Lock, calls
from isthmus.protocol.fused_scores import bundle_rows
from isthmus.protocol.gather import nodule_predictions, write_view_rows
from isthmus.protocol.overlap import DIGESTS, refusal, refuse_overlap, run_compares_ids, shared_with_run
from isthmus.protocol.pictures import Progress, cache_folder, prepared_store
from isthmus.protocol.run_folder import Run
from isthmus.protocol.validated_models import (
    able,
    finished_models,
    frozen_choices,
    frozen_clinical,
    looks_of_models,
    target_of,
)
from isthmus.protocol.validation_regions import changed_predictions, members_of, validation_regions
from isthmus.protocol.validation_report import clinical_facts, validation_context
from isthmus.protocol.validation_shortcuts import validation_shortcuts
from isthmus.report.analysis_table import analysis_table
from isthmus.report.clinical_terms import CLINICAL
from isthmus.report.error_rates import error_rates
from isthmus.report.evidence import compute_evidence
from isthmus.report.page import write_report
from isthmus.report.shortcuts import KEY as SHORTCUTS
from isthmus.report.tables import write_tables
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions, write_predictions

SPLIT = "external"


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
    models = able(models, outside.absent, outside.cases.cohort)
    specs = {arm: one.spec for arm, one in models.items()}
    frozen["arms"] = {arm: own for arm, own in frozen["arms"].items() if arm in (*models, CLINICAL)}
    with record.stage("overlap"):
        outside = _apart(outside, run, specs, training_cohort, out, progress)
    if run is not None:
        with locked(run.folder / ".lock", seconds=10):  # two validations at once must both be counted
            Lock(run.folder).open(SPLIT, outside.name, list(frozen["arms"]))
    with new_folder(out) as folder:
        with record.stage("predictions"):
            cache = PreparedCache(cache_folder())
            predictors = {arm: load_bundle(one.folder, own_network=one.own_network) for arm, one in models.items()}
            views, failures = _predicted(predictors, outside.cases, cache, folder, progress)
            if clinical is not None:
                views = pd.concat([views, clinical_predictions(clinical["model"], outside.cases, SPLIT, [0])])
                views = views.reset_index(drop=True)
            write_view_rows(folder / "predictions_views.parquet", views)
            nodules = nodule_predictions(views, outside.cases)
            nodules = nodules.assign(call=calls(nodules, outside.cases.classes, frozen))
            write_predictions(folder / "predictions.csv", nodules)
            predictions = read_predictions(folder / "predictions.csv")
        with record.stage("boxes moved and scaled"):
            columns = {arm: _run_columns(outside.cases, arm, one) for arm, one in predictors.items()}
            changed = changed_predictions(predictors, outside.cases, columns, frozen, cache, folder, progress)
        facts = case_facts([outside.cases])
        with record.stage("shortcuts"):
            asked = None if run is None else run.protocol
            shortcuts = validation_shortcuts(
                predictors, outside.cases, columns, predictions, facts, frozen, cache, folder, asked, progress
            )
        with record.stage("evidence"):
            pictures = picture_rows(folder / "predictions_views.parquet", outside.cases.classes, frozen)
            likeness = {
                arm: one.likeness
                for arm, one in predictors.items()
                if isinstance(one, Predictor) and one.likeness is not None
            }
            doubts = case_doubts(views, likeness, outside.cases.unit)
            evidence = _evidence(predictions, outside, frozen, run, pictures, doubts, facts)
            evidence["regions"] = validation_regions(changed, predictions, outside.cases, SPLIT)
            evidence |= {SHORTCUTS: shortcuts} if shortcuts else {}
            table = analysis_table(predictions, positive=outside.cases.classes[-1], frozen=frozen)
            write_json(folder / "evidence.json", evidence)
            write_tables(folder / "tables", evidence, table)
            if len(doubts):
                write_table(folder / "tables" / "case_doubts.csv", doubts)
        record.facts |= {
            "notice": DISCLAIMER,
            "models": {arm: {"name": spec.name, "trained_on": _trained_on(spec)} for arm, spec in specs.items()},
            "frozen": frozen,
            "external": {outside.name: outside.to_json()},
            "excluded_views": dict(sorted(failures.items())),
        }
        with record.stage("report"):
            context = validation_context(models, outside, run, evidence, predictions, frozen, failures)
            if clinical is not None:
                context.arms[CLINICAL] = clinical_facts(clinical["model"])
            write_report(folder, context)
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])
    return evidence


def _trained_on(spec: Spec) -> dict[str, str]:
    """Return which cohort a model was trained on."""
    return {"name": spec.cohort.name, "fingerprint": spec.cohort.fingerprint}


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


def _predicted(
    predictors: Mapping[str, Predictor | FusedPredictor],
    cases: Cases,
    cache: PreparedCache,
    folder: Path,
    progress: Progress | None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the view rows of every model, and the views whose pictures could not be prepared."""
    tables, failures = [], dict[str, str]()
    for arm, predictor in predictors.items():
        stores = {
            key: prepared_store(cache, cases.views[key], member.spec.prepare, progress)
            for key, member in members_of(arm, predictor).items()
        }
        views = {key: without_failures(cases.views[key], store.failures) for key, store in stores.items()}
        for store in stores.values():
            failures |= store.failures
        if isinstance(predictor, FusedPredictor):
            usable = replace(cases, views={**cases.views, **views})
            tables.append(bundle_rows(predictor, stores, usable, _run_columns(cases, arm, predictor), folder))
            continue
        rows = predictor.score_store(stores[arm], list(views[arm]["view_id"])).merge(
            views[arm][["view_id", *UNIT_COLUMNS]], on="view_id", how="left", validate="one_to_one"
        )
        tables.append(rows.assign(**_run_columns(cases, arm, predictor)))
    return pd.concat(tables, ignore_index=True), failures


def _run_columns(cases: Cases, arm: str, predictor: Predictor | FusedPredictor) -> dict[str, Any]:
    spec = predictor.spec
    return {
        "target": cases.target.name, "cohort": cases.cohort.name, "arm": arm, "split": SPLIT, "seed": 0, "fold": 0,
        "candidate": spec.classifier if isinstance(spec, FusedBundleSpec) else spec.network.name,
    }  # fmt: skip


def _reads(cases: Cases, predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Return the cohort's reads of this target; None where their calls have other names than the models' classes."""
    reads = reads_of_the_target(cases.cohort.reads, cases, predictions)
    calls = set() if reads is None or "call" not in reads else set(reads["call"].dropna()) - {""}
    return reads if calls <= set(cases.classes) else None


def _evidence(
    predictions: pd.DataFrame,
    outside: Outside,
    frozen: dict[str, Any],
    run: Run | None,
    pictures: pd.DataFrame | None,
    doubts: pd.DataFrame,
    facts: pd.DataFrame,
) -> dict[str, Any]:
    cases = outside.cases
    samplings = cases.cohort.nodules.get("sampling", pd.Series(dtype=str)).dropna().unique()
    primary = None if run is None else run.protocol.primary.model_dump()
    graded = [outside.name] if cases.target.reference == "tirads" else []
    scale = cases.cohort.read_scale
    evidence = compute_evidence(
        predictions,
        positive=cases.classes[-1],
        primary=primary,
        reference_arm=None if primary is None else primary["against"],
        frozen=frozen,
        reference=cases.target.reference,
        sampling=str(samplings[0]) if len(samplings) == 1 else None,
        cases=facts,
        graded=tuple(graded),
        reads=_reads(cases, predictions),
        higher_is=scale.higher_is if scale else "positive",
        simulated_readers=cases.cohort.simulated,
        class_names=dict(cases.target.classes) if len(cases.classes) > 2 else None,
        pictures=pictures,
        doubts=doubts,
    )
    table = analysis_table(predictions, positive=cases.classes[-1], frozen=frozen)
    rates = error_rates(table, facts, graded=graded)
    return {**evidence, "error_rates": rates, "external": {outside.name: outside.to_json()}}
