"""Which of an arm's candidates is the arm: chosen on the training patients, or, as published, on the test set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.errors import CohortError
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedCache
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, cache_items, without_failures
from isthmus.protocol.chosen import FILE, chosen_networks
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.fold_scores import mean_fold_scores
from isthmus.protocol.frozen import Lock, freeze
from isthmus.protocol.gather import gather_views, nodule_predictions
from isthmus.protocol.schema import Protocol
from isthmus.report.candidates import candidate_evidence
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions, write_predictions
from isthmus.training.spec import FitSpec

PREDICTIONS: Final = "predictions_candidates.csv"
"""What every candidate says of the held-out patients; the chosen ones' rows stand in `predictions.csv` too."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Choice:
    """A protocol whose arms have one network each, its fits, and how those were chosen.

    Parameters
    ----------
    protocol : Protocol
        With each arm's chosen network in the arm's place.
    fits : list of FitSpec
        Those of the chosen networks.
    evidence : dict, optional
        As :func:`isthmus.report.candidates.candidate_evidence` returns it; None where no arm has candidates.
    frozen : dict
        What was frozen of the candidates before the test set was opened to choose among them; empty otherwise.
    """

    protocol: Protocol
    fits: list[FitSpec]
    evidence: dict[str, Any] | None
    frozen: dict[str, Any]


def choose_candidates(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    unseen: Mapping[str, Cases],
    cache: PreparedCache,
    facts: Mapping[str, Any],
    progress: Progress | None = None,
) -> Choice:
    """Compare every arm's candidates and choose one by the protocol's rule; writes `candidates.json`.

    Parameters
    ----------
    run_folder : Path
        With the finished fits.
    protocol : Protocol
        Its `select` says by which rule.
    cases : Cases
        What was trained on.
    fits : sequence of FitSpec
        Of all candidates.
    unseen : mapping
        The parts that were set aside; of these the rule `paper` opens `test`.
    cache : PreparedCache
        For its pictures.
    facts : mapping
        What is frozen beside the arms.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    CohortError
        When the rule asks for a test set and the cohort has none.
    """
    several = {key: arm for key, arm in protocol.arms.items() if len(arm.candidates) > 1}
    if not several:
        return Choice(protocol, list(fits), None, {})
    own = [fit for fit in fits if fit.arm in several]
    rows = gather_views({fit_folder(run_folder, fit): fit for fit in own}, cases)
    predictions, frozen = nodule_predictions(rows, cases), {}
    if protocol.select.rule == "paper":
        frozen = freeze(_as_arms(predictions), cases.classes, protocol.threshold, facts)
        test = _open_test(run_folder, protocol, own, unseen, cache, frozen, progress)
        predictions = pd.concat([predictions, nodule_predictions(test, cases)], ignore_index=True)
    write_predictions(run_folder / PREDICTIONS, predictions)
    kept = read_predictions(run_folder / PREDICTIONS)
    evidence = candidate_evidence(
        kept[kept["split"] != "tune"],
        rule=protocol.select.rule,
        positive=cases.classes[-1],
        titles={key: arm.title or key for key, arm in several.items()},
    )
    write_json(run_folder / FILE, {"format": "isthmus-candidates/1.0", **evidence})
    chosen = chosen_networks(run_folder, protocol)
    taken = {(key, found["chosen"]) for key, found in evidence["arms"].items()}
    left = [fit for fit in fits if fit.arm not in several or (fit.arm, fit.candidate) in taken]
    return Choice(chosen, left, evidence, frozen)


def _as_arms(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions.assign(arm=predictions["arm"] + "/" + predictions["candidate"])


def _open_test(
    run_folder: Path,
    protocol: Protocol,
    fits: Sequence[FitSpec],
    unseen: Mapping[str, Cases],
    cache: PreparedCache,
    frozen: Mapping[str, Any],
    progress: Progress | None,
) -> pd.DataFrame:
    """Let every candidate's model of the first seed meet the test set; logged as one opening, by all of them."""
    if "test" not in unseen:
        raise CohortError(
            "the networks are to be chosen on the test set (select.rule: paper) and there is none",
            where="splits.test",
            hint="set select.rule to cross_validation, which needs none",
        )
    path, cases = run_folder / "opened" / "candidates-test.parquet", unseen["test"]
    if path.is_file():
        return read_predictions(path).drop(columns=["unit", "unit_id"])
    Lock(run_folder).freeze(dict(frozen))
    Lock(run_folder).open("test", cases.cohort.name, sorted(frozen["arms"]))
    first = [fit for fit in fits if fit.seed == protocol.splits.seeds[0]]
    models = list(dict.fromkeys((fit.arm, fit.candidate) for fit in first))
    tables = []
    for arm, candidate in models:
        store = cache.store(cache_items(cases.views[arm]), protocol.arms[arm].prepare, progress=progress)
        views = without_failures(cases.views[arm], store.failures)
        own = [fit for fit in first if (fit.arm, fit.candidate) == (arm, candidate)]
        scores = mean_fold_scores(run_folder, own, store, list(views["view_id"]))
        units = views[["view_id", *UNIT_COLUMNS]]
        names = {"target": cases.target.name, "cohort": cases.cohort.name, "arm": arm, "candidate": candidate}
        named = scores.merge(units, on="view_id", how="left", validate="one_to_one").assign(**names)
        tables.append(named.assign(split="test", seed=own[0].seed, fold=0))
        if progress is not None:
            progress("candidates on the test set", len(tables), len(models))
    rows = pd.concat(tables, ignore_index=True)
    write_table(path, rows.assign(unit="view", unit_id=rows["view_id"]))
    return rows
