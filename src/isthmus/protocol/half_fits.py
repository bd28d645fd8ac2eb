"""The fits behind a fusion: its members' networks, each trained on half of a fold's training groups."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from isthmus.protocol.arithmetic import Arithmetic, arithmetic_key
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_spec, sides
from isthmus.protocol.schema import Protocol
from isthmus.training.halves import FusionMode, Pair, pairs_of
from isthmus.training.seeds import seed_of
from isthmus.training.spec import FitSpec


def pairs_of_fold(cases: Cases, part_of: Mapping[str, str], mode: FusionMode, seed: int, fold: int) -> tuple[Pair, ...]:
    """Return whose networks go with whose head in a fold.

    Only the training groups are halved. The tuning groups choose the epoch of every network and the operating point of
    the fold, as they do for an arm; no head learns from them.

    Raises
    ------
    CohortError
        When there are too few groups of a class to halve.
    """
    units = cases.units
    own = units[units["group_id"].map(part_of) == "train"]
    return pairs_of(own["group_id"], own["label"], mode, seed_of(seed, fold, "halves"))


def list_half_fits(
    protocol: Protocol,
    cases: Cases,
    split: pd.DataFrame,
    store_keys: Mapping[str, str],
    arithmetic: Mapping[str, Arithmetic],
) -> list[FitSpec]:
    """List the fits of the members of all cross-fitted fusions: two halves of every fold of every seed.

    Parameters
    ----------
    protocol : Protocol
        With one network an arm.
    cases, split, store_keys, arithmetic
        As for :func:`isthmus.protocol.fits.list_fits`.

    Raises
    ------
    CohortError
        When a fold has too few groups to halve, or a half holds no view of a class.
    """
    crossed = [fusion for fusion in protocol.fusions.values() if fusion.settings.halved]
    members = [key for key in protocol.arms if any(key in fusion.fuse for fusion in crossed)]
    fits = []
    for seed, fold in split[["seed", "fold"]].drop_duplicates().to_numpy().tolist() if members else ():
        part_of = sides(split, seed, fold)
        for pair in pairs_of_fold(cases, part_of, "cross_fit", seed, fold):
            there = {group: part for group, part in part_of.items() if part != "train" or group in pair.networks}
            for key in members:
                (candidate,) = protocol.arms[key].variants()
                own = arithmetic[arithmetic_key(key, protocol.arms[key], candidate)]
                parts = cases.views[key]["group_id"].map(there)
                place = key, candidate, seed, fold
                half: Literal["a", "b"] = "a" if pair.name == "a" else "b"
                fits.append(fit_spec(protocol, cases, place, parts, store_keys[key], own, half=half))
    return fits
