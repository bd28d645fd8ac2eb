"""The tests of a Table 1 against R 4.2; the call stands beside each number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from isthmus.statistics.clustered_group_tests import clustered_categorical_test, clustered_numeric_test
from isthmus.statistics.fisher_exact import fisher_freeman_halton
from isthmus.statistics.group_tests import (
    categorical_test,
    chi_square,
    looks_normal,
    numeric_test,
    rank_test,
    student,
    welch,
)

A = [23, 31, 45, 28, 39, 52, 33, 41, 37, 29]
B = [35, 48, 56, 39, 61, 44, 50, 47, 58, 53, 36, 42]
C = [29, 33, 62, 40, 55, 71, 38]


def test_means_are_compared_as_r_does():
    found = welch([A, B])  # t.test(a, b)
    assert found.statistic == pytest.approx(-3.13416666232925545, rel=1e-12)
    assert found.degrees[0] == pytest.approx(19.12946814649382787, rel=1e-12)
    assert found.p == pytest.approx(0.00542977940651694, rel=1e-10)
    found = student([A, B])  # t.test(a, b, var.equal = TRUE)
    assert (found.statistic, found.p) == pytest.approx((-3.14062593984082783, 0.00514742761004412), rel=1e-10)
    found = welch([A, B, C])  # oneway.test(y ~ g)
    expected = (4.9320724644878151, 2.0, 13.3022874062375642, 0.0249758987046645)
    assert (found.statistic, *found.degrees, found.p) == pytest.approx(expected, rel=1e-10)
    found = student([A, B, C])  # oneway.test(y ~ g, var.equal = TRUE)
    expected = (3.6934054509096188, 2.0, 26.0, 0.0387417592491256)
    assert (found.statistic, *found.degrees, found.p) == pytest.approx(expected, rel=1e-10)


def test_ranks_are_compared_as_r_does():
    found = rank_test([[1.1, 2.3, 0.7, 5.9, 3.3, 8.8], [4.4, 6.1, 9.7, 2.2, 7.5]])  # wilcox.test(u, v)
    assert (found.statistic, found.p) == (8, pytest.approx(0.246753246753247, rel=1e-12))
    assert "exact" in found.method
    found = rank_test([A, B])  # wilcox.test(a, b), with ties
    assert (found.statistic, found.p) == (20.5, pytest.approx(0.0101022336970569, rel=1e-10))
    found = rank_test([A, B, C])  # kruskal.test(y, g)
    assert (found.statistic, found.p) == pytest.approx((6.5151343357160476, 0.0384819042424835), rel=1e-10)


def test_the_test_of_means_is_taken_where_all_groups_look_normal():
    assert looks_normal(A)  # shapiro.test(a)$p.value is 0.959
    assert not looks_normal(np.exp(np.array(A) / 10))  # 0.00504
    assert not looks_normal([1, 1, 1, 2, 9, 20])  # 0.00926
    assert numeric_test([A, B]).method == "Welch's t"
    assert numeric_test([A, B], "paper").method == "Student's t"
    assert numeric_test([np.exp(np.array(A) / 10), B]).method == "Mann-Whitney, exact"


@pytest.mark.parametrize(
    ("counts", "p"),
    [
        ([[217, 54], [6, 0], [2, 1]], 0.378689728852334),  # fisher.test(matrix(c(217,6,2,54,0,1),3))
        ([[12, 0], [187, 44], [4, 2], [22, 9]], 0.0952976578689575),
        ([[15, 0], [3, 4], [8, 9], [22, 11], [1, 2]], 0.00211330720063298),
        ([[7, 1], [2, 4]], 0.090909090909091),
        ([[200, 150], [30, 60], [4, 1], [3, 9], [2, 0]], 2.87756596666928e-05),
    ],
)
def test_tables_of_two_groups_are_worked_out_exactly(counts, p):
    found = fisher_freeman_halton(counts)
    assert found.replicates == 0
    assert found.p == pytest.approx(p, rel=1e-9)
    assert fisher_freeman_halton(np.array(counts).T).p == pytest.approx(p, rel=1e-9)


def test_larger_tables_are_drawn_at_random_and_say_so():
    counts = [[3, 5, 5], [1, 9, 3], [4, 2, 5], [1, 6, 8]]
    found = fisher_freeman_halton(counts)  # fisher.test(matrix(c(3,1,4,1,5,9,2,6,5,3,5,8),4))
    assert found.replicates > 0
    assert abs(found.p - 0.160140492046191) < 4 * found.error
    assert "random tables" in categorical_test(counts).note
    assert fisher_freeman_halton(counts) == found


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=4))
def test_the_exact_test_is_the_sum_over_all_tables(rows):
    table = np.array(rows)
    table = table[table.any(axis=1)]
    if len(table) < 2 or not table.any(axis=0).all():
        return
    sizes, first = table.sum(axis=1), table[:, 0].sum()
    law = stats.multivariate_hypergeom(sizes, first)
    observed = law.pmf(table[:, 0])
    total = 0.0
    for place in np.ndindex(*(sizes + 1)):
        if sum(place) == first:
            p = law.pmf(np.array(place))
            total += p if p <= observed * (1 + 1e-7) else 0.0
    assert fisher_freeman_halton(table).p == pytest.approx(total, rel=1e-8)


def test_chi_square_is_r_with_and_without_yates():
    counts = [[49, 21], [176, 34]]
    found = chi_square(counts, yates=True)  # chisq.test(t1)
    assert (found.statistic, found.p) == pytest.approx((5.4981818181818181, 0.0190362565529037), rel=1e-12)
    found = chi_square(counts)  # chisq.test(t1, correct = FALSE)
    assert (found.statistic, found.p) == pytest.approx((6.3428956228956226, 0.0117852337426455), rel=1e-12)


def clusters():
    """Return what `refs` in R made: 40 groups of 1, 2, 3, 2 rows, classes, levels and numbers by arithmetic."""
    group = np.repeat(np.arange(1, 41), np.tile([1, 2, 3, 2], 10))
    row = np.arange(group.size)
    own = group % 4 <= 1
    crossed = np.where(row % 7 == 0, ~own, own).astype(int)
    level = np.where((crossed == 1) & (row % 3 != 1), 2, (group + row // 2) % 3)
    return group, own.astype(int), crossed, level, (group * 37) % 101 + (row * 13) % 17


def test_shares_of_clustered_rows_are_those_of_r_survey():
    group, _, crossed, level, _ = clusters()
    # svychisq(~lev + cl, svydesign(id = ~g, weights = ~1))
    found = clustered_categorical_test(level, crossed, group)
    expected = (14.9993034446691, 1.95817204361256, 76.3687097008900, 3.76806640664802e-06)
    assert (found.statistic, *found.degrees, found.p) == pytest.approx(expected, rel=1e-9)
    found = clustered_categorical_test(level, group % 3, group)
    expected = (11.9942045520521, 3.67331068317341, 143.259116643763, 5.38393023091701e-08)
    assert (found.statistic, *found.degrees, found.p) == pytest.approx(expected, rel=1e-9)
    found = clustered_categorical_test((level != 0).astype(int), crossed, group)
    expected = (13.6698103747711, 1.0, 39.0, 6.69076651187033e-04)
    assert (found.statistic, *found.degrees, found.p) == pytest.approx(expected, rel=1e-9)


def test_means_of_clustered_rows_have_the_errors_of_r_survey():
    group, own, _, _, y = clusters()
    # svymean(~y, svydesign(id = ~g, data = one class)): mean, SE; the values do not look normal, so ranks are taken.
    t = (40.42 - 40.63333333333333) / np.hypot(5.58858355088865, 5.14688598548951)
    found = clustered_numeric_test(y, own, group)
    assert found.method == "Mann-Whitney, cluster-robust"
    assert found.statistic == pytest.approx(t, rel=1e-9)
    random = np.random.default_rng(0)
    normal = np.round(random.normal(size=40)[group - 1] + random.normal(size=group.size), 3)
    found = clustered_numeric_test(normal, own, group)
    assert found.method == "Welch's t, cluster-robust"
    errors = []
    for one in (0, 1):
        rows = own == one
        sums = np.bincount(group[rows], weights=normal[rows] - normal[rows].mean())[np.unique(group[rows])]
        errors.append(np.sum((sums / rows.sum()) ** 2) * sums.size / (sums.size - 1))
    assert found.statistic == pytest.approx(
        (normal[own == 0].mean() - normal[own == 1].mean()) / np.sqrt(sum(errors)), rel=1e-10
    )


def test_where_every_group_is_one_row_the_clustered_tests_are_the_plain_ones():
    _, own, crossed, level, y = clusters()
    assert clustered_numeric_test(y, own, np.arange(y.size)) == numeric_test([y[own == 0], y[own == 1]])
    table = np.array([[np.sum((level == a) & (crossed == b)) for b in (0, 1)] for a in range(3)])
    assert clustered_categorical_test(level, crossed) == categorical_test(table)


def test_clustered_tests_of_three_classes_have_an_f():
    group, _, _, _, y = clusters()
    y = np.exp(y / 15)
    found = clustered_numeric_test(y, group % 3, group)
    assert found.method == "mean ranks, Wald F, cluster-robust"
    assert found.degrees[0] == 2
    assert 0 < found.p < 1
    # Doubling every row changes nothing: the groups are the units.
    twice = clustered_numeric_test(np.repeat(y, 2), np.repeat(group % 3, 2), np.repeat(group, 2))
    assert twice.statistic == pytest.approx(found.statistic, rel=1e-9)


def test_degenerate_columns_have_no_test_and_say_why():
    assert numeric_test([[1.0], [2.0, 3.0]]).method == "Mann-Whitney, exact"
    assert np.isnan(numeric_test([[1.0, 1.0], [1.0, 1.0, 1.0]]).p)
    assert np.isnan(numeric_test([[], [1.0, 2.0]]).p)
    assert np.isnan(welch([[1.0, 1.0], [2.0, 2.0]]).p)
    assert np.isnan(welch([A, B, [3.0, 3.0]]).p)
    assert np.isnan(student([[1.0], [2.0]]).p)
    assert np.isnan(categorical_test([[5, 7]]).p)
    assert categorical_test([[5, 7]], "paper").p == 1
    assert np.isnan(categorical_test([[5], [7]]).p)
    assert np.isnan(clustered_categorical_test([0, 0, 0], [0, 1, 1], [1, 1, 2]).p)
    assert np.isnan(clustered_categorical_test([0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]).p)
    assert np.isnan(clustered_numeric_test([1.0, 2.0, 4.0], [0, 0, 1], [1, 1, 2]).p)
    assert np.isnan(clustered_numeric_test([1.0, 1.0, 2.0, 2.0], [0, 0, 1, 1], [1, 1, 2, 2]).p)
    assert looks_normal(1e8 + np.array(A) * 1e-6) == looks_normal(A)


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="finite"):
        numeric_test([[1.0, np.nan], [2.0]])
    with pytest.raises(ValueError, match="counts"):
        categorical_test([[1, -2], [3, 4]])
    with pytest.raises(ValueError, match="empty row"):
        fisher_freeman_halton([[0, 0], [3, 4]])


def test_a_null_column_is_found_different_in_one_of_twenty_tables():
    random = np.random.default_rng(3)
    found = {"numeric": 0, "categorical": 0, "clustered": 0, "clustered shares": 0}
    times = 300
    group = np.repeat(np.arange(60), 2)
    of = (np.arange(60) % 3 == 0).astype(int)[group]
    for _ in range(times):
        patient = random.normal(size=60)[group]
        found["numeric"] += numeric_test([random.normal(size=20), 3 * random.normal(size=40)]).p < 0.05
        found["categorical"] += categorical_test(random.multinomial(60, [0.3, 0.2, 0.3, 0.2]).reshape(2, 2)).p < 0.05
        values = patient + random.normal(size=120)
        found["clustered"] += clustered_numeric_test(values, of, group).p < 0.05
        levels = np.digitize(patient + 0.3 * random.normal(size=120), [-0.5, 0.5])
        found["clustered shares"] += clustered_categorical_test(levels, of, group).p < 0.05
    for name, times_found in found.items():
        assert 0.005 < times_found / times < 0.095, name
