"""Heat goes back to where it came from, and is drawn so that it can be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from isthmus.errors import InputError
from isthmus.explain.gallery import GalleryCase, gallery
from isthmus.explain.legend import colours_of_heat, legend
from isthmus.explain.overlay import (
    blend,
    crop_panel,
    draw_outline,
    heat_on_source,
    lesion_on_source,
    overlay,
    window_on_source,
)
from isthmus.imaging.clip import Clip, Lesion
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import prepare


def speckle(height: int = 120, width: int = 160, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(20, 220, (height, width, channels)).astype(np.uint8)


@settings(max_examples=20, deadline=None)
@given(st.integers(30, 120), st.integers(30, 80), st.integers(64, 200), st.booleans())
def test_heat_returns_to_the_point_it_came_from(x: int, y: int, size: int, cropped: bool) -> None:
    box = (float(x - 20), float(y - 20), float(x + 20), float(y + 20))
    clip = Clip(speckle()[None], lesion=Lesion.still(box=box), scan_area=(0, 0, 160, 120))
    crop_size = size - 14 if cropped else size
    prepared = prepare(clip, Preparation(train_size=size, crop_size=crop_size))
    # A warm spot drawn at the place of source point (x, y) on the crop.
    affine = prepared.source_to_prepared
    offset = (size - crop_size) // 2
    column, line = affine @ np.array([x, y, 1.0]) - offset
    grid_y, grid_x = np.mgrid[:crop_size, :crop_size]
    heat = np.exp(-((grid_x - column) ** 2 + (grid_y - line) ** 2) / (2 * (0.05 * size) ** 2)).astype(np.float32)
    found = heat_on_source(heat, affine, size, (120, 160))
    hottest = np.unravel_index(int(found.argmax()), found.shape)
    assert (hottest[1], hottest[0]) == (x, y)


def test_there_is_no_heat_outside_the_window_and_the_scan_area() -> None:
    clip = Clip(speckle()[None], lesion=Lesion.still(box=(50, 40, 90, 80)), scan_area=(0, 0, 92, 120))
    prepared = prepare(clip, Preparation(train_size=64))
    found = heat_on_source(np.ones((64, 64), np.float32), prepared.source_to_prepared, 64, (120, 160), prepared.region)
    x0, y0, x1, y1 = prepared.window
    inside = np.zeros((120, 160), bool)
    inside[max(y0, 0) : y1, max(x0, 0) : min(x1, 92)] = True
    assert x1 > 92
    assert not found[~inside].any()
    assert found[y0 + 2 : y1 - 2, x0 + 2 : 92].min() == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(30, 120), st.integers(30, 80), st.sampled_from([64, 96, 200]))
def test_the_frame_is_the_window_that_was_prepared(x: int, y: int, size: int) -> None:
    clip = Clip(speckle()[None], lesion=Lesion.still(box=(x - 20, y - 20, x + 20, y + 20)), scan_area=(0, 0, 160, 120))
    prepared = prepare(clip, Preparation(train_size=size))
    np.testing.assert_allclose(window_on_source(prepared.source_to_prepared, size, size), prepared.window, atol=1e-6)
    x0, y0, x1, y1 = prepared.window
    share = 8 / size * (x1 - x0)
    inner = window_on_source(prepared.source_to_prepared, size, size - 16)
    np.testing.assert_allclose(inner, (x0 + share, y0 + share, x1 - share, y1 - share), atol=1e-6)
    cut = window_on_source(prepared.source_to_prepared, size, size, (0, 0, x, y))
    np.testing.assert_allclose(cut, (max(x0, 0), max(y0, 0), x, y), atol=1e-6)


def test_the_map_grows_lighter_with_the_heat() -> None:
    colours = colours_of_heat(np.linspace(0, 1, 64)).astype(float)
    # Rec. 709 luminance: what stays in a grey print.
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) > 0).all()


def test_without_heat_the_picture_is_unchanged() -> None:
    picture = np.repeat(speckle(), 3, axis=2)
    np.testing.assert_array_equal(blend(picture, np.zeros((120, 160))), picture)
    assert (blend(picture, np.ones((120, 160))) != picture).any()


def test_an_outline_changes_only_its_line() -> None:
    picture = np.repeat(speckle(), 3, axis=2)
    mask = np.zeros((120, 160), bool)
    mask[40:80, 50:100] = True
    changed = (draw_outline(picture, mask) != picture).any(axis=2)
    assert changed[40, 50:100].all()
    assert not changed[45:75, 55:95].any()
    assert not changed[:36].any()


def test_a_small_picture_is_enlarged_and_its_words_stand_below_it() -> None:
    picture = speckle(channels=3)
    drawn = overlay(picture, np.zeros((120, 160), np.float32), score="0.73", target="x", region=(0, 0, 160, 120))
    # 160 pixels become 640; the strip under the picture is white paper.
    assert drawn.shape[1] == 640
    assert drawn.shape[0] > 480
    np.testing.assert_array_equal(drawn[480], 255)
    assert (drawn[480:] < 60).any()


def test_what_the_scanner_wrote_beside_the_picture_is_not_drawn() -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    written = picture.copy()
    cv2.putText(written, "NAME", (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    heat, region = np.zeros((120, 160), np.float32), (0.0, 30.0, 160.0, 120.0)
    drawn, expected = (overlay(one, heat, score="0.73", target="x", region=region) for one in (written, picture))
    np.testing.assert_array_equal(drawn, expected)


def test_marks_and_long_words_make_the_strip_taller_not_wider() -> None:
    short, marked = legend(300, ["a"]), legend(300, ["a"], ["SMOKE: no number means anything."])
    long = legend(300, ["many words " * 20])
    assert short.shape[1] == marked.shape[1] == long.shape[1] == 300
    assert short.shape[0] < marked.shape[0] < long.shape[0]


def test_a_box_is_a_filled_mask_and_no_lesion_is_none() -> None:
    mask = lesion_on_source(Lesion.still(box=(2, 3, 6, 5)), (10, 10))
    assert mask is not None
    assert mask.sum() == 8
    assert mask[3:5, 2:6].all()
    assert lesion_on_source(None, (10, 10)) is None


def test_heat_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="the same size"):
        blend(np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4)))


def test_a_panel_shows_the_crop_untouched_beside_the_heat() -> None:
    crop = speckle(64, 64)
    panel = crop_panel(crop, np.ones((64, 64), np.float32), side=64)
    assert panel.shape == (64, 132, 3)
    np.testing.assert_array_equal(panel[:, :64], np.repeat(crop, 3, axis=2))
    assert (panel[:, 68:] != panel[:, :64]).any()


def test_a_sheet_holds_every_case_and_the_same_cases_give_the_same_bytes(tmp_path: Path) -> None:
    heat = np.random.default_rng(1).random((64, 64)).astype(np.float32)
    cases = [
        GalleryCase(heading, speckle(64, 64), heat, heat > 0.9, ("View 1: score 0.91", "Label: x" * 12))
        for heading in ("right", "right", "right", "wrong")
    ]
    first = gallery(cases, tmp_path / "a.png", title="Heat", marks=["SMOKE"]).read_bytes()
    assert gallery(cases, tmp_path / "b.png", title="Heat", marks=["SMOKE"]).read_bytes() == first
    with Image.open(tmp_path / "a.png") as sheet, Image.open(gallery(cases[:3], tmp_path / "c.png")) as smaller:
        assert sheet.width == smaller.width
        assert sheet.height > smaller.height + 168


def test_a_sheet_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no case"):
        gallery([], tmp_path / "a.png")


def test_a_picture_in_which_nothing_spoke_for_the_class_says_so_and_has_no_scale_of_heat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def strip(width: int, lines: list[str], *others: object) -> np.ndarray:
        said.extend(lines)
        return legend(width, lines, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("isthmus.explain.overlay.legend", strip)
    picture, cold = speckle(), np.zeros((120, 160), np.float32)
    warm = cold.copy()
    warm[40:60, 50:80] = 1.0
    drawn = [overlay(picture, heat, score="0.10", target="malignant", region=(0, 0, 160, 120)) for heat in (cold, warm)]
    assert said[1].startswith("No heat: nothing spoke for malignant")
    assert said[3].startswith("Heat: evidence for malignant")
    # The scale runs through every colour of the map; a grey picture under no heat has none but the letters' own.
    colourful = [int((np.ptp(one.astype(int), axis=2) > 100).sum()) for one in drawn]
    assert colourful[0] == 0 < colourful[1]
