import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.intraclass import intraclass_correlation

# P. Shrout, J. Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

# R 4.2, psych 2.2.9: ICC(x, lmer = FALSE)$results[, c("ICC", "lower bound", "upper bound")]; the first column, rounded,
# is table 4 of the paper (.17, .29, .71, .44, .62, .91).
PSYCH = {
    "1,1": (0.1657417684, -0.13293232487, 0.7225600623),
    "2,1": (0.2897637795, 0.01878651337, 0.7610843696),
    "3,1": (0.7148407148, 0.34246476503, 0.9458582600),
    "1,k": (0.4427971337, -0.88444215524, 0.9124154203),
    "2,k": (0.6200505476, 0.07113681530, 0.9272320402),
    "3,k": (0.9093155424, 0.67567471382, 0.9858916782),
}


@pytest.mark.parametrize("form", PSYCH)
def test_each_form_and_its_limits_are_those_of_r_psych_on_the_published_table(form):
    found = intraclass_correlation(SHROUT_FLEISS, form=form)
    assert (found.estimate, found.low, found.high) == pytest.approx(PSYCH[form], abs=1e-9)
    assert found.note.startswith("6 groups only")


@pytest.mark.parametrize("form", PSYCH)
@pytest.mark.parametrize("seed", range(3))
def test_mean_squares_are_those_of_an_analysis_of_variance(form, seed):
    # By the textbook's sums of squares, on other tables than the published one.
    random = np.random.default_rng(seed)
    table = random.normal(size=(25, 1)) + random.normal(size=(1, 5)) + 0.7 * random.normal(size=(25, 5)) + 100
    n, k = table.shape
    rows, columns, grand = table.mean(axis=1), table.mean(axis=0), table.mean()
    cases = k * ((rows - grand) ** 2).sum() / (n - 1)
    within = ((table - rows[:, None]) ** 2).sum() / (n * (k - 1))
    readers = n * ((columns - grand) ** 2).sum() / (k - 1)
    rest = ((table - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    expected = {
        "1,1": (cases - within) / (cases + (k - 1) * within),
        "2,1": (cases - rest) / (cases + (k - 1) * rest + k * (readers - rest) / n),
        "3,1": (cases - rest) / (cases + (k - 1) * rest),
        "1,k": (cases - within) / cases,
        "2,k": (cases - rest) / (cases + (readers - rest) / n),
        "3,k": (cases - rest) / cases,
    }[form]
    assert intraclass_correlation(table, form=form).estimate == pytest.approx(expected, abs=1e-10)


@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-500, 500))
@settings(max_examples=25, deadline=None)
def test_a_scale_in_other_units_has_the_same_correlation(seed, factor, shift):
    table = np.random.default_rng(seed).normal(size=(12, 3))
    for form in ("1,1", "2,1", "3,k"):
        one, other = (intraclass_correlation(t, form=form) for t in (table, factor * table + shift))
        assert other.estimate == pytest.approx(one.estimate, abs=1e-7)


def test_patients_with_several_cases_are_resampled_whole():
    random = np.random.default_rng(4)
    patients = np.repeat(np.arange(30), 3)
    table = random.normal(size=(30, 1))[patients] + 0.6 * random.normal(size=(90, 4))
    found = intraclass_correlation(table, patients, replicates=1000)
    alone = intraclass_correlation(table)
    assert found.method == "percentile of 1000 group bootstraps"
    assert found.estimate == alone.estimate
    assert found.high - found.low > alone.high - alone.low


def test_one_patient_gives_no_interval_and_few_a_warning():
    one = intraclass_correlation(SHROUT_FLEISS, ["p"] * 6).as_dict()
    assert (one["low"], one["note"]) == (None, "one group only: no interval")
    few = intraclass_correlation(SHROUT_FLEISS, ["p", "p", "q", "q", "r", "r"], replicates=100)
    assert few.note.startswith("3 groups only: the interval is a guide at best")


def test_ratings_that_are_all_alike_or_without_error_have_no_limits():
    alike = intraclass_correlation([[3, 3], [3, 3], [3, 3]])
    assert np.isnan(alike.estimate)
    assert "alike" in alike.note
    full = intraclass_correlation([[1, 1], [2, 2], [3, 3]])
    assert full.estimate == pytest.approx(1)
    assert full.as_dict()["low"] is None
    shifted = intraclass_correlation([[1, 2], [2, 3], [3, 4]], form="3,1")
    assert shifted.estimate == pytest.approx(1)


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="full table"):
        intraclass_correlation([[1, np.nan], [2, 3]])
    with pytest.raises(ValueError, match="no intraclass correlation"):
        intraclass_correlation(SHROUT_FLEISS, form="4,1")
