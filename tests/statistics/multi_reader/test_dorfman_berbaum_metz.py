"""Dorfman-Berbaum-Metz: Obuchowski-Rockette with the jackknife, number for number; OR-DBM MRMC on Van Dyke's data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.multi_reader.dorfman_berbaum_metz import dorfman_berbaum_metz, pseudovalue_squares
from isthmus.statistics.multi_reader.figures import figures_of_merit, jackknife_figures
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from tests.statistics.multi_reader.studies import replaced, simulated, van_dyke


def test_van_dyke_equals_or_dbm_mrmc() -> None:
    # OR-DBM MRMC 2.51, VanDyke.lrc: F(1, 15.26) = 4.46, p = .0517; difference -0.04380 (-0.08796, 0.00036)
    result = dorfman_berbaum_metz(van_dyke(), scale="plain")
    # RJafroc, StSignificanceTesting(dataset02, FOM = "Wilcoxon", method = "DBM"): 4.456319, 15.25967, 0.05166569
    found = result.overall.statistic, result.overall.df2, result.overall.p
    assert found == pytest.approx((4.456319, 15.25967, 0.05166569), rel=4e-7)
    pair = result.comparisons[0].comparison.difference
    assert (pair.low, pair.high) == pytest.approx((-0.08796, 0.00036), abs=5e-6)
    assert [(mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.82522360, 0.96885048), abs=5e-9),
        pytest.approx((0.89413783, 0.98753689), abs=5e-9),
    ]


def test_variance_components_of_pseudovalues_equal_or_dbm_mrmc() -> None:
    # OR-DBM MRMC 2.51, VanDyke.lrc, DBM components: Var(T*C) 0.01197530, Var(T*R*C) + Var(Error) 0.03997160
    crossed = van_dyke().crossed()
    figures, without = figures_of_merit(crossed), jackknife_figures(crossed)
    pseudovalues = (114 * figures.reshape(-1, 1) - 113 * without).reshape(5, 2, 114)
    seen = pseudovalue_squares(pseudovalues)
    assert seen.condition_reader_case * 114 == pytest.approx(0.03997160, abs=5e-9)
    assert (seen.condition_case - seen.condition_reader_case) * 114 / 5 == pytest.approx(0.01197530, abs=5e-9)


@given(seed=st.integers(0, 10_000), per_group=st.sampled_from([1, 2, 3]), conditions=st.sampled_from([1, 2, 3]))
@settings(max_examples=30, deadline=None)
def test_random_readers_and_cases_equal_obuchowski_rockette_with_the_jackknife(
    seed: int, per_group: int, conditions: int
) -> None:
    study = simulated(seed, conditions=conditions, per_group=per_group)
    ours, other = dorfman_berbaum_metz(study), obuchowski_rockette(study, covariance="jackknife")
    for name in ("statistic", "df1", "df2", "p"):
        assert getattr(ours.overall, name) == pytest.approx(getattr(other.overall, name), rel=1e-7, nan_ok=True)
    for one, two in zip(ours.means, other.means, strict=True):
        assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-9)
    for a, b in zip(ours.comparisons, other.comparisons, strict=True):
        assert a.comparison.difference.low == pytest.approx(b.comparison.difference.low, abs=1e-9)


def test_fixed_readers_are_judged_by_f_on_the_groups() -> None:
    study = van_dyke()
    result = dorfman_berbaum_metz(study, readers="fixed")
    chi_square = obuchowski_rockette(study, readers="fixed", covariance="jackknife").overall
    assert result.overall.statistic == pytest.approx(chi_square.statistic, rel=1e-9)
    assert (result.overall.df1, result.overall.df2) == (1, 113)
    assert result.overall.p > chi_square.p


def test_sensitivity_is_left_to_the_groups_with_a_positive_case() -> None:
    result = dorfman_berbaum_metz(van_dyke(3), figure="sensitivity")
    # MRMCaov 0.3.0: mrmc(binary_sens(truth, rating >= 3), ..., cov = jackknife)
    assert (result.overall.statistic, result.overall.df2) == pytest.approx((6.689493, 15.71732), rel=3e-7)


def test_a_class_in_one_group_gives_a_reason() -> None:
    result = dorfman_berbaum_metz(replaced(simulated(1), truth=np.arange(40) == 0))
    assert np.isnan(result.overall.p)
    assert "single group" in result.notes[-1]
