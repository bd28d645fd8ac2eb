"""A hospital's folder and table become a cohort: from the first command to the folder, as a user does it."""

import json
import shlex
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import IsthmusError
from isthmus.imaging.read import read_clip, read_mask
from tests.cohort.hospital_data import HEIGHT, SCAN, WIDTH, write_picture, write_pictures, write_workbook

NAMES = ("欧阳修文", "司马光明", "诸葛孔亮", "上官婉儿")
TABLE = "住院号,姓名,性别,年龄,病理结果,结节大小(cm),位置,检查日期,院区\n" + "".join(
    f"00{number},{name},{sex},4{number},{label},1.{number},左叶,2023-0{number}-15,东院\n"
    for number, (name, sex, label) in enumerate(
        zip(NAMES, "女男女男", ("恶性", "良性", "良性", "恶性"), strict=True), 1
    )
)
MAP = {
    "format": "isthmus-map/1.0",
    "name": "test",
    "join": {"match": {"id": "number"}, "pattern": "(?P<number>[0-9]+)"},
    "columns": {"patient_id": "id"},
    "targets": {"malignant": {"heading": "label", "classes": {0: "benign", 1: "malignant"}, "reference": "surgery"}},
}


def call(*arguments: object) -> tuple[int, str]:
    """Run a command; an error on purpose is given back as it is printed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, IsthmusError):
        return 1, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def import_simply(
    folder: Path, rows: list[list[object]], *options: object, **changes: object
) -> tuple[Cohort, pd.DataFrame]:
    """Import `folder/pictures` by :data:`MAP` with some keys changed; give back the cohort and the report."""
    write_workbook(folder / "table.xlsx", [["id", "label", *[f"c{place}" for place in range(len(rows[0]) - 2)]], *rows])
    (folder / "map.yaml").write_text(yaml.safe_dump({**MAP, **changes}, allow_unicode=True), encoding="utf-8")
    command = ["cohort", "import", "folder", folder / "pictures", folder / "cohort", "--table", folder / "table.xlsx"]
    code, said = call(*command, "--map", folder / "map.yaml", *options)
    assert code == 0, said
    report = pd.read_csv(folder / "cohort" / "import_report.csv", dtype=str, keep_default_na=False)
    return load_cohort(folder / "cohort"), report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two pictures a patient, one with the patient's name, and a table in GB18030."""
    folder = tmp_path_factory.mktemp("export")
    write_pictures(folder / "pictures", [f"00{number}_{view}.png" for number in range(1, 5) for view in (1, 2)])
    write_picture(folder / "pictures" / f"001_3_{NAMES[0]}.png", 99)
    (folder / "病理.csv").write_bytes(TABLE.encode("gb18030"))
    return folder


@pytest.fixture(scope="module")
def draft(folder: Path) -> tuple[int, str]:
    """Return what the command says without a map."""
    return call("cohort", "import", "folder", folder / "pictures", folder / "cohort", "--table", folder / "病理.csv")


@pytest.fixture(scope="module")
def imported(folder: Path, draft: tuple[int, str]) -> tuple[int, str]:
    """Return what the next command says, which the first one names."""
    command = shlex.split(draft[1].split("Next: isthmus ")[1])
    return call(*command)


class TestChineseFromTheFirstCommand:
    def test_a_draft_is_written_and_the_next_command_named(self, draft: tuple[int, str], folder: Path) -> None:
        code, said = draft
        assert code == 1
        assert f"--map {folder / 'map.yaml'}" in said
        assert not (folder / "cohort").exists()

    def test_headings_values_units_and_the_join_are_guessed(self, draft: tuple[int, str], folder: Path) -> None:
        content = yaml.safe_load((folder / "map.yaml").read_text(encoding="utf-8"))
        assert content["columns"]["patient_id"] == "住院号"
        assert content["columns"]["sex"] == {"heading": "性别", "values": {"女": "F", "男": "M"}}
        assert content["columns"]["size_mm"] == {"heading": "结节大小(cm)", "unit": "cm"}
        assert content["columns"]["exam_date"] == "检查日期"
        assert content["columns"]["site"] == "院区"
        assert content["targets"]["malignant"]["values"] == {"恶性": "1", "良性": "0"}
        assert content["identifying"] == ["姓名"]
        assert content["join"]["match"] == {"住院号": "number"}

    def test_three_rows_are_shown_with_shortened_ids(self, draft: tuple[int, str]) -> None:
        said = draft[1]
        assert "4 of 4 rows find pictures, 9 of 9 pictures find a row" in said
        assert "0…" in said
        assert "001" not in said

    def test_a_map_is_never_overwritten(self, draft: tuple[int, str], folder: Path) -> None:
        code, said = call(
            "cohort", "import", "folder", folder / "pictures", folder / "c2", "--table", folder / "病理.csv"
        )
        assert code == 1
        assert "not overwritten" in said

    def test_the_cohort_holds_what_the_table_says(self, imported: tuple[int, str], folder: Path) -> None:
        assert imported[0] == 0, imported[1]
        cohort = load_cohort(folder / "cohort")
        assert cohort.patients["patient_id"].tolist() == ["001", "002", "003", "004"]
        assert cohort.patients["sex"].tolist() == ["F", "M", "F", "M"]
        assert cohort.nodules["malignant"].tolist() == ["1", "0", "0", "1"]
        assert cohort.nodules["size_mm"].tolist() == [11, 12, 13, 14]
        assert cohort.nodules["location"].tolist() == ["左叶"] * 4
        assert cohort.views["exam_day"].tolist() == ["0"] * 9
        assert set(cohort.views["region"]) == {" ".join(map(str, SCAN))}

    def test_no_name_and_no_date_stands_anywhere(
        self, draft: tuple[int, str], imported: tuple[int, str], folder: Path
    ) -> None:
        words = [*NAMES, "2023-01-15", "20230115"]
        forms = [word.encode(code) for word in words for code in ("utf-8", "gb18030", "utf-16-le")]
        for path in (folder / "cohort").rglob("*"):
            assert not any(word in path.name for word in words), path
            content = path.read_bytes() if path.is_file() else b""
            assert not any(form in content for form in forms), path
        for said in (draft[1], imported[1]):
            assert not any(word in said for word in words), said


def test_patients_who_share_pixels_share_a_group(tmp_path: Path) -> None:
    for name, seed in (("1_a", 0), ("1_b", 1), ("2_a", 1), ("3_a", 2), ("4_a", 3), ("2_b", 3)):
        write_picture(tmp_path / "pictures" / f"{name}.png", seed)
    # The same pixels in another file format are the same pixels.
    pixels = read_clip(tmp_path / "pictures" / "3_a.png").frames[0]
    cv2.imwrite(str(tmp_path / "pictures" / "5_a.bmp"), pixels)
    cohort, _ = import_simply(tmp_path, [[str(number), number % 2] for number in range(1, 6)])
    assert cohort.nodules.set_index("patient_id")["group_id"].to_dict() == {
        "1": "1",
        "2": "1",
        "4": "1",
        "3": "3",
        "5": "3",
    }


def test_outlines_beside_the_pictures_and_in_a_folder_become_masks(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png", "3.png"])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:60, 50:90] = 255
    cv2.imwrite(str(tmp_path / "pictures" / "1_mask.png"), mask)
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks" / "2.png"), mask)
    cohort, _ = import_simply(tmp_path, [["1", 0], ["2", 1], ["3", 1]], "--masks", tmp_path / "masks")
    views = cohort.views.set_index("nodule_id")
    assert views["region_source"].to_dict() == {"1": "drawn", "2": "drawn", "3": "whole"}
    assert views.loc["1", "box"] == "50 40 90 60"
    assert (read_mask(tmp_path / "cohort" / views.loc["2", "mask"]) == (mask > 0)).all()


def test_boxes_of_the_table_are_taken_and_those_outside_are_said(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png"])
    columns = {"patient_id": "id", "box": {"headings": ["c0", "c1", "c2", "c3"], "form": "size"}}
    cohort, report = import_simply(tmp_path, [["1", 0, 30, 20, 40, 50], ["2", 1, 900, 20, 40, 50]], columns=columns)
    assert cohort.views.set_index("nodule_id")["box"].fillna("").to_dict() == {"1": "30 20 70 70", "2": ""}
    assert "outside the picture" in report.set_index("file").loc["2.png", "detail"]


def test_what_cannot_be_read_or_fits_twice_is_listed_and_the_rest_imported(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png", "3.png"])
    (tmp_path / "pictures" / "2.png").write_bytes((tmp_path / "pictures" / "2.png").read_bytes()[:500])
    (tmp_path / "pictures" / "notes.docx").write_bytes(b"PK")
    columns = {"patient_id": "id", "nodule_id": "c0"}
    cohort, report = import_simply(
        tmp_path, [["1", 0, "a"], ["2", 1, "a"], ["3", 1, "a"], ["3", 0, "b"]], columns=columns
    )
    status = report.set_index("file")["status"]
    assert cohort.views["nodule_id"].tolist() == ["1_a"]
    assert status[["2.png", "3.png", "notes.docx"]].tolist() == ["unreadable", "ambiguous", "not read"]
    assert status[["row 3", "row 4", "row 5"]].tolist() == ["no usable picture", "ambiguous", "ambiguous"]
    assert cohort.excluded is not None
    assert sorted(cohort.excluded["patient_id"]) == ["2", "3"]


def test_a_lone_outline_with_another_nodules_number_is_taken_and_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1_1.png", "1_2.png"])
    for nodule, label in (("1", "2"), ("2", "2")):
        shape = {"label": label, "shape_type": "rectangle", "points": [[50, 40], [90, 60]]}
        content = {"shapes": [shape], "imagePath": f"1_{nodule}.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}
        (tmp_path / "pictures" / f"1_{nodule}.json").write_text(json.dumps(content), encoding="utf-8")
    _, report = import_simply(
        tmp_path,
        [["1", 0, "1"], ["1", 1, "2"]],
        join={"match": {"id": "p", "c0": "n"}, "pattern": "(?P<p>[0-9]+)_(?P<n>[0-9]+)"},
        columns={"patient_id": "id", "nodule_id": "c0"},
    )
    details = report[report["kind"] == "picture"].set_index("file")["detail"].fillna("")
    assert "its only outline is called 2, and the nodule 1: taken, look at it" in details["1_1.png"]
    assert "outline" not in details["1_2.png"]


def test_several_nodules_a_patient_and_their_readers(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1_1.png", "1_2.png", "2_1.png"])
    cohort, _ = import_simply(
        tmp_path,
        [["1", 0, "1", "0", "1"], ["1", 1, "2", "1", "1"], ["2", 1, "1", "", "0"]],
        join={"match": {"id": "p", "c0": "n"}, "pattern": "(?P<p>[0-9]+)_(?P<n>[0-9]+)"},
        columns={"patient_id": "id", "nodule_id": "c0"},
        reads={"columns": {"c1": "dr_a", "c2": "dr_b"}, "target": "malignant", "experience": {"dr_a": "senior"}},
    )
    assert cohort.nodules[["nodule_id", "malignant"]].values.tolist() == [["1_1", "0"], ["1_2", "1"], ["2_1", "1"]]
    assert cohort.reads is not None
    calls = cohort.reads.set_index(["reader_id", "unit_id"])["call"].to_dict()
    assert {unit: call for (reader, unit), call in calls.items() if reader == "dr_a"} == {"1_1": "0", "1_2": "1"}
    assert {unit: call for (reader, unit), call in calls.items() if reader == "dr_b"} == {
        "1_1": "1",
        "1_2": "1",
        "2_1": "0",
    }


def test_folders_and_patterns_tell_clips_and_modalities(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures" / "1_clip", [f"{number}.png" for number in range(3)])
    write_pictures(tmp_path / "pictures" / "SWE", ["2.png"])
    cohort, _ = import_simply(
        tmp_path,
        [["1", 0], ["2", 1]],
        frame_folders="_clip$",
        modality={"patterns": {"swe": "^SWE/"}},
    )
    assert cohort.views.set_index("nodule_id")["modality"].to_dict() == {"1": "cine", "2": "swe"}
    path = tmp_path / "cohort" / cohort.views.set_index("nodule_id").loc["1", "path"]
    assert read_clip(path).frames.shape == (3, HEIGHT, WIDTH, 1)


def test_with_a_key_nobody_is_named_and_the_screen_is_black(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    x0, y0, x1, y1 = SCAN
    picture[y0:y1, x0:x1] = np.random.default_rng(0).integers(30, 200, (y1 - y0, x1 - x0))
    cv2.putText(picture, "P12345", (2, 8), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 255)
    (tmp_path / "pictures").mkdir()
    Image.fromarray(picture).save(tmp_path / "pictures" / "P12345.jpg", quality=95, comment=b"P12345")
    write_picture(tmp_path / "pictures" / "P67890.png", 1)
    cohort, report = import_simply(
        tmp_path, [["P12345", 0], ["P67890", 1]], "--key", tmp_path / "key.json", join={"match": {"id": "stem"}}
    )
    assert all(patient.startswith("P-") for patient in cohort.patients["patient_id"])
    pixels = read_clip(tmp_path / "cohort" / cohort.views["path"][0]).frames[0]
    assert pixels[:9].max() == 0
    assert pixels[y0 + 9 : y1 - 9, x0 + 9 : x1 - 9].mean() > 50
    assert not any(b"P12345" in path.read_bytes() for path in (tmp_path / "cohort").rglob("*") if path.is_file())
    assert "file 00001" in set(report["file"])


def test_a_comment_in_a_picture_file_is_not_copied(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["2.jpg"])
    Image.fromarray(np.full((HEIGHT, WIDTH), 99, np.uint8)).save(tmp_path / "pictures" / "1.jpg", comment=b"ZHANG")
    cohort, _ = import_simply(tmp_path, [["1", 0], ["2", 1]])
    assert sorted(Path(path).suffix for path in cohort.views["path"]) == [".jpg", ".png"]
    assert not any(b"ZHANG" in path.read_bytes() for path in (tmp_path / "cohort" / "pictures").iterdir())


def test_a_name_in_a_cell_that_is_not_understood_is_not_shown(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png"])
    rows = [["1", 0, "ZHANG SAN"], ["2", "ZHANG SI: benign", "ZHANG SI"]]
    _, report = import_simply(tmp_path, rows, identifying=["c0"])
    assert "Sheet1!B3 (label)" in report["file"][report["kind"] == "cell"].iloc[0]
    assert not report["detail"].str.contains("ZHANG").any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colums": {}}, "did you mean 'columns'"),
        ({"columns": {"patient_id": "id", "sexe": "c0"}}, "did you mean 'sex'"),
        ({"columns": {"patient_id": "idd"}}, "did you mean 'id'"),
        ({"join": {"match": {"id": "nummer"}, "pattern": "(?P<number>[0-9]+)"}}, "did you mean 'number'"),
        ({"join": {"match": {"id": "stem"}, "pattern": "[0-9"}}, "no regular expression"),
        ({"targets": "malignant"}, "targets"),
        ({"identifying": ["id"], "columns": {"patient_id": "id", "site": "id"}}, "pseudonyms"),
    ],
)
def test_a_wrong_map_is_answered(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    write_pictures(tmp_path / "pictures", ["1.png"])
    with pytest.raises(AssertionError, match=words):
        import_simply(tmp_path, [["1", 0]], **changes)


def test_nothing_that_fits_is_one_clear_refusal(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["8.png"])
    with pytest.raises(AssertionError, match="no row and no picture belong together"):
        import_simply(tmp_path, [["1", 0]])
    assert not (tmp_path / "cohort").exists()


def test_the_breast_reader_study_imports_by_its_example_map(tmp_path: Path, data_folder: Path) -> None:
    """220 patients, 300 pictures, 166 malignant, 1,800 calls: counted in the manifest by Python's csv module."""
    source = data_folder / "breast_reader_study"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    example = Path(__file__).parents[2] / "docs" / "examples" / "breast_reader_study.map.yaml"
    code, said = call(
        "cohort", "import", "folder", source, tmp_path / "c", "--table", source / "manifest.csv", "--map", example
    )
    assert code == 0, said
    cohort = load_cohort(tmp_path / "c")
    assert (len(cohort.patients), len(cohort.views)) == (220, 300)
    assert cohort.nodules["malignant"].value_counts().to_dict() == {"1": 166, "0": 134}
    assert cohort.reads is not None
    manifest = pd.read_csv(source / "manifest.csv", dtype=str)
    told = cohort.reads.groupby("reader_id")["call"].apply(lambda calls: (calls == "1").sum()).to_dict()
    assert told == {f"reader{n}": (manifest[f"reader{n}"] == "1").sum() for n in range(1, 7)}


def test_a_short_name_and_one_in_decomposed_signs_are_not_shown(tmp_path: Path) -> None:
    parted = unicodedata.normalize("NFD", "2_M\u00fcller.png")
    write_pictures(tmp_path / "pictures", ["1_Li.png", parted, "3_Limit.png", "1_Li_mask.png"])
    rows = [["1", 0, "Li"], ["2", 1, "M\u00fcller"], ["3", 1, "Kim"]]
    _, report = import_simply(tmp_path, rows, identifying=["c0"])
    pictures = report["file"][report["kind"] == "picture"].tolist()
    assert pictures == ["file 00001", "file 00003", "3_Limit.png"]
    assert not report["file"].str.contains("Li_").any()


def test_two_patients_never_share_a_nodule_by_its_name(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["A@1.png", "A_1@.png", "B@1_2.png", "B_1@2.png"])
    join = {"match": {"id": "number", "c0": "part"}, "pattern": "(?P<number>[^@]+)@(?P<part>[^.]*)"}
    rows = [["A", 0, "1"], ["B", 0, "1_2"], ["B_1", 1, "2"]]
    columns = {"patient_id": "id", "nodule_id": "c0"}
    cohort, _ = import_simply(tmp_path, rows, join=join, columns=columns)
    assert cohort.nodules.set_index("patient_id")["malignant"].to_dict() == {"A": "0", "B": "0", "B_1": "1"}
    assert cohort.nodules["nodule_id"].is_unique


def test_with_a_key_contradicting_cells_are_not_quoted(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png"])
    rows = [["1", 0, "asked Dr Feng"], ["1", 0, "asked Dr Wong"], ["2", 1, "-"]]
    extra = {"remark": {"heading": "c0", "table": "patients"}}
    _, report = import_simply(tmp_path, rows, "--key", tmp_path / "study.key.json", extra=extra)
    cells = report[report["kind"] == "cell"]
    assert cells["detail"].tolist() == ["expected as in C2: one patient, one value; left blank"]
    assert not report["detail"].str.contains("Feng|Wong").any()


def test_every_file_of_outlines_has_a_line_and_none_quotes_a_name(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png", "8.png", "Li/3.png", "b/3.png"])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:60, 50:90] = 255
    for name in ("1_mask.png", "8_mask.png", "x/3_mask.png"):
        write_picture_of(tmp_path / "pictures" / name, mask)
    (tmp_path / "pictures" / "settings.json").write_text("{}", encoding="utf-8")
    _, report = import_simply(tmp_path, [["1", 0, "Li"], ["2", 1, "Feng"]], identifying=["c0"])
    outlines = report[report["kind"] == "outline"].set_index("file")
    assert outlines["status"].to_dict() == {
        "x/3_mask.png": "not used", "1_mask.png": "read", "8_mask.png": "not used", "settings.json": "not read",
    }  # fmt: skip
    assert outlines.loc["x/3_mask.png", "detail"] == "its name fits 2 pictures"


def test_a_cohort_among_the_pictures_is_not_read_again(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png", "2.png"])
    write_pictures(tmp_path / "pictures" / "old" / "pictures", ["1.png", "1_mask.png"])
    (tmp_path / "pictures" / "old" / "cohort.yaml").write_text("format: isthmus-cohort/1.0", encoding="utf-8")
    cohort, report = import_simply(tmp_path, [["1", 0], ["2", 1]])
    assert cohort.views["region_source"].tolist() == ["whole", "whole"]
    assert not (report["kind"] == "outline").any()
    assert report["detail"][report["file"] == "old/cohort.yaml"].item().startswith("a cohort that was made before")


def write_picture_of(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def test_a_draft_whose_join_leaves_nodules_apart_says_so(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", [f"{number}/{side}.png" for number in (1001, 1002) for side in "lr"])
    rows = [[number, nodule, side, "PTC"] for number in (1001, 1002) for nodule, side in ((1, "l"), (2, "r"))]
    write_workbook(tmp_path / "t.xlsx", [["Patient ID", "Lesion ID", "Side", "Pathology"], *rows])
    command = ["cohort", "import", "folder", tmp_path / "pictures", tmp_path / "C", "--table", tmp_path / "t.xlsx"]
    assert call(*command)[0] == 1
    draft = (tmp_path / "map.yaml").read_text(encoding="utf-8")
    assert "# CHECK: 4 of them fit rows of several nodules" in draft
    mended = draft.replace('"Patient ID": folder', '"Patient ID": folder\n    "Side": stem')
    (tmp_path / "map.yaml").write_text(mended, encoding="utf-8")
    code, said = call(*command, "--map", tmp_path / "map.yaml")
    assert (code, "pictures: 4 labelled" in said) == (0, True), said


def test_strict_with_a_key_quotes_no_cell(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", ["1.png"])
    write_workbook(tmp_path / "t.xlsx", [["id", "label"], ["1", "Feng says benign"]])
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(MAP), encoding="utf-8")
    command = ["cohort", "import", "folder", tmp_path / "pictures", tmp_path / "C", "--table", tmp_path / "t.xlsx"]
    code, said = call(*command, "--map", tmp_path / "map.yaml", "--key", tmp_path / "k.json", "--strict")
    assert (code, "1 faults" in said, "Feng" in said, (tmp_path / "C").exists()) == (1, True, False, False), said
