"""McNemar's test: against R, statsmodels, Fagerland 2013, the parathyroid glands of Obuchowski 1998, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from isthmus.statistics.mcnemar import binomial_p, chi_square, clustered_mcnemar, mcnemar

# Parathyroid glands free of disease, 21 patients, PET against SPECT: Obuchowski 1998; as printed by R clust.bin.pair.
BOTH = [0, 2, 3, 1, 2, 4, 3, 2, 1, 1, 2, 2, 3, 2, 0, 2, 2, 2, 2, 1, 2]
PET = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
SPECT = [2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0]
NEITHER = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]


def glands() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = np.array([BOTH, PET, SPECT, NEITHER]).T  # [patient, cell]
    patients, kinds = np.repeat(np.arange(21), 4), np.tile(np.arange(4), 21)
    patient, kind = (np.repeat(x, cells.ravel()) for x in (patients, kinds))
    return kind < 2, np.isin(kind, (0, 2)), patient


@pytest.mark.parametrize(
    ("b", "c", "plain", "corrected", "exact", "mid"),
    # R 4.2: m <- matrix(c(10, c, b, 12), 2); mcnemar.test(m, correct = FALSE)$p.value; mcnemar.test(m)$p.value;
    # binom.test(b, b + c)$p.value; statsmodels 0.15 mcnemar(...) gives the same. The first two are Bentur 2009 and
    # Cavo 2012 in Fagerland 2013, whose supplement gives the mid-p as the exact p minus dbinom(min(b, c), b + c, 0.5).
    [
        (1, 7, 0.0338948535247, 0.0770998717435, 0.0703125, 0.0390625),
        (6, 16, 0.0330062576612, 0.0550088336293, 0.0524787902832, 0.0346896648407),
        (25, 2, 9.58400566647e-06, 2.29671087334e-05, 5.64754009247e-06, 3.03238630295e-06),
        (5, 5, 1.0, 1.0, 1.0, 0.876953125),
    ],
)
def test_the_forms_equal_r(b: int, c: int, plain: float, corrected: float, exact: float, mid: float) -> None:
    first = np.repeat([True, False, True, False], [b, c, 10, 12])
    second = np.repeat([False, True, True, False], [b, c, 10, 12])
    found = mcnemar(first, second)
    assert (found.b, found.c) == (b, c)
    # R corrects nothing where b = c; nor do we.
    assert found.asymptotic_p == pytest.approx(plain, rel=1e-10)
    assert found.corrected_p == pytest.approx(corrected, rel=1e-10)
    assert found.exact_p == pytest.approx(exact, rel=1e-10)
    assert found.mid_p == pytest.approx(mid, rel=1e-10)
    assert found.clustered_p == found.asymptotic_p


def test_clustered_tests_equal_the_published_parathyroid_glands() -> None:
    pet, spect, patient = glands()
    # Durkalski 2003 prints 4.5 (McNemar), 2.86 (Obuchowski), 2.32 (Durkalski); Yang 2010 prints 3.13 (modified).
    # R clust.bin.pair 0.1.2: 2.8571, p = 0.09097; 3.1317, p = 0.07679.
    assert chi_square(sum(PET), sum(SPECT)) == 4.5
    obuchowski = mcnemar(pet, spect, patient)
    assert (round(obuchowski.clustered_statistic, 4), round(obuchowski.clustered_p, 5)) == (2.8571, 0.09097)
    yang = mcnemar(pet, spect, patient, clustered="yang")
    assert (round(yang.clustered_statistic, 4), round(yang.clustered_p, 5)) == (3.1317, 0.07679)
    assert round(mcnemar(pet, spect, patient, clustered="durkalski").clustered_statistic, 2) == 2.32
    assert (obuchowski.b, obuchowski.c) == (1, 7)
    assert np.isnan([obuchowski.exact_p, obuchowski.mid_p, obuchowski.asymptotic_p]).all()
    assert "not independent" in obuchowski.note


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_exact_p_is_the_binomial_one_and_mid_p_is_smaller(b: int, c: int) -> None:
    exact, mid = binomial_p(b, c)
    assert exact == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0)
    assert 0 <= mid <= exact <= 1


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_swapping_the_arms_changes_nothing_but_names(rows: list[tuple[bool, bool, int]]) -> None:
    a, b, groups = map(list, zip(*rows, strict=True))
    for given_groups in (None, groups):
        one, two = mcnemar(a, b, given_groups), mcnemar(b, a, given_groups)
        assert (one.b, one.c) == (two.c, two.b)
        np.testing.assert_allclose(
            [one.exact_p, one.mid_p, one.clustered_p], [two.exact_p, two.mid_p, two.clustered_p], equal_nan=True
        )


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_groups_of_one_case_give_mcnemar_and_obuchowski_nears_it(rows: list[tuple[bool, bool]]) -> None:
    a, b = map(list, zip(*rows, strict=True))
    found = mcnemar(a, b, [f"patient {k}" for k in range(len(a))])
    assert found == mcnemar(a, b)
    differences = np.array(a, float) - np.array(b, float)
    over_groups = clustered_mcnemar(differences, np.ones(len(a)))
    assert over_groups * len(a) / (len(a) - 1) == pytest.approx(found.clustered_statistic)


def test_copies_of_a_case_add_no_certainty() -> None:
    pet, spect, patient = glands()
    once = mcnemar(pet, spect, patient).clustered_p
    copied = mcnemar(np.tile(pet, 3), np.tile(spect, 3), np.tile(patient, 3)).clustered_p
    assert copied == pytest.approx(once)


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1]])
def test_no_discordant_pair_is_no_evidence(groups: list[int] | None) -> None:
    found = mcnemar([True, False, True, True], [True, False, True, True], groups)
    assert (found.b, found.c, found.clustered_p) == (0, 0, 1.0)


def test_one_group_gives_no_test_and_says_so() -> None:
    found = mcnemar([True, False, True], [True, True, False], [7, 7, 7])
    assert np.isnan(found.clustered_p)
    assert "one group only" in found.note
    assert found.as_dict()["clustered_p"] is None


def test_wrong_use_is_said() -> None:
    with pytest.raises(ValueError, match="no clustered test 'gee'"):
        clustered_mcnemar([1.0], [1.0], "gee")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 values where 3 were expected"):
        mcnemar([True, False, True], [True, False])
    with pytest.raises(ValueError, match="no empty group"):
        clustered_mcnemar([1.0, 0.0], [1.0, 0.0])


def test_the_clustered_test_keeps_its_level_where_mcnemar_does_not() -> None:
    # 60 patients of 4 nodules; both arms are right with probability 0.7, an arm's luck is shared within a patient.
    random, rejected, naive = np.random.default_rng(5), 0, 0
    groups = np.repeat(np.arange(60), 4)
    for _ in range(400):
        luck = random.random((2, 60)).repeat(4, axis=1)
        shared = random.random((2, 240)) < 0.5
        right = np.where(shared, luck, random.random((2, 240))) < 0.7
        rejected += mcnemar(*right, groups).clustered_p < 0.05
        naive += mcnemar(*right).clustered_p < 0.05
    assert rejected / 400 < 0.08
    assert naive / 400 > 0.1
