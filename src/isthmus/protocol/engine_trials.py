"""Engines held against PyTorch on tuning cases, and the share of a network that may run in whole numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from isthmus.errors import BundleError
from isthmus.inference.engine_choice import said_of_probes
from isthmus.inference.engine_gate import Answers, Rules, judge
from isthmus.inference.engine_record import GraphFacts, Times, Trial, Verdict
from isthmus.inference.engines import ENGINES, TORCH, Engine, graph_engine
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.machine import library_of
from isthmus.inference.network_inputs import network_inputs
from isthmus.inference.predictor import Predictor
from isthmus.inference.quantise import LEFT_OUT, PICTURES, quantised
from isthmus.models.bundle_spec import BundleSpec
from isthmus.protocol.engine_answers import answers_of, rules_of, with_engines
from isthmus.protocol.tuning_cases import TuningCases

PASSED: Final = ("exact", "gated")

_BLOCK: Final = 8

Graphs = dict[str, tuple[GraphFacts, bytes]]
"""By member: what is recorded of a graph, and its content."""

Engines = Mapping[str, Engine]

Judged = tuple[dict[str, Trial], dict[str, Engines]]
"""By engine: the verdict, without times, and what runs each member."""

Told = Callable[[], None]
"""Called after each engine."""


@dataclass(frozen=True, eq=False)
class Gate:
    """A model, its tuning cases, and what PyTorch says of them.

    Parameters
    ----------
    model : Predictor or FusedPredictor
        Run by PyTorch.
    specs : mapping
        Specification of each member; of a bundle of one arm its own under ''.
    tuning : TuningCases
        The judges.
    reference : Answers
        PyTorch's.
    rules : Rules
        From answers to calls.
    """

    model: Predictor | FusedPredictor
    specs: Mapping[str, BundleSpec]
    tuning: TuningCases
    reference: Answers
    rules: Rules

    @classmethod
    def of(cls, model: Predictor | FusedPredictor, specs: Mapping[str, BundleSpec], tuning: TuningCases) -> "Gate":
        """Ask PyTorch."""
        return cls(model, specs, tuning, answers_of(model, tuning), rules_of(model, tuning))

    def by_torch(self) -> Judged:
        """Return PyTorch itself."""
        return self._judged({TORCH: Verdict(passed="reference", largest_difference=0.0)}, {TORCH: runs_of(self.model)})

    def of_graphs(self, graphs: Graphs, numbers: str, told: Told) -> Judged:
        """Return the verdicts over all engines that run graphs of such numbers."""
        verdicts, engines = dict[str, Verdict](), dict[str, Engines]()
        for name in _names(numbers):
            try:
                own = {arm: graph_engine(name, self.specs[arm], *graph) for arm, graph in graphs.items()}
                verdicts[name] = judge(
                    self.reference, answers_of(with_engines(self.model, own), self.tuning), self.rules
                )
                engines[name] = own
            except BundleError as error:
                verdicts[name] = _refused(error)
            told()
        return self._judged(verdicts, engines)

    def in_whole_numbers(self, plain: Graphs, told: Told) -> tuple[Graphs, Judged]:
        """Return graphs in whole numbers that pass the gate, leaving out as few layers as do; else the last tried."""
        whole, found = dict[str, tuple[GraphFacts, bytes]](), (dict[str, Trial](), dict[str, Engines]())
        for share in LEFT_OUT:
            try:
                whole = self._quantised(plain, share)
            except BundleError as error:
                return {}, self._judged(dict.fromkeys(_names("int8"), _refused(error)), {})
            found = self.of_graphs(whole, "int8", told)
            verdicts = [one.verdict for one in found[0].values()]
            # Of too few cases nothing is ever known well enough, however near the answers are.
            if any(one.passed in PASSED for one in verdicts) or all(one.auc_loss is None for one in verdicts):
                break
        return whole, found

    def _quantised(self, plain: Graphs, left_out: float) -> Graphs:
        """Return the graphs in whole numbers, ranges taken from tuning pictures spread over the whole store."""
        found: Graphs = {}
        for arm, (facts, content) in plain.items():
            store, wanted = self.tuning.stores[arm], tuple(facts.inputs)
            rows = np.unique(np.linspace(0, len(store.pixels) - 1, PICTURES).astype(np.int64))
            blocks = [
                network_inputs(
                    wanted,
                    np.asarray(store.pixels[chunk]),
                    np.asarray(store.lesion_masks[chunk]),
                    self.specs[arm].prepare,
                )
                for chunk in (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
            ]
            whole, told = quantised(content, facts, blocks, left_out)
            found[arm] = told, whole
        return found

    def _judged(self, verdicts: Mapping[str, Verdict], engines: dict[str, Engines]) -> Judged:
        trials = {
            name: Trial(
                verdict=verdict,
                times=Times(one=0.0, each_of_batch=0.0, views=0),
                probes={arm: said_of_probes(self.specs[arm], one) for arm, one in engines.get(name, {}).items()},
                library=library_of(name),
            )
            for name, verdict in verdicts.items()
        }
        return trials, engines


def runs_of(model: Predictor | FusedPredictor) -> Engines:
    """Return what runs each network of a model."""
    members = model.members if isinstance(model, FusedPredictor) else {"": model}
    return {arm: one.runs for arm, one in members.items()}


def _names(numbers: str) -> Sequence[str]:
    return [name for name, kind in ENGINES.items() if kind.numbers == numbers]


def _refused(error: BundleError) -> Verdict:
    return Verdict(passed="none", largest_difference=1.0, reason=error.what)
