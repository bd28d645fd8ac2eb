"""Models as frozen on the cases of another cohort: predictions, evidence and report; nothing is fitted or chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.files import write_json
from isthmus.imaging.cache import PreparedCache
from isthmus.inference.any_bundle import load_bundle
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.output import Spec
from isthmus.inference.predictor import Predictor
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.progress import Progress
from isthmus.protocol.case_doubts import case_doubts
from isthmus.protocol.case_facts import case_facts
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, without_failures
from isthmus.protocol.class_calls import picture_rows
from isthmus.protocol.clinical_arm import clinical_predictions
from isthmus.protocol.external import Outside
from isthmus.protocol.findings import reads_of_the_target
from isthmus.protocol.frozen import calls
from isthmus.protocol.fused_scores import bundle_rows
from isthmus.protocol.gather import nodule_predictions, write_view_rows
from isthmus.protocol.pictures import prepared_store
from isthmus.protocol.run_folder import Run
from isthmus.protocol.validation_regions import changed_predictions, members_of, validation_regions
from isthmus.protocol.validation_report import Model, clinical_facts, validation_context
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

SPLIT: Final = "external"


@dataclass
class Validation:
    """One call of :func:`isthmus.protocol.validate.validate`, stage by stage.

    Parameters
    ----------
    run : Run, optional
        Whose models they are; None for a bundle alone.
    models : mapping
        By arm, those whose pictures the cohort has.
    frozen : dict
        Their calibrations and thresholds, as `frozen.json` has them.
    clinical : dict, optional
        The run's clinical model as it was frozen.
    outside : Outside
        The cohort in the terms of the models.
    folder : Path
        Where everything is written.
    record : Manifest
        Of the call.
    cache : PreparedCache
        For the pictures.
    progress : callable, optional
        Called with what, done, total.
    """

    run: Run | None
    models: Mapping[str, Model]
    frozen: dict[str, Any]
    clinical: dict[str, Any] | None
    outside: Outside
    folder: Path
    record: Manifest
    cache: PreparedCache
    progress: Progress | None
    predictors: dict[str, Predictor | FusedPredictor] = field(init=False, default_factory=dict)

    def do(self) -> dict[str, Any]:
        """Go through them; return the evidence."""
        with self.record.stage("predictions"):
            self.predictors = {
                arm: load_bundle(one.folder, own_network=one.own_network, engine="torch")
                for arm, one in self.models.items()
            }
            views, predictions, failures = self.predict()
        facts = case_facts([self.cases])
        with self.record.stage("boxes moved and scaled"):
            changed = changed_predictions(
                self.predictors, self.cases, self.columns, self.frozen, self.cache, self.folder, self.progress
            )
        with self.record.stage("shortcuts"):
            asked = None if self.run is None else self.run.protocol
            shortcuts = validation_shortcuts(
                self.predictors, self.cases, self.columns, predictions, facts, self.frozen, self.cache, self.folder,
                asked, self.progress,
            )  # fmt: skip
        with self.record.stage("evidence"):
            doubts = self.doubts(views)
            evidence = self.evidence(predictions, facts, doubts)
            evidence["regions"] = validation_regions(changed, predictions, self.cases, SPLIT)
            evidence |= {SHORTCUTS: shortcuts} if shortcuts else {}
            self.write_evidence(evidence, predictions, doubts)
        self.record.facts |= self.facts(failures)
        with self.record.stage("report"):
            self.report(evidence, predictions, failures)
        self.record.write(self.folder, [path for path in self.folder.rglob("*") if path.is_file()])
        return evidence

    @property
    def cases(self) -> Cases:
        """The cohort's."""
        return self.outside.cases

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        """What the rows of each arm say of themselves."""
        return {arm: _run_columns(self.cases, arm, one) for arm, one in self.predictors.items()}

    def predict(self) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
        """Write and return the view rows and the units' predictions; and the views that could not be prepared."""
        views, failures = _predicted(self.predictors, self.cases, self.cache, self.folder, self.progress)
        if self.clinical is not None:
            known = clinical_predictions(self.clinical["model"], self.cases, SPLIT, [0])
            views = pd.concat([views, known], ignore_index=True)
        write_view_rows(self.folder / "predictions_views.parquet", views)
        units = nodule_predictions(views, self.cases)
        units = units.assign(call=calls(units, self.cases.classes, self.frozen))
        write_predictions(self.folder / "predictions.csv", units)
        return views, read_predictions(self.folder / "predictions.csv"), failures

    def doubts(self, views: pd.DataFrame) -> pd.DataFrame:
        """Return what warns of each case beside its probability."""
        likeness = {
            arm: one.likeness
            for arm, one in self.predictors.items()
            if isinstance(one, Predictor) and one.likeness is not None
        }
        return case_doubts(views, likeness, self.cases.unit)

    def evidence(self, predictions: pd.DataFrame, facts: pd.DataFrame, doubts: pd.DataFrame) -> dict[str, Any]:
        """Return every estimate with its interval."""
        cases, frozen, scale = self.cases, self.frozen, self.cases.cohort.read_scale
        samplings = cases.cohort.nodules.get("sampling", pd.Series(dtype=str)).dropna().unique()
        primary = None if self.run is None else self.run.protocol.primary.model_dump()
        graded = (self.outside.name,) if cases.target.reference == "tirads" else ()
        found = compute_evidence(
            predictions,
            positive=cases.classes[-1],
            primary=primary,
            reference_arm=None if primary is None else primary["against"],
            frozen=frozen,
            reference=cases.target.reference,
            sampling=str(samplings[0]) if len(samplings) == 1 else None,
            cases=facts,
            graded=graded,
            reads=_reads(cases, predictions),
            higher_is=scale.higher_is if scale else "positive",
            simulated_readers=cases.cohort.simulated,
            class_names=dict(cases.target.classes) if len(cases.classes) > 2 else None,
            pictures=picture_rows(self.folder / "predictions_views.parquet", cases.classes, frozen),
            doubts=doubts,
        )
        table = analysis_table(predictions, positive=cases.classes[-1], frozen=frozen)
        rates = error_rates(table, facts, graded=graded)
        return {**found, "error_rates": rates, "external": {self.outside.name: self.outside.to_json()}}

    def write_evidence(self, evidence: dict[str, Any], predictions: pd.DataFrame, doubts: pd.DataFrame) -> None:
        """Write `evidence.json` and `tables/`."""
        write_json(self.folder / "evidence.json", evidence)
        table = analysis_table(predictions, positive=self.cases.classes[-1], frozen=self.frozen)
        write_tables(self.folder / "tables", evidence, table)
        if len(doubts):
            write_table(self.folder / "tables" / "case_doubts.csv", doubts)

    def facts(self, failures: Mapping[str, str]) -> dict[str, Any]:
        """Return what the manifest says beside versions and times."""
        specs = {arm: one.spec for arm, one in self.models.items()}
        return {
            "notice": DISCLAIMER,
            "models": {arm: {"name": spec.name, "trained_on": _trained_on(spec)} for arm, spec in specs.items()},
            "frozen": self.frozen,
            "external": {self.outside.name: self.outside.to_json()},
            "excluded_views": dict(sorted(failures.items())),
        }

    def report(self, evidence: dict[str, Any], predictions: pd.DataFrame, failures: Mapping[str, str]) -> None:
        """Write the page."""
        context = validation_context(self.models, self.outside, self.run, evidence, predictions, self.frozen, failures)
        if self.clinical is not None:
            context.arms[CLINICAL] = clinical_facts(self.clinical["model"])
        write_report(self.folder, context)


def _trained_on(spec: Spec) -> dict[str, str]:
    """Return which cohort a model was trained on."""
    return {"name": spec.cohort.name, "fingerprint": spec.cohort.fingerprint}


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
