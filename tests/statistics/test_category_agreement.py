import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isthmus.statistics.bootstrap import group_bootstrap
from isthmus.statistics.category_agreement import agreement_weights, cohen_kappa, reader_agreement

# R irr's `diagnoses` (J. Fleiss, 1971): 30 patients, six psychiatrists, five diagnoses.
FLEISS_1971 = [
    "444444", "222555", "233335", "555555", "222444", "113333", "333355", "113334", "114444", "555555",
    "144444", "124444", "222333", "144444", "224445", "333335", "111455", "111112", "224444", "133555",
    "555555", "244444", "224555", "114444", "144445", "222224", "111155", "224444", "133333", "555555",
]  # fmt: skip
FLEISS = [list(row) for row in FLEISS_1971]

NONE = np.nan
# R irrCAC's `cac.raw4raters` (K. Gwet 2014; also the example of K. Krippendorff), and `cac.raw5obser`.
FOUR_RATERS = [
    [1, 1, NONE, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [NONE, 5, 5, 5], [NONE, NONE, 1, 1], [NONE, NONE, 3, NONE],
]  # fmt: skip
FIVE_OBSERVERS = [
    [1, 1, 2, NONE, 2], [1, 1, 0, 1, NONE], [2, 3, 3, 3, NONE], [NONE, 0, 0, NONE, 0], [0, 0, 0, NONE, 0],
    [0, 0, 0, NONE, 0], [1, 0, 2, NONE, 1], [1, NONE, 2, 0, NONE], [2, 2, 2, NONE, 2], [2, 1, 1, 1, NONE],
    [NONE, 1, 0, 0, NONE], [0, 0, 0, 0, NONE], [1, 2, 2, 2, NONE], [3, 3, 2, 2, 3], [1, 1, 1, NONE, 1],
]  # fmt: skip


def error_of(found, groups):
    return (found.estimate - found.low) / stats.t.ppf(0.975, groups - 1)


def test_fleiss_is_the_kappa_of_his_paper():
    # J. Fleiss (1971): kappa = .430. irrCAC: fleiss.kappa.raw(diagnoses) 0.43024452, se 0.05419894, (0.319, 0.541).
    found = reader_agreement("Fleiss kappa", FLEISS)
    assert found.estimate == pytest.approx(0.43024452, abs=1e-8)
    assert error_of(found, 30) == pytest.approx(0.05419894, abs=1e-8)
    assert (found.low, found.high) == pytest.approx((0.31939525, 0.54109379), abs=1e-8)


def test_fleiss_is_the_kappa_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table, _ = inter_rater.aggregate_raters(np.array(FLEISS, dtype=int))
    assert reader_agreement("Fleiss kappa", FLEISS).estimate == pytest.approx(inter_rater.fleiss_kappa(table))


@pytest.mark.parametrize(
    ("measure", "expected", "error"),
    # irrCAC::gwet.ac1.raw, fleiss.kappa.raw, krippen.alpha.raw, pa.coeff.raw of cac.raw4raters, as its manual prints
    # them; the error of alpha there comes from an older version of its variance.
    [
        ("Gwet AC", 0.77544, 0.14295),
        ("Fleiss kappa", 0.76117, 0.15302),
        ("Krippendorff alpha", 0.74342, 0.14557),
        ("percent agreement", 0.81818, None),
    ],
)
def test_raters_who_skipped_cases_are_those_of_the_irrcac_manual(measure, expected, error):
    found = reader_agreement(measure, FOUR_RATERS, categories=[1, 2, 3, 4, 5])
    assert found.estimate == pytest.approx(expected, abs=5e-6)
    groups = 11 if measure == "Krippendorff alpha" else 12
    if error is not None:
        assert error_of(found, groups) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize(
    ("weights", "measure", "expected", "error"),
    # Python irrCAC 0.4.4: CAC(raw_5observers(), weights=…, categories=[0, 1, 2, 3], digits=8)
    [
        ("none", "Gwet AC", 0.49662205, 0.12197337),
        ("none", "Fleiss kappa", 0.45762169, 0.12045007),
        ("none", "Krippendorff alpha", 0.48053024, 0.11350753),
        ("linear", "Gwet AC", 0.68963942, 0.08769076),
        ("linear", "Fleiss kappa", 0.61185004, 0.10973874),
        ("linear", "Krippendorff alpha", 0.63520822, 0.10004526),
        ("quadratic", "Gwet AC", 0.83043357, 0.05824641),
        ("quadratic", "Fleiss kappa", 0.75071913, 0.09732069),
        ("quadratic", "Krippendorff alpha", 0.77186481, 0.08608133),
    ],
)
def test_weighted_agreement_is_that_of_irrcac(weights, measure, expected, error):
    found = reader_agreement(measure, FIVE_OBSERVERS, weights=weights, categories=[0, 1, 2, 3])
    assert found.estimate == pytest.approx(expected, abs=1e-8)
    assert error_of(found, 15) == pytest.approx(error, rel=1e-3 if measure == "Krippendorff alpha" else 1e-7)


A = [1, 2, 3, 1, 2, 3, 3, 2, 1, 1, 2, 2, 3, 1, 2, 3, 1, 1, 2, 3, 3, 3, 2, 1, 1]
B = [1, 2, 3, 1, 1, 3, 2, 2, 1, 2, 2, 2, 3, 1, 3, 3, 1, 1, 2, 2, 3, 3, 2, 1, 3]


@pytest.mark.parametrize(
    ("weights", "expected", "error"),
    # R 4.2, vcd 1.4: Kappa(table(a, b)), Kappa(table(a, b), weights = "Equal-Spacing" | "Fleiss-Cohen"): value, ASE
    [
        ("none", 0.6402877698, 0.1277053549),
        ("linear", 0.6835443038, 0.1216095916),
        ("quadratic", 0.7272727273, 0.1295586634),
    ],
)
def test_cohens_kappa_and_its_error_are_those_of_r_vcd(weights, expected, error):
    found = cohen_kappa(A, B, weights=weights)
    assert found.estimate == pytest.approx(expected, abs=1e-10)
    # vcd divides by n, as Fleiss, Cohen and Everitt (1969) do; here G/(G - 1) is for few groups.
    assert error_of(found, 25) * np.sqrt(24 / 25) == pytest.approx(error, abs=1e-9)


def test_cohens_kappa_is_that_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.zeros((3, 3))
    np.add.at(table, (np.array(A) - 1, np.array(B) - 1), 1)
    expected = inter_rater.cohens_kappa(table)
    assert cohen_kappa(A, B).estimate == pytest.approx(expected.kappa, abs=1e-12)
    assert error_of(cohen_kappa(A, B), 25) * np.sqrt(24 / 25) == pytest.approx(expected.std_kappa, abs=1e-12)


def test_patients_with_several_cases_are_one_group_each_and_the_bootstrap_agrees():
    random = np.random.default_rng(5)
    patients = np.repeat(np.arange(150), 4)
    state = random.random(150)[patients] < 0.4
    calls = np.where(random.random((600, 3)) < 0.85, state[:, None], ~state[:, None]).astype(int)
    hard = (random.random(150) < 0.2)[patients]
    calls[hard] = random.integers(0, 2, (int(hard.sum()), 3))
    found = reader_agreement("Fleiss kappa", calls, patients)
    alone = reader_agreement("Fleiss kappa", calls)
    assert found.estimate == alone.estimate
    assert found.high - found.low > 1.05 * (alone.high - alone.low)
    ones = calls.sum(axis=1)

    def kappa(weights):
        n = weights.sum(axis=1)
        agreeing = weights @ ((ones * (ones - 1) + (3 - ones) * (2 - ones)) / 6) / n
        share = weights @ (ones / 3) / n
        expected = share**2 + (1 - share) ** 2
        return (agreeing - expected) / (1 - expected)

    drawn = group_bootstrap(kappa, 600, patients, 1000)
    assert error_of(found, 150) == pytest.approx(drawn.std(), rel=0.1)
    single = cohen_kappa(calls[:, 0], calls[:, 1], patients)
    assert single.method == "linearised, t over groups"


@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from(["none", "linear", "quadratic"]))
@settings(max_examples=30, deadline=None)
def test_groups_of_one_case_are_no_groups_and_the_order_of_readers_is_nothing(seed, readers, weights):
    table = np.random.default_rng(seed).integers(0, 4, (20, readers))
    for measure in ("percent agreement", "Fleiss kappa", "Gwet AC", "Krippendorff alpha"):
        options = {"weights": weights, "categories": [0, 1, 2, 3]}
        plain = reader_agreement(measure, table, **options)
        named = reader_agreement(measure, table[:, ::-1], [f"p{i}" for i in range(20)], **options)
        assert (plain.estimate, plain.low, plain.high) == pytest.approx((named.estimate, named.low, named.high))
        assert plain.low <= plain.estimate <= plain.high
    kappa, turned = (cohen_kappa(table[:, a], table[:, b], weights=weights).estimate for a, b in ((0, 1), (1, 0)))
    assert kappa == pytest.approx(turned)


def test_a_case_that_only_one_reader_read_is_left_out_of_cohens_kappa():
    with_gaps = cohen_kappa([*A, 1, None], [*B, "", 2], [*range(25), 90, 91])
    assert with_gaps == cohen_kappa(A, B, list(range(25)))


def test_full_agreement_has_a_limit_by_the_number_of_groups_not_an_interval_of_no_width():
    found = cohen_kappa([0, 1] * 20, [0, 1] * 20)
    assert found.estimate == 1
    assert found.high == 1
    assert found.low == pytest.approx((stats.binomtest(40, 40).proportion_ci(method="wilson").low - 0.5) / 0.5)
    assert "not one disagreement in 40 groups" in found.note


def test_where_nothing_can_be_said_there_is_a_note_and_no_number():
    alike = cohen_kappa([1, 1, 1], [1, 1, 1])
    assert np.isnan(alike.estimate)
    assert "one category" in alike.note
    for measure in ("Fleiss kappa", "Krippendorff alpha"):
        assert np.isnan(reader_agreement(measure, [[1, 1], [1, 1]]).estimate)
    assert np.isnan(reader_agreement("Gwet AC", [[1, 1], [1, 1]]).estimate)
    # Gwet's chance is small where one category prevails: with both named there is an answer.
    assert reader_agreement("Gwet AC", [[1, 1], [1, 1]], categories=[0, 1]).estimate == 1
    assert "two readers" in reader_agreement("Gwet AC", [[1, None], [None, 1]]).note
    assert "both" in cohen_kappa([1, None], [None, 2]).note


def test_one_patient_gives_no_interval_and_few_a_warning():
    one = cohen_kappa([0, 1, 1], [0, 1, 0], ["p", "p", "p"]).as_dict()
    assert (one["low"], one["high"], one["note"]) == (None, None, "one group only: no interval")
    few = reader_agreement("Fleiss kappa", [[0, 1], [1, 1], [0, 0]])
    assert few.note == "3 groups only: the interval is a guide at best"


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="none of the categories"):
        cohen_kappa([0, 7], [0, 1], categories=[0, 1])
    with pytest.raises(ValueError, match="two or more readers"):
        reader_agreement("Gwet AC", [[1], [2]])
    with pytest.raises(ValueError, match="no agreement"):
        reader_agreement("Scott pi", [[1, 2]])
    with pytest.raises(ValueError, match="no weights"):
        agreement_weights(3, "cubic")
