"""Bars of what members brought: their side, their length, and nothing cut off."""

import numpy as np

from isthmus.explain.member_bars import member_bars
from isthmus.explain.signed_maps import AGAINST, FOR
from isthmus.inference.prediction import Brought


def pixels_of(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Return where a colour is: columns, of the rows of pixels that hold any."""
    return np.flatnonzero((drawn == np.array(colour)).all(axis=2).any(axis=0))


def test_what_speaks_for_the_class_goes_right_and_against_it_left_as_far_as_it_counts() -> None:
    drawn = member_bars(Brought({"image": 1.2, "clinical": -0.6}, 0.1, 0.7), ["What"], "malignant")
    right, left = pixels_of(drawn, FOR), pixels_of(drawn, AGAINST)
    assert abs(right.min() - left.max()) <= 2
    assert abs(len(right) - 2 * len(left)) <= 3


def test_small_values_look_small() -> None:
    drawn = member_bars(Brought({"image": 0.05}, 0.1, 0.15), ["What"], "malignant")
    assert len(pixels_of(drawn, FOR)) < 25


def test_long_names_and_extreme_values_stay_inside_and_marks_are_added_below() -> None:
    brought = Brought({"a_name_that_is_much_longer_than_its_column": 6.9, "other": -6.9}, 0.0, 0.0)
    plain, marked = (
        member_bars(brought, ["What"], "malignant", marks) for marks in ([], ["SMOKE: nothing means a thing."])
    )
    assert plain.shape[1] == marked.shape[1] == 640
    assert len(marked) > len(plain)
    assert (plain[:, -2:] == 255).all()
    assert (plain[:, :2] == 255).all()


def test_words_tell_the_members_by_size_and_from_where_to_where() -> None:
    brought = Brought({"image": 0.2, "ceus_video": -0.8, "clinical": 0.0}, 0.1, -0.5)
    assert brought.words == (
        "in log odds ceus_video -0.80, image +0.20, clinical 0; from +0.10, an average case, to -0.50"
    )
