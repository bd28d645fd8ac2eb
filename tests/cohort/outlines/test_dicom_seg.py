"""Segmentations written by highdicom, on secondary captures and multi-frame pictures with a frame of reference."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import HEIGHT, WIDTH, l_shape

FRAME_OF_REFERENCE = generate_uid()
STUDY, SERIES = generate_uid(), generate_uid()


def source_picture(number=0):
    """One slice of a series that highdicom accepts as the picture a segmentation was drawn on."""
    picture = Dataset()
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    picture.SOPClassUID, picture.SOPInstanceUID = CTImageStorage, generate_uid()
    picture.StudyInstanceUID, picture.SeriesInstanceUID = STUDY, SERIES
    picture.FrameOfReferenceUID, picture.Modality = FRAME_OF_REFERENCE, "CT"
    picture.Rows, picture.Columns, picture.InstanceNumber = HEIGHT, WIDTH, number + 1
    picture.ImagePositionPatient, picture.ImageOrientationPatient = [0, 0, float(number)], [1, 0, 0, 0, 1, 0]
    picture.PixelSpacing, picture.SliceThickness = [0.1, 0.1], 1.0
    picture.SamplesPerPixel, picture.PhotometricInterpretation = 1, "MONOCHROME2"
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit, picture.PixelRepresentation = 7, 0
    picture.PixelData = bytes(HEIGHT * WIDTH)
    for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"):
        setattr(picture, name, "")
    picture.AccessionNumber = picture.ReferringPhysicianName = ""
    return picture


def clip_picture(frames=3):
    """A multi-frame picture: segmentations of it refer to its frames by number."""
    picture = source_picture()
    picture.SOPClassUID, picture.NumberOfFrames = EnhancedCTImageStorage, frames
    picture.PixelData = bytes(HEIGHT * WIDTH * frames)
    shared, per_frame = Dataset(), []
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.1, 0.1], 1.0
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    for number in range(frames):
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, float(number)]
        group.PlanePositionSequence = [position]
        per_frame.append(group)
    picture.SharedFunctionalGroupsSequence, picture.PerFrameFunctionalGroupsSequence = [shared], per_frame
    return picture


def segmentation(pictures, pixels, labels=("nodule",), kind=SegmentationTypeValues.BINARY):
    """``pixels`` [pictures, H, W, segments]."""
    described = [
        SegmentDescription(number + 1, label, codes.SCT.Organ, codes.SCT.Thyroid, SegmentAlgorithmTypeValues.MANUAL)
        for number, label in enumerate(labels)
    ]
    return Segmentation(
        source_images=pictures,
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions=hd.__version__,
        device_serial_number="1",
        omit_empty_frames=True,
    )


def test_every_slice_goes_to_the_picture_it_names_with_the_segments_label(tmp_path):
    pictures = [source_picture(number) for number in range(3)]
    pixels = np.zeros((3, HEIGHT, WIDTH, 2), np.uint8)
    pixels[0, ..., 0], pixels[2, ..., 0], pixels[2, ..., 1] = l_shape(), l_shape()[:, ::-1], l_shape()[::-1]
    segmentation(pictures, pixels, ("left", "right")).save_as(tmp_path / "seg.dcm")
    index = OutlineIndex.of(tmp_path)
    first, none, both = (index.outlines(picture.SOPInstanceUID, HEIGHT, WIDTH) for picture in pictures)
    assert np.array_equal(first[0].mask, l_shape())
    assert (first[0].label, first[0].format, none) == ("left", "dicom-seg", [])
    assert [outline.label for outline in both] == ["left", "right"]
    assert np.array_equal(both[1].mask, l_shape()[::-1])
    assert index.faults == []


def test_a_clips_frames_are_told_by_their_numbers(tmp_path):
    clip = clip_picture(3)
    pixels = np.zeros((3, HEIGHT, WIDTH, 1), np.uint8)
    pixels[0, ..., 0], pixels[2, ..., 0] = l_shape(), l_shape()[:, ::-1]
    segmentation([clip], pixels).save_as(tmp_path / "seg.dcm")
    index = OutlineIndex.of(tmp_path)
    (found,) = index.clip_outlines(clip.SOPInstanceUID, 3, HEIGHT, WIDTH)
    assert np.array_equal(found.masks, pixels[..., 0].astype(bool))
    assert index.outlines(clip.SOPInstanceUID, HEIGHT, WIDTH) == []
    assert index.clip_outlines(clip.SOPInstanceUID, 2, HEIGHT, WIDTH) == []
    assert len(index.faults) == 2


def test_one_that_is_never_asked_for_is_unused(tmp_path):
    segmentation([source_picture()], l_shape()[None, ..., None].astype(np.uint8)).save_as(tmp_path / "seg.dcm")
    assert OutlineIndex.of(tmp_path).unused() == ["seg.dcm"]


def broken(seg, how):
    if how == "its type is FRACTIONAL":
        seg.SegmentationType = "FRACTIONAL"
    elif how == "does not say by SOP Instance UID":
        for group in seg.PerFrameFunctionalGroupsSequence:
            del group.DerivationImageSequence
    elif how == "can be read (AttributeError)":
        del seg.SegmentSequence
    elif how == "more than are read":
        seg.Rows = seg.Columns = 60_000
    return seg


@pytest.mark.parametrize(
    "how",
    [
        "its type is FRACTIONAL",
        "does not say by SOP Instance UID",
        "can be read (AttributeError)",
        "more than are read",
    ],
)
def test_what_cannot_be_used_is_a_fault(tmp_path, how):
    seg = segmentation([source_picture()], l_shape()[None, ..., None].astype(np.uint8))
    seg.save_as(tmp_path / "seg.dcm")
    broken(pydicom.dcmread(tmp_path / "seg.dcm"), how).save_as(tmp_path / "seg.dcm")
    (fault,) = OutlineIndex.of(tmp_path).faults
    assert (fault.file, how in fault.reason) == ("seg.dcm", True), fault


def test_damaged_pixels_and_another_size_are_faults(tmp_path):
    picture = source_picture()
    segmentation([picture], l_shape()[None, ..., None].astype(np.uint8)).save_as(tmp_path / "seg.dcm")
    index = OutlineIndex.of(tmp_path)
    assert index.outlines(picture.SOPInstanceUID, 24, 32) == []
    cut = pydicom.dcmread(tmp_path / "seg.dcm")
    cut.PixelData = b"\0\0"
    cut.save_as(tmp_path / "seg.dcm")
    again = OutlineIndex.of(tmp_path)
    assert again.outlines(picture.SOPInstanceUID, HEIGHT, WIDTH) == []
    assert "64 x 48" in index.faults[0].reason
    assert "pixels cannot be read" in again.faults[0].reason
