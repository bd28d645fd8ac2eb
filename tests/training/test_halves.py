"""Patients are halved as whole groups, each class alike, and nobody is scored by what was fitted on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import CohortError, FitError
from isthmus.training.halves import FEWEST, check_unseen, halve_groups, pairs_of


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), min_size=4, max_size=80), st.integers(0, 99))
def test_halves_share_out_every_group_once_and_each_class_evenly(rows: list[tuple[int, int]], seed: int) -> None:
    groups = [f"g{group}" for group, _ in rows]
    labels = [label for _, label in rows]
    rare = min((0, 1), key=lambda label: (labels.count(label), label))
    strata = {group: (rare if any(g == group and y == rare for g, y in zip(groups, labels, strict=True)) else 1 - rare)
              for group in groups}  # fmt: skip
    sizes = [sum(stratum == label for stratum in strata.values()) for label in (0, 1)]
    if min(sizes) < FEWEST:
        with pytest.raises(CohortError, match="cannot be halved"):
            halve_groups(groups, labels, seed)
        return
    first, second = halve_groups(groups, labels, seed)
    assert sorted((*first, *second)) == sorted(set(groups))
    assert abs(len(first) - len(second)) <= 1
    for label in (0, 1):
        counts = [sum(strata[group] == label for group in half) for half in (first, second)]
        assert abs(counts[0] - counts[1]) <= 1


def test_halves_depend_on_the_seed_and_not_on_the_order_of_rows() -> None:
    groups, labels = np.array([f"g{i:02d}" for i in range(40)]), np.arange(40) % 4 == 0
    once = halve_groups(groups, labels, 3)
    order = np.random.default_rng(0).permutation(40)
    assert halve_groups(groups[order], labels[order], 3) == once
    assert halve_groups(groups, labels, 4) != once


def test_networks_and_heads_are_crossed_unless_the_paper_s_way_is_asked_for() -> None:
    groups, labels = [f"g{i}" for i in range(10)], [0, 1] * 5
    a, b = pairs_of(groups, labels, "cross_fit", 0)
    assert (a.networks, a.head) == (b.head, b.networks)
    assert not set(a.networks) & set(a.head)
    (everybody,) = pairs_of(groups, labels, "paper", 0)
    assert everybody.networks == everybody.head == tuple(sorted(groups))


def test_a_group_that_was_fitted_on_and_is_scored_is_named() -> None:
    check_unseen(["a", "b"], ["c"], "head a")
    with pytest.raises(FitError, match="1 groups are scored by what was fitted on them: b \\(head a\\)"):
        check_unseen(["a", "b"], ["b", "c"], "head a")
