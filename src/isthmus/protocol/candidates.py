"""Which of an arm's candidates is the arm: chosen on the training patients, or, as published, on the test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.errors import CohortError
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedCache
from isthmus.progress import Progress
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, without_failures
from isthmus.protocol.chosen import FILE
from isthmus.protocol.fold_scores import mean_fold_scores
from isthmus.protocol.frozen import Lock, freeze
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.pictures import prepared_store
from isthmus.protocol.schema import Protocol
from isthmus.report.candidates import candidate_evidence
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions, write_predictions
from isthmus.training.spec import FitSpec

PREDICTIONS: Final = "predictions_candidates.csv"
"""What every candidate says of the held-out patients; the chosen ones' rows stand in `predictions.csv` too."""


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates so far: first networks, then the classifiers of fusions.

    Parameters
    ----------
    evidence : dict, optional
        As :func:`isthmus.report.candidates.candidate_evidence` returns it; None where nothing had candidates.
    frozen : dict
        What was frozen of the candidates before the test set was opened to choose among them; empty otherwise.
    rows : DataFrame
        What every candidate says of the held-out patients.
    """

    evidence: dict[str, Any] | None = None
    frozen: Mapping[str, Any] = field(default_factory=dict)
    rows: pd.DataFrame = field(default_factory=pd.DataFrame)

    def chosen(self, name: str, candidate: str) -> bool:
        """Whether an arm's candidate is the arm; one without others is."""
        arms = {} if self.evidence is None else self.evidence["arms"]
        return name not in arms or arms[name]["chosen"] == candidate


@dataclass(frozen=True)
class Chooser:
    """How a run chooses.

    Parameters
    ----------
    run_folder : Path
        With the finished fits.
    protocol : Protocol
        As it was asked for; its `select` says by which rule.
    cases : Cases
        What was trained on.
    unseen : mapping
        The parts that were set aside; of these the rule `paper` opens `test`.
    facts : mapping
        What is frozen beside the arms.
    """

    run_folder: Path
    protocol: Protocol
    cases: Cases
    unseen: Mapping[str, Cases]
    facts: Mapping[str, Any]

    def choose(self, what: str, rows: pd.DataFrame, score: Callable[[Cases], pd.DataFrame], before: Choice) -> Choice:
        """Choose among the candidates of some arms and write `candidates.json`.

        Parameters
        ----------
        what : str
            `networks` or `classifiers`.
        rows : DataFrame
            Tuning and held-out rows of all candidates, in the columns of `gather_views`.
        score : callable
            Gives the test rows of all candidates' models of the first seed.
        before : Choice
            What was chosen before.

        """
        counts = rows.groupby("arm")["candidate"].nunique()
        several = [str(name) for name in self.protocol.names if counts.get(name, 0) > 1]
        if not several:
            return before
        own, frozen = rows[rows["arm"].isin(several)], dict(before.frozen)
        predictions = nodule_predictions(own, self.cases)
        rule = self.protocol.select.rule
        if rule == "paper":
            frozen = freeze(_as_arms(predictions), self.cases.classes, self.protocol.threshold, self.facts)
            new = sorted(frozen["arms"])
            frozen["arms"] = {**before.frozen.get("arms", {}), **frozen["arms"]}
            test = self._open_test(what, score, frozen, new)
            test = test[test["arm"].isin(several)]
            predictions = pd.concat([predictions, nodule_predictions(test, self.cases)], ignore_index=True)
        predictions = pd.concat([before.rows, predictions], ignore_index=True)
        write_predictions(self.run_folder / PREDICTIONS, predictions)
        kept = read_predictions(self.run_folder / PREDICTIONS)
        found = candidate_evidence(
            kept[(kept["split"] != "tune") & kept["arm"].isin(several)],
            rule=rule,
            positive=self.cases.classes[-1],
            titles={name: self.protocol.title_of(name) for name in several},
            kind="network" if what == "networks" else "classifier",
        )
        earlier = {} if before.evidence is None else before.evidence["arms"]
        joins = {name: list(fusion.fuse) for name, fusion in self.protocol.fusions.items()}
        evidence = {"rule": rule, "arms": {**earlier, **found["arms"]}, "joins": joins}
        write_json(self.run_folder / FILE, {"format": "isthmus-candidates/1.0", **evidence})
        return Choice(evidence, frozen, predictions)

    def _open_test(
        self, what: str, score: Callable[[Cases], pd.DataFrame], frozen: Mapping[str, Any], new: Sequence[str]
    ) -> pd.DataFrame:
        """Let every candidate's model of the first seed meet the test set; logged as one opening, by all of them."""
        path, cases = self.run_folder / "opened" / f"{what}-test.parquet", self.unseen["test"]
        if path.is_file():
            return read_predictions(path).drop(columns=["unit", "unit_id"])
        Lock(self.run_folder).freeze(dict(frozen))
        Lock(self.run_folder).open("test", cases.cohort.name, new)
        rows = score(cases)
        write_table(path, rows.assign(unit="view", unit_id=rows["view_id"]))
        return rows


def check_test_to_choose_on(protocol: Protocol, aside: Mapping[str, object]) -> None:
    """Refuse to train for a choice on a test set that a cohort does not have.

    Raises
    ------
    CohortError
        When the rule asks for a test set and the cohort has none.
    """
    if protocol.select.rule == "paper" and "test" not in aside:
        raise CohortError(
            "what is chosen is to be chosen on the test set (select.rule: paper), and this cohort has none",
            where="splits.test",
            hint="set select.rule to cross_validation, which needs none, or splits.test to {fraction: 0.3}",
        )


def network_test_rows(
    run_folder: Path,
    protocol: Protocol,
    fits: Sequence[FitSpec],
    cache: PreparedCache,
    progress: Progress | None,
    cases: Cases,
) -> pd.DataFrame:
    """Return what every candidate network's model of the first seed says of the test set."""
    first = [fit for fit in fits if fit.seed == protocol.splits.seeds[0] and len(protocol.arms[fit.arm].candidates) > 1]
    models = list(dict.fromkeys((fit.arm, fit.candidate) for fit in first))
    tables = []
    for arm, candidate in models:
        store = prepared_store(cache, cases.views[arm], protocol.arms[arm].prepare, progress)
        views = without_failures(cases.views[arm], store.failures)
        own = [fit for fit in first if (fit.arm, fit.candidate) == (arm, candidate)]
        scores = mean_fold_scores(run_folder, own, store, list(views["view_id"]))
        units = views[["view_id", *UNIT_COLUMNS]]
        names = {"target": cases.target.name, "cohort": cases.cohort.name, "arm": arm, "candidate": candidate}
        named = scores.merge(units, on="view_id", how="left", validate="one_to_one").assign(**names)
        tables.append(named.assign(split="test", seed=own[0].seed, fold=0))
        if progress is not None:
            progress("candidates on the test set", len(tables), len(models))
    return pd.concat(tables, ignore_index=True)


def _as_arms(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions.assign(arm=predictions["arm"] + "/" + predictions["candidate"])
