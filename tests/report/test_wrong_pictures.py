"""Wrong calls in pictures: of the primary arm, inside the page, with words for those who do not see them."""

from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.report.context import Picture
from isthmus.report.page import write_report
from tests.report.made import made_context


def pictures(folder: Path) -> list[Picture]:
    found = []
    for arm in ("old", "new"):
        for number in range(2):
            path = folder / f"{arm}{number}.jpg"
            Image.fromarray(np.full((60, 90, 3), 90, np.uint8)).save(path)
            found.append(Picture(path, f"Case {arm}{number}: solid.", f"Heat map of {arm}{number}", arm=arm))
    return found


def test_the_page_shows_those_of_the_primary_arm_and_says_where_the_others_are(tmp_path):
    page = write_report(tmp_path, made_context(misclassified=pictures(tmp_path))).read_text(encoding="utf-8")
    assert "Wrong calls in pictures" in page
    assert "Case new0: solid." in page
    assert 'alt="Heat map of new1"' in page
    assert "Case old0" not in page
    assert "explanations/new/misclassified.csv lists all" in page
    assert page.count("data:image/jpeg;base64,") == 2


def test_heat_of_an_arm_that_scores_mirror_images_too_is_said_to_be_of_the_picture_as_it_is(tmp_path):
    settings = {"arms": {"new": {"predict": {"flips": True}}, "old": {"predict": {"flips": False}}}}
    context = made_context(misclassified=pictures(tmp_path), protocol_resolved=settings)
    page = write_report(tmp_path, context).read_text(encoding="utf-8")
    assert page.count("image; the heat map is of the picture as it is") == 2  # under the heat maps and the wrong calls
    plain = write_report(tmp_path, made_context(misclassified=pictures(tmp_path))).read_text(encoding="utf-8")
    assert "the picture as it is" not in plain


def test_a_report_without_such_pictures_has_no_such_heading(written):
    assert "Wrong calls in pictures" not in written[1]
