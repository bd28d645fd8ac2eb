"""A short timed trial of training steps: which arithmetic is faster here, and how long a fit will take."""

import contextlib
import functools
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from isthmus.inference.batch import takes_masks
from isthmus.models.join_spec import JoinSpec
from isthmus.models.joined import joined
from isthmus.models.registry import create
from isthmus.training import augment, engine, steps
from isthmus.training.recompute import recomputing

if TYPE_CHECKING:
    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier
    from isthmus.training.settings import TrainSettings

WORTH = 1.05
"""How many times faster bf16 must be in the trial to be taken: less is noise, and fp32 is the safer arithmetic."""

_TIMED_STEPS = 3
_ENOUGH_S = 10.0


def choose_precision(
    network: str,
    options: Mapping[str, Any],
    *,
    classes: int,
    prepare: "Preparation",
    train: "TrainSettings",
    join: JoinSpec | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> Literal["fp32", "bf16"]:
    """Return the arithmetic of a fit's training steps, for ``FitSpec.precision``.

    What ``train.precision`` names is taken as it is. ``auto`` takes bf16 where the device multiplies it in hardware
    and a timed trial of whole training steps is at least 1.05 times faster than fp32; both with channels-last memory.
    Volumes are trained in fp32 on a CPU (:func:`isthmus.training.engine.volumes_in_bf16`).
    Trials are kept within the process: arms of the same network, size and batch share one.

    Parameters
    ----------
    network, options
        As in the registry.
    classes : int
        K.
    prepare : Preparation
        Gives size and channels.
    train : TrainSettings
        Gives batch, optimiser and augmentation.
    join : JoinSpec, optional
        Of a network that looks at several modalities.
    device : str, optional
        By default a GPU where there is one.
    threads : int, optional
        Of the CPU's arithmetic; by default as torch has it.

    Returns
    -------
    str
        ``'fp32'`` or ``'bf16'``.
    """
    if train.precision != "auto":
        return train.precision
    device = device or engine.default_device()
    if not engine.has_bf16(device) or (prepare.layout == "3d" and not engine.volumes_in_bf16(device)):
        return "fp32"
    key = _key(network, options, classes, prepare, train, join, device, threads)
    return "bf16" if _trial(key, "bf16") * WORTH <= _trial(key, "fp32") else "fp32"


def time_step(
    network: str,
    options: Mapping[str, Any],
    *,
    classes: int,
    prepare: "Preparation",
    train: "TrainSettings",
    precision: Literal["fp32", "bf16"],
    join: JoinSpec | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> float:
    """Return the seconds of one training step, measured; a trial of :func:`choose_precision` is used again.

    Parameters as there, and ``precision``, the resolved one. A fit takes about ``epochs * ceil(views / batch)`` times
    this, and a fifth more for the tuning part and the files.
    """
    return _trial(
        _key(network, options, classes, prepare, train, join, device or engine.default_device(), threads), precision
    )


def _key(
    network: str,
    options: Mapping[str, Any],
    classes: int,
    prepare: "Preparation",
    train: "TrainSettings",
    join: JoinSpec | None,
    device: str,
    threads: int | None,
) -> str:
    facts = {
        "network": network, "options": dict(options), "classes": classes, "device": device,
        "threads": threads or torch.get_num_threads(), "size": prepare.train_size, "crop": prepare.crop_size,
        "channels": prepare.input_channels, "prepare": prepare.model_dump(mode="json"),
        "train": train.model_dump(mode="json", include={"optimiser", "batch", "augment", "recompute"}),
        "join": None if join is None else join.model_dump(mode="json"),
    }  # fmt: skip
    return json.dumps(facts, sort_keys=True)


@functools.cache
def _trial(key: str, precision: str) -> float:
    """Return the fastest of a few steps on random pixels: the first one, which plans the kernels, does not count."""
    from isthmus.imaging.preparation import Preparation
    from isthmus.training.settings import TrainSettings

    facts = json.loads(key)
    prepare, train = Preparation.model_validate(facts["prepare"]), TrainSettings.model_validate(facts["train"])
    device, batch = torch.device(facts["device"]), train.batch
    engine.keep_memory()
    seconds = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(engine.quiet())
        stack.enter_context(engine.reproducible(facts["threads"], facts["device"]))
        generator = torch.Generator().manual_seed(0)
        join = None if facts["join"] is None else JoinSpec.model_validate(facts["join"])
        network = create(facts["network"], classes=facts["classes"], channels=facts["channels"], **facts["options"])
        network = joined(network, join)
        if train.recompute:
            stack.enter_context(recomputing(network))
        network = network.to(device)
        steps.channels_last(network)
        steps.quick_kernels(network)
        optimiser = steps.optimiser(network, train)
        source, masks = _views(network, prepare, train, generator, join)
        labels = (torch.arange(batch) % facts["classes"]).to(device)
        weights = torch.ones(facts["classes"], device=device)
        for _ in range(_TIMED_STEPS + 1):
            start = time.perf_counter()
            transforms = augment.draw(train.augment, batch, facts["size"], facts["crop"], generator)
            pixels = augment.apply(source.to(device), transforms, facts["crop"])
            marked = None if masks is None else augment.apply_to_masks(masks.to(device), transforms, facts["crop"])
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                logits = steps.forward(network, pixels, prepare, marked).logits
                loss = steps.weighted_loss(logits, labels, weights).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - start)
            if len(seconds) > 1 and sum(seconds) > _ENOUGH_S:
                break
    return min(seconds[1:])


def _views(
    network: "Classifier",
    prepare: "Preparation",
    train: "TrainSettings",
    generator: torch.Generator,
    join: JoinSpec | None,
) -> tuple[Tensor, Tensor | None]:
    """Return noise of a batch's shape, with masks for a network that looks at them."""
    frames = prepare.frames.count if prepare.frames is not None and prepare.sees_all_frames else 1
    side_by_side = frames if join is None else len(join.modalities)
    shape = (train.batch, side_by_side, prepare.train_size, prepare.train_size)
    pixels = torch.randint(0, 256, (*shape, prepare.colours), generator=generator, dtype=torch.uint8)
    return pixels, torch.ones(shape, dtype=torch.bool) if takes_masks(network) else None
