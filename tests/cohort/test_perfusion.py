"""The perfusion of a cohort: one row a clip, and one line for each that has none."""

import numpy as np
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.perfusion import COLUMNS, measure_perfusion
from isthmus.errors import CohortError, InputError
from isthmus.statistics.perfusion_features import FEATURES
from tests.perfused_clips import GLAND, LESION, RANGE_DB, write_perfused_cohort


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    cohort = load_cohort(write_perfused_cohort(tmp_path_factory.mktemp("faulty") / "cohort", faults=True))
    seen = []
    found = measure_perfusion(
        cohort, dynamic_range_db=RANGE_DB, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 10) for done in range(1, 11)]
    return found


def test_each_clip_has_a_row_of_features_near_what_it_was_made_with(measured):
    table = measured.table.set_index("view_id")
    assert list(measured.table.columns) == [*COLUMNS, "doubts", "refused"]
    for view in ("V1", "V2"):
        row = table.loc[view]
        assert row["nodule_id"] == f"N{view}"
        assert row["peak_ratio_db"] == pytest.approx(10 * np.log10(LESION.peak / GLAND.peak), abs=0.5)
        assert row["peak_delay_s"] == pytest.approx(2.0, abs=0.3)
        assert row["mean_transit_ratio"] == pytest.approx(np.exp(1.5 * (0.45**2 - 0.6**2)), rel=0.1)
    assert table.loc["V1", list(FEATURES)].notna().all()
    assert table.loc["V1", ["doubts", "refused"]].tolist() == ["", ""]


def test_what_cannot_be_measured_is_listed_with_one_line_and_no_path(measured):
    lines = {view: why for view, (_, why) in measured.refused.items()}
    assert set(lines) == {"X1", "X2", "X5", "X6", "X7", "X8"}
    for view, words in {
        "X1": "it is a still", "X2": "no lesion is given", "X5": "frame_rate_hz in views.csv",
        "X6": "the lesion fills the picture", "X7": "of no kind that Isthmus reads",
        "X8": "its dynamic_range_db is 'many'; expected 20 to 120",
    }.items():  # fmt: skip
        assert words in lines[view]
        assert "\n" not in lines[view]
        assert "/" not in lines[view].replace("JPEG/", "")
    table = measured.table.set_index("view_id")
    assert table.loc["X1", "refused"] == lines["X1"]
    assert table.loc["X1", list(FEATURES)].isna().all()


def test_a_clip_without_a_peak_keeps_its_row_and_says_what_it_lacks(measured):
    table = measured.table.set_index("view_id")
    assert "the intensity is constant" in table.loc["X3", "doubts"]
    assert table.loc["X3", list(FEATURES)].isna().all()
    assert "the clip ends before the peak has passed" in table.loc["X4", "doubts"]
    assert np.isnan(table.loc["X4", "peak_ratio_db"])
    assert np.isfinite(table.loc["X4", "enhancement_db"])


def test_a_cohort_without_contrast_is_refused_and_so_is_a_range_that_is_none(tmp_path):
    cohort = load_cohort(write_perfused_cohort(tmp_path / "cohort"))
    with pytest.raises(InputError, match="dynamic range of 3 dB"):
        measure_perfusion(cohort, dynamic_range_db=3)
    cohort.views["modality"] = "bmode"
    with pytest.raises(CohortError, match="no view of modality 'ceus'"):
        measure_perfusion(cohort)


def test_a_range_in_the_table_counts_before_the_one_given(tmp_path):
    cohort = load_cohort(write_perfused_cohort(tmp_path / "cohort"))
    cohort.views["dynamic_range_db"] = [str(RANGE_DB), None]
    first, second = measure_perfusion(cohort, dynamic_range_db=25).views
    assert (first.curves.dynamic_range_db, second.curves.dynamic_range_db) == (RANGE_DB, 25)
    assert second.features.values["peak_ratio_db"] == pytest.approx(first.features.values["peak_ratio_db"] / 2, abs=0.5)
