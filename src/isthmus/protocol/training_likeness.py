"""What each arm's fold networks know of their training pictures, for its bundle: how unlike them a case is.

Each fold network's embeddings of its training views give two distances; the views that it never saw say how large they
are elsewhere. Which of the two a bundle gets is chosen without any picture from elsewhere: on altered copies of unseen
training views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from isthmus.errors import IsthmusError
from isthmus.files import read_json, sha256_of_json, write_bytes, write_json
from isthmus.imaging.altered_pictures import ALTERATIONS
from isthmus.imaging.cache import PreparedStore
from isthmus.models.likeness_spec import FILE, LikenessSpec, Trial
from isthmus.models.training_likeness import TrainingLikeness, UnseenCases, read_likeness
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.protocol.fold_likeness import (
    MOST,
    MOST_ALTERED,
    MOST_TUNING,
    LikenessOfFold,
    UnseenViews,
    fit_fold,
)
from isthmus.protocol.schema import Protocol
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.out_of_distribution import NEIGHBOURS
from isthmus.statistics.spread_of_means import Pair, agreement
from isthmus.tables.check import write_table
from isthmus.training.spec import FitSpec

_Scores = dict[str, dict[str, float]]
"""Case to view to how unusual it is."""

MARGIN: Final = 0.02
"""By how much the neighbours must be better to be chosen: they put the training cases' embeddings into the bundle."""
RULE: Final = (
    "Chosen without any picture from elsewhere: by the mean AUROC with which it told altered copies of unseen training "
    f"pictures ({', '.join(ALTERATIONS)}) from the pictures themselves. Neighbours must be better by {MARGIN}, since "
    "they put the training pictures' embeddings into the bundle."
)
RULE_VERSION: Final = 1
"""Change it with the arithmetic of distances, scales or agreement: what was kept is then made again."""
_FORMAT: Final = "isthmus-likeness/1.1"


@dataclass(frozen=True, eq=False)
class Fitted:
    """An arm's likeness, and how unusual each training view is to the fold network that never saw it.

    Parameters
    ----------
    likeness : TrainingLikeness
        For the bundle.
    held_out : DataFrame
        ``view_id``, ``out_of_distribution``.
    """

    likeness: TrainingLikeness
    held_out: pd.DataFrame


def fit_likeness(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    stores: Mapping[str, PreparedStore],
    progress: Progress | None = None,
) -> dict[str, Fitted]:
    """Fit it for every arm, from the fold networks of the first seed; kept, so that a resumed run has it.

    Parameters
    ----------
    run_folder : Path
        The run; what was fitted lies in its `likeness/`.
    protocol : Protocol
        Resolved.
    cases : Cases
        What the arms were trained on: a case is what their label belongs to.
    fits : sequence of FitSpec
        Finished fits.
    stores : mapping
        Each arm's prepared pictures.
    progress : callable, optional
        Called with what, done, total.
    """
    found = {}
    for done, key in enumerate(protocol.arms, start=1):
        own = [fit for fit in fits if fit.arm == key and fit.seed == protocol.splits.seeds[0]]
        case_of = cases_of_views(cases, key)
        rule = [RULE_VERSION, RULE, MOST, MOST_ALTERED, MOST_TUNING, NEIGHBOURS, _FORMAT]
        known = [stores[key].key, rule, case_of, *(fit.fingerprint() for fit in own)]
        folder = run_folder / "likeness" / f"{key}-{sha256_of_json(known)[:16]}"
        kept = _kept(folder, len(own))
        found[key] = kept or _keep(folder, _fitted(fit_distances(run_folder, own, stores[key], case_of), cases.unit))
        if progress is not None:
            progress("what training pictures are like", done, len(protocol.arms))
    return found


def _kept(folder: Path, parts: int) -> Fitted | None:
    if not (folder / "likeness.json").is_file():
        return None
    try:
        said = LikenessSpec.model_validate(read_json(folder / "likeness.json", name="likeness")["likeness"])
        return Fitted(read_likeness(folder, said, parts), pd.read_parquet(folder / "held_out.parquet"))
    except (IsthmusError, OSError, ValueError, KeyError):
        return None  # damaged: it is made again


def _keep(folder: Path, fitted: Fitted) -> Fitted:
    said, content = fitted.likeness.encoded()
    write_bytes(folder / FILE, content)
    write_table(folder / "held_out.parquet", fitted.held_out)
    write_json(folder / "likeness.json", {"format": _FORMAT, "likeness": said.model_dump(mode="json")})
    return fitted


def _fitted(folds: Mapping[str, Sequence[LikenessOfFold]], unit: str) -> Fitted:
    trials = tried(folds)
    chosen = folds[trials[0].kind]
    own, _ = _unseen(chosen)
    rows = [(view, score) for scores in own.values() for view, score in scores.items()]
    table = pd.DataFrame(rows, columns=["view_id", "out_of_distribution"])
    return Fitted(likeness_of(chosen, trials, unit), table)


def fit_distances(
    run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore, case_of: Mapping[str, str]
) -> dict[str, list[LikenessOfFold]]:
    """Return each distance's folds, of an arm's fits of one seed; ``case_of`` says to which case a view belongs."""
    each = [fit_fold(run_folder, fit, store, case_of) for fit in fits]
    return {kind: [fold[kind] for fold in each] for kind in ("mahalanobis", "neighbours")}


def tried(folds: Mapping[str, Sequence[LikenessOfFold]]) -> list[Trial]:
    """Return how well each distance told altered pictures, the chosen one first."""
    return choose(
        [
            Trial.model_validate({"kind": kind, "aurocs": {name: _mean_auroc(own, name) for name in ALTERATIONS}})
            for kind, own in folds.items()
        ]
    )


def _mean_auroc(folds: Sequence[LikenessOfFold], alteration: str) -> float:
    return float(np.mean([fold.aurocs[alteration] for fold in folds]))


def cases_of_views(cases: Cases, arm: str) -> dict[str, str]:
    """Return for each view of an arm the nodule, or the patient, that its label belongs to."""
    views = cases.views[arm]
    return dict(zip(views["view_id"].tolist(), views[f"{cases.unit}_id"].astype(str).tolist(), strict=True))


def likeness_of(folds: Sequence[LikenessOfFold], trials: Sequence[Trial], unit: str) -> TrainingLikeness:
    """Return what fold networks know together, of one distance: whose cases are ``unit``s."""
    own, pairs = _unseen(folds)
    each = [np.array(list(scores.values())) for scores in own.values()]
    reference = np.array([scores.mean() for scores in each])
    order = np.argsort(reference, kind="stable")
    views = np.array([len(scores) for scores in each], np.float64)
    cases = UnseenCases(unit, views[order], float(reference.mean()), agreement(each, pairs))
    distances, scales = [fold.distance for fold in folds], [fold.scale for fold in folds]
    return TrainingLikeness(distances, scales, reference[order], trials, RULE, cases)


def _unseen(folds: Sequence[LikenessOfFold]) -> tuple[_Scores, list[Pair]]:
    """Return each case's scores by the first network that held it out, and these beside those of every other network.

    A network that did not learn from a case either held it out too, or chose its epoch by it.
    """
    own: _Scores = {}
    others: list[tuple[str, dict[str, float]]] = []
    for fold in folds:
        for case, scores in _by_case(fold.held_out, fold.held_out_scores).items():
            if own.setdefault(case, scores) is not scores:
                others.append((case, scores))
        others += _by_case(fold.tuning, fold.tuning_scores).items()
    pairs: list[Pair] = []
    for case, theirs in others:
        mine = own.get(case, {})
        shared = [view for view in mine if view in theirs]
        if shared:
            pairs.append((np.array([mine[view] for view in shared]), np.array([theirs[view] for view in shared])))
    return own, pairs


def _by_case(unseen: UnseenViews, scores: FloatArray) -> _Scores:
    found: _Scores = {}
    for case, view, score in zip(unseen.cases, unseen.views, scores.tolist(), strict=True):
        found.setdefault(case, {})[view] = score
    return found


def choose(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials, the chosen one first: Mahalanobis, unless neighbours told altered pictures clearly better."""
    by_kind = {trial.kind: trial for trial in trials}
    plain, near = by_kind["mahalanobis"], by_kind["neighbours"]
    return [near, plain] if near.mean > plain.mean + MARGIN else [plain, near]
