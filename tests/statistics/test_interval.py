"""Intervals, their dictionaries, and Holm."""

import json

import numpy as np
import pytest

from isthmus.statistics.interval import Comparison, Interval, compare, holm, log_interval, logit_interval, undefined


def test_a_dictionary_is_json_even_without_a_number() -> None:
    known = Interval(0.8, 0.7, 0.9, method="Wilson").as_dict()
    assert known == {"estimate": 0.8, "low": 0.7, "high": 0.9, "level": 0.95, "method": "Wilson"}
    nothing = undefined("Wilson", "no positive case").as_dict()
    assert json.loads(json.dumps(nothing, allow_nan=False))["estimate"] is None
    assert nothing["note"] == "no positive case"
    fields = Comparison(Interval(0.1, 0, 0.2), 2.0, 0.04, "z", 0.8, 0.7).as_dict()
    assert {"difference", "low", "high", "level", "statistic", "p", "method", "estimate_a", "estimate_b"} == set(fields)


def test_the_logit_interval_stays_inside_and_agrees_where_it_is_narrow() -> None:
    wide = logit_interval(0.98, 0.02)
    assert 0 < wide.low < 0.98 < wide.high < 1
    narrow = logit_interval(0.7, 1e-8)
    assert (narrow.low, narrow.high) == pytest.approx((0.7 - 1.96e-4, 0.7 + 1.96e-4), abs=1e-7)
    assert logit_interval(0.7, 0.0).low == 0.7
    with pytest.raises(ValueError, match="logit of 1"):
        logit_interval(1.0, 0.1)
    assert log_interval(2.0, 0.04).low * log_interval(2.0, 0.04).high == pytest.approx(4)


def test_impossible_intervals_are_refused() -> None:
    with pytest.raises(ValueError, match="above its high limit"):
        Interval(0.5, 0.6, 0.4)
    with pytest.raises(ValueError, match=r"as 0\.95 does"):
        Interval(0.5, 0.4, 0.6, level=95)


def test_a_difference_without_variance_has_no_test() -> None:
    assert compare(0.8, 0.8, 0.0, 0.95, "z").p == 1
    assert np.isnan(compare(0.8, 0.7, 0.0, 0.95, "z").p)


def test_holm_equals_r() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.5])
    skipped = holm([0.02, np.nan, 0.01])
    assert skipped[[0, 2]] == pytest.approx([0.02, 0.02])
    assert np.isnan(skipped[1])
    with pytest.raises(ValueError, match="outside 0 to 1"):
        holm([1.2])
