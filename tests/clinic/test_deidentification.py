"""DICOM for a research partner: nobody is named, in headers, pixels, names of files, reports or on the terminal."""

import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pydicom
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.clinic.deidentification import deidentify
from isthmus.errors import CohortError
from isthmus.imaging.read import read_clip
from tests.cohort.hospital_export import AREA, PEOPLE, identifying_words, leaks, screen, tissue_region, write_dicom

FIRST, SECOND, THIRD = PEOPLE
TABLE = Path(__file__).parent / "files" / "ps3_15_table_e1_1.csv"
SENTINELS = ["SENTINEL", "19010203", "Тайное", "ΚΡΥΦΟ", "비밀", "1.2.3.990099"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An export of two hospitals, a clip among it, and what became of it."""
    folder = tmp_path_factory.mktemp("deidentified")
    export = folder / "export"
    write_dicom(export / FIRST.name.split("=")[0] / "IM1.dcm", FIRST, screen(FIRST, 1, word="ZHANG"))
    frames = np.stack([screen(SECOND, seed) for seed in range(3)])
    write_dicom(export / "IM2", SECOND, frames)
    for name, charset, patient in (
        ("IM3", ["", "ISO 2022 IR 149"], "SENTINEL^A=비밀"),
        ("IM4", "ISO_IR 144", "Тайное"),
        ("IM5", "ISO_IR 126", "ΚΡΥΦΟ"),
    ):
        region = tissue_region()
        region.add_new(0x00090010, "LO", "SENTINEL IN A REGION")
        region.RegionFlags = 3
        write_dicom(
            export / name, THIRD, screen(THIRD, 3), SpecificCharacterSet=charset, PatientName=patient,
            PatientBirthDate=None, ReferringPhysicianName="Wang^Daifu", StudyInstanceUID="1.2.3.990099",
            SOPInstanceUID=f"1.2.3.990099.{name[-1]}",
            ManufacturerModelName="Sonar of BRIGID", PatientComments="SENTINEL", EthnicGroup="SENTINEL",
            ImageComments="SENTINEL", StationName="SENTINEL", AcquisitionDateTime="19010203",
            DateOfSecondaryCapture="19010203", ImageType=["ORIGINAL", "PRIMARY", "", "0001"],
            SequenceOfUltrasoundRegions=[region],
        )  # fmt: skip
    (export / "letter to SENTINEL.txt").write_text("SENTINEL")
    whole = np.full((240, 320, 3), 60, np.uint8)
    cv2.putText(whole, "MURPHY SIOBHAN", (30, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    write_dicom(export / "IM9", THIRD, whole, SequenceOfUltrasoundRegions=None, PatientBirthDate=None)
    return export, deidentify(export, folder / "shared", key=folder / "study.key.json")


def written(done):
    return {path: pydicom.dcmread(path) for path in sorted(done.folder.rglob("*.dcm"))}


def test_no_byte_of_what_leaves_names_anybody(made):
    _, done = made
    assert done.counts() == {"left out": 1, "not DICOM": 1, "written": 5}
    assert leaks(done.folder, [*identifying_words(), *SENTINELS]) == []
    for path, dataset in written(done).items():
        # The pixels are encoded in the file; here they are plain.
        assert path.name.removesuffix(".dcm").isdigit()
        assert not [element for element in dataset.iterall() if element.tag.is_private]
        assert "MURPHY" not in str(dataset)


def test_the_profiles_table_is_kept_element_by_element(made):
    """Against PS3.15 table E.1-1 as others tabulated it; the file says who."""
    actions = dict(pd.read_csv(TABLE, comment="#", dtype=str).itertuples(index=False))
    assert len(actions) > 600
    sources = [pydicom.dcmread(path) for path in made[0].rglob("IM*")]
    source_uids = {str(element.value) for source in sources for element in source.iterall() if element.VR == "UI"}
    checked = 0
    for dataset in written(made[1]).values():
        for element in dataset.iterall():
            action = actions.get(f"{element.tag:08X}", "")
            if action == "U":
                assert str(element.value).startswith("2.25.")
                assert str(element.value) not in source_uids
            elif action.startswith("Z"):
                assert element.is_empty or str(element.value).startswith("P-")
            else:
                assert not action or element.keyword == "DeidentificationMethodCodeSequence", element.keyword
            checked += bool(action)
    assert checked >= 5 * 9


def test_who_reads_the_file_is_told_how_it_was_de_identified(made):
    told = written(made[1]).values()
    # 'Sonar of BRIGID' names a hospital, and is not copied.
    assert [dataset.get("ManufacturerModelName") for dataset in told].count(None) == 3
    for dataset in told:
        assert dataset.PatientIdentityRemoved == "YES"
        codes = [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]
        assert codes == ["113100", "113101"]
        assert (dataset.BurnedInAnnotation, dataset.LongitudinalTemporalInformationModified) == ("NO", "REMOVED")
        assert dataset.PatientID == dataset.PatientName


def test_tissue_and_scale_are_as_they_were_and_text_is_black(made):
    export, done = made
    for path, dataset in written(done).items():
        number = int(path.stem)
        sources = sorted(item.relative_to(export).as_posix() for item in export.rglob("*") if item.is_file())
        original, kept = read_clip(export / sources[number - 1]).frames, read_clip(path).frames
        x0, y0, x1, y1 = AREA
        assert kept.shape == original.shape
        outside = np.ones(kept.shape[1:3], bool)
        outside[y0:y1, x0:x1] = False
        assert kept[:, outside].max() == 0
        part = kept[:, y0:y1, x0:x1]
        changed = (part != original[:, y0:y1, x0:x1]).any(axis=(0, 3))
        assert changed.mean() < 0.05
        assert part.max() < 200  # the letters of a word typed into the picture are 255
        region = dataset.SequenceOfUltrasoundRegions[0]
        assert region.PhysicalDeltaX == tissue_region().PhysicalDeltaX
        np.testing.assert_array_equal(dataset.pixel_array.reshape(kept.shape), kept)


def test_the_report_says_what_was_done_and_the_private_list_which_file_it_was(made):
    _, done = made
    content = json.loads((done.folder / "deidentification_report.json").read_text())
    rows = {row["file"]: row for row in content["files"]}
    table = pd.read_csv(done.folder / "deidentification_report.csv", dtype=str).set_index("file")
    assert set(table.index) == set(rows) == {f"file {number:05d}" for number in range(1, 8)}
    private = pd.read_csv(done.folder.parent / "study.key.json.shared.files.csv", dtype=str).set_index("source_file")
    assert private.index.is_unique
    numbers = private.number.astype(int)
    zhang = rows[f"file {numbers[FIRST.name.partition('=')[0] + '/IM1.dcm']:05d}"]
    assert zhang["words_masked"] >= 1
    assert (zhang["certain"], zhang["scan_area_from"]) == (True, "header")
    assert {"PatientBirthDate", "StudyDate"}.isdisjoint(zhang["elements_kept"].split())
    assert {"InstitutionName", "OperatorsName", "StudyDescription"} <= set(zhang["elements_removed"].split())
    assert zhang["private_removed"] == 2
    left = rows[f"file {numbers['IM9']:05d}"]
    assert left["status"] == "left out"
    assert "cannot be told from its picture" in left["detail"]
    assert not list(done.folder.rglob(f"{numbers['IM9']:05d}.dcm"))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
def test_no_new_error_by_dciodvfy(made):
    export, done = made
    sources = sorted(item.relative_to(export).as_posix() for item in export.rglob("*") if item.is_file())
    for path in sorted(done.folder.rglob("*.dcm")):
        new, old = (errors_of(file) for file in (path, export / sources[int(path.stem) - 1]))
        assert new - old == set()


def errors_of(path):
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    return {line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")}


def test_the_same_key_gives_the_same_people_and_studies_and_another_key_others(tmp_path):
    for name in ("a", "b"):
        write_dicom(tmp_path / "e" / name, FIRST, screen(FIRST, 1), PatientSex="F")
    for name, key in (("x", "k1"), ("y", "k1"), ("z", "k2")):
        deidentify(tmp_path / "e", tmp_path / name, key=tmp_path / f"{key}.json")
    told = []
    for name in "xyz":
        datasets = [pydicom.dcmread(path) for path in sorted((tmp_path / name).rglob("*.dcm"))]
        assert len({dataset.StudyInstanceUID for dataset in datasets}) == 1
        assert len({dataset.SOPInstanceUID for dataset in datasets}) == 2
        told.append([(dataset.PatientID, dataset.StudyInstanceUID, dataset.SOPInstanceUID) for dataset in datasets])
    assert told[0] == told[1]
    assert {part for row in told[0] for part in row}.isdisjoint(part for row in told[2] for part in row)


def test_an_export_of_which_nothing_can_leave_leaves_nothing(tmp_path):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "a.txt").write_text("no DICOM")
    with pytest.raises(CohortError, match="none of 1 files can be de-identified: 1 not DICOM"):
        deidentify(tmp_path / "e", tmp_path / "x", key=tmp_path / "k.json")
    with pytest.raises(CohortError, match="inside"):
        deidentify(tmp_path / "e", tmp_path / "x", key=tmp_path / "x" / "k.json")
    assert not (tmp_path / "x").exists()


def test_the_command_prints_numbers_and_no_name(tmp_path):
    write_dicom(tmp_path / "e" / FIRST.patient_id, FIRST, screen(FIRST, 1))
    (tmp_path / "e" / "ZHANG.dcm").write_bytes(b"no DICOM, although it is called so")
    found = CliRunner().invoke(
        app, ["deidentify", str(tmp_path / "e"), str(tmp_path / "x"), "--key", str(tmp_path / "k.json")]
    )
    assert found.exit_code == 0, found.output
    assert "files: 1 unreadable, 1 written" in found.output
    told = found.output.replace(str(tmp_path), "")
    assert [word for word in identifying_words() if word in told] == []


def test_the_real_thyroid_file_loses_its_name(tmp_path, data_folder):
    (tmp_path / "e").mkdir()
    shutil.copy(data_folder / "us_dicom" / "dcm4che__YBR_FULL-RLE.dcm", tmp_path / "e")
    done = deidentify(tmp_path / "e", tmp_path / "x", key=tmp_path / "k.json")
    ((path, dataset),) = written(done).items()
    pixels = dataset.pixel_array
    # DOE, JOHN and the hospital stand above the picture, and DOE again in it: seen by looking.
    assert pixels[:48].max() == 0
    assert pixels[371:390, 114:149].max() == 0
    assert pixels[48:360, 84:484].mean() > 20
    assert leaks(done.folder, ["DOE", "MON GENERAL", "JOHN"]) == []
    assert path.parent.name == dataset.PatientID
