"""The scanner's screen: the picture lies exactly where it says, the rest names nobody."""

import numpy as np
import pytest

from isthmus.phantom.colour_maps import AMBER, CONTRAST, GREY, POWER, STIFFNESS, VELOCITY, blend, paint
from isthmus.phantom.consoles import CONSOLES
from isthmus.phantom.devices import devices
from isthmus.phantom.screen import Bar, Screen, draw_calipers

SHAPE = (161, 203)


def screen(layout, *, annotations=True, bar=GREY, settings=("9 MHz", "MI 0.9")):
    return Screen(
        CONSOLES[layout], SHAPE, (0.2, 0.2), annotations=annotations, bar=Bar(bar, "180 kPa", "0"),
        settings=settings, title="LT  TRV", focus_mm=15.0,
    )  # fmt: skip


def test_every_device_has_a_screen():
    assert {device.layout for device in devices().values()} == set(CONSOLES)
    assert {console.contrast_map for console in CONSOLES.values()} <= set(CONTRAST)


@pytest.mark.parametrize("layout", CONSOLES)
@pytest.mark.parametrize("annotations", [True, False])
def test_the_region_holds_the_picture_and_nothing_else(layout, annotations):
    made = screen(layout, annotations=annotations)
    picture = np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.uint8)
    shown = made.show(picture)
    x0, y0, x1, y1 = (int(edge) for edge in made.region)
    assert (y1 - y0, x1 - x0) == SHAPE
    assert (shown[y0:y1, x0:x1] == picture[..., None]).all()
    other = made.show(255 - picture)
    other[y0:y1, x0:x1] = shown[y0:y1, x0:x1]
    assert np.array_equal(shown, other)
    assert shown.shape[0] % 2 == shown.shape[1] % 2 == 0


@pytest.mark.parametrize("layout", CONSOLES)
def test_no_text_is_cut_off_at_the_screens_edge(layout):
    shown = screen(layout, bar=STIFFNESS, settings=("11.5 MHz", "PRF 0.32 kHz", "WF 60 Hz")).show(
        np.zeros(SHAPE, np.uint8)
    )
    header = CONSOLES[layout].letters + 12
    assert not shown[header:, -1].any()
    assert not shown[-1].any()


def test_a_mask_is_placed_where_the_picture_is():
    made = screen("dark")
    mask = np.zeros(SHAPE, dtype=bool)
    mask[10:20, 30:50] = True
    placed = made.place(mask)
    x0, y0, _, _ = (int(edge) for edge in made.region)
    assert placed.sum() == mask.sum()
    assert placed[y0 + 10 : y0 + 20, x0 + 30 : x0 + 50].all()


def test_the_clock_is_written_inside_the_picture():
    made = screen("plain")
    black = np.zeros(SHAPE, np.uint8)
    changed = (made.show(black, "01:23.4") != made.show(black)).any(axis=2)
    x0, y0, x1, y1 = (int(edge) for edge in made.region)
    assert changed[y0:y1, x0:x1].sum() == changed.sum() > 20


def test_calipers_measure_the_longest_diameter_and_the_one_across_it():
    rows, columns = np.mgrid[0:161, 0:203]
    ellipse = ((columns - 100) / 60) ** 2 + ((rows - 80) / 30) ** 2 <= 1
    black = np.zeros(SHAPE, np.uint8)
    drawn = draw_calipers(black, ellipse, CONSOLES["plain"], np.random.default_rng(0)) > 0
    places = np.argwhere(drawn)
    assert places[:, 1].min() == pytest.approx(100 - 60 - 4, abs=4)
    assert places[:, 1].max() == pytest.approx(100 + 60 + 4, abs=4)
    assert places[:, 0].min() == pytest.approx(80 - 30 - 4, abs=4)
    assert places[:, 0].max() == pytest.approx(80 + 30 + 4, abs=4)
    empty = draw_calipers(black, np.zeros(SHAPE, bool), CONSOLES["plain"], np.random.default_rng(0))
    assert np.array_equal(empty, black)


@pytest.mark.parametrize("colours", [GREY, AMBER, POWER])
def test_maps_of_strength_grow_brighter_all_the_way(colours):
    luminance = colours @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luminance) >= -0.5).all()


def test_values_beyond_the_scale_saturate_and_blending_keeps_the_shares():
    shown = paint(np.array([-9.0, 0.0, 9.0]), -5.0, 5.0, VELOCITY)
    assert shown.tolist() == [VELOCITY[0].tolist(), VELOCITY[128].tolist(), VELOCITY[255].tolist()]
    under, over = np.full((2, 2, 3), 100, np.uint8), np.full((2, 2, 3), 200, np.uint8)
    assert (blend(under, over, 0.25) == 125).all()
