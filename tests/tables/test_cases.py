"""What is known of the cases: any columns, bad rows all at once."""

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import TableError
from isthmus.tables.cases import read_cases


def write(folder, content, name="cases.csv"):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(TableError) as caught:
        read_cases(path)
    return str(caught.value)


def test_a_column_of_numbers_is_numbers_and_identifiers_and_leading_zeros_stay_text(tmp_path):
    path = write(
        tmp_path,
        "unit_id,patient_id,site,ward,age_years,kpa,small,note\n"
        "007,1,12,03,41,1e2,.5,3 cm\n8,1,13,11,,-2.5,0.7,\n9,2,13,11,39.5,,0,7\n",
    )
    frame = read_cases(path)
    assert frame["unit_id"].tolist() == ["007", "8", "9"]
    assert frame["patient_id"].tolist() == ["1", "1", "2"]
    assert frame["site"].tolist() == ["12", "13", "13"]
    assert frame["ward"].tolist() == ["03", "11", "11"]
    assert frame["age_years"].isna().tolist() == [False, True, False]
    assert frame["kpa"].dropna().tolist() == [100.0, -2.5]
    assert frame["small"].tolist() == [0.5, 0.7, 0.0]
    assert frame["note"].dropna().tolist() == ["3 cm", "7"]


def test_words_like_nan_and_inf_are_no_numbers(tmp_path):
    frame = read_cases(write(tmp_path, "unit_id,a\n1,inf\n2,3\n"))
    assert frame["a"].tolist() == ["inf", "3"]


def test_a_parquet_table_reads_like_a_csv(tmp_path):
    path = tmp_path / "cases.parquet"
    pd.DataFrame({"unit_id": [1, 2], "size_mm": [3, 4], "smoker": [True, False]}).to_parquet(path)
    frame = read_cases(path)
    assert frame["unit_id"].tolist() == ["1", "2"]
    assert frame["size_mm"].dtype == np.float64
    assert frame["smoker"].tolist() == ["yes", "no"]


def test_all_bad_rows_are_named_at_once(tmp_path):
    message = refusal(
        write(tmp_path, "unit_id,sex,age_years,composition\n1,F,41,solid\n1,female,41,solid\n,M,200,stone\n")
    )
    assert message.startswith("5 bad values:")
    assert "line 3, column 'unit_id': '1'; expected a unit that stands in no other row (also line 2)" in message
    assert "line 3, column 'sex': 'female'; expected one of F, M" in message
    assert "line 4, column 'unit_id': blank" in message
    assert "line 4, column 'age_years': '200" in message
    assert "line 4, column 'composition': 'stone'" in message


def test_a_unit_may_stand_in_two_cohorts_but_not_twice_in_one(tmp_path):
    frame = read_cases(write(tmp_path, "unit_id,cohort\n1,A\n1,B\n"))
    assert len(frame) == 2
    message = refusal(write(tmp_path, "unit_id,cohort\n1,A\n1,B\n1,A\n"))
    assert "of its cohort (also line 2)" in message


def test_a_table_without_unit_id_or_without_rows_is_refused(tmp_path):
    assert "a column named 'unit_id' (there is 'unit')" in refusal(write(tmp_path, "unit,a\n1,2\n"))
    assert "a header and no rows" in refusal(write(tmp_path, "unit_id,a\n"))
