"""Pictures whose gain, depth, speckle and compression are changed, and whose lesion is painted out."""

import numpy as np
import pytest

from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.pixel_changes import PAINTED_OUT, PIXEL_CHANGES, changed_store, outlined

BY_NAME = {change.name: change for change in PIXEL_CHANGES}


@pytest.fixture
def tissue():
    """Grey texture with black padding above and a brighter lesion that is wider than high."""
    random = np.random.default_rng(0)
    picture = (90 + 20 * random.standard_normal((64, 64))).clip(1, 255).astype(np.uint8)
    picture[:6] = 0
    mask = np.zeros((64, 64), np.uint8)
    mask[28:38, 20:44] = 1
    picture[mask == 1] = 220
    return picture[None, ..., None], mask[None]


def _store(pixels, masks):
    count = len(pixels)
    names = [f"v{row}" for row in range(count)]
    affines, frames = np.zeros((count, 2, 3)), np.zeros((count, pixels.shape[1]), np.int64)
    return PreparedStore("key", pixels, masks, names, affines, {}, frames)


def _changed(name, tissue):
    return BY_NAME[name].apply(*tissue, "view")[0][0, ..., 0].astype(int)


def test_a_lesion_that_is_painted_out_leaves_neither_its_texture_nor_its_shape(tissue):
    pixels, masks = PAINTED_OUT.apply(*tissue, "view")
    square = masks[0].astype(bool)
    lines, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    assert len(lines) == len(columns) == 26  # the longer side of 24 and a tenth more
    assert square.sum() == 26 * 26
    assert square[tissue[1][0] == 1].all()
    assert np.unique(pixels[0][square]).size == 1
    left = ~square & (tissue[0][0, ..., 0] > 0)
    assert pixels[0][square][0, 0] == round(tissue[0][0, ..., 0][left].mean())
    assert (pixels[0, ..., 0] == tissue[0][0, ..., 0])[~square].all()


def test_what_was_in_the_lesion_plays_no_part_once_it_is_painted_out(tissue):
    pictures, masks = tissue
    other = pictures.copy()
    other[..., 0][masks == 1] = 3
    assert (PAINTED_OUT.apply(pictures, masks, "v")[0] == PAINTED_OUT.apply(other, masks, "v")[0]).all()


def test_a_clip_hides_in_every_frame_what_any_of_them_shows_of_the_lesion(tissue):
    pictures, masks = np.repeat(tissue[0], 3, axis=0), np.repeat(tissue[1], 3, axis=0)
    masks[1] = 0
    masks[2] = np.roll(masks[2], 10, axis=1)
    hidden = PAINTED_OUT.apply(pictures, masks, "clip", moving=True)[1]
    assert (hidden == hidden[0]).all()
    assert hidden[0][masks.any(axis=0)].all()


def test_a_picture_of_which_nothing_is_left_is_grey_and_not_absent():
    whole = np.full((1, 8, 8, 1), 77, np.uint8)
    pixels, _ = PAINTED_OUT.apply(whole, np.ones((1, 8, 8), np.uint8), "view")
    assert (pixels == 128).all()


@pytest.mark.parametrize(("name", "levels"), [("gain 6 dB higher", 25.5), ("gain 6 dB lower", -25.5)])
def test_gain_in_decibels_is_a_shift_of_grey_levels_on_a_display_of_60_db(tissue, name, levels):
    before = tissue[0][0, ..., 0].astype(int)
    found = _changed(name, tissue)
    unclipped = (before > 40) & (before < 200)
    assert (found - before)[unclipped] == pytest.approx(levels, abs=0.51)


def test_padding_and_colour_keep_their_values_under_gain_and_speckle(tissue):
    pictures = np.repeat(tissue[0], 3, axis=-1)
    pictures[0, 50:60, 5:20] = (200, 30, 30)
    for name in ("gain 6 dB higher", "2.8 dB of speckle added"):
        found = BY_NAME[name].apply(pictures, tissue[1], "view")[0]
        assert (found[0, 50:60, 5:20] == (200, 30, 30)).all()
        assert (found[0, :6] == 0).all()
        assert (found != pictures).any()


def test_a_modality_that_is_absent_stays_absent_whatever_is_changed(tissue):
    pictures = np.concatenate([tissue[0], np.zeros_like(tissue[0])])
    masks = np.concatenate([tissue[1], np.zeros_like(tissue[1])])
    for change in PIXEL_CHANGES:
        found, _ = change.apply(pictures, masks, "look")
        assert not found[1].any()
        assert (found[0] != pictures[0]).any()


def test_added_speckle_spreads_as_it_says_is_the_views_own_and_the_same_each_time(tissue):
    change = BY_NAME["1.4 dB of speckle added"]
    flat = np.full((1, 256, 256, 1), 128, np.uint8)
    masks = np.zeros((1, 256, 256), np.uint8)
    found = change.apply(flat, masks, "a")[0].astype(float)
    assert found.std() == pytest.approx(1.4 * 255 / 60, rel=0.02)
    assert (change.apply(flat, masks, "a")[0] == found).all()
    assert (change.apply(flat, masks, "b")[0] != found).any()
    clip = change.apply(np.repeat(flat, 2, axis=0), np.repeat(masks, 2, axis=0), "a")[0]
    assert (clip[0] != clip[1]).any()


def test_smoothing_and_depth_take_away_grain_and_jpeg_costs_more_the_lower_its_quality(tissue):
    before, rest = tissue[0][0, ..., 0].astype(int), np.s_[42:, :]
    for weaker, stronger in (("1.5 times as deep", "twice as deep"),):
        assert before[rest].std() > _changed(weaker, tissue)[rest].std() > _changed(stronger, tissue)[rest].std()
    assert _changed("speckle smoothed", tissue)[rest].std() < 0.5 * before[rest].std()
    errors = [np.abs(_changed(f"JPEG of quality {quality}", tissue) - before)[rest].mean() for quality in (50, 20)]
    assert 0 < errors[0] < errors[1]


def test_a_changed_store_reads_like_one_that_was_prepared_so(tissue):
    pixels = np.stack([np.roll(tissue[0], 3 * row, axis=2) for row in range(4)])
    masks = np.stack([np.roll(tissue[1], 3 * row, axis=2) for row in range(4)])
    store = _store(pixels, masks)
    for change in PIXEL_CHANGES:
        changed = changed_store(store, ["v3", "v1"], change, moving=False)
        assert changed.pixels.shape == (2, 1, 64, 64, 1)
        expected = [change.apply(pixels[row], masks[row], f"v{row}") for row in (3, 1)]
        rows = changed.rows(["v1", "v3"])
        assert (changed.pixels[rows] == np.stack([expected[1][0], expected[0][0]])).all()
        assert (changed.lesion_masks[rows] == np.stack([expected[1][1], expected[0][1]])).all()
        assert (changed.pixels[0] == expected[0][0]).all()
        assert (changed.lesion_masks[0] == expected[0][1]).all()
    keys = {changed_store(store, ["v3"], change, moving=False).key for change in PIXEL_CHANGES}
    assert len(keys) == len(PIXEL_CHANGES)
    assert changed_store(store, ["v3"], PAINTED_OUT, moving=False).key != (
        changed_store(store, ["v1"], PAINTED_OUT, moving=False).key
    )


def test_a_lesion_is_painted_out_only_where_every_picture_has_an_outline(tissue):
    absent = np.zeros_like(tissue[0])
    pixels = np.stack([np.concatenate([tissue[0], tissue[0]]), np.concatenate([tissue[0], absent])])
    masks = np.stack([np.concatenate([tissue[1], 0 * tissue[1]])] * 2)
    store = _store(pixels, masks)
    found = outlined(store, ["v0", "v1"], moving=False)
    assert found == {"v1": pytest.approx(1 - 26 * 26 / 64**2)}
    assert set(outlined(store, ["v0", "v1"], moving=True)) == {"v0", "v1"}
