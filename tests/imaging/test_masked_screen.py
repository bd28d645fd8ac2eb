"""What of a scanner's screen may be shown: names in the banner and in the picture are gone, tissue is as it was."""

import cv2
import numpy as np
import pytest

from isthmus.errors import PictureError
from isthmus.imaging.masked_screen import read_masked_clip
from isthmus.imaging.read import read_clip
from tests.cohort.hospital_export import AREA, PEOPLE, screen, write_dicom

PERSON = PEOPLE[2]


def test_the_banner_and_a_name_in_the_picture_are_black_and_the_tissue_is_as_it_was(tmp_path):
    drawn = screen(PERSON, 3, word="MURPHY")
    path = write_dicom(tmp_path / "a", PERSON, drawn)
    path = path.rename(tmp_path / "a.dcm")
    shown = read_masked_clip(path)
    kept = shown.clip.frames[0]
    x0, y0, x1, y1 = AREA
    outside = np.ones(kept.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    assert kept[outside].max() == 0
    letters = np.abs(drawn.astype(int) - screen(PERSON, 3)).max(axis=2) > 60
    assert letters[y0:y1, x0:x1].sum() > 100  # the name is there to be found
    assert kept[letters].max() == 0
    tissue = ~outside
    for left, top, right, bottom in shown.mask.words:
        tissue[int(top) : int(bottom), int(left) : int(right)] = False
    np.testing.assert_array_equal(kept[tissue], drawn[tissue])
    assert tissue.sum() > 0.9 * (~outside).sum()
    told = shown.mask.to_json()
    assert told["share_masked"] == pytest.approx(1 - tissue.mean(), abs=1e-4)
    assert (told["scan_area"], told["scan_area_from"], told["words_masked"]) == (
        [[60, 40, 260, 190]],
        "header",
        len(shown.mask.words),
    )
    assert (told["marks_left"], told["certain"]) == (0, True)


def test_only_the_frames_asked_for_come_back_masked_by_what_the_whole_clip_shows(tmp_path):
    frames = np.stack([screen(PERSON, seed, word="MURPHY" if seed >= 4 else "") for seed in range(10)])
    path = write_dicom(tmp_path / "a", PERSON, frames).rename(tmp_path / "a.dcm")
    whole, some = read_masked_clip(path), read_masked_clip(path, frames=[9, 0])
    np.testing.assert_array_equal(some.clip.frames, whole.clip.frames[[9, 0]])
    assert some.mask == whole.mask
    assert some.clip.frame_times_s == pytest.approx([0.45, 0.0])
    letters = np.abs(frames[9].astype(int) - screen(PERSON, 9)).max(axis=2) > 60
    assert whole.clip.frames[:, letters].max() == 0


def test_a_mark_that_could_be_a_letter_is_left_and_said(tmp_path):
    drawn = screen(PERSON, 1)
    cv2.drawMarker(drawn, (150, 120), (255, 255, 255), cv2.MARKER_CROSS, 13, 2)
    mask = read_masked_clip(write_dicom(tmp_path / "a", PERSON, drawn).rename(tmp_path / "a.dcm")).mask
    assert (mask.marks, mask.certain) == (1, False)
    assert mask.notes[-1] == "1 mark left in it (calipers, arrows, letters?)"


@pytest.mark.parametrize("stated", ["YES", "NO"])
def test_a_screen_whose_picture_cannot_be_told_from_its_text_is_refused(tmp_path, stated):
    speckle = np.random.default_rng(0).integers(20, 90, (240, 320, 1), np.uint8).repeat(3, axis=2)
    speckle = cv2.GaussianBlur(speckle, (0, 0), 2)
    if stated == "NO":
        cv2.putText(speckle, "MURPHY", (80, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    path = write_dicom(
        tmp_path / "a", PERSON, speckle, SequenceOfUltrasoundRegions=None, BurnedInAnnotation=stated
    ).rename(tmp_path / "a.dcm")
    with pytest.raises(PictureError, match="cannot be told from its picture"):
        read_masked_clip(path)


def test_a_picture_file_is_masked_too(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), screen(PERSON, 2))
    shown = read_masked_clip(path)
    assert not shown.mask.stated
    np.testing.assert_allclose(shown.mask.area, AREA, atol=3)
    assert shown.clip.frames[0, :35].max() == 0


# Which of the real files show a name was seen by looking at them as pictures; boxes are around the letters.
NAMED = {
    "dcm4che__YBR_FULL-RLE": [(30, 0, 120, 17), (30, 17, 300, 31), (114, 371, 149, 389)],  # patient, hospital, patient
    "pydicom-data__gdcm-US-ALOKA-16": [(0, 0, 640, 24)],  # hospital, day
    "pydicom-data__US1_UNCR": [(15, 25, 360, 104)],  # hospital, number
    "fo-dicom__DIRW0007": [(30, 0, 190, 32), (446, 80, 500, 112)],  # number, hospital; number again
    "pydicom-data__OBXXXX1A": [(0, 0, 800, 58)],  # hospital, day
}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_in_the_pixels_of_a_real_file_does_not_come_out(data_folder, name):
    path = data_folder / "us_dicom" / f"{name}.dcm"
    first, shown = read_clip(path, frames=[0]).frames[0], read_masked_clip(path, frames=[0]).clip.frames
    for x0, y0, x1, y1 in NAMED[name]:
        assert np.count_nonzero(first[y0:y1, x0:x1].max(axis=2) > 150) > 100  # letters are there
        assert shown[:, y0:y1, x0:x1].max() < 25  # JPEG's shine around letters, where they stood in the picture
    assert np.count_nonzero(shown[0]) > 0.2 * np.count_nonzero(first > 30)


def test_what_a_real_file_shows_is_otherwise_untouched(data_folder):
    path = data_folder / "us_dicom" / "dcm4che__YBR_FULL-RLE.dcm"
    first, shown = read_clip(path).frames[0], read_masked_clip(path)
    assert shown.mask.panels == ((84.0, 48.0, 484.0, 416.0),)
    assert len(shown.mask.words) == 1
    np.testing.assert_array_equal(shown.clip.frames[0, 48:360, 84:484], first[48:360, 84:484])
