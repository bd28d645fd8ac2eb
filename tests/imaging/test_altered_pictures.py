"""Altered pictures: another content with, as far as it goes, the same grey values."""

import numpy as np
import pytest

from isthmus.imaging.altered_pictures import ALTERATIONS

PICTURES = np.random.default_rng(0).integers(1, 255, (2, 48, 48, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_picture_keeps_its_shape_and_becomes_another_the_same_each_time(name: str) -> None:
    changed = ALTERATIONS[name](PICTURES, np.random.default_rng(1))
    assert changed.shape == PICTURES.shape
    assert changed.dtype == np.uint8
    assert (changed != PICTURES).mean() > 0.5
    np.testing.assert_array_equal(changed, ALTERATIONS[name](PICTURES, np.random.default_rng(1)))


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_absent_modality_stays_absent(name: str) -> None:
    black = np.zeros_like(PICTURES)
    assert not ALTERATIONS[name](black, np.random.default_rng(1)).any()


@pytest.mark.parametrize("name", ["blocks shuffled", "noise"])
def test_the_grey_values_stay(name: str) -> None:
    changed = ALTERATIONS[name](PICTURES, np.random.default_rng(1))
    for channel in range(3):
        np.testing.assert_array_equal(
            np.sort(changed[..., channel].reshape(2, -1)), np.sort(PICTURES[..., channel].reshape(2, -1))
        )
