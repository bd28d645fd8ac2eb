"""A picture's region is checked before anything is scored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isthmus.errors import InputError, PictureError, RegionMissing
from isthmus.imaging.preparation import Preparation
from isthmus.inference.boxes import parse_box
from isthmus.inference.pictures import read_picture
from tests.inference.small_models import BOX, mask_of_box, picture

PREPARATION = Preparation(train_size=64)


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ("1,2,3", "not four numbers"),
        ("a,b,c,d", "not four numbers"),
        ("1,2,nan,4", "not four numbers"),
        ("", "not four numbers"),
        ("10,10,10,20", "is empty"),
        ("30,10,20,20", "is inverted"),
        ("-1,0,20,20", "reaches outside the picture of 160 x 120 pixels"),
        ("0,0,161,20", "reaches outside"),
        ((0, 0, 20, 121), "reaches outside"),
    ],
)
def test_a_wrong_box_is_one_clear_error(box: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_box(box, 160, 120, where="a.png")
    assert "a.png" in str(caught.value)
    assert "x1 <= 160" in str(caught.value)


@given(st.integers(0, 158), st.integers(0, 118), st.data())
def test_every_box_inside_the_picture_is_taken_as_text_or_numbers(x0: int, y0: int, data: st.DataObject) -> None:
    box = (x0, y0, data.draw(st.integers(x0 + 1, 160)), data.draw(st.integers(y0 + 1, 120)))
    assert parse_box(box, 160, 120, where="a") == parse_box(",".join(map(str, box)), 160, 120, where="a") == box


def test_a_lesion_model_gets_no_picture_without_a_region(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    with pytest.raises(RegionMissing, match=r"--box x0,y0,x1,y1 or --mask FILE") as caught:
        read_picture(path, PREPARATION, "box")
    assert str(tmp_path) not in str(caught.value)


def test_a_model_that_needs_an_outline_takes_no_box(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    with pytest.raises(RegionMissing, match="outline, not only a box"):
        read_picture(path, PREPARATION, "mask", box=BOX)


def test_box_and_mask_of_one_region_prepare_the_same_pixels(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    boxed = read_picture(path, PREPARATION, "box", box="40,30,100,80")
    masked = read_picture(path, PREPARATION, "box", mask=mask_of_box(tmp_path / "m.png"))
    np.testing.assert_array_equal(boxed.prepared.pixels, masked.prepared.pixels)
    assert (boxed.region_source, boxed.source, boxed.notes) == ("drawn", "a.png", ())


def test_a_model_of_whole_pictures_needs_no_region(tmp_path: Path) -> None:
    whole = Preparation(crop="scan_area", train_size=64)
    assert read_picture(picture(tmp_path / "a.png"), whole, "none").region_source == "whole"


def test_of_a_double_picture_the_panel_with_the_lesion_is_used(tmp_path: Path) -> None:
    screen = np.zeros((200, 420), np.uint8)
    generator = np.random.default_rng(0)
    screen[20:180, 20:200] = generator.integers(40, 200, (160, 180))
    screen[20:180, 220:400] = generator.integers(40, 200, (160, 180))
    Image.fromarray(screen).save(tmp_path / "double.png")
    picture_ = read_picture(tmp_path / "double.png", PREPARATION, "box", box=(150, 80, 198, 120))
    area = picture_.clip.scan_area
    assert area is not None
    assert area[0] < 30
    assert area[2] <= 202
    # The window reaches 7 pixels beyond the box; what lies right of the panel is black.
    affine = picture_.prepared.source_to_prepared
    column = int(np.ceil(affine[0, 0] * 203 + affine[0, 2]))
    assert not picture_.prepared.pixels[0, :, column:].any()


def test_a_region_outside_the_ultrasound_picture_is_refused(tmp_path: Path) -> None:
    screen = np.zeros((200, 420), np.uint8)
    screen[20:180, 20:200] = np.random.default_rng(0).integers(40, 200, (160, 180))
    Image.fromarray(screen).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="100% of the region lies outside the ultrasound picture"):
        read_picture(tmp_path / "a.png", PREPARATION, "box", box=(300, 50, 400, 150))
    partly = read_picture(tmp_path / "a.png", PREPARATION, "box", box=(140, 50, 230, 150))
    assert "lies outside the ultrasound picture and was painted black" in partly.notes[0]


def test_a_scan_area_that_is_given_is_taken(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    given_ = read_picture(path, PREPARATION, "box", box=BOX, scan_area="38,28,102,82")
    assert given_.clip.scan_area == (38.0, 28.0, 102.0, 82.0)
    with pytest.raises(InputError, match="the scan area 0,0,500,20 reaches outside"):
        read_picture(path, PREPARATION, "box", box=BOX, scan_area=(0, 0, 500, 20))


def test_a_much_enlarged_region_is_noted(tmp_path: Path) -> None:
    small = read_picture(picture(tmp_path / "a.png"), PREPARATION, "box", box=(40, 30, 50, 40))
    # 64 / (10 * 1.3) = 4.9
    assert small.notes == ("the region is small: its pixels were enlarged 4.9 times",)


def test_box_and_mask_together_an_empty_mask_and_one_of_another_picture_are_refused(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    mask = mask_of_box(tmp_path / "m.png")
    with pytest.raises(InputError, match="both a box and a mask"):
        read_picture(path, PREPARATION, "box", box=BOX, mask=mask)
    Image.fromarray(np.zeros((120, 160), np.uint8)).save(mask)
    with pytest.raises(InputError, match="the mask is empty"):
        read_picture(path, PREPARATION, "box", mask=mask)
    with pytest.raises(PictureError, match="mask has shape"):
        read_picture(path, PREPARATION, "box", mask=mask_of_box(tmp_path / "n.png", (130, 160)))


def test_a_clip_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((40, 40), grey, np.uint8)) for grey in (10, 20, 30)]
    pages[0].save(tmp_path / "clip.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PictureError, match="a clip of 3 frames, and this model reads stills"):
        read_picture(tmp_path / "clip.tif", PREPARATION, "box", box=(1, 1, 9, 9))
