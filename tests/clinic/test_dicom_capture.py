"""Captures decoded by pydicom and by dcmtk: what they show, and what they must not."""

from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

from isthmus.clinic.capture_pages import words_page
from tests.clinic.assessed import (
    assessed,
    clip_file,
    clip_model,
    clip_results,
    saved,
    still_file,
    still_model,
    still_results,
    study_of,
    tool,
)
from tests.ultrasound_dicom import ultrasound_dicom


def test_the_name_in_the_pixels_of_the_source_is_not_in_the_capture(tmp_path: Path) -> None:
    nameless = ultrasound_dicom(tmp_path / "source.dcm", banner="")
    assert not np.array_equal(pydicom.dcmread(nameless).pixel_array, pydicom.dcmread(still_file()).pixel_array)
    capture = assessed(still_model(), study_of(nameless))[0][1]
    assert np.array_equal(capture.pixel_array, still_results()["US"].pixel_array)
    assert still_results()["US"].BurnedInAnnotation == "NO"


def test_coloured_pictures_in_which_letters_hide_are_marked_for_a_look(tmp_path: Path) -> None:
    from tests.clinic.assessed import model_of
    from tests.inference.small_models import bundle

    source = ultrasound_dicom(tmp_path / "flow.dcm", colour=True)
    model = model_of(bundle(tmp_path / "bundle", requires={"modalities": ["doppler"], "region": "box"}))
    assert assessed(model, study_of(source))[0][1].BurnedInAnnotation == "YES"


def test_a_picture_whose_text_cannot_be_told_from_it_is_scored_and_not_shown(tmp_path: Path) -> None:
    source = ultrasound_dicom(tmp_path / "source.dcm", regions=False, BurnedInAnnotation="YES")
    dataset = pydicom.dcmread(source)
    pixels = np.random.default_rng(0).integers(100, 250, (*dataset.pixel_array.shape[:2], 1)).astype(np.uint8)
    pixels[86:154, 116:184] //= 8
    dataset.PixelData = np.repeat(pixels, 3, axis=2).tobytes()
    dataset.save_as(source)
    results, said = assessed(still_model(), study_of(source))
    assert said[0] == "1 of 1 pictures scored"
    assert "scored, not shown: its screen text cannot be told from its picture" in said[1]
    capture = next(one for one in results if one.Modality == "US")
    assert capture.BurnedInAnnotation == "NO"
    assert len(np.unique(capture.pixel_array[200:, :, 0])) < 256  # words on dark, no speckle


def test_every_page_begins_with_the_notice() -> None:
    notice = words_page("", ["x"]).frames[0][:46, :420]
    for one in (still_results()["US"].pixel_array, clip_results()["US"].pixel_array[0]):
        ours = one[:46, :420].astype(int)
        assert np.abs(ours - notice.astype(int)).mean() < 4  # JPEG's own error


def test_a_mark_of_the_model_takes_room_on_its_pages() -> None:
    page = still_results()["US"].pixel_array
    orange = (page[..., 0].astype(int) - page[..., 2] > 90).sum()
    assert orange > 100  # SIMULATED, in the one colour that nothing else on the page has


def test_a_clip_becomes_a_true_colour_clip_of_the_frames_that_the_model_saw() -> None:
    capture = clip_results()["US"]
    assert capture.SOPClassUID.name == "Multi-frame True Color Secondary Capture Image Storage"
    assert capture.pixel_array.shape == (3, capture.Rows, capture.Columns, 3)
    assert list(capture.SourceImageSequence[0].ReferencedFrameNumber) == sorted(
        {
            frame + 1
            for frame in clip_model().predictor.predict([clip_file()], localiser=clip_model().localiser)[0].frames[0]
        }
    )
    assert capture.FrameTime > 0
    assert (capture.LossyImageCompression, capture.PhotometricInterpretation) == ("01", "YBR_FULL_422")


def test_dcmtk_shows_both(tmp_path: Path) -> None:
    still, clip = still_results()["US"], clip_results()["US"]
    tool("dcm2pnm", "+on", saved(still, tmp_path / "still.dcm"), tmp_path / "still.png")
    tool("dcmj2pnm", "+on", "+F", "2", saved(clip, tmp_path / "clip.dcm"), tmp_path / "clip.png")
    with Image.open(tmp_path / "still.png") as shown:
        assert np.array_equal(np.asarray(shown.convert("RGB")), still.pixel_array)
    with Image.open(tmp_path / "clip.png") as shown:
        assert shown.size == (clip.Columns, clip.Rows)
