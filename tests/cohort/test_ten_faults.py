"""A spreadsheet with ten planted faults imports, with ten messages that each name their cell, row or file."""

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from isthmus.cli import app
from isthmus.cohort.cohort import load_cohort
from tests.cohort.hospital_data import write_pictures, write_workbook

HEADINGS = ["住院号", "姓名", "性别", "年龄", "病理", "结节大小(mm)", "检查日期", "备注", "备注"]
ROWS = [
    [20230001, "赵一一", "女", 41, "恶性", 12.5, date(2023, 3, 1), "", ""],
    [20230002, "钱二二", "男", 52, "良性", 8, date(2023, 3, 2), "", ""],
    ["1.23E+11", "孙三三", "女", 33, "良性", 9, date(2023, 3, 3), "", ""],  # A4: digits lost
    [20230004, "李四四", "女", 44, "良性", 7, "03/04/2023", "", ""],  # G5: which is the day?
    [20230005, "周五五", "男", 35, "性质不明", 6, date(2023, 3, 5), "", ""],  # E6: not in the map
    [20230006, "吴六六", "女", "#N/A", "恶性", 11, date(2023, 3, 6), "", ""],  # D7: a spreadsheet's error
    [20230007, "郑七七", "男", 47, "恶性", 1200, date(2023, 3, 7), "", ""],  # F8: 1.2 m
    ["", "王八八", "女", 38, "良性", 5, date(2023, 3, 8), "", ""],  # A9: no id
    [20230001, "赵一一", "男", 41, "恶性", 13, date(2023, 9, 1), "", ""],  # C10: the other sex
    [20230010, "冯十十", "女", 60, "良性", 4, date(2023, 3, 10), "", ""],  # row 11: no picture
]
"""Row 2 of the sheet is the first; I1 repeats H1's heading, and picture 20230099 has no row."""
PATIENTS = ("20230001", "20230002", "20230004", "20230005", "20230006", "20230007")
MAP = """
format: isthmus-map/1.0
name: ten faults
join: {match: {住院号: number}, pattern: "(?P<number>[0-9]+)_"}
columns:
  patient_id: 住院号
  sex: {heading: 性别, values: {男: M, 女: F}}
  age_years: 年龄
  size_mm: {heading: 结节大小(mm), unit: mm}
  exam_date: 检查日期
targets:
  malignant:
    heading: 病理
    values: {恶性: 1, 良性: 0}
    classes: {"0": benign, "1": malignant}
    reference: surgery
identifying: [姓名]
"""
MESSAGES = {
    "I1": "a heading that stands once",
    "A4": "every digit of the id",
    "G5": "a date such as",
    "E6": "'性质不明'; expected one of 恶性, 良性",
    "D7": "not the error of a spreadsheet's formula",
    "F8": "'1200'; expected a value from 0.5 to 150 mm",
    "A9": "blank; expected the patient's id",
    "C10": "'男'; expected '女' as in C2",
    "row 11": "no picture fits",
    "20230099_1.png": "no row fits",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the workbook, its map and the pictures."""
    folder = tmp_path_factory.mktemp("hospital")
    write_pictures(folder / "pictures", [f"{patient}_{view}.png" for patient in PATIENTS for view in (1, 2)])
    write_pictures(folder / "pictures", ["20230099_1.png"])
    write_workbook(folder / "pathology.xlsx", [HEADINGS, *ROWS])
    (folder / "map.yaml").write_text(MAP, encoding="utf-8")
    return folder


def run(source: Path, destination: str, *options: str) -> Result:
    """Run the command as a user does."""
    command = ["cohort", "import", "folder", str(source / "pictures"), str(source / destination), *options]
    table, mapping = source / "pathology.xlsx", source / "map.yaml"
    return CliRunner().invoke(app, [*command, "--table", str(table), "--map", str(mapping)])


@pytest.fixture(scope="module")
def imported(source: Path) -> Result:
    """Return the finished command."""
    command = ["cohort", "import", "folder", str(source / "pictures"), str(source / "cohort")]
    return CliRunner().invoke(
        app, [*command, "--table", str(source / "pathology.xlsx"), "--map", str(source / "map.yaml")]
    )


def test_the_import_goes_through(imported: Result) -> None:
    assert imported.exit_code == 0, imported.output


@pytest.mark.parametrize("place", MESSAGES)
def test_each_fault_has_a_message_with_its_place(imported: Result, place: str) -> None:
    lines = imported.output.splitlines()
    at = [
        number for number, line in enumerate(lines) if line.strip().startswith(place) or re.search(rf"!{place}\b", line)
    ]
    assert len(at) == 1, imported.output
    # A row or a picture stands below the sentence that says what is wrong.
    assert MESSAGES[place] in "".join(lines[at[0] - 1 : at[0] + 1])


def test_there_are_ten_messages_and_no_more(imported: Result) -> None:
    indented = [line for line in imported.output.splitlines() if line.startswith("  ")]
    assert len(indented) == len(MESSAGES) == 10, imported.output


def test_what_can_be_used_is_there(imported: Result, source: Path) -> None:
    cohort = load_cohort(source / "cohort")
    assert sorted(cohort.patients["patient_id"]) == list(PATIENTS)
    assert len(cohort.views) == 12
    nodules = cohort.nodules.set_index("nodule_id")
    assert nodules.loc[list(PATIENTS), "malignant"].fillna("-").tolist() == ["1", "0", "0", "-", "1", "1"]
    assert nodules.loc[list(PATIENTS), "size_mm"].fillna(-1).tolist() == [12.5, 8, 7, 6, 11, -1]
    patients = cohort.patients.set_index("patient_id")
    assert patients.loc[list(PATIENTS), "sex"].fillna("-").tolist() == ["-", "M", "F", "M", "F", "M"]
    assert patients.loc[list(PATIENTS), "age_years"].fillna(-1).tolist() == [41, 52, 44, 35, -1, 47]


def test_what_is_left_out_is_in_the_report_and_among_the_excluded(imported: Result, source: Path) -> None:
    report = pd.read_csv(source / "cohort" / "import_report.csv", dtype=str, keep_default_na=False)
    rows = report[report["kind"] == "row"].set_index("file")["status"]
    assert rows[["row 4", "row 9", "row 11"]].tolist() == ["left out", "left out", "without pictures"]
    assert len(rows) == len(ROWS)
    excluded = pd.read_csv(source / "cohort" / "excluded.csv", dtype=str)
    assert excluded["patient_id"].tolist() == ["20230010"]


def test_strict_refuses_the_same_table(source: Path) -> None:
    command = ["cohort", "import", "folder", str(source / "pictures"), str(source / "strict"), "--strict"]
    result = CliRunner().invoke(
        app, [*command, "--table", str(source / "pathology.xlsx"), "--map", str(source / "map.yaml")]
    )
    assert result.exit_code == 1
    assert "--strict takes none" in str(result.exception)
    assert not (source / "strict").exists()
