"""Heat on calcifications, on maps and masks whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.explain.calcifications import calcifications_on_crop, localise_calcifications, summarise_calcifications
from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare


def affine(scale: float, x0: float, y0: float) -> np.ndarray:
    """The way from the source to a window that starts at (x0, y0), as `prepare` writes it."""
    return np.array([[scale, 0, scale * (0.5 - x0) - 0.5], [0, scale, scale * (0.5 - y0) - 0.5]])


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 79), st.integers(20, 79), st.sampled_from([0.13, 0.4, 0.5, 1.0, 2.5]), st.integers(0, 3))
def test_one_source_pixel_is_found_at_every_scale_where_the_affine_takes_it(x, y, scale, offset):
    mask = np.zeros((100, 100), bool)
    mask[y, x] = True
    size = round(60 * scale)
    matrix = affine(size / 60, 20, 20)
    crop = size - 2 * offset
    found = np.argwhere(calcifications_on_crop(mask, matrix, size, crop))
    expected = matrix @ [x, y, 1] - offset
    if ((expected > 0) & (expected < crop - 1)).all():
        assert len(found), "a speck was lost"
        assert (np.abs(found.mean(axis=0) - expected[::-1]) <= max(0.5, scale / 2) + 0.5).all()


def test_masks_and_pixels_go_the_same_way():
    # A bright block is prepared as a picture, and its mask by the affine: they must lie on each other.
    frame = np.full((120, 160, 1), 20, np.uint8)
    block = np.zeros((120, 160), bool)
    block[50:62, 70:79] = True
    frame[block] = 220
    lesion = np.zeros((120, 160), bool)
    lesion[30:90, 50:110] = True
    clip = Clip(frames=frame[None], lesion=Lesion.still(mask=lesion), modality="bmode", scan_area=(0, 0, 160, 120))
    preparation = Preparation(train_size=40, crop_size=32, marks="keep")
    prepared = prepare(clip, preparation)
    seen = prepared.pixels[0, 4:36, 4:36, 0] > 120
    mapped = calcifications_on_crop(block, prepared.source_to_prepared, 40, 32)
    assert (mapped >= seen).all()
    assert mapped.sum() <= 1.8 * seen.sum()


def test_even_heat_scores_the_area_and_a_view_without_calcifications_scores_nothing():
    masks = np.zeros((2, 10, 10), bool)
    masks[0, :2, :5] = True
    found = localise_calcifications(np.ones((2, 10, 10)), masks)
    assert found["heat_in_calcifications"][0] == pytest.approx(0.1)
    assert found["calcification_area"][0] == pytest.approx(0.1)
    assert all(np.isnan(values[1]) for values in found.values())


def test_the_summary_counts_only_views_with_calcifications_and_puts_chance_beside_the_heat():
    rows = pd.DataFrame(
        {
            "heat_in_calcifications": [0.5, 0.3, np.nan, 0.1],
            "calcification_area": [0.1, 0.1, np.nan, 0.1],
            "calcification_pointing": [1.0, 0.0, np.nan, 0.0],
        }
    )
    found = summarise_calcifications(rows, ["a", "a", "b", "c"])
    assert found is not None
    assert (found["views"], found["groups"]) == (3, 2)
    assert found["difference"]["estimate"] == pytest.approx(0.2)
    assert found["pointing"]["estimate"] == pytest.approx(1 / 3)
    assert summarise_calcifications(rows.iloc[[2]], ["b"]) is None
