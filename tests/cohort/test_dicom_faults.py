"""What a DICOM export brings along that cannot be used: each is one line, none ends the import, none names anybody."""

import dataclasses

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, JPEGBaseline8Bit

from isthmus.cohort.join import join_rows
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.sources.dicom import import_dicom
from isthmus.errors import CohortError
from isthmus.imaging.limits import Limits
from tests.cohort.hospital_export import PEOPLE, Person, identifying_words, leaks, screen, tissue_region, write_dicom
from tests.cohort.test_dicom_import import MAP, rows_of, write_table
from tests.imaging.speckle import speckle

FIRST, SECOND, THIRD = PEOPLE


def imported(folder, table=None, mapping=MAP, **options):
    """Import `folder/e` and return its report's lines by path, through the private list."""
    import_dicom(
        folder / "e",
        folder / "c",
        table=table or write_table(folder),
        mapping=CohortMap.model_validate(mapping),
        key=folder / "k.json",
        **options,
    )
    assert leaks(folder / "c", identifying_words()) == []
    return {row["source_file"]: (row["status"], row["detail"]) for row in rows_of(folder / "k.json.c.files.csv")}


def good(folder):
    """Write one picture that can be used, so that there is a cohort."""
    return write_dicom(folder / "e" / "good", SECOND, screen(SECOND, 0))


def test_a_file_cut_short_is_listed_and_leaves_no_half_clip(tmp_path):
    good(tmp_path)
    clip = write_dicom(tmp_path / "e" / "clip", FIRST, np.stack([screen(FIRST, seed) for seed in range(6)]))
    clip.write_bytes(clip.read_bytes()[:-300_000])
    head = write_dicom(tmp_path / "e" / "head", FIRST, screen(FIRST, 1))
    head.write_bytes(head.read_bytes()[:700])
    (tmp_path / "e" / "empty.dcm").write_bytes(b"")
    lines = imported(tmp_path)
    assert lines["clip"][0] == "unreadable"
    assert "cannot be decoded" in lines["clip"][1]
    assert "cut short" in lines["head"][1] or "damaged" in lines["head"][1]
    assert lines["empty.dcm"] == ("unreadable", "the file is empty")
    assert lines["good"][0] == "labelled"
    assert len(list((tmp_path / "c" / "pictures").iterdir())) == 1


def test_pixels_that_are_not_what_the_header_says_are_listed(tmp_path):
    good(tmp_path)
    wrong = write_dicom(tmp_path / "e" / "wrong", FIRST, screen(FIRST, 1))
    header = pydicom.dcmread(wrong)
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header.PixelData = pydicom.encaps.encapsulate([b"no JPEG at all"])
    header["PixelData"].is_undefined_length = True
    header.save_as(wrong)
    status, why = imported(tmp_path)["wrong"]
    assert status == "unreadable"
    assert "JPEG Baseline" in why


def test_values_that_pydicom_would_print_a_warning_of_are_not_printed(tmp_path, capfd):
    # Warnings are errors in these tests as well: one that is not held back would end the import.
    good(tmp_path)
    path = write_dicom(tmp_path / "e" / "odd", FIRST, screen(FIRST, 1))
    content = path.read_bytes()
    assert content.count(b"1.2.840.10008.5.1.4.1.1.6.1") == 2
    content = content.replace(b"1.2.840.10008.5.1.4.1.1.6.1", b"1.2 Zhang 08.5.1.4.1.1.6.1_")
    path.write_bytes(content.replace(b"GB18030", b"GB-1803"))
    imported(tmp_path)
    output = capfd.readouterr()
    assert "Zhang" not in output.out + output.err


def test_a_file_that_vanishes_between_two_looks_is_listed_without_its_path(tmp_path, monkeypatch):
    good(tmp_path)
    path = write_dicom(tmp_path / "e" / "Zhang Xiaoming", FIRST, screen(FIRST, 1))

    def vanish(*arguments, **options):
        path.unlink()
        return join_rows(*arguments, **options)

    monkeypatch.setattr("isthmus.cohort.sources.dicom.join_rows", vanish)
    status, why = imported(tmp_path)["Zhang Xiaoming"]
    assert status == "unreadable"
    assert "Zhang" not in why


def test_pictures_without_a_patient_or_a_row_are_listed(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "nobody", FIRST, screen(FIRST, 1), AccessionNumber="")
    stranger = Person("ZZ1", "STRANGER^A", "19700101", "ELSEWHERE", "UNKNOWN-1", ("20200101",))
    write_dicom(tmp_path / "e" / "stranger", stranger, screen(stranger, 2))
    lines = imported(tmp_path)
    assert lines["nobody"][0] == lines["stranger"][0] == "without row"


def test_a_missing_patient_id_is_no_hindrance_where_the_table_knows_the_patient(tmp_path):
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1), PatientID="")
    assert imported(tmp_path)["one"][0] == "labelled"


def test_without_any_patient_id_a_picture_is_left_out(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1), PatientID="")
    mapping = MAP | {"columns": {"patient_id": {"key": "PatientID"}}}
    assert imported(tmp_path, mapping=mapping)["one"] == ("left out", "it has no patient id")


def test_two_patients_under_one_accession_number_are_left_out(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1))
    write_dicom(tmp_path / "e" / "two", THIRD, screen(THIRD, 2), AccessionNumber=FIRST.accession)
    lines = imported(tmp_path)
    assert lines["one"] == lines["two"]
    assert lines["one"] == ("ambiguous", "its pictures are of 2 patients by their PatientID: rows 2")


def test_one_patient_id_of_two_hospitals_is_two_people_and_left_out(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1))
    write_dicom(tmp_path / "e" / "two", THIRD, screen(THIRD, 2), PatientID=FIRST.patient_id)
    lines = imported(tmp_path)
    assert lines["one"] == lines["two"] == ("ambiguous", "one PatientID with 2 dates of birth: two people")


def test_one_patient_of_the_headers_who_is_two_in_the_table_is_left_out(tmp_path):
    good(tmp_path)
    same = {"PatientID": FIRST.patient_id, "PatientBirthDate": FIRST.birth}
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1))
    write_dicom(tmp_path / "e" / "two", THIRD, screen(THIRD, 2), **same)
    lines = imported(tmp_path)
    assert lines["one"][0] == lines["two"][0] == "ambiguous"
    assert "rows of different patients" in lines["one"][1]


def test_a_study_that_two_rows_claim_is_left_out_with_both_rows(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1))
    claimed = dataclasses.replace(THIRD, accession=FIRST.accession)
    lines = imported(tmp_path, write_table(tmp_path, (FIRST, SECOND, claimed)))
    assert lines["one"] == ("ambiguous", "2 rows of different nodules fit 1 picture: rows 2, 4")
    rows = {line["file"]: line["status"] for line in rows_of(tmp_path / "c" / "import_report.csv")}
    assert (rows["row 2"], rows["row 3"], rows["row 4"]) == ("ambiguous", "used", "ambiguous")
    excluded = rows_of(tmp_path / "c" / "excluded.csv")
    assert len(excluded) == 2
    assert all(row["patient_id"].startswith("P-") for row in excluded)


def test_a_copy_of_a_picture_is_taken_once(tmp_path):
    path = good(tmp_path)
    (tmp_path / "e" / "later copy").write_bytes(path.read_bytes())
    assert imported(tmp_path)["later copy"] == ("duplicate of file 00001", "the same SOP Instance UID")
    assert len(rows_of(tmp_path / "c" / "views.csv")) == 1


def test_links_are_not_followed_and_a_loop_ends(tmp_path):
    path = good(tmp_path)
    (tmp_path / "e" / "loop").symlink_to(tmp_path / "e")
    (tmp_path / "secret").write_bytes(path.read_bytes())
    (tmp_path / "e" / "file link").symlink_to(tmp_path / "secret")
    lines = imported(tmp_path)
    assert lines["loop"][0] == lines["file link"][0] == "link"
    assert len(lines) == 3


def test_what_is_no_ultrasound_picture_says_what_it_is(tmp_path):
    good(tmp_path)
    write_dicom(tmp_path / "e" / "ct", FIRST, screen(FIRST, 1), Modality="CT", SOPClassUID=CTImageStorage)
    m_mode = tissue_region()
    m_mode.RegionSpatialFormat = 2
    write_dicom(tmp_path / "e" / "m", FIRST, screen(FIRST, 2), SequenceOfUltrasoundRegions=[m_mode])
    report = write_dicom(tmp_path / "e" / "sr", FIRST, screen(FIRST, 3))
    header = pydicom.dcmread(report)
    for keyword in ("Rows", "Columns", "PixelData"):
        del header[keyword]
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    header.save_as(report)
    lines = imported(tmp_path)
    assert lines["ct"] == ("not ultrasound", "its modality is CT")
    assert lines["m"] == ("no picture", "M-mode alone: no picture of tissue in two dimensions")
    assert lines["sr"][1].startswith("Comprehensive SR Storage without a picture")


@pytest.mark.parametrize("declared", ["YES", "NO"])
def test_a_screen_whose_text_cannot_be_told_from_its_picture_is_left_out_where_it_may_name(tmp_path, declared):
    good(tmp_path)
    whole = speckle(240, 320, seed=5)[..., None].repeat(3, axis=2)
    path = write_dicom(tmp_path / "e" / "whole", FIRST, whole, SequenceOfUltrasoundRegions=None)
    header = pydicom.dcmread(path)
    header.BurnedInAnnotation = declared
    header.save_as(path)
    status, why = imported(tmp_path)["whole"]
    assert (status == "unreadable") == (declared == "YES")
    assert ("cannot be told from its picture" in why) == (declared == "YES")


def test_a_region_of_the_whole_screen_is_not_believed(tmp_path):
    regions = [tissue_region((0, 0, 320, 240))]
    write_dicom(tmp_path / "e" / "one", FIRST, screen(FIRST, 1), SequenceOfUltrasoundRegions=regions)
    assert "scan area found" in imported(tmp_path)["one"][1]
    (view,) = rows_of(tmp_path / "c" / "views.csv")
    assert float(view["region"].split()[1]) > 35  # below both lines of the header


def test_limits_hold_and_pixels_that_are_not_square_have_no_spacing(tmp_path):
    good(tmp_path)
    frames = np.stack([screen(FIRST, seed) for seed in range(3)])
    write_dicom(tmp_path / "e" / "long", FIRST, frames)
    flat = tissue_region()
    flat.PhysicalDeltaY = 2 * flat.PhysicalDeltaX
    write_dicom(tmp_path / "e" / "flat", THIRD, screen(THIRD, 4), SequenceOfUltrasoundRegions=[flat])
    lines = imported(tmp_path, limits=Limits(frames=2))
    assert lines["long"] == ("unreadable", "it has 3 frames; expected at most 2")
    assert "not square" in lines["flat"][1]
    assert [row["spacing_mm"] for row in rows_of(tmp_path / "c" / "views.csv")].count("") == 1


def test_an_export_without_any_picture_is_refused_and_leaves_nothing(tmp_path):
    for name, why in (("absent", "no such folder"), ("empty", "empty"), ("text", "no ultrasound picture among 1")):
        folder = tmp_path / name
        folder.mkdir()
        if name != "absent":
            (folder / "e").mkdir()
        if name == "text":
            (folder / "e" / "a.txt").write_text("no DICOM", encoding="utf-8")
        with pytest.raises(CohortError, match=why):
            imported(folder)
        assert not (folder / "c").exists()
        assert not (folder / "k.json").exists()


REAL = (
    "dcm4che__YBR_FULL-RLE", "dicomParser__IM00001.fragmented_no_bot_jpeg_baseline.50", "fo-dicom__DIRW0007",
    "fo-dicom__GH364", "pydicom-data__OBXXXX1A", "pydicom-data__US1_UNCR", "pydicom-data__gdcm-US-ALOKA-16",
    "pydicom__examples_ybr_color", "dcm4che__will-jxl",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")
def test_real_files_of_eight_scanners_become_views_and_nobody_in_their_headers_is_named(tmp_path, data_folder):
    (tmp_path / "e").mkdir()
    words = []
    for name in REAL:
        path = data_folder / "us_dicom" / f"{name}.dcm"
        (tmp_path / "e" / f"{name}.dcm").write_bytes(path.read_bytes())
        header = pydicom.dcmread(path, stop_before_pixels=True)
        keywords = ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID", "StudyDate", "InstitutionName")
        words += [text for keyword in keywords if len(text := str(header.get(keyword, ""))) > 4]
    table = tmp_path / "t.csv"
    table.write_text("file,id,label\n" + "".join(f"{name},{n},{n % 2}\n" for n, name in enumerate(REAL)), "utf-8")
    target = {"heading": "label", "classes": {"0": "benign", "1": "malignant"}, "reference": "surgery"}
    mapping = {"name": "real", "join": {"match": {"file": "stem"}}, "columns": {"patient_id": "id"}}
    from isthmus.cohort.table_file import read_source_table

    lines = imported(tmp_path, read_source_table(table), mapping | {"targets": {"malignant": target}})
    statuses = {path.removesuffix(".dcm"): status for path, (status, _) in lines.items()}
    assert statuses == {name: "unreadable" if "jxl" in name else "labelled" for name in REAL}
    assert leaks(tmp_path / "c", words) == []
    kinds = {view["view_id"]: view["modality"] for view in rows_of(tmp_path / "c" / "views.csv")}
    # Colour flow by its region, B-mode clips, stills; the power Doppler of the LOGIQ 700 by its colours alone.
    assert sorted(kinds.values()) == ["bmode"] * 4 + ["cine"] * 2 + ["doppler"] * 2
