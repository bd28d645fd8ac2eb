"""The check's page: thumbnails to look at, and nothing a scanner printed beside the picture to read."""

import base64
import re

import cv2
import numpy as np
import pytest

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.check_page import write_check
from isthmus.cohort.check_pictures import _shown
from isthmus.cohort.sources.ddti import import_ddti
from isthmus.files import read_json
from isthmus.imaging.marks import find_burned_in_text
from tests.ddti_tree import write_ddti_tree


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("check")
    write_ddti_tree(folder / "tree", 6, seed=3)
    import_ddti(folder / "tree", folder / "cohort")
    write_check(check_cohort(folder / "cohort"), folder / "cohort", folder / "out")
    assert read_json(folder / "out" / "check.json", name="check")["passed"]
    return (folder / "out" / "check.html").read_text(encoding="utf-8")


def thumbnails(page: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in found]


def test_every_view_of_a_small_cohort_is_shown(page):
    assert len(thumbnails(page)) >= 6
    assert "Research use only; not a medical device" in page
    assert "http" not in re.sub(r"data:image/[^\"]+", "", page)


def test_text_printed_beside_the_picture_cannot_be_read_on_the_page(page):
    # The tree prints the grade under pictures of 560 x 360; a thumbnail shows them at 360 pixels' width.
    for thumbnail in thumbnails(page):
        below = thumbnail[int(320 * 360 / 560) :]
        assert find_burned_in_text(below[:, :, ::-1]) == []


@pytest.mark.parametrize("gap", [0, 6])
def test_a_name_written_into_the_scan_area_cannot_be_read_on_the_page(tmp_path, gap):
    write_ddti_tree(tmp_path / "tree", 1, seed=3)
    import_ddti(tmp_path / "tree", tmp_path / "cohort")
    [view, *_] = check_cohort(tmp_path / "cohort").views
    x, y = int(view.region[0]) + 40, int(view.region[1]) + 60
    picture = cv2.imread(str(tmp_path / "cohort" / view.path))
    for letter in "KATIA ROJAS":
        cv2.putText(picture, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
        x += cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)[0][0] + gap
    cv2.imwrite(str(tmp_path / "cohort" / view.path), picture)
    [view, *_] = check_cohort(tmp_path / "cohort").views
    assert any(kind == "text" for kind in view.kinds)
    shown = _shown(tmp_path / "cohort", view.path, 0, view.region, view)
    letters = picture[y - 16 : y, x - 150 : x].astype(int)
    # Nowhere in the name's place is a stroke left: no pixel is far brighter than the row of letters was on average.
    assert letters.max() > 240
    assert shown[y - 16 : y, int(view.region[0]) + 40 : x].max() < 200
