"""Rows and pictures: what belongs together, what is left over, what fits twice. Expected by hand."""

import pandas as pd
import pytest

from isthmus.cohort.join import SourcePicture, join_rows
from isthmus.cohort.join_guess import guess_join
from isthmus.cohort.map_parts import JoinRule
from isthmus.cohort.source_table import SourceTable
from isthmus.errors import InputError


def frame(**columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(columns, dtype=object)
    table.index = range(2, len(table) + 2)
    return table


def pictures(*files: str) -> list[SourcePicture]:
    return [SourcePicture(file) for file in files]


def pairs(found: object) -> dict[int, list[str]]:
    return {row: [picture.file for picture in taken] for row, taken in found.pairs}


def test_a_patient_has_all_pictures_that_name_it() -> None:
    rule = JoinRule(match={"id": "number"}, pattern="(?P<number>[0-9]+)_")
    found = join_rows(
        frame(id=["007", "8", "9"]), pictures("007_1.png", "x/007_2.png", "8_1.png", "10_1.png", "a.png"), rule
    )
    assert pairs(found) == {2: ["007_1.png", "x/007_2.png"], 3: ["8_1.png"]}
    assert found.rows_without_pictures == [4]
    assert [picture.file for picture in found.pictures_without_row] == ["10_1.png", "a.png"]


def test_leading_zeros_count_unless_the_map_says_otherwise() -> None:
    table, found = frame(id=["7"]), pictures("007.png")
    assert not join_rows(table, found, JoinRule(match={"id": "stem"})).pairs
    assert pairs(join_rows(table, found, JoinRule(match={"id": "stem"}, leading_zeros="ignore"))) == {2: ["007.png"]}


@pytest.mark.parametrize("cell", ["images\\A1.PNG", "./images/a1.png", "images/ａ1.png"])
def test_a_path_is_compared_as_a_path(cell: str) -> None:
    assert pairs(join_rows(frame(f=[cell]), pictures("images/A1.png"), JoinRule(match={"f": "file"}))) == {
        2: ["images/A1.png"]
    }


def test_dates_are_compared_as_dates() -> None:
    rule = JoinRule(match={"id": "PatientID", "day": "StudyDate"})
    table = frame(id=["1", "1"], day=["2023-01-05", "2023/2/6"])
    shown = [SourcePicture("a", {"PatientID": "1", "StudyDate": "20230206"})]
    assert pairs(join_rows(table, shown, rule)) == {3: ["a"]}


def test_two_nodules_of_one_patient_are_ambiguous_and_two_rows_of_one_nodule_are_not() -> None:
    rule = JoinRule(match={"id": "folder"})
    table, shown = frame(id=["1", "1"]), pictures("1/a.png", "1/b.png")
    found = join_rows(table, shown, rule)
    assert not found.pairs
    assert [(item.rows, len(item.pictures)) for item in found.ambiguous] == [((2, 3), 2)]
    assert pairs(join_rows(table, shown, rule, unit=["n", "n"])) == {2: ["1/a.png", "1/b.png"]}


def test_a_file_name_that_stands_twice_is_ambiguous() -> None:
    found = join_rows(frame(f=["1.png"]), pictures("a/1.png", "b/1.png"), JoinRule(match={"f": "name"}))
    assert [item.why for item in found.ambiguous] == ["the row names one file; 2 fit it"]


def test_every_row_and_picture_ends_in_one_place() -> None:
    table = frame(id=["1", "1", "2", "3", ""])
    shown = pictures("1/a.png", "2/a.png", "2/b.png", "9/a.png", "c.png")
    found = join_rows(table, shown, JoinRule(match={"id": "folder"}))
    rows = (
        [row for row, _ in found.pairs]
        + found.rows_without_pictures
        + [r for item in found.ambiguous for r in item.rows]
    )
    files = [p.file for _, taken in found.pairs for p in taken] + [p.file for p in found.pictures_without_row]
    assert sorted(rows) == table.index.tolist()
    assert sorted(files + [p.file for item in found.ambiguous for p in item.pictures]) == sorted(p.file for p in shown)


@pytest.mark.parametrize(
    ("rule", "words"), [({"ix": "file"}, "did you mean 'id'"), ({"id": "fil"}, "did you mean 'file'")]
)
def test_an_unknown_heading_or_key_is_answered_with_the_nearest(rule: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        join_rows(frame(id=["1"]), pictures("a.png"), JoinRule(match=rule))


@pytest.mark.parametrize(
    ("files", "columns"),
    [
        (["A12_1.png", "A12_2.png", "A13_1.png", "B1_1.png"], {"patient_id": "id"}),
        (["x/us_A12.png", "x/us_A13.png", "y/us_B1.png"], {}),
        (["A12/1.png", "A13/1.png", "B1/2.png"], {}),
        (["A12.png", "A13.png", "B1.jpg"], {}),
    ],
)
def test_the_join_is_guessed_from_names_and_folders(files: list[str], columns: dict[str, str]) -> None:
    table = SourceTable(frame(age=["1", "2", "1"], id=["A12", "A13", "B1"]), "t.csv")
    guess = guess_join(table, pictures(*files), columns)
    assert guess is not None
    assert guess.pictures == len(files)
    assert len(join_rows(table.frame, pictures(*files), guess.rule).pairs) == 3


def test_the_nodules_number_is_guessed_where_patients_have_several_rows() -> None:
    table = SourceTable(frame(id=["A1", "A1", "B2"], nodule=["1", "2", "1"]), "t.csv")
    shown = pictures("A1_1_trans.png", "A1_2_trans.png", "B2_1_long.png")
    guess = guess_join(table, shown, {"patient_id": "id", "nodule_id": "nodule"})
    assert guess is not None
    assert pairs(join_rows(table.frame, shown, guess.rule)) == {
        2: [shown[0].file],
        3: [shown[1].file],
        4: [shown[2].file],
    }


def test_headers_go_before_names() -> None:
    table = SourceTable(frame(id=["1", "2"]), "t.csv")
    shown = [SourcePicture(f"{n}.dcm", {"PatientID": n}) for n in "12"]
    guess = guess_join(table, shown, {"patient_id": "id"})
    assert guess is not None
    assert guess.rule.match == {"id": "PatientID"}


def test_nothing_is_guessed_where_nothing_fits() -> None:
    assert guess_join(SourceTable(frame(id=["1", "2"]), "t.csv"), pictures("a.png", "b.png"), {}) is None
