"""Limits and clips: what is refused, and in which words."""

import numpy as np
import pytest

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip import Clip, Lesion, check_frames
from isthmus.imaging.limits import Limits


def test_a_missing_file_a_folder_and_an_empty_file_are_each_named(tmp_path):
    empty = tmp_path / "empty.png"
    empty.touch()
    for path, words in ((tmp_path / "no.png", "no such file"), (tmp_path, "folder"), (empty, "empty")):
        with pytest.raises(PictureError, match=words):
            Limits().check_file(path)


def test_a_file_larger_than_the_limit_is_refused_by_its_size(tmp_path):
    path = tmp_path / "big.png"
    path.write_bytes(b"x" * 11)
    Limits(bytes=11).check_file(path)
    with pytest.raises(LimitError, match="11 bytes"):
        Limits(bytes=10).check_file(path)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"width": 11, "height": 10}, "110 pixels"),
        ({"width": 1, "height": 1, "frames": 6}, "6 frames"),
        ({"width": 1, "height": 1, "seconds": 8.0}, "8.0 seconds"),
    ],
)
def test_each_limit_on_a_header_is_named(header, words):
    limits = Limits(pixels=100, frames=5, seconds=7.0)
    limits.check_header("at the limit", width=10, height=10, frames=5, seconds=7.0)
    with pytest.raises(LimitError, match=words):
        limits.check_header("a.png", **header)


def test_a_header_without_pixels_is_refused():
    with pytest.raises(PictureError, match="0 x 5"):
        Limits().check_header("a.png", width=0, height=5)


def test_a_decoded_clip_may_not_outgrow_the_memory_limit():
    with pytest.raises(LimitError, match="fewer frames"):
        Limits(bytes=299).check_decoded("a.dcm", width=10, height=10, channels=3, frames=1)


def test_the_box_of_a_mask_is_its_bounds_with_exclusive_ends():
    mask = np.zeros((2, 9, 9), bool)
    mask[0, 2:5, 3:8] = True
    boxes = Lesion(mask=mask).boxes()
    assert boxes[0].tolist() == [3, 2, 8, 5]
    assert np.isnan(boxes[1]).all()


def test_a_lesion_needs_something_and_boxes_need_pixels():
    with pytest.raises(PictureError, match="mask or a box"):
        Lesion()
    with pytest.raises(PictureError, match="holds no pixels"):
        Lesion.still(box=(5, 5, 5, 9))
    with pytest.raises(PictureError, match=r"bool \[T, H, W\]"):
        Lesion(mask=np.zeros((4, 4), bool))
    with pytest.raises(PictureError, match=r"\[T, 4\]"):
        Lesion(box=np.zeros(4))


def test_a_clip_is_valid_or_is_not_made():
    frames = np.zeros((1, 4, 5, 1), np.uint8)
    assert Clip(frames).frames.shape == (1, 4, 5, 1)
    for wrong, words in (
        ({"frames": frames.astype(np.float32)}, "float32"),
        ({"frames": np.zeros((1, 4, 5, 2), np.uint8)}, "C 1 or 3"),
        ({"frames": frames, "modality": "bmod"}, "bmod"),
        ({"frames": frames, "frame_times_s": np.zeros(2)}, "2 times for 1 frames"),
        ({"frames": frames, "lesion": Lesion(mask=np.ones((1, 5, 4), bool))}, "lesion mask has shape"),
        ({"frames": frames, "lesion": Lesion(box=np.array([[0.0, 0, 1, 1]] * 2))}, "2 lesion boxes for 1 frames"),
    ):
        with pytest.raises(PictureError, match=words):
            Clip(**wrong)


def test_frames_that_a_file_does_not_have_are_refused():
    check_frames([0, 2, 2], 3, "a.dcm")
    for wrong, words in (([3], "frame 3"), ([-1], "frame -1"), ([], "no frame")):
        with pytest.raises(PictureError, match=words):
            check_frames(wrong, 3, "a.dcm")
