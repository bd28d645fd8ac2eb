"""The cache: decoded once, found again, whole or not at all, never larger than its limit."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError, OutputError
from isthmus.imaging import cache as cache_module
from isthmus.imaging import cache_fill, prepare_views
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import Lesion
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare
from isthmus.imaging.read import read_clip, read_frames, write_mask

from .speckle import speckle

SMALL = Preparation(train_size=24)


@pytest.fixture
def items(tmp_path):
    """Four views: by box, by mask, by both, and one whose file is cut short."""
    mask = np.zeros((80, 100), bool)
    mask[20:50, 30:70] = True
    write_mask(tmp_path / "mask.png", mask)
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(speckle(80, 100, number)).save(paths[-1])
    paths[3].write_bytes(paths[3].read_bytes()[:3000])
    return [
        CacheItem("a", paths[0], box=(10, 10, 50, 40)),
        CacheItem("b", paths[3], box=(10, 10, 50, 40)),
        CacheItem("c", paths[1], mask=tmp_path / "mask.png"),
        CacheItem("d", paths[2], mask=tmp_path / "mask.png", box=(30, 20, 70, 50), scan_area=(0, 0, 90, 80)),
    ]


@pytest.fixture
def reads(monkeypatch):
    """Count how often a picture is decoded."""
    counted = []

    def read(source, **how):
        counted.append(Path(source.info.source).name)
        return read_frames(source, **how)

    monkeypatch.setattr(prepare_views, "read_frames", read)
    return counted


def test_a_store_holds_what_prepare_gives_and_names_what_failed(tmp_path, items):
    calls = []
    store = PreparedCache(tmp_path / "cache").store(items, SMALL, progress=lambda *call: calls.append(call))
    assert store.view_ids == ["a", "c", "d"]
    assert store.pixels.shape == (3, 1, 24, 24, 1)
    assert store.lesion_masks.shape == (3, 1, 24, 24)
    assert calls == [("preparing pictures", done, 4) for done in (1, 2, 3, 4)]
    assert list(store.failures) == ["b"]
    assert "3.png" in store.failures["b"]
    assert str(tmp_path) not in store.failures["b"]
    clip = read_clip(items[0].path)
    expected = prepare(type(clip)(clip.frames, lesion=Lesion.still(box=(10, 10, 50, 40))), SMALL)
    np.testing.assert_array_equal(store.pixels[0], expected.pixels)
    np.testing.assert_array_equal(store.lesion_masks[0], expected.lesion_mask)
    np.testing.assert_array_equal(store.source_to_prepared[0], expected.source_to_prepared)
    assert store.rows(["d", "a"]).tolist() == [2, 0]
    with pytest.raises(InputError, match=r"view b .*cut short"):
        store.rows(["b"])
    with pytest.raises(InputError, match="view z"):
        store.rows(["z"])


def test_the_second_call_decodes_nothing_and_is_memory_mapped(tmp_path, items, reads):
    first = PreparedCache(tmp_path / "cache").store(items, SMALL)
    assert len(reads) == 4
    second = PreparedCache(tmp_path / "cache").store(items, SMALL.model_copy(update={"normalise": "z"}))
    assert len(reads) == 4
    assert isinstance(second.pixels, np.memmap)
    assert not second.pixels.flags.writeable
    assert second.key == first.key
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert second.failures == first.failures


def test_any_change_of_what_matters_makes_another_store(tmp_path, items, monkeypatch):
    cache = PreparedCache(tmp_path / "cache")
    keys = {cache.store(items, SMALL).key}
    keys.add(cache.store(items, Preparation(train_size=24, margin=0.3)).key)
    keys.add(cache.store([CacheItem("a", items[0].path, box=(10, 10, 50, 41)), *items[1:]], SMALL).key)
    keys.add(cache.store([CacheItem("a", items[0].path, box=(10, 10, 50, 40), scan_area=(0, 0, 80, 80))], SMALL).key)
    monkeypatch.setattr(cache_module, "CODE_VERSION", 999)
    keys.add(cache.store(items, SMALL).key)
    mask = np.zeros((80, 100), bool)
    mask[5:9, 5:9] = True
    write_mask(items[2].mask, mask)
    keys.add(cache.store(items, SMALL).key)
    Image.fromarray(speckle(80, 100, 77)).save(items[0].path)
    keys.add(cache.store(items, SMALL).key)
    assert len(keys) == 7


@pytest.mark.parametrize("damage", ["cut", "missing", "index"])
def test_a_damaged_store_is_noticed_and_filled_again(tmp_path, items, reads, damage):
    cache = PreparedCache(tmp_path / "cache")
    whole = np.array(cache.store(items, SMALL).pixels)
    folder = next(path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    if damage == "cut":
        (folder / "pixels.npy").write_bytes((folder / "pixels.npy").read_bytes()[:-1])
    elif damage == "missing":
        (folder / "lesion_masks.npy").unlink()
    else:
        (folder / "index.json").write_text("{")
    np.testing.assert_array_equal(cache.store(items, SMALL).pixels, whole)
    assert len(reads) == 8


@pytest.mark.parametrize("method", ["none", "median", "nlm", "srad"])
@pytest.mark.parametrize("marks", ["erase", "keep"])
def test_variants_of_pictures_are_decoded_once_and_equal_the_stores_made_one_by_one(
    tmp_path, items, reads, method, marks
):
    from dataclasses import replace

    preparation = Preparation(train_size=24, denoise=method, marks=marks)
    boxes = [(10, 10, 50, 40), (14, 8, 54, 38), (60, 50, 99, 79), (400, 400, 420, 420)]  # the last lies outside
    variants = [items] + [[replace(item, mask=None, box=box) for item in items] for box in boxes]
    together = PreparedCache(tmp_path / "together").variants(variants, preparation)
    assert len(reads) == 4
    for items_of_one, store in zip(variants, together, strict=True):
        alone = PreparedCache(tmp_path / "alone").store(items_of_one, preparation)
        assert store.key == alone.key
        for file in (tmp_path / "alone" / alone.key).iterdir():
            assert file.read_bytes() == (tmp_path / "together" / store.key / file.name).read_bytes()
    assert "outside" in together[-1].failures["a"]
    before = len(reads)
    PreparedCache(tmp_path / "together").variants(variants, preparation)
    assert len(reads) == before


def test_variants_of_other_pictures_are_refused(tmp_path, items):
    with pytest.raises(InputError, match="not of the same pictures"):
        PreparedCache(tmp_path / "cache").variants([items, items[::-1]], SMALL)


def test_two_at_once_fill_it_once(tmp_path, items, reads):
    stores = []
    threads = [
        threading.Thread(target=lambda: stores.append(PreparedCache(tmp_path / "cache").store(items, SMALL)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 3
    assert len(reads) == 4


def test_a_failed_fill_leaves_no_store(tmp_path, items, monkeypatch):
    def stop(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    cache = PreparedCache(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        cache.store(items, SMALL, progress=stop)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["fill.lock"]
    assert len(cache.store(items, SMALL).view_ids) == 3


def test_a_full_disk_is_told_in_one_line(tmp_path, items, monkeypatch):
    def full(self, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_fill.ArrayFile, "append", full)
    with pytest.raises(OutputError, match="disk is full"):
        PreparedCache(tmp_path / "cache").store(items, SMALL)


def test_stores_unused_for_longest_go_first_and_leftovers_too(tmp_path, items):
    cache = PreparedCache(tmp_path / "cache")
    keys = [cache.store(items, Preparation(train_size=24, margin=margin)).key for margin in (0.1, 0.2, 0.3)]
    for age, key in enumerate(keys):
        os.utime(tmp_path / "cache" / key / "index.json", (1000 + age, 1000 + age))
    cache.store(items, Preparation(train_size=24, margin=0.1))  # used again: now the youngest
    (tmp_path / "cache" / ("0" * 32 + ".partial")).mkdir()
    (tmp_path / "cache" / "notes").mkdir()  # not a store: not ours to remove
    size = sum(file.stat().st_size for file in (tmp_path / "cache" / keys[0]).iterdir())
    bounded = PreparedCache(tmp_path / "cache", limit_bytes=2 * size + size // 2)
    newest = bounded.store(items, Preparation(train_size=24, margin=0.4)).key
    left = {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()}
    assert left == {keys[0], newest, "notes"}


def test_a_store_in_which_every_picture_failed_is_empty_but_whole(tmp_path, items):
    cache = PreparedCache(tmp_path / "cache")
    missing = CacheItem("m", tmp_path / "missing.png", box=(1, 1, 9, 9))
    for _ in range(2):
        store = cache.store([items[1], missing], SMALL)
        assert store.pixels.shape == (0, 1, 24, 24, 1)
        assert set(store.failures) == {"b", "m"}


def test_a_view_may_come_only_once(tmp_path, items):
    with pytest.raises(InputError, match="view a comes twice"):
        PreparedCache(tmp_path / "cache").store([items[0], items[0]], SMALL)


def test_a_picture_without_a_region_is_a_failure_not_the_end(tmp_path, items):
    store = PreparedCache(tmp_path / "cache").store([CacheItem("n", items[0].path), items[2]], SMALL)
    assert store.view_ids == ["c"]
    assert "lesion" in store.failures["n"]


def test_a_frame_folder_is_known_by_its_frames_and_a_clip_is_refused_before_it_is_decoded(tmp_path, reads):
    folder = tmp_path / "sweep"
    folder.mkdir()
    Image.fromarray(speckle(80, 100, 0)).save(folder / "0.png")
    cache = PreparedCache(tmp_path / "cache")
    item = CacheItem("a", folder, box=(10, 10, 50, 40))
    first = cache.store([item], SMALL)
    assert first.view_ids == ["a"]
    Image.fromarray(speckle(80, 100, 1)).save(folder / "0.png")
    assert cache.store([item], SMALL).key != first.key
    Image.fromarray(speckle(80, 100, 2)).save(folder / "1.png")
    before = len(reads)
    assert "it has 2 frames" in cache.store([item], SMALL).failures["a"]
    assert len(reads) == before
