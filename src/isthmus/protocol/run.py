"""A run, from a protocol and a cohort to a report: the stages in the order of a methods section."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import load_cohort
from isthmus.files import locked
from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.manifest import Manifest
from isthmus.protocol.arithmetic import choose_arithmetic
from isthmus.protocol.bundles import write_bundles
from isthmus.protocol.candidates import PREDICTIONS, Choice, Chooser, network_test_rows
from isthmus.protocol.case_doubts import case_doubts
from isthmus.protocol.case_facts import case_facts
from isthmus.protocol.cases import Cases, find_cases
from isthmus.protocol.chosen import with_choice
from isthmus.protocol.clinical_arm import ClinicalArm, fit_clinical_arm
from isthmus.protocol.correspondence import read_correspondences
from isthmus.protocol.descriptor_evidence import descriptor_evidence
from isthmus.protocol.external import Outside, check_all_given, find_outside, keep_comparisons
from isthmus.protocol.findings import write_evidence
from isthmus.protocol.finished import check_finished
from isthmus.protocol.fits import fit_folder, list_fits, list_picture_level_fits
from isthmus.protocol.frozen import Lock, calls, freeze
from isthmus.protocol.frozen_facts import frozen_facts
from isthmus.protocol.fused_attributions import attribute_fusions
from isthmus.protocol.fused_fits import FusedFit, fit_fusions, list_fused_fits
from isthmus.protocol.fused_scores import gather_fused
from isthmus.protocol.fused_selection import add_selection
from isthmus.protocol.gather import gather_views, nodule_predictions, write_view_rows
from isthmus.protocol.half_fits import list_half_fits
from isthmus.protocol.heat_maps import draw_heat_maps
from isthmus.protocol.leak import demonstrate_leak
from isthmus.protocol.modality_subsets import Opened, add_modalities
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.opening import Opener
from isthmus.protocol.overlap import keep_digests
from isthmus.protocol.parts import divide, keep_split, set_aside, split_fingerprint
from isthmus.protocol.perturbation import perturbed_predictions
from isthmus.protocol.pictures import cache_folder, prepare_pictures
from isthmus.protocol.plan import make_plan
from isthmus.protocol.planning import check_libraries, check_weights
from isthmus.protocol.record import run_facts
from isthmus.protocol.refusals import divided
from isthmus.protocol.report_facts import report_context
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import SEEDS, Run, claim_folder, go_on, open_run
from isthmus.protocol.schema import Protocol
from isthmus.protocol.short_clips import short_clip_lines, short_clips
from isthmus.protocol.shortcuts import add_shortcuts
from isthmus.protocol.simulated import true_calcifications
from isthmus.protocol.train import train
from isthmus.protocol.training_likeness import Fitted, fit_likeness
from isthmus.report.clinical_terms import CLINICAL
from isthmus.report.page import write_report
from isthmus.report.truth import read_truth
from isthmus.tables.predictions import read_predictions, write_predictions
from isthmus.training.schedule import Fit
from isthmus.training.schedule import pending as pending_fits
from isthmus.training.spec import FitSpec

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def run(
    protocol: str,
    cohort: Path | str,
    out: Path | str,
    *,
    external: Path | str | Sequence[Path | str] = (),
    correspondence: Path | str | None = None,
    profile: str = "paper",
    settings: Iterable[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Run:
    """Train, compare, calibrate, explain and report, as a protocol says.

    Parameters
    ----------
    protocol : str
        A shipped name or a YAML file.
    cohort : Path
        Cohort folder.
    out : Path
        Run folder; it may not exist, unless `resume`.
    external : Path or sequence of Path
        Cohorts of other patients; each meets each arm's frozen model once.
    correspondence : Path, optional
        YAML that says which target and classes of an external cohort stand for the run's, where they differ.
    profile : str
        `paper`, `small` or `smoke`.
    settings : iterable of str
        `key=value` over the protocol.
    resume : bool
        Go on with a run that was stopped, which ends in the same `predictions.csv`; or add arms to a finished one,
        which leaves the rows of its other arms as they are.
    progress, say : callable, optional
        Called with what, done, total; and with lines for the user.

    Returns
    -------
    Run
        The finished run folder, opened.

    Raises
    ------
    ProtocolError, CohortError, WeightsError, OutputError
        Before any training.
    FitError
        After all fits, when some failed; the others are kept and `resume` repeats those that failed.
    """
    asked = resolve_protocol(protocol, profile, list(settings))
    loaded = load_cohort(cohort)
    resolved, lacking = fitted_to(asked, loaded)
    for line in lacking:
        if say is not None:
            say(line)
    cases = find_cases(resolved, loaded)
    divided(resolved, cases)  # what needs no picture is refused before there is a folder
    folder, folders = Path(out), [external] if isinstance(external, str | Path) else list(external)
    said = {} if correspondence is None else read_correspondences(correspondence)
    check_weights(resolved)
    check_libraries(resolved)
    outside = find_outside(resolved, folders, cases, said, folder, progress)
    claim_folder(folder, resolved, cases.cohort.fingerprint(), resume)
    check_all_given(folder, cases.cohort, outside)
    with locked(folder / ".lock"):
        keep_comparisons(folder, outside)
        keep_digests(folder, cases.cohort)
        work = _Work(protocol, resolved, cases, outside, folder, progress, say or (lambda line: None))
        work.do()
    return open_run(folder)


@dataclass
class _Work:
    """One call of :func:`run`, stage by stage."""

    name: str
    protocol: Protocol
    cases: Cases
    outside: list[Outside]
    folder: Path
    progress: Progress | None
    say: Say
    record: Manifest = field(init=False)
    cache: PreparedCache = field(init=False)
    chooser: Chooser = field(init=False)
    choice: Choice = field(init=False)
    clinical: ClinicalArm | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.record = Manifest(f"run {self.protocol.protocol} --profile {self.protocol.profile}")
        self.cache = PreparedCache(cache_folder())

    def do(self) -> None:
        split, aside = divide(self.protocol, self.cases)
        keep_split(self.folder / "split.csv", split)
        with self.record.stage("pictures"):
            stores, usable, failures = prepare_pictures(self.protocol, self.cases, self.cache, self.progress)
            for view, reason in sorted(failures.items()):
                self.say(f"left out: view {view}: {reason}")
            if short := short_clips(stores):
                self.record.facts["short_clips"] = short
            for line in short_clip_lines(short, self.protocol):
                self.say(line)
        training, unseen = set_aside(usable, aside)
        if self.protocol.clinical is not None:
            with self.record.stage(
                "clinical model"
            ):  # quick: a cohort that lacks its columns is refused before training
                self.clinical = fit_clinical_arm(training, split, self.protocol.clinical.columns)
        with self.record.stage("fits"):
            fits, picture_level = self.fit(split, stores, training)
        with self.record.stage("choice of networks"):
            fits = self.choose_networks(fits, training, unseen)
        with self.record.stage("fusions"):
            fused = self.fuse(split, stores, fits, training, unseen)
        with self.record.stage("predictions"):
            rows, frozen = self.predict(fits, fused, training)
        with self.record.stage("what training pictures are like"):
            fitted = fit_likeness(self.folder, self.protocol, training, fits, stores, self.progress)
        with self.record.stage("test and external sets"):
            write_bundles(self.folder, self.protocol, training, fits, fused, frozen, fitted)
            rows, seed_rows = self.open_sets(
                rows, Opener(self.folder, self.protocol, fits, fused, self.cache, self.progress), unseen
            )
            predictions = self.write_predictions(rows, training, frozen)
            by_seed = self.write_seeds(seed_rows, training)
        with self.record.stage("boxes moved and scaled"):
            changed = perturbed_predictions(
                self.folder, self.protocol, training, fits, fused, stores, self.cache, frozen, self.progress
            )
        truth = read_truth(self.cases.cohort.folder)
        with self.record.stage("evidence"):
            everyone = [self.cases, *(one.cases for one in self.outside)]
            facts = case_facts(everyone, self.progress, self.protocol.report.table1 or ())
            leak = demonstrate_leak(self.folder, self.protocol, training, rows, picture_level)
            evidence = write_evidence(
                self.folder,
                self.protocol,
                training,
                predictions,
                frozen,
                leak=leak,
                truth=truth,
                outside={one.name: one.to_json() for one in self.outside},
                changed_boxes=changed,
                facts=facts,
                descriptors=descriptor_evidence(self.folder, training, fits),
                secondary=[contrast.model_dump() for contrast in self.protocol.secondary],
                seed_rows=by_seed,
                candidates=self.choice.evidence,
                clinical=None if self.clinical is None else self.clinical.to_evidence(frozen["arms"][CLINICAL]),
                doubts=self.doubts(rows, fitted, training),
            )
        with self.record.stage("heat maps"):
            masks = None if truth is None else true_calcifications(truth)
            heat = draw_heat_maps(self.folder, self.protocol, training, fits, stores, frozen, masks, self.progress)
            heat.write(self.folder, evidence)
            attribute_fusions(self.folder, training, fused, stores, evidence, self.progress)
            opened = [Opened(part, own) for part, own in unseen.items()]
            opened += [Opened("external", one.cases) for one in self.outside]
            add_modalities(
                self.folder, self.protocol, training, fits, stores, opened, self.cache, evidence, self.progress
            )
            add_selection(self.folder, fused, evidence)
        with self.record.stage("shortcuts"):
            add_shortcuts(
                self.folder,
                self.protocol,
                training,
                fits,
                fused,
                stores,
                self.cache,
                predictions,
                facts,
                frozen,
                evidence,
                self.progress,
            )
        self.record.facts |= run_facts(self.protocol, self.cases, self.outside, split, failures)
        with self.record.stage("report"):
            context = report_context(
                protocol=self.protocol,
                protocol_name=self.name,
                cases=self.cases,
                split=split,
                split_fingerprint=split_fingerprint(split),
                fits=fits,
                folder=self.folder,
                predictions=predictions,
                evidence=evidence,
                frozen=frozen,
                failures=failures,
                localisation=heat.localisation,
                gallery=heat.gallery,
                films=heat.films,
                misclassified=heat.misclassified,
                openings=Lock(self.folder).openings(),
                outside=self.outside,
                leak=leak,
                truth=truth,
                manifest=self.record.facts,
            )
            write_report(self.folder, context)
        self.finish()

    def fit(
        self, split: pd.DataFrame, stores: Mapping[str, PreparedStore], usable: Cases
    ) -> tuple[list[FitSpec], list[FitSpec]]:
        """Run the pending fits and return them all, those that divide pictures apart; finished ones are kept."""
        arithmetic = choose_arithmetic(self.folder, self.protocol, len(usable.classes))
        keys = {arm: store.key for arm, store in stores.items()}
        fits = list_fits(self.protocol, usable, split, keys, arithmetic)
        picture_level = list_picture_level_fits(self.protocol, usable, keys, arithmetic)
        check_finished(self.folder, [*fits, *picture_level])
        go_on(self.folder, self.protocol)
        jobs = [Fit(fit, fit_folder(self.folder, fit)) for fit in [*fits, *picture_level]]
        pending = [job.spec for job in pending_fits(jobs)]
        plan = make_plan(self.name, self.protocol, usable, [job.spec for job in jobs], pending, arithmetic)
        for line in plan.lines():
            self.say(line)
        train(self.folder, [job.spec for job in jobs], stores, self.progress)
        self.record.facts["arithmetic"] = {arm: asdict(chosen) for arm, chosen in arithmetic.items()}
        return fits, picture_level

    def choose_networks(self, fits: list[FitSpec], usable: Cases, unseen: Mapping[str, Cases]) -> list[FitSpec]:
        """Choose among the arms' candidates; from here on each arm has one network."""
        self.chooser = Chooser(self.folder, self.protocol, usable, unseen, frozen_facts(self.protocol, usable))
        rows = gather_views({fit_folder(self.folder, fit): fit for fit in fits}, usable)
        score = partial(network_test_rows, self.folder, self.protocol, fits, self.cache, self.progress)
        self.choice = self.chooser.choose("networks", rows, score, Choice())
        self.protocol = with_choice(self.protocol, self.choice.evidence)
        return [fit for fit in fits if self.choice.chosen(fit.arm, fit.candidate)]

    def fuse(
        self,
        split: pd.DataFrame,
        stores: Mapping[str, PreparedStore],
        fits: list[FitSpec],
        usable: Cases,
        unseen: Mapping[str, Cases],
    ) -> list[FusedFit]:
        """Train the members of fusions on halves, fit their heads, and choose among their classifiers."""
        if not self.protocol.fusions:
            return []
        arithmetic = choose_arithmetic(self.folder, self.protocol, len(usable.classes))
        keys = {arm: store.key for arm, store in stores.items()}
        halves = list_half_fits(self.protocol, usable, split, keys, arithmetic)
        check_finished(self.folder, halves)
        train(self.folder, halves, stores, self.progress)
        fused = list_fused_fits(self.protocol, usable, split, fits, halves)
        fit_fusions(self.folder, usable, fused, stores, self.progress)
        asked = self.protocol
        opener = Opener(self.folder, asked, fits, fused, self.cache, self.progress)
        self.choice = self.chooser.choose(
            "classifiers", gather_fused(self.folder, usable, fused), opener.fused_candidates, self.choice
        )
        self.protocol = with_choice(asked, self.choice.evidence)
        return [replace(fit, fusion=self.protocol.fusions[fit.key]) for fit in fused]

    def predict(self, fits: list[FitSpec], fused: list[FusedFit], usable: Cases) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Collect the out-of-fold scores and freeze what is chosen on them."""
        rows = gather_views({fit_folder(self.folder, fit): fit for fit in fits}, usable)
        rows = pd.concat([rows, gather_fused(self.folder, usable, fused)], ignore_index=True)
        if self.clinical is not None:
            rows = pd.concat([rows, self.clinical.rows], ignore_index=True)
        nodules, facts = nodule_predictions(rows, usable), self.chooser.facts
        frozen = freeze(nodules, usable.classes, self.protocol.threshold, facts)
        frozen["arms"] = {**self.choice.frozen.get("arms", {}), **frozen["arms"]}
        if self.clinical is not None:
            frozen["arms"][CLINICAL] = self.clinical.frozen(frozen["arms"][CLINICAL])
        Lock(self.folder).freeze(frozen)
        return rows, frozen

    def open_sets(
        self, rows: pd.DataFrame, opener: Opener, unseen: Mapping[str, Cases]
    ) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Let the bundles meet the parts that were set aside and the external cohorts, once.

        Returns all rows with those of the arms' models, and the opened sets' rows of every seed where all were asked.
        """
        sets = [(split, cases, cases.cohort.fingerprint()) for split, cases in unseen.items()]
        sets += [("external", one.cases, one.key) for one in self.outside]
        opened = [opener.open(split, cases, key) for split, cases, key in sets]
        if not opened or self.protocol.splits.open_with == "first_seed":
            return pd.concat([rows, *opened], ignore_index=True), None
        met = pd.concat(opened, ignore_index=True)
        first = met[met["seed"] == self.protocol.splits.seeds[0]]
        return pd.concat([rows, first], ignore_index=True), met

    def doubts(self, rows: pd.DataFrame, fitted: Mapping[str, Fitted], usable: Cases) -> pd.DataFrame:
        """Return what warns of each case beside its probability."""
        likeness = {arm: one.likeness for arm, one in fitted.items()}
        return case_doubts(rows, likeness, usable.unit, {arm: one.held_out for arm, one in fitted.items()})

    def write_seeds(self, rows: pd.DataFrame | None, usable: Cases) -> pd.DataFrame | None:
        """Write what the models of all seeds say of the opened sets; they are judged as readers, never as one."""
        if rows is None:
            return None
        path = self.folder / SEEDS
        write_predictions(path, nodule_predictions(rows, usable))
        return read_predictions(path)

    def write_predictions(self, rows: pd.DataFrame, usable: Cases, frozen: dict[str, Any]) -> pd.DataFrame:
        """Write the table that all evidence comes from, each row with its call."""
        write_view_rows(self.folder / "predictions_views.parquet", rows)
        nodules = nodule_predictions(rows, usable)
        nodules = nodules.assign(call=calls(nodules, usable.classes, frozen))
        write_predictions(self.folder / "predictions.csv", nodules)
        return read_predictions(self.folder / "predictions.csv")

    def finish(self) -> None:
        """Write the manifest: the mark of a finished run."""
        names = ["protocol.yaml", "split.csv", "frozen.json", "predictions.csv", "evidence.json", "report.html"]
        names += [name for name in (SEEDS, PREDICTIONS) if (self.folder / name).is_file()]
        self.record.write(self.folder, [self.folder / name for name in names])
