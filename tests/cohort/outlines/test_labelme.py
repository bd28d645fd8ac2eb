import json

import numpy as np
import pytest

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import CORNERS, HEIGHT, WIDTH, l_shape, labelme, labelme_mask, write_picture


def index_of(folder, text, name="a.json"):
    write_picture(folder / "a.png")
    (folder / name).write_text(text)
    return OutlineIndex.of(folder)


def outlines(folder, *shapes, name="a.png"):
    index = index_of(folder, labelme(name, list(shapes)))
    return index.outlines("a.png", HEIGHT, WIDTH), [fault.reason for fault in index.faults]


def test_a_polygon_is_the_pixels_whose_centres_lie_inside(tmp_path):
    found, faults = outlines(tmp_path, {"label": "nodule", "points": CORNERS, "shape_type": "polygon"})
    assert np.array_equal(found[0].mask, l_shape())
    assert (found[0].label, faults) == ("nodule", [])


def test_a_rectangle_is_a_box_without_a_mask_whichever_corner_came_first(tmp_path):
    found, _ = outlines(tmp_path, {"label": "n", "points": [[22, 20], [8, 5]], "shape_type": "rectangle"})
    assert (found[0].mask, found[0].box) == (None, (8, 5, 22, 20))


def test_a_stored_mask_lies_at_its_first_point(tmp_path):
    part = l_shape()[5:20, 8:22]
    shape = {"label": "n", "points": [[8, 5], [21, 19]], "shape_type": "mask", "mask": labelme_mask(part)}
    found, _ = outlines(tmp_path, shape)
    assert np.array_equal(found[0].mask, l_shape())


def test_a_circle_has_the_area_of_a_circle(tmp_path):
    found, _ = outlines(tmp_path, {"label": "n", "points": [[30, 24], [30, 34]], "shape_type": "circle"})
    assert found[0].mask.sum() == pytest.approx(np.pi * 100, rel=0.02)


def test_several_shapes_are_all_returned_and_lines_are_not_outlines(tmp_path):
    found, faults = outlines(
        tmp_path,
        {"label": "left", "points": CORNERS, "shape_type": "polygon"},
        {"label": "caliper", "points": [[1, 1], [9, 9]], "shape_type": "line"},
        {"label": "right", "points": [[40, 30], [50, 30], [45, 40]], "shape_type": "polygon"},
    )
    assert [outline.label for outline in found] == ["left", "right"]
    assert faults == ["a shape is a point or a line, not an outline"]


@pytest.mark.parametrize("path", ["a.png", "..\\pictures\\a.png", "C:\\Users\\x\\a.png", "renamed_since.png"])
def test_the_picture_is_found_by_its_path_its_name_or_the_files_own_name(tmp_path, path):
    found, _ = outlines(tmp_path, {"label": "n", "points": CORNERS, "shape_type": "polygon"}, name=path)
    assert len(found) == 1


FAULTY = {
    "fewer than three points": [[1, 1], [2, 2]],
    "empty": [[3.1, 3.1], [3.2, 3.1], [3.2, 3.2]],
    "crosses itself": [[10, 10], [30, 30], [30, 10], [10, 30]],
    "outside the picture": [[10, 10], [90, 10], [10, 30]],
    "not pairs of numbers": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "no finite number": [[1, 1], [1e400, 1], [1, 5]],
    "more than 5,000": [[1, 1]] * 5001,
}


@pytest.mark.parametrize("reason", FAULTY)
def test_a_polygon_that_cannot_be_used_is_a_fault(tmp_path, reason):
    text = labelme("a.png", [{"label": "n", "points": FAULTY[reason], "shape_type": "polygon"}])
    index = index_of(tmp_path, text.replace("Infinity", "1e400"))
    assert index.outlines("a.png", HEIGHT, WIDTH) == []
    (fault,) = index.faults
    assert (fault.file, reason in fault.reason) == ("a.json", True), fault


def test_a_polygon_one_pixel_over_the_border_is_clipped(tmp_path):
    points = [[-0.9, -0.5], [20, -0.5], [20, 20], [-0.9, 20]]
    found, faults = outlines(tmp_path, {"label": "n", "points": points, "shape_type": "polygon"})
    assert (found[0].box, faults) == ((0, 0, 20, 20), [])


def test_a_picture_of_another_size_than_stated_is_a_fault(tmp_path):
    text = labelme("a.png", [{"label": "n", "points": CORNERS, "shape_type": "polygon"}], 96, 128)
    index = index_of(tmp_path, text)
    assert index.outlines("a.png", HEIGHT, WIDTH) == []
    assert "128 x 96" in index.faults[0].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"shapes": [], "imagePath": NaN}', "not JSON"),
        ("\udcff", "not UTF-8"),
        (json.dumps({"shapes": [{}] * 201, "imagePath": "a.png"}), "201 shapes"),
    ],
)
def test_bad_json_is_a_fault_with_its_file(tmp_path, text, reason):
    write_picture(tmp_path / "a.png")
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (fault,) = OutlineIndex.of(tmp_path).faults
    assert (fault.file, reason in fault.reason) == ("a.json", True), fault


def test_a_small_loop_of_a_freehand_line_is_no_fault(tmp_path):
    points = [[10, 10], [40, 10], [40, 40], [9, 40], [9, 9.5], [11, 11]]
    found, faults = outlines(tmp_path, {"label": "n", "points": points, "shape_type": "polygon"})
    assert len(found) == 1, faults
