"""The fits of a run: which there are, where they lie, and what they will cost."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from isthmus.cohort.splits import PARTS, cross_validation_split
from isthmus.errors import CohortError
from isthmus.imaging.prepare import Preparation
from isthmus.models.registry import create, is_own_file
from isthmus.protocol.arithmetic import Arithmetic
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases
from isthmus.protocol.descriptors import descriptor_sentences, descriptor_task
from isthmus.protocol.resolve import reductions
from isthmus.protocol.schema import Protocol
from isthmus.training.spec import FitSpec


def fit_folder(run_folder: Path, fit: FitSpec) -> Path:
    """Return where a fit lies: `arms/<arm>/<candidate>/seed-<s>/fold-<k>`, or `…/picture-level/fold-<k>`."""
    return run_folder / "arms" / fit.name


def candidate_of(arm: Arm) -> str:
    """Return the candidate's name: the network's, without the path of a file of the user's own."""
    return Path(arm.network.partition(":")[0]).stem


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
    """List a run's fits: every arm, seed and fold.

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
        For each arm its precision and threads, resolved once for the whole run.

    Raises
    ------
    CohortError
        When a part of a fold holds no view of a class.
    """
    fits = []
    for key in protocol.arms:
        views = cases.views[key]
        for seed, fold in split[["seed", "fold"]].drop_duplicates().to_numpy().tolist():
            part_of = views["group_id"].map(_sides(split, seed, fold))
            fits.append(_spec(protocol, cases, key, part_of, (seed, fold), store_keys[key], arithmetic[key]))
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
    fits = []
    for fold in range(folds):
        part_of, place = views["view_id"].map(_sides(split, seed, fold)), (seed, fold)
        spec = _spec(protocol, cases, key, part_of, place, store_keys[key], arithmetic[key], divided="pictures")
        fits.append(spec)
    return fits


def _sides(split: pd.DataFrame, seed: int, fold: int) -> dict[str, str]:
    parts = split[(split["seed"] == seed) & (split["fold"] == fold)]
    return dict(zip(parts["group_id"].tolist(), parts["part"].tolist(), strict=True))


def _spec(
    protocol: Protocol,
    cases: Cases,
    key: str,
    part_of: pd.Series,
    place: tuple[int, int],
    store_key: str,
    arithmetic: Arithmetic,
    divided: Literal["groups", "pictures"] = "groups",
) -> FitSpec:
    """Return one fit; `place` is (seed, fold), `part_of` the part of each of the arm's views, NaN where it has none."""
    arm, (seed, fold) = protocol.arms[key], place
    codes = {name: code for code, name in enumerate(cases.classes)}
    views = cases.views[key].assign(part=part_of).dropna(subset=["part"]).sort_values("view_id")
    members: dict[str, list[str]] = {part: views.loc[views["part"] == part, "view_id"].tolist() for part in PARTS}
    ids: list[str] = views["view_id"].tolist()
    labels = {view: codes[label] for view, label in zip(ids, views["label"].tolist(), strict=True)}
    _check_classes(members, labels, cases, f"arm {key}, seed {seed}, fold {fold}")
    return FitSpec(
        arm=key,
        candidate=candidate_of(arm),
        seed=seed,
        fold=fold,
        divided=divided,
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
        weights_of=_taken_over(protocol, arm, place),
    )


def _taken_over(protocol: Protocol, arm: Arm, place: tuple[int, int]) -> str | None:
    """Return the fit whose network an arm's fit takes over, where it has none of its own."""
    if arm.networks_of is None:
        return None
    trained, (seed, fold) = protocol.arms[arm.networks_of], place
    return f"{arm.networks_of}/{candidate_of(trained)}/seed-{seed}/fold-{fold}"


def _check_classes(members: Mapping[str, list[str]], labels: Mapping[str, int], cases: Cases, where: str) -> None:
    for part, views in members.items():
        present = {labels[view] for view in views}
        missing = [name for code, name in enumerate(cases.classes) if code not in present]
        if missing:
            names = " and ".join(repr(cases.target.classes[name]) for name in missing)
            raise CohortError(
                f"the {part} part has no view of class {names}",
                where=where,
                expected="both classes in every part of every fold",
                hint="use fewer folds (--set splits.cross_validation.folds=2) or more cases",
            )


@dataclass(frozen=True)
class PlannedOutside:
    """A cohort of other patients that the arms will meet once."""

    cohort: str
    target: str
    groups: int
    nodules: int
    views: int
    positives: int
    left_out: int

    @classmethod
    def of(cls, cases: Cases, target: str) -> "PlannedOutside":
        """Return the counts of a cohort's cases; `target` is its own name for what is asked."""
        units = cases.units
        return cls(
            cohort=cases.cohort.name,
            target=target,
            groups=units["group_id"].nunique(),
            nodules=len(units),
            views=pd.concat(cases.views.values())["view_id"].nunique(),
            positives=int((units["label"] == cases.classes[-1]).sum()),
            left_out=cases.left_out["view_id"].nunique(),
        )

    def line(self) -> str:
        """Return it in words."""
        return (
            f"external cohort {self.cohort} ({self.target}): {self.groups} patients, {self.nodules} nodules "
            f"({self.positives} positive), {self.views} views; {self.left_out} views left out; predicted once, after "
            "the choices are frozen; whether patients overlap is looked at when the run begins"
        )


@dataclass(frozen=True)
class Plan:
    """What a run will do and cost, printed before it starts."""

    protocol: str
    profile: str
    cohort: str
    groups: int
    nodules: int
    views: int
    positives: int
    left_out: int
    fits: int
    picture_level: int
    pending: int
    epochs: int
    disk_mib: float
    seconds: float
    precisions: Mapping[str, str]
    descriptors: tuple[str, ...]
    reductions: tuple[str, ...]
    outside: tuple[PlannedOutside, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        lists = {"descriptors": list(self.descriptors), "reductions": list(self.reductions)}
        return {**self.__dict__, **lists, "outside": [dict(one.__dict__) for one in self.outside]}

    def lines(self) -> list[str]:
        """Return the plan in words."""
        lines = [
            f"{self.protocol}, profile {self.profile}, on cohort {self.cohort}: {self.groups} patients, "
            f"{self.nodules} nodules ({self.positives} positive), {self.views} views; {self.left_out} views left out",
            f"{self.fits} fits ({self.pending} to do{self._picture_level()}), up to {self.epochs} epochs each; "
            f"about {self.disk_mib:.0f} MiB of disk; expected time of training: {_duration(self.seconds)}",
            "precision: " + ", ".join(f"{arm} {value}" for arm, value in self.precisions.items()),
            *self.descriptors,
            *(one.line() for one in self.outside),
        ]
        if self.reductions:
            lines.append(f"profile {self.profile} changes {len(self.reductions)} values of the published protocol:")
            lines += [f"  {line}" for line in self.reductions]
        return lines

    def _picture_level(self) -> str:
        if not self.picture_level:
            return ""
        return f"; {self.picture_level} of them with pictures divided instead of patients, to show that error"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def make_plan(
    name: str,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    pending: Sequence[FitSpec],
    arithmetic: Mapping[str, Arithmetic],
) -> Plan:
    """Return what a run will do and cost: `fits` are all of it, `pending` those that are not done."""
    units = cases.units
    pixels = {json.dumps(arm.prepare.geometric()): _stored_pixels(arm.prepare) for arm in protocol.arms.values()}
    views = pd.concat(cases.views.values()).drop_duplicates("view_id")
    parameters = {key: _parameters_millions(arm, len(cases.classes)) for key, arm in protocol.arms.items()}
    weights = sum(4.0 * parameters[fit.arm] for fit in fits)
    return Plan(
        protocol=protocol.protocol,
        profile=protocol.profile,
        cohort=cases.cohort.name,
        groups=units["group_id"].nunique(),
        nodules=len(units),
        views=len(views),
        positives=int((units["label"] == cases.classes[-1]).sum()),
        left_out=cases.left_out["view_id"].nunique(),
        fits=len(fits),
        picture_level=sum(fit.divided == "pictures" for fit in fits),
        pending=len(pending),
        epochs=max(fit.train.epochs for fit in fits),
        # Weights, their copy in the bundle, one checkpoint (weights and two moments), and the prepared pictures.
        disk_mib=2.0 * weights + 3.0 * weights / len(fits) + 2.0 * len(views) * sum(pixels.values()) / 2**20,
        seconds=sum(
            arithmetic[fit.arm].seconds_an_epoch(len(fit.train_views), fit.train.batch) * fit.train.epochs
            for fit in pending
            if fit.weights_of is None
        ),
        precisions={arm: chosen.precision for arm, chosen in arithmetic.items()},
        descriptors=tuple(f"{', '.join(arms)}: {words}" for words, arms in _same(descriptor_sentences(protocol, fits))),
        reductions=tuple(reductions(name, protocol.profile, protocol.arms)),
    )


def _parameters_millions(arm: Arm, classes: int) -> float:
    import torch

    from isthmus.models.classifier import parameter_count

    channels = 3 if arm.prepare.channels == "rgb" else 1
    # A network of the user's own may look at its weights while it is built, and there are none on this device.
    with torch.device("cpu" if is_own_file(arm.network) else "meta"):
        network = create(arm.network, classes=classes, channels=channels, **arm.options)
    return parameter_count(network) / 1e6


def _stored_pixels(preparation: Preparation) -> int:
    frames = 1 if preparation.frames is None else preparation.frames.stored
    return frames * preparation.train_size**2


def _same(sentences: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Return each sentence once with the arms that it is said of."""
    arms: dict[str, list[str]] = {}
    for arm, words in sentences.items():
        arms.setdefault(words, []).append(arm)
    return list(arms.items())
