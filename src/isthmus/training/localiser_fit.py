"""One fold model of a localiser: from outlined pictures to parameters, resumable at every epoch.

Every random number is drawn from a hash of what it is for, so a killed and resumed training on one CPU machine leaves
the same bytes.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.errors import FitError
from isthmus.inference.batch import to_batch
from isthmus.models.segmenter import create_segmenter, load_encoder
from isthmus.models.weights import Provenance
from isthmus.training import augment, engine
from isthmus.training.checkpoint import Checkpoint
from isthmus.training.curves import Row
from isthmus.training.localiser_examples import Outlined
from isthmus.training.localiser_settings import LocaliserSettings
from isthmus.training.precision import WORTH
from isthmus.training.seeds import seed_of

ZOOM = (0.85, 1.5)
"""Smallest and largest enlargement: depths differ from examination to examination."""

SHIFT = 0.15
"""Largest shift of an unenlarged picture, as a share of its side; an enlarged one is cut anywhere."""

GAMMA = 1.4
"""Largest exponent of the grey values, in either direction: the scanner's grey map. Their gain is normalised away."""

_TIMED_STEPS = 2

Step = Callable[[int, int], None]


def train_fold(
    data: Outlined,
    rows: np.ndarray,
    fold: int,
    settings: LocaliserSettings,
    folder: Path,
    *,
    precision: str,
    threads: int,
    device: str,
    fingerprint: str,
    progress: Step | None = None,
) -> tuple[nn.Module, list[Row], Provenance | None]:
    """Train one fold model; goes on at the last saved epoch where a killed training left one.

    Parameters
    ----------
    data : Outlined
        All training pictures.
    rows : int array
        Those of this fold.
    fold : int
        Its number.
    settings : LocaliserSettings
        How.
    folder : Path
        For the checkpoint; exists.
    precision, threads, device
        Of the arithmetic; decided once a training.
    fingerprint : str
        Names this fit; a checkpoint of another one is refused.
    progress : callable, optional
        Called with steps done and in all.

    Returns
    -------
    Module, rows and Provenance
        The last epoch's network on the CPU, one row an epoch, and where its encoder started.

    Raises
    ------
    FitError
        When the loss leaves the numbers.
    WeightsError
        When the initial weights are absent.
    """
    checkpoint = Checkpoint(folder, fingerprint)
    state = checkpoint.load()
    fit_seed = seed_of(settings.seed, "localiser", fold)
    engine.keep_memory()
    with engine.reproducible(threads, device):
        torch.manual_seed(seed_of(fit_seed, "initialisation"))
        network = create_segmenter(settings.network, settings.width)
        origin = None if settings.weights is None else load_encoder(network, settings.weights)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
        history: list[Row] = []
        if state is not None:
            network.load_state_dict(state["network"])
            optimiser.load_state_dict(state["optimiser"])
            history = list(state["rows"])
        network.train()
        for epoch in range(len(history) + 1, settings.epochs + 1):
            row = _epoch(network, optimiser, data, rows, epoch, fit_seed, settings, precision, device, progress)
            if not math.isfinite(row["loss"]):
                raise FitError(
                    f"the loss is {row['loss']} in epoch {epoch}", where=f"fold {fold}", hint="lower the rate"
                )
            history.append(row)
            if checkpoint.due() and epoch < settings.epochs:
                checkpoint.save(rows=history, network=network.state_dict(), optimiser=optimiser.state_dict(), best=None)
    return network.to("cpu").eval(), history, origin


def _epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    data: Outlined,
    rows: np.ndarray,
    epoch: int,
    fit_seed: int,
    settings: LocaliserSettings,
    precision: str,
    device: str,
    progress: Step | None,
) -> Row:
    start = time.perf_counter()
    order = np.random.default_rng(seed_of(fit_seed, "order", epoch)).permutation(rows)
    steps = math.ceil(len(rows) / settings.batch)
    generator = torch.Generator().manual_seed(seed_of(fit_seed, "augment", epoch))
    torch.manual_seed(seed_of(fit_seed, "dropout", epoch))
    total = 0.0
    for step, chosen in enumerate(np.array_split(order, steps)):
        done = (epoch - 1) * steps + step
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * done / (steps * settings.epochs)))
        pixels, masks = torch.from_numpy(data.pixels[chosen]), torch.from_numpy(data.masks[chosen])
        pictures, targets = vary(pixels.to(device), masks.to(device), generator)
        loss = _step(network, optimiser, pictures, targets, settings, precision)
        total += float(loss) * len(chosen)
        if progress is not None:
            progress(done + 1, steps * settings.epochs)
    return {"epoch": epoch, "loss": total / len(rows), "seconds": time.perf_counter() - start}


def _step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    pictures: Tensor,
    targets: Tensor,
    settings: LocaliserSettings,
    precision: str,
) -> Tensor:
    from monai.losses.dice import DiceCELoss

    inputs = to_batch(pictures, settings.prepare, centre_crop=False)
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = network(inputs)
    # Dice of small regions needs more digits than bf16 has.
    loss: Tensor = DiceCELoss(sigmoid=True)(logits.float(), targets[:, None].float())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def vary(pixels: Tensor, masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, enlarge or reduce, cut and re-grade each picture; its mask moves with it.

    Parameters
    ----------
    pixels : Tensor of uint8, shape [N, 1, S, S, 1]
    masks : Tensor of uint8, shape [N, S, S]
    generator : torch.Generator
        Of the CPU; decides everything.

    Returns
    -------
    tuple of Tensor
        Pixels as given, and masks bool [N, S, S].
    """
    count, size = len(pixels), pixels.shape[2]
    u = torch.rand(5, count, generator=generator)
    mirror = torch.where(u[0] < 0.5, -1.0, 1.0)
    zoom = ZOOM[0] * (ZOOM[1] / ZOOM[0]) ** u[1]
    room = (0.5 * (1 - 1 / zoom)).clamp(min=0.0) + SHIFT / zoom.clamp(min=1.0)
    shifts = (2 * u[2:4] - 1) * room * size
    zeros = torch.zeros(count)
    matrices = torch.stack(
        [torch.stack([mirror / zoom, zeros, shifts[0]], 1), torch.stack([zeros, 1 / zoom, shifts[1]], 1)], dim=1
    )
    moved = augment.apply(pixels, augment.Transforms(matrices, torch.ones(count)), size)
    gamma = (GAMMA ** (2 * u[4] - 1)).to(pixels.device).view(-1, 1, 1, 1, 1)
    graded = ((moved.float() / 255.0) ** gamma * 255.0).round_().to(torch.uint8)
    transforms = augment.Transforms(matrices, torch.ones(count))
    return graded, augment.apply_to_masks(masks[:, None], transforms, size)[:, 0]


def choose_precision(settings: LocaliserSettings, data: Outlined, device: str, threads: int) -> str:
    """Return ``fp32`` or ``bf16``: as named, or what a short trial of training steps finds faster."""
    if settings.precision != "auto":
        return settings.precision
    if not engine.has_bf16(device):
        return "fp32"
    count = min(settings.batch, len(data.pixels))
    pixels, masks = torch.from_numpy(data.pixels[:count]), torch.from_numpy(data.masks[:count])
    seconds = {}
    with engine.reproducible(threads, device):
        for precision in ("fp32", "bf16"):
            torch.manual_seed(0)
            network = create_segmenter(settings.network, settings.width)
            network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimiser = torch.optim.AdamW(network.parameters())
            found = []
            for _ in range(_TIMED_STEPS + 1):
                start = time.perf_counter()
                _step(network, optimiser, pixels.to(device), masks.to(device), settings, precision)
                if device.startswith("cuda"):
                    torch.cuda.synchronize(device)
                found.append(time.perf_counter() - start)
            seconds[precision] = min(found[1:])
    return "bf16" if seconds["bf16"] * WORTH <= seconds["fp32"] else "fp32"
