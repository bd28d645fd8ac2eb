"""A hospital's DICOM export becomes a cohort in which nobody is named: every byte of it is searched."""

import csv
import json
import stat
from datetime import date

import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.sources.dicom import import_dicom
from isthmus.cohort.table_file import read_source_table
from isthmus.errors import CohortError, InputError
from isthmus.imaging.read import read_clip, read_mask
from tests.cohort.hospital_export import (
    AREA,
    PEOPLE,
    identifying_words,
    leaks,
    screen,
    tissue_region,
    write_dicom,
)

FIRST, SECOND, THIRD = PEOPLE
MAP = {
    "name": "two hospitals",
    "join": {"match": {"检查号": "AccessionNumber"}},
    "columns": {"patient_id": "住院号"},
    "identifying": ["姓名"],
    "modality": {"default": "bmode"},
    "targets": {
        "malignant": {
            "heading": "病理",
            "values": {"恶性": "1", "良性": "0"},
            "classes": {"0": "benign", "1": "malignant"},
            "reference": "surgery",
        }
    },
}


def write_table(folder, people=PEOPLE, extra=("备注", ("", "", ""))):
    """Write the pathology table in GB18030, as a Chinese spreadsheet exports it."""
    lines = [f"检查号,住院号,姓名,病理,{extra[0]}"]
    for person, label, remark in zip(people, ("恶性", "良性", "良性"), extra[1], strict=True):
        name = person.name.split("=")[-1].replace("^", "")
        lines.append(f"{person.accession},{person.patient_id},{name},{label},{remark}")
    path = folder / "pathology.csv"
    path.write_bytes("\n".join(lines).encode("gb18030"))
    return read_source_table(path)


def write_export(folder):
    """Write two hospitals' files: a still with a typed name, a second examination, a clip, a picture in colour."""
    write_dicom(folder / "张晓明 20240301" / "IM1", FIRST, screen(FIRST, 1, word="ZHANG"))
    write_dicom(folder / "张晓明 20240301" / "deep" / "IM2", FIRST, screen(FIRST, 2), exam=1)
    write_dicom(folder / "B" / "2", SECOND, np.stack([screen(SECOND, seed) for seed in range(4)]))
    regions = [tissue_region(), tissue_region((100, 80, 200, 150), kind=2)]
    write_dicom(folder / "C" / "3.dcm", THIRD, screen(THIRD, 9), SequenceOfUltrasoundRegions=regions)
    write_dicom(folder / "DICOMDIR", THIRD, screen(THIRD, 10))
    (folder / "readme.txt").write_text("Export of MURPHY^SIOBHAN", encoding="utf-8")
    return folder


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def imported(tmp_path, capfd):
    export = write_export(tmp_path / "export")
    report = import_dicom(
        export,
        tmp_path / "cohort",
        table=write_table(tmp_path),
        mapping=CohortMap.model_validate(MAP),
        key=tmp_path / "key.json",
    )
    return tmp_path, report, capfd.readouterr()


def test_no_byte_of_the_cohort_and_no_word_of_the_output_names_anybody(imported):
    folder, report, output = imported
    words = identifying_words()
    assert leaks(folder / "export", words)  # the search itself finds what is there
    assert leaks(folder / "cohort", words) == []
    told = output.out + output.err + repr(report) + report.summary()
    assert [word for word in words if word in told] == []
    assert "IM1" not in told
    # What the headers really hold, by pydicom itself: none of its texts is left either, the device excepted.
    header = pydicom.dcmread(folder / "export" / "张晓明 20240301" / "IM1", stop_before_pixels=True)
    assert str(header.PatientName) == FIRST.name
    assert header[0x0019, 0x1001].value == f"Zhang^Xiaoming {FIRST.patient_id}"
    uids = [str(element.value) for element in header.iterall() if element.VR == "UI" and "UID" in element.keyword]
    uids = [uid for uid in uids if uid != header.SOPClassUID]
    assert len(uids) == 3
    assert leaks(folder / "cohort", [*uids, str(header.StudyDescription)]) == []


def test_rows_and_pictures_are_joined_and_days_are_relative(imported):
    folder, _, _ = imported
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))
    new = key["patients"]
    labels = {row["patient_id"]: row["malignant"] for row in rows_of(folder / "cohort" / "nodules.csv")}
    expected = {FIRST.patient_id: "1", SECOND.patient_id: "0", THIRD.patient_id: "0"}
    assert labels == {new[patient]: label for patient, label in expected.items()}
    views = rows_of(folder / "cohort" / "views.csv")
    own = [view for view in views if view["nodule_id"].startswith(new[FIRST.patient_id])]
    # From 1 March to 15 April there are 31 + 14 days.
    assert [(view["exam_id"][-2:], view["exam_day"]) for view in own] == [("e1", "0"), ("e2", "45")]
    assert key["first_days"][new[FIRST.patient_id]] == "2024-03-01"
    assert len(load_cohort(folder / "cohort").views) == 4


def test_sites_are_pseudonyms_and_one_hospital_is_one_site(imported):
    folder, _, _ = imported
    new = json.loads((folder / "key.json").read_text(encoding="utf-8"))["sites"]
    sites = [row["site"] for row in rows_of(folder / "cohort" / "patients.csv")]
    assert sites == [new[FIRST.hospital], new[FIRST.hospital], new[THIRD.hospital]]
    assert all(site.startswith("S-") for site in sites)


def test_a_view_tells_device_spacing_region_rate_and_kind(imported):
    folder, _, _ = imported
    still, _, clip, flow = rows_of(folder / "cohort" / "views.csv")
    assert still["device"] == "Acme Ultrasound Sonar 7"
    assert float(still["spacing_mm"]) == pytest.approx(0.12)
    assert still["region"] == "60 40 260 190"
    assert [view["modality"] for view in (still, clip, flow)] == ["bmode", "cine", "doppler"]
    assert float(clip["frame_rate_hz"]) == pytest.approx(20.0)  # Frame Time is 50 ms


def test_outside_the_scan_area_and_in_the_typed_name_pixels_are_black_and_elsewhere_they_are_the_files_own(imported):
    folder, _, _ = imported
    still, _, clip, _ = rows_of(folder / "cohort" / "views.csv")
    kept = read_clip(folder / "cohort" / still["path"]).frames[0]
    source = screen(FIRST, 1, word="ZHANG")
    x0, y0, x1, y1 = AREA
    outside = np.ones(kept.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    assert source[outside].max() == 255
    assert kept[outside].max() == 0
    drawn = np.abs(source.astype(int) - screen(FIRST, 1)).max(axis=2) > 60
    assert drawn.sum() > 100
    assert kept[drawn].max() == 0
    np.testing.assert_array_equal(kept[y0 : y0 + 100, x0:x1], source[y0 : y0 + 100, x0:x1])
    frames = read_clip(folder / "cohort" / clip["path"]).frames
    assert len(frames) == 4
    for seed, frame in enumerate(frames):
        np.testing.assert_array_equal(frame[y0:y1, x0:x1], screen(SECOND, seed)[y0:y1, x0:x1])
        assert frame[outside].max() == 0


def test_every_file_is_one_line_and_the_private_list_tells_its_path(imported):
    folder, _, _ = imported
    lines = rows_of(folder / "cohort" / "import_report.csv")
    files = {line["file"]: line for line in lines if line["file"].startswith("file ")}
    assert sorted(files) == [f"file {number:05d}" for number in range(1, 7)]
    assert [line["status"] for line in lines if line["kind"] == "other"] == ["no picture", "not DICOM"]
    private = folder / "key.json.cohort.files.csv"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    paths = {row["source_file"]: row for row in rows_of(private)}
    assert set(paths) == {
        path.relative_to(folder / "export").as_posix() for path in (folder / "export").rglob("*") if path.is_file()
    }
    row = paths["张晓明 20240301/IM1"]
    line = files[f"file {int(row['number']):05d}"]
    assert (line["case"], line["status"]) == (row["patient"], "labelled")
    assert "painted over" in line["detail"]


def test_the_same_key_gives_the_same_ids_and_days_and_another_key_others(tmp_path):
    export, table = write_export(tmp_path / "export"), write_table(tmp_path)
    mapping = CohortMap.model_validate(MAP)
    for name, key in (("a", "k1"), ("b", "k1"), ("c", "k2")):
        import_dicom(export, tmp_path / name, table=table, mapping=mapping, key=tmp_path / f"{key}.json")
    first, again, other = (rows_of(tmp_path / name / "views.csv") for name in "abc")
    assert first == again
    assert not {view["nodule_id"] for view in first} & {view["nodule_id"] for view in other}
    # A later delivery that holds only the second examination counts from the first one's day.
    write_dicom(tmp_path / "later" / "1", FIRST, screen(FIRST, 5), exam=1)
    import_dicom(tmp_path / "later", tmp_path / "d", table=table, mapping=mapping, key=tmp_path / "k1.json")
    assert [view["exam_day"] for view in rows_of(tmp_path / "d" / "views.csv")] == ["45"]
    assert date(2024, 4, 15).toordinal() - date(2024, 3, 1).toordinal() == 45


def test_the_map_names_a_site_and_the_kind_of_picture_and_drops_days(tmp_path):
    export, table = write_export(tmp_path / "export"), write_table(tmp_path)
    columns = {"patient_id": "住院号", "site": {"key": "InstitutionName", "values": {FIRST.hospital: "north"}}}
    content = MAP | {"columns": columns, "dates": "drop", "modality": {"default": "ceus"}}
    mapping = CohortMap.model_validate(content)
    import_dicom(export, tmp_path / "c", table=table, mapping=mapping, key=tmp_path / "k.json")
    sites = [row["site"] for row in rows_of(tmp_path / "c" / "patients.csv")]
    assert sites[:2] == ["north", "north"]
    assert sites[2].startswith("S-")
    views = rows_of(tmp_path / "c" / "views.csv")
    assert {view["modality"] for view in views} == {"ceus"}
    assert "exam_day" not in views[0]


@pytest.mark.parametrize(
    ("remark", "why"),
    [("患者张晓明复查", "an id or a name"), ("seen 2024-03-01", "a date"), ("see ZY0012345", "an id or a name")],
)
def test_a_copied_column_that_names_somebody_refuses_the_import_and_is_not_quoted(tmp_path, remark, why):
    export, table = write_export(tmp_path / "export"), write_table(tmp_path, extra=("备注", (remark, "", "")))
    mapping = CohortMap.model_validate(MAP | {"extra": {"remark": {"heading": "备注"}}})
    with pytest.raises(CohortError, match=rf"nodules.remark: {why} in 1 cell") as caught:
        import_dicom(export, tmp_path / "c", table=table, mapping=mapping, key=tmp_path / "k.json")
    assert remark not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("c")) == []


def test_a_cell_that_is_not_understood_is_named_by_its_place_and_not_quoted(tmp_path):
    path = tmp_path / "Zhang Xiaoming.csv"
    rows = [
        (FIRST.accession, FIRST.patient_id, "Zhang says 80", "恶性"),
        (SECOND.accession, SECOND.patient_id, "44", "?"),
    ]
    lines = ["检查号,住院号,年龄,病理", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    columns = {"patient_id": "住院号", "age_years": "年龄"}
    mapping = CohortMap.model_validate(MAP | {"columns": columns, "identifying": []})
    export = write_export(tmp_path / "export")
    import_dicom(export, tmp_path / "c", table=read_source_table(path), mapping=mapping, key=tmp_path / "k.json")
    cells = [line for line in rows_of(tmp_path / "c" / "import_report.csv") if line["kind"] == "cell"]
    assert [line["file"] for line in cells] == ["table, C2 (年龄)", "table, D3 (病理)"]
    assert "expected an age" in cells[0]["detail"]
    assert leaks(tmp_path / "c", ["Zhang"]) == []


def test_a_key_inside_the_cohort_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(CohortError, match="inside the cohort"):
        import_dicom(
            tmp_path / "absent",
            tmp_path / "c",
            table=write_table(tmp_path),
            mapping=CohortMap.model_validate(MAP),
            key=tmp_path / "c" / "key.json",
        )


def test_a_map_that_would_keep_the_scanners_text_is_refused(tmp_path):
    mapping = CohortMap.model_validate(MAP | {"screen": "keep"})
    with pytest.raises(InputError, match="never kept"):
        import_dicom(tmp_path, tmp_path / "c", table=write_table(tmp_path), mapping=mapping, key=tmp_path / "k.json")


def test_a_picture_without_regions_keeps_the_scan_area_that_is_found(tmp_path):
    write_dicom(tmp_path / "e" / "1", FIRST, screen(FIRST, 1), SequenceOfUltrasoundRegions=None)
    import_dicom(
        tmp_path / "e",
        tmp_path / "c",
        table=write_table(tmp_path),
        mapping=CohortMap.model_validate(MAP),
        key=tmp_path / "k.json",
    )
    (view,) = rows_of(tmp_path / "c" / "views.csv")
    found = [float(number) for number in view["region"].split()]
    np.testing.assert_allclose(found, AREA, atol=3)
    kept = read_clip(tmp_path / "c" / view["path"]).frames[0]
    assert kept[:35].max() == 0


def test_a_name_typed_into_a_moving_clip_is_painted_over_and_moving_specks_are_not(tmp_path):
    frames = np.stack([screen(FIRST, seed, word="ZHANG" if seed >= 4 else "") for seed in range(12)])
    for seed in range(12):
        frames[seed, 60:70, 80 + 12 * seed : 100 + 12 * seed] = 250  # wide and sharp, as a bright reflex that passes
    write_dicom(tmp_path / "e" / "1", FIRST, frames)
    import_dicom(
        tmp_path / "e",
        tmp_path / "c",
        table=write_table(tmp_path),
        mapping=CohortMap.model_validate(MAP),
        key=tmp_path / "k.json",
    )
    (view,) = rows_of(tmp_path / "c" / "views.csv")
    kept = read_clip(tmp_path / "c" / view["path"]).frames
    drawn = np.abs(screen(FIRST, 4, word="ZHANG").astype(int) - screen(FIRST, 4)).max(axis=2) > 60
    assert kept[:, drawn].max() == 0
    np.testing.assert_array_equal(kept[:, 60:70, 80:240], frames[:, 60:70, 80:240])


def test_a_segmentation_in_the_export_becomes_the_mask_of_its_picture(tmp_path):
    # Written by highdicom, by SOP Instance UID; its own path and UIDs are not shown either.
    path = write_dicom(tmp_path / "e" / "IM1", FIRST, screen(FIRST, 1), PatientSex="F", StudyID="1")
    mask = np.zeros((240, 320), np.uint8)
    mask[90:130, 120:180] = 1
    header = pydicom.dcmread(path)
    code = CodedConcept("27925004", "SCT", "Nodule")
    algorithm = SegmentDescription(1, "nodule", code, code, SegmentAlgorithmTypeValues.MANUAL)
    segmentation = Segmentation(
        [header], mask[None], SegmentationTypeValues.BINARY, [algorithm], generate_uid(), 1, generate_uid(), 1,
        "maker", "model", "1", "serial"
    )  # fmt: skip
    segmentation.save_as(tmp_path / "e" / "SEG1")
    import_dicom(
        tmp_path / "e",
        tmp_path / "c",
        table=write_table(tmp_path),
        mapping=CohortMap.model_validate(MAP),
        key=tmp_path / "k.json",
    )
    (view,) = rows_of(tmp_path / "c" / "views.csv")
    assert (view["box"], view["region_source"]) == ("120 90 180 130", "drawn")
    np.testing.assert_array_equal(read_mask(tmp_path / "c" / view["mask"]), mask > 0)
    lines = {line["file"]: line for line in rows_of(tmp_path / "c" / "import_report.csv")}
    assert (lines["file 00002"]["kind"], lines["file 00002"]["status"]) == ("outline", "used")
    assert leaks(tmp_path / "c", identifying_words()) == []


def test_the_command_writes_a_map_then_asks_for_a_key_then_imports_and_prints_no_name(tmp_path):
    export, table = write_export(tmp_path / "export"), tmp_path / "pathology.csv"
    write_table(tmp_path)
    command = ["cohort", "import", "dicom", str(export), str(tmp_path / "c"), "--table", str(table)]
    printed = []
    for options, code in (
        ([], 1),
        (["--map", str(tmp_path / "map.yaml")], 1),
        (["--map", str(tmp_path / "map.yaml"), "--key", str(tmp_path / "c" / "k.json")], 1),
        (["--map", str(tmp_path / "map.yaml"), "--key", str(tmp_path / "k.json")], 0),
    ):
        found = CliRunner().invoke(app, [*command, *options])
        printed.append(found.output + str(found.exception or ""))
        assert found.exit_code == code, printed[-1]
    assert "needs a place for the key" in printed[1]
    assert "inside the cohort" in printed[2]
    assert "pictures: 4 labelled" in printed[3]
    told = "".join(printed).replace(str(tmp_path), "")
    assert [word for word in identifying_words() if word in told] == []
    assert leaks(tmp_path / "c", identifying_words()) == []
    assert {view["modality"] for view in rows_of(tmp_path / "c" / "views.csv")} == {"bmode", "cine", "doppler"}
    sites = {row["site"][:2] for row in rows_of(tmp_path / "c" / "patients.csv")}
    assert sites == {"S-"}
