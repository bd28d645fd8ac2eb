"""The region as a segmentation, read back by highdicom."""

from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pydicom

from isthmus.clinic.assessment import origin_of
from isthmus.clinic.dicom_segmentation import segmentation
from isthmus.clinic.lesion_outline import outline_of
from isthmus.clinic.study_answers import Answer, answers_of
from isthmus.inference.fused_case import View
from tests.clinic.assessed import clip_results, still_file, still_model, still_results, study_of
from tests.ultrasound_dicom import HEIGHT, WIDTH


def test_the_region_that_was_used_is_the_segment() -> None:
    stream = BytesIO()
    still_results()["SEG"].save_as(stream, enforce_file_format=True)
    stream.seek(0)
    read = highdicom.seg.segread(stream)
    (answer,) = answers_of(still_model(), study_of(still_file()), 300.0)
    assert isinstance(answer, Answer)
    outline = outline_of(answer.seen[0])
    assert outline is not None
    assert np.array_equal(read.pixel_array.reshape(HEIGHT, WIDTH) > 0, outline.mask)
    assert read.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    named = read.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert named.ReferencedSOPInstanceUID == pydicom.dcmread(still_file()).SOPInstanceUID
    assert "FrameOfReferenceUID" not in read


def test_a_box_that_a_person_gave_is_called_so_and_measured_by_its_sides() -> None:
    view = View(still_file(), box=(116.0, 86.0, 184.0, 154.0))
    study, model = study_of(still_file()), still_model()
    (answer,) = answers_of(model, study, 300.0, {Path(still_file()): view})
    assert isinstance(answer, Answer)
    outline = outline_of(answer.seen[0])
    assert outline is not None
    assert outline.size_mm == (68 * 0.12, 68 * 0.12)
    region = segmentation(outline, origin_of(model, "x", 0), study.instances[0], 1, region_source="drawn")
    assert region is not None
    assert region.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert region.pixel_array.sum() == 68 * 68


def test_a_clip_has_none() -> None:
    assert sorted(clip_results()) == ["SR", "US"]
