"""Learning curves: ``log.csv`` and TensorBoard events, a row an epoch."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from isthmus.files import writing
from isthmus.tables.check import write_table

COLUMNS = (
    "epoch", "learning_rate", "train_loss", "train_accuracy", "tune_loss", "tune_accuracy", "tune_auc",
    "seconds", "images_per_s",
)  # fmt: skip
"""Of ``log.csv``. The last two are wall time: everything before them is the same in every run of the same fit."""

_EVENTS = "events.out.tfevents.0000000000.isthmus"
"""TensorBoard finds event files by ``tfevents``; its own writer would put the machine's name after it."""

Row = dict[str, float]


class Curves:
    """Writes the rows of a fit's epochs, beginning with those of the epochs that a resumed fit has behind it.

    Parameters
    ----------
    folder : Path
        Of the fit.
    rows : sequence of rows
        Of the epochs already done.
    """

    def __init__(self, folder: Path, rows: Sequence[Row] = ()) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

        self.rows: list[Row] = []
        self._path = folder / "log.csv"
        events = folder / "tensorboard" / _EVENTS
        with writing(events):
            events.parent.mkdir(parents=True, exist_ok=True)
            self._stream = events.open("wb")
        self._writer = RecordWriter(self._stream)
        self._event(file_version="brain.Event:2")
        for row in rows:
            self._add(row)
        self._save()

    def add(self, row: Row) -> None:
        """Add an epoch's row and write both files."""
        self._add(row)
        self._save()

    def close(self) -> None:
        """Close the event file."""
        self._stream.close()

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self._event(step=int(row["epoch"]), scalars={name: row[name] for name in COLUMNS[1:]})

    def _save(self) -> None:
        with writing(self._path):
            self._stream.flush()
        frame = pd.DataFrame(self.rows, columns=list(COLUMNS))
        write_table(self._path, frame.astype({"epoch": "int64"}))

    def _event(self, *, step: int = 0, scalars: Mapping[str, float] | None = None, file_version: str = "") -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

        event = Event(wall_time=time.time(), step=step)
        if file_version:
            event.file_version = file_version
        for name, value in (scalars or {}).items():
            if not math.isnan(value):
                # TensorBoard groups by what stands before the slash: train/loss, tune/auc.
                tag = name.replace("_", "/", 1) if name.startswith(("train_", "tune_")) else name
                event.summary.value.append(Summary.Value(tag=tag, simple_value=value))
        self._writer.write(event.SerializeToString())


def best_row(rows: Sequence[Row], on: str) -> Row:
    """Return the best epoch's row: highest tune AUC and, among equals, lowest tune loss; the earlier of two alike.

    Parameters
    ----------
    rows : sequence of rows
        At least one.
    on : {'auc', 'loss'}
        ``loss`` looks at the loss alone. An AUC that does not exist (a tuning part of one class) does so too.
    """

    def rank(row: Row) -> tuple[float, float]:
        auc = row["tune_auc"]
        return (0.0 if on == "loss" or math.isnan(auc) else -auc, row["tune_loss"])

    return min(rows, key=rank)
