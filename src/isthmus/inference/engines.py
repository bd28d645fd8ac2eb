"""What runs a bundle's networks: PyTorch, or ONNX Runtime or OpenVINO on the exported graph.

Nothing is sent anywhere: ONNX Runtime's telemetry is switched off, and OpenVINO's is not let in
(:mod:`isthmus.inference.openvino_runtime`).
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import BundleError, InputError, did_you_mean
from isthmus.inference.engine_record import EnginesRecord, GraphFacts, Numbers, network_sha256, read_record
from isthmus.inference.frame_scores import pictures_a_view
from isthmus.inference.network_inputs import Float32, network_inputs
from isthmus.inference.onnx_graph import read_graph
from isthmus.inference.openvino_runtime import openvino_runtime
from isthmus.inference.scores import ViewScores, view_scores
from isthmus.models.bundle_spec import BundleSpec

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier

TORCH: Final = "torch"
AUTO: Final = "auto"
BATCH: Final = 32
"""Pictures, or frames of clips, that run at once."""

Pixels = NDArray[np.uint8]
Masks = NDArray[np.uint8] | NDArray[np.bool_] | None
Run = Callable[[dict[str, Float32]], dict[str, Any]]
"""From a graph's inputs to its outputs, by name."""


class Engine(Protocol):
    """What scores prepared views by all fold networks of a bundle."""

    @property
    def name(self) -> str:
        """By which it is chosen."""

    def view_scores(self, pixels: Pixels, masks: Masks) -> list[ViewScores]:
        """Return what each part says of prepared views [N, T, S, S, C] with their lesion masks [N, T, S, S]."""

    def subset_logits(self, pixels: Pixels) -> list[Float32]:
        """Return each part's logits [2 ** M, N, K] with each subset of modalities; NaN where none is left."""


@dataclass(frozen=True, eq=False)
class TorchEngine:
    """PyTorch, full single precision.

    Parameters
    ----------
    spec : BundleSpec
        Whose networks they are.
    parts : sequence of Classifier
        On ``device``.
    device : str
        Where they compute.
    """

    spec: BundleSpec
    parts: "Sequence[Classifier]"
    device: str
    name: str = TORCH

    def view_scores(self, pixels: Pixels, masks: Masks) -> list[ViewScores]:
        """Score views by one part after the other."""
        spec = self.spec
        return [
            view_scores(
                part,
                pixels,
                spec.prepare,
                largest_batch(spec),
                self.device,
                masks=masks,
                flips=spec.flips,
                frame_scores=spec.frame_scores,
            )
            for part in self.parts
        ]

    def subset_logits(self, pixels: Pixels) -> list[Float32]:
        """Score looks with each subset of their modalities."""
        from isthmus.inference.modality_subsets import subset_logits

        spec = self.spec
        return [subset_logits(part, pixels, spec.prepare, device=self.device, flips=spec.flips) for part in self.parts]


def largest_batch(spec: BundleSpec) -> int:
    """Return how many pictures, or volumes, run at once: a volume's maps are as large as those of all its frames."""
    frames = spec.prepare.frames
    return max(1, BATCH // frames.stored) if spec.prepare.layout == "3d" and frames is not None else BATCH


@dataclass(frozen=True, eq=False)
class GraphEngine:
    """An exported graph in an engine.

    Parameters
    ----------
    name : str
        The engine's.
    spec : BundleSpec
        Whose networks they are.
    facts : GraphFacts
        Of the graph.
    run : callable
        The engine.
    """

    name: str
    spec: BundleSpec
    facts: GraphFacts
    run: Run

    def view_scores(self, pixels: Pixels, masks: Masks) -> list[ViewScores]:
        """Score views by all parts in one run a block."""
        found = self._over_blocks(pixels, masks, [name for name in self.facts.outputs if name != "subsets"])
        heads = [name for name in self.facts.outputs if name.startswith("descriptor.")]
        return [
            ViewScores(
                found["logits"][part],
                {name.removeprefix("descriptor."): found[name][part] for name in heads},
                found["embedding"][part],
            )
            for part in range(self.facts.parts)
        ]

    def subset_logits(self, pixels: Pixels) -> list[Float32]:
        """Score looks with each subset of their modalities."""
        values = self._over_blocks(pixels, None, ["subsets"])["subsets"].transpose(0, 2, 1, 3)
        there: NDArray[np.bool_] = np.any(pixels.reshape(*pixels.shape[:2], -1), axis=2)
        kept = (np.arange(values.shape[1])[:, None] >> np.arange(there.shape[1]) & 1).astype(np.bool_)
        left: NDArray[np.bool_] = np.any(kept[:, None] & there[None], axis=2)
        return list(np.where(left[None, :, :, None], values, np.float32(np.nan)))

    def _over_blocks(self, pixels: Pixels, masks: Masks, names: Sequence[str]) -> dict[str, "np.ndarray[Any, Any]"]:
        step = max(1, largest_batch(self.spec) // pictures_a_view(self.spec.prepare))
        wanted, blocks = tuple(self.facts.inputs), list[dict[str, Any]]()
        for start in range(0, max(len(pixels), 1), step):
            own = None if masks is None else np.asarray(masks[start : start + step])
            given = network_inputs(wanted, np.asarray(pixels[start : start + step]), own, self.spec.prepare)
            blocks.append(self.run(given))
        return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in names}


@dataclass(frozen=True)
class EngineKind:
    """An engine that there is.

    Parameters
    ----------
    library : str
        The package that it needs.
    numbers : {'fp32', 'int8'}
        Which graph it runs.
    opened : callable
        From the graph's content and the number of threads to what runs it.
    """

    library: str
    numbers: Numbers
    opened: Callable[[bytes, int], Run]


def threads_here() -> int:
    """Return how many threads an engine may use: the cores of this process, or fewer where OMP_NUM_THREADS says so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) > 0 else cores


def _by_onnxruntime(content: bytes, threads: int) -> Run:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]

    def run(given: dict[str, Float32]) -> dict[str, Any]:
        return dict(zip(names, session.run(names, given), strict=True))

    return run


def _by_openvino(precision: str) -> Callable[[bytes, int], Run]:
    def opened(content: bytes, threads: int) -> Run:
        core = openvino_runtime().Core()
        # Left to itself it computes in bf16 where the processor can, which moves probabilities by up to 0.02.
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = core.compile_model(core.read_model(content), "CPU", settings)
        request = compiled.create_infer_request()
        names = [one.any_name for one in compiled.outputs]
        places = {one.any_name for one in compiled.inputs}
        lock = threading.Lock()

        def run(given: dict[str, Float32]) -> dict[str, Any]:
            with lock:
                found = request.infer({name: value for name, value in given.items() if name in places})
                return {name: np.array(found[place]) for place, name in enumerate(names)}

        return run

    return opened


ENGINES: Final[Mapping[str, EngineKind]] = {
    "onnxruntime": EngineKind("onnxruntime", "fp32", _by_onnxruntime),
    "openvino": EngineKind("openvino", "fp32", _by_openvino("f32")),
    "openvino-bf16": EngineKind("openvino", "fp32", _by_openvino("bf16")),
    "openvino-int8": EngineKind("openvino", "int8", _by_openvino("f32")),
    "openvino-int8-bf16": EngineKind("openvino", "int8", _by_openvino("bf16")),
}
"""Beside PyTorch."""


def check_engine_name(name: str) -> None:
    """Refuse an engine that there is not."""
    known = (AUTO, TORCH, *ENGINES)
    if name not in known:
        raise InputError(f"unknown engine {name!r}", expected=", ".join(known), hint=did_you_mean(name, known))


def open_engine(folder: Path, spec: BundleSpec, name: str, record: EnginesRecord | None = None) -> GraphEngine:
    """Open an engine on a bundle's graph.

    Parameters
    ----------
    folder : Path
        A bundle of one arm.
    spec : BundleSpec
        What it says of itself.
    name : str
        Of :data:`ENGINES`.
    record : EnginesRecord, optional
        Of its graphs; read where it is not given.

    Raises
    ------
    BundleError
        When the bundle has no such graph, or its file is damaged or of another bundle.
    """
    kind = ENGINES[name]
    record = read_record(folder) if record is None else record
    facts = None if record is None else record.graphs.get(kind.numbers)
    if record is None or facts is None:
        command = "export BUNDLE --to onnx" if kind.numbers == "fp32" else "accelerate BUNDLE --cohort COHORT"
        raise BundleError(
            f"this bundle has no graph for {name}", where=str(folder), expected="one that was exported",
            hint=f"isthmus {command}",
        )  # fmt: skip
    if record.network_sha256 != network_sha256(spec) or facts.parts != len(spec.parts):
        raise BundleError(
            "its graph was made from another network than bundle.yaml says", where=str(folder / facts.file),
            expected="a graph of this bundle", hint="isthmus export BUNDLE --to onnx",
        )  # fmt: skip
    return graph_engine(name, spec, facts, read_graph(folder / facts.file, facts.sha256))


def graph_engine(name: str, spec: BundleSpec, facts: GraphFacts, content: bytes) -> GraphEngine:
    """Open an engine on a graph in memory.

    Raises
    ------
    BundleError
        When the engine cannot run it.
    """
    try:
        run = ENGINES[name].opened(content, threads_here())
    except ModuleNotFoundError:
        raise
    except Exception as error:  # the engines' own errors have no common class
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"{name} cannot run this graph: {reason}", where=f"{spec.name}, {facts.file}") from error
    return GraphEngine(name, spec, facts, run)
