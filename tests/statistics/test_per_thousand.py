"""Numbers per 1,000: by hand, against Newcombe's interval of a difference, laws, degenerate calls, coverage."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.per_thousand import per_thousand
from isthmus.statistics.proportions import wilson


def table(tp: int, fn: int, fp: int, tn: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [tp, fn, fp, tn]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def test_by_hand() -> None:
    found = per_thousand(*table(40, 8, 15, 57), 0.1)
    sensitivity, alarms = wilson(40, 48), wilson(15, 72)
    assert found["found"].estimate == pytest.approx(100 * 40 / 48)
    assert (found["found"].low, found["found"].high) == pytest.approx((100 * sensitivity.low, 100 * sensitivity.high))
    assert (found["missed"].low, found["missed"].high) == pytest.approx(
        (100 * (1 - sensitivity.high), 100 * (1 - sensitivity.low))
    )
    assert (found["needless"].low, found["needless"].high) == pytest.approx((900 * alarms.low, 900 * alarms.high))


def test_half_and_half_is_newcombes_interval_of_a_difference() -> None:
    # At a prevalence of 0.5: positive = 500 (1 + sensitivity - specificity), two independent proportions.
    # statsmodels 0.15: confint_proportions_2indep(40, 48, 57, 72, compare="diff", method="newcomb")
    positive = per_thousand(*table(40, 8, 15, 57), 0.5)["positive"]
    assert positive.low / 500 - 1 == pytest.approx(-0.109080270322, abs=1e-10)
    assert positive.high / 500 - 1 == pytest.approx(0.175382588082, abs=1e-10)


@given(st.tuples(*[st.integers(0, 12)] * 4).filter(lambda c: sum(c) > 0), st.floats(0.01, 0.99), st.booleans())
def test_the_parts_add_up_and_stay_inside(cells: tuple[int, int, int, int], prevalence: float, grouped: bool) -> None:
    labels, calls = table(*cells)
    found = per_thousand(labels, calls, prevalence, np.arange(sum(cells)) // 3 if grouped else None)
    for interval in found.values():
        if isnan(interval.estimate):
            assert interval.note
        else:
            assert -1e-9 <= interval.low <= interval.estimate <= interval.high <= 1000 + 1e-9
    if not isnan(found["positive"].estimate):
        estimates = {name: interval.estimate for name, interval in found.items()}
        assert estimates["found"] + estimates["missed"] == pytest.approx(1000 * prevalence)
        assert estimates["positive"] == pytest.approx(estimates["found"] + estimates["needless"])
        assert estimates["positive"] + estimates["avoided"] == pytest.approx(1000)


def test_groups_of_one_case_change_nothing_and_copies_add_no_certainty() -> None:
    labels, calls = table(40, 8, 15, 57)
    once = per_thousand(labels, calls, 0.2)
    assert per_thousand(labels, calls, 0.2, np.arange(120)) == once
    copied = per_thousand(np.repeat(labels, 3), np.repeat(calls, 3), 0.2, np.repeat(np.arange(120), 3))
    for name, interval in once.items():
        ratio = (copied[name].high - copied[name].low) / (interval.high - interval.low)
        assert 0.999 < ratio < 1.06, name


def test_a_class_without_cases_is_said() -> None:
    found = per_thousand([True, True], [True, False], 0.1)
    assert found["missed"].estimate == 50
    assert found["needless"].note == "no negative case"
    assert isnan(found["avoided"].estimate)
    with pytest.raises(ValueError, match="between 0 and 1"):
        per_thousand([True, False], [True, False], 0.0)


def test_it_covers_95_percent_of_clustered_samples() -> None:
    # 50 patients of 3 nodules, a malignant one among them in half; luck shared within the patient.
    random, hits = np.random.default_rng(8), 0
    groups = np.repeat(np.arange(50), 3)
    labels = (np.arange(150) % 3 == 0) & (groups % 2 == 0)
    truth = 1000 * (0.1 * 0.8 + 0.9 * 0.3)
    for _ in range(400):
        luck = np.where(random.random(150) < 0.4, random.random(50)[groups], random.random(150))
        found = per_thousand(labels, luck < np.where(labels, 0.8, 0.3), 0.1, groups)["positive"]
        hits += found.low <= truth <= found.high
    assert 0.925 <= hits / 400 <= 0.985
