"""Tables as hospitals export them, written by openpyxl and Python's own encoders, read back as text."""

import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from isthmus.cohort import workbook
from isthmus.cohort.map_parts import TableRule
from isthmus.cohort.source_table import SourceTable
from isthmus.cohort.table_file import guess_header_row, read_cells_of, read_source_table
from isthmus.errors import TableError
from tests.cohort.hospital_data import write_workbook

TEXT = "住院号;病理;备注\n007;恶性;a,b\n008;良性;\n"


def column(table: SourceTable, heading: str) -> list[str]:
    return table.frame[heading].tolist()


def refused(path: Path, rule: TableRule | None = None) -> str:
    with pytest.raises(TableError) as caught:
        read_source_table(path, rule)
    return str(caught.value)


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_encoding_and_delimiter_are_found(self, tmp_path: Path, encoding: str, delimiter: str) -> None:
        text = (
            TEXT.replace("a,b", '"a;,\tb"')
            .replace(";", delimiter, 2)
            .replace("007;恶性;", f"007{delimiter}恶性{delimiter}")
        )
        text = text.replace("008;良性;", f"008{delimiter}良性{delimiter}")
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        table = read_source_table(tmp_path / "a.csv")
        assert column(table, "住院号") == ["007", "008"]
        assert column(table, "病理") == ["恶性", "良性"]
        assert not table.faults

    def test_gb18030_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes(TEXT.encode("gb18030"))
        assert read_source_table(tmp_path / "a.csv").origin == "text, GB18030, parted by semicolons"

    def test_cells_have_the_names_that_a_spreadsheet_shows(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text('id,note\n1,"two\nlines"\n\n3,x\n', encoding="utf-8")
        table = read_source_table(tmp_path / "a.csv")
        assert table.frame.index.tolist() == [2, 4]
        assert table.fault(4, "note", "y").place == "a.csv, B4 (note)"

    def test_bytes_of_no_encoding_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes(b"id,site\n1,caf\xe9\n")
        assert "not UTF-8 and not GB18030" in refused(tmp_path / "a.csv")

    def test_a_row_with_too_many_cells_is_left_out_and_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("id,note\n1,x,y\n2,z\n", encoding="utf-8")
        table = read_source_table(tmp_path / "a.csv")
        assert table.frame.index.tolist() == [3]
        assert [fault.place for fault in table.faults] == ["a.csv, row 2"]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"),
            (b"a,b\n", "headings stand in row 1"),
            (b"a\0b\n1\n", "no text"),
            (b'a,b\n"1,2\n', "taken apart"),
        ],
    )
    def test_what_is_no_table_is_refused(self, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "a.csv").write_bytes(content)
        assert words in refused(tmp_path / "a.csv")

    def test_a_missing_table_is_said(self, tmp_path: Path) -> None:
        assert "no such table" in refused(tmp_path / "a.xlsx")


class TestWorkbook:
    def test_numbers_have_no_point_and_dates_one_form(self, tmp_path: Path) -> None:
        rows = [
            ["id", "size", "day", "seen"],
            [20231234, 1.5, date(2023, 1, 2), datetime(2023, 1, 2, 10, 30)],
            [12.0, 3, "", ""],
        ]
        table = read_source_table(write_workbook(tmp_path / "a.xlsx", rows))
        assert column(table, "id") == ["20231234", "12"]
        assert column(table, "size") == ["1.5", "3"]
        assert table.frame.loc[2, ["day", "seen"]].tolist() == ["2023-01-02", "2023-01-02 10:30:00"]

    def test_an_id_that_excel_shows_with_zeros_keeps_them(self, tmp_path: Path) -> None:
        book = Workbook()
        book.active.append(["id"])
        book.active.append([7])
        book.active["A2"].number_format = "00000"
        book.active.append(["007"])
        book.save(tmp_path / "a.xlsx")
        assert column(read_source_table(tmp_path / "a.xlsx"), "id") == ["00007", "007"]

    def test_a_number_of_more_than_fifteen_digits_has_lost_some(self, tmp_path: Path) -> None:
        table = read_source_table(
            write_workbook(tmp_path / "a.xlsx", [["id"], [202312345678901234], [123456789012345]])
        )
        assert column(table, "id") == ["", "123456789012345"]
        assert [str(fault).split(";")[0] for fault in table.faults] == [
            "a.xlsx, Sheet1!A2 (id): '2.02312345678901E+17'"
        ]

    def test_a_formula_without_a_stored_value_is_a_fault(self, tmp_path: Path) -> None:
        table = read_source_table(write_workbook(tmp_path / "a.xlsx", [["id", "label"], ["1", "=1+1"], ["2", "x"]]))
        assert column(table, "label") == ["", "x"]
        assert [fault.cell for fault in table.faults] == ["B2"]

    def test_doubled_headings_are_told_apart(self, tmp_path: Path) -> None:
        table = read_source_table(write_workbook(tmp_path / "a.xlsx", [["id", "病理", "病理"], ["1", "恶性", "良性"]]))
        assert table.frame.columns.tolist() == ["id", "病理 (column B)", "病理 (column C)"]
        assert [fault.cell for fault in table.faults] == ["C1"]

    def test_a_sheet_is_found_by_name_and_the_nearest_is_offered(self, tmp_path: Path) -> None:
        book = Workbook()
        book.active.title = "说明"
        page = book.create_sheet("数据")
        page.append(["id"])
        page.append(["1"])
        book.save(tmp_path / "a.xlsx")
        assert column(read_source_table(tmp_path / "a.xlsx", TableRule(sheet="数据")), "id") == ["1"]
        assert "did you mean '数据'" in refused(tmp_path / "a.xlsx", TableRule(sheet="数据表"))

    def test_a_page_of_remarks_before_the_table_is_passed_over_and_said(self, tmp_path: Path) -> None:
        book = Workbook()
        book.active.append(["see the next sheet"])
        for row in (["id", "label"], ["1", "x"]):
            (book["数据"] if "数据" in book.sheetnames else book.create_sheet("数据")).append(row)
        book.save(tmp_path / "a.xlsx")
        table = read_source_table(tmp_path / "a.xlsx")
        assert column(table, "id") == ["1"]
        assert table.origin == "workbook, sheet '数据', the first of 2 that holds a table"

    def test_a_title_above_the_headings_is_seen(self, tmp_path: Path) -> None:
        path = write_workbook(tmp_path / "a.xlsx", [["2023 年超声"], [], ["id", "病理"], ["1", "恶性"]])
        assert guess_header_row(read_cells_of(path, TableRule())) == 3
        assert column(read_source_table(path, TableRule(header_row=3)), "病理") == ["恶性"]

    def test_an_old_workbook_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
        assert "save it as .xlsx" in refused(tmp_path / "a.xls")

    def test_a_bomb_is_refused_before_it_is_unpacked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workbook, "MOST_UNPACKED_BYTES", 1 << 20)
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr("xl/worksheets/sheet1.xml", bytes(2 << 20))
        assert "unpacks to" in refused(tmp_path / "a.xlsx")

    def test_entities_are_refused(self, tmp_path: Path) -> None:
        path = write_workbook(tmp_path / "a.xlsx", [["id"], ["1"]])
        evil = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
            for part in old.namelist():
                content = old.read(part)
                new.writestr(part, evil + content if part == "xl/workbook.xml" else content)
        assert "damaged" in refused(tmp_path / "b.xlsx")

    @pytest.mark.parametrize("share", [0.3, 0.9])
    def test_half_a_workbook_is_refused(self, tmp_path: Path, share: float) -> None:
        content = write_workbook(tmp_path / "a.xlsx", [["id"], ["1"]]).read_bytes()
        (tmp_path / "a.xlsx").write_bytes(content[: int(share * len(content))])
        assert "damaged" in refused(tmp_path / "a.xlsx")
