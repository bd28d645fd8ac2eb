"""The fits of a run: which there are, and where they lie."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import pandas as pd

from isthmus.cohort.splits import PARTS, cross_validation_split
from isthmus.errors import CohortError
from isthmus.models.registry import is_own_file
from isthmus.protocol.arithmetic import Arithmetic, arithmetic_key
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases
from isthmus.protocol.descriptors import descriptor_task
from isthmus.protocol.schema import Protocol
from isthmus.training.spec import FitSpec


def fit_folder(run_folder: Path, fit: FitSpec) -> Path:
    """Return where a fit lies: `arms/<arm>/<candidate>/seed-<s>/fold-<k>`, or `…/picture-level/fold-<k>`."""
    return run_folder / "arms" / fit.name


def own_file(arm: Arm) -> Path | None:
    """Return the Python file of an arm's network where it is one of the user's own."""
    return Path(arm.network.rpartition(":")[0]) if is_own_file(arm.network) else None


def list_fits(
    protocol: Protocol,
    cases: Cases,
    split: pd.DataFrame,
    store_keys: Mapping[str, str],
    arithmetic: Mapping[str, Arithmetic],
) -> list[FitSpec]:
    """List a run's fits: every arm, candidate, seed and fold.

    Parameters
    ----------
    protocol : Protocol
        The resolved protocol.
    cases : Cases
        Views that could be prepared.
    split : DataFrame
        `seed`, `fold`, `group_id`, `part` (`train`, `tune`, `cv`).
    store_keys : mapping
        For each arm the key of its prepared pictures, so that a resumed fit notices other pictures.
    arithmetic : mapping
        For each arm and candidate (`arithmetic_key`) its precision and threads, resolved once for the whole run.

    Raises
    ------
    CohortError
        When a part of a fold holds no view of a class.
    """
    fits = []
    for key, arm in protocol.arms.items():
        views = cases.views[key]
        for candidate in arm.variants():
            own = arithmetic[arithmetic_key(key, arm, candidate)]
            for seed, fold in split[["seed", "fold"]].drop_duplicates().to_numpy().tolist():
                part_of = views["group_id"].map(sides(split, seed, fold))
                place = key, candidate, seed, fold
                fits.append(fit_spec(protocol, cases, place, part_of, store_keys[key], own))
    return fits


def list_picture_level_fits(
    protocol: Protocol, cases: Cases, store_keys: Mapping[str, str], arithmetic: Mapping[str, Arithmetic]
) -> list[FitSpec]:
    """List the fits of the arm that `leak` names, with pictures dealt into folds and tuning parts, not patients.

    Parameters as for :func:`list_fits`. Empty where the protocol does not ask for the demonstration.
    """
    folds = protocol.splits.cross_validation.folds
    if protocol.leak is None or folds is None:
        return []
    key, seed, rules = protocol.leak.arm, protocol.splits.seeds[0], protocol.splits
    views = cases.views[key]
    # The error itself: every picture is dealt as if it were a patient of its own.
    pictures = views.assign(group_id=views["view_id"], nodule_id=views["view_id"])
    split = cross_validation_split(pictures, folds, seed, rules.tune)
    (candidate,) = protocol.arms[key].variants()
    fits = []
    for fold in range(folds):
        part_of, place = views["view_id"].map(sides(split, seed, fold)), (key, candidate, seed, fold)
        fits.append(fit_spec(protocol, cases, place, part_of, store_keys[key], arithmetic[key], divided="pictures"))
    return fits


def class_shares(fit: FitSpec) -> list[float]:
    """Return the share of each class among the training views of a fit."""
    labels = fit.labels_of(fit.train_views)
    return [labels.count(code) / len(labels) for code in range(len(fit.classes))]


def sides(split: pd.DataFrame, seed: int, fold: int) -> dict[str, str]:
    """Return the part of each group in a fold of a seed."""
    parts = split[(split["seed"] == seed) & (split["fold"] == fold)]
    return dict(zip(parts["group_id"].tolist(), parts["part"].tolist(), strict=True))


def fit_spec(
    protocol: Protocol,
    cases: Cases,
    place: tuple[str, str, int, int],
    part_of: pd.Series,
    store_key: str,
    arithmetic: Arithmetic,
    divided: Literal["groups", "pictures"] = "groups",
    half: Literal["a", "b"] | None = None,
) -> FitSpec:
    """Return one fit; `place` is (arm, candidate, seed, fold), `part_of` the part of each view, NaN where none."""
    key, candidate, seed, fold = place
    arm = protocol.arms[key].variants()[candidate]
    codes = {name: code for code, name in enumerate(cases.classes)}
    views = cases.views[key].assign(part=part_of).dropna(subset=["part"]).sort_values("view_id")
    members: dict[str, list[str]] = {part: views.loc[views["part"] == part, "view_id"].tolist() for part in PARTS}
    ids: list[str] = views["view_id"].tolist()
    labels = {view: codes[label] for view, label in zip(ids, views["label"].tolist(), strict=True)}
    present = {part: {cases.classes[labels[view]] for view in own} for part, own in members.items()}
    check_classes(present, cases, f"arm {key}, seed {seed}, fold {fold}")
    return FitSpec(
        arm=key,
        candidate=candidate,
        seed=seed,
        fold=fold,
        divided=divided,
        half=half,
        network=arm.network,
        options=arm.options,
        weights=arm.weights,
        classes=cases.classes,
        prepare=arm.prepare,
        train=arm.train,
        precision=arithmetic.precision,
        threads=arithmetic.threads,
        train_views=members["train"],
        tune_views=members["tune"],
        held_out_views=members["cv"],
        labels=labels,
        groups=dict(zip(ids, views["group_id"].tolist(), strict=True)),
        store_key=store_key,
        descriptors=descriptor_task(arm, key, cases, members["train"]),
        flips=arm.predict.flips,
        frame_scores=arm.predict.frames,
        join=arm.view.joined,
        weights_of=None if arm.networks_of is None else f"{arm.networks_of}/{candidate}/seed-{seed}/fold-{fold}",
    )


def check_classes(present: Mapping[str, Collection[str]], cases: Cases, where: str) -> None:
    """Refuse parts of a fold that lack a class; `present` holds the classes of each part's views.

    Raises
    ------
    CohortError
        With the part and the class.
    """
    for part, classes in present.items():
        missing = [name for name in cases.classes if name not in classes]
        if missing:
            names = " and ".join(repr(cases.target.classes[name]) for name in missing)
            raise CohortError(
                f"the {part} part has no view of class {names}",
                where=where,
                expected=f"{'both classes' if len(cases.classes) == 2 else 'every class'} in every part of every fold",
                hint="use fewer folds (--set splits.cross_validation.folds=2) or more cases",
            )
