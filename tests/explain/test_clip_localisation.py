"""Which frames the heat lies on, and bright specks as a baseline, on maps whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from isthmus.explain.bright_specks import bright_specks, localise_baselines, on_grid, summarise_baselines
from isthmus.explain.clip_localisation import attended_frames, frame_attention, localise_frames, summarise_frames
from isthmus.explain.localisation import localise


def test_a_frame_s_attention_is_its_share_of_the_clip_s_heat() -> None:
    heat = np.zeros((2, 4, 8, 8))
    heat[0, 1, 2, 2], heat[0, 3, :2, :2], heat[0, 0, 0, 0] = 1.0, 0.75, -5.0
    found = frame_attention(heat)
    assert found[0].tolist() == [0.0, 0.25, 0.0, 0.75]
    assert np.isnan(found[1]).all()


def test_the_frame_of_most_heat_is_asked_what_it_shows() -> None:
    attention = np.array([[0.1, 0.6, 0.3], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [np.nan] * 3])
    shows = np.array([[False, True, False], [False, True, True], [False] * 3, [True, False, False]])
    found = attended_frames(attention, shows)
    np.testing.assert_allclose(found["top"], [1.0, 0.0, np.nan, np.nan])
    np.testing.assert_allclose(found["chance"], [1 / 3, 2 / 3, np.nan, np.nan])
    np.testing.assert_allclose(found["rank"], [1.0, 0.0, np.nan, np.nan])


def test_frames_that_share_one_step_of_a_map_are_ties_and_no_answer() -> None:
    found = attended_frames(np.full((1, 4), 0.25), np.array([[True, False, False, False]]))
    assert found["top"].tolist() == found["chance"].tolist() == [0.25]
    assert found["rank"].tolist() == [0.5]


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 20), st.integers(0, 10_000))
def test_the_percentile_is_that_of_mann_and_whitney(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(1, 6, count) / 5.0
    shows = random.random(count) < 0.5
    shows[:2] = True, False
    rank = attended_frames((values / values.sum())[None], shows[None])["rank"][0]
    within, without = values[shows], values[~shows]
    assert rank == pytest.approx(mannwhitneyu(within, without).statistic / (within.size * without.size))


def clips(tops: list[int], *, shown: tuple[int, ...] = (2, 3)) -> pd.DataFrame:
    attention = np.full((len(tops), 6), 0.1)
    attention[np.arange(len(tops)), tops] = 0.5
    shows = np.zeros((len(tops), 6), bool)
    shows[:, list(shown)] = True
    frames = np.tile(np.arange(10, 22, 2), (len(tops), 1))
    return pd.DataFrame(localise_frames(attention, frames, {"calcified": shows, "lesion": np.ones_like(shows)}))


def test_the_table_names_the_frame_in_the_source_s_own_numbers() -> None:
    rows = clips([2, 0])
    assert rows["frame"].tolist() == [14, 10]
    assert rows["frame_heat"].tolist() == [0.5, 0.5]


def test_the_summary_stands_beside_chance_and_counts_patients() -> None:
    rows = clips([2, 3, 2, 3, 3, 0] * 2)
    found = summarise_frames(rows, ["a", "a", *"bcdefghijk"])
    calcified = found["calcified"]
    assert (calcified["clips"], calcified["groups"], calcified["every_frame"]) == (12, 11, 0)
    assert calcified["top"]["estimate"] == pytest.approx(5 / 6)
    assert calcified["chance"]["estimate"] == pytest.approx(1 / 3)
    assert "more often than a frame chosen by chance (0.33" in calcified["sentence"]
    assert found["lesion"]["clips"] == 0
    assert "12 clips show it in every frame" in found["lesion"]["sentence"]
    even = clips([2, 0, 1] * 4)
    assert "not told apart" in summarise_frames(even, [str(one) for one in range(12)])["calcified"]["sentence"]
    assert "2 patients are too few" in summarise_frames(clips([2, 2]), ["a", "b"])["calcified"]["sentence"]


def test_a_clip_s_lesion_is_counted_over_all_its_frames() -> None:
    heat, masks = np.zeros((1, 2, 16, 16)), np.zeros((1, 2, 16, 16), bool)
    masks[0, 0, 4:12, 4:12] = True
    heat[0, 0, 6, 6], heat[0, 1, 6, 6] = 1.0, 0.5
    (row,) = localise(["v"], heat, masks).to_dict("records")
    assert row["heat_in_lesion"] == pytest.approx(2 / 3)
    assert row["lesion_area"] == pytest.approx(0.125)
    assert row["gaussian_in_lesion"] < 0.5
    assert row["pointing"] == 1.0


def speckled(size: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with a bright speck, which is a calcification, and a bright smooth hill, which is none."""
    hill = np.exp(-0.5 * (((np.arange(size) - 10) / 8)[:, None] ** 2 + ((np.arange(size) - 24) / 8)[None] ** 2))
    picture = np.broadcast_to((60 + 100 * hill).astype(np.uint8)[None, None, ..., None], (1, 3, size, size, 1)).copy()
    mask = np.zeros((1, 3, size, size), bool)
    mask[0, 1, 24:26, 10:12] = True
    picture[mask] = 240
    return picture, mask


def test_bright_specks_are_small_and_bright_and_a_smooth_bright_hill_is_none() -> None:
    picture, mask = speckled()
    specks = bright_specks(picture)
    assert specks[mask].min() > 100
    assert specks[~mask].max() < 12


def test_specks_find_a_speck_wholly_and_on_a_coarse_grid_no_better_than_the_truth_does() -> None:
    _, mask = speckled()
    picture = np.where(mask[..., None], 240, 60).astype(np.uint8)
    found = localise_baselines(picture, mask, (3, 6, 6))
    assert found["specks_in_calcifications"][0] == pytest.approx(1.0)
    assert found["specks_pointing"][0] == 1.0
    coarse, best = found["coarse_specks_in_calcifications"][0], found["coarse_truth_in_calcifications"][0]
    assert coarse == pytest.approx(best, rel=1e-4)
    assert mask.mean() < best < 0.3
    nothing = localise_baselines(picture, np.zeros_like(mask), (3, 6, 6))
    assert all(np.isnan(values[0]) for values in nothing.values())


@pytest.mark.parametrize("grid", [(4, 4), (2, 4, 4)])
def test_maps_on_a_grid_are_enlarged_as_heat_is(grid: tuple[int, ...]) -> None:
    maps = np.random.default_rng(0).random((2, 4, 16, 16)).astype(np.float32)
    found = on_grid(maps, grid)
    assert found.shape == maps.shape
    tensor = torch.from_numpy(maps)
    for clip, own in zip(found, tensor, strict=True):
        if len(grid) == 3:
            coarse = own.reshape(2, 2, 4, 4, 4, 4).mean(dim=(1, 3, 5))[None, None]
            expected = torch.nn.functional.interpolate(coarse, size=(4, 16, 16), mode="trilinear")[0, 0]
        else:
            coarse = own.reshape(4, 4, 4, 4, 4).mean(dim=(2, 4))[:, None]
            expected = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear")[:, 0]
        np.testing.assert_allclose(clip, expected.numpy(), atol=1e-6)


def test_heat_is_judged_against_specks_on_the_same_grid() -> None:
    columns = ("gaussian", "specks", "coarse_specks", "coarse_truth")
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {f"{name}_in_calcifications": 0.1 + 0.01 * random.random(24) for name in columns}
        | {"heat_in_calcifications": 0.3 + 0.05 * random.random(24), "specks_pointing": 1.0}
    )
    rows.loc[23] = np.nan
    groups = [str(number // 2) for number in range(24)]
    found = summarise_baselines(rows, groups)
    assert found is not None
    assert found["above_coarse_specks"]["low"] > 0
    assert "more than bright specks drawn on the same grid" in found["sentence"]
    worse = summarise_baselines(rows.assign(heat_in_calcifications=0.01), groups)
    assert worse is not None
    assert "less than bright specks" in worse["sentence"]
    few = summarise_baselines(rows.iloc[:4], groups[:4])
    assert few is not None
    assert "2 patients are too few" in few["sentence"]
    assert summarise_baselines(rows.iloc[[23]], ["a"]) is None
