"""How well held-out parts found the drawn regions: IoU, Dice, hits, and how often nothing was proposed.

All views count unless said otherwise: where nothing is proposed, overlap is 0 and nothing is hit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.inference.localiser import Localiser
from isthmus.inference.proposal import Proposal
from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.interval import Interval
from isthmus.statistics.proportions import clustered_proportion
from isthmus.training.localiser_examples import LocaliserView

HIT_IOU = 0.5
COVERAGE = 0.9
RULE = f"highest hit rate among proposed regions while at least {COVERAGE:.0%} of the views keep one"
DEFINITIONS = {
    "proposal": "the component of the mean probability (0.5 or more) with the largest sum of probabilities; one a view",
    "no_proposal": "share of views without a component, or with one below the frozen confidence",
    "hit": f"the boxes' IoU is {HIT_IOU} or more and the proposed box's centre lies inside the drawn box",
    "mask_iou": "pixels in both outlines divided by pixels in either, at source resolution",
    "dice": "twice the pixels in both outlines divided by the sum of their pixels",
    "box_iou": "the same as mask_iou, of the boxes around them",
    "views": "mean over views, with patients (groups) as clusters: views without a proposal count as 0",
    "patients": "mean over patients (groups) of each one's mean over views",
    "fixed_box": "hit rate of one and the same box, the median of the training folds' boxes as shares of the scan area",
    "several_nodules": "where a picture shows several outlined nodules, its one proposal is compared with each of them",
    "scan_area": "the part of the screen that is searched is the view's region, or found where the cohort has none",
}
_MEANS = ("mask_iou", "dice", "box_iou")


@dataclass(frozen=True)
class Outcome:
    """One view, judged by the part that did not see its group; NaN overlaps of masks where only a box is drawn.

    ``size`` is the drawn box's longer side as a share of the scan area's; ``size_mm`` is NaN where nobody measured.
    """

    cohort: int
    view_id: str
    site: str
    group: str
    fold: int
    size: float
    size_mm: float
    nodules: int
    confidence: float
    agreement: float
    others: int
    mask_iou: float
    dice: float
    box_iou: float
    hit: bool
    fixed_box_hit: bool
    found: bool
    box: str = ""


def judge_fold(
    localiser: Localiser,
    views: Sequence[LocaliserView],
    fold: int,
    training: Sequence[LocaliserView],
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Let one part propose regions of the views that it did not see, and compare them with the drawn ones."""
    share = np.median([_relative(view) for view in training], axis=0)
    outcomes = []
    for done, view in enumerate(views, start=1):
        proposal = localiser.propose(view.clip(), parts=[0], least=0.0)
        outcomes.append(_outcome(view, fold, proposal, share))
        if progress is not None:
            progress(done, len(views))
    return outcomes


def _outcome(view: LocaliserView, fold: int, proposal: Proposal | None, share: NDArray[np.float64]) -> Outcome:
    lesion = view.lesion()
    truth = _as_box(lesion.boxes()[0])
    x0, y0, x1, y1 = view.region
    fixed = _as_box(share * np.tile([x1 - x0, y1 - y0], 2) + np.tile([x0, y0], 2))
    longer = max(truth[2] - truth[0], truth[3] - truth[1])
    common: dict[str, Any] = {
        "cohort": view.cohort, "view_id": view.view_id, "site": view.site, "group": view.group, "fold": fold,
        "nodules": view.nodules, "fixed_box_hit": is_hit(fixed, truth),
        "size": longer / max(x1 - x0, y1 - y0), "size_mm": view.size_mm,
    }  # fmt: skip
    drawn = None if lesion.mask is None else lesion.mask[0]
    nothing = 0.0 if drawn is not None else float("nan")
    if proposal is None:
        return Outcome(
            **common, confidence=0.0, agreement=0.0, others=0, mask_iou=nothing, dice=nothing, box_iou=0.0,
            hit=False, found=False,
        )  # fmt: skip
    iou = dice = nothing
    if drawn is not None:
        both, sizes = int((drawn & proposal.mask).sum()), int(drawn.sum() + proposal.mask.sum())
        iou, dice = both / (sizes - both), 2 * both / sizes
    return Outcome(
        **common, confidence=proposal.confidence, agreement=proposal.agreement, others=proposal.others, mask_iou=iou,
        dice=dice, box_iou=box_iou(proposal.box, truth), hit=is_hit(proposal.box, truth), found=True,
        box=" ".join(f"{value:g}" for value in proposal.box),
    )  # fmt: skip


def _relative(view: LocaliserView) -> NDArray[np.float64]:
    x0, y0, x1, y1 = view.region
    bounds = view.lesion().boxes()[0]
    return np.asarray((bounds - np.tile([x0, y0], 2)) / np.tile([x1 - x0, y1 - y0], 2), np.float64)


def _as_box(values: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


def box_iou(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union.

    Examples
    --------
    >>> box_iou((0, 0, 2, 2), (1, 0, 3, 2)) == 1 / 3
    True
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0.0) * max(height, 0.0)
    area = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other))
    return both / (area - both)


def is_hit(proposed: Box, drawn: Box) -> bool:
    """Return whether a proposed box finds the drawn one: see :data:`DEFINITIONS`."""
    x, y = (proposed[0] + proposed[2]) / 2, (proposed[1] + proposed[3]) / 2
    centred = drawn[0] <= x <= drawn[2] and drawn[1] <= y <= drawn[3]
    return centred and box_iou(proposed, drawn) >= HIT_IOU


def as_frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return one row a view, sorted by cohort and view."""
    frame = pd.DataFrame([asdict(outcome) for outcome in outcomes])
    return frame.sort_values(["cohort", "view_id"], ignore_index=True)


def least_confidence(outcomes: pd.DataFrame, coverage: float = COVERAGE) -> float:
    """Return the confidence from which on regions are proposed.

    Among those that keep a proposal for at least ``coverage`` of the views, the one with the highest hit rate among
    the kept; of equals the lowest. 0 where fewer views than that have a component at all: nothing more is given away.
    """
    limits = np.unique(np.concatenate([[0.0], outcomes["confidence"][outcomes["found"]]]))
    best, rate = 0.0, -1.0
    for limit in limits:
        kept = outcomes["found"] & (outcomes["confidence"] >= limit)
        if kept.mean() < coverage:
            break
        found = float(outcomes["hit"][kept].mean())
        if found > rate + 1e-12:
            best, rate = float(limit), found
    return best


def accepted(outcomes: pd.DataFrame) -> pd.Series:
    """Return which views keep their proposal when each fold's confidence is chosen on the other folds."""
    kept = pd.Series(False, index=outcomes.index)
    for fold, rows in outcomes.groupby("fold"):
        limit = least_confidence(outcomes[outcomes["fold"] != fold])
        kept[rows.index] = rows["found"] & (rows["confidence"] >= limit)
    return kept


def measures(outcomes: pd.DataFrame, kept: pd.Series) -> dict[str, Any]:
    """Return every figure of these views with its interval; ``kept`` says which keep their proposal."""
    groups = outcomes["group"].to_numpy(dtype=str)
    result: dict[str, Any] = {"views": len(outcomes), "patients": int(outcomes["group"].nunique())}
    for name in _MEANS:
        column = outcomes[name].where(kept | outcomes[name].isna(), 0.0).to_numpy(np.float64)
        result[name] = _mean(column, groups)
    hit = (outcomes["hit"] & kept).to_numpy(bool)
    result["hit_rate"] = {
        "views": clustered_proportion(hit, groups).as_dict(),
        "patients": _of_groups(hit.astype(np.float64), groups).as_dict(),
    }
    result["no_proposal"] = {"views": clustered_proportion(~kept.to_numpy(bool), groups).as_dict()}
    if kept.any():
        result["hit_rate_among_proposed"] = {"views": clustered_proportion(hit[kept], groups[kept]).as_dict()}
    fixed = outcomes["fixed_box_hit"].to_numpy(bool)
    result["fixed_box"] = {"views": clustered_proportion(fixed, groups).as_dict()}
    return result


def _mean(values: NDArray[np.float64], groups: NDArray[Any]) -> dict[str, Any]:
    known = np.isfinite(values)
    if not known.any():
        return {}
    values, groups = values[known], groups[known]
    replicates = group_bootstrap(lambda weights: weights @ values / weights.sum(axis=1), len(values), groups)
    over_views = percentile_interval(float(values.mean()), replicates)
    return {"views": over_views.as_dict(), "patients": _of_groups(values, groups).as_dict()}


def _of_groups(values: NDArray[np.float64], groups: NDArray[Any]) -> Interval:
    means = pd.Series(values).groupby(groups).mean().to_numpy(np.float64)
    replicates = group_bootstrap(lambda weights: weights @ means / weights.sum(axis=1), len(means))
    return percentile_interval(float(means.mean()), replicates)


def by_size(outcomes: pd.DataFrame, kept: pd.Series) -> list[dict[str, Any]]:
    """Return the figures of thirds of nodule size: in mm where all were measured, else as a share of the scan area."""
    sizes = outcomes["size_mm"] if outcomes["size_mm"].notna().all() else outcomes["size"]
    cuts = np.quantile(sizes, [1 / 3, 2 / 3])
    places = np.searchsorted(cuts, sizes, side="right")
    edges = [float(sizes.min()), *map(float, cuts), float(sizes.max())]
    rows = []
    for place, name in enumerate(("small", "middle", "large")):
        chosen = pd.Series(places == place, index=outcomes.index)
        if chosen.any():
            words = f"{name}: {edges[place]:.2g} to {edges[place + 1]:.2g}"
            rows.append({"stratum": words, **measures(outcomes[chosen], kept[chosen])})
    return rows


def by_column(outcomes: pd.DataFrame, kept: pd.Series, strata: pd.Series) -> list[dict[str, Any]]:
    """Return the figures of each value of ``strata``."""
    return [
        {"stratum": str(name), **measures(outcomes.loc[rows], kept[rows])}
        for name, rows in strata.groupby(strata).groups.items()
    ]


def confidence_curve(outcomes: pd.DataFrame) -> list[dict[str, float]]:
    """Return, for confidences from 0.5 on, the share of views with a proposal and the hit rate among those."""
    rows = []
    for limit in (0.0, *np.round(np.arange(0.55, 1.0, 0.05), 2)):
        kept = outcomes["found"] & (outcomes["confidence"] >= limit)
        if kept.any():
            rows.append(
                {
                    "confidence": float(limit),
                    "coverage": float(kept.mean()),
                    "hit_rate_among_proposed": float(outcomes["hit"][kept].mean()),
                }
            )
    return rows
