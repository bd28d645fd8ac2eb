"""The stiffness of a cohort: one row a picture, and one line for each that has none."""

import numpy as np
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.elasticity import COLUMNS, measure_elasticity, stiffness_range
from isthmus.errors import CohortError, InputError
from isthmus.statistics.elasticity_features import FEATURES
from tests.elastograms import HARD, SOFT, TOP_KPA, write_elastogram_cohort


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    cohort = load_cohort(write_elastogram_cohort(tmp_path_factory.mktemp("faulty") / "cohort", faults=True))
    seen = []
    found = measure_elasticity(cohort, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 10) for done in range(1, 11)]
    return found


def test_each_picture_has_a_row_near_what_it_was_painted_with(measured):
    table = measured.table.set_index("view_id")
    assert list(measured.table.columns) == [*COLUMNS, "at_least", "doubts", "refused"]
    for view in ("V1", "V2"):
        row = table.loc[view]
        assert row["nodule_id"] == f"N{view}"
        assert row["lesion_mean_kpa"] == pytest.approx(HARD + 2, abs=2)
        assert row["tissue_mean_kpa"] == pytest.approx(SOFT + 2, abs=2)
        assert row["ratio"] == pytest.approx((HARD + 2) / (SOFT + 2), rel=0.05)
    assert table.loc["V1", ["at_least", "doubts", "refused"]].tolist() == ["", "", ""]


def test_what_cannot_be_measured_is_listed_with_one_line_and_no_path(measured):
    lines = {view: why for view, (_, why) in measured.refused.items()}
    assert set(lines) == {"X1", "X2", "X3", "X6", "X7", "X8"}
    for view, words in {
        "X1": "no colour bar is seen", "X2": "no colour bar is seen", "X3": "no lesion is given",
        "X6": "nobody says what its colour bar ends at; expected swe_range_kpa",
        "X7": "the scale of an elastogram is 'hard'", "X8": "of no kind that Isthmus reads",
    }.items():  # fmt: skip
        assert words in lines[view]
        assert "\n" not in lines[view]
        assert "/" not in lines[view].replace("JPEG/", "")
    assert measured.table.set_index("view_id").loc["X1", list(FEATURES)].isna().all()


def test_a_lesion_without_colour_keeps_its_row_and_one_beyond_the_scale_says_so(measured):
    table = measured.table.set_index("view_id")
    assert "lesion: 0% of it has colour" in table.loc["X4", "doubts"]
    assert np.isnan(table.loc["X4", "lesion_mean_kpa"])
    assert table.loc["X4", "tissue_mean_kpa"] == pytest.approx(SOFT + 2, abs=2)
    assert table.loc["X5", "capped_share"] > 0.95
    assert "lesion_mean_kpa" in table.loc["X5", "at_least"]


def test_a_scale_that_is_given_counts_where_the_table_says_none(tmp_path):
    cohort = load_cohort(write_elastogram_cohort(tmp_path / "cohort"))
    cohort.views["swe_range_kpa"] = [f"0 {TOP_KPA:g}", None]
    first, second = measure_elasticity(cohort, range_kpa=(0.0, 60.0)).views
    assert (first.seen.range_kpa[1], second.seen.range_kpa[1]) == (TOP_KPA, 60)
    assert second.features.values["tissue_mean_kpa"] == pytest.approx((SOFT + 2) / 2, abs=2)
    cohort.views["modality"] = "bmode"
    with pytest.raises(CohortError, match="no view of modality 'swe'"):
        measure_elasticity(cohort)


@pytest.mark.parametrize("text", ["", "hard", "100 0", "-5 10", "1 2 3", "0", "nan", "inf", "0 5000"])
def test_a_scale_is_one_number_or_two_that_rise_and_that_tissue_reaches(text):
    with pytest.raises(InputError, match=r"the scale of an elastogram is .*to 1000 at most"):
        stiffness_range(text)


def test_the_widest_scale_that_is_read_is_taken():
    assert stiffness_range("1000") == (0.0, 1000.0)
