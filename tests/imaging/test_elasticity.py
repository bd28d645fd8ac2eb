"""Colours back to kilopascal: on maps of matplotlib's colours, and on the virtual scanner's against its own truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import PictureError
from isthmus.imaging.colour_bar import ColourBar, find_colour_bar
from isthmus.imaging.elasticity import find_opacity, map_of, read_elasticity, shares_of
from isthmus.imaging.prepare_views import CacheItem
from isthmus.imaging.read import read_clip
from isthmus.phantom import elastography
from isthmus.phantom.consoles import CONSOLES
from isthmus.phantom.recording import Scene
from tests.elastograms import (
    HARD,
    PICTURE,
    SOFT,
    TOP_KPA,
    as_jpeg,
    colours_of,
    disc,
    screen,
    stiffness,
    write_elastogram_cohort,
)
from tests.phantom.scenes import groups_of, small_device, small_scene

LESION = disc()
AREA = tuple(map(float, PICTURE))
BAR = ColourBar((0.0, 0.0, 10.0, 256.0), colours_of(np.linspace(0, 1, 256)).astype(np.uint8))


@pytest.mark.parametrize("name", ["jet", "turbo"])
@pytest.mark.parametrize("opacity", [0.4, 0.7, 1.0])
def test_the_stiffness_of_every_pixel_comes_back_whatever_the_opacity(name, opacity):
    true = stiffness(LESION)
    found = map_of(screen(true, opacity=opacity, name=name), AREA, LESION, (0.0, TOP_KPA))
    left, top, right, bottom = PICTURE
    error = (found.kpa - true)[top + 1 : bottom - 1, left + 1 : right - 1]
    assert np.isfinite(error).mean() > 0.99
    assert np.nanmean(np.abs(error)) < 0.015 * TOP_KPA
    assert found.opacity == pytest.approx(opacity, abs=0.04)
    assert np.isnan(found.kpa[:, 135:]).all()


def test_a_scale_that_begins_above_zero_is_reckoned_with():
    found = map_of(screen(stiffness(LESION)), AREA, LESION, (10.0, 10.0 + TOP_KPA))
    assert np.nanmedian(found.kpa[LESION]) == pytest.approx(HARD + 2 + 10, abs=1.5)


def test_where_no_wave_was_seen_there_is_no_value_nor_under_letters_and_calipers():
    hole = disc(radius=10)
    frame = screen(stiffness(LESION), seen=~hole)
    frame[40, 30:100] = 255
    frame[60:63, 20:50] = (255, 255, 0)
    found = map_of(frame, AREA, LESION, (0.0, TOP_KPA))
    assert np.isnan(found.kpa[disc(radius=9)]).all()
    assert np.isnan(found.kpa[40, 31:99]).all()
    assert np.isnan(found.kpa[61, 21:49]).mean() > 0.9


@pytest.mark.parametrize("quality", [75, 90])
def test_a_lossy_file_costs_little(quality):
    found = map_of(as_jpeg(screen(stiffness(LESION)), quality), AREA, LESION, (0.0, TOP_KPA))
    assert np.nanmean(found.kpa[disc(radius=18)]) == pytest.approx(HARD + 2, abs=0.03 * TOP_KPA)
    assert np.nanmean(found.kpa[disc(radius=45) & ~disc(radius=28)]) == pytest.approx(SOFT + 2, abs=0.03 * TOP_KPA)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0.02, 0.98), st.integers(0, 255)), min_size=1, max_size=20),
    st.floats(0.35, 1.0),
)
def test_any_colour_of_the_bar_over_any_grey_is_itself_again(pixels, opacity):
    shares, greys = np.array([share for share, _ in pixels]), np.array([grey for _, grey in pixels])
    mixed = opacity * colours_of(shares) + (1 - opacity) * greys[:, None]
    found, distance = shares_of(np.rint(mixed).astype(np.uint8), BAR, round(opacity, 2))
    # Rounded to whole numbers, jet's deep blues over black differ little: the worst of a fine grid is 0.055, at 14 %.
    assert np.abs(found - shares).max() < 0.07
    assert distance.max() < 4


def test_a_grey_picture_and_a_scale_that_is_none_are_refused():
    blank = screen(stiffness(LESION), seen=np.zeros_like(LESION))
    with pytest.raises(PictureError, match="no map of the bar's colours"):
        map_of(blank, AREA, LESION, (0.0, TOP_KPA))
    with pytest.raises(PictureError, match="a scale from 120 to 0 kPa"):
        map_of(blank, AREA, LESION, (120.0, 0.0))
    with pytest.raises(PictureError, match="no map of the bar's colours"):
        find_opacity(np.full((100, 3), 90, np.uint8), find_colour_bar(blank))


def test_a_file_is_read_with_its_mask_or_the_ellipse_in_its_box_and_a_fault_names_it(tmp_path):
    cohort = write_elastogram_cohort(tmp_path / "cohort", faults=True)
    item = CacheItem("V1", cohort / "pictures/V1.png", mask=cohort / "masks/V1.png", scan_area=AREA)
    drawn, frame = read_elasticity(item, (0.0, TOP_KPA))
    assert (drawn.outline, frame.shape) == ("mask", (150, 170, 3))
    boxed, _ = read_elasticity(replace(item, mask=None, box=(43, 53, 87, 97)), (0.0, TOP_KPA))
    assert boxed.outline == "box"
    assert (boxed.lesion != LESION).mean() < 0.01
    with pytest.raises(PictureError, match=r"no colour bar is seen .*X2\.png"):
        read_elasticity(replace(item, path=cohort / "pictures/X2.png"), (0.0, TOP_KPA))
    with pytest.raises(PictureError, match="no lesion is given"):
        read_elasticity(replace(item, mask=None), (0.0, TOP_KPA))


def drawn_with_truth(scene: Scene, monkeypatch: pytest.MonkeyPatch, **changed: float):
    """A recording of the virtual scanner, and the map in kPa that it painted, on the screen."""
    kept = {}
    own = elastography.stiffness_map

    def tapped(*arguments):
        kept["map"] = own(*arguments)
        return kept["map"]

    monkeypatch.setattr(elastography, "stiffness_map", tapped)
    from isthmus.phantom.medium import Plane
    from isthmus.phantom.modalities import render

    recording = render("swe", groups_of("swe", **changed), scene, Plane("transverse"))
    frame = recording.frames[0]
    x0, y0, x1, y1 = map(int, recording.region)
    true, filled = np.zeros(frame.shape[:2]), np.zeros(frame.shape[:2], bool)
    true[y0:y1, x0:x1], filled[y0:y1, x0:x1] = kept["map"]
    return recording, true, filled


@pytest.mark.parametrize("device", ["linear-9", "linear-12", "linear-15"])
def test_the_virtual_scanners_maps_come_back_pixel_by_pixel(device, monkeypatch):
    scene = small_scene(small_device(device))
    recording, true, filled = drawn_with_truth(scene, monkeypatch, stiffness_kpa=45.0)
    top = CONSOLES[scene.device.layout].stiffest_kpa
    found = map_of(recording.frames[0], recording.region, recording.lesion[0], (0.0, top))
    seen = np.isfinite(found.kpa)
    assert found.opacity == pytest.approx(elastography.OPACITY, abs=0.02)
    assert recording.swe_range_kpa == (0.0, top)
    assert (seen & ~filled).sum() < 0.01 * filled.sum()
    assert (filled & ~seen).sum() < 0.06 * filled.sum()
    error = np.abs(found.kpa - np.clip(true, 0, top))[seen & filled]
    assert error.mean() < 0.01 * top
    assert np.quantile(error, 0.95) < 0.025 * top


def test_a_map_painted_on_real_tissue_comes_back(data_folder):
    tissue = read_clip(data_folder / "ddti" / "1_1.jpg").frames[0].max(axis=2)[100 : 100 + 130, 200 : 200 + 110]
    frame, true = screen(stiffness(LESION)), stiffness(LESION)
    left, top, right, bottom = PICTURE
    inside = true[top:bottom, left:right]
    mixed = 0.5 * colours_of(inside / TOP_KPA) + 0.5 * tissue[..., None]
    frame[top:bottom, left:right] = np.rint(mixed).astype(np.uint8)
    found = map_of(frame, AREA, LESION, (0.0, TOP_KPA))
    assert found.opacity == pytest.approx(0.5, abs=0.03)
    assert np.nanmean(np.abs(found.kpa[top:bottom, left:right] - inside)) < 0.015 * TOP_KPA
