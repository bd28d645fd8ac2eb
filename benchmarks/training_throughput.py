"""How fast a fit trains, against the loop most people would write and against a bare tuned loop.

Three processes train the same network on the same views and take turns, an epoch each, so that whatever else the
machine does falls on all of them:

isthmus  `run_fit`: everything it does in an epoch counts (augmentation, log, TensorBoard, checkpoint); it has no tuning
         part here, because the other two have none.
naive    fp32, default memory layout, a Dataset that decodes, crops, resizes and augments with Pillow, a plain
         DataLoader, an ordinary Adam.
bare     uint8 tensors in memory, and otherwise the same arithmetic as isthmus: precision, channels-last, fused Adam,
         the same augmentation. What remains of a fit when all its care is taken away.

The first epoch is not counted. Aims on a CPU with bf16: isthmus / naive >= 2.5 at equal AUC, isthmus / bare >= 0.95.
"""

import argparse
import dataclasses
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pictures as pictures_of
from pictures import Picture

import tables

AUGMENT = ("flip", "rotate", "scale")
RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class Job:
    """What all three train."""

    network: str
    size: int
    batch: int
    epochs: int
    precision: str
    threads: int
    train: list[Picture]
    held_out: list[Picture]
    folder: Path
    seed: int

    @property
    def prepare(self) -> Any:
        """Preparation that all three share."""
        from isthmus.imaging.preparation import Preparation

        return Preparation(train_size=self.size, crop_size=self.size)

    def store(self) -> Any:
        """Return the prepared pictures."""
        from isthmus.imaging.cache import CacheItem, PreparedCache

        items = [
            CacheItem(picture.name, picture.path, box=picture.box, scan_area=picture.area)
            for picture in [*self.train, *self.held_out]
        ]
        return PreparedCache(self.folder / "cache").store(items, self.prepare)

    def weights(self) -> list[float]:
        """Return the weights of the classes."""
        from isthmus.training.steps import class_weights

        return class_weights([picture.label for picture in self.train], 2, "balanced")


def isthmus_fit(job: Job, turn: Callable[[], None]) -> np.ndarray[Any, Any]:
    """Train by `run_fit`; the turn is handed on in its progress callback."""
    import pandas as pd

    from isthmus.training.fit import FitProgress, run_fit
    from isthmus.training.settings import TrainSettings
    from isthmus.training.spec import FitSpec

    settings = TrainSettings(
        optimiser="adam", rate=RATE, schedule="constant", epochs=job.epochs, batch=job.batch, augment=AUGMENT,
        early_stopping=None,
    )  # fmt: skip
    views = [*job.train, *job.held_out]
    spec = FitSpec(
        arm="benchmark", candidate=job.network, seed=job.seed, fold=0, network=job.network,
        classes=["0", "1"], prepare=job.prepare, train=settings, precision=job.precision, threads=job.threads,
        train_views=[view.name for view in job.train], tune_views=[],
        held_out_views=[view.name for view in job.held_out],
        labels={view.name: view.label for view in views}, groups={view.name: view.group for view in views},
    )  # fmt: skip

    def progress(report: FitProgress) -> None:
        if report.row is not None:
            turn()

    folder = job.folder / "fit"
    run_fit(spec, job.store(), folder, progress, device="cpu")
    frame = pd.read_csv(folder / "predictions.csv", dtype={"view_id": str}).set_index("view_id")
    return frame["p_1"].loc[[view.name for view in job.held_out]].to_numpy()


def bare_loop(job: Job, turn: Callable[[], None]) -> np.ndarray[Any, Any]:
    """Train by the shortest loop with the same arithmetic."""
    import torch

    from isthmus.inference.scores import view_logits
    from isthmus.models.registry import create
    from isthmus.training import augment, engine, steps

    engine.keep_memory()
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    store = job.store()
    pixels = torch.from_numpy(np.array(store.pixels[store.rows([view.name for view in job.train])]))
    labels = torch.tensor([view.label for view in job.train])
    weights = torch.tensor(job.weights())
    network = create(job.network, classes=2, channels=1).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), RATE, fused=True)
    generator = torch.Generator().manual_seed(job.seed)
    count = -(-len(labels) // job.batch)
    for _ in range(job.epochs):
        for rows in torch.randperm(len(labels), generator=generator).tensor_split(count):
            transforms = augment.draw(AUGMENT, len(rows), job.size, job.size, generator)
            batch = augment.apply(pixels[rows], transforms, job.size)
            with torch.autocast("cpu", torch.bfloat16, enabled=job.precision == "bf16"):
                logits = steps.forward(network, batch, job.prepare)
                loss = steps.weighted_loss(logits, labels[rows], weights).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        turn()
    logits = view_logits(network, store.pixels[store.rows([view.name for view in job.held_out])], job.prepare)
    return logits[:, 1] - logits[:, 0]


def naive_loop(job: Job, turn: Callable[[], None]) -> np.ndarray[Any, Any]:
    """Train by the loop of most tutorials."""
    import torch
    from torch.utils.data import DataLoader

    from isthmus.models.registry import create

    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    network = create(job.network, classes=2, channels=1)
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    criterion = torch.nn.CrossEntropyLoss(torch.tensor(job.weights()))
    loader = DataLoader(Files(job.train, job.size, augment=True), batch_size=job.batch, shuffle=True)
    for _ in range(job.epochs):
        network.train()
        for images, labels in loader:
            optimiser.zero_grad()
            loss = criterion(network({"image": images}).logits, labels)
            loss.backward()
            optimiser.step()
        turn()
    network.eval()
    scores = []
    with torch.no_grad():
        for images, _ in DataLoader(Files(job.held_out, job.size, augment=False), batch_size=job.batch):
            logits = network({"image": images}).logits
            scores.append((logits[:, 1] - logits[:, 0]).numpy())
    return np.concatenate(scores)


class Files:
    """A Dataset that opens its files anew in every epoch."""

    def __init__(self, pictures: list[Picture], size: int, *, augment: bool) -> None:
        self.pictures, self.size, self.augment = pictures, size, augment

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        import torch
        from PIL import Image, ImageOps

        picture = self.pictures[index]
        x0, y0, x1, y1 = picture.box
        half = max(x1 - x0, y1 - y0) * 1.3 / 2  # the margin of 15 % that the preparation has
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        image = Image.open(picture.path).convert("L").crop((x - half, y - half, x + half, y + half))
        image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        if self.augment:
            if torch.rand(()) < 0.5:
                image = ImageOps.mirror(image)
            angle, zoom = 30 * torch.rand(()).item() - 15, 1.1 ** (2 * torch.rand(()).item() - 1)
            image = image.rotate(angle, Image.Resampling.BILINEAR)
            image = self._zoomed(image, zoom)
        return torch.from_numpy(np.array(image)).float().unsqueeze(0) / 255, picture.label

    def _zoomed(self, image: Any, zoom: float) -> Any:
        half = self.size / zoom / 2
        middle = self.size / 2
        window = (middle - half, middle - half, middle + half, middle + half)
        return image.crop(tuple(round(edge) for edge in window)).resize((self.size, self.size))


LOOPS: dict[str, Callable[[Job, Callable[[], None]], np.ndarray[Any, Any]]] = {
    "isthmus": isthmus_fit,
    "naive": naive_loop,
    "bare": bare_loop,
}


def work(connection: Connection, name: str, job: Job) -> None:
    """Train in a process of its own, one epoch for each message."""
    connection.recv()
    start = time.perf_counter()

    def turn() -> None:
        nonlocal start
        connection.send(time.perf_counter() - start)
        connection.recv()
        start = time.perf_counter()

    connection.send(LOOPS[name](job, turn))


def take_turns(job: Job, names: list[str]) -> tuple[dict[str, list[float]], dict[str, np.ndarray[Any, Any]]]:
    """Return the seconds of each loop's epochs, and its scores of the held-out views."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    for name in names:
        pipes[name], theirs = context.Pipe()
        processes.append(context.Process(target=work, args=(theirs, name, job)))
        processes[-1].start()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for epoch in range(job.epochs):
        # ABC, BCA, CAB, …: no loop always follows the same one.
        for name in names[epoch % len(names) :] + names[: epoch % len(names)]:
            pipes[name].send("go")
            seconds[name].append(pipes[name].recv())
            rate = len(job.train) / seconds[name][-1]
            print(f"epoch {epoch + 1}/{job.epochs} {name}: {rate:.1f} images/s", flush=True)
    scores = {}
    for name in names:
        pipes[name].send("go")
        scores[name] = pipes[name].recv()
    for process in processes:
        process.join()
    return seconds, scores


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohort", type=Path, help="a cohort folder; without it 200 synthetic JPEGs")
    parser.add_argument("--target", help="of the cohort; the first one by default")
    parser.add_argument("--network", default="thyronet_x4")
    parser.add_argument("--size", type=int, default=224, help="pixels; 224 as published")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5, help="of each loop, the uncounted first one included")
    parser.add_argument("--views", type=int, default=200, help="training and held-out views, at most")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    parser.add_argument("--threads", type=int, help="by default as torch has it")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and order; AUCs vary with it")
    parser.add_argument("--loops", nargs="+", choices=sorted(LOOPS), default=list(LOOPS))
    options = parser.parse_args()

    import torch

    from isthmus.training.precision import choose_precision
    from isthmus.training.settings import TrainSettings

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        views = (
            pictures_of.of_cohort(options.cohort, options.target)
            if options.cohort
            else pictures_of.synthetic(folder, options.views)
        )
        train, held_out = pictures_of.halves(views[: options.views], 0.25)
        threads = options.threads or torch.get_num_threads()
        job = Job(
            options.network,
            options.size,
            options.batch,
            options.epochs,
            "fp32",
            threads,
            train,
            held_out,
            folder,
            options.seed,
        )
        precision = choose_precision(
            options.network, {}, classes=2, prepare=job.prepare, device="cpu", threads=threads,
            train=TrainSettings(batch=options.batch, augment=AUGMENT, precision=options.precision),
        )  # fmt: skip
        job = dataclasses.replace(job, precision=precision)
        job.store()
        seconds, scores = take_turns(job, options.loops)
    source = "cohort" if options.cohort else "synthetic"
    facts = {"network": job.network, "size": job.size, "batch": job.batch, "epochs": job.epochs,
             "seed": job.seed, "precision": precision, "pictures": source, "training_views": len(train),
             "held_out_views": len(held_out), **tables.machine(), "threads": threads}  # fmt: skip
    name = f"training_throughput_{job.network}_{job.size}_{source}_{job.epochs}_epochs"
    tables.write(
        name, facts, _rows(job, seconds, scores),
        "Images per second from the second epoch (median), ratios round by round; isthmus against each.",
    )  # fmt: skip


def _rows(job: Job, seconds: dict[str, list[float]], scores: dict[str, np.ndarray[Any, Any]]) -> list[dict[str, Any]]:
    from isthmus.statistics.roc import auc_interval, compare_aucs

    truth = np.array([view.label for view in job.held_out])
    groups = np.array([view.group for view in job.held_out])
    rows = []
    for name, epochs in seconds.items():
        ratios = [other / ours for ours, other in zip(seconds.get("isthmus", epochs)[1:], epochs[1:], strict=True)]
        found = auc_interval(truth, scores[name], groups)
        row = {
            "loop": name,
            "images_per_s": len(job.train) / statistics.median(epochs[1:]),
            "isthmus_times_as_fast": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "held_out_auc": f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})",
            "isthmus_auc_minus_this": "",
        }
        if name != "isthmus" and "isthmus" in scores:
            change = compare_aucs(truth, scores["isthmus"], scores[name], groups).difference
            row["isthmus_auc_minus_this"] = f"{change.estimate:+.3f} ({change.low:+.3f} to {change.high:+.3f})"
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
