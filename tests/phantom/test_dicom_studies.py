"""Simulated cohorts as DICOM studies: the cohort's own pixels, valid by a validator that nobody here wrote."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner

from isthmus import cli
from isthmus.cohort.sources.hospital import import_by_map
from isthmus.errors import CohortError, OutputError
from isthmus.files import read_yaml, write_yaml
from isthmus.imaging.read import probe, read_clip
from isthmus.phantom.dicom_studies import write_studies
from isthmus.tables.check import write_table
from tests.contrast_cohort import write_contrast_cohort

MAP = """
format: isthmus-map/1.0
name: simulated studies
licence: CC0-1.0
citation: none
join: {match: {SOPInstanceUID: SOPInstanceUID}}
columns:
  patient_id: patient_id
  nodule_id: nodule_id
  modality: modality
  box: {headings: [x0, y0, x1, y1], form: corners}
targets:
  olnm: {heading: olnm, values: {0: 0, 1: 1}, unit: patient, classes: {0: none, 1: occult}, reference: surgery}
"""
ODD = (61, 41)  # 7,503 bytes of colour: Pixel Data needs its padding byte


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients, two of them of the test part, with stills and clips; one has a colour picture too."""
    folder = write_contrast_cohort(tmp_path_factory.mktemp("simulated") / "cohort", 8)
    (folder / "truth").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (ODD[1], ODD[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "pictures" / "D03.png")
    views = pd.read_csv(folder / "views.csv", dtype=str)
    flow = {"view_id": "D03", "nodule_id": "N03", "modality": "smi", "path": "pictures/D03.png", "plane": "transverse"}
    views = pd.concat([views, pd.DataFrame([{**flow, "region": f"2 3 {ODD[0]} {ODD[1]}"}])])
    write_table(folder / "views.csv", views.assign(exam_id="E" + views["view_id"].str[1:], spacing_mm="0.0875"))
    return folder


@pytest.fixture(scope="module")
def studies(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "dicom"
    write_studies(cohort, folder)
    return folder


def objects(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.dcm"))


def test_the_test_patients_alone_are_written_one_folder_a_study(studies):
    assert [path.relative_to(studies / "studies").as_posix() for path in objects(studies)] == [
        "P03-E03/B03.dcm", "P03-E03/C03.dcm", "P03-E03/D03.dcm", "P07-E07/B07.dcm", "P07-E07/C07.dcm",
    ]  # fmt: skip
    read = [pydicom.dcmread(path, stop_before_pixels=True) for path in objects(studies)]
    assert len({dataset.StudyInstanceUID for dataset in read}) == 2
    assert len({(dataset.SeriesInstanceUID, dataset.SeriesDescription) for dataset in read}) == 5
    assert len({dataset.SOPInstanceUID for dataset in read}) == 5


@pytest.mark.parametrize("view", ["B03", "C03", "D03", "C07"])
def test_read_back_an_object_gives_the_cohorts_pixels_spacing_region_and_rate(cohort, studies, view):
    row = pd.read_csv(cohort / "views.csv", dtype=str).set_index("view_id").loc[view]
    source = read_clip(cohort / row["path"])
    found = read_clip(next(studies.rglob(f"{view}.dcm")))
    assert np.array_equal(found.frames, source.frames)
    assert found.spacing_mm == pytest.approx((0.0875, 0.0875))
    assert found.scan_area == tuple(map(float, row["region"].split()))
    if len(found.frames) > 1:
        assert found.frame_times_s == pytest.approx(np.arange(24) / 1.0)  # RATE_HZ of the cohort


def test_every_object_says_that_it_is_simulated_and_from_no_clock(cohort, studies, tmp_path):
    for path in objects(studies):
        dataset = pydicom.dcmread(path)
        assert str(dataset.PatientName) == f"SIMULATED^{dataset.PatientID}"
        assert dataset.IssuerOfPatientID == "ISTHMUS-SIMULATED"
        assert "SIMULATED" in dataset.StudyDescription
        assert "SIMULATED" in dataset.SeriesDescription
        assert "research use" in dataset.ImageComments
        assert dataset.BurnedInAnnotation == "NO"
        assert dataset.StudyDate.startswith("2001")
    write_studies(cohort, tmp_path / "again")
    assert [path.read_bytes() for path in objects(tmp_path / "again")] == [
        path.read_bytes() for path in objects(studies)
    ]


def test_another_cohorts_studies_have_other_identifiers(cohort, studies, tmp_path):
    other = shutil.copytree(cohort, tmp_path / "other")
    write_yaml(other / "cohort.yaml", read_yaml(other / "cohort.yaml") | {"name": "another"})
    write_studies(other, tmp_path / "dicom")
    uids = [
        {pydicom.dcmread(path).StudyInstanceUID for path in objects(folder)} for folder in (studies, tmp_path / "dicom")
    ]
    assert not uids[0] & uids[1]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools (dciodvfy) is not installed")
def test_dciodvfy_finds_neither_errors_nor_warnings(cohort, studies, tmp_path):
    write_studies(cohort, tmp_path / "packed", jpeg=True)
    for path in [*objects(studies), *objects(tmp_path / "packed")]:
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert re.fullmatch(r"US(MultiFrame)?Image\n", said.stdout + said.stderr), said.stderr


def test_clips_packed_as_scanners_send_them_stay_near_and_say_that_they_are_lossy(cohort, tmp_path):
    write_studies(cohort, tmp_path / "dicom", patients=1, jpeg=True)
    clip, still = (next((tmp_path / "dicom").rglob(f"{view}.dcm")) for view in ("C03", "B03"))
    dataset = pydicom.dcmread(clip)
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"  # PS3.5 A.4.1: baseline JPEG
    assert (dataset.LossyImageCompression, pydicom.dcmread(still).LossyImageCompression) == ("01", "00")
    apart = read_clip(clip).frames.astype(int) - read_clip(cohort / "pictures" / "C03.npy").frames
    assert 0 < np.abs(apart).mean() < 4
    assert np.array_equal(read_clip(still).frames, read_clip(cohort / "pictures" / "B03.png").frames)


def test_what_was_lossy_before_says_so_though_it_is_packed_no_more(cohort, tmp_path):
    packed = tmp_path / "packed"
    write_studies(cohort, packed, patients=1, jpeg=True)
    again = shutil.copytree(cohort, tmp_path / "again")
    shutil.copy(next(packed.rglob("C03.dcm")), again / "pictures" / "C03.dcm")
    views = (again / "views.csv").read_text().replace("C03.npy", "C03.dcm")
    (again / "views.csv").write_text(views)
    write_studies(again, tmp_path / "dicom", patients=1)
    dataset = pydicom.dcmread(next((tmp_path / "dicom").rglob("C03.dcm")))
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionMethod == "ISO_10918_1"


def test_the_cohorts_door_for_dicom_takes_them_with_the_table_beside_them(studies, tmp_path):
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    report = import_by_map(
        "dicom", studies / "studies", tmp_path / "cohort", table=studies / "studies.csv",
        map_path=tmp_path / "map.yaml", key=tmp_path / "key.json", masks=None, strict=False, progress=None,
    )  # fmt: skip
    assert report.totals["views"] == 5
    views = pd.read_csv(tmp_path / "cohort" / "views.csv", dtype=str)
    assert sorted(views["modality"]) == ["bmode", "bmode", "ceus", "ceus", "smi"]
    assert set(views["spacing_mm"]) == {"0.0875"}
    assert set(views["region_source"]) == {"drawn", "whole"}  # the colour picture has no box
    assert probe(tmp_path / "cohort" / views.loc[views["modality"] == "ceus", "path"].iloc[0]).frames == 24


@pytest.mark.parametrize("lacking", ["truth", "simulated"])
def test_a_cohort_that_is_not_simulated_is_refused_in_one_line(cohort, tmp_path, lacking):
    real = shutil.copytree(cohort, tmp_path / "real")
    if lacking == "truth":
        shutil.rmtree(real / "truth")
    else:
        write_yaml(real / "cohort.yaml", read_yaml(real / "cohort.yaml") | {"simulated": False})
    with pytest.raises(CohortError, match="only a simulated cohort") as refused:
        write_studies(real, tmp_path / "dicom")
    assert "isthmus deidentify" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "dicom").exists()


def test_without_test_patients_with_an_id_that_names_a_folder_or_over_something_nothing_is_written(cohort, tmp_path):
    odd = shutil.copytree(cohort, tmp_path / "odd")
    table = (odd / "views.csv").read_text()
    (odd / "views.csv").write_text(table.replace("E03", "../E03"))
    with pytest.raises(CohortError, match="cannot stand in a DICOM header"):
        write_studies(odd, tmp_path / "dicom")
    (odd / "views.csv").write_text(table)
    (odd / "nodules.csv").write_text((odd / "nodules.csv").read_text().replace("test", "train"))
    with pytest.raises(CohortError, match="set aside as a test"):
        write_studies(odd, tmp_path / "dicom")
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "mine").touch()
    with pytest.raises(OutputError):
        write_studies(cohort, tmp_path / "dicom")


def test_the_command_says_how_many_and_where(cohort, tmp_path):
    result = CliRunner().invoke(cli.app, ["cohort", "dicom", str(cohort), str(tmp_path / "s"), "--patients", "1"])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "SIMULATED: 1 studies of 1 patients, 3 files",
        f"Studies: {tmp_path / 's' / 'studies'}",
        f"What each file shows: {tmp_path / 's' / 'studies.csv'}",
    ]
    assert {path.name for path in (tmp_path / "s").iterdir()} == {
        "README.txt", "manifest.json", "studies", "studies.csv", "timing.json",
    }  # fmt: skip
