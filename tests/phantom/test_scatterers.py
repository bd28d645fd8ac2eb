import numpy as np
import pytest

from isthmus.phantom.medium import Grid
from isthmus.phantom.scatterers import FixedScatterers

GRID = Grid(40.0, 35.0, 200, 300)


def test_strengths_are_standard_normal() -> None:
    strengths = FixedScatterers(1, "transverse", 0.0).slice(3, GRID)
    assert strengths.dtype == np.float32
    assert strengths.mean() == pytest.approx(0, abs=0.02)
    assert strengths.std() == pytest.approx(1, abs=0.01)
    assert (strengths**4).mean() == pytest.approx(3, abs=0.1)  # kurtosis of the normal distribution


def test_a_slice_is_the_same_whatever_was_asked_before() -> None:
    first, second = FixedScatterers(1, "transverse", 0.0), FixedScatterers(1, "transverse", 0.0)
    for index in range(-20, 20):
        first.slice(index, GRID)
    np.testing.assert_array_equal(first.slice(-20, GRID), second.slice(-20, GRID))


@pytest.mark.parametrize("other", [(2, "transverse", 3), (1, "longitudinal", 3), (1, "transverse", 4)])
def test_tissues_orientations_and_slices_draw_independently(other: tuple[int, str, int]) -> None:
    seed, orientation, index = other
    one = FixedScatterers(1, "transverse", 0.0).slice(3, GRID)
    two = FixedScatterers(seed, orientation, 0.0).slice(index, GRID)  # type: ignore[arg-type]
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.02


def test_speckle_stays_with_the_tissue_when_the_picture_moves_sideways() -> None:
    still = FixedScatterers(1, "transverse", 0.0).slice(0, GRID)
    moved = FixedScatterers(1, "transverse", 2.0).slice(0, GRID)  # 10 columns of 0.2 mm
    np.testing.assert_array_equal(moved[:, :-10], still[:, 10:])
