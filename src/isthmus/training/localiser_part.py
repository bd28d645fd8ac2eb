"""A part of a localiser: one fold's network, trained, judged on the groups that it did not see, and marked as done."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.files import make_folder, sha256_of_json, write_bytes, write_json
from isthmus.inference.localiser import Localiser
from isthmus.models.localiser_spec import LeastConfidence, LocaliserPart, LocaliserSpec, Segmenter, TrainedOn
from isthmus.progress import Progress
from isthmus.tables.check import write_table
from isthmus.training import engine
from isthmus.training.localiser_examples import LocaliserView, Outlined
from isthmus.training.localiser_fit import train_fold
from isthmus.training.localiser_scores import as_frame, judge_fold
from isthmus.training.localiser_settings import LocaliserSettings


def run_part(
    work: Path,
    fold: int,
    views: Sequence[LocaliserView],
    folds: dict[str, int],
    data: Outlined,
    settings: LocaliserSettings,
    how: dict[str, Any],
    device: str,
    progress: Progress | None,
) -> None:
    """Train and judge one part; a part with ``done.json`` is left as it is.

    Leaves ``parts/<fold>.safetensors`` and, in ``folds/<fold>/``, ``log.csv``, ``outcomes.csv`` and ``done.json``.
    """
    from safetensors.torch import save

    folder, part = work / "folds" / str(fold), work / "parts" / f"{fold}.safetensors"
    if (folder / "done.json").is_file():
        return
    make_folder(folder)
    rows = np.array([row for row, group in enumerate(data.groups) if folds[group] != fold])
    move = None if progress is None else lambda done, total: progress(f"part {fold + 1}", done, total)
    network, history, _ = train_fold(
        data, rows, fold, settings, folder, precision=how["precision"], threads=how["threads"], device=device,
        fingerprint=sha256_of_json({**how, "fold": fold}), progress=move,
    )  # fmt: skip
    content = save({name: value.contiguous() for name, value in network.state_dict().items()})
    write_bytes(part, content)
    held_out = [view for view in views if folds[view.group] == fold]
    training = [view for view in views if folds[view.group] != fold]
    judge = Localiser(draft_spec(settings), [network.to(device).requires_grad_(False)], device, {})
    watch = None if progress is None else lambda done, total: progress(f"part {fold + 1}, held out", done, total)
    with engine.reproducible(how["threads"], device):
        outcomes = judge_fold(judge, held_out, fold, training, watch)
    write_table(folder / "log.csv", pd.DataFrame(history).astype({"epoch": "int64"}))
    write_table(folder / "outcomes.csv", as_frame(outcomes))
    write_json(
        folder / "done.json",
        {
            "format": "isthmus-localiser-part/1.0",
            "sha256": hashlib.sha256(content).hexdigest(),
            "pictures": len(rows),
            "seconds": round(sum(row["seconds"] for row in history), 3),
        },
    )
    for left in (*folder.glob("checkpoint.pt"), *folder.glob(".checkpoint.*.partial.pt")):
        left.unlink()  # the second kind is what a kill leaves in the middle of saving


def draft_spec(settings: LocaliserSettings, **facts: Any) -> LocaliserSpec:
    """Return a specification without parts and confidence yet: a held-out part is asked for all that it finds."""
    nothing = "0" * 64
    values: dict[str, Any] = {
        "name": "in training",
        "parts": [LocaliserPart(file=f"parts/{part}.safetensors", sha256=nothing) for part in range(settings.folds)],
        "least_confidence": LeastConfidence(value=0.0, rule="none", chosen_on="nothing", coverage=1.0),
        "cohorts": [
            TrainedOn(name="in training", fingerprint="", licence="", simulated=False, views=0, groups=0),
        ],
        "pictures_sha256": nothing,
        **facts,
    }
    return LocaliserSpec(
        network=Segmenter(name=settings.network, width=settings.width), prepare=settings.prepare, **values
    )
