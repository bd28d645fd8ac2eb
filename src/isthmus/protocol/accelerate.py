"""A finished model's engines: exported, judged at the gate on tuning cases, timed on this machine, and one chosen."""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from isthmus.errors import BundleError
from isthmus.files import write_bytes
from isthmus.inference.any_bundle import load_bundle
from isthmus.inference.engine_choice import furthest, need_measured, probes_of, said_of_probes
from isthmus.inference.engine_record import (
    MODEL_INT8,
    EnginesRecord,
    Measured,
    Times,
    Trial,
    answers_sha256,
    network_sha256,
    read_record,
    write_record,
)
from isthmus.inference.engines import ENGINES, TORCH, largest_batch, open_engine
from isthmus.inference.fused_predictor import FusedPredictor, OwnNetworks
from isthmus.inference.machine import machine_here
from isthmus.inference.onnx_export import export_onnx
from isthmus.inference.onnx_graph import read_graph
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle import member_folder
from isthmus.progress import Progress
from isthmus.protocol.engine_answers import timed_views
from isthmus.protocol.engine_trials import PASSED, Engines, Gate, Graphs, runs_of
from isthmus.protocol.tuning_cases import tuning_cases

ROUNDS: Final = 15
"""Timings of each engine, in turns, so that whatever else the machine does falls on all of them."""

Shown = Mapping[str, tuple[Any, Any]]
"""By member: pixels and masks that engines are timed on."""


def accelerate(
    bundle: Path,
    cohort: Path | None = None,
    *,
    split: Path | None = None,
    only_exact: bool = False,
    own_network: OwnNetworks = None,
    progress: Progress | None = None,
) -> EnginesRecord:
    """Measure a bundle's engines, choose the fastest that passes its gate, and record all of it in the bundle.

    Parameters
    ----------
    bundle : Path
        Of one arm, or fused.
    cohort : Path, optional
        The cohort that it was trained on; only tuning and training cases of it are looked at. Without one the engines
        that passed before are timed anew, on this machine.
    split : Path, optional
        `split.csv` of the run, where the bundle has left it.
    only_exact : bool
        Choose among engines that passed as exact.
    own_network : Path or mapping, optional
        The Python file of a network of the user's own.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    EnginesRecord
        As it stands in the bundle's `engines.yaml`.

    Raises
    ------
    CohortError
        When the cohort is another, or holds set-aside patients only.
    BundleError
        When the bundle cannot be read or exported, or was never measured and no cohort is given.
    """
    bundle = Path(bundle)
    if cohort is None:
        return _timed_anew(bundle, only_exact, own_network)
    model = load_bundle(bundle, "cpu", own_network=own_network, engine=TORCH)
    members = _members(bundle, model)
    specs = {arm: one for arm, (_, one) in members.items()}
    tuning = tuning_cases(bundle, model.spec, specs, Path(cohort), split, progress)
    export_onnx(bundle, own_networks=own_network)
    plain, gate, left = _read(members), Gate.of(model, specs, tuning), iter(range(1, len(ENGINES) + 1))

    def told() -> None:
        if progress is not None:
            progress("engines", next(left, len(ENGINES)), len(ENGINES))

    whole, in_whole_numbers = gate.in_whole_numbers(plain, told)
    found = [gate.by_torch(), gate.of_graphs(plain, "fp32", told), in_whole_numbers]
    trials = {name: trial for one, _ in found for name, trial in one.items()}
    engines = {name: own for _, each in found for name, own in each.items()}
    shown = {arm: timed_views(tuning, arm, largest_batch(one)) for arm, one in specs.items()}
    trials = _with_times(trials, engines, shown)
    keep_int8 = any(trial.verdict.passed in PASSED for trial in in_whole_numbers[0].values())
    choice, why = _choice(trials, only_exact)
    measured = Measured(
        answers_sha256=answers_sha256(model.spec, specs), tuning=tuning.said, machine=machine_here(), engines=trials,
        choice=choice, why=why,
    )  # fmt: skip
    return _written(bundle, members, whole if keep_int8 else {}, measured)


def _members(bundle: Path, model: Predictor | FusedPredictor) -> dict[str, tuple[Path, BundleSpec]]:
    """Return folder and specification of each network; of a bundle of one arm its own under ''."""
    if isinstance(model, FusedPredictor):
        return {arm: (member_folder(bundle, arm), one.spec) for arm, one in model.members.items()}
    return {"": (bundle, model.spec)}


def _read(members: Mapping[str, tuple[Path, BundleSpec]]) -> Graphs:
    found: Graphs = {}
    for arm, (folder, _) in members.items():
        record = read_record(folder)
        assert record is not None
        facts = record.graphs["fp32"]
        found[arm] = facts, read_graph(folder / facts.file, facts.sha256)
    return found


def _with_times(trials: Mapping[str, Trial], engines: Mapping[str, Engines], shown: Shown) -> dict[str, Trial]:
    """Return trials with this machine's times: medians of rounds in which every engine has its turn."""
    one: dict[str, list[float]] = {name: [] for name in engines}
    many: dict[str, list[float]] = {name: [] for name in engines}
    views = max(len(pixels) for pixels, _ in shown.values())
    for turn in range(ROUNDS + 1):
        for name, own in engines.items():
            single = _seconds(own, {arm: (pixels[:1], masks[:1]) for arm, (pixels, masks) in shown.items()})
            batch = _seconds(own, shown) if turn == 0 or turn % 3 == 1 else None
            if turn:  # the first round warms up
                one[name].append(single)
            if batch is not None and turn:
                many[name].append(batch)
    return {
        name: trial
        if name not in engines
        else trial.model_copy(
            update={
                "times": Times(
                    one=_milliseconds(one[name]), each_of_batch=_milliseconds(many[name], views), views=views
                )
            }
        )
        for name, trial in trials.items()
    }


def _seconds(engines: Engines, shown: Shown) -> float:
    start = time.perf_counter()
    for arm, engine in engines.items():
        engine.view_scores(*shown[arm])
    return time.perf_counter() - start


def _milliseconds(seconds: list[float], views: int = 1) -> float:
    return float(f"{1000 * statistics.median(seconds) / views:.4g}")


def _choice(trials: Mapping[str, Trial], only_exact: bool) -> tuple[str, str]:
    """Return the fastest engine that may be chosen, and why."""
    allowed = ("reference", "exact") if only_exact else ("reference", "exact", "gated")
    able = {name: one.times.one for name, one in trials.items() if one.verdict.passed in allowed and one.times.views}
    choice = min(able, key=lambda name: able[name])
    kind = "passed as exact" if only_exact else "passed a gate"
    return choice, f"the fastest on one view of those that {kind}, on the machine named here"


def _written(
    bundle: Path, members: Mapping[str, tuple[Path, BundleSpec]], whole: Graphs, measured: Measured
) -> EnginesRecord:
    """Write the graphs in whole numbers and the record; whenever this is interrupted, no record names another graph."""
    for arm, (folder, spec) in members.items():
        before = read_record(folder)
        assert before is not None
        plain = EnginesRecord(network_sha256=network_sha256(spec), graphs={"fp32": before.graphs["fp32"]})
        write_record(folder, plain)
        if arm in whole:
            facts, content = whole[arm]
            write_bytes(folder / MODEL_INT8, content)
            write_record(folder, plain.model_copy(update={"graphs": {**plain.graphs, "int8": facts}}))
        else:
            (folder / MODEL_INT8).unlink(missing_ok=True)
    own = read_record(bundle) if "" in members else None
    record = (own or EnginesRecord()).model_copy(update={"measured": measured})
    write_record(bundle, record)
    return record


def _timed_anew(bundle: Path, only_exact: bool, own_network: OwnNetworks) -> EnginesRecord:
    """Time the engines that passed their gate before, on pictures that any machine draws alike."""
    record = need_measured(bundle)
    assert record.measured is not None
    measured = record.measured
    model = load_bundle(bundle, "cpu", own_network=own_network, engine=TORCH)
    members = _members(bundle, model)
    specs = {arm: one for arm, (_, one) in members.items()}
    if measured.answers_sha256 != answers_sha256(model.spec, specs):
        raise BundleError(
            "the bundle has changed since its engines were judged", where=str(bundle),
            hint="isthmus accelerate BUNDLE --cohort COHORT",
        )  # fmt: skip
    engines: dict[str, Engines] = {TORCH: runs_of(model)}
    passed_over = []
    for name, trial in measured.engines.items():
        if trial.verdict.passed not in PASSED or name not in ENGINES:
            continue
        own = {arm: open_engine(folder, spec, name) for arm, (folder, spec) in members.items()}
        wrong = furthest(measured.engines, name, {arm: said_of_probes(specs[arm], one) for arm, one in own.items()})
        if wrong is None:
            engines[name] = own
        else:
            passed_over.append(f"{name}: {wrong}")
    shown = {arm: _many_probes(one) for arm, one in specs.items()}
    trials = _with_times(measured.engines, engines, shown)
    choice, why = _choice({name: one for name, one in trials.items() if name in engines}, only_exact)
    told = {"engines": trials, "machine": machine_here(), "choice": choice, "why": "; ".join([why, *passed_over])}
    anew = record.model_copy(update={"measured": measured.model_copy(update=told)})
    write_record(bundle, anew)
    return anew


def _many_probes(spec: BundleSpec) -> tuple[Any, Any]:
    pixels, masks = probes_of(spec)
    times = -(-largest_batch(spec) // len(pixels))
    return np.concatenate([pixels] * times), np.concatenate([masks] * times)
