"""Heat inside the lesion and the pointing game, on maps whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import InputError
from isthmus.explain.localisation import (
    GAUSSIAN_SIGMA,
    centred_gaussian,
    heat_share,
    localise,
    pointing_game,
    summarise,
)


def square(size: int = 16, low: int = 4, high: int = 12) -> np.ndarray:
    mask = np.zeros((1, size, size), bool)
    mask[:, low:high, low:high] = True
    return mask


def test_a_flat_map_scores_the_lesion_s_area() -> None:
    # 8 x 8 of 16 x 16 is a quarter.
    assert heat_share(np.ones((1, 16, 16)), square()).tolist() == [0.25]


def test_heat_inside_and_outside_are_counted_by_their_sum() -> None:
    heat = np.zeros((1, 16, 16))
    heat[0, 5, 5], heat[0, 0, 0] = 3.0, 1.0
    assert heat_share(heat, square()).tolist() == [0.75]
    assert pointing_game(heat, square()).tolist() == [1.0]
    heat[0, 0, 0] = 4.0
    assert pointing_game(heat, square()).tolist() == [0.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_a_lesion_and_its_surroundings_share_all_heat_at_any_scale(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    heat, mask = generator.random((3, 9, 9)), generator.random((3, 9, 9)) > 0.5
    np.testing.assert_allclose(heat_share(heat * scale, mask) + heat_share(heat, ~mask), 1.0, atol=1e-9)
    assert (pointing_game(heat * scale, mask) + pointing_game(heat, ~mask) == 1.0).all()


def test_negative_heat_is_not_counted() -> None:
    heat = np.full((1, 16, 16), -5.0)
    heat[0, 6, 6] = 1.0
    assert heat_share(heat, square()).tolist() == [1.0]


def test_without_heat_or_lesion_there_is_no_answer() -> None:
    nothing, mask = np.zeros((1, 16, 16)), square()
    assert np.isnan(heat_share(nothing, mask)).all()
    assert np.isnan(pointing_game(nothing, mask)).all()
    assert np.isnan(heat_share(np.ones((1, 16, 16)), ~mask & mask)).all()


def test_equal_maxima_count_by_their_majority() -> None:
    heat = np.zeros((1, 16, 16))
    heat[0, 0, 0] = heat[0, 5, 5] = heat[0, 5, 6] = 1.0
    assert pointing_game(heat, square()).tolist() == [1.0]


def test_the_gaussian_holds_the_normal_law_s_share() -> None:
    # A square of one sigma around the middle holds erf(1 / sqrt 2)^2 = 0.4661 of a Gaussian; within four sigma
    # (sigma 0.125 of the side) the cut-off tails are 1e-4.
    mask = square(400, 150, 250)
    share = heat_share(centred_gaussian(400, 0.125)[None], mask)
    assert share[0] == pytest.approx(0.4661, abs=1e-3)


def test_the_gaussian_is_even_and_peaks_in_the_middle() -> None:
    map_ = centred_gaussian(64)
    np.testing.assert_allclose(map_, map_[::-1, ::-1])
    assert map_.max() == map_[31, 31] == map_[32, 32] == 1.0


def test_rows_put_the_map_beside_its_baselines() -> None:
    heat = np.zeros((2, 16, 16), np.float32)
    heat[0, 0, 0] = 1.0
    heat[1, 8, 8] = 1.0
    rows = localise(["007", "b"], heat, np.repeat(square(), 2, axis=0))
    assert rows["view_id"].tolist() == ["007", "b"]
    assert rows["heat_in_lesion"].tolist() == [0.0, 1.0]
    assert rows["pointing"].tolist() == [0.0, 1.0]
    assert rows["gaussian_pointing"].tolist() == [1.0, 1.0]
    assert rows["lesion_area"].tolist() == [0.25, 0.25]
    expected = heat_share(centred_gaussian(16, GAUSSIAN_SIGMA)[None], square())[0]
    assert rows["gaussian_in_lesion"].tolist() == [expected, expected]


def table(heat: list[float], gaussian: list[float], hits: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view_id": [str(row) for row in range(len(heat))],
            "heat_in_lesion": heat,
            "gaussian_in_lesion": gaussian,
            "lesion_area": 0.3,
            "pointing": hits,
            "gaussian_pointing": 1.0,
        }
    )


def test_the_summary_compares_view_by_view_and_counts_groups() -> None:
    generator = np.random.default_rng(0)
    gaussian = generator.uniform(0.3, 0.7, 60)
    rows = table(list(gaussian + 0.1), list(gaussian), [1.0] * 45 + [0.0] * 15)
    summary = summarise(rows, [str(row // 2) for row in range(60)])
    assert (summary["views"], summary["groups"], summary["left_out"]) == (60, 30, 0)
    # Every view gains exactly 0.1, so the paired interval has no width, however much the views differ.
    assert summary["difference"]["low"] == pytest.approx(0.1)
    assert summary["difference"]["high"] == pytest.approx(0.1)
    assert summary["pointing"]["estimate"] == 0.75
    assert summary["pointing_difference"]["estimate"] == pytest.approx(-0.25)
    assert "more than a Gaussian" in summary["sentence"]
    nine = summarise(rows[:18], [str(row // 2) for row in range(18)])
    assert "9 patients are too few to tell it from a Gaussian" in nine["sentence"]


def test_repeated_views_of_a_patient_do_not_narrow_the_interval() -> None:
    generator = np.random.default_rng(1)
    once = generator.uniform(0.2, 0.8, 25)
    single = summarise(table(list(once), [0.5] * 25, [1.0] * 25), [str(i) for i in range(25)])
    five = summarise(
        table(list(np.repeat(once, 5)), [0.5] * 125, [1.0] * 125), [str(i) for i in np.repeat(np.arange(25), 5)]
    )
    for limit in ("low", "high"):
        assert five["heat_in_lesion"][limit] == pytest.approx(single["heat_in_lesion"][limit], abs=1e-12)
    assert "not told apart" in single["sentence"]


def test_views_without_an_outline_are_left_out_and_counted() -> None:
    rows = table([0.5, np.nan, 0.6], [0.5] * 3, [1.0, np.nan, 0.0])
    summary = summarise(rows, ["a", "b", "c"])
    assert (summary["views"], summary["left_out"]) == (2, 1)


def test_a_cohort_without_outlines_has_no_summary() -> None:
    with pytest.raises(InputError, match="none of 1 views"):
        summarise(table([np.nan], [0.5], [np.nan]), ["a"])


def test_maps_and_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit together"):
        localise(["a"], np.ones((1, 8, 8)), square())
