"""Clips in the cache: the wanted frames and no others, one window, masks that belong to them; bad ones are listed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError
from isthmus.imaging import prepare_views as prepare_views_module
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import Lesion
from isthmus.imaging.clip_masks import read_clip_mask, write_clip_mask
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare
from isthmus.imaging.prepare_views import prepare_views
from isthmus.imaging.read import read_clip, read_frames, write_mask

from . import test_dicom
from .speckle import speckle
from .videos import encode

FRAMES, HEIGHT, WIDTH = 11, 64, 90
AREA = (0.0, 0.0, 90.0, 64.0)
FOUR = Preparation(train_size=24, frames=FrameSampling(count=2, stored=4))


@pytest.fixture
def pixels():
    tissue = speckle(HEIGHT, WIDTH, 3)
    return np.stack([np.roll(tissue, 5 * frame, axis=1) for frame in range(FRAMES)])


@pytest.fixture
def masks():
    """A lesion that is in plane from frame 2 to frame 8, largest in frame 6, and drifts."""
    made = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    for frame in range(2, 9):
        half = 8 - abs(6 - frame)
        made[frame, 30 - half : 30 + half, 20 + 3 * frame : 20 + 3 * frame + 2 * half] = True
    return made


@pytest.fixture
def item(tmp_path, pixels, masks):
    np.save(tmp_path / "sweep.npy", pixels)
    write_clip_mask(tmp_path / "masks.tiff", masks)
    return CacheItem("v", tmp_path / "sweep.npy", mask=tmp_path / "masks.tiff", scan_area=AREA)


@pytest.fixture
def decoded(monkeypatch):
    """Collect which frames are decoded."""
    asked = []

    def counted(source, **how):
        asked.append(how["frames"])
        return read_frames(source, **how)

    monkeypatch.setattr(prepare_views_module, "read_frames", counted)
    return asked


@pytest.fixture
def cache(tmp_path):
    return PreparedCache(tmp_path / "cache")


def test_a_store_holds_the_chosen_frames_as_prepare_gives_them(cache, item, masks, decoded):
    store = cache.store([item], FOUR)
    assert store.failures == {}
    assert store.pixels.shape == (1, 4, 24, 24, 1)
    assert store.lesion_masks.shape == (1, 4, 24, 24)
    # 7 frames show the lesion; the middles of their quarters are on the screen in frames 2, 4, 6 and 8.
    assert store.frame_indices.tolist() == [[2, 4, 6, 8]]
    assert decoded == [[2, 4, 6, 8]]
    assert store.frames() == {"v": (2, 4, 6, 8)}
    clip = read_clip(item.path)
    whole = prepare(replace(clip, lesion=Lesion(mask=masks), scan_area=AREA), FOUR)
    np.testing.assert_array_equal(store.pixels[0], whole.pixels[[2, 4, 6, 8]])
    np.testing.assert_array_equal(store.lesion_masks[0], whole.lesion_mask[[2, 4, 6, 8]])
    np.testing.assert_array_equal(store.source_to_prepared[0], whole.source_to_prepared)
    assert len(np.unique(store.lesion_masks[0].sum(axis=(1, 2)))) > 1


def test_every_kind_of_clip_and_of_mask_gives_the_same_pixels(cache, tmp_path, item, pixels, masks):
    pages = [Image.fromarray(frame) for frame in pixels]
    pages[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    (tmp_path / "folder").mkdir()
    for frame in range(FRAMES):
        pages[frame].save(tmp_path / "folder" / f"{frame}.png")
        write_mask(tmp_path / "masks" / f"case_{frame}_mask.png", masks[frame])
    pages[0].save(tmp_path / "sweep.gif", save_all=True, append_images=pages[1:], disposal=1, duration=40)
    dicom = test_dicom.write(tmp_path / "sweep.dcm", pixels)
    files = [item.path, tmp_path / "pages.tiff", tmp_path / "folder", tmp_path / "sweep.gif", dicom]
    items = [replace(item, view_id=str(number), path=path) for number, path in enumerate(files)]
    items.append(replace(item, view_id="folder of masks", mask=tmp_path / "masks"))
    store = cache.store(items, FOUR)
    assert store.failures == {}
    for row in range(1, len(items)):
        np.testing.assert_array_equal(store.pixels[row], store.pixels[0])
        np.testing.assert_array_equal(store.lesion_masks[row], store.lesion_masks[0])


@pytest.mark.parametrize(("name", "codec", "layout"), [("a.avi", "mjpeg", "yuvj420p"), ("a.mp4", "mpeg4", "yuv420p")])
def test_videos_are_prepared_and_those_cut_short_are_failures_with_the_reason(cache, tmp_path, name, codec, layout):
    path = encode(tmp_path / name, codec, layout)
    cut = tmp_path / f"cut_{name}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    items = [CacheItem("whole", path, box=(10, 10, 40, 40)), CacheItem("cut", cut, box=(10, 10, 40, 40))]
    store = cache.store(items, FOUR)
    assert store.view_ids == ["whole"]
    assert store.frame_indices.tolist() == [[3, 11, 18, 26]]
    assert f"cut_{name}" in store.failures["cut"]
    assert str(tmp_path) not in store.failures["cut"]


def test_masks_come_before_boxes_and_boxes_before_one_box(cache, item, masks):
    boxes = Lesion(mask=masks).boxes()
    by_boxes = replace(item, mask=None, boxes=boxes)
    by_box = replace(item, mask=None, box=(30.0, 20.0, 60.0, 40.0))
    all_three = replace(item, boxes=boxes[:4], box=by_box.box)
    stores = {name: cache.store([each], FOUR) for name, each in
              (("mask", item), ("boxes", by_boxes), ("box", by_box), ("all", all_three))}  # fmt: skip
    assert len({store.key for store in stores.values()}) == 4
    for other in ("boxes", "all"):  # the lesion is a square, so that its boxes are its masks
        np.testing.assert_array_equal(stores[other].pixels, stores["mask"].pixels)
        np.testing.assert_array_equal(stores[other].lesion_masks, stores["mask"].lesion_masks)
    assert stores["box"].frame_indices.tolist() == [[1, 4, 6, 9]]
    assert (stores["box"].lesion_masks[0] == stores["box"].lesion_masks[0, :1]).all()


def test_the_frame_of_the_largest_area_is_prepared_as_a_still_of_it_would_be(cache, tmp_path, item, pixels, masks):
    Image.fromarray(pixels[6]).save(tmp_path / "still.png")
    write_mask(tmp_path / "still_mask.png", masks[6])
    still = cache.store(
        [CacheItem("v", tmp_path / "still.png", tmp_path / "still_mask.png", scan_area=AREA)],
        Preparation(train_size=24),
    )
    picked = cache.store([item], Preparation(train_size=24, frames=FrameSampling(count=1, pick="largest_area")))
    assert picked.frame_indices.tolist() == [[6]]
    np.testing.assert_array_equal(picked.pixels, still.pixels)
    np.testing.assert_array_equal(picked.lesion_masks, still.lesion_masks)
    richest = Preparation(train_size=24, frames=FrameSampling(count=1, pick="calcification_richest"))
    assert "frame's number" in cache.store([item], richest).failures["v"]
    named = cache.store([replace(item, frames=(6,))], richest)
    np.testing.assert_array_equal(named.pixels, still.pixels)


def test_a_clip_shorter_than_what_is_stored_repeats_frames_and_decodes_each_once(cache, item, decoded):
    longer = Preparation(train_size=24, frames=FrameSampling(count=2, stored=14))
    store = cache.store([item], longer)
    assert store.frame_indices.tolist() == [[2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]]
    assert decoded == [list(range(2, 9))]
    np.testing.assert_array_equal(store.pixels[0, 0::2], store.pixels[0, 1::2])


def test_networks_of_volumes_and_of_frames_share_a_store(cache, item, decoded):
    volumes = cache.store([item], FOUR.model_copy(update={"layout": "3d", "normalise": "z"}))
    assert cache.store([item], Preparation(train_size=24, frames=FrameSampling(count=4))).key == volumes.key
    assert len(decoded) == 1


def test_variants_with_moved_boxes_keep_the_frames_of_the_lesion_and_decode_once(cache, tmp_path, item, decoded):
    drawn = cache.store([item], FOUR)
    del decoded[:]
    moved = [
        replace(item, mask=None, box=(20.0 + by, 15.0, 60.0 + by, 45.0), frames=drawn.frames()["v"]) for by in (0, 6)
    ]
    stores = cache.variants([[item], *([each] for each in moved)], FOUR)
    assert decoded == [[2, 4, 6, 8]]
    assert stores[0].key == drawn.key
    alone = PreparedCache(tmp_path / "other")
    for store, each in zip(stores[1:], moved, strict=True):
        assert store.frame_indices.tolist() == [[2, 4, 6, 8]]
        np.testing.assert_array_equal(store.pixels, alone.store([each], FOUR).pixels)
    # Left to choose, each region takes its own frames, out of one reading.
    free = [[replace(each, frames=None)] for each in (item, moved[0])]
    del decoded[:]
    first, second = PreparedCache(tmp_path / "third").variants(free, FOUR)
    assert decoded == [[1, 2, 4, 6, 8, 9]]
    assert second.frame_indices.tolist() == [[1, 4, 6, 9]]
    np.testing.assert_array_equal(second.pixels, alone.store(free[1], FOUR).pixels)
    np.testing.assert_array_equal(first.pixels, drawn.pixels)


def test_whatever_is_wrong_with_a_clip_is_its_own_failure_and_nothing_is_decoded(cache, tmp_path, item, decoded):
    write_clip_mask(tmp_path / "short.tiff", read_clip_mask(item.mask)[:7])
    write_clip_mask(tmp_path / "unseen.tiff", np.zeros((FRAMES, HEIGHT, WIDTH), bool))
    Image.fromarray(speckle(HEIGHT, WIDTH, 3)).save(tmp_path / "still.png")
    bad = {
        "mask of 7 frames": (replace(item, mask=tmp_path / "short.tiff"), r"has 7 frames \(short.tiff\).*expected 11"),
        "never seen": (replace(item, mask=tmp_path / "unseen.tiff"), "empty in all 11 frames"),
        "no boxes": (replace(item, mask=None, boxes=np.full((3, 4), np.nan)), "no frame has a lesion box"),
        "too many boxes": (replace(item, mask=None, boxes=np.ones((12, 4))), "frame 11"),
        "a still": (CacheItem("a", tmp_path / "still.png", box=(1, 1, 9, 9)), "it is a still.*expected a clip"),
        "missing": (replace(item, path=tmp_path / "no.avi"), "no.avi"),
        "frames it has not": (replace(item, frames=(2, 4, 6, 11)), "frame 11 was asked for"),
        "too few frames": (replace(item, frames=(2, 4)), "expected 4 in ascending order"),
        "out of order": (replace(item, frames=(4, 2, 6, 8)), "expected 4 in ascending order"),
    }
    items = [replace(each, view_id=name) for name, (each, _) in bad.items()]
    assert len(items) == 9
    store = cache.store([*items, item], FOUR)
    assert store.view_ids == ["v"]
    assert decoded == [[2, 4, 6, 8]]
    for name, (_, message) in bad.items():
        with pytest.raises(InputError, match=message):
            raise InputError(store.failures[name])


def test_of_one_region_that_is_wrong_the_others_do_not_suffer(item, tmp_path):
    write_clip_mask(tmp_path / "short.tiff", np.ones((7, HEIGHT, WIDTH), bool))
    found = prepare_views([replace(item, mask=tmp_path / "short.tiff"), item], FOUR, Limits())
    assert isinstance(found[0], InputError)
    assert found[1].frame_indices.tolist() == [2, 4, 6, 8]


def test_a_clip_of_one_frame_is_read_where_one_frame_is_wanted(cache, tmp_path):
    Image.fromarray(speckle(HEIGHT, WIDTH, 3)).save(tmp_path / "still.png")
    item = CacheItem("a", tmp_path / "still.png", box=(10.0, 10.0, 50.0, 50.0))
    one = cache.store([item], Preparation(train_size=24, frames=FrameSampling(count=1)))
    still = cache.store([item], Preparation(train_size=24))
    assert one.frame_indices.tolist() == still.frame_indices.tolist() == [[0]]
    np.testing.assert_array_equal(one.pixels, still.pixels)


def test_stores_of_clips_are_bounded_too(tmp_path, item):
    one = 4 * 24 * 24 * 2
    cache = PreparedCache(tmp_path / "cache", limit_bytes=int(2.5 * (one + 2000)))
    keys = [cache.store([replace(item, frames=(first, 4, 6, 8))], FOUR).key for first in (0, 1, 2, 3)]
    kept = {path.name for path in cache.folder.iterdir() if path.is_dir()}
    assert kept == set(keys[2:])
