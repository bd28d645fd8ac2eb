import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cohort.sources.ddti_outline import Drawing, closing_gap, fill, place, read_drawing

SQUARE = [(10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0), (10.0, 12.0)]
PANELS = ((0.0, 0.0, 50.0, 40.0), (50.0, 0.0, 100.0, 40.0))


def shifted(outline, x):
    return [(a + x, b) for a, b in outline]


def stored(outline, kind="freehand"):
    return {"points": [{"x": int(x), "y": int(y)} for x, y in outline], "annotation": {}, "regionType": kind}


def test_whole_outlines_are_read_as_they_are():
    drawing = read_drawing(json.dumps([stored(SQUARE), stored(shifted(SQUARE, 50))]))
    assert drawing == Drawing(outlines=[SQUARE, shifted(SQUARE, 50)])


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "{}",
        '[{"points": [broken, {"points": [{"x": 1, "y": 2}]}]',
        "9" * 300_000,
        "[" * 100_000,
    ],
)
def test_a_text_that_is_no_list_of_regions_gives_nothing_and_says_so(text):
    drawing = read_drawing(text)
    assert drawing.outlines == []
    assert drawing.fault or drawing.notes


@pytest.mark.parametrize("region", [{}, 7, {"regionType": "freehand"}, stored(SQUARE[:3]), stored(SQUARE, "ellipse")])
def test_a_region_that_cannot_be_used_is_said(region):
    drawing = read_drawing(json.dumps([region, stored(SQUARE)]))
    assert drawing.outlines == [SQUARE]
    assert len(drawing.notes) == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", '"4"', "null"])
def test_coordinates_that_are_no_numbers_are_refused(number):
    text = json.dumps([stored(SQUARE)]).replace('"x": 10', f'"x": {number}', 1)
    assert read_drawing(text).outlines == []


@given(st.integers(0, 400))
def test_no_place_of_a_cut_makes_up_an_outline(cut):
    text = json.dumps([stored(SQUARE), stored(shifted(SQUARE, 50))])
    outlines = read_drawing(text[: min(cut, len(text))]).outlines
    # Whatever is lost, what is left is one of the two, whole or within the closing rule.
    for outline in outlines:
        assert any(outline == whole[: len(outline)] for whole in (SQUARE, shifted(SQUARE, 50)))
        assert len(outline) == 5


def test_the_closing_gap_is_the_share_of_the_drawn_length():
    # Three sides of a square of side 20, and 18 of the fourth: the last 2 are missing of a drawn 78.
    assert closing_gap(SQUARE) == pytest.approx(2 / 78)


def test_each_outline_goes_to_its_panel():
    regions, ambiguity = place(Drawing([shifted(SQUARE, 50), SQUARE]), PANELS, (40, 100))
    assert ambiguity == ""
    assert [region.panel for region in regions] == [0, 1]
    # Pixels on the line count: 21 x 21.
    assert [region.mask.sum() for region in regions] == [441, 441]


@pytest.mark.parametrize(
    ("outlines", "words"),
    [
        ([SQUARE, shifted(SQUARE, 5)], "the left panel holds several outlines"),
        ([shifted(SQUARE, 30)], "outline 1 runs across two panels"),
        ([shifted(SQUARE, -14)], "outline 1 lies partly outside the scan area"),
    ],
)
def test_what_no_rule_covers_is_ambiguous(outlines, words):
    # The picture is larger than its panels: x from 0 to 100 of a frame that goes on to the left is cut by the frame,
    # so the panels are moved by 20.
    moved = tuple((x0 + 20, y0, x1 + 20, y1) for x0, y0, x1, y1 in PANELS)
    regions, ambiguity = place(Drawing([shifted(outline, 20) for outline in outlines]), moved, (40, 140))
    assert regions == []
    assert words in ambiguity


def test_a_line_that_crosses_itself_leaves_no_hole():
    knot = [
        (10.0, 10.0),
        (40.0, 10.0),
        (40.0, 30.0),
        (15.0, 30.0),
        (15.0, 5.0),
        (25.0, 5.0),
        (25.0, 20.0),
        (10.0, 20.0),
    ]
    mask = fill(knot, (40, 60))
    assert mask[15, 20]
    assert mask[15, 12]
