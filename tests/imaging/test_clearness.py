"""How clear a frame is: held against SciPy's Sobel gradients and NumPy's deviation; blur and darkness cost."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from isthmus.imaging.clearness import CLEAR_AT_LEAST, clearest, clearness

from .speckle import speckle

FRAME = speckle(90, 120, 3)[..., None]
WINDOW = (20.0, 10.0, 100.0, 70.0)


def test_sharpness_and_contrast_are_those_of_another_program():
    part = FRAME[10:70, 20:100, 0].astype(np.float64) / 255
    # cv2.GaussianBlur of float pictures reaches 4 deviations, as scipy's default; both mirror at the edge alike.
    smooth = ndimage.gaussian_filter(part, 1.0, mode="mirror")
    gradient = sum((ndimage.sobel(smooth, axis, mode="mirror") / 8) ** 2 for axis in (0, 1))
    found = clearness(FRAME, WINDOW)
    assert found.sharpness == pytest.approx(gradient.mean(), rel=1e-3)
    assert found.contrast == pytest.approx(smooth.std(), rel=1e-3)


def test_a_blurred_frame_is_less_sharp_and_a_dark_one_has_less_contrast():
    blurred = cv2.GaussianBlur(FRAME, (0, 0), 3)[..., None]
    assert clearness(blurred, WINDOW).sharpness < clearness(FRAME, WINDOW).sharpness / 4
    assert clearness(FRAME // 4, WINDOW).contrast < clearness(FRAME, WINDOW).contrast / 3
    assert clearness(np.full_like(FRAME, 90), WINDOW) == (0.0, 0.0)


def test_only_what_lies_in_the_window_counts():
    other = FRAME.copy()
    other[:9], other[:, 101:] = 255, 0
    assert clearness(other, WINDOW) == clearness(FRAME, WINDOW)
    assert clearness(FRAME, (-5.0, -5.0, 900.0, 900.0)) == clearness(FRAME)
    assert clearness(FRAME, (200.0, 0.0, 220.0, 10.0)) == (0.0, 0.0)
    assert clearness(np.repeat(FRAME, 3, axis=2), WINDOW) == pytest.approx(clearness(FRAME, WINDOW), rel=1e-3)


@given(
    measured=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30).map(np.array),
    fewest=st.integers(1, 8),
    more=st.integers(0, 7),
)
def test_the_clear_ones_are_no_more_than_asked_for_and_none_left_out_is_clearer_in_both(measured, fewest, more):
    kept = clearest(measured, fewest, fewest + more)
    clear = np.count_nonzero(measured[:, 1] >= CLEAR_AT_LEAST * measured[:, 1].max())
    assert len(kept) == min(len(measured), fewest + more, max(fewest, clear))
    assert (np.diff(kept) > 0).all()
    left = np.setdiff1d(np.arange(len(measured)), kept)
    assert not any((measured[out] > measured[one]).all() for out in left for one in kept)


def test_frames_without_agent_are_not_clear_unless_too_few_others_are():
    dark, bright = (0.001, 0.01), (0.1, 0.14)
    measured = np.array([dark, dark, bright, bright, bright, dark])
    assert clearest(measured, 1, 15).tolist() == [2, 3, 4]
    assert clearest(measured, 5, 15).tolist() == [0, 1, 2, 3, 4]
