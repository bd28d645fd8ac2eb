"""Masks of clips: back byte for byte, by frame, in every form they come in."""

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip_masks import read_clip_mask, write_clip_mask
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import write_mask


@pytest.fixture
def masks():
    made = np.random.default_rng(0).random((5, 20, 30)) > 0.6
    made[3] = False  # the lesion is out of plane
    return made


def test_masks_survive_a_round_trip_and_frames_can_be_chosen(tmp_path, masks):
    path = tmp_path / "m.tiff"
    write_clip_mask(path, masks)
    np.testing.assert_array_equal(read_clip_mask(path), masks)
    np.testing.assert_array_equal(read_clip_mask(path, [4, 0, 4]), masks[[4, 0, 4]])
    with Image.open(path) as image:
        assert image.n_frames == 5
        assert np.unique(np.asarray(image)).tolist() == [0, 255]
    before = path.read_bytes()
    write_clip_mask(path, masks)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["m.tiff"]


def test_other_tools_pages_and_folders_of_mask_pictures_are_read(tmp_path, masks):
    pages = [Image.fromarray(mask) for mask in masks]  # 1 bit a pixel
    pages[0].save(tmp_path / "bits.tiff", save_all=True, append_images=pages[1:], compression="group4")
    np.testing.assert_array_equal(read_clip_mask(tmp_path / "bits.tiff"), masks)
    for number, mask in enumerate(masks):
        write_mask(tmp_path / "masks" / f"case_{number}_mask.png", mask)
    np.testing.assert_array_equal(read_clip_mask(tmp_path / "masks", [1, 2]), masks[1:3])
    write_mask(tmp_path / "still.png", masks[0])
    np.testing.assert_array_equal(read_clip_mask(tmp_path / "still.png"), masks[:1])


def test_a_frame_without_a_certain_edge_is_named_and_arrays_that_are_no_masks_are_refused(tmp_path, masks):
    pages = [Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))) for mask in masks]
    pages[2].putpixel((0, 0), 99)
    pages[0].save(tmp_path / "m.tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(PictureError, match=r"3 grey values.*frame 2"):
        read_clip_mask(tmp_path / "m.tiff")
    assert read_clip_mask(tmp_path / "m.tiff", [0, 1]).shape == (2, 20, 30)
    with pytest.raises(PictureError, match="frame 5"):
        read_clip_mask(tmp_path / "m.tiff", [5])
    with pytest.raises(LimitError):
        read_clip_mask(tmp_path / "m.tiff", limits=Limits(frames=4))
    for wrong in (masks[0], masks.astype(np.uint8), masks[:0]):
        with pytest.raises(PictureError, match="expected bool"):
            write_clip_mask(tmp_path / "n.tiff", wrong)
