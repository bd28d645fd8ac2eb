"""How long an answer takes: first after start, and warm; each engine beside plain PyTorch in the same rounds.

*Plain* is what anyone would write: the networks one after the other, single precision, as PyTorch lays pictures out,
without gradients; all ratios are against it. The networks are as large as published ones and hold random weights: for
speed alone (which engine may be used is judged by `isthmus accelerate` on a trained model).
Five fold networks, as a run leaves them. The engines take turns on each
picture, so that whatever else the machine does falls on all of them; ratios are medians over turns. *Network* is what
an engine does; *request* is `predict` of one file: reading, finding the scan area, preparing, network, calibrating.
*First answer* is a process of its own, from its start to its answer. With ``--clock processor`` and one thread seconds
are those that the processor worked, not those that passed: on a busy machine the former mean something, the latter not.
"""

import argparse
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

import tables
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.inference.engine_record import MODEL, MODEL_INT8, EnginesRecord, read_record, write_record
from isthmus.inference.engines import ENGINES, TORCH, threads_here
from isthmus.inference.load import load_bundle
from isthmus.inference.network_inputs import network_inputs
from isthmus.inference.onnx_export import export_onnx
from isthmus.inference.predictor import Predictor
from isthmus.inference.quantise import quantised
from isthmus.inference.scores import ViewScores
from isthmus.models.bundle import load_parts, read_bundle, write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.registry import create

PLAIN = "plain PyTorch"
BOX = (200.0, 150.0, 420.0, 330.0)
FRAMES = 30
KINDS: dict[str, Preparation] = {
    "still": Preparation(train_size=256, crop_size=224, normalise="imagenet", channels="rgb"),
    "clip": Preparation(
        train_size=256, crop_size=224, normalise="unit", layout="frames_as_channels", frames=FrameSampling(count=5)
    ),
}


def speckle(count: int) -> "np.ndarray[Any, Any]":
    """Return pictures [N, 480, 640] of smooth speckle with a dark disc, in a black border with a bar."""
    generator = np.random.default_rng(0)
    found = np.zeros((count, 480, 640), np.uint8)
    lines, columns = np.mgrid[40:460, 60:580]
    disc = (columns - 310) ** 2 + (lines - 240) ** 2 < 80**2
    for number in range(count):
        noise = 10 + 3 * np.abs(cv2.GaussianBlur(generator.normal(0, 60, disc.shape), (0, 0), 2.5))
        noise += 60
        found[number, 40:460, 60:580] = np.clip(np.where(disc, noise * 0.4, noise), 0, 255)
    found[:, 100:300, 610:625] = np.linspace(255, 0, 200)[None, :, None]
    return found


def write_inputs(folder: Path) -> dict[str, Path]:
    """Write a PNG, and a clip as AVI."""
    import av

    Image.fromarray(speckle(1)[0]).save(folder / "still.png")
    with av.open(str(folder / "clip.avi"), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for frame in speckle(FRAMES):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="gray").reformat(format="yuvj420p")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return {"still": folder / "still.png", "clip": folder / "clip.avi"}


def write_model(folder: Path, network: str, prepare: Preparation, parts: int) -> None:
    """Write a bundle of untrained networks with both graphs."""
    spec = BundleSpec.model_validate(
        {
            "name": f"speed/{network}",
            "network": {"name": network, "classes": 2, "channels": prepare.input_channels},
            "target": "malignant", "classes": {"0": "benign", "1": "malignant"},
            "requires": {"modalities": ["bmode"], "region": "box"}, "prepare": prepare,
            "parts": [{"log_prior_shift": [0.0, 0.0]}] * parts,
            "calibration": {"intercept": 0.0, "slope": 1.0},
            "thresholds": {"rule": "youden", "value": 0.5, "chosen_on": "nothing"},
            "cohort": {"name": "none", "fingerprint": "", "licence": "none", "simulated": True, "reference": "surgery"},
        }
    )  # fmt: skip
    states = []
    for part in range(parts):
        torch.manual_seed(part)
        states.append(create(network, classes=2, channels=prepare.input_channels).state_dict())
    write_bundle(folder, spec, states)
    export_onnx(folder)
    record = read_record(folder)
    assert record is not None
    facts, generator = record.graphs["fp32"], np.random.default_rng(1)
    frames = 1 if prepare.frames is None else prepare.frames.stored
    pixels = generator.integers(0, 256, (8, frames, 256, 256, prepare.colours)).astype(np.uint8)
    blocks = [network_inputs(tuple(facts.inputs), pixels[start : start + 4], None, prepare) for start in (0, 4)]
    content, told = quantised((folder / MODEL).read_bytes(), facts, blocks)
    (folder / MODEL_INT8).write_bytes(content)
    write_record(folder, EnginesRecord(network_sha256=record.network_sha256, graphs={**record.graphs, "int8": told}))


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


def children_worked() -> float:
    """Return the seconds that the processor worked for processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def first_answer(folder: Path, path: Path, engine: str, options: argparse.Namespace) -> float:
    """Return the median seconds from the start of a process to its answer."""
    clock = time.perf_counter if options.clock == "wall" else children_worked
    script = (
        "from isthmus.inference.load import load_bundle\n"
        f"print(load_bundle({str(folder)!r}, 'cpu', engine={engine!r})"
        f".predict([{str(path)!r}], boxes=[{BOX!r}])[0].probability)"
    )
    found = []
    for _ in range(options.starts):
        start = clock()
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
        found.append(clock() - start)
    return statistics.median(found)


def in_turns(asked: dict[str, Callable[[], Any]], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of each round; each is first in its turn, and a round before the first warms up."""
    found: dict[str, list[float]] = {name: [] for name in asked}
    names, clock = list(asked), CLOCKS[options.clock]
    for turn in range(options.rounds + 1):
        for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
            start = clock()
            asked[name]()
            if turn:
                found[name].append(clock() - start)
    return found


@dataclass(frozen=True, eq=False)
class Plain:
    """The networks in a loop."""

    networks: list[torch.nn.Module]
    prepare: Preparation
    name: str = PLAIN

    def view_scores(self, pixels: Any, masks: Any) -> list[ViewScores]:
        """Score views."""
        image = torch.from_numpy(network_inputs(("image",), pixels, masks, self.prepare)["image"])
        with torch.inference_mode():
            found = [network({"image": image}).logits.numpy() for network in self.networks]
        return [ViewScores(one, {}, np.zeros((len(one), 0), np.float32)) for one in found]

    def subset_logits(self, pixels: Any) -> list[Any]:
        """Return nothing: pictures of one modality have no subsets."""
        return []


def opened(folder: Path) -> dict[str, Predictor]:
    """Return the model once with each engine."""
    found = {name: load_bundle(folder, "cpu", engine=name) for name in (TORCH, *ENGINES)}
    spec = found[TORCH].spec
    networks = [part.to(memory_format=torch.contiguous_format).eval() for part in load_parts(folder, spec)]
    return {PLAIN: replace(found[TORCH], engine=Plain(networks, spec.prepare)), **found}


def measured(
    kind: str, network_name: str, folder: Path, path: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return a row an engine."""
    engines = opened(folder)
    picture = engines[TORCH].read(path, box=BOX)
    pixels, masks = picture.prepared.pixels[None], picture.prepared.lesion_mask[None]

    def network(one: Predictor) -> Callable[[], Any]:
        return lambda: one.runs.view_scores(pixels, masks)

    def request(one: Predictor) -> Callable[[], Any]:
        return lambda: one.predict([path], boxes=[BOX])

    alone = in_turns({name: network(one) for name, one in engines.items()}, options)
    whole = in_turns({name: request(one) for name, one in engines.items()}, options)
    reading = in_turns({"": lambda: engines[TORCH].read(path, box=BOX)}, options)[""]
    expected = engines[TORCH].scored(pixels, masks).members
    rows = []
    for name, one in engines.items():
        difference = float(np.abs(one.scored(pixels, masks).members - expected).max())
        rows.append(
            {
                "network": network_name,
                "input": kind,
                "engine": name,
                "network p50, ms": 1000 * statistics.median(alone[name]),
                "network p95, ms": 1000 * float(np.quantile(alone[name], 0.95)),
                "network, times as fast": _ratio(alone[PLAIN], alone[name]),
                "reading and preparing, ms": 1000 * statistics.median(reading),
                "request p50, ms": 1000 * statistics.median(whole[name]),
                "request p95, ms": 1000 * float(np.quantile(whole[name], 0.95)),
                "request, times as fast": _ratio(whole[PLAIN], whole[name]),
                "first answer, s": first_answer(folder, path, name, options)
                if options.starts and name != PLAIN
                else "",
                "largest difference of a probability": difference,
            }
        )
    return rows


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(slow, fast, strict=True))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--starts", type=int, default=3, help="processes of each engine; 0 leaves the first answer out")
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=["resnet18", "densenet121"])
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--busy", default="no", help="what else ran on the machine")
    options = parser.parse_args()
    torch.set_num_threads(threads_here())
    rows = []
    with tempfile.TemporaryDirectory() as place:
        inputs = write_inputs(Path(place))
        for network, (kind, prepare) in itertools.product(options.networks, KINDS.items()):
            folder = Path(place) / network / kind
            write_model(folder, network, prepare, options.parts)
            assert read_bundle(folder)
            rows += measured(kind, network, folder, inputs[kind], options)
    import onnxruntime

    from isthmus.inference.openvino_runtime import openvino_runtime

    versions = {"onnxruntime": onnxruntime.__version__, "openvino": openvino_runtime().__version__}
    words = __doc__.partition("\n\n")[2].replace("\n", " ").strip()
    tables.write("serving", {**vars(options), **versions, **tables.machine()}, rows, words)


if __name__ == "__main__":
    main()
