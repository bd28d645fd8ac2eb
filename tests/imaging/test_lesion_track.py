"""A lesion through a clip: areas, boxes and masks as they are in the file, page by page."""

from dataclasses import replace

import numpy as np
import pytest

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo, Lesion, hull
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.lesion_track import track_box, track_boxes, track_mask

CLIP = ClipInfo(source="sweep.avi", format="avi", width=31, height=20, channels=1, frames=6)
RICHEST = FrameSampling(count=1, pick="calcification_richest")
ALL = FrameSampling(count=1, stored=6, within="clip")


@pytest.fixture
def masks(tmp_path):
    made = np.zeros((6, 20, 31), bool)
    for frame, size in ((1, 3), (2, 9), (4, 5)):
        made[frame, 4 : 4 + size, 2 * frame : 2 * frame + size] = True
    made[2, 6, 30] = True
    write_clip_mask(tmp_path / "m.tiff", made)
    return tmp_path / "m.tiff", made


def test_masks_come_back_with_areas_and_boxes_of_every_frame(masks):
    path, made = masks
    track = track_mask(path, CLIP)
    assert track.areas.tolist() == made.sum(axis=(1, 2)).tolist()
    np.testing.assert_array_equal(track.boxes, Lesion(mask=made).boxes())
    frames = track.choose(FrameSampling(count=1, stored=4))
    assert frames.tolist() == [1, 2, 3, 4]
    lesion = track.lesion(frames, ALL)
    np.testing.assert_array_equal(lesion.mask, made[frames])
    assert lesion.bounds() == (2, 4, 31, 13)


def test_a_few_frames_of_a_clip_know_how_far_the_lesion_reaches_in_all_of_them(masks):
    track = track_mask(masks[0], CLIP)
    assert track.lesion(np.array([1]), FrameSampling(count=1)).bounds() == (2, 4, 31, 13)
    picked = FrameSampling(count=1, pick="largest_area")
    assert track.choose(picked).tolist() == [2]
    assert track.lesion(np.array([1]), RICHEST).bounds() == (2, 4, 5, 7)
    # A frame picked for its calcifications, with the lesion's outline missing: the clip's own extent.
    assert track.lesion(np.array([3]), RICHEST).bounds() == (2, 4, 31, 13)


def test_boxes_say_in_which_frames_the_lesion_is_seen_and_one_box_for_all_does_not():
    boxes = np.array([[np.nan] * 4, [3, 4, 7, 9], [2, 4, 9, 9]])
    track = track_boxes(boxes, CLIP)
    assert track.areas.tolist() == [0, 20, 35, 0, 0, 0]
    assert track.choose(FrameSampling(count=2)).tolist() == [1, 2]
    lesion = track.lesion(np.array([0, 1]), ALL)
    np.testing.assert_array_equal(lesion.box, boxes[:2])
    assert lesion.bounds() == (2, 4, 9, 9)
    whole = track_box((3, 4, 7, 9), CLIP)
    assert whole.areas is None
    assert whole.choose(FrameSampling(count=2)).tolist() == [1, 4]
    assert whole.choose(FrameSampling(count=1, pick="largest_area")).tolist() == [3]
    assert whole.lesion(np.array([1, 4]), ALL).boxes().tolist() == [[3, 4, 7, 9]] * 2


def test_what_belongs_to_another_clip_is_refused(masks, tmp_path):
    path, _ = masks
    with pytest.raises(PictureError, match=r"mask has 6 frames.*expected 5 like the clip"):
        track_mask(path, replace(CLIP, frames=5))
    with pytest.raises(PictureError, match=r"31 x 20 pixels.*expected 30 x 20"):
        track_mask(path, replace(CLIP, width=30))
    write_clip_mask(tmp_path / "empty.tiff", np.zeros((6, 20, 31), bool))
    with pytest.raises(PictureError, match="empty in all 6 frames"):
        track_mask(tmp_path / "empty.tiff", CLIP)
    with pytest.raises(PictureError, match=r"box is given for frame 6.*expected frames from 0 to 5"):
        track_boxes(np.ones((7, 4)), CLIP)
    with pytest.raises(PictureError, match="no frame has a lesion box"):
        track_boxes(np.full((3, 4), np.nan), CLIP)


def test_no_box_has_no_hull():
    assert hull(np.full((2, 4), np.nan)) is None
    assert hull(np.array([[np.nan] * 4, [1, 2, 3, 4], [0, 3, 2, 9]])) == (0, 2, 3, 9)
