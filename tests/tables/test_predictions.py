import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import TableError
from isthmus.tables.predictions import KEY, classes_of, read_predictions, write_predictions

HEADER = "arm,split,unit_id,label,p_0,p_1\n"


def write(folder, content, name="predictions.csv"):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def refusal(*paths):
    with pytest.raises(TableError) as caught:
        read_predictions(paths)
    return str(caught.value)


def test_defaults_are_filled_in(tmp_path):
    frame = read_predictions(write(tmp_path, HEADER + "a,cv,007,1,0.25,0.75\n"))
    row = frame.iloc[0].to_dict()
    assert row == {
        "target": "target", "cohort": "cohort", "arm": "a", "candidate": "default", "split": "cv", "seed": 0, "fold": 0,
        "unit": "nodule", "unit_id": "007", "nodule_id": "007", "patient_id": "007", "group_id": "007", "site": "",
        "label": "1", "call": "", "p_0": 0.25, "p_1": 0.75,
    }  # fmt: skip
    assert frame["seed"].dtype == np.int64


def test_a_view_takes_its_nodule_patient_and_group_from_the_widest_that_is_stated(tmp_path):
    frame = read_predictions(
        write(
            tmp_path,
            "arm,split,unit_id,label,unit,nodule_id,patient_id,score\na,cv,v1,1,view,n1,,3\na,cv,v2,0,view,,p2,1\n",
        )
    )
    assert frame[["nodule_id", "patient_id", "group_id"]].to_numpy().tolist() == [["n1"] * 3, ["p2"] * 3]


def test_a_view_that_belongs_to_nothing_is_refused_since_views_are_not_independent(tmp_path):
    message = refusal(write(tmp_path, "arm,split,unit_id,label,unit,score\na,cv,v1,1,view,3\n"))
    assert "views of one nodule are not independent" in message


def test_probabilities_must_sum_to_one_labels_be_classes_and_splits_be_known_all_said_at_once(tmp_path):
    message = refusal(
        write(tmp_path, HEADER + "a,cv,1,1,0.2,0.9\na,cv,2,7,0.5,0.5\na,weird,3,1,0.5,0.5\na,cv,4,1,x,0.5\n")
    )
    assert message.startswith("4 bad values:")
    assert "line 2, column 'p_0, p_1': 'sum 1.1'; expected a sum of 1 within 1e-06" in message
    assert "line 3, column 'label': '7'; expected one of the classes of the p_ columns: 0, 1" in message
    assert "line 4, column 'split': 'weird'" in message
    assert "line 5, column 'p_0': 'x'; expected a number" in message


def test_a_sum_within_a_millionth_is_accepted(tmp_path):
    frame = read_predictions(write(tmp_path, HEADER + "a,cv,1,1,0.2,0.8000009\n"))
    assert frame["p_1"].tolist() == [0.8000009]


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("arm,split,unit_id,label,p_0,p_1,score", "a,cv,1,1,0.5,0.5,1", "both p_<class> and score"),
        ("arm,split,unit_id,label", "a,cv,1,1", "no p_<class> and no score"),
        ("arm,split,unit_id,label,p_1", "a,cv,1,1,1", "only one class column, 'p_1'"),
        ("arm,split,unit_id,p_0,p_1", "a,cv,1,0.5,0.5", "column 'label'"),
    ],
)
def test_the_score_columns_are_all_classes_or_one_score(tmp_path, header, row, words):
    assert words in refusal(write(tmp_path, f"{header}\n{row}\n"))


def test_a_repeated_key_is_refused_and_both_places_are_named_also_across_files(tmp_path):
    first = write(tmp_path, HEADER + "a,cv,1,1,0.2,0.8\n", "first.csv")
    second = write(tmp_path, HEADER + "b,cv,1,1,0.2,0.8\na,cv,1,1,0.3,0.7\n", "second.csv")
    message = refusal(first, second)
    assert "second.csv, line 3" in message
    assert "first.csv, line 2" in message


def test_files_with_other_classes_do_not_mix(tmp_path):
    first = write(tmp_path, HEADER + "a,cv,1,1,0.2,0.8\n", "first.csv")
    second = write(tmp_path, "arm,split,unit_id,label,score\nb,cv,1,1,3\n", "second.csv")
    assert "differ from the first table's" in refusal(first, second)


def test_no_rows_and_no_files_are_refused(tmp_path):
    assert "no rows" in refusal(write(tmp_path, HEADER))
    assert "no predictions table" in refusal()


def test_classes_follow_the_columns_or_the_sorted_labels():
    assert classes_of(pd.DataFrame({"label": ["b"], "p_b": [0.5], "p_a": [0.5]})) == ["b", "a"]
    assert classes_of(pd.DataFrame({"label": ["1", "0", "1"], "score": [1, 2, 3]})) == ["0", "1"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.sampled_from(["csv", "parquet"]),
)
def test_written_predictions_are_sorted_come_back_exactly_and_do_not_depend_on_the_order_given(
    tmp_path_factory, values, random, suffix
):
    folder = tmp_path_factory.mktemp("predictions")
    frame = pd.DataFrame(
        {"arm": "a", "split": "cv", "unit_id": [f"n{i:03}" for i in range(len(values))], "label": "1",
         "p_0": [1 - value for value in values], "p_1": values}
    )  # fmt: skip
    shuffled = frame.sample(frac=1, random_state=random.randrange(1000))
    write_predictions(folder / f"one.{suffix}", frame)
    write_predictions(folder / f"two.{suffix}", shuffled)
    assert (folder / f"one.{suffix}").read_bytes() == (folder / f"two.{suffix}").read_bytes()
    back = read_predictions(folder / f"one.{suffix}")
    assert back["p_1"].tolist() == values
    assert back[list(KEY)].equals(back[list(KEY)].sort_values(list(KEY)))
