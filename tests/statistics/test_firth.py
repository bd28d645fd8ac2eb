"""Firth's logistic regression: against R logistf and brglm2, the 2 x 2 table's closed form, separation, bad designs."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.firth import firth_joint_test, firth_logistic

# Urinary tract infection and contraceptives (Cytel 2010), `data(sex2)` of R logistf: case, age, oc, vic, vicl, vis,
# dia, and how many are so.
SEX2 = {
    "1000010": 1, "1001000": 14, "1001010": 3, "1001100": 10, "1001110": 12, "1001111": 1, "1010000": 44, "1010001":
    3, "1011000": 15, "1011001": 1, "1011010": 2, "1011100": 7, "1011110": 3, "1101000": 2, "1101010": 1, "1101011":
    1, "1101100": 1, "1101111": 1, "1110000": 5, "1111000": 3, "0000010": 1, "0001000": 2, "0001010": 1, "0001100":
    8, "0001110": 18, "0010000": 42, "0010010": 1, "0011000": 1, "0011100": 5, "0011110": 6, "0101100": 2,
    "0101110": 4, "0110000": 14, "0110010": 1, "0111000": 1, "0111110": 2,
}  # fmt: skip

# Endometrial cancer (Heinze and Schemper 2002), `data(endometrial)` of R brglm2: NV, PI, EH; high grade last.
NV = [*[0] * 21, *[1] * 5, *[0] * 21, *[1] * 4, *[0] * 19, 1, 0, 0, 0, 1, 1, 0, 1, 0]
PI = [
    13, 16, 8, 34, 20, 5, 17, 10, 26, 17, 8, 7, 20, 10, 18, 16, 18, 8, 29, 12, 20, 38, 22, 7, 25, 15, 7, 28, 11, 19,
    10, 10, 18, 14, 21, 11, 17, 25, 16, 19, 15, 33, 24, 48, 12, 19, 2, 22, 40, 5, 0, 21, 15, 29, 15, 12, 3, 20, 23, 12,
    22, 42, 15, 13, 14, 19, 12, 13, 10, 12, 49, 6, 5, 17, 11, 21, 5, 19, 33,
]  # fmt: skip
EH = [
    1.64, 2.26, 3.14, 2.68, 1.28, 2.31, 1.8, 1.68, 1.56, 2.31, 2.01, 1.89, 3.15, 1.23, 1.27, 1.76, 2, 2.64, 0.88, 1.27,
    1.37, 0.97, 1.14, 0.88, 0.91, 0.58, 0.97, 1.5, 1.33, 2.37, 1.82, 3.13, 1.31, 1.92, 1.64, 2.01, 1.88, 1.93, 2.11,
    1.29, 1.72, 0.75, 1.92, 1.84, 1.11, 1.61, 1.18, 1.44, 1.18, 0.93, 1.17, 1.19, 1.06, 2.02, 2.29, 2.33, 2.9, 1.7,
    1.41, 2.25, 1.54, 1.97, 1.75, 2.16, 2.57, 1.37, 3.61, 2.04, 2.17, 1.69, 0.27, 1.84, 1.3, 0.96, 1.01, 0.98, 0.35,
    1.02, 0.85,
]  # fmt: skip
HIGH_GRADE = [*[0] * 17, *[1] * 10, *[0] * 16, *[1] * 10, *[0] * 16, *[1] * 10]
ENDOMETRIAL = np.column_stack([NV, PI, EH])


def sex2() -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat([[int(code) for code in key] for key in SEX2], list(SEX2.values()), axis=0)
    return rows[:, 0], rows[:, 1:]


def test_everything_that_r_logistf_prints_of_its_own_example_is_met():
    # R: summary(logistf(case ~ age+oc+vic+vicl+vis+dia, data = sex2, alpha = 0.1)), as published with its help.
    printed = np.array(
        [
            [0.12025405, -0.6673577, 0.9177303, 0.06286298, 8.020268e-01],
            [-1.10598131, -1.8277045, -0.4328451, 7.50773092, 6.143472e-03],
            [-0.06881673, -0.7986318, 0.6507581, 0.02467044, 8.751911e-01],
            [2.26887464, 1.4248338, 3.2325326, 22.93139022, 1.678877e-06],
            [-2.11140817, -3.0613215, -1.2704704, 19.10407252, 1.237805e-05],
            [-0.78831694, -1.4743338, -0.1137542, 3.69740975, 5.449701e-02],
            [3.09601166, 1.0835108, 6.8752016, 7.89693139, 4.951873e-03],
        ]
    )
    labels, design = sex2()
    fit = firth_logistic(labels, design, level=0.9)
    found = np.column_stack([fit.coefficients, fit.low, fit.high, fit.statistics, fit.p])
    np.testing.assert_allclose(found, printed, rtol=3e-7, atol=0)
    whole = firth_joint_test(labels, design, range(6))
    assert (whole.df, round(whole.statistic, 5), whole.p) == (6, 49.09064, pytest.approx(7.15089e-09, rel=1e-6))


def test_separated_classes_have_the_finite_estimates_of_the_published_example():
    # NV parts the classes: no patient with it is of low grade. R 4.2, brglm2 0.9: brglm_fit(type = "AS_mean").
    fit = firth_logistic(HIGH_GRADE, ENDOMETRIAL)
    expected = [3.7745597136470286, 2.9292733531970940, -0.0347517598704338, -2.6041639252936548]
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-9)
    errors = [1.4886916634356544, 1.5507637294530392, 0.0395781473477631, 0.7760176425015612]
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-9)
    # R logistf(HG ~ NV + PI + EH), limits.
    np.testing.assert_allclose(fit.low, [1.0825371, 0.6097244, -0.1244587, -4.3651832], rtol=1e-6)
    np.testing.assert_allclose(fit.high, [7.20928050, 7.85463171, 0.04045547, -1.23272106], rtol=1e-7)


@settings(max_examples=12, deadline=None)
@given(st.tuples(*[st.integers(0, 30)] * 4).filter(lambda cells: sum(cells[:2]) and sum(cells[2:])))
def test_of_two_groups_it_is_the_odds_ratio_with_a_half_in_every_cell(cells):
    labels, group = np.repeat([0, 1, 0, 1], cells), np.repeat([0, 0, 1, 1], cells)
    if not 0 < labels.sum() < labels.size:
        return
    a, b, c, d = (cell + 0.5 for cell in cells)
    fit = firth_logistic(labels, group[:, None])
    assert fit.coefficients[1] == pytest.approx(log(a * d / (b * c)), abs=1e-7)
    assert fit.low[1] < fit.coefficients[1] < fit.high[1]


def test_the_test_of_one_coefficient_is_the_joint_test_of_it_alone():
    fit, alone = firth_logistic(HIGH_GRADE, ENDOMETRIAL), firth_joint_test(HIGH_GRADE, ENDOMETRIAL, [2])
    assert (alone.statistic, alone.p) == pytest.approx((fit.statistics[3], fit.p[3]), rel=1e-8)


def test_an_odds_ratio_is_on_the_scale_that_is_read():
    ratio = firth_logistic(HIGH_GRADE, ENDOMETRIAL).odds_ratio(1)
    assert ratio.low == pytest.approx(1.83993, abs=1e-4)
    assert ratio.method == "profile penalised likelihood"


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (np.ones((6, 1)), "tell 1 of 2 coefficients apart"),
        (np.arange(12.0).reshape(6, 2), "tell 2 of 3 coefficients apart"),
        (np.eye(6, 8), "or there are more coefficients than cases"),
        (np.full((6, 1), np.nan), "finite numbers"),
    ],
)
def test_covariates_that_cannot_be_told_apart_are_refused(design, message):
    with pytest.raises(ValueError, match=message):
        firth_logistic([0, 1, 0, 1, 0, 1], design)
