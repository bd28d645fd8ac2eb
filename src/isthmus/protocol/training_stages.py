"""The first stages of a run: from pictures to networks, fusions, and choices that are frozen."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.manifest import Manifest
from isthmus.progress import Progress
from isthmus.protocol.arithmetic import choose_arithmetic
from isthmus.protocol.candidates import Choice, Chooser, network_test_rows
from isthmus.protocol.cases import Cases
from isthmus.protocol.chosen import with_choice
from isthmus.protocol.clinical_arm import ClinicalArm, fit_clinical_arm
from isthmus.protocol.finished import check_finished
from isthmus.protocol.fits import fit_folder, list_fits, list_picture_level_fits
from isthmus.protocol.frozen import Lock, freeze
from isthmus.protocol.frozen_facts import frozen_facts
from isthmus.protocol.fused_fits import FusedFit, fit_fusions, list_fused_fits
from isthmus.protocol.fused_scores import gather_fused
from isthmus.protocol.gather import gather_views, nodule_predictions
from isthmus.protocol.half_fits import list_half_fits
from isthmus.protocol.opening import Opener
from isthmus.protocol.parts import divide, keep_split, set_aside
from isthmus.protocol.pictures import prepare_pictures
from isthmus.protocol.plan import make_plan
from isthmus.protocol.run_folder import go_on
from isthmus.protocol.schema import Protocol
from isthmus.protocol.short_clips import short_clip_lines, short_clips
from isthmus.protocol.train import train
from isthmus.report.clinical_terms import CLINICAL
from isthmus.training.schedule import Fit
from isthmus.training.schedule import pending as pending_fits
from isthmus.training.spec import FitSpec

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What training leaves: networks, what they say of patients they never saw, and the choices made on that.

    Parameters
    ----------
    protocol : Protocol
        Resolved, each arm with the network that was chosen.
    split : DataFrame
        ``seed, fold, group_id, part``.
    training : Cases
        Those that were trained on; views whose pictures could not be prepared are left out.
    unseen : mapping
        The parts of the cohort that were set aside.
    stores : mapping
        Each arm's prepared pictures.
    failures : mapping
        View to the reason why its picture could not be prepared.
    fits, picture_level : list of FitSpec
        Finished fits, and those that divide pictures, not patients, on purpose.
    fused : list of FusedFit
        Finished fusions.
    rows : DataFrame
        Out-of-fold scores in the columns of `gather_views`.
    frozen : dict
        The content of `frozen.json`.
    candidates : dict, optional
        How each arm's network was chosen, where it was chosen among several.
    clinical : ClinicalArm, optional
        The clinical arm.
    """

    protocol: Protocol
    split: pd.DataFrame
    training: Cases
    unseen: Mapping[str, Cases]
    stores: Mapping[str, PreparedStore]
    failures: Mapping[str, str]
    fits: list[FitSpec]
    picture_level: list[FitSpec]
    fused: list[FusedFit]
    rows: pd.DataFrame
    frozen: dict[str, Any]
    candidates: dict[str, Any] | None
    clinical: ClinicalArm | None


@dataclass
class TrainingStages:
    """One call of :func:`isthmus.protocol.run.run`, until the choices are frozen."""

    name: str
    protocol: Protocol
    cases: Cases
    folder: Path
    record: Manifest
    cache: PreparedCache
    progress: Progress | None
    say: Say
    chooser: Chooser = field(init=False)
    choice: Choice = field(init=False)
    clinical: ClinicalArm | None = field(init=False, default=None)

    def do(self) -> Trained:
        """Go through them; what an earlier call finished is kept."""
        split, aside = divide(self.protocol, self.cases)
        keep_split(self.folder / "split.csv", split)
        with self.record.stage("pictures"):
            stores, usable, failures = self.pictures()
        training, unseen = set_aside(usable, aside)
        if self.protocol.clinical is not None:
            # It is quick: a cohort that lacks its columns is refused before training.
            with self.record.stage("clinical model"):
                self.clinical = fit_clinical_arm(training, split, self.protocol.clinical.columns)
        with self.record.stage("fits"):
            fits, picture_level = self.fit(split, stores, training)
        with self.record.stage("choice of networks"):
            fits = self.choose_networks(fits, training, unseen)
        with self.record.stage("fusions"):
            fused = self.fuse(split, stores, fits, training, unseen)
        with self.record.stage("predictions"):
            rows, frozen = self.predict(fits, fused, training)
        return Trained(
            self.protocol, split, training, unseen, stores, failures, fits, picture_level, fused, rows, frozen,
            self.choice.evidence, self.clinical,
        )  # fmt: skip

    def pictures(self) -> tuple[dict[str, PreparedStore], Cases, dict[str, str]]:
        """Prepare the pictures; say which could not be, and which clips are short."""
        stores, usable, failures = prepare_pictures(self.protocol, self.cases, self.cache, self.progress)
        for view, reason in sorted(failures.items()):
            self.say(f"left out: view {view}: {reason}")
        if short := short_clips(stores):
            self.record.facts["short_clips"] = short
        for line in short_clip_lines(short, self.protocol):
            self.say(line)
        return stores, usable, failures

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
