"""Words burned into pictures: found and painted over; calipers stay; the tissue around stays as it was."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from isthmus.imaging.burned_in import find_words, painted
from isthmus.imaging.read import read_clip
from tests.imaging.speckle import speckle

AREA = (0.0, 0.0, 640.0, 480.0)


def tissue():
    return speckle(480, 640, seed=3)[..., None].copy()


def covered(words, box):
    x0, y0, x1, y1 = box
    shown = painted(np.full((480, 640, 1), 1, np.uint8), [AREA], words)
    return 1.0 - shown[y0:y1, x0:x1].mean()


@pytest.mark.parametrize("text", ["ZHANG", "DOE, JOHN", "1980-01-05", "LI", "12"])
def test_a_word_is_found_by_its_letters_and_covered_whole(text):
    frame = tissue()
    clean = frame.copy()
    cv2.putText(frame, text, (200, 240), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    words = find_words(frame, AREA)
    drawn = (frame.astype(int) - clean > 60)[..., 0]
    assert drawn.sum() > 20
    assert painted(frame, [AREA], words)[..., 0][drawn].max() == 0
    assert covered(words, (0, 0, 640, 180)) == 0


def test_tissue_alone_holds_no_words():
    assert find_words(tissue(), AREA) == []


def test_a_caliper_cross_stays():
    frame = tissue()
    for x, y in ((200, 200), (300, 220)):
        cv2.line(frame, (x - 6, y), (x + 6, y), 255, 1)
        cv2.line(frame, (x, y - 6), (x, y + 6), 255, 1)
    assert find_words(frame, AREA) == []


def test_coloured_specks_are_no_words_where_colour_is_the_signal_and_grey_ones_are():
    frame = tissue().repeat(3, axis=2)
    frame[100:112, 100:140] = (255, 40, 0)
    assert len(find_words(frame, AREA)) == 1
    assert find_words(frame, AREA, colour_is_signal=True) == []
    cv2.putText(frame, "ZHANG", (200, 240), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    words = find_words(frame, AREA, colour_is_signal=True)
    assert min(word[0] for word in words) < 202
    assert max(word[2] for word in words) > 250
    assert min(word[1] for word in words) > 200


def test_letters_of_another_drawing_library_are_found():
    picture = Image.fromarray(tissue()[..., 0])
    ImageDraw.Draw(picture).text((300, 300), "WANG XIAOMING", fill=255, font_size=18)
    words = find_words(np.asarray(picture)[..., None], AREA)
    assert covered(words, (302, 306, 440, 316)) > 0.9


def test_outside_the_panels_everything_is_black_and_inside_nothing_changes():
    frame = np.random.default_rng(0).integers(1, 255, (20, 30, 3), np.uint8)
    shown = painted(frame, [(2, 3, 10, 18), (12, 3, 28, 18)], [(4, 5, 6, 7)])
    kept = np.zeros((20, 30), bool)
    kept[3:18, 2:10] = kept[3:18, 12:28] = True
    kept[5:7, 4:6] = False
    np.testing.assert_array_equal(shown[kept], frame[kept])
    assert shown[~kept].max() == 0


def test_the_surname_typed_into_a_real_thyroid_picture_is_painted_over(data_folder):
    # Seen by eye: the header line holds name, hospital and date; DOE stands in the tissue at x 117-146, y 374-387.
    clip = read_clip(data_folder / "us_dicom" / "dcm4che__YBR_FULL-RLE.dcm")
    frame = clip.frames[0]
    assert frame[374:387, 117:146].max() > 200
    assert frame[:30].max() > 200
    words = find_words(frame, clip.scan_area)
    shown = painted(frame, clip.panels, words)
    assert len(words) == 1
    assert shown[370:391, 113:150].max() == 0
    assert shown[:48].max() == shown[:, 484:].max() == 0
    assert np.count_nonzero(shown[60:360, 100:470] != frame[60:360, 100:470]) == 0
