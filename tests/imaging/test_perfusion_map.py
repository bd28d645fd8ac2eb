"""Which cells around a lesion are gland, and which of its core stay dark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.imaging.perfusion_map import CellMap, comparison_cells, unenhanced_share
from isthmus.statistics.bolus import BolusFit

TIMES = np.arange(0, 60, 0.5)
GLAND, ARTERY, MUSCLE = (BolusFit(0.0, *rest, 0.75, 1.0) for rest in ((0.1, 10, 10), (0.5, 6.5, 5), (0.0015, 13, 14)))


def cells(gland, artery, muscle, seed=0):
    """Curves of so many cells of each tissue, with speckle."""
    random = np.random.default_rng(seed)
    kinds = [GLAND] * gland + [ARTERY] * artery + [MUSCLE] * muscle
    clean = np.stack([kind.curve(TIMES) for kind in kinds], axis=1)
    return clean * random.gamma(12.0, 1 / 12.0, clean.shape)


@pytest.mark.parametrize(("artery", "muscle"), [(0, 0), (0, 60), (12, 0), (12, 60), (30, 20)])
@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_gland_is_kept_arteries_and_muscle_are_not(artery, muscle, gain):
    chosen = comparison_cells(gain * cells(40, artery, muscle), TIMES)
    if artery:  # 7 dB above gland: the brightest 3 % decide how much of the gland is near enough to them
        assert chosen[:40].mean() > 0.3
    else:
        assert chosen[:40].mean() > 0.9
    assert not chosen[40:].any()


def test_letters_over_the_picture_are_no_tissue():
    curves = cells(40, 0, 20)
    letters = np.random.default_rng(1).uniform(0.2, 1.0, (len(TIMES), 15))
    chosen = comparison_cells(np.concatenate([curves, letters], axis=1), TIMES)
    assert chosen[:40].mean() > 0.9
    assert not chosen[40:].any()


def test_where_too_little_enhances_there_is_nothing_to_compare_with():
    assert not comparison_cells(cells(5, 3, 40), TIMES).any()


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_cells_does_not_matter(seed):
    curves = cells(30, 10, 20, seed)
    order = np.random.default_rng(seed).permutation(curves.shape[1])
    assert (comparison_cells(curves, TIMES)[order] == comparison_cells(curves[:, order], TIMES)).all()


def test_cells_hold_the_mean_around_the_lesion_and_dark_beyond_the_picture():
    found = CellMap(16.0, 8, 8)
    picture = np.arange(100.0, dtype=np.float32).reshape(10, 10)
    found.add(picture, 5.0, 5.0)
    found.add(picture, 0.0, 5.0)
    frames = found.frames()
    assert found.side == 2
    assert frames.shape == (2, 4, 4)
    assert frames[0, 0, 0] == picture[1:3, 1:3].mean()
    assert (frames[1, :, :2] == 0).all()
    assert found.share_of(picture >= 0, 0.0, 5.0)[:, 2:].min() == 1


def test_the_dark_share_is_that_of_the_core():
    lesion = np.zeros((10, 10), np.bool_)
    lesion[1:9, 1:9] = True
    core = np.zeros_like(lesion)
    core[3:8, 3:7] = True
    level = np.where(lesion, 1.0, 0.0)
    level[3:8, 3:4] = 0.1
    assert unenhanced_share(np.stack([level, level]).astype(np.float32), lesion, core) == pytest.approx(0.25)
    assert np.isnan(unenhanced_share(level[None].astype(np.float32), lesion, core & (level > 2)))
