"""What an arm's networks said of nodules that they were not trained on: the descriptors, calibrated fold by fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.inference.descriptor_calibration import Described, calibrate_descriptor, fit_descriptor_calibration
from isthmus.models.bundle_spec import DescriptorCalibration
from isthmus.models.descriptors import ABSENT
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_folder
from isthmus.tables.vocabulary import MULTI_VALUED
from isthmus.training.spec import FitSpec

_KEYS = ["seed", "fold", "group_id", "nodule_id"]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One descriptor of an arm's held-out nodules.

    Parameters
    ----------
    rows : DataFrame [N]
        `seed, fold, group_id, nodule_id`.
    given, calibrated : ndarray [N, codes]
        Mean probabilities over a nodule's views, as the heads give them, and by its fold's tuning part.
    has : ndarray of bool [N, codes]
        What readers wrote; False throughout where they wrote nothing.
    recorded : ndarray of bool [N]
        Whether they wrote anything.
    """

    rows: pd.DataFrame
    given: NDArray[np.float64]
    calibrated: NDArray[np.float64]
    has: NDArray[np.bool_]
    recorded: NDArray[np.bool_]


def held_out_descriptors(run_folder: Path, cases: Cases, fits: Sequence[FitSpec]) -> dict[str, HeldOut]:
    """Return each descriptor of an arm on its held-out nodules.

    Parameters
    ----------
    run_folder : Path
        The run.
    cases : Cases
        What the arms were trained on.
    fits : sequence of FitSpec
        Of one arm that learns descriptors, finished.
    """
    parts: dict[str, list[HeldOut]] = {}
    for fit in fits:
        heads = _heads(fit)
        scores = _scores(run_folder, cases, fit)
        tuned = _calibration(scores["tune"], heads, cases, f"tuning part of seed {fit.seed}, fold {fit.fold}")
        for name, codes in heads.items():
            rows, given = _by_nodule(scores["cv"], name, codes)
            has, recorded = _written(cases, name, codes, rows)
            calibrated = calibrate_descriptor(tuned, name, given)
            parts.setdefault(name, []).append(HeldOut(rows, given, calibrated, has, recorded))
    return {name: _joined(own) for name, own in parts.items()}


def descriptor_calibration(run_folder: Path, cases: Cases, fits: Sequence[FitSpec]) -> DescriptorCalibration | None:
    """Return the calibration of an arm's descriptors by the out-of-fold scores of some of its fits; None without heads.

    Parameters
    ----------
    run_folder, cases
        As in :func:`held_out_descriptors`.
    fits : sequence of FitSpec
        Of one arm and seed: those whose networks make the arm's model.
    """
    if fits[0].descriptors is None:
        return None
    scores = pd.concat([_scores(run_folder, cases, fit)["cv"] for fit in fits], ignore_index=True)
    return _calibration(scores, _heads(fits[0]), cases, f"out-of-fold predictions of seed {fits[0].seed}")


def _heads(fit: FitSpec) -> dict[str, list[str]]:
    return fit.descriptors.heads if fit.descriptors else {}


def _scores(run_folder: Path, cases: Cases, fit: FitSpec) -> dict[str, pd.DataFrame]:
    """Return a fit's descriptors by part, with seed, fold, nodule and group."""
    facts = cases.views[fit.arm][["view_id", "nodule_id", "group_id"]]
    scores = pd.read_csv(fit_folder(run_folder, fit) / "descriptors.csv", dtype={"view_id": str})
    joined = scores.assign(seed=fit.seed, fold=fit.fold).merge(facts, on="view_id", validate="many_to_one")
    return {part: joined[joined["part"] == part] for part in ("tune", "cv")}


def _calibration(
    scores: pd.DataFrame, heads: Mapping[str, Sequence[str]], cases: Cases, fitted_on: str
) -> DescriptorCalibration:
    described: dict[str, Described] = {}
    for name, codes in heads.items():
        rows, given = _by_nodule(scores, name, codes)
        has, recorded = _written(cases, name, codes, rows)
        described[name] = (given[recorded], has[recorded], rows["group_id"].to_numpy(str)[recorded])
    return fit_descriptor_calibration(heads, described, fitted_on)


def _by_nodule(scores: pd.DataFrame, name: str, codes: Sequence[str]) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the nodules, and the mean of each code's probability over their views [N, codes]."""
    part = scores[scores["descriptor"] == name]
    if part.empty:
        return pd.DataFrame(columns=_KEYS), np.zeros((0, len(codes)))
    wide = part.pivot_table(index=_KEYS, columns="code", values="probability")
    return wide.index.to_frame(index=False), wide[list(codes)].to_numpy(np.float64)


def _written(
    cases: Cases, name: str, codes: Sequence[str], rows: pd.DataFrame
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which codes readers wrote of the nodules [N, codes], and whether they wrote any [N]."""
    recorded = cases.cohort.nodules.dropna(subset=[name]).set_index("nodule_id")[name]
    words = [set(str(recorded[nodule]).split()) if nodule in recorded.index else None for nodule in rows["nodule_id"]]
    has = [[found is not None and code in found for code in codes] for found in words]
    # A finding that no training case has has no output: the nodule cannot be judged by it.
    own = {*codes, ABSENT} if name in MULTI_VALUED else set(codes)
    known = [found is not None and found <= own for found in words]
    return np.array(has, dtype=bool).reshape(len(words), len(codes)), np.array(known, dtype=bool)


def _joined(parts: Sequence[HeldOut]) -> HeldOut:
    arrays = ("given", "calibrated", "has", "recorded")
    together = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    return HeldOut(rows=pd.concat([part.rows for part in parts], ignore_index=True), **together)
