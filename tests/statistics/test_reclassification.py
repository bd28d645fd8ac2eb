"""NRI and IDI: against Hmisc, against a published table, by their identities, and where they do not exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from isthmus.statistics.proportions import compare_paired_proportions
from isthmus.statistics.reclassification import categories_of, integrated_discrimination, net_reclassification
from tests.statistics.cases import labels, pairs, probabilities, scores_b

old, new = np.clip(0.1 + 0.6 * scores_b, 0.02, 0.95), probabilities
Z = 1.959963984540054


def _estimates(found: object) -> list[float]:
    return [getattr(found, name).estimate for name in ("total", "events", "nonevents")]


def test_the_category_free_nri_equals_hmisc() -> None:
    # R: z <- Hmisc::improveProb(old, new, y); z$nri, z$nri.ev, z$nri.ne
    found = net_reclassification(labels, new, old, category_free=True, replicates=50)
    assert _estimates(found) == pytest.approx([0.23611111111111, 0.20833333333333, 0.027777777777778], abs=1e-13)
    # z$pup.ev, z$pdown.ev, z$pup.ne, z$pdown.ne
    shares = [found.up_events / 48, found.down_events / 48, found.up_nonevents / 72, found.down_nonevents / 72]
    assert shares == pytest.approx([0.60416666666667, 0.39583333333333, 0.48611111111111, 0.51388888888889])
    assert "smallest move" in found.total.note


def test_the_categorical_nri_equals_hmisc() -> None:
    # R: k <- function(v) findInterval(v, c(.3, .5, .7)) / 10; Hmisc::improveProb(k(old), k(new), y)
    found = net_reclassification(
        labels, categories_of(new, [0.3, 0.5, 0.7]), categories_of(old, [0.3, 0.5, 0.7]), replicates=4000
    )
    assert _estimates(found) == pytest.approx([0.23611111111111, 0.25, -0.013888888888889], abs=1e-13)
    # Its bootstrap interval against the multinomial variance of a mean of -1, 0, 1 (Pencina 2011).
    up, down = found.up_events / 48, found.down_events / 48
    error = np.sqrt((up + down - (up - down) ** 2) / 48)
    assert (found.events.high - found.events.low) / 2 / Z == pytest.approx(error, rel=0.06)


def test_the_idi_equals_hmisc() -> None:
    # R: z$idi, z$improveSens, z$improveSpec, z$se.idi
    found = integrated_discrimination(labels, new, old, replicates=4000)
    assert _estimates(found) == pytest.approx([0.079194226123643, 0.073548790446055, 0.0056454356775884], abs=1e-13)
    assert (found.total.high - found.total.low) / 2 / Z == pytest.approx(0.044145273904422, rel=0.05)


def test_the_nri_of_framingham_is_that_of_the_paper() -> None:
    # M. Pencina et al., Statistics in Medicine 27 (2008) 157-172, table II: risk below 6 %, 6-20 %, above 20 %, rows
    # without HDL, columns with; 29 of 183 events up, 7 down; 174 of 3081 non-events down, 173 up; NRI 0.121, z 3.616.
    # The moves, NRI and z are as printed; the single cells were written from memory and only agree with these sums.
    events = [[39, 15, 0], [4, 87, 14], [0, 3, 21]]
    nonevents = [[1959, 142, 0], [148, 703, 31], [1, 25, 72]]
    rows = [
        (truth, i, j)
        for truth, table in ((True, events), (False, nonevents))
        for i, line in enumerate(table)
        for j, number in enumerate(line)
        for _ in range(number)
    ]
    y, before, after = (np.array(column) for column in zip(*rows, strict=True))
    found = net_reclassification(y, after, before, replicates=50)
    assert (y.sum(), (~y).sum()) == (183, 3081)
    assert round(found.total.estimate, 3) == 0.121
    assert (found.up_events, found.down_events, found.up_nonevents, found.down_nonevents) == (29, 7, 173, 174)
    assert round(found.total.estimate / np.sqrt(36 / 183**2 + 347 / 3081**2), 3) == 3.616


def test_two_categories_are_changes_of_sensitivity_and_specificity() -> None:
    called, before = new >= 0.5, old >= 0.5
    found = net_reclassification(labels, called, before, pairs, replicates=4000)
    change = compare_paired_proportions(called[labels], before[labels], pairs[labels]).difference
    assert found.events.estimate == pytest.approx(change.estimate, abs=1e-14)
    assert found.events.high - found.events.low == pytest.approx(change.high - change.low, rel=0.1)
    assert found.nonevents.estimate == pytest.approx(before[~labels].mean() - called[~labels].mean(), abs=1e-14)


def test_a_model_that_is_only_spread_wider_gains_by_the_idi() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=4000)
    y = generator.random(4000) < expit(x)
    found = integrated_discrimination(y, expit(3 * x), expit(x), replicates=200)
    assert found.total.low > 0  # why the page warns: the ranks are the same, the calibration is worse


def test_the_interval_of_clustered_rows_is_that_of_the_groups() -> None:
    twice = np.repeat(np.arange(120), 2)
    alone = integrated_discrimination(labels, new, old, replicates=500)
    doubled = integrated_discrimination(labels[twice], new[twice], old[twice], twice, replicates=500)
    assert doubled.total.low == pytest.approx(alone.total.low, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=25))
def test_swapping_the_models_turns_the_sign(rows: list[tuple[bool, float, float]]) -> None:
    y, a, b = (np.array(column) for column in zip(*rows, strict=True))
    for measure in (net_reclassification, integrated_discrimination):
        forward, backward = measure(y, a, b, replicates=100), measure(y, b, a, replicates=100)
        if y.all() or not y.any():
            assert "one class" in forward.total.note
            continue
        assert _estimates(forward) == pytest.approx([-value for value in _estimates(backward)], abs=1e-12)
        assert -2 <= forward.total.estimate <= 2
        assert measure(y, a, a, replicates=100).total.estimate == 0


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        categories_of([0.1], [0.5, 0.5])
    with pytest.raises(ValueError, match="finite"):
        net_reclassification([1, 0], [np.nan, 0.1], [0.1, 0.1])
    with pytest.raises(ValueError, match="outside 0 to 1"):
        integrated_discrimination([1, 0], [5e15, 0.1], [0.1, 0.1])
    assert categories_of([0.05, 0.06, 0.3], [0.06, 0.2]).tolist() == [0, 1, 2]
