"""Obuchowski-Rockette against MRMCaov and OR-DBM MRMC on Van Dyke's data, its laws, and input that gives no answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.multi_reader.figures import covariance_of_figures, figures_of_merit
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette, obuchowski_rockette_of_figures
from isthmus.statistics.roc import auc_interval, compare_aucs
from tests.statistics.multi_reader.studies import replaced, simulated, van_dyke

AUCS = [
    [0.91964573, 0.94782609],
    [0.85877617, 0.90531401],
    [0.90386473, 0.92173913],
    [0.97310789, 0.99935588],
    [0.82979066, 0.92995169],
]
"""OR-DBM MRMC 2.51 (University of Iowa), trapezoidal area, VanDyke.lrc: treatment x reader AUC estimates."""


def _numbers(result: object, *names: str) -> list[float]:
    return [getattr(result, name) for name in names]


def test_random_readers_and_cases_equal_mrmcaov_with_delong() -> None:
    # MRMCaov 0.3.0: summary(mrmc(empirical_auc(truth, rating), treatment, reader, case, VanDyke, cov = DeLong))
    result = obuchowski_rockette(van_dyke(), scale="plain")
    assert result.figures == pytest.approx(np.array(AUCS), abs=5e-9)
    assert _numbers(result.components, "readers", "interaction", "error", "cov1", "cov2", "cov3") == pytest.approx(
        [0.0015364254, 0.0002045840, 0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497], abs=5e-11
    )
    assert _numbers(result.overall, "statistic", "df1", "df2", "p") == pytest.approx(
        [4.484854, 1, 15.06611, 0.05123303], rel=3e-7
    )
    pair = result.comparisons[0].comparison
    assert (pair.difference.estimate, pair.statistic, pair.p) == pytest.approx(
        (-0.04380032, -2.117747, 0.05123303), rel=3e-7
    )
    assert (pair.difference.low, pair.difference.high) == pytest.approx((-0.0878671960, 0.0002665519), abs=5e-11)
    assert [(mean.estimate, mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.8970370, 0.8253461, 0.9687280), abs=5e-8),
        pytest.approx((0.9408374, 0.8942155, 0.9874592), abs=5e-8),
    ]
    assert (result.n, result.n_positive, result.n_groups, result.notes) == (114, 45, 114, ())


def test_random_readers_and_cases_equal_or_dbm_mrmc_with_the_jackknife() -> None:
    # OR-DBM MRMC 2.51, VanDyke.lrc, trapezoidal, jackknife, analysis 1; digits of MRMCaov where it prints more.
    result = obuchowski_rockette(van_dyke(), covariance="jackknife", scale="plain")
    assert _numbers(result.components, "readers", "interaction", "error", "cov1", "cov2", "cov3") == pytest.approx(
        [0.0015349993, 0.0002004025, 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284], abs=6e-11
    )
    assert result.components.cov2_within == pytest.approx([0.0004839618, 0.0002041879], abs=5e-11)
    assert _numbers(result.overall, "statistic", "df2", "p") == pytest.approx([4.46, 15.26, 0.0517], abs=5e-3)
    pair = result.comparisons[0].comparison.difference
    assert (pair.low, pair.high) == pytest.approx((-0.08796, 0.00036), abs=5e-6)
    assert [(mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.82522360, 0.96885048), abs=5e-9),
        pytest.approx((0.89413783, 0.98753689), abs=5e-9),
    ]
    assert "t on 12.74 df" in result.means[0].method


def test_unbiased_moments_equal_mrmcaov() -> None:
    # MRMCaov 0.3.0: mrmc(empirical_auc(truth, rating), treatment, reader, case, VanDyke, cov = unbiased)
    result = obuchowski_rockette(van_dyke(), covariance="unbiased", scale="plain")
    assert _numbers(result.components, "readers", "interaction", "error", "cov1", "cov2", "cov3") == pytest.approx(
        [0.0015365290, 0.0002077588, 0.0007883925, 0.0003416706, 0.0003390650, 0.0002356148], abs=6e-11
    )
    assert _numbers(result.overall, "statistic", "df2", "p") == pytest.approx([4.489614, 15.03418, 0.0511618], rel=4e-7)
    assert [(mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.8253526, 0.9687214), abs=6e-8),
        pytest.approx((0.8942323, 0.9874424), abs=6e-8),
    ]
    with pytest.raises(ValueError, match="for independent cases"):
        obuchowski_rockette(simulated(1, per_group=2), covariance="unbiased")


def test_the_variance_of_a_mean_equals_the_one_shot_formula() -> None:
    # Gallas 2006, equations 12 to 22: the eight moments by loops over readers and pairs of cases.
    study = simulated(9, readers=5, conditions=1, cases=12)
    positive, negative = study.scores[:, 0, study.truth], study.scores[:, 0, ~study.truth]
    kernel = (positive[:, :, None] > negative[:, None]) + 0.5 * (positive[:, :, None] == negative[:, None])
    r, m, n = kernel.shape
    sums, counts = np.zeros(8), np.zeros(8)
    grid = np.array(list(np.ndindex(r, m, n)))
    for a, b, c in grid:
        which = 4 * (grid[:, 0] != a) + 2 * (grid[:, 1] != b) + (grid[:, 2] != c)
        products = kernel[a, b, c] * kernel[grid[:, 0], grid[:, 1], grid[:, 2]]
        sums += np.bincount(which, products, minlength=8)
        counts += np.bincount(which, minlength=8)
    expected = float(np.sum(sums)) / (r * m * n) ** 2 - sums[7] / counts[7]
    result = obuchowski_rockette(study, covariance="unbiased")
    squares = result.figures.var(ddof=1)
    assert result.components.cov2 > 0
    assert squares / r + result.components.cov2 == pytest.approx(expected, rel=1e-10)


def test_fixed_readers_equal_mrmcaov() -> None:
    # MRMCaov 0.3.0: mrmc(empirical_auc(truth, rating), treatment, fixed(reader), case, VanDyke)
    result = obuchowski_rockette(van_dyke(), readers="fixed", covariance="jackknife", scale="plain")
    assert _numbers(result.overall, "statistic", "df1", "p") == pytest.approx([5.475953, 1, 0.01927984], rel=3e-7)
    pair = result.comparisons[0].comparison
    assert (pair.difference.low, pair.difference.high, pair.statistic) == pytest.approx(
        (-0.08048591, -0.00711473, -2.340075), rel=3e-7
    )
    assert [(mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.8494301, 0.9446440), abs=5e-8),
        pytest.approx((0.9079564, 0.9737183), abs=5e-8),
    ]
    own = [(one.reader, one.comparison.difference.low, one.comparison.p) for one in result.by_reader]
    assert own == [
        ("1", pytest.approx(-0.078183215, abs=5e-10), pytest.approx(0.26933885, rel=1e-7)),
        ("2", pytest.approx(-0.098088476, abs=5e-10), pytest.approx(0.07683102, rel=1e-7)),
        ("3", pytest.approx(-0.079044180, abs=5e-10), pytest.approx(0.56683414, rel=1e-7)),
        ("4", pytest.approx(-0.060138290, abs=5e-10), pytest.approx(0.12901715, rel=1e-7)),
        ("5", pytest.approx(-0.186512066, abs=5e-10), pytest.approx(0.02300099, rel=3e-7)),
    ]


def test_fixed_cases_equal_mrmcaov_and_a_paired_t_test() -> None:
    # MRMCaov 0.3.0: mrmc(empirical_auc(truth, rating), treatment, reader, fixed(case), VanDyke)
    result = obuchowski_rockette(van_dyke(), cases="fixed", scale="plain")
    assert _numbers(result.overall, "statistic", "df1", "df2", "p") == pytest.approx(
        [8.704, 1, 4, 0.04195875], rel=3e-7
    )
    pair = result.comparisons[0].comparison.difference
    assert (pair.low, pair.high) == pytest.approx((-0.08502022, -0.00258042), abs=5e-9)
    assert [(mean.low, mean.high) for mean in result.means] == [
        pytest.approx((0.8280981, 0.9659760), abs=5e-8),
        pytest.approx((0.8959894, 0.9856854), abs=5e-8),
    ]
    assert result.by_reader == ()


def test_sensitivities_of_calls_equal_mrmcaov() -> None:
    # MRMCaov 0.3.0: VanDyke$binary_rating <- VanDyke$rating >= 3; mrmc(binary_sens(truth, binary_rating), ...)
    for covariance in ("jackknife", "delong-clustered"):
        result = obuchowski_rockette(van_dyke(3), figure="sensitivity", covariance=covariance, scale="plain")
        assert _numbers(result.components, "readers", "interaction", "error", "cov1", "cov2", "cov3") == pytest.approx(
            [0.0049747475, 0.0007828283, 0.0023681257, 0.0009943883, 0.0010145903, 0.0006604938], abs=6e-11
        )
        assert _numbers(result.overall, "statistic", "df2", "p") == pytest.approx(
            [6.689493, 15.71732, 0.02008822], rel=3e-7
        )
        assert [(mean.estimate, mean.low, mean.high) for mean in result.means] == [
            pytest.approx((0.8222222, 0.6961876, 0.9482568), abs=5e-8),
            pytest.approx((0.9200000, 0.8328691, 1.0), abs=5e-8),
        ]


def test_published_matrices_suffice() -> None:
    # The averaged covariances that OR-DBM MRMC prints, put back into a matrix, give its tests again.
    figures = np.array(AUCS)
    same_reader = np.eye(5, dtype=bool)[:, None, :, None]
    same_condition = np.eye(2, dtype=bool)[None, :, None, :]
    covariance = np.where(
        same_reader,
        np.where(same_condition, 0.0008022883, 0.0003466137),
        np.where(same_condition, 0.0003440748, 0.0002390284),
    )
    result = obuchowski_rockette_of_figures(figures, covariance)
    assert result.overall.statistic == pytest.approx(4.456319, rel=1e-5)
    assert result.overall.p == pytest.approx(0.0516657, rel=1e-4)
    assert result.readers == ("1", "2", "3", "4", "5")


def test_one_reader_has_the_interval_of_an_auc_by_default() -> None:
    study = van_dyke().of_readers(["2"])
    mean = obuchowski_rockette(study).means[0]
    expected = auc_interval(study.truth, study.scores[0, 0])
    assert (mean.low, mean.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert mean.method.endswith("z, logit")


def test_one_reader_is_fixed_and_his_test_is_the_paired_delong_test() -> None:
    study = van_dyke().of_readers(["5"])
    result = obuchowski_rockette(study)
    expected = compare_aucs(study.truth, study.scores[0, 0], study.scores[0, 1])
    pair = result.comparisons[0].comparison
    assert (pair.statistic, pair.p) == pytest.approx((expected.statistic, expected.p), rel=1e-12)
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (expected.difference.low, expected.difference.high)
    )
    assert result.overall.statistic == pytest.approx(expected.statistic**2, rel=1e-12)
    assert result.readers_as == "fixed"


def test_fewer_than_five_readers_are_fixed_and_the_note_says_so() -> None:
    four = van_dyke().of_readers(["1", "2", "3", "4"])
    result = obuchowski_rockette(four)
    assert result.readers_as == "fixed"
    assert result.notes[0].startswith("4 readers: too few to stand for readers in general (at least 5 are needed)")
    assert "fixed readers" in result.method
    assert obuchowski_rockette(four, fewest_readers=2).readers_as == "random"
    assert obuchowski_rockette(four, readers="fixed").notes == ()


def test_one_condition_gives_its_mean_alone() -> None:
    # OR-DBM MRMC 2.51, VanDyke1T.lrc (treatment 1 alone), jackknife: the same interval as beside treatment 2.
    result = obuchowski_rockette(van_dyke(), ["cine"], covariance="jackknife", scale="plain")
    assert (result.means[0].low, result.means[0].high) == pytest.approx((0.82522360, 0.96885048), abs=5e-9)
    assert result.comparisons == ()
    assert np.isnan(result.overall.p)
    assert result.overall.note == "one condition: nothing to compare"
    assert result.as_dict()["components"]["cov1"] is None


def test_identical_conditions_have_p_1() -> None:
    study = van_dyke()
    scores = np.stack([study.scores[:, 0], study.scores[:, 0]], axis=1)
    for readers, cases in (("random", "random"), ("fixed", "random"), ("random", "fixed")):
        result = obuchowski_rockette(replaced(study, scores=scores), readers=readers, cases=cases)
        assert result.overall.p == 1
        assert result.comparisons[0].comparison.p == 1
        assert result.comparisons[0].comparison.difference.estimate == 0


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (np.zeros(40, dtype=bool), "no positive case that all readers read"),
        (np.ones(40, dtype=bool), "no negative case that all readers read"),
        (np.arange(40) == 0, "the positive cases lie in a single group"),
    ],
)
def test_a_class_that_is_missing_gives_a_reason(truth: np.ndarray, said: str) -> None:
    result = obuchowski_rockette(replaced(simulated(1), truth=truth))
    assert said in result.notes[-1]
    assert np.isnan(result.comparisons[0].comparison.p)
    assert result.comparisons[0].comparison.difference.note == result.notes[-1]


def test_calls_under_one_condition_are_never_compared_with_scores_under_another() -> None:
    study = simulated(1)
    scores = study.scores.copy()
    scores[:, 1] = scores[:, 1] > 1
    result = obuchowski_rockette(replaced(study, scores=scores))
    assert result.notes[-1].startswith("under c1 every reader used two values")
    assert np.isnan(result.overall.p)
    assert np.isfinite(obuchowski_rockette(replaced(study, scores=scores), ["c1"]).means[0].low)


def test_readers_who_all_gain_alike_leave_a_z_test() -> None:
    study = simulated(1)
    scores = np.stack([np.broadcast_to(study.scores[0, i], (5, 40)) for i in range(2)], axis=1)
    result = obuchowski_rockette(replaced(study, scores=scores))
    assert np.isinf(result.overall.df2)
    expected = compare_aucs(study.truth, study.scores[0, 0], study.scores[0, 1])
    assert result.overall.p == pytest.approx(expected.p, rel=1e-9)


def test_constant_scores_hold_no_variance() -> None:
    study = simulated(1)
    result = obuchowski_rockette(replaced(study, scores=np.ones_like(study.scores)))
    assert result.overall.p == 1
    assert (result.means[0].estimate, result.means[0].note) == (0.5, "the data hold no variance")


def test_perfect_readers_hold_no_variance() -> None:
    study = simulated(1)
    perfect = np.broadcast_to(study.truth.astype(float), study.scores.shape)
    result = obuchowski_rockette(replaced(study, scores=np.array(perfect)))
    assert result.means[0].estimate == 1
    assert result.means[0].note == "the data hold no variance"


def test_accuracy_is_the_sensitivity_of_right_calls_and_its_covariances_are_the_jackknifes() -> None:
    study = van_dyke(3.0)
    right = np.where(study.truth, study.scores, 1 - study.scores)
    of_right = obuchowski_rockette(replaced(study, scores=right, truth=np.ones_like(study.truth)), figure="sensitivity")
    found = obuchowski_rockette(study, figure="accuracy")
    assert found.figures == pytest.approx(right.mean(axis=2))
    assert found.overall.p == pytest.approx(of_right.overall.p)
    assert found.means[0].low == pytest.approx(of_right.means[0].low)
    clustered = simulated(4, per_group=2)
    called = replaced(clustered, scores=(clustered.scores > 1).astype(float)).crossed()
    jackknife, direct = (covariance_of_figures(called, "accuracy", how) for how in ("jackknife", "delong-clustered"))
    assert direct == pytest.approx(jackknife, abs=1e-15)
    weight = called.truth.mean()
    sensitivity, specificity, accuracy = (
        figures_of_merit(called, name) for name in ("sensitivity", "specificity", "accuracy")
    )
    assert accuracy == pytest.approx(weight * sensitivity + (1 - weight) * specificity)


def test_wrong_use_is_refused() -> None:
    study = simulated(1)
    with pytest.raises(ValueError, match="cannot both be fixed"):
        obuchowski_rockette(study, readers="fixed", cases="fixed")
    with pytest.raises(ValueError, match="no condition 'x'"):
        obuchowski_rockette(study, ["c0", "x"])
    with pytest.raises(ValueError, match="every score must be 0 or 1"):
        obuchowski_rockette(study, figure="sensitivity")
    with pytest.raises(ValueError, match="no figure of merit"):
        obuchowski_rockette(study, figure="kappa")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no covariance method"):
        obuchowski_rockette(study, covariance="bootstrap")  # type: ignore[arg-type]


@given(seed=st.integers(0, 10_000), per_group=st.sampled_from([1, 2]))
@settings(max_examples=25, deadline=None)
def test_ranks_alone_matter_and_swapping_conditions_turns_the_sign(seed: int, per_group: int) -> None:
    study = simulated(seed, conditions=3, per_group=per_group)
    result = obuchowski_rockette(study)
    own_scale = np.exp(study.scores / 4) * (1 + np.arange(5))[:, None, None]
    rescaled = obuchowski_rockette(replaced(study, scores=own_scale))
    assert rescaled.overall.p == pytest.approx(result.overall.p, rel=1e-9)
    turned = obuchowski_rockette(study, ["c2", "c1", "c0"])
    assert turned.overall.p == pytest.approx(result.overall.p, rel=1e-9)
    ahead = {(pair.a, pair.b): pair.comparison for pair in result.comparisons}
    for pair in turned.comparisons:
        other = ahead[(pair.b, pair.a)]
        assert pair.comparison.difference.estimate == pytest.approx(-other.difference.estimate, abs=1e-12)
        assert pair.comparison.p == pytest.approx(other.p, rel=1e-9)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_two_conditions_have_one_test(seed: int) -> None:
    result = obuchowski_rockette(simulated(seed))
    pair = result.comparisons[0].comparison
    assert pair.statistic**2 == pytest.approx(result.overall.statistic, rel=1e-9, abs=1e-12)
    assert pair.p == pytest.approx(result.overall.p, rel=1e-9)
    low, high = pair.difference.low, pair.difference.high
    assert low <= pair.difference.estimate <= high
    assert (pair.p < 0.05) == (low > 0 or high < 0)
