"""Ultrasound DICOM: what is shown, what is measured, what is refused, and that nobody is named."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.dicom import _pixel_spacing
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import iter_frames, probe, read_clip

NAME = "NOBODY^AT^ALL"


def write(path, pixels, syntax=ExplicitVRLittleEndian, **elements):
    """Write a DICOM file of these samples [T, H, W] or [T, H, W, 3]."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName, dataset.PatientID = NAME, NAME
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape[:3]
    colour = pixels.ndim == 4
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def region(box, across=0.01, down=0.02, kind=1, units=3):
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = 1, kind
    item.RegionLocationMinX0, item.RegionLocationMinY0, item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = across, down
    return item


@pytest.fixture
def samples():
    return np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)


def test_grey_frames_come_back_and_only_those_asked_for_are_decoded(tmp_path, samples, monkeypatch):
    path = write(tmp_path / "a.dcm", samples, FrameTime="40")
    info = probe(path)
    assert (info.width, info.height, info.channels, info.frames, info.format) == (30, 20, 1, 3, "dicom")
    clip = read_clip(path)
    np.testing.assert_array_equal(clip.frames[..., 0], samples)
    np.testing.assert_allclose(clip.frame_times_s, [0.0, 0.04, 0.08])
    clip = read_clip(path, frames=[2, 0])
    np.testing.assert_array_equal(clip.frames[..., 0], samples[[2, 0]])
    np.testing.assert_allclose(clip.frame_times_s, [0.08, 0.0])
    np.testing.assert_array_equal(np.stack(list(iter_frames(path)))[..., 0], samples)
    with pytest.raises(PictureError, match="frame 3"):
        read_clip(path, frames=[3])


def test_monochrome1_is_inverted(tmp_path, samples):
    path = write(tmp_path / "a.dcm", samples, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_clip(path).frames[..., 0], 255 - samples)


def test_sixteen_bits_go_through_the_window(tmp_path):
    samples = np.array([[[0, 1000, 1500, 2000, 4000]]], np.uint16)
    path = write(tmp_path / "a.dcm", samples, WindowCenter="1500.5", WindowWidth="1001", BitsStored=12, HighBit=11)
    # PS3.3 C.11.2.1.2: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255 with c = 1500.5, w = 1001: 1000 -> 0, 1500 -> 127.5
    assert read_clip(path).frames.ravel().tolist() == [0, 0, 128, 255, 255]
    path = write(tmp_path / "b.dcm", samples, BitsStored=12, HighBit=11)
    # without a window: x * 255 / 4095
    assert read_clip(path).frames.ravel().tolist() == [0, 62, 93, 125, 249]


def test_signed_samples_and_rescaling_keep_their_order(tmp_path):
    samples = np.array([[[-128, 0, 127]]], np.int8)
    path = write(tmp_path / "a.dcm", samples, PixelRepresentation=1, RescaleSlope="2", RescaleIntercept="5")
    assert read_clip(path).frames.ravel().tolist() == [0, 128, 255]


def test_the_2d_region_gives_scan_area_and_spacing(tmp_path, samples):
    doppler = region((4, 4, 9, 9), kind=2)
    spectrum = region((0, 15, 29, 19))
    spectrum.RegionSpatialFormat = 3
    path = write(tmp_path / "a.dcm", samples, SequenceOfUltrasoundRegions=[spectrum, region((2, 1, 20, 14)), doppler])
    info = probe(path)
    # the last pixel is inside: ends are exclusive here; centimetres a pixel become millimetres
    assert info.scan_area == (2, 1, 21, 15)
    assert info.panels == ((2, 1, 21, 15),)
    assert info.spacing_mm == pytest.approx((0.1, 0.2))
    assert read_clip(path).scan_area == info.scan_area


def test_two_regions_side_by_side_are_two_panels(tmp_path, samples):
    path = write(
        tmp_path / "a.dcm", samples, SequenceOfUltrasoundRegions=[region((15, 1, 29, 18)), region((0, 1, 14, 18))]
    )
    clip = read_clip(path)
    assert clip.panels == ((0, 1, 15, 19), (15, 1, 30, 19))
    assert clip.scan_area == (0, 1, 30, 19)


def test_regions_of_a_picture_of_another_size_are_not_believed(tmp_path, samples):
    path = write(tmp_path / "a.dcm", samples, SequenceOfUltrasoundRegions=[region((2, 1, 60, 40))])
    assert probe(path).scan_area is None
    assert probe(path).spacing_mm is None


def test_spacing_in_other_units_is_not_guessed(tmp_path, samples):
    path = write(tmp_path / "a.dcm", samples, SequenceOfUltrasoundRegions=[region((2, 1, 20, 14), units=4)])
    assert probe(path).spacing_mm is None


def test_no_patient_is_named_by_a_clip_or_a_message(tmp_path, samples):
    path = write(tmp_path / "a.dcm", samples, PixelData=samples.tobytes()[:-400])
    with pytest.raises(PictureError, match="cannot be decoded: frame 2 is cut short") as caught:
        read_clip(path)
    assert NAME not in str(caught.value)
    assert "Explicit VR Little Endian" in str(caught.value)
    whole = read_clip(write(tmp_path / "b.dcm", samples))
    assert NAME not in repr(whole)
    assert whole.source == str(tmp_path / "b.dcm")


def test_a_truncated_jpeg_frame_is_refused(tmp_path, data_folder):
    whole = pydicom.dcmread(data_folder / "us_dicom" / "fo-dicom__DIRW0007.dcm")
    frame = next(pydicom.encaps.generate_frames(whole.PixelData, number_of_frames=65))
    pixels = np.zeros((1, 456, 576, 3), np.uint8)
    path = write(
        tmp_path / "cut.dcm",
        pixels,
        JPEGBaseline8Bit,
        PhotometricInterpretation="YBR_FULL_422",
        PixelData=encapsulate([frame[: len(frame) // 2]]),
    )
    with pytest.raises(PictureError, match="JPEG Baseline"):
        read_clip(path)


def test_a_clip_that_is_cut_short_names_the_frame_and_nothing_of_the_decoders_program(tmp_path, data_folder):
    whole = pydicom.dcmread(data_folder / "us_dicom" / "fo-dicom__DIRW0007.dcm")
    frames = list(pydicom.encaps.generate_frames(whole.PixelData, number_of_frames=65))[:3]
    for cut in (len(frames[2]) // 2, 40):
        path = write(
            tmp_path / f"cut{cut}.dcm",
            np.zeros((3, 456, 576, 3), np.uint8),
            JPEGBaseline8Bit,
            PhotometricInterpretation="YBR_FULL_422",
            PixelData=encapsulate([*frames[:2], frames[2][:cut]]),
        )
        with pytest.raises(PictureError, match="frame 2 is cut short or damaged") as caught:
            read_clip(path)
        for word in ("pillow", "BytesIO", "0x", "Error", "plugin"):
            assert word not in str(caught.value)


def test_limits_hold_before_decoding(tmp_path, samples):
    path = write(tmp_path / "a.dcm", samples, FrameTime="1000")
    for limits, words in (
        (Limits(frames=2), "3 frames"),
        (Limits(pixels=599), "600 pixels"),
        (Limits(seconds=1.5), "2.0 seconds"),
    ):
        with pytest.raises(LimitError, match=words):
            read_clip(path, limits=limits)


def test_what_is_no_dicom_picture_is_refused(tmp_path, samples):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"this is no DICOM file" * 20)
    with pytest.raises(PictureError, match=r"not a DICOM file|holds no picture|damaged"):
        probe(path)
    whole = write(tmp_path / "b.dcm", samples)
    dataset = pydicom.dcmread(whole)
    for keyword in ("Rows", "Columns", "PixelData"):
        del dataset[keyword]
    dataset.save_as(whole)
    with pytest.raises(PictureError, match="holds no picture"):
        probe(whole)


# Shapes as the headers state them; transfer syntaxes: RLE, JPEG baseline (fragmented, no offset table), implicit VR,
# JPEG baseline, JPEG-LS, palette, RGB, 16-bit palette, JPEG baseline.
SHAPES = {
    "dcm4che__YBR_FULL-RLE": (1, 480, 640, 3),
    "dicomParser__IM00001.fragmented_no_bot_jpeg_baseline.50": (8, 240, 320, 3),
    "dicomParser__IM00001.implicit_little_endian": (8, 240, 320, 3),
    "fo-dicom__DIRW0007": (65, 456, 576, 3),
    "fo-dicom__GH364": (1, 768, 1024, 1),
    "pydicom-data__OBXXXX1A": (1, 600, 800, 3),
    "pydicom-data__US1_UNCR": (1, 480, 640, 3),
    "pydicom-data__gdcm-US-ALOKA-16": (1, 480, 640, 3),
    "pydicom__examples_ybr_color": (30, 240, 320, 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_real_files_are_decoded(data_folder, name):
    path = data_folder / "us_dicom" / f"{name}.dcm"
    info = probe(path)
    clip = read_clip(path, frames=[0, info.frames - 1])
    assert (info.frames, *clip.frames.shape[1:]) == SHAPES[name]
    assert clip.frames.min() == 0
    assert clip.frames.max() > 200


def test_the_same_clip_compressed_and_not_looks_the_same(data_folder):
    names = ("fragmented_no_bot_jpeg_baseline.50", "implicit_little_endian")
    lossy, plain = (read_clip(data_folder / "us_dicom" / f"dicomParser__IM00001.{name}.dcm") for name in names)
    difference = np.abs(lossy.frames.astype(int) - plain.frames.astype(int))
    assert difference.mean() < 8  # wrong colours (YBR shown as RGB) would differ by more than 50


def test_a_transfer_syntax_that_nobody_here_decodes_is_one_clear_error(data_folder):
    path = data_folder / "us_dicom" / "dcm4che__will-jxl.dcm"
    assert probe(path).frames == 27
    with pytest.raises(PictureError, match=r"1\.2\.840\.10008\.1\.2\.4\.111.*cannot be decoded.*Next: convert"):
        read_clip(path)


@pytest.mark.parametrize("spacing", [0.1, ["0.1"], ["0.1", "x"], ["0.1", "-0.1"], ["nan", "0.1"], [], None])
def test_a_spacing_that_is_no_two_positive_numbers_is_none(spacing):
    assert _pixel_spacing({"PixelSpacing": ["0.1", "0.2"]}) == (0.2, 0.1)
    assert _pixel_spacing({"PixelSpacing": spacing}) is None
