"""The feature vector of a lesion against its surroundings, from curves that are known."""

import numpy as np
import pytest

from isthmus.statistics.bolus import BolusFit, fit_bolus
from isthmus.statistics.perfusion_features import FEATURES, perfusion_features

TISSUE = BolusFit(0.0, 0.1, 5.0, 10.0, 0.7, 1.0)
WHOLE = {"lesion": 0.02, "ring": 0.06, "core": 0.015, "tissue": 0.03}
DARK = dict.fromkeys(WHOLE, 0.0)


def features(tissue_share=0.5, saturated=DARK, **regions):
    fits = {"lesion": TISSUE, "ring": TISSUE, "core": TISSUE, "tissue": TISSUE} | regions
    return perfusion_features(fits, WHOLE, 0.25, tissue_share, saturated)


def test_a_lesion_like_its_surroundings_differs_in_nothing():
    found = features()
    assert list(found.values) == list(FEATURES)
    assert not found.doubts
    assert [found.values[name] for name in ("peak_ratio_db", "area_ratio_db", "arrival_delay_s", "ring_lead_s")] == [
        0
    ] * 4
    assert all(value == 1 for name, value in found.values.items() if name.endswith("_ratio"))


def test_a_late_weak_and_fast_lesion_is_described_as_that():
    lesion = BolusFit(0.0, 0.01, 8.0, 10.0, 0.35, 1.0)
    values = features(lesion=lesion).values
    assert values["lesion_peak_db"] == pytest.approx(-20.0)
    assert values["peak_ratio_db"] == pytest.approx(-10.0)
    assert values["peak_delay_s"] == pytest.approx(3.0)
    assert values["wash_out_ratio"] > 1.5
    assert values["mean_transit_ratio"] == pytest.approx(np.exp(1.5 * (0.35**2 - 0.7**2)))
    assert values["area_ratio_db"] == pytest.approx(10 * np.log10(lesion.values["area"] / TISSUE.values["area"]))


def test_rates_are_shares_of_the_peak_so_that_gain_does_not_count():
    bright = BolusFit(0.0, 0.8, 5.0, 10.0, 0.7, 1.0)
    assert features(lesion=bright).values["wash_in_ratio"] == pytest.approx(1.0)


def test_a_ring_is_brighter_than_core_and_tissue_and_comes_first():
    values = features(ring=BolusFit(0.0, 0.2, 4.0, 10.0, 0.7, 1.0)).values
    assert values["ring_db"] == pytest.approx(10 * np.log10(0.06 / 0.03))
    assert values["ring_peak_db"] == pytest.approx(10 * np.log10(2.0))
    assert values["ring_lead_s"] == pytest.approx(1.0)
    assert values["enhancement_db"] == pytest.approx(10 * np.log10(0.02 / 0.03))
    assert values["unenhanced_share"] == 0.25


def test_what_is_in_doubt_is_blank_with_its_region_and_reason():
    short = fit_bolus(np.arange(0, 13, 0.5), TISSUE.curve(np.arange(0, 13, 0.5)))
    found = features(lesion=short)
    assert np.isnan(found.values["peak_ratio_db"])
    assert found.doubts["peak_ratio_db"] == "lesion: the clip ends before the peak has passed"
    assert "ring_peak_db" not in found.doubts
    assert found.values["enhancement_db"] == pytest.approx(10 * np.log10(2 / 3))


def test_too_little_gland_around_a_lesion_takes_all_comparisons_with_it():
    found = features(tissue_share=0.07)
    assert found.doubts["peak_ratio_db"] == "only 7% of the surroundings enhance as gland"
    assert {"enhancement_db", "ring_db", "wash_out_ratio"} < set(found.doubts)
    assert not {"lesion_peak_db", "ring_peak_db", "unenhanced_share"} & set(found.doubts)


def test_white_pixels_take_the_heights_and_not_the_times():
    found = features(saturated=DARK | {"lesion": 0.2})
    assert "20% of it is white" in found.doubts["lesion_peak_db"]
    assert not {"arrival_delay_s", "time_to_peak_ratio"} & set(found.doubts)


def test_a_clip_without_agent_has_no_features():
    nothing = fit_bolus(np.arange(20.0), np.full(20, 0.1))
    found = features(lesion=nothing, ring=nothing, core=nothing, tissue=nothing)
    assert np.isnan(list(found.values.values())).all()
    assert "constant" in found.doubts["enhancement_db"]
