import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import TableError
from isthmus.tables.check import SHOWN, inspect_table, read_table, write_table
from isthmus.tables.cohort import BOXES, NODULES, PATIENTS, VIEWS, format_box, parse_box

GOOD = "patient_id,site,sex,age_years\n007,A,F,41\n8,B,,\n"


def write(folder, content, name="patients.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path, schema=PATIENTS):
    with pytest.raises(TableError) as caught:
        read_table(path, schema)
    return str(caught.value)


def test_ids_stay_text_and_blank_cells_are_missing(tmp_path):
    frame = read_table(write(tmp_path, GOOD), PATIENTS)
    assert frame["patient_id"].tolist() == ["007", "8"]
    assert frame["age_years"].tolist()[0] == 41.0
    assert frame["age_years"].isna().tolist() == [False, True]
    assert frame["sex"].isna().tolist() == [False, True]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path, prefix, end):
    frame = read_table(write(tmp_path, prefix + GOOD.replace("\n", end).encode()), PATIENTS)
    assert list(frame.columns) == ["patient_id", "site", "sex", "age_years"]
    assert frame["site"].tolist() == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace(",", ";").encode(), "separated by semicolons"),
        (GOOD.replace(",", "\t").encode(), "separated by tabs"),
        (GOOD.encode("utf-16"), "this file is UTF-16"),
        (GOOD.encode("utf-16-le"), "NUL bytes"),
        (GOOD.replace("A", "甲状腺").encode("gb18030"), "look like GB18030"),
        (GOOD.replace("A", "Köln").encode("cp1252"), "Windows-1252"),
        (b"PK\x03\x04" + b"workbook" * 9, "XLSX"),
        (b" \n", "empty"),
        (GOOD.replace("sex", "site").encode(), "named twice: 'site'"),
        (b'patient_id,site\n1,"A\n', "not CSV"),
    ],
)
def test_another_delimiter_encoding_or_file_is_refused_in_one_line_that_says_what_was_found(tmp_path, content, words):
    message = refusal(write(tmp_path, content))
    assert words in message
    assert "\n" not in message
    assert "patients.csv" in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.csv")
    assert "a folder" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "none.parquet")
    assert "not a readable Parquet" in refusal(write(tmp_path, "text", "a.parquet"))


def test_uneven_rows_are_listed_with_their_lines(tmp_path):
    message = refusal(write(tmp_path, "patient_id,site\n1,A\n2,B,C\n3\n"))
    assert "line 3 has 3, line 4 has 1" in message
    assert "2 cells in every row" in message


def test_a_missing_column_is_named_with_the_nearest_that_is_there(tmp_path):
    message = refusal(write(tmp_path, "patient_ID,site\n1,A\n"))
    assert "line 1, column 'patient_id'" in message
    assert "there is 'patient_ID'" in message


def test_all_bad_values_are_reported_at_once_with_line_column_value_and_expectation(tmp_path):
    path = write(
        tmp_path,
        "nodule_id,patient_id,tirads,size_mm,echogenic_foci,note\n"
        "1,1,4a,3,none,x\n"
        '1,,9z,abc,none punctate,"two\nlines"\n'
        " 2,2,2,inf,punctate comet_tail,\n",
        "nodules.csv",
    )
    _, bad = inspect_table(path, NODULES)
    # The quoted line break moves the last row to line 5.
    assert [(value.line, value.column, value.value) for value in bad] == [
        (4, "size_mm", "abc"),
        (4, "nodule_id", "1"),
        (4, "patient_id", ""),
        (4, "echogenic_foci", "none punctate"),
        (4, "tirads", "9z"),
        (5, "size_mm", "inf"),
        (5, "nodule_id", " 2"),
    ]
    message = refusal(path, NODULES)
    assert message.startswith("7 bad values:")
    assert "line 4, column 'tirads': '9z'; expected one of 1, 2, 3" in message
    assert "column 'patient_id': blank; expected a value" in message


def test_the_first_twenty_are_printed_and_the_rest_counted(tmp_path):
    rows = "".join(f"{number},A,F,old\n" for number in range(50))
    message = refusal(write(tmp_path, "patient_id,site,sex,age_years\n" + rows))
    assert message.count("expected a number") == SHOWN
    assert message.endswith("and 30 more")


@pytest.mark.parametrize("path", ["/etc/passwd", "../other.png", "a//b.png", "a\\b.png", "C:/a.png", "./a.png"])
def test_a_path_out_of_the_cohort_folder_is_refused(tmp_path, path):
    table = write(tmp_path, f"view_id,nodule_id,modality,path\n1,1,bmode,{path}\n", "views.csv")
    assert "a path inside the cohort folder" in refusal(table, VIEWS)


def test_whole_numbers_are_whole(tmp_path):
    message = refusal(write(tmp_path, "view_id,frame,box\n1,0.5,1 2 3 4\n1,-1,1 2 3 4\n", "boxes.csv"), BOXES)
    assert "'0.5'; expected a whole number" in message
    assert "'-1" in message


def test_parquet_keeps_the_same_contract(tmp_path):
    frame = pd.DataFrame({"patient_id": [7, 8], "site": ["A", ""], "age_years": ["41", "x"]})
    write_table(tmp_path / "patients.parquet", frame)
    read, bad = inspect_table(tmp_path / "patients.parquet", PATIENTS)
    assert read["patient_id"].tolist() == ["7", "8"]
    assert [(value.line, value.column) for value in bad] == [(3, "age_years"), (3, "site")]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=20))
def test_floats_come_back_bit_for_bit_from_csv(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("floats") / "floats.csv"
    write_table(path, pd.DataFrame({"value": numbers}))
    schema = pa.DataFrameSchema({"value": pa.Column(float)})
    back = read_table(path, schema)["value"].to_numpy()
    assert back.tobytes() == np.array(numbers).tobytes()


def test_a_written_table_has_unix_line_ends_and_leaves_no_partial_file(tmp_path):
    write_table(tmp_path / "a.csv", pd.DataFrame({"a": ["x", None]}))
    assert (tmp_path / "a.csv").read_bytes() == b'a\nx\n""\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@given(st.tuples(*[st.integers(0, 5000)] * 4))
def test_boxes_survive_being_written(corners):
    x0, y0, width, height = corners
    box = (x0 / 4, y0 / 4, (x0 + width + 1) / 4, (y0 + height + 1) / 4)
    assert parse_box(format_box(box)) == box


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 1 4", "1 4 3 4", "-1 2 3 4", "a b c d", "1 2 nan 4", "1e3 2 3 4"])
def test_a_box_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="four numbers"):
        parse_box(text)
