"""Decimal commas: read where the whole column leaves no doubt, and told."""

import json
from pathlib import Path

import pytest
import yaml

from isthmus.cohort.decimal_commas import has_decimal_commas, with_points
from tests.cohort.hospital_data import write_pictures
from tests.cohort.test_import_folder import MAP, call, import_simply

IDS = ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("texts", "yes"),
    [
        (["1,5", "12", ""], True),
        (["0,8×1,25 cm"], True),
        (["1,5", "0.8"], False),  # both signs in one column
        (["1,500", "2"], False),  # may be thousands
        (["1,234,567"], False),
        (["12,8,10"], False),  # a list
        (["1,5", "12, 8"], False),
        (["12", "8"], False),
    ],
)
def test_a_column_has_decimal_commas_when_nothing_else_can_be_meant(texts: list[str], yes: bool) -> None:
    assert has_decimal_commas(texts) is yes


def test_only_commas_between_digits_become_points() -> None:
    assert with_points("1,5×0,8 cm, left") == "1.5×0.8 cm, left"


def _columns(sizes: list[str], ages: list[str]) -> tuple[list[list[object]], dict[str, object]]:
    rows: list[list[object]] = [
        [id_, "1" if place % 2 else "0", size, age]
        for place, (id_, size, age) in enumerate(zip(IDS, sizes, ages, strict=True))
    ]
    columns = {"patient_id": "id", "size_mm": {"heading": "c0", "unit": "cm"}, "age_years": "c1"}
    return rows, columns


def test_sizes_with_decimal_commas_are_read_and_the_report_says_so(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", [f"{id_}.png" for id_ in IDS])
    rows, columns = _columns(["1,5", "0,8×1,2", "2", "1,05"], ["45,5", "50", "61", "38"])
    cohort, report = import_simply(tmp_path, rows, columns=columns)
    assert cohort.nodules["size_mm"].tolist() == [15, 12, 20, 10.5]
    assert cohort.patients["age_years"].tolist() == [45.5, 50, 61, 38]
    told = report[report["kind"] == "column"]
    assert set(told["file"]) == {"table.xlsx, column c0", "table.xlsx, column c1"}
    assert told["detail"].str.contains("decimal commas").all()
    assert not (report["kind"] == "cell").any()


def test_points_and_commas_in_one_column_leave_the_commas_blank(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", [f"{id_}.png" for id_ in IDS])
    rows, columns = _columns(["1,5", "0.8", "2", "1,500"], ["45", "50", "61", "38"])
    cohort, report = import_simply(tmp_path, rows, columns=columns)
    assert cohort.nodules["size_mm"].isna().tolist() == [True, False, False, True]
    assert (report["kind"] == "cell").sum() == 2


def test_json_lists_the_pictures_and_rows_that_are_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png", "3.png", "99.png"])
    rows, columns = _columns(["1", "1", "1", "1"], ["45", "50", "61", "38"])
    import_simply(tmp_path, rows, columns=columns)
    (tmp_path / "map.yaml").write_text(yaml.safe_dump({**MAP, "columns": columns}), encoding="utf-8")
    command = ["cohort", "import", "folder", tmp_path / "pictures", tmp_path / "again", "--table"]
    code, said = call(*command, tmp_path / "table.xlsx", "--map", tmp_path / "map.yaml", "--json")
    assert code == 0
    left = json.loads(said)["left_out"]
    assert {(line["kind"], line["status"]) for line in left} == {
        ("picture", "without row"), ("row", "without pictures"),
    }  # fmt: skip
    assert {line["file"] for line in left if line["kind"] == "picture"} == {"99.png"}
