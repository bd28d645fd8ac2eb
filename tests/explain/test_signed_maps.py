"""Signed heat in colours: what is for is orange, what is against is blue, and nothing leaves the picture as it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError
from isthmus.explain.channel_strip import ChannelClip, channel_strip
from isthmus.explain.legend import MARK, colours_of_heat
from isthmus.explain.overlay import STRONGEST
from isthmus.explain.signed_maps import (
    AGAINST,
    EVEN,
    FIVE_FRAMES,
    FOR,
    ONE_FRAME,
    Scale,
    SignedCase,
    blend_signed,
    signed_legend,
)
from isthmus.explain.signed_sheet import WIDTH, SheetCase, signed_sheet

SIDE = 64


def case(heat: np.ndarray) -> SignedCase:
    grey = np.full((SIDE, SIDE, 1), 90, np.uint8)
    return SignedCase(grey, heat.astype(np.float32), np.zeros((SIDE, SIDE), bool))


@pytest.mark.parametrize(
    ("scale", "heat", "places"),
    [
        (ONE_FRAME, [-1.0, 0.0, 0.2, 0.6, 1.0], [0.0, 0.0, 0.0, 0.5, 1.0]),
        (FIVE_FRAMES, [-1.0, -0.5, 0.0, 0.5], [0.0, 0.5, 1.0, 1.0]),
        (EVEN, [-1.0, 0.0, 1.0], [0.0, 0.5, 1.0]),
    ],
)
def test_the_scales_are_the_published_ones(scale: Scale, heat: list[float], places: list[float]) -> None:
    np.testing.assert_allclose(scale.of(np.array(heat)), places, atol=1e-6)


def test_opposite_evidence_is_equally_strong_and_none_leaves_the_picture() -> None:
    picture = np.full((1, 3, 3), 100, np.uint8)
    drawn = blend_signed(picture, np.array([[1.0, 0.0, -1.0]]))
    for place, colour in ((0, FOR), (2, AGAINST)):
        np.testing.assert_array_equal(drawn[0, place], np.round(100 * (1 - STRONGEST) + np.array(colour) * STRONGEST))
    np.testing.assert_array_equal(drawn[0, 1], 100)
    with pytest.raises(InputError, match="the same size"):
        blend_signed(picture, np.zeros((2, 3)))


def test_on_the_published_scale_of_five_frames_nothing_is_as_hot_as_can_be() -> None:
    """Which is why the even scale stands beside it."""
    _, published, even = case(np.zeros((SIDE, SIDE))).drawn(FIVE_FRAMES, SIDE)
    hottest = np.round(90 * (1 - STRONGEST) + colours_of_heat(np.ones(1))[0] * STRONGEST)
    np.testing.assert_array_equal(published, np.broadcast_to(hottest, published.shape))
    np.testing.assert_array_equal(even, 90)


def test_the_legend_shows_both_scales() -> None:
    strip = signed_legend(800, FIVE_FRAMES, ["words"], ["SIMULATED"])
    line = strip[20]
    assert not np.array_equal(line[16], line[250])
    assert line[400 + 16, 2] > line[400 + 16, 0]
    assert line[400 + 250, 0] > line[400 + 250, 2]
    assert (strip == MARK).all(axis=2).any()


def made_clip(*, signed: bool, effects: list[float]) -> ChannelClip:
    pictures = np.random.default_rng(0).integers(0, 255, (5, SIDE, SIDE, 1)).astype(np.uint8)
    lesions = np.zeros((5, SIDE, SIDE), bool)
    lesions[:, 20:44, 20:44] = True
    heat = np.linspace(-1 if signed else 0, 1, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.float32)
    return ChannelClip(pictures, lesions, heat, np.array(effects), np.array([3, 40, 77, 114, 151]), 12.0, signed)


def test_a_strip_has_its_frames_in_columns_and_marks_the_one_that_counted() -> None:
    clip = made_clip(signed=True, effects=[0.1, 0.4, -0.9, 0.0, 0.0])
    strip = channel_strip(clip, ["View v1"], "OLNM positive", ["SIMULATED"])
    side = 212
    assert strip.shape[1] == 1100
    edges = [bool((strip[22 + side // 2, 6 + place * (side + 6)] == MARK).all()) for place in range(5)]
    assert edges == [False, False, True, False, False]
    assert clip.words() == (
        "Frame 77, 6.4 s counted most: it spoke against the class, -0.90 in log odds, 64% of what all frames moved "
        "when hidden one at a time."
    )
    plain = channel_strip(made_clip(signed=False, effects=[0.1, 0.4, -0.9, 0.0, 0.0]), ["View v1"], "OLNM positive")
    assert plain.shape[0] < strip.shape[0]


def test_a_strip_in_which_no_frame_counted_marks_none() -> None:
    clip = made_clip(signed=False, effects=[0.0] * 5)
    assert clip.counted is None
    assert "no frame changed the score" in clip.words()
    assert not (channel_strip(clip, ["View v1"], "OLNM positive") == MARK).all(axis=2).any()


def test_stills_stand_in_pairs_on_one_sheet(tmp_path: Path) -> None:
    heat = cv2.resize(np.array([[-1.0, 0.0], [0.0, 1.0]], np.float32), (SIDE, SIDE))
    cases = [SheetCase(case(heat), (f"View {number}", "Label")) for number in range(3)]
    path = signed_sheet(cases, tmp_path / "signed.png", title="Signed", target="OLNM positive", marks=["SIMULATED"])
    with Image.open(path) as sheet:
        assert sheet.width == WIDTH
        assert sheet.height > 2 * 176
    with pytest.raises(InputError, match="no case to draw"):
        signed_sheet([], tmp_path / "none.png")
