"""The last stages of a run: sets that no choice saw, evidence, explanations and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache
from isthmus.manifest import Manifest
from isthmus.progress import Progress
from isthmus.protocol.answers import answers_of
from isthmus.protocol.bundles import write_bundles
from isthmus.protocol.candidates import PREDICTIONS
from isthmus.protocol.case_doubts import case_doubts
from isthmus.protocol.case_facts import case_facts
from isthmus.protocol.cases import Cases
from isthmus.protocol.descriptor_evidence import descriptor_evidence
from isthmus.protocol.external import Outside
from isthmus.protocol.findings import RunResults, write_evidence
from isthmus.protocol.frozen import Lock, calls
from isthmus.protocol.fused_attributions import attribute_fusions
from isthmus.protocol.fused_selection import add_selection
from isthmus.protocol.gather import nodule_predictions, write_view_rows
from isthmus.protocol.heat_maps import HeatMaps, draw_heat_maps
from isthmus.protocol.leak import demonstrate_leak
from isthmus.protocol.modality_subsets import Opened, add_modalities
from isthmus.protocol.opening import Opener
from isthmus.protocol.parts import split_fingerprint
from isthmus.protocol.perturbation import perturbed_predictions
from isthmus.protocol.record import run_facts
from isthmus.protocol.report_facts import report_context
from isthmus.protocol.run_folder import SEEDS
from isthmus.protocol.shortcuts import add_shortcuts
from isthmus.protocol.simulated import true_calcifications
from isthmus.protocol.training_likeness import Fitted, fit_likeness
from isthmus.protocol.training_stages import Trained
from isthmus.report.clinical_terms import CLINICAL
from isthmus.report.page import write_report
from isthmus.report.truth import read_truth
from isthmus.tables.predictions import read_predictions, write_predictions


@dataclass
class JudgingStages:
    """One call of :func:`isthmus.protocol.run.run`, after the choices are frozen."""

    name: str
    cases: Cases
    outside: list[Outside]
    trained: Trained
    folder: Path
    record: Manifest
    cache: PreparedCache
    progress: Progress | None
    fitted: Mapping[str, Fitted] = field(init=False, default_factory=dict)

    def do(self) -> None:
        """Go through them; what an earlier call scored is kept."""
        trained = self.trained
        with self.record.stage("what training pictures are like"):
            self.fitted = fit_likeness(
                self.folder, trained.protocol, trained.training, trained.fits, trained.stores, self.progress
            )
        with self.record.stage("test and external sets"):
            rows, predictions, by_seed = self.meet_unseen()
        with self.record.stage("boxes moved and scaled"):
            changed = perturbed_predictions(
                self.folder, trained.protocol, trained.training, trained.fits, trained.fused, trained.stores,
                self.cache, trained.frozen, self.progress,
            )  # fmt: skip
        with self.record.stage("evidence"):
            results = self.results(rows, predictions, by_seed, changed)
            evidence = write_evidence(results)
        with self.record.stage("heat maps"):
            heat = self.explain(results, evidence)
        with self.record.stage("shortcuts"):
            add_shortcuts(
                self.folder, trained.protocol, trained.training, trained.fits, trained.fused, trained.stores,
                self.cache, predictions, results.facts, trained.frozen, evidence, self.progress,
            )  # fmt: skip
        self.record.facts |= run_facts(trained.protocol, self.cases, self.outside, trained.split, trained.failures)
        with self.record.stage("report"):
            self.report(results, evidence, heat)
        self.finish()

    def meet_unseen(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
        """Let the finished models meet what was set aside; write the tables that all evidence comes from.

        Returns all view rows, the units' predictions with their calls, and the opened sets' by every seed's model.
        """
        trained = self.trained
        fits, fused = trained.fits, trained.fused
        keys = [*trained.protocol.arms, *trained.protocol.fusions]
        answers = answers_of(trained.rows, trained.training, trained.frozen, keys)
        write_bundles(
            self.folder, trained.protocol, trained.training, fits, fused, trained.frozen, self.fitted, answers
        )
        opener = Opener(self.folder, trained.protocol, fits, fused, self.cache, self.progress)
        rows, seed_rows = self.open_sets(opener)
        return rows, self.write_predictions(rows), self.write_seeds(seed_rows)

    def open_sets(self, opener: Opener) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Let the bundles meet the parts that were set aside and the external cohorts, once.

        Returns all rows with those of the arms' models, and the opened sets' rows of every seed where all were asked.
        """
        rows, protocol = self.trained.rows, self.trained.protocol
        sets = [(split, cases, cases.cohort.fingerprint()) for split, cases in self.trained.unseen.items()]
        sets += [("external", one.cases, one.key) for one in self.outside]
        opened = [opener.open(split, cases, key) for split, cases, key in sets]
        if not opened or protocol.splits.open_with == "first_seed":
            return pd.concat([rows, *opened], ignore_index=True), None
        met = pd.concat(opened, ignore_index=True)
        first = met[met["seed"] == protocol.splits.seeds[0]]
        return pd.concat([rows, first], ignore_index=True), met

    def results(
        self, rows: pd.DataFrame, predictions: pd.DataFrame, by_seed: pd.DataFrame | None, changed: pd.DataFrame
    ) -> RunResults:
        """Return what the evidence is computed from."""
        trained = self.trained
        everyone = [self.cases, *(one.cases for one in self.outside)]
        choices = trained.frozen["arms"].get(CLINICAL)
        return RunResults(
            folder=self.folder,
            protocol=trained.protocol,
            cases=trained.training,
            predictions=predictions,
            frozen=trained.frozen,
            leak=demonstrate_leak(self.folder, trained.protocol, trained.training, rows, trained.picture_level),
            truth=read_truth(self.cases.cohort.folder),
            outside={one.name: one.to_json() for one in self.outside},
            changed_boxes=changed,
            facts=case_facts(everyone, self.progress, trained.protocol.report.table1 or ()),
            descriptors=descriptor_evidence(self.folder, trained.training, trained.fits),
            seed_rows=by_seed,
            candidates=trained.candidates,
            clinical=None if trained.clinical is None else trained.clinical.to_evidence(choices),
            doubts=self.doubts(rows),
        )

    def explain(self, results: RunResults, evidence: dict[str, Any]) -> HeatMaps:
        """Draw where the networks looked, and find what each member and modality brought."""
        trained = self.trained
        masks = None if results.truth is None else true_calcifications(results.truth)
        protocol, cases, fits, stores = trained.protocol, trained.training, trained.fits, trained.stores
        heat = draw_heat_maps(self.folder, protocol, cases, fits, stores, trained.frozen, masks, self.progress)
        heat.write(self.folder, evidence)
        attribute_fusions(self.folder, cases, trained.fused, stores, evidence, self.progress)
        opened = [Opened(part, own) for part, own in trained.unseen.items()]
        opened += [Opened("external", one.cases) for one in self.outside]
        add_modalities(self.folder, protocol, cases, fits, stores, opened, self.cache, evidence, self.progress)
        add_selection(self.folder, trained.fused, evidence)
        return heat

    def report(self, results: RunResults, evidence: dict[str, Any], heat: HeatMaps) -> None:
        """Write the page."""
        trained = self.trained
        context = report_context(
            protocol=trained.protocol,
            protocol_name=self.name,
            cases=self.cases,
            split=trained.split,
            split_fingerprint=split_fingerprint(trained.split),
            fits=trained.fits,
            folder=self.folder,
            predictions=results.predictions,
            evidence=evidence,
            frozen=trained.frozen,
            failures=trained.failures,
            localisation=heat.localisation,
            gallery=heat.gallery,
            films=heat.films,
            misclassified=heat.misclassified,
            openings=Lock(self.folder).openings(),
            outside=self.outside,
            leak=results.leak,
            truth=results.truth,
            manifest=self.record.facts,
        )
        write_report(self.folder, context)

    def doubts(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return what warns of each case beside its probability."""
        likeness = {arm: one.likeness for arm, one in self.fitted.items()}
        held_out = {arm: one.held_out for arm, one in self.fitted.items()}
        return case_doubts(rows, likeness, self.trained.training.unit, held_out)

    def write_seeds(self, rows: pd.DataFrame | None) -> pd.DataFrame | None:
        """Write what the models of all seeds say of the opened sets; they are judged as readers, never as one."""
        if rows is None:
            return None
        path = self.folder / SEEDS
        write_predictions(path, nodule_predictions(rows, self.trained.training))
        return read_predictions(path)

    def write_predictions(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Write the table that all evidence comes from, each row with its call."""
        write_view_rows(self.folder / "predictions_views.parquet", rows)
        cases = self.trained.training
        nodules = nodule_predictions(rows, cases)
        nodules = nodules.assign(call=calls(nodules, cases.classes, self.trained.frozen))
        write_predictions(self.folder / "predictions.csv", nodules)
        return read_predictions(self.folder / "predictions.csv")

    def finish(self) -> None:
        """Write the manifest: the mark of a finished run."""
        names = ["protocol.yaml", "split.csv", "frozen.json", "predictions.csv", "evidence.json", "report.html"]
        names += [name for name in (SEEDS, PREDICTIONS) if (self.folder / name).is_file()]
        self.record.write(self.folder, [self.folder / name for name in names])
