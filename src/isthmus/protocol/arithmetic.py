"""The arithmetic of a run's training steps: chosen by a short trial once, and kept when the run is resumed."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from isthmus.files import read_json, write_json
from isthmus.protocol.arm import Arm
from isthmus.protocol.schema import Protocol

FILE = "arithmetic.json"
# The tuning part, checkpoints and logs take about a fifth of an epoch beside its steps (benchmarks/).
OVERHEAD = 1.2


@dataclass(frozen=True)
class Arithmetic:
    """What changes the last bits of an arm's results, and the measured time of a training step."""

    precision: Literal["fp32", "bf16"]
    threads: int
    device: str
    seconds_a_step: float

    def seconds_an_epoch(self, views: int, batch: int) -> float:
        """Return the expected time of an epoch over so many training views."""
        return self.seconds_a_step * math.ceil(views / batch) * OVERHEAD


def choose_arithmetic(run_folder: Path, protocol: Protocol, classes: int) -> Mapping[str, Arithmetic]:
    """Return each network's arithmetic; a resumed run keeps its first call's choice, and tries only what was added.

    Parameters
    ----------
    run_folder : Path
        Keeps the choice in `arithmetic.json`.
    protocol : Protocol
        Resolved; an arm whose `train.precision` is not `auto` gets what it names.
    classes : int
        Number of classes.
    """
    path = run_folder / FILE
    kept = read_json(path, name="arithmetic")["arms"] if path.is_file() else {}
    chosen = {
        key: Arithmetic(**kept[key]) if key in kept else _trial(arm, classes)
        for key, arm in _variants(protocol).items()
    }
    if set(chosen) - set(kept):
        content = {"format": "isthmus-arithmetic/1.0", "arms": {key: asdict(one) for key, one in chosen.items()}}
        write_json(path, content)
    return chosen


def try_arithmetic(protocol: Protocol, classes: int) -> dict[str, Arithmetic]:
    """Return each arm's faster arithmetic on this machine and what a step takes, from a few timed steps."""
    return {key: _trial(arm, classes) for key, arm in _variants(protocol).items()}


def arithmetic_key(key: str, arm: Arm, candidate: str) -> str:
    """Return under which key the arithmetic of an arm's candidate stands: the arm's own where there is no other."""
    return f"{key}/{candidate}" if arm.candidates else key


def _variants(protocol: Protocol) -> dict[str, Arm]:
    return {
        arithmetic_key(key, arm, candidate): variant
        for key, arm in protocol.arms.items()
        for candidate, variant in arm.variants().items()
    }


def _trial(arm: Arm, classes: int) -> Arithmetic:
    import torch

    from isthmus.training.engine import default_device
    from isthmus.training.precision import choose_precision, time_step

    join = arm.view.joined
    precision = choose_precision(
        arm.network, arm.options, classes=classes, prepare=arm.prepare, train=arm.train, join=join
    )
    seconds = time_step(
        arm.network, arm.options, classes=classes, prepare=arm.prepare, train=arm.train, join=join, precision=precision
    )
    return Arithmetic(precision, torch.get_num_threads(), default_device().partition(":")[0], round(seconds, 4))
