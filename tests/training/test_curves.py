import math

import pandas as pd

from isthmus.training.curves import COLUMNS, Curves, best_row


def row(epoch, auc, loss):
    return {**dict.fromkeys(COLUMNS, 0.5), "epoch": epoch, "tune_auc": auc, "tune_loss": loss}


def test_the_best_epoch_has_the_highest_auc_then_the_lowest_loss_then_comes_first():
    rows = [row(1, 0.7, 0.5), row(2, 0.8, 0.6), row(3, 0.8, 0.4), row(4, 0.8, 0.4)]
    assert best_row(rows, "auc")["epoch"] == 3


def test_the_loss_alone_decides_where_asked_or_where_there_is_no_auc():
    rows = [row(1, 0.9, 0.5), row(2, 0.1, 0.4)]
    assert best_row(rows, "loss")["epoch"] == 2
    assert best_row([row(1, math.nan, 0.5), row(2, math.nan, 0.4)], "auc")["epoch"] == 2


def test_a_resumed_log_continues_the_old_one(tmp_path):
    first = Curves(tmp_path)
    first.add(row(1, 0.7, 0.5))
    first.close()
    second = Curves(tmp_path, first.rows)
    second.add(row(2, 0.8, 0.4))
    second.close()
    frame = pd.read_csv(tmp_path / "log.csv")
    assert tuple(frame.columns) == COLUMNS
    assert frame["epoch"].tolist() == [1, 2]
    assert frame["tune_auc"].tolist() == [0.7, 0.8]


def test_tensorboard_reads_the_events_and_no_machine_name_is_in_them(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = Curves(tmp_path)
    curves.add(row(1, 0.75, 0.5))
    curves.add(row(2, math.nan, 0.25))
    curves.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("tune/loss")] == [(1, 0.5), (2, 0.25)]
    assert [(event.step, event.value) for event in events.Scalars("tune/auc")] == [(1, 0.75)]
    assert [path.name for path in (tmp_path / "tensorboard").iterdir()] == ["events.out.tfevents.0000000000.isthmus"]
