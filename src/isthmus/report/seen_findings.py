"""What networks see against what readers wrote: agreement in ACR points, calibration, levels and the risk in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from isthmus.cohort.tirads import ACR, grade
from isthmus.cohort.tirads.acr import COMPOSITION, ECHOGENICITY, FOCI, MARGIN, SHAPE
from isthmus.inference.seen_tirads import likeliest
from isthmus.statistics.calibration_measures import brier, calibration_slope
from isthmus.statistics.category_agreement import cohen_kappa, reader_agreement
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.means import clustered_mean
from isthmus.statistics.proportions import clustered_proportion

_POINTS: Final[Mapping[str, Mapping[str, int]]] = {
    "composition": COMPOSITION,
    "echogenicity": ECHOGENICITY,
    "shape": SHAPE,
    "margin": MARGIN,
    "echogenic_foci": FOCI,
}
_CALIBRATION: Final[Mapping[str, Callable[[ArrayLike, ArrayLike, ArrayLike, float], Interval]]] = {
    "brier": brier,
    "calibration_slope": calibration_slope,
}


def finding_points(descriptor: str, finding: str) -> int:
    """Return ACR's points of a finding; one that has none of its own (``well_defined``) counts nothing.

    Examples
    --------
    >>> finding_points("echogenic_foci", "macrocalcifications punctate"), finding_points("margin", "well_defined")
    (4, 0)
    """
    return sum(_POINTS[descriptor].get(code, 0) for code in finding.split())


def finding_rows(
    descriptor: str,
    codes: Sequence[str],
    given: NDArray[np.float64],
    calibrated: NDArray[np.float64],
    has: NDArray[np.bool_],
    groups: NDArray[Any],
    level: float = 0.95,
) -> list[dict[str, Any]]:
    """Return agreement and calibration of a descriptor on held-out nodules whose readers recorded it.

    Parameters
    ----------
    descriptor, codes
        Its name, and its codes in the order of the columns.
    given, calibrated : ndarray [N, codes]
        Probabilities as the heads give them, and calibrated.
    has : ndarray of bool [N, codes]
        What readers wrote.
    groups : ndarray [N]
        Patients, or larger clusters; several seeds of a nodule are of one group.
    level : float

    Returns
    -------
    list of dict
        `measure` and the interval's fields. ``same_finding``: share with the very same finding. ``weighted_kappa``:
        quadratic, of the finding's ACR points. ``brier`` and ``calibration_slope``, and before calibration
        ``*_uncalibrated``: of every code's probability against whether the nodule has it, all codes together.
    """
    seen, read = likeliest(descriptor, codes, calibrated), likeliest(descriptor, codes, has)
    points = [[finding_points(descriptor, one) for one in side] for side in (seen, read)]
    found = {
        "same_finding": clustered_proportion(np.array(seen) == np.array(read), groups, level),
        "weighted_kappa": _kappa(points[0], points[1], groups, level),
    }
    stacked = np.repeat(groups, len(codes))
    for name, measure in _CALIBRATION.items():
        for suffix, values in (("", calibrated), ("_uncalibrated", given)):
            try:
                found[name + suffix] = measure(has.ravel(), values.ravel(), stacked, level)
            except ValueError as error:
                found[name + suffix] = undefined(name.replace("_", " "), str(error), level)
    return [{"measure": name, **value.as_dict()} for name, value in found.items()]


def _kappa(seen: Sequence[int], read: Sequence[int], groups: NDArray[Any], level: float) -> Interval:
    if len(set(seen)) == 1:
        return undefined("kappa", "the network sees the same in every nodule", level)
    most = max(1, *seen, *read)
    return cohen_kappa(list(seen), list(read), groups, level, weights="quadratic", categories=range(most + 1))


def tirads_rows(seen: DataFrame, read: DataFrame, groups: NDArray[Any], level: float = 0.95) -> list[dict[str, Any]]:
    """Return how ACR points and levels of what a network sees agree with those of what readers wrote.

    Parameters
    ----------
    seen, read : DataFrame [N]
        The same descriptors of the same nodules, none blank.
    groups : ndarray [N]

    Returns
    -------
    list of dict
        `of` (``points`` or ``level``), `measure` (``weighted_kappa``, quadratic; ``same``, a share) and the interval's
        fields. What neither side says (a descriptor that is not learnt, a margin that is well defined) counts nothing
        on either: the fewest points and the lowest level are compared.
    """
    sides = [grade(side, ACR) for side in (seen, read)]
    pairs = {
        "points": [side["points_low"].astype(int).tolist() for side in sides],
        "level": [[ACR.rank(code) for code in side["low"]] for side in sides],
    }
    rows = []
    for of, (ours, theirs) in pairs.items():
        same = reader_agreement("percent agreement", np.array([ours, theirs], dtype=object).T, groups, level)
        rows.append({"of": of, "measure": "weighted_kappa", **_kappa(ours, theirs, groups, level).as_dict()})
        rows.append({"of": of, "measure": "same", **same.as_dict()})
    return rows


def level_rows(seen: DataFrame, probabilities: DataFrame, level: float = 0.95) -> list[dict[str, Any]]:
    """Return, for each ACR level that is seen, the share of positives, the model's mean probability, and what ACR says.

    Parameters
    ----------
    seen : DataFrame
        One row a held-out nodule: `nodule_id` and the descriptors' codes.
    probabilities : DataFrame
        One row a held-out nodule: `unit_id`, `group_id`, `truth` (bool), `probability` (calibrated).

    Returns
    -------
    list of dict
        `tirads` (by the fewest points), `n`, `n_groups`, `positive`, the share's interval, `mean_probability` with
        `mean_probability_low` and `mean_probability_high` (t over groups, held within 0 and 1; None for one group),
        `published_risk_of_malignancy`.
    """
    graded = seen[["nodule_id"]].assign(tirads=grade(seen, ACR)["low"])
    joined = probabilities.merge(graded, left_on="unit_id", right_on="nodule_id", validate="one_to_one")
    rows = []
    for one in ACR.levels:
        part = joined[joined["tirads"] == one.code]
        if part.empty:
            continue
        groups = part["group_id"].to_numpy(str)
        share = clustered_proportion(part["truth"].to_numpy(bool), groups, level)
        numbers = {"n": len(part), "n_groups": part["group_id"].nunique(), "positive": int(part["truth"].sum())}
        rows.append(
            {
                "tirads": one.code,
                **numbers,
                **share.as_dict(),
                **_mean(pd.to_numeric(part["probability"]).to_numpy(float), groups, level),
                "published_risk_of_malignancy": one.risk[0],
            }
        )
    return rows


def _mean(probability: NDArray[np.float64], groups: NDArray[Any], level: float) -> dict[str, float | None]:
    mean = clustered_mean(probability, groups, level=level)
    known = np.isfinite(mean.low)
    return {
        "mean_probability": mean.estimate,
        "mean_probability_low": max(mean.low, 0.0) if known else None,
        "mean_probability_high": min(mean.high, 1.0) if known else None,
    }
