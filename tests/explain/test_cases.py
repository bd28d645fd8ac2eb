"""Cases are chosen by a rule."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.explain.cases import HEADINGS, NEAR, RIGHT, WRONG, choose_cases


def table(probability: list[float], label: list[str], groups: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group_id": groups or [str(row) for row in range(len(label))],
            "label": label,
            "call": ["1" if value >= 0.5 else "0" for value in probability],
            "probability": probability,
            "threshold": 0.5,
        }
    )


def test_right_ones_take_turns_between_the_classes() -> None:
    rows = table([0.99, 0.98, 0.97, 0.3, 0.2, 0.51], ["1", "1", "1", "0", "0", "0"])
    # The most confident positive and the most confident negative, not the two 0.9x.
    assert choose_cases(rows, 6, "1")[:2] == [(RIGHT, 0), (RIGHT, 4)]


def test_failures_and_undecided_cases_are_shown() -> None:
    rows = table([0.9, 0.95, 0.05, 0.52], ["1", "0", "0", "1"])
    assert choose_cases(rows, 3, "1") == [(RIGHT, 2), (WRONG, 1), (NEAR, 3)]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 10_000))
def test_no_patient_twice_never_more_than_asked_and_headings_keep_their_word(n: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = [str(value) for value in generator.integers(0, 2, n)]
    rows = table(list(generator.random(n)), labels, [str(value) for value in generator.integers(0, 20, n)])
    chosen = choose_cases(rows, count, "1")
    groups = [rows["group_id"][row] for _, row in chosen]
    assert len(chosen) <= count
    assert len(set(groups)) == len(groups)
    assert [HEADINGS.index(heading) for heading, _ in chosen] == sorted(HEADINGS.index(h) for h, _ in chosen)
    for heading, row in chosen:
        if heading != NEAR:
            assert (rows["label"][row] == rows["call"][row]) == (heading == RIGHT)


def test_a_model_that_is_never_wrong_shows_no_wrong_case() -> None:
    chosen = choose_cases(table([0.9, 0.1, 0.8], ["1", "0", "1"]), 6, "1")
    assert [heading for heading, _ in chosen] == [RIGHT, RIGHT, NEAR]
