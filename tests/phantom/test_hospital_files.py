"""Recordings as files: whole, right in size, number, rate and colour; the same bytes for the same recording."""

import re
import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image

from isthmus.errors import InputError
from isthmus.imaging.read import read_clip, read_mask
from isthmus.phantom.hospital_files import write_recording
from isthmus.phantom.recording import Frame, Recording
from isthmus.phantom.video_files import write_video
from tests.phantom.scenes import record, small_device, small_scene

CEUS = {"seconds": 2.0, "frame_rate_hz": 4.0}
# Type 1 (a value) and type 2 (may be empty) attributes by module of the IOD: PS3.3 A.6.3 and A.7.3 name the modules.
TYPE_1 = {
    "General Study C.7.2.1": ("StudyInstanceUID",),
    "General Series C.7.3.1": ("Modality", "SeriesInstanceUID"),
    "Image Pixel C.7.6.3": (
        "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelData",
    ),
    "US Region Calibration C.8.5.5": ("SequenceOfUltrasoundRegions",),
    "SOP Common C.12.1": ("SOPClassUID", "SOPInstanceUID", "SpecificCharacterSet"),
}  # fmt: skip
TYPE_2 = {
    "Patient C.7.1.1": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    "General Study C.7.2.1": ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    "General Series C.7.3.1": ("SeriesNumber", "Laterality"),
    "General Equipment C.7.5.1": ("Manufacturer",),
    "General Image C.7.6.1": ("InstanceNumber", "PatientOrientation"),
    "US Image C.8.5.6": ("ImageType",),
}
TYPE_1_OF_CLIPS = {
    "Multi-frame C.7.6.6": ("NumberOfFrames", "FrameIncrementPointer"),
    "Cine C.7.6.5 (1C: named by the pointer)": ("FrameTime",),
    "General Image C.7.6.1 (1C: lossy)": ("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
}
REGION = (  # PS3.3 table C.8-17, type 1
    "RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1",
    "PhysicalUnitsXDirection", "PhysicalUnitsYDirection", "PhysicalDeltaX", "PhysicalDeltaY", "RegionSpatialFormat",
    "RegionDataType", "RegionFlags",
)  # fmt: skip


def write(folder: Path, recording: Recording, kind: str, **others: Path) -> Path:
    return folder / write_recording(folder, "V000001", recording, kind, patient_id="P00017", **others)


def decoded_by_opencv(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.array(frames), capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize(
    ("modality", "device", "photometric"),
    [
        ("bmode", "linear-9", "PALETTE COLOR"),
        ("bmode", "curved-7", "RGB"),
        ("doppler", "linear-9", "RGB"),
        ("swe", "linear-15", "RGB"),
    ],
)
def test_a_still_in_dicom_is_lossless_and_says_where_and_how_large_its_picture_is(
    tmp_path, modality, device, photometric
):
    recording = record(modality, small_scene(small_device(device)))
    path = write(tmp_path, recording, "dicom")
    dataset = pydicom.dcmread(path)
    assert dataset.PhotometricInterpretation == photometric
    clip = read_clip(path, modality=modality)
    assert (clip.frames == recording.frames).all()
    assert clip.scan_area == recording.region
    assert clip.spacing_mm == pytest.approx(recording.spacing_mm)
    kinds = [region.RegionDataType for region in dataset.SequenceOfUltrasoundRegions]
    assert kinds == ([1, 2] if modality == "doppler" else [1])  # PS3.3 C.8.5.5.1.2: tissue, colour flow
    assert dataset.ImageType[2:] == ["THYROID", "0011" if modality == "doppler" else "0001"]


def test_a_grey_still_of_a_scanner_without_palette_is_monochrome(tmp_path, monkeypatch):
    from isthmus.phantom import hospital_files

    plain = replace(hospital_files.CONSOLES["plain"], palette=False)
    monkeypatch.setitem(hospital_files.CONSOLES, "plain", plain)
    recording = record("bmode")
    path = write(tmp_path, recording, "dicom")
    assert pydicom.dcmread(path).PhotometricInterpretation == "MONOCHROME2"
    assert np.array_equal(read_clip(path).frames, recording.frames)


@pytest.mark.parametrize(("device", "photometric"), [("linear-9", "MONOCHROME2"), ("linear-12", "YBR_FULL_422")])
def test_a_clip_in_dicom_has_its_frames_and_their_times(tmp_path, device, photometric):
    recording = record("ceus", small_scene(small_device(device)), length=CEUS)
    path = write(tmp_path, recording, "dicom")
    dataset = pydicom.dcmread(path)
    assert dataset.PhotometricInterpretation == photometric
    assert dataset.LossyImageCompression == "01"
    clip = read_clip(path, modality="ceus")
    assert clip.frames.shape == recording.shape
    assert clip.frame_times_s == pytest.approx(recording.frame_times_s)
    assert clip.scan_area == recording.region
    assert np.abs(clip.frames.astype(int) - recording.frames).mean() < 2.5


@pytest.mark.parametrize(("modality", "kind"), [("bmode", "dicom"), ("doppler", "dicom"), ("ceus", "dicom")])
def test_a_dicom_object_holds_every_attribute_that_its_iod_requires(tmp_path, modality, kind):
    recording = record(modality, length=CEUS if modality == "ceus" else None)
    dataset = pydicom.dcmread(write(tmp_path, recording, kind))
    clip = modality == "ceus"
    for module, keywords in (TYPE_1 | (TYPE_1_OF_CLIPS if clip else {})).items():
        for keyword in keywords:
            assert keyword in dataset, f"{module}: {keyword}"
            assert dataset[keyword].value not in (None, "", []), f"{module}: {keyword}"
    for module, keywords in TYPE_2.items():
        assert not [keyword for keyword in keywords if keyword not in dataset], module
    assert dataset.SamplesPerPixel == 1 or "PlanarConfiguration" in dataset
    for region in dataset.SequenceOfUltrasoundRegions:
        assert not [keyword for keyword in REGION if keyword not in region]
    storage = "1.2.840.10008.5.1.4.1.1.3.1" if clip else "1.2.840.10008.5.1.4.1.1.6.1"
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == storage
    for uid in (dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID):
        assert re.fullmatch(r"2\.25\.[1-9]\d*", uid)
        assert uid.is_valid


def test_a_dicom_object_says_that_it_is_simulated_and_knows_no_clock(tmp_path):
    dataset = pydicom.dcmread(write(tmp_path, record("bmode"), "dicom"))
    assert str(dataset.PatientName) == "SIMULATED^P00017"
    assert dataset.PatientID == "P00017"
    assert dataset.Manufacturer == "Isthmus virtual scanner"
    assert dataset.ImageComments == "SIMULATED; research use; not a medical device"
    assert not [element for element in dataset.iterall() if element.VR in ("DA", "TM", "DT") and element.value]


def test_views_of_one_patient_share_a_study_and_nothing_else(tmp_path):
    one = pydicom.dcmread(write(tmp_path, record("bmode"), "dicom"))
    other = pydicom.dcmread(write(tmp_path, record("bmode", small_scene(view_seed=9)), "dicom"))
    assert one.StudyInstanceUID == other.StudyInstanceUID
    assert one.SeriesInstanceUID != other.SeriesInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID


@pytest.mark.parametrize("kind", ["avi", "mp4"])
def test_a_video_file_decodes_to_the_frames_that_were_drawn(tmp_path, kind):
    recording = record("ceus", small_scene(small_device("linear-12")), length=CEUS)
    path = write(tmp_path, recording, kind)
    frames, rate = decoded_by_opencv(path)
    assert frames.shape == recording.shape
    assert rate == pytest.approx(4.0)
    assert np.abs(frames.astype(int) - recording.frames).mean() < 3.0


@pytest.mark.parametrize("kind", ["avi", "mp4"])
def test_a_video_file_keeps_black_white_and_red(tmp_path, kind):
    frames = np.zeros((5, 48, 96, 3), np.uint8)
    frames[:, :, 32:64], frames[:, :, 64:] = 255, (255, 0, 0)
    path = tmp_path / f"colours.{kind}"
    write_video(path, iter(frames), rate_hz=12.5, kind=kind)
    decoded, rate = decoded_by_opencv(path)
    assert rate == pytest.approx(12.5)
    for column, colour in ((16, (0, 0, 0)), (48, (255, 255, 255)), (80, (255, 0, 0))):
        assert np.abs(decoded[2, 24, column].astype(int) - colour).max() <= 6


@pytest.mark.parametrize(
    ("modality", "kind"), [("bmode", "png"), ("bmode", "dicom"), *[("ceus", k) for k in ("avi", "mp4", "dicom")]]
)
def test_the_same_recording_gives_the_same_bytes(tmp_path, modality, kind):
    recording = record(modality, length=CEUS if modality == "ceus" else None)
    first = write(tmp_path / "one", recording, kind).read_bytes()
    assert write(tmp_path / "two", recording, kind).read_bytes() == first


def test_a_still_is_a_png_with_its_masks_beside_it(tmp_path):
    recording = record("bmode", punctate_transverse=6)
    path = write(tmp_path, recording, "png", mask=tmp_path / "masks" / "m", calcifications=tmp_path / "masks" / "c")
    assert np.array_equal(np.asarray(Image.open(path)), recording.frames[0, ..., 0])
    assert np.array_equal(read_mask(tmp_path / "masks" / "m.png"), recording.lesion[0])
    assert np.array_equal(read_mask(tmp_path / "masks" / "c.png"), recording.calcifications[0])


def test_a_clips_masks_are_pages_of_a_tiff_even_where_there_is_nothing(tmp_path):
    recording = record("ceus", length=CEUS)
    write(tmp_path, recording, "avi", mask=tmp_path / "m", calcifications=tmp_path / "c")
    pages = read_clip(tmp_path / "m.tiff").frames[..., 0]
    assert set(np.unique(pages)) == {0, 255}
    assert np.array_equal(pages > 0, recording.lesion)
    assert not read_clip(tmp_path / "c.tiff").frames.any()


def test_a_clip_is_drawn_once_and_never_lies_in_memory_whole(tmp_path):
    recording = record("ceus", length=CEUS)
    drawn: list[weakref.ref] = []
    alive = []

    def counted():
        for frame in recording:
            copy = frame.pixels.copy()
            drawn.append(weakref.ref(copy))
            alive.append(sum(pixels() is not None for pixels in drawn))
            yield Frame(copy, frame.lesion)

    write(tmp_path, replace(recording, draw=counted), "mp4", mask=tmp_path / "m")
    assert len(drawn) == recording.shape[0]
    assert max(alive) <= 2


def test_kinds_that_do_not_fit_are_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"a still is not written as 'avi' \(V000001\); expected png, dicom"):
        write(tmp_path, record("bmode"), "avi")
    with pytest.raises(InputError, match=r"a clip is not written as 'png'.*expected avi, mp4, dicom"):
        write(tmp_path, record("ceus"), "png")
    with pytest.raises(InputError, match="expected even sides"):
        write_video(tmp_path / "odd.mp4", [np.zeros((11, 20, 3), np.uint8)], rate_hz=5.0, kind="mp4")
    assert not list(tmp_path.iterdir())
