"""What a run will do and what it will cost, in numbers and in words."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from isthmus.imaging.preparation import Preparation
from isthmus.models.registry import is_own_file
from isthmus.protocol.arithmetic import Arithmetic, arithmetic_key
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases, find_cases
from isthmus.protocol.descriptors import descriptor_sentences
from isthmus.protocol.parts import divide, holds_out_a_part
from isthmus.protocol.reductions import NOT_HERE, reductions
from isthmus.protocol.schema import Protocol
from isthmus.protocol.shortcut_cases import planned_shortcuts
from isthmus.training.spec import FitSpec


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
    arms_left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, cases: Cases, target: str, absent: Sequence[str] = ()) -> "PlannedOutside":
        """Return the counts of a cohort's cases; `target` is its own name for what is asked, `absent` who sees none."""
        units = cases.units
        return cls(
            cohort=cases.cohort.name,
            target=target,
            groups=units["group_id"].nunique(),
            nodules=len(units),
            views=len(cases.pictures),
            positives=int((units["label"] == cases.classes[-1]).sum()),
            left_out=cases.left_out["view_id"].nunique(),
            arms_left_out=tuple(absent),
        )

    def line(self) -> str:
        """Return it in words."""
        return (
            f"external cohort {self.cohort} ({self.target}): {self.groups} patients, {self.nodules} nodules "
            f"({self.positives} positive), {self.views} views; {self.left_out} views left out; predicted once, after "
            "the choices are frozen; whether patients overlap is looked at when the run begins"
            + (f"; no picture for {', '.join(self.arms_left_out)}" if self.arms_left_out else "")
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
    halves: int
    picture_level: int
    pending: int
    epochs: int
    disk_mib: float
    seconds: float
    precisions: Mapping[str, str]
    descriptors: tuple[str, ...]
    reductions: tuple[str, ...]
    classes: Mapping[str, int]
    outside: tuple[PlannedOutside, ...] = ()
    shortcuts: str = ""
    parts: Mapping[str, int] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        lists: dict[str, object] = {"descriptors": list(self.descriptors), "reductions": list(self.reductions)}
        lists |= {"classes": dict(self.classes), "parts": dict(self.parts), "lacking": list(self.lacking)}
        return {**self.__dict__, **lists, "outside": [dict(one.__dict__) for one in self.outside]}

    def lines(self) -> list[str]:
        """Return the plan in words."""
        lines = [
            f"{self.protocol}, profile {self.profile}, on cohort {self.cohort}: {self.groups} patients, "
            f"{self.nodules} nodules ({self._labels()}){self._parts()}, {self.views} views; "
            f"{self.left_out} views left out",
            *self.lacking,
            f"{self.fits} fits ({self.pending} to do{self._picture_level()}){self._halves()}, "
            f"up to {self.epochs} epochs each; about {self.disk_mib:.0f} MiB of disk; "
            f"expected time of training: {_duration(self.seconds)}",
            "precision: " + ", ".join(f"{arm} {value}" for arm, value in self.precisions.items()),
            *self.descriptors,
            *([self.shortcuts] if self.shortcuts else []),
            *(one.line() for one in self.outside),
        ]
        if self.reductions:
            lines.append(f"profile {self.profile} changes {len(self.reductions)} values of the published protocol:")
            lines += [f"  {line}" for line in self.reductions]
        return lines

    def _parts(self) -> str:
        if len(self.parts) < 2:
            return ""
        said = [f"{number} {'to train' if part == 'train' else part}" for part, number in self.parts.items()]
        return f": {', '.join(said)}"

    def _labels(self) -> str:
        if len(self.classes) == 2:
            return f"{self.positives} positive"
        whose = "" if sum(self.classes.values()) == self.nodules else "patients: "
        return whose + ", ".join(f"{number} {name}" for name, number in self.classes.items())

    def _halves(self) -> str:
        return f" and {self.halves} on halves of the training patients, for fused arms" if self.halves else ""

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
    # Of all patients, whether the caller has those to train on or all: the plan and the run say the same.
    cases = find_cases(protocol, cases.cohort)
    units, aside = cases.units, divide(protocol, cases)[1]
    parts = {part: int(units["group_id"].isin(groups).sum()) for part, groups in aside.items()}
    labels = units.drop_duplicates(f"{cases.unit}_id")["label"]
    pixels = {json.dumps(arm.prepare.geometric()): _stored_pixels(arm.prepare) for arm in protocol.arms.values()}
    views = cases.pictures
    parameters = {
        (key, candidate): _parameters_millions(variant, len(cases.classes))
        for key, arm in protocol.arms.items()
        for candidate, variant in arm.variants().items()
    }
    weights = sum(4.0 * parameters[fit.arm, fit.candidate] for fit in fits)
    joined = [fusion.fuse for fusion in protocol.fusions.values() if fusion.settings.halved]
    crossed = sorted({key for members in joined for key in members})

    def seconds(fit: FitSpec) -> float:
        if fit.weights_of is not None:
            return 0.0
        own = arithmetic[arithmetic_key(fit.arm, protocol.arms[fit.arm], fit.candidate)]
        return own.seconds_an_epoch(len(fit.train_views), fit.train.batch) * fit.train.epochs

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
        halves=2 * len(crossed) * len({(fit.seed, fit.fold) for fit in fits if fit.divided == "groups"}),
        picture_level=sum(fit.divided == "pictures" for fit in fits),
        pending=len(pending),
        epochs=max(fit.train.epochs for fit in fits),
        # Weights, their copy in the bundle, one checkpoint (weights and two moments), and the prepared pictures.
        disk_mib=2.0 * weights
        + 3.0 * weights / len(fits)
        + _fused_mib(protocol, fits, parameters)
        + 2.0 * len(views) * sum(pixels.values()) / 2**20,
        seconds=sum(seconds(fit) for fit in pending) + sum(_half_seconds(key, fits, seconds) for key in crossed),
        precisions={arm: chosen.precision for arm, chosen in arithmetic.items()},
        descriptors=tuple(f"{', '.join(arms)}: {words}" for words, arms in _same(descriptor_sentences(protocol, fits))),
        reductions=tuple(
            line
            for line in reductions(name, protocol.profile, protocol.names, not holds_out_a_part(protocol, cases))
            if not line.startswith(NOT_HERE)  # no change of the profile's
        ),
        classes={shown: int((labels == code).sum()) for code, shown in cases.target.classes.items()},
        shortcuts=planned_shortcuts(protocol, cases),
        parts={"train": len(units) - sum(parts.values()), **parts},
    )


def _fused_mib(protocol: Protocol, fits: Sequence[FitSpec], parameters: Mapping[tuple[str, str], float]) -> float:
    """Return the disk of the halves' weights and of their copies in the fused bundles, of the largest candidates."""
    largest: dict[str, float] = {}
    for (key, _), millions in parameters.items():
        largest[key] = max(largest.get(key, 0.0), 4.0 * millions)
    folds = {(fit.seed, fit.fold) for fit in fits if fit.divided == "groups"}
    first = sum(seed == protocol.splits.seeds[0] for seed, _ in folds)
    crossed = {key for one in protocol.fusions.values() if one.settings.halved for key in one.fuse}
    copies = sum(
        (2 if fusion.settings.halved else 1) * first * largest[key]
        for fusion in protocol.fusions.values()
        for key in fusion.fuse
    )
    return 2.0 * len(folds) * sum(largest[key] for key in crossed) + copies


def _half_seconds(key: str, fits: Sequence[FitSpec], seconds: Callable[[FitSpec], float]) -> float:
    """Return the time of both halves of all folds, which is that of the folds, of the slowest candidate."""
    totals: dict[str, float] = {}
    for fit in fits:
        if fit.arm == key and fit.divided == "groups":
            totals[fit.candidate] = totals.get(fit.candidate, 0.0) + seconds(fit)
    return max(totals.values(), default=0.0)


def _parameters_millions(arm: Arm, classes: int) -> float:
    import torch

    from isthmus.models.classifier import parameter_count
    from isthmus.models.descriptor_heads import create_classifier

    # A network of the user's own may look at its weights while it is built, and there are none on this device.
    with torch.device("cpu" if is_own_file(arm.network) else "meta"):
        network = create_classifier(
            arm.network,
            classes=classes,
            channels=arm.prepare.input_channels,
            options=arm.options,
            join=arm.view.joined,
        )
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
