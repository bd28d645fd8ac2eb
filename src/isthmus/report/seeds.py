"""Contrasts judged with seeds as random readers: each seed's model reads the same cases that were kept aside."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import analysis_table
from isthmus.report.contrasts import pairs_of
from isthmus.report.discrimination import groups_of_classes
from isthmus.report.named_contrasts import NamedContrast, confirmatory
from isthmus.report.reading import in_order, plural
from isthmus.report.seeds_reach import reach_of
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.interval import holm
from isthmus.statistics.multi_reader.inference import FEWEST_READERS
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.result import MultiReaderResult
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.roc import few_groups_note

KEPT_ASIDE: Final = ("test", "temporal", "external")
"""The parts whose cases are the same for every seed; in cross-validation each seed deals other folds."""
GENERALISES_TO: Final = (
    "Random seeds and cases: the result is about training the same arms anew on these very patients, and about new "
    "patients of the same kind; all seeds share their training patients, so it does not speak of other training sets."
)
FIXED_SEEDS: Final = (
    "{seeds}: fewer than {fewest} cannot stand for training anew, so they are taken as fixed, and the result is about "
    "these very models on new patients of the same kind: another training run may say otherwise."
)


def seeds_evidence(
    rows: DataFrame,
    contrasts: Sequence[NamedContrast],
    *,
    positive: str | None = None,
    reference_arm: str | None = None,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return what ``evidence.json`` says under ``seeds``; empty where no set was met by two seeds' models.

    Parameters
    ----------
    rows : DataFrame
        Contract 2, two classes: in the sets kept aside a row for each arm, seed and unit. Rows of several folds of a
        seed are fold models, whose mean is that seed's model.
    contrasts : sequence of NamedContrast
        In the order in which they are tested.
    positive : str, optional
        The positive class; default the last one.
    reference_arm : str, optional
        The other arms are compared with it; without it every pair is.
    level : float
        Of all intervals, 0 to 1.

    Returns
    -------
    dict
        ``arms``: a row for each split and arm: ``auc`` (mean over seeds, with its interval), ``by_seed``, ``seed_sd``
        (description, no standard error), ``seeds``, ``seeds_as``. ``contrasts``: a row for each split and pair, the
        named ones first: ``order`` and ``title`` (None and '' for others), ``a``, ``b``, the difference a - b of mean
        AUCs with limits, ``p``, ``p_holm`` (others only), ``confirmatory`` (named only), ``verdict`` (``a is better``,
        ``b is better`` or ``inconclusive``), ``by_seed``, ``components``, ``shares`` of the variance, ``reach``, sizes
        and notes.

    Notes
    -----
    Obuchowski and Rockette's analysis with Hillis's degrees of freedom: conditions are arms, readers are seeds, and
    covariances over cases are clustered by group. Fewer than five seeds are taken as fixed.
    """
    return seeds_of_table(analysis_table(rows, positive=positive).rows, contrasts, reference_arm, level)


def seeds_of_table(
    rows: DataFrame, contrasts: Sequence[NamedContrast], reference_arm: str | None, level: float
) -> dict[str, Any]:
    """Return the same of rows that are ready for statistics (``AnalysisTable.rows``)."""
    asked = [split for split in in_order(set(rows["split"])) if split.partition(": ")[0] in KEPT_ASIDE]
    found: dict[str, list[dict[str, Any]]] = {"arms": [], "contrasts": []}
    for split in asked:
        models = _of_seeds(rows[rows["split"] == split])
        if models.groupby("arm")["seed"].nunique().max() < 2:
            continue
        study = _study(models)
        found["arms"] += [{"split": split, "arm": arm, **_of_arm(study, arm, level)} for arm in study.conditions]
        found["contrasts"] += [
            {"split": split, **entry} for entry in _contrasts(study, contrasts, reference_arm, level)
        ]
    return {"generalises_to": GENERALISES_TO, **found} if found["arms"] else {}


def _of_seeds(rows: DataFrame) -> DataFrame:
    """Return each seed's own model: the mean over its fold models."""
    return rows.groupby(["arm", "seed", "unit_id"], sort=False, as_index=False).agg(
        score=("score", "mean"), truth=("truth", "first"), group_id=("group_id", "first")
    )


def _study(models: DataFrame) -> ReaderStudy:
    return ReaderStudy.from_rows(
        models["score"],
        models["seed"],
        models["arm"],
        models["unit_id"],
        models["truth"],
        models["group_id"],
    )


def _of_arm(study: ReaderStudy, arm: str, level: float) -> dict[str, Any]:
    found = obuchowski_rockette(study, [arm], level=level)
    aucs = {reader: float(auc) for reader, auc in zip(found.readers, found.figures[:, 0], strict=True)}
    known = bool(aucs) and bool(np.isfinite(list(aucs.values())).all())
    return {
        "auc": found.means[0].as_dict(),
        "by_seed": aucs if known else {},
        "seed_sd": float(np.std(list(aucs.values()), ddof=1)) if known and len(aucs) > 1 else None,
        "seeds": len(found.readers),
        "seeds_as": found.readers_as,
        "n": found.n,
        "n_groups": found.n_groups,
    }


def _contrasts(
    study: ReaderStudy, contrasts: Sequence[NamedContrast], reference_arm: str | None, level: float
) -> list[dict[str, Any]]:
    """Return the named contrasts in their order, then the other pairs, which share Holm's correction."""
    arms = list(study.conditions)
    named = [one for one in contrasts if {one.a, one.b} <= set(arms)]
    entries = [
        {"order": one.order, "kind": one.kind, "title": one.title, **_compared(study, one.a, one.b, level)}
        for one in named
    ]
    for entry, first in zip(entries, confirmatory([entry["p"] for entry in entries], level), strict=True):
        # A contrast before it that this set cannot test lets nothing after it be confirmed.
        entry["confirmatory"] = first and not _gap(contrasts, named, entry["order"])
        entry["p_holm"] = None
    known = [{one.a, one.b} for one in named]
    pairs = [pair for pair in pairs_of(arms, reference_arm) if set(pair) not in known]
    others = [{"order": None, "kind": "other", "title": "", **_compared(study, a, b, level)} for a, b in pairs]
    adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in others])
    for entry, value in zip(others, adjusted, strict=True):
        entry["confirmatory"], entry["p_holm"] = None, None if np.isnan(value) else float(value)
    return entries + others


def _gap(contrasts: Sequence[NamedContrast], named: Sequence[NamedContrast], order: int) -> bool:
    return any(one.order < order and one not in named for one in contrasts)


def _compared(study: ReaderStudy, a: str, b: str, level: float) -> dict[str, Any]:
    found = obuchowski_rockette(study, (a, b), level=level)
    crossed = study.crossed((a, b))
    sizes = groups_of_classes(crossed.truth, crossed.groups)
    few = few_groups_note(*sizes)
    pair = unless_few(found.comparisons[0].comparison, *sizes).as_dict()
    return {
        "a": a,
        "b": b,
        **{name: value for name, value in pair.items() if name != "note"},
        "verdict": _verdict(pair, level),
        "by_seed": _by_seed(found),
        "components": found.components.as_dict(),
        # Variances that so few groups gave cannot say what a study would see.
        **({"shares": None, "reach": None} if few else reach_of(found, pair, level)),
        "seeds": len(found.readers),
        "seeds_as": found.readers_as,
        "n": found.n,
        "n_positive": found.n_positive,
        "n_groups": found.n_groups,
        "notes": list(_notes(study, found, pair, few)),
    }


def _verdict(pair: dict[str, Any], level: float) -> str:
    if pair["low"] is None or pair["p"] is None or not pair["p"] < 1 - level:
        return "inconclusive"
    return "a is better" if pair["difference"] > 0 else "b is better"


def _by_seed(found: MultiReaderResult) -> list[dict[str, Any]]:
    return [
        {"seed": reader, "a": float(a), "b": float(b), "difference": float(a - b)}
        for reader, (a, b) in zip(found.readers, found.figures, strict=True)
        if np.isfinite([a, b]).all()
    ]


def _notes(study: ReaderStudy, found: MultiReaderResult, pair: dict[str, Any], few: str) -> Iterator[str]:
    """Yield what was left out and why seeds are fixed, in the words of seeds and not of readers."""
    scored = ~np.isnan(study.scores[:, [study.conditions.index(arm) for arm in found.conditions]])
    lacking = [
        name for name, of_seed in zip(study.readers, scored, strict=True) if of_seed.any() and name not in found.readers
    ]
    cases = int(scored.any(axis=(0, 1)).sum())
    if not found.readers:
        yield "the two arms share no seed"
    elif not found.n:
        yield "no case is scored by every seed of both arms"
    else:
        if lacking:
            yield f"one of the two arms lacks seed {', '.join(lacking)}, which is left out"
        if found.n < cases:
            yield f"{cases - found.n} of {plural(cases, 'case')} are not scored by every seed of both"
        if few:
            yield f"{few}: nothing can be concluded from so few"
        if found.readers_as == "fixed":
            yield FIXED_SEEDS.format(seeds=plural(len(found.readers), "seed"), fewest=FEWEST_READERS).rstrip(".")
        if pair["difference"] is None:
            yield found.notes[-1].replace(" that all readers read under every condition", "")
        elif pair.get("note") and not few:
            yield str(pair["note"])
