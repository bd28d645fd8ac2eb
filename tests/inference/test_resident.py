"""One model behind all entrances: batched, in order, each with its own errors, closed cleanly."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.errors import InputError, PictureError
from isthmus.inference.engines import TorchEngine
from isthmus.inference.fused_case import Case, View
from isthmus.inference.load import load_bundle
from isthmus.inference.resident import Batches, Resident
from tests.inference.small_fused import fused_bundle
from tests.inference.small_models import BOX, bundle, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(tmp_path_factory.mktemp("resident") / "bundle")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("pictures")
    return [picture(place / f"{seed}.png", seed) for seed in range(6)]


@pytest.fixture
def resident(folder: Path) -> Iterator[Resident]:
    with Resident.load(folder, device="cpu", window_s=0.2) as found:
        yield found


class Counted:
    """Counts how often, and with how many views, an engine is asked."""

    name = "counted"

    def __init__(self, inner: Any) -> None:
        self.inner, self.asked = inner, list[int]()

    def view_scores(self, pixels: Any, masks: Any) -> Any:
        self.asked.append(len(pixels))
        if (pixels == 255).all(axis=(1, 2, 3, 4)).any():
            raise ValueError("a view that this engine cannot bear")
        return self.inner.view_scores(pixels, masks)

    def subset_logits(self, pixels: Any) -> Any:
        return self.inner.subset_logits(pixels)


def test_it_answers_as_the_predictor_does(resident: Resident, folder: Path, files: list[Path]) -> None:
    alone = load_bundle(folder, "cpu").predict(files, boxes=[BOX] * 6)
    found = resident.predict(files, boxes=[BOX] * 6)
    assert [one.probability for one in found] == pytest.approx([one.probability for one in alone], abs=1e-6)
    assert [one.sources for one in found] == [one.sources for one in alone]
    assert (resident.engine, resident.takes) == ("torch", "pictures")
    assert resident.ready_s > 0


def test_requests_of_several_threads_run_together_and_get_their_own_answers(folder: Path, files: list[Path]) -> None:
    plain = load_bundle(folder, "cpu")
    alone = {file: plain.predict([file], boxes=[BOX])[0].probability for file in files}
    counted = Counted(TorchEngine(plain.spec, plain.parts, "cpu"))
    start = threading.Barrier(len(files))
    with Resident(replace(plain, engine=counted), window_s=2.0) as resident:
        counted.asked.clear()

        def ask(file: Path) -> float:
            start.wait()
            return resident.predict([file], boxes=[BOX])[0].probability

        with ThreadPoolExecutor(len(files)) as pool:
            found = list(pool.map(ask, files))
    assert found == pytest.approx([alone[file] for file in files], abs=1e-6)
    assert sum(counted.asked) == len(files)
    assert len(counted.asked) < len(files)  # some ran together


def test_an_error_of_one_harms_no_other(resident: Resident, files: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:200])

    def ask(file: Path) -> Any:
        try:
            return resident.predict([file], boxes=[BOX])[0].probability
        except PictureError as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(ask, [files[0], broken, files[1]]))
    assert isinstance(found[1], PictureError)
    assert all(isinstance(one, float) for one in (found[0], found[2]))


def test_a_batch_that_fails_is_run_one_by_one(folder: Path) -> None:
    plain = load_bundle(folder, "cpu")
    counted, batches = Counted(TorchEngine(plain.spec, plain.parts, "cpu")), Batches(window_s=2.0)
    views = [np.full((1, 1, 72, 72, 1), value, np.uint8) for value in (10, 255, 20)]
    masks = np.zeros((1, 1, 72, 72), bool)
    start = threading.Barrier(3)

    def ask(pixels: Any) -> Any:
        with batches.caller():
            start.wait()
            try:
                return batches.ask(counted, "scores", pixels, masks)[0].logits
            except ValueError as error:
                return error

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(ask, views))
    batches.close()
    assert isinstance(found[1], ValueError)
    for place in (0, 2):
        np.testing.assert_allclose(found[place], counted.inner.view_scores(views[place], masks)[0].logits, atol=1e-6)


def test_nobody_waits_where_nobody_else_asks(folder: Path, files: list[Path]) -> None:
    with Resident.load(folder, device="cpu", window_s=60.0) as resident:
        assert len(resident.predict(files[:1], boxes=[BOX])) == 1  # a minute would be a failure of the whole suite


def test_it_closes_once_what_waits_is_answered_and_refuses_after(folder: Path, files: list[Path]) -> None:
    others = set(threading.enumerate())
    resident = Resident.load(folder, device="cpu")
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(resident.predict, [file], boxes=[BOX]) for file in files[:2]]
        assert all(one.result() for one in waiting)
    resident.close()
    resident.close()
    with pytest.raises(InputError, match=r"this model was closed\. Next: load it anew"):
        resident.predict(files[:1], boxes=[BOX])
    assert not any(thread.name == "isthmus networks" for thread in set(threading.enumerate()) - others)


def test_it_holds_a_fused_model_whose_members_share_the_queue(tmp_path: Path, files: list[Path]) -> None:
    folder = fused_bundle(tmp_path / "fused")
    case = Case({"bmode": [View(files[0], box=BOX)]}, {"age_years": 40, "sex": "F"}, name="n1")
    from isthmus.inference.any_bundle import load_bundle as load_any

    alone = load_any(folder, "cpu").predict([case])[0]  # type: ignore[list-item]
    with Resident.load(folder, device="cpu") as resident:
        assert resident.takes == "cases"
        assert resident.predict([case])[0].probability == pytest.approx(alone.probability, abs=1e-6)
