"""The nomogram: against R rms, the sum of points against the model itself, calibrated risks, marks as R sets them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from isthmus.errors import InputError
from isthmus.report.clinical_model import ClinicalModel
from isthmus.report.clinical_terms import Term
from isthmus.report.nomogram import Nomogram, nomogram, pretty
from isthmus.statistics.calibration import LogisticCalibration

MIDDLE, UPPER, LOWER = ("middle", "Middle"), ("upper", "Upper"), ("lower", "Lower")
SEXES = (("F", "female"), ("M", "male"))
TERMS = (
    Term("age", "Age", "numeric", 0.0, low=25, high=74),
    Term("size", "Size", "numeric", 0.0, low=3, high=30),
    Term("sex", "Sex", "categorical", "F", reference=SEXES[0], levels=SEXES[1:]),
    Term("place", "Place", "categorical", "lower", reference=LOWER, levels=(MIDDLE, UPPER)),
)
# R 4.2, rms 6.5: m <- lrm(y ~ age + size + sex + place) on 100 made cases; coef(m).
COEFFICIENTS = (
    -0.0427956604368662, 0.1005497755779035, 0.8880351990010499, 0.0384071298077729, 0.5694176889365927,
)  # fmt: skip
MODEL = ClinicalModel(TERMS, -0.0275259014547755, COEFFICIENTS, 100, 51)


def test_points_and_risks_are_those_of_rms():
    found = nomogram(MODEL)
    # nomogram(m, fun = plogis, fun.at = c(.05, .1, .2, .3, .4, .5, .6, .7, .8), lp = FALSE)
    points = {scale.column: {mark.label: mark.points for mark in scale.marks} for scale in found.scales}
    age = np.linspace(76.002976405930, 0, 11)
    assert list(points["age"]) == ["25", "30", "35", "40", "45", "50", "55", "60", "65", "70", "75"]
    assert list(points["age"].values()) == pytest.approx(age, abs=1e-8)
    assert list(points["size"].values()) == pytest.approx(np.linspace(0, 100, 15), abs=1e-8)
    assert next(iter(points["size"])) == "2"
    assert points["sex"] == pytest.approx({"female": 0, "male": 31.5421318836198}, abs=1e-9)
    assert points["place"] == pytest.approx({"Lower": 0, "Middle": 1.36418326101356, "Upper": 20.22515308121561})
    risks = {mark.label: mark.points for mark in found.risk}
    expected = [29.7960544857886, 58.5994293982549, 77.7440851500229, 93.4375541177642, 107.8393002923338]
    expected += [122.2410406053054, 137.9344840833539, 157.0791357186811]
    # rms inverts the risk by interpolation in a table; here it is exact.
    assert [risks[f"{risk:g}"] for risk in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)] == pytest.approx(
        expected, abs=1e-4
    )
    assert "0.02" not in risks  # nobody comes so low


def test_points_that_are_read_and_added_give_the_models_own_risk():
    found = nomogram(MODEL)
    cases = pd.DataFrame(
        list(product([25.0, 50.0, 75.0], [2.0, 30.0], ["F", "M"], ["lower", "middle", "upper"])),
        columns=["age", "size", "sex", "place"],
    )
    shown = {"sex": dict(SEXES), "place": dict((LOWER, MIDDLE, UPPER))}
    by = {scale.column: {mark.label: mark.points for mark in scale.marks} for scale in found.scales}
    sums = [
        sum(by[name][shown[name][value] if name in shown else f"{value:g}"] for name, value in case.items())
        for case in cases.to_dict("records")
    ]
    low, high = (next(mark for mark in found.risk if mark.label == label) for label in ("0.2", "0.7"))
    slope = (np.log(0.7 / 0.3) - np.log(0.2 / 0.8)) / (high.points - low.points)
    risks = expit(np.log(0.2 / 0.8) + slope * (np.array(sums) - low.points))
    np.testing.assert_allclose(risks, MODEL.probabilities(cases), rtol=1e-10)
    assert max(sums) == pytest.approx(found.most)


def test_calibrated_risks_move_and_the_points_do_not():
    plain, moved = nomogram(MODEL), nomogram(MODEL, LogisticCalibration(-1.0, 0.8))
    assert moved.scales == plain.scales
    assert (plain.calibrated, moved.calibrated) == (False, True)
    at = next(mark.points for mark in moved.risk if mark.label == "0.3")
    uncalibrated = expit((np.log(0.3 / 0.7) + 1.0) / 0.8)
    below, above = (next(mark for mark in plain.risk if mark.label == label) for label in ("0.5", "0.6"))
    assert 0.5 < uncalibrated < 0.6
    assert below.points < at < above.points


def test_a_scale_of_risks_that_hardly_differ_has_finer_marks():
    flat = nomogram(MODEL, LogisticCalibration(-1.5, 0.05))
    assert [mark.label for mark in flat.risk][:2] == ["0.165", "0.17"]
    assert len(flat.risk) >= 4
    assert all(0 <= mark.points <= flat.most for mark in flat.risk)


def test_it_is_kept_as_plain_values():
    found = nomogram(MODEL)
    assert Nomogram.from_json(found.to_json()) == found


def test_a_model_that_nothing_moves_has_none():
    with pytest.raises(InputError, match="no characteristic moves the risk"):
        nomogram(ClinicalModel(TERMS, 0.0, (0.0,) * 5, 10, 5))


@pytest.mark.parametrize(
    ("low", "high", "first", "second", "last"),
    # R: pretty(c(low, high), 10)
    [(3, 30, 2, 4, 30), (25, 74, 25, 30, 75), (3.2, 38.7, 0, 5, 40), (0, 213, 0, 20, 220), (0, 0.37, 0, 0.05, 0.4),
     (12, 13.1, 12, 12.1, 13.1)],
)  # fmt: skip
def test_marks_stand_where_r_sets_them(low, high, first, second, last):
    found = pretty(low, high, 10)
    assert (found[0], found[1], found[-1]) == (first, second, last)
