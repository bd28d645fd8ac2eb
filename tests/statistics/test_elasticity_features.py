"""Numbers of an elastogram's regions, worked by hand."""

import numpy as np
import pytest

from isthmus.statistics.elasticity_features import FEATURES, elasticity_features

SCALE = (0.0, 100.0)


def regions(lesion, ring=30.0, tissue=20.0):
    return {
        "lesion": np.asarray(lesion, float), "ring": np.full(200, float(ring)), "tissue": np.full(200, float(tissue)),
    }  # fmt: skip


def test_means_spread_and_ratios_are_those_of_the_pixels():
    found = elasticity_features(regions(np.repeat([30.0, 50.0], 100)), SCALE)
    assert found.values == pytest.approx(
        {
            "lesion_mean_kpa": 40, "lesion_max_kpa": 50, "lesion_sd_kpa": 10, "ring_mean_kpa": 30,
            "tissue_mean_kpa": 20, "ratio": 2, "ring_ratio": 1.5, "filled_share": 1, "capped_share": 0,
        }
    )  # fmt: skip
    assert list(found.values) == list(FEATURES)
    assert (found.doubts, found.at_least) == ({}, ())


def test_one_hard_pixel_is_not_the_stiffest_part():
    lesion = np.full(1000, 30.0)
    lesion[0] = 95
    assert elasticity_features(regions(lesion), SCALE).values["lesion_max_kpa"] == pytest.approx(30)


def test_what_has_hardly_any_colour_is_blank_and_says_so():
    cyst = np.full(300, np.nan)
    cyst[:40] = 25
    found = elasticity_features(regions(cyst), SCALE)
    assert found.values["filled_share"] == pytest.approx(40 / 300)
    assert found.values["tissue_mean_kpa"] == 20
    blank = {name for name, value in found.values.items() if np.isnan(value)}
    assert blank == {"lesion_mean_kpa", "lesion_max_kpa", "lesion_sd_kpa", "ratio", "capped_share"} == set(found.doubts)
    assert found.doubts["ratio"] == "lesion: 13% of it has colour"
    without = regions(np.full(200, 50.0)) | {"tissue": np.full(200, np.nan)}
    assert elasticity_features(without, SCALE).doubts["ring_ratio"] == "tissue: 0% of it has colour"


def test_a_lesion_beyond_the_scale_has_lower_limits():
    part = np.full(200, 60.0)
    part[:6] = 100
    assert elasticity_features(regions(part), SCALE).at_least == ("lesion_max_kpa",)
    whole = elasticity_features(regions(np.full(200, 99.9)), SCALE)
    assert whole.values["capped_share"] == 1
    assert set(whole.at_least) == {"lesion_mean_kpa", "lesion_max_kpa", "lesion_sd_kpa", "ratio"}


def test_surroundings_of_no_stiffness_have_no_ratio():
    found = elasticity_features(regions(np.full(200, 50.0), tissue=0.0), SCALE)
    assert np.isnan(found.values["ratio"])
    assert found.doubts["ratio"] == "tissue: its mean is 0"


def test_tissue_beyond_the_scale_has_a_lower_limit_and_nothing_is_divided_by_it():
    # Lesion 100 of which the scale shows 100, tissue of true mean 140: the ratio is 0.71, and not at least 1.00.
    found = elasticity_features(regions(np.full(200, 100.0), tissue=100.0), SCALE)
    assert set(found.at_least) == {"lesion_mean_kpa", "lesion_max_kpa", "lesion_sd_kpa", "tissue_mean_kpa"}
    assert set(found.doubts) == {"ratio", "ring_ratio"} == {n for n, value in found.values.items() if np.isnan(value)}
    assert found.doubts["ratio"] == "tissue: 100% of its colour is at the scale's end"
    assert found.values["tissue_mean_kpa"] == 100


def test_a_little_tissue_at_the_end_of_the_scale_leaves_the_ratios():
    some = np.full(200, 20.0)
    some[:10] = 100
    found = elasticity_features(regions(np.full(200, 48.0)) | {"tissue": some}, SCALE)
    assert (found.values["ratio"], found.at_least) == (2.0, ())
