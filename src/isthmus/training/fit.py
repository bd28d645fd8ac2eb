"""One fit, from ``fit.yaml`` to ``done.json``."""

import contextlib
import math
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.errors import FitError
from isthmus.files import read_json, write_bytes, write_json
from isthmus.inference.batch import takes_masks
from isthmus.models.classifier import Classifier, parameter_count
from isthmus.models.descriptor_heads import WithDescriptors
from isthmus.models.joined import joined
from isthmus.models.registry import create
from isthmus.models.weights import Provenance, load_initial_weights
from isthmus.training import engine, steps
from isthmus.training.checkpoint import Checkpoint
from isthmus.training.curves import Curves
from isthmus.training.data import Store, TrainingBatches
from isthmus.training.descriptor_targets import DescriptorTargets
from isthmus.training.imbalance import balance_of
from isthmus.training.recompute import recomputing
from isthmus.training.scoring import write_scores
from isthmus.training.seeds import seed_of
from isthmus.training.spec import FitSpec
from isthmus.training.taken_over import take_over

with engine.quiet():
    from lightning.pytorch import Trainer

    from isthmus.training.module import FitModule
    from isthmus.training.recorder import FitProgress, Progress, Recorder

__all__ = ["FitProgress", "FitSpec", "Progress", "run_fit"]


def run_fit(
    spec: FitSpec, store: Store, folder: Path, progress: Progress | None = None, *, device: str | None = None
) -> None:
    """Train, predict, and leave ``done.json``; continue at the last saved epoch where a killed fit left one.

    Leaves ``fit.yaml``, ``log.csv``, ``tensorboard/``, ``weights.safetensors`` (the best epoch's),
    ``predictions.csv`` (``view_id``, ``part`` tune|cv, ``p_<class>`` after prior shift, computed in fp32),
    ``descriptors.csv`` where descriptors are learnt too, and ``done.json``.
    On one CPU machine a killed and resumed fit leaves the same bytes in the weights and predictions.
    A fit with ``weights_of`` trains nothing: it takes the other fit's network over and predicts.

    Parameters
    ----------
    spec : FitSpec
        What to do.
    store : Store
        The prepared pixels of all its views.
    folder : Path
        Of the fit; made if needed.
    progress : callable, optional
        Called after every training step and every epoch.
    device : str, optional
        ``cpu``, ``cuda:0``, …; by default a GPU where there is one.

    Raises
    ------
    FitError
        When a view is not in the store, a class has no training views, the loss leaves the numbers, the folder
        holds another fit, or the fit that is to be taken over is not done or another one.
    WeightsError
        When the initial weights are absent.
    """
    device = device or engine.default_device()
    if (folder / "done.json").is_file():
        Checkpoint(folder, spec.fingerprint()).delete()  # a kill right after done.json leaves it
        return
    _check(spec, store)
    if spec.precision == "bf16" and spec.prepare.layout == "3d" and not engine.volumes_in_bf16(device):
        raise FitError(
            "bfloat16 gives wrong gradients of 3D convolutions on a CPU", where=spec.name, expected="precision fp32",
            hint="set train.precision to fp32 or auto, or train on a GPU",
        )  # fmt: skip
    _claim(spec, folder)
    engine.keep_memory()
    with engine.quiet(), engine.reproducible(spec.threads, device):
        if spec.weights_of is None:
            _run(spec, store, folder, progress, device)
        else:
            take_over(spec, store, folder, device)


def _run(spec: FitSpec, store: Store, folder: Path, progress: Progress | None, device: str) -> None:
    fit_seed = seed_of(spec.seed, spec.fold)
    balance = balance_of(spec.train, spec.labels_of(spec.train_views), len(spec.classes))
    shift = balance.shift
    checkpoint = Checkpoint(folder, spec.fingerprint())
    state = checkpoint.load()
    classifier, origin = _classifier(spec, fit_seed)
    batches = TrainingBatches(
        store, spec.train_views, spec.labels_of(spec.train_views), spec.prepare, spec.train.augment,
        batch=spec.train.batch, seed=fit_seed, masks=takes_masks(classifier), hidden=spec.train.modality_dropout,
        balanced=spec.train.sampling == "balanced",
    )  # fmt: skip
    targets = None if spec.descriptors is None else DescriptorTargets(spec.descriptors, spec.train_views)
    module = FitModule(
        classifier, batches, spec.prepare, spec.train, balance=balance, seed=fit_seed, descriptors=targets
    )
    curves = Curves(folder, state["rows"] if state else ())
    try:
        recorder = Recorder(spec, store, curves, checkpoint, state, progress)
        _train(module, recorder, spec, folder, device)
    finally:
        curves.close()
    kept = recorder.kept(classifier)
    _save_weights(folder / "weights.safetensors", kept)
    classifier.load_state_dict(kept)
    write_scores(spec, store, classifier, shift, folder, device)
    row = recorder.kept_row()
    write_json(
        folder / "done.json",
        {
            "format": "isthmus-fit-done/1.0",
            "epochs": len(curves.rows),
            "best_epoch": int(row["epoch"]),
            "tune_auc": None if math.isnan(row["tune_auc"]) else row["tune_auc"],
            "precision": spec.precision,
            "device": _device_name(device),
            "threads": spec.threads,
            "classes": spec.classes,
            "log_prior_shift": shift,
            "parameters": parameter_count(classifier),
            "weights": None if origin is None else origin.to_json(),
            "seconds": round(sum(entry["seconds"] for entry in curves.rows), 3),
            "images_per_s": round(
                float(np.median([entry["images_per_s"] for entry in curves.rows[1:] or curves.rows])), 2
            ),
        },
    )
    checkpoint.delete()


def _check(spec: FitSpec, store: Store) -> None:
    known = set(store.view_ids)
    for view in [*spec.train_views, *spec.tune_views, *spec.held_out_views]:
        if view not in known:
            reason = store.failures.get(view, "it was never prepared")
            raise FitError(f"view {view} is not in the prepared store: {reason}", where=spec.name)
    counts = np.bincount(spec.labels_of(spec.train_views), minlength=len(spec.classes))
    for label, count in zip(spec.classes, counts, strict=True):
        if count == 0:
            raise FitError(
                f"no training view of class {label}", where=spec.name, expected="at least one of each class",
                hint="use fewer folds or another seed",
            )  # fmt: skip
    if spec.train.early_stopping and not spec.tune_views:
        raise FitError("early stopping without a tuning part", where=spec.name, hint="set train.early_stopping to null")


def _claim(spec: FitSpec, folder: Path) -> None:
    path = folder / "fit.yaml"
    if not path.is_file():
        spec.write(path)
    elif FitSpec.read(path) != spec:
        raise FitError(
            "the folder holds another fit", where=str(path), hint="remove the folder, or resume the run it belongs to"
        )


def _classifier(spec: FitSpec, fit_seed: int) -> tuple[Classifier, Provenance | None]:
    torch.manual_seed(seed_of(fit_seed, "initialisation"))
    classifier = create(spec.network, classes=len(spec.classes), channels=spec.channels, **spec.options)
    origin = None if spec.weights is None else load_initial_weights(classifier, spec.weights)
    classifier = joined(classifier, spec.join)
    if spec.descriptors is not None:
        classifier = WithDescriptors(classifier, spec.descriptors)
    steps.channels_last(classifier)
    steps.quick_kernels(classifier)
    return classifier, origin


def _train(module: FitModule, recorder: "Recorder", spec: FitSpec, folder: Path, device: str) -> None:
    where = torch.device(device)
    trainer = Trainer(
        accelerator="gpu" if where.type == "cuda" else "cpu",
        devices=[where.index or 0] if where.type == "cuda" else 1,
        precision="bf16-mixed" if spec.precision == "bf16" else "32-true",
        max_epochs=spec.train.epochs - len(recorder.curves.rows),
        logger=False,
        callbacks=[recorder],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    with _interruptible(), recomputing(module.classifier) if spec.train.recompute else contextlib.nullcontext():
        trainer.fit(module, train_dataloaders=range(module.batches.steps))


@contextlib.contextmanager
def _interruptible() -> Any:
    # Lightning answers Ctrl-C by ignoring the next one and leaving the interpreter; a library must not.
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def _save_weights(path: Path, state: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    write_bytes(path, save({name: value.contiguous() for name, value in state.items()}))


def _device_name(device: str) -> str:
    where = torch.device(device)
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu"


def read_done(folder: Path) -> dict[str, Any]:
    """Return ``done.json`` of a finished fit."""
    content: dict[str, Any] = read_json(folder / "done.json", name="fit-done")
    return content
