"""Key frames: sampled in time, clear, equally spaced around the largest lesion; the right panel of a double picture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isthmus.errors import PictureError
from isthmus.imaging.cache import CacheItem, PreparedCache
from isthmus.imaging.clip import ClipInfo
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.frames import FrameSampling, key_frames_in_words
from isthmus.imaging.key_frames import choose_key_frames, equally_spaced, frame_times, sampled
from isthmus.imaging.preparation import Preparation

from .speckle import speckle
from .videos import encode

SAMPLING = FrameSampling(count=5, pick="key_frames", every_s=2, clear=15)
PREPARATION = Preparation(train_size=24, layout="frames_as_channels", frames=SAMPLING)
HEIGHT, WIDTH = 64, 90
INFO = ClipInfo("clip", "npy", WIDTH, HEIGHT, 1, frames=40)

times = st.lists(st.floats(0.01, 3), min_size=1, max_size=60).map(np.cumsum)


def pixels(frames, dark=()):
    """Return frames of speckle; those without agent are almost black."""
    return np.stack([speckle(HEIGHT, WIDTH, 3, 2.0 if frame in dark else 60.0) for frame in range(frames)])[..., None]


def decoder(clip, asked):
    def decode(wanted):
        asked.extend(wanted)
        return iter(clip[list(wanted)])

    return decode


@given(times=times, every=st.floats(0.05, 8), data=st.data())
def test_samples_are_seen_and_so_many_seconds_apart(times, every, data):
    seen = data.draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times)).map(np.array))
    numbers = sampled(times, every, seen)
    assert len(numbers)
    assert (np.diff(numbers) > 0).all()
    assert seen[numbers].all() or not seen.any()
    mine = times[seen] if seen.any() else times
    assert len(numbers) <= (mine[-1] - mine[0]) / every + 2
    if len(np.unique(np.diff(mine).round(9))) <= 1 and len(mine) > 1 and mine[1] - mine[0] < every / 2:
        # Of frames at a steady rate each sample lies within half a frame of its moment.
        moments = mine[0] + every * np.arange(len(numbers))
        assert np.abs(times[numbers] - moments).max() <= (mine[1] - mine[0]) / 2 + 1e-9


@given(times=times, count=st.integers(1, 9), areas=st.booleans(), data=st.data())
def test_key_frames_are_different_where_there_are_enough_and_the_middle_one_is_as_large_as_any(
    times, count, areas, data
):
    sizes = st.lists(st.floats(1, 1000), min_size=len(times), max_size=len(times)).map(np.array)
    own = data.draw(sizes) if areas else None
    places = equally_spaced(times, own, count, 1.0)
    assert places.shape == (count,)
    if len(times) <= count:
        assert set(places) == set(range(len(times)))
        return
    assert (np.diff(places) > 0).all()
    assert places[0] >= 0
    assert places[-1] < len(times)
    if own is not None:
        inner = own[count // 2 : len(own) - (count - 1 - count // 2)]
        assert own[places[count // 2]] >= 0.95 * inner.max()


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(None, [0, 5, 10, 15, 20]), (10, [0, 5, 10, 15, 20]), (14, [8, 11, 14, 17, 20]), (1, [0, 1, 2, 3, 4])],
)
def test_of_a_steady_clip_the_intervals_are_equal_around_the_largest(largest, expected):
    areas = None
    if largest is not None:
        areas = np.full(21, 100.0)
        areas[largest] = 300.0
        areas[2] = max(areas[2], 200.0)  # the largest of those with two frames on either side
    assert equally_spaced(np.arange(21) * 2.0, areas, 5, 2.0).tolist() == expected


def test_of_a_probe_held_still_the_middle_is_taken_and_not_a_pixel_more():
    areas = np.full(21, 1000.0)
    areas[3] = 1003.0
    assert equally_spaced(np.arange(21) * 2.0, areas, 5, 2.0).tolist() == [0, 5, 10, 15, 20]


def test_dark_frames_and_frames_without_the_lesion_are_no_key_frames():
    clip, asked = pixels(40, dark=range(12)), []
    boxes = np.tile([20.0, 20.0, 60.0, 50.0], (40, 1))
    areas = np.full(40, 1200.0)
    boxes[36:], areas[36:] = np.nan, 0.0
    frames = choose_key_frames(SAMPLING, np.arange(40) / 1.0, boxes, areas, decoder(clip, asked))
    assert asked == list(range(0, 36, 2))  # only samples are decoded, once
    assert frames.tolist() == [14, 18, 22, 26, 30]
    everywhere = SAMPLING.model_copy(update={"within": "clip"})
    frames = choose_key_frames(everywhere, np.arange(40) / 1.0, boxes, areas, decoder(clip, []))
    assert frames.max() > 30


def test_sharp_frames_go_before_blurred_ones():
    clip = pixels(20)
    for frame in range(1, 20, 2):
        clip[frame] = np.roll(clip[frame], 1, 1) // 4 + clip[frame] // 4 + np.roll(clip[frame], 2, 1) // 2
    three = FrameSampling(count=3, pick="key_frames", every_s=1, clear=10)
    frames = choose_key_frames(three, np.arange(20) / 1.0, None, None, decoder(clip, []))
    assert not (frames % 2).any()


def test_a_clip_shorter_than_its_key_frames_repeats_some_and_leaves_none_out():
    asked = []
    frames = choose_key_frames(SAMPLING, np.arange(12) / 2.0, None, None, decoder(pixels(12), asked))
    assert frames.tolist() == [0, 0, 4, 8, 8]
    assert asked == []  # there is nothing to choose


def test_times_come_from_the_file_then_from_the_table_and_else_one_error_says_where_to_put_them():
    stated = replace(INFO, frame_times_s=tuple(np.arange(40) / 10))
    assert frame_times(stated, 4.0)[1] == 0.1
    assert frame_times(INFO, 4.0)[1] == 0.25
    assert frame_times(replace(INFO, frames=1), None).tolist() == [0.0]
    with pytest.raises(
        PictureError, match=r"does not say how many frames it has a second.*frame_rate_hz in views\.csv"
    ):
        frame_times(INFO, None)


class TestInTheCache:
    @pytest.fixture
    def item(self, tmp_path):
        np.save(tmp_path / "clip.npy", pixels(40, dark=range(12)))
        masks = np.zeros((40, HEIGHT, WIDTH), bool)
        masks[:, 20:50, 20:60] = True
        write_clip_mask(tmp_path / "masks.tiff", masks)
        return CacheItem("a", tmp_path / "clip.npy", mask=tmp_path / "masks.tiff", frame_rate_hz=1.0)

    def test_the_store_says_which_frames_they_are_and_shares_them_with_other_layouts(self, item, tmp_path):
        cache = PreparedCache(tmp_path / "cache")
        store = cache.store([item], PREPARATION)
        assert store.failures == {}
        assert store.frame_indices.tolist() == [[12, 18, 24, 30, 36]]
        assert store.pixels.shape == (1, 5, 24, 24, 1)
        volume = PREPARATION.model_copy(update={"layout": "3d", "normalise": "z"})
        assert cache.store([item], volume).key == store.key
        named = replace(item, frames=store.frames()["a"], frame_rate_hz=None)
        np.testing.assert_array_equal(cache.store([named], PREPARATION).pixels, store.pixels)

    def test_another_rate_is_another_store_and_none_is_a_listed_failure(self, item, tmp_path):
        cache = PreparedCache(tmp_path / "cache")
        slow = cache.store([replace(item, frame_rate_hz=2.0)], PREPARATION)
        # 20 s: seven samples with agent, 12, 16 ... 36.
        assert slow.frame_indices.tolist() == [[16, 20, 24, 28, 32]]
        none = cache.store([replace(item, frame_rate_hz=None)], PREPARATION)
        assert "frame_rate_hz in views.csv" in none.failures["a"]
        uniform = Preparation(train_size=24, frames=FrameSampling(count=2))
        keys = {cache.store([replace(item, frame_rate_hz=rate)], uniform).key for rate in (None, 1.0, 2.0)}
        assert len(keys) == 1  # a store made before rates were known goes on being found

    def test_a_video_states_its_own_rate(self, tmp_path):
        path = encode(tmp_path / "a.avi", "mjpeg", "yuvj420p", frames=100)  # 25 a second
        sampling = FrameSampling(count=3, pick="key_frames", every_s=1)
        preparation = Preparation(train_size=24, layout="3d", frames=sampling)
        items = [
            CacheItem("a", path, box=(10, 10, 40, 40)),
            CacheItem("b", path, box=(10, 10, 40, 40), frame_rate_hz=1),
        ]
        store = PreparedCache(tmp_path / "cache").store(items, preparation)
        assert store.frame_indices.tolist() == [[0, 25, 50]] * 2  # of 0, 1, 2 and 3 s

    def test_of_a_double_picture_the_panel_with_the_lesion_is_used_though_it_is_black_at_first(self, tmp_path):
        screen = np.zeros((20, 240, 400), np.uint8)
        screen[:, 20:220, 20:200] = speckle(200, 180, 1, 90.0)  # B-mode
        for frame in range(20):
            screen[frame, 20:220, 200:380] = speckle(200, 180, frame, 60.0 if frame > 5 else 1.0)
        np.save(tmp_path / "double.npy", screen[..., None])
        masks = np.zeros(screen.shape, bool)
        masks[:, 80:140, 205:265] = True  # at the seam
        write_clip_mask(tmp_path / "masks.tiff", masks)
        item = CacheItem("a", tmp_path / "double.npy", mask=tmp_path / "masks.tiff", frame_rate_hz=1.0)
        preparation = Preparation(train_size=90, margin=0.25, marks="keep", frames=SAMPLING, layout="3d")
        store = PreparedCache(tmp_path / "cache").store([item], preparation)
        assert store.failures == {}
        # The window of 90 pixels begins 10 to the left of the seam: that part is B-mode, and painted black.
        assert store.source_to_prepared[0].tolist() == [[1, 0, -190], [0, 1, -65]]
        assert not store.pixels[0, :, :, :10].any()
        frame = store.frame_indices[0, 2]
        np.testing.assert_array_equal(store.pixels[0, 2, :, 10:, 0], screen[frame, 65:155, 200:280])


def test_what_names_stores_and_fits_is_as_it_was_where_key_frames_are_not_used():
    # As of the release before them; the caches and fits of users go by it.
    before = {
        "crop": "lesion", "margin": 0.15, "marks": "erase", "denoise": "none", "channels": "gray", "train_size": 64,
        "frames": {"stored": 20, "pick": "uniform", "within": "lesion"},
    }  # fmt: skip
    preparation = Preparation(train_size=64, layout="3d", frames={"count": 16, "stored": 20})
    assert list(preparation.geometric().items()) == list(before.items())
    assert preparation.model_dump(mode="json")["frames"] == {"count": 16, **before["frames"]}
    key = PREPARATION.geometric()["frames"]
    assert key == {"stored": 5, "pick": "key_frames", "within": "lesion", "every_s": 2.0, "clear": 15}
    assert Preparation.model_validate(PREPARATION.model_dump(mode="json")) == PREPARATION


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": 5, "pick": "key_frames"}, "set every_s"),
        ({"count": 5, "every_s": 2}, "belong to pick 'key_frames'"),
        ({"count": 5, "clear": 9}, "belong to pick 'key_frames'"),
        ({"count": 5, "pick": "key_frames", "every_s": 2, "clear": 4}, "5 frames are stored, out of the 4 clearest"),
        ({"count": 5, "pick": "key_frames", "every_s": 2, "clear": 16}, "less than or equal to 15"),
        ({"count": 5, "pick": "key_frames", "every_s": 0}, "greater than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        FrameSampling(**fields)


def test_channels_are_colours_times_frames():
    assert PREPARATION.input_channels == 5
    assert PREPARATION.model_copy(update={"channels": "rgb"}).input_channels == 15
    assert PREPARATION.model_copy(update={"layout": "3d"}).input_channels == 1
    assert Preparation(channels="rgb").input_channels == 3
    with pytest.raises(ValidationError, match="layout 'frames_as_channels' is of several frames"):
        Preparation(layout="frames_as_channels")


def test_words_say_how_many_are_drawn_from():
    words = key_frames_in_words(FrameSampling(count=5, stored=9, pick="key_frames", every_s=1.5))
    assert words == (
        "5 key frames (9 in training, to draw from) at equal intervals around the largest lesion, out of one every "
        "1.5 s"
    )
