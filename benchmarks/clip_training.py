"""How fast a fit trains on clips, against a bare tuned loop; and what recomputing activations costs and saves.

Four processes train the same 3D network on the same clips and take turns, an epoch each, so that whatever else the
machine does falls on all of them:

bare       uint8 clips in memory, and otherwise the same arithmetic as isthmus: channels-last memory, quick kernels,
           fused Adam. No log, no order drawn, no frames chosen, no augmentation, nothing deterministic.
plain      bare with the memory layout and the kernels that PyTorch takes by itself.
isthmus    `run_fit`, everything it does in an epoch counts: 16 of 20 stored frames drawn out of a memory map for each
           clip, mirroring, whole-pixel shifts, playing backwards, gain; log, TensorBoard, checkpoint.
recompute  the same fit with `train.recompute`.

All in fp32: a CPU's bfloat16 gradients of 3D convolutions are wrong (`isthmus.training.engine.volumes_in_bf16`). The
first epoch is not counted. Memory is what the process held at most beyond what it held before training. The aim is
isthmus / bare >= 0.9.
"""

import argparse
import dataclasses
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import tables

AUGMENT = ("flip", "translate", "reverse", "gain")
LOOPS = ("isthmus", "recompute", "bare", "plain")
SMALL: dict[str, dict[str, Any]] = {
    "r2plus1d_18": {"width": 16},
    "inception_resnet_v2_3d": {"width": 8, "repeats": [2, 4, 2]},
}
"""Networks that train on a CPU; options make them small."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What all loops train."""

    network: str
    frames: int
    stored: int
    size: int
    batch: int
    clips: int
    epochs: int
    threads: int
    folder: Path

    @property
    def prepare(self) -> Any:
        """Preparation that all loops share."""
        from isthmus.imaging.preparation import Preparation

        frames = {"count": self.frames, "stored": self.stored}
        return Preparation(train_size=self.size, crop_size=self.size, layout="3d", frames=frames)

    def store(self) -> Any:
        """Return noise as the cache would give it: a memory map."""
        from isthmus.imaging.cache import PreparedStore

        path = self.folder / "pixels.npy"
        shape = (self.clips, self.stored, self.size, self.size, 1)
        if not path.is_file():
            np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        return PreparedStore(
            key="", pixels=np.load(path, mmap_mode="r"), lesion_masks=np.zeros(shape[:-1], np.uint8),
            view_ids=[f"clip{row:03d}" for row in range(self.clips)],
            source_to_prepared=np.tile(np.eye(2, 3), (self.clips, 1, 1)), failures={},
            frame_indices=np.tile(np.arange(self.stored), (self.clips, 1)),
        )  # fmt: skip


def isthmus_fit(job: Job, turn: Callable[[], None], *, recompute: bool = False) -> None:
    """Train by `run_fit`; the turn is handed on in its progress callback."""
    from isthmus.training.fit import FitProgress, run_fit
    from isthmus.training.settings import TrainSettings
    from isthmus.training.spec import FitSpec

    store = job.store()
    settings = TrainSettings(
        optimiser="adam", rate=1e-3, schedule="constant", epochs=job.epochs, batch=job.batch, augment=AUGMENT,
        early_stopping=None, recompute=recompute,
    )  # fmt: skip
    spec = FitSpec(
        arm="benchmark", candidate=job.network, seed=0, fold=0, network=job.network, options=SMALL[job.network],
        classes=["0", "1"], prepare=job.prepare, train=settings, threads=job.threads,
        train_views=store.view_ids, tune_views=[], held_out_views=[],
        labels={view: row % 2 for row, view in enumerate(store.view_ids)},
        groups={view: view for view in store.view_ids},
    )  # fmt: skip

    def progress(report: FitProgress) -> None:
        if report.row is not None:
            turn()

    folder = job.folder / f"fit-{job.network}-{recompute}"
    run_fit(spec, store, folder, progress, device="cpu")


def recomputing_fit(job: Job, turn: Callable[[], None]) -> None:
    """Train by `run_fit` with `train.recompute`."""
    isthmus_fit(job, turn, recompute=True)


def bare_loop(job: Job, turn: Callable[[], None], *, tuned: bool = True) -> None:
    """Train by the shortest loop with the same arithmetic."""
    import torch

    from isthmus.models.registry import create
    from isthmus.training.engine import keep_memory
    from isthmus.training.steps import channels_last, quick_kernels

    keep_memory()
    torch.set_num_threads(job.threads)
    torch.manual_seed(0)
    pixels = torch.from_numpy(np.array(job.store().pixels[:, : job.frames]))
    labels = torch.arange(job.clips) % 2
    network = create(job.network, classes=2, channels=1, **SMALL[job.network]).train()
    if tuned:
        channels_last(network)
        quick_kernels(network)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    for _ in range(job.epochs):
        for rows in torch.arange(job.clips).tensor_split(-(-job.clips // job.batch)):
            image = pixels[rows].float().div_(255).permute(0, 4, 1, 2, 3)
            loss = torch.nn.functional.cross_entropy(network({"image": image}).logits, labels[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        turn()


def plain_loop(job: Job, turn: Callable[[], None]) -> None:
    """Train by the shortest loop, with the memory layout and kernels that PyTorch takes by itself."""
    bare_loop(job, turn, tuned=False)


_RUNS: dict[str, Callable[[Job, Callable[[], None]], None]] = {
    "isthmus": isthmus_fit,
    "recompute": recomputing_fit,
    "bare": bare_loop,
    "plain": plain_loop,
}


def work(connection: Connection, name: str, job: Job) -> None:
    """Train in a process of its own, one epoch for each message; send seconds, and at the end MiB."""
    import isthmus.training.fit  # noqa: F401  # what importing needs is no part of what training needs

    connection.recv()
    before, start = _peak_mib(), time.perf_counter()

    def turn() -> None:
        nonlocal start
        connection.send(time.perf_counter() - start)
        connection.recv()
        start = time.perf_counter()

    _RUNS[name](job, turn)
    connection.send(_peak_mib() - before)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def take_turns(job: Job) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the seconds of each loop's epochs, and the MiB that each needed."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    for name in LOOPS:
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=work, args=(theirs, name, job)))
        processes[-1].start()
    seconds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for epoch in range(job.epochs):
        # ABC, BCA, CAB, …: no loop always follows the same one.
        for place in range(len(LOOPS)):
            name = LOOPS[(epoch + place) % len(LOOPS)]
            pipes[name].send("go")
            seconds[name].append(pipes[name].recv())
            print(f"{job.network} epoch {epoch + 1} {name}: {seconds[name][-1]:.2f} s", flush=True)
    memory = {}
    for name in LOOPS:
        pipes[name].send("go")
        memory[name] = pipes[name].recv()
    for process in processes:
        process.join()
    return seconds, memory


def _rows(job: Job, seconds: dict[str, list[float]], memory: dict[str, float]) -> list[dict[str, Any]]:
    rows = []
    for name in LOOPS:
        ratios = [bare / ours for ours, bare in zip(seconds[name][1:], seconds["bare"][1:], strict=True)]
        rows.append(
            {
                "network": job.network,
                "loop": name,
                "clips_per_s": job.clips / statistics.median(seconds[name][1:]),
                "times_bare": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
                "peak_mib": memory[name],
            }
        )
    return rows


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=sorted(SMALL), default=list(SMALL))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--stored", type=int, default=20, help="frames kept of each clip; isthmus draws out of them")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=4, help="of each loop, the uncounted first one included")
    parser.add_argument("--threads", type=int, help="by default as torch has it")
    options = parser.parse_args()

    import torch

    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for network in options.networks:
            job = Job(
                network, options.frames, options.stored, options.size, options.batch, options.clips, options.epochs,
                options.threads or torch.get_num_threads(), Path(temporary),
            )  # fmt: skip
            job.store()
            rows += _rows(job, *take_turns(job))
    facts = {"frames": options.frames, "stored": options.stored, "size": options.size, "batch": options.batch,
             "clips": options.clips, "epochs": options.epochs, "options": SMALL, **tables.machine(),
             "threads": options.threads or torch.get_num_threads()}  # fmt: skip
    tables.write(
        "clip_training", facts, rows,
        "Clips per second from the second epoch (median) and times as fast as bare, round by round; MiB beyond "
        "what the process held at most before training.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
