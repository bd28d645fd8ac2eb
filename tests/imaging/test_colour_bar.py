"""The colour bar beside a picture: found as it is drawn, with the colours of maps that nobody here made."""

import numpy as np
import pytest

from isthmus.errors import PictureError
from isthmus.imaging.colour_bar import find_colour_bar, lab
from isthmus.imaging.read import read_clip
from tests.elastograms import as_jpeg, colours_of, disc, screen, stiffness

SCREEN = screen(stiffness(disc()))


@pytest.mark.parametrize("name", ["jet", "turbo", "rainbow"])
def test_a_standing_bar_is_found_with_its_colours_from_foot_to_head(name):
    bar = find_colour_bar(screen(stiffness(disc()), name=name))
    assert bar.box == (140.0, 20.0, 150.0, 120.0)
    assert np.array_equal(bar.colours, colours_of(np.linspace(0, 1, 100), name))


def test_a_lying_bar_has_its_foot_to_the_left():
    bar = find_colour_bar(np.ascontiguousarray(np.rot90(SCREEN, -1)))
    assert bar.box == (30.0, 140.0, 130.0, 150.0)
    assert np.array_equal(bar.colours, colours_of(np.linspace(0, 1, 100)))


@pytest.mark.parametrize("quality", [75, 90])
def test_a_lossy_file_moves_its_ends_by_a_line_at_most(quality):
    bar = find_colour_bar(as_jpeg(SCREEN, quality))
    assert bar.box == pytest.approx((140, 20, 150, 120), abs=2)
    assert abs(len(bar.colours) - 100) <= 2
    true = colours_of(np.linspace(0, 1, len(bar.colours))).astype(np.uint8)
    assert np.median(np.linalg.norm(lab(bar.colours) - lab(true), axis=1)) < 6


def test_no_bar_and_a_grey_bar_are_said():
    bare = SCREEN.copy()
    bare[:, 130:] = 0
    grey = bare.copy()
    grey[20:120, 140:150] = np.linspace(255, 0, 100)[:, None, None]
    for frame in (bare, grey, SCREEN[..., :1]):
        with pytest.raises(PictureError, match="no colour bar is seen"):
            find_colour_bar(frame)


def test_a_bar_whose_colours_come_twice_tells_no_value():
    twice = SCREEN.copy()
    twice[20:120, 140:150] = colours_of(np.abs(np.linspace(-1, 1, 100)))[:, None]
    with pytest.raises(PictureError, match="come twice"):
        find_colour_bar(twice)


def test_lightness_and_opponent_colours_are_those_of_the_standard():
    # CIELAB of sRGB's primaries under D65, as IEC 61966-2-1 and CIE 15 give them (Lindbloom's calculator).
    primaries = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100.0, 0.0, 0.0]]
    assert np.allclose(lab(primaries), expected, atol=0.15)


@pytest.mark.parametrize(
    "name", ["pydicom-data__US1_UNCR", "pydicom-data__OBXXXX1A", "dicomParser__IM00001.implicit_little_endian"]
)
def test_real_screens_with_flow_or_none_are_not_taken_for_elastograms(name, data_folder):
    frame = read_clip(data_folder / "us_dicom" / f"{name}.dcm", frames=[0]).frames[0]
    with pytest.raises(PictureError, match=r"no colour bar is seen|come twice"):
        find_colour_bar(frame)
