import dataclasses
import json
import os
import signal

import numpy as np
import pytest

from isthmus.errors import OutputError
from isthmus.training import schedule
from isthmus.training.schedule import Fit, pending, run_pending
from tests.training.examples import spec_of, store_of

STORES = {"key": store_of()}
BRIEF = {"epochs": 1}


def fits_in(folder, specs):
    return [Fit(spec, folder / f"fold-{spec.fold}") for spec in specs]


def test_a_failed_fit_is_listed_with_its_reason_and_the_others_go_on(tmp_path):
    fits = fits_in(
        tmp_path,
        [spec_of(fold=0, train=BRIEF), spec_of(fold=1, network="resnet81", train=BRIEF), spec_of(fold=2, train=BRIEF)],
    )
    ended = []
    failures = run_pending(fits, STORES, lambda fit, report: report or ended.append(fit), devices=["cpu"])
    assert [failure.fit for failure in failures] == [fits[1]]
    assert "resnet81" in failures[0].reason
    record = json.loads((fits[1].folder / "failed.json").read_text())
    assert record["reason"] == failures[0].reason
    assert record["fit"] == "image/resnet18/seed-0/fold-1"
    assert pending(fits) == [fits[1]]
    assert ended == fits


def test_a_fit_that_failed_is_tried_again_and_loses_its_record(tmp_path):
    (fit,) = fits_in(tmp_path, [spec_of(train=BRIEF)])
    assert run_pending([fit], {}, devices=["cpu"])[0].reason.startswith("no prepared store")
    assert (fit.folder / "failed.json").is_file()
    assert run_pending([fit], STORES, devices=["cpu"]) == []
    assert not (fit.folder / "failed.json").exists()
    assert pending([fit]) == []


def test_an_unexpected_error_is_recorded_with_its_place_but_no_folders(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(schedule, "run_fit", broken)
    (fit,) = fits_in(tmp_path, [spec_of()])
    (failure,) = run_pending([fit], STORES, devices=["cpu"])
    assert failure.reason == "ZeroDivisionError: of all things"
    record = json.loads((fit.folder / "failed.json").read_text())
    assert record["calls"][-1].startswith("test_schedule.py:")
    assert not any("/" in call for call in record["calls"])


def test_a_full_disk_stops_everything(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OutputError("the disk is full")

    monkeypatch.setattr(schedule, "run_fit", full)
    with pytest.raises(OutputError, match="the disk is full"):
        run_pending(fits_in(tmp_path, [spec_of()]), STORES, devices=["cpu"])


def memory_mapped(folder):
    """A store as the cache gives it: its arrays are parts of files."""
    store = store_of()
    arrays = {}
    for name in ("pixels", "lesion_masks"):
        np.save(folder / f"{name}.npy", getattr(store, name))
        arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return dataclasses.replace(store, **arrays)


@pytest.mark.skipif(os.name != "posix", reason="it kills a process by a POSIX signal")
def test_several_devices_share_the_fits_and_a_process_that_dies_is_one_failed_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "_child", _child_of_which_one_dies)
    fits = fits_in(tmp_path / "two", [spec_of(fold=0, train=BRIEF), spec_of(fold=1, train=BRIEF)])
    steps = []
    failures = run_pending(
        fits, {"key": memory_mapped(tmp_path)}, lambda fit, report: steps.append(report), devices=["cpu", "cpu"]
    )
    assert [failure.fit for failure in failures] == [fits[1]]
    assert "ended with code -9" in failures[0].reason
    assert max(report.step for report in steps if report) == 3
    alone = fits_in(tmp_path / "one", [fits[0].spec])
    run_pending(alone, STORES, devices=["cpu"])
    for name in ("predictions.csv", "weights.safetensors"):
        assert (fits[0].folder / name).read_bytes() == (alone[0].folder / name).read_bytes()


def _child_of_which_one_dies(connection, fit, store, place):
    if fit.spec.fold == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    schedule._child(connection, fit, store, place)


def test_a_worker_sends_its_steps_and_then_how_it_ended(tmp_path):
    class Connection(list):
        send = list.append

    done, failed = Connection(), Connection()
    schedule._child(done, Fit(spec_of(train=BRIEF), tmp_path / "a"), STORES["key"], "cpu")
    assert [report.step for report in done[:-1]] == [1, 2, 3, 3]
    assert done[-1] == "done"
    schedule._child(failed, Fit(spec_of(network="resnet81"), tmp_path / "b"), STORES["key"], "cpu")
    assert "resnet81" in str(failed[-1])


def test_a_memory_map_goes_to_a_worker_by_name_and_a_slice_of_one_by_value(tmp_path):
    pixels = memory_mapped(tmp_path).pixels
    rebuild, arguments = schedule._reduce_memmap(pixels)
    assert arguments[0].endswith("pixels.npy")
    assert np.array_equal(rebuild(*arguments), pixels)
    parts = schedule._reduce_memmap(pixels[5:9])
    rebuilt = parts[0](*parts[1])
    rebuilt.__setstate__(parts[2])
    assert np.array_equal(rebuilt, pixels[5:9])
