import contextlib
import math
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.cohort.splits import check_split, cross_validation_split, test_split
from isthmus.errors import CohortError, ProtocolError


def examples(positive, negative, views=1):
    """One nodule a group; ``views`` rows a nodule."""
    labels = ["1"] * positive + ["0"] * negative
    rows = [(f"g{i:03}", f"n{i:03}", f"v{i:03}_{k}", label) for i, label in enumerate(labels) for k in range(views)]
    return pd.DataFrame(rows, columns=["group_id", "nodule_id", "view_id", "label"]).assign(fixed_split=None)


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=90),
    folds=st.integers(2, 5),
    seed=st.integers(0, 2**31),
)
def test_no_group_stands_on_two_sides_and_every_part_has_every_class_or_the_split_is_refused(labels, folds, seed):
    frame = pd.DataFrame(
        [(f"g{group}", f"n{i}", "1" if positive else "0") for i, (group, positive) in enumerate(labels)],
        columns=["group_id", "nodule_id", "label"],
    )
    try:
        split = cross_validation_split(frame, folds, seed)
    except CohortError as error:
        named = re.match(r"(\d) folds work with seed", error.hint or "")
        for fewer in range(folds, int(named[1]) if named else 1, -1):
            with pytest.raises(CohortError):
                cross_validation_split(frame, fewer, seed)
        if named is None:
            return
        folds = int(named[1])
        split = cross_validation_split(frame, folds, seed)
    check_split(split)
    assert len(split) == folds * frame["group_id"].nunique()
    for _, fold in split.groupby("fold"):
        part = frame["group_id"].map(fold.set_index("group_id")["part"])
        assert all(set(frame["label"][part == name]) == {"0", "1"} for name in ("train", "tune", "cv"))


@settings(max_examples=40, deadline=None)
@given(positive=st.integers(0, 9), folds=st.integers(2, 5), seed=st.integers(0, 2**31))
def test_groups_of_one_nodule_are_refused_exactly_where_they_cannot_be_dealt(positive, folds, seed):
    # Of c groups a fold holds out c / k, rounded down or up: at least one, and two are left, to train and to tune.
    possible = positive >= folds and positive - math.ceil(positive / folds) >= 2
    with contextlib.nullcontext() if possible else pytest.raises(CohortError):
        cross_validation_split(examples(positive, 12), folds, seed)


def test_the_split_depends_on_the_seed_and_on_nothing_else():
    frame = examples(20, 40, views=2)
    first = cross_validation_split(frame, 5, 0)
    shuffled = cross_validation_split(frame.sample(frac=1, random_state=1), 5, 0)
    pd.testing.assert_frame_equal(first, shuffled)
    assert not first.equals(cross_validation_split(frame, 5, 1).assign(seed=0))


def test_folds_are_stratified_and_a_fifth_of_the_training_groups_tunes():
    split = cross_validation_split(examples(20, 40), 5, 0)
    positive = split["group_id"] < "g020"
    counts = split.groupby(["fold", "part", positive]).size().unstack()
    # 20 and 40 groups in 5 folds: 4 and 8 held out, and of the other 16 and 32 a fifth (3.2 and 6.4) tunes.
    for fold in range(5):
        assert counts.loc[(fold, "cv")].tolist() == [8, 4]
        assert counts.loc[(fold, "tune")].tolist() == [6, 3]
        assert counts.loc[(fold, "train")].tolist() == [26, 13]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (examples(3, 40), "class '0' 40 groups, class '1' 3 groups, for 5 folds.*Next: 3 folds work with seed 0"),
        (examples(1, 40), "class '1' 1 groups.*gather more cases"),
        (examples(0, 40), "only one class"),
    ],
)
def test_a_fold_without_a_class_is_refused_with_counts_and_the_remedy(frame, words):
    with pytest.raises(CohortError, match=words):
        cross_validation_split(frame, 5, 0)


def test_a_class_too_small_to_train_and_tune_is_refused():
    # Two positive groups in two folds: one is held out, one tunes, none is left to train.
    with pytest.raises(CohortError, match="lacks a class in its 'train' part"):
        cross_validation_split(examples(2, 20), 2, 0)


def test_of_three_classes_the_number_of_folds_that_works_is_found_by_trying():
    third = examples(0, 4).assign(label="2", group_id=lambda rows: "z" + rows["group_id"])
    frame = pd.concat([examples(30, 40), third])
    with pytest.raises(CohortError, match=r"class '2' 4 groups, for 5 folds.*Next: 4 folds work with seed 0"):
        cross_validation_split(frame.assign(nodule_id=frame["group_id"]), 5, 0)


def test_senseless_settings_are_refused():
    for folds, fraction in ((1, 0.2), (5, 0.0), (5, 1.0)):
        with pytest.raises(ProtocolError, match="at least 2 folds"):
            cross_validation_split(examples(20, 20), folds, 0, fraction)


def test_a_group_on_two_sides_and_one_never_held_out_are_found():
    split = cross_validation_split(examples(10, 10), 2, 0)
    twice = pd.concat([split, split.iloc[[0]].assign(part="cv")])
    with pytest.raises(CohortError, match="1 groups stand on two sides of a split"):
        check_split(twice)
    with pytest.raises(CohortError, match="not held out exactly once"):
        check_split(split[split["fold"] == 0])


def test_scikit_learn_is_asked_for_by_name_when_it_is_absent(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.model_selection", None)
    with pytest.raises(CohortError, match=r"pip install 'isthmus\[train\]'"):
        cross_validation_split(examples(10, 10), 2, 0)


def test_a_random_test_part_is_stratified_and_deterministic():
    frame = examples(20, 40)
    groups = test_split(frame, {"fraction": 0.2, "seed": 3})
    assert groups == test_split(frame, {"fraction": 0.2, "seed": 3})
    assert groups != test_split(frame, {"fraction": 0.2, "seed": 4})
    # A fifth of 20 and of 40.
    assert sum(group < "g020" for group in groups) == 4
    assert len(groups) == 12


def test_a_fixed_test_part_is_taken_from_its_column():
    frame = examples(4, 4)
    frame["fixed_split"] = ["test", "train"] * 4
    assert test_split(frame, {"column": "split"}) == ["g000", "g002", "g004", "g006"]


def test_a_fixed_split_that_cuts_a_group_lacks_a_class_or_is_not_there_is_refused():
    frame = examples(4, 4)
    with pytest.raises(CohortError, match="no example has a value in column 'split'"):
        test_split(frame, {"column": "split"})
    frame["fixed_split"] = ["test"] * 4 + ["train"] * 4
    with pytest.raises(CohortError, match=r"lacks a class .test: class '0' 0 groups, class '1' 4 groups"):
        test_split(frame, {"column": "split"})
    frame["group_id"] = "g"
    with pytest.raises(CohortError, match="both sides of the fixed split: g"):
        test_split(frame, {"column": "split"})
    with pytest.raises(ProtocolError, match="column: split"):
        test_split(frame, {"share": 0.2})
