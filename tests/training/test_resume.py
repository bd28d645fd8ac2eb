import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from isthmus.training import checkpoint
from isthmus.training.fit import run_fit
from tests.training.examples import store_of
from tests.training.killed_fit import SPEC

ROOT = Path(__file__).resolve().parents[2]


def kill_at_step(folder: Path, step: int, module: str = "killed_fit") -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.training.{module}", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[1]) >= step:
            process.kill()  # SIGKILL: nothing is cleaned up
            break
    process.communicate()
    assert process.returncode == (-9 if os.name == "posix" else 1)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run_fit(SPEC, store_of(), folder, device="cpu")
    return folder


def test_a_fit_killed_in_the_middle_of_an_epoch_and_resumed_leaves_the_same_bytes(uninterrupted, tmp_path):
    kill_at_step(tmp_path, int.from_bytes(os.urandom(1)) % 18 + 5)  # of 30 steps, past the first epoch's 3
    assert (tmp_path / checkpoint.NAME).is_file()
    assert not (tmp_path / "done.json").exists()
    epochs = []
    run_fit(SPEC, store_of(), tmp_path, lambda report: epochs.append(report.epoch), device="cpu")
    assert min(epochs) >= 1  # it went on, it did not begin anew
    for name in ("predictions.csv", "weights.safetensors", "fit.yaml"):
        assert (tmp_path / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    wall_time = ["seconds", "images_per_s"]
    resumed, whole = (pd.read_csv(folder / "log.csv").drop(columns=wall_time) for folder in (tmp_path, uninterrupted))
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    assert not (tmp_path / checkpoint.NAME).exists()


def test_the_same_fit_run_twice_leaves_the_same_bytes(uninterrupted, tmp_path):
    run_fit(SPEC, store_of(), tmp_path, device="cpu")
    for name in ("predictions.csv", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (uninterrupted / name).read_bytes(), name


def test_ctrl_c_reaches_the_caller_and_the_fit_resumes(uninterrupted, tmp_path):
    def interrupt(report):
        if report.step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fit(SPEC, store_of(), tmp_path, interrupt, device="cpu")
    run_fit(SPEC, store_of(), tmp_path, device="cpu")
    assert (tmp_path / "predictions.csv").read_bytes() == (uninterrupted / "predictions.csv").read_bytes()


def test_a_slow_disk_is_not_written_to_after_every_short_epoch(tmp_path, monkeypatch):
    keeper = checkpoint.Checkpoint(tmp_path, "")
    clock = iter([0.0, 1.0, 40.0, 60.0])  # saving takes a second, so 2 % allows the next one 50 s later
    monkeypatch.setattr(checkpoint.time, "perf_counter", lambda: next(clock))
    keeper.save(rows=[], network={}, optimiser={}, best=None)
    assert not keeper.due()
    assert keeper.due()
