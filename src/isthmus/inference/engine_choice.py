"""Which engine a bundle is run by: the one that was measured and passed its gate, if it still says here what it said.

A bundle travels: what its engines said of a few pictures that any machine can draw is kept beside their verdicts, and
an engine that says anything else here (another processor, another version of its library) is passed over.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from isthmus.errors import BundleError
from isthmus.inference.engine_record import EnginesRecord, Trial, answers_sha256, read_record
from isthmus.inference.engines import AUTO, ENGINES, TORCH, Engine, GraphEngine, check_engine_name, open_engine
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec

EXACT: Final = 1e-4
"""Of probabilities; logits of an engine that passed as exact may differ from PyTorch's by four times as much."""

GATED: Final = 1e-3
"""How far a gated engine's probabilities may lie here from what it said where it passed its gate."""

_STEEPEST: Final = 4.0
"""A probability moves by no more than a quarter of its logit."""

PROBES: Final = 2


class Chosen(NamedTuple):
    """An engine for each member, '' of a bundle of one arm; none where PyTorch computes. And why, in words."""

    name: str
    engines: Mapping[str, GraphEngine]
    why: str


def probes_of(
    spec: BundleSpec,
) -> "tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]":
    """Return prepared pictures [2, T, S, S, C] that any machine draws alike, and masks: blocks of grey, nobody's.

    Of several modalities the second lacks the last one.
    """
    prepare, side = spec.prepare, spec.prepare.train_size
    views = 1 if prepare.frames is None else prepare.frames.stored
    if spec.join is not None:
        views = len(spec.join.modalities)
    colours = prepare.colours
    cells = -(-side // 8)
    count = PROBES * views * cells * cells * colours
    # A linear congruential generator (Knuth): the same whole numbers wherever it runs.
    states = np.empty(count, np.uint64)
    state = 1
    for place in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        states[place] = state
    grey = (states >> np.uint64(16)).astype(np.uint8).reshape(PROBES, views, cells, cells, colours)
    pixels = grey.repeat(8, axis=2).repeat(8, axis=3)[:, :, :side, :side]
    masks = np.zeros(pixels.shape[:-1], np.bool_)
    masks[..., side // 4 : side - side // 4, side // 4 : side - side // 4] = True
    if spec.join is not None and views > 1:
        pixels[1, -1], masks[1, -1] = 0, False
    return np.ascontiguousarray(pixels), masks


def said_of_probes(spec: BundleSpec, engine: Engine) -> list[float]:
    """Return an engine's logits of the probes, part by part; running them also warms it up."""
    pixels, masks = probes_of(spec)
    return [round(float(value), 6) for one in engine.view_scores(pixels, masks) for value in one.logits.ravel()]


def choose_engine(
    folder: Path, spec: BundleSpec | FusedBundleSpec, members: Mapping[str, tuple[Path, BundleSpec]], wanted: str = AUTO
) -> Chosen:
    """Return the engines of a bundle that are to be used.

    Parameters
    ----------
    folder : Path
        The bundle.
    spec : BundleSpec or FusedBundleSpec
        What it says of itself.
    members : mapping
        Folder and specification of each network; of a bundle of one arm its own under ''.
    wanted : str
        ``auto``: the recorded choice if it proves itself here, else the next that passed, else PyTorch. Any other name:
        that engine, whatever its verdict.

    Raises
    ------
    InputError
        When there is no engine of this name.
    BundleError
        When a named engine cannot be opened, or a graph was altered.
    """
    check_engine_name(wanted)
    if wanted == TORCH:
        return Chosen(TORCH, {}, "asked for")
    if wanted != AUTO:
        return Chosen(
            wanted, {arm: open_engine(place, own, wanted) for arm, (place, own) in members.items()}, "asked for"
        )
    record = read_record(folder)
    if record is None or record.measured is None:
        return Chosen(TORCH, {}, "no other engine was measured")
    if record.measured.choice == TORCH or _gpu_here():
        return Chosen(TORCH, {}, "it was measured and chosen" if record.measured.choice == TORCH else "a GPU is here")
    if record.measured.answers_sha256 != answers_sha256(spec, {arm: own for arm, (_, own) in members.items()}):
        return Chosen(TORCH, {}, "the bundle has changed since its engines were measured: isthmus accelerate")
    reasons = []
    for name in in_order(record):
        opened = _proven(name, record, members)
        if isinstance(opened, str):
            reasons.append(f"{name}: {opened}")
            continue
        passed = record.measured.engines[name].verdict.passed
        return Chosen(name, opened, "; ".join([f"it passed its gate ({passed})", *reasons]))
    return Chosen(TORCH, {}, "; ".join(reasons))


def in_order(record: EnginesRecord) -> list[str]:
    """Return the engines that passed a gate, the chosen one first, then by speed; PyTorch ends the list."""
    measured = record.measured
    assert measured is not None
    passed = {name: one for name, one in measured.engines.items() if one.verdict.passed in ("exact", "gated")}
    quick = sorted(passed, key=lambda name: (name != measured.choice, passed[name].times.one))
    slowest = measured.engines[TORCH].times.one if TORCH in measured.engines else float("inf")
    return [name for name in quick if name in ENGINES and passed[name].times.one < slowest]


def _proven(
    name: str, record: EnginesRecord, members: Mapping[str, tuple[Path, BundleSpec]]
) -> dict[str, GraphEngine] | str:
    """Return the engines that say here what was recorded; else what is wrong."""
    assert record.measured is not None
    if importlib.util.find_spec(ENGINES[name].library) is None:
        return f"{ENGINES[name].library} is not installed"
    opened = {arm: open_engine(place, own, name) for arm, (place, own) in members.items()}
    far = furthest(
        record.measured.engines, name, {arm: said_of_probes(members[arm][1], one) for arm, one in opened.items()}
    )
    return opened if far is None else far


def furthest(trials: Mapping[str, Trial], name: str, said: Mapping[str, list[float]]) -> str | None:
    """Return what is wrong with an engine that says something of the probes that was not recorded; else None."""
    own = trials[name]
    reference, most = (trials[TORCH], EXACT) if own.verdict.passed == "exact" else (own, GATED)
    for arm, values in said.items():
        found, expected = np.asarray(values), np.asarray(reference.probes.get(arm, []))
        if found.shape != expected.shape:
            return "nothing is recorded to compare it with"
        off = float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected)), initial=0.0))
        if not off <= _STEEPEST * most:
            return f"its logits differ here by {off:.2g} from those recorded"
    return None


def _gpu_here() -> bool:
    """Whether PyTorch would find a GPU, told without importing it."""
    return Path("/dev/nvidia0").exists()


def need_measured(folder: Path) -> EnginesRecord:
    """Return a bundle's record with a trial in it.

    Raises
    ------
    BundleError
        When its engines were never measured.
    """
    record = read_record(folder)
    if record is None or record.measured is None:
        raise BundleError(
            "the engines of this bundle were never measured", where=str(folder),
            hint="isthmus accelerate BUNDLE --cohort COHORT, with the cohort that it was trained on",
        )  # fmt: skip
    return record
