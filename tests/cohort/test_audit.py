import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.check_page import THUMBNAILS, write_check
from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.sources.ddti import import_ddti
from isthmus.errors import CohortError
from tests.cohort.small import spoil, write_small_cohort
from tests.ddti_tree import write_ddti_tree


@pytest.fixture
def folder(tmp_path):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    return write_small_cohort(cohort, patients=36)


def found(folder, severity=None):
    report = check_cohort(folder)
    return [(f.severity, f.subject, f.where) for f in report.findings if severity in (None, f.severity)]


def test_a_faultless_cohort_passes_without_a_finding(folder):
    report = check_cohort(load_cohort(folder))
    assert report.findings == []
    assert not report.failed
    assert report.counts == {"patients": 36, "groups": 36, "nodules": 36, "views": 36, "pictures": 36, "excluded": 0}
    # Every third of 36 is malignant; the last, a benign one, lost its label; sites alternate.
    assert sum(row["nodules"] for row in report.balance if row["class"] == "malignant") == 12
    assert [row["nodules"] for row in report.balance if row["class"] == "no label"] == [1]


def test_a_truncated_picture_fails_the_check_and_the_others_are_still_looked_at(folder):
    path = folder / "pictures" / "003.png"
    path.write_bytes(path.read_bytes()[:60])
    assert found(folder) == [("error", "picture", "pictures/003.png")]
    assert len(check_cohort(folder).views) == 35


def test_a_missing_picture_and_a_link_out_of_the_folder_are_errors(folder, tmp_path):
    (folder / "pictures" / "001.png").unlink()
    outside = tmp_path / "outside.png"
    outside.write_bytes((folder / "pictures" / "002.png").read_bytes())
    (folder / "pictures" / "002.png").unlink()
    (folder / "pictures" / "002.png").symlink_to(outside)
    assert found(folder) == [("error", "picture", "pictures/001.png"), ("error", "picture", "pictures/002.png")]
    assert any("leads out of the cohort folder" in f.message for f in check_cohort(folder).findings)


def test_masks_that_are_missing_empty_or_of_another_size_are_errors(folder):
    (folder / "masks" / "000.png").unlink()
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(folder / "masks" / "001.png")
    Image.fromarray(np.full((20, 20), 255, np.uint8)).save(folder / "masks" / "002.png")
    assert found(folder, "error") == [("error", "mask", f"view v00{number}") for number in range(3)]


def test_boxes_and_regions_outside_the_picture_are_errors_and_outside_the_region_a_warning(folder):
    spoil(folder, "views", 2, "region", "0 0 65 48")
    spoil(folder, "views", 3, "box", "20 10 40 49")
    spoil(folder, "views", 4, "region", "4 4 30 44")
    findings = check_cohort(folder).findings
    errors = {(f.where, f.message) for f in findings if f.severity == "error"}
    assert errors == {
        ("view v000", "the region leaves the picture of 64 x 48 pixels"),
        ("view v001", "the box leaves the picture of 64 x 48 pixels"),
    }
    warned = {f.message for f in findings if f.severity == "warning" and f.where == "view v002"}
    assert warned == {
        "the box leaves the scan region; what is outside will be black",
        "the mask leaves the scan region; what is outside will be black",
    }
    assert ("warning", "geometry", "view v001") in found(folder)  # and its box is no longer its mask's


def test_identical_pixels_are_an_error_across_groups_and_a_note_within_one(folder):
    pictures = folder / "pictures"
    # The same pixels in another file format: the file's bytes differ.
    Image.open(pictures / "004.png").save(pictures / "005.bmp")
    spoil(folder, "views", 7, "path", "pictures/005.bmp")
    assert found(folder) == [("error", "duplicates", "pictures/004.png, pictures/005.bmp")]
    for line in (6, 7):
        spoil(folder, "nodules", line, "group_id", "tied")
    assert found(folder) == [("note", "duplicates", "pictures/004.png, pictures/005.bmp")]


def test_a_group_on_two_sides_of_the_fixed_split_is_an_error(folder):
    for line in range(2, 38):
        spoil(folder, "nodules", line, "split", "test" if line < 10 else "train")
    assert found(folder) == []
    for line in (9, 10):
        spoil(folder, "nodules", line, "group_id", "tied")
    assert found(folder) == [("error", "split", "group tied")]


def test_a_broken_schema_is_a_finding_with_its_line_and_not_an_exception(folder):
    spoil(folder, "views", 5, "nodule_id", "nobody")
    assert ("error", "schema", "views.csv, line 5") in found(folder)
    (folder / "nodules.csv").unlink()
    [(severity, subject, _)] = found(folder)
    assert (severity, subject) == ("error", "schema")


def test_few_groups_in_a_class_are_warned_about(tmp_path):
    # Of 24 patients every third is malignant: 8 groups, fewer than 10.
    assert found(write_small_cohort(tmp_path)) == [("warning", "labels", "target malignant")]


def test_marks_in_the_lesion_crop_are_warned_about_and_elsewhere_noted(tmp_path):
    tree = write_ddti_tree(tmp_path / "tree", 30, seed=0)
    import_ddti(tree.folder, tmp_path / "cohort")
    examples = load_cohort(tmp_path / "cohort").examples("tirads_4a_or_higher")
    x0, y0, x1, _ = examples.iloc[0]["box"]
    single = examples[examples["region"].map(lambda region: region[2] - region[0] > 300)]
    far = single.iloc[-1]
    for row, place in (
        (examples.iloc[0], (int(x0 + x1) // 2 - 12, int(y0) + 24)),
        (far, (int(far["region"][0]) + 8, 290)),
    ):
        picture = cv2.imread(str(row["path"]))
        # Black around the letters' strokes, as scanners print on tissue.
        cv2.putText(picture, "4A", place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1)
        cv2.imwrite(str(row["path"]), picture)
    before = {view.view_id: view for view in check_cohort(tmp_path / "cohort").views}
    assert before[examples.iloc[0]["view_id"]].reached > 0
    assert before[far["view_id"]].text
    assert before[far["view_id"]].reached == 0


def test_the_page_is_self_contained_escaped_and_says_what_it_is(folder, tmp_path):
    spoil(folder, "patients", 2, "site", "<script>alert(1)</script>")
    path = folder / "pictures" / "003.png"
    path.write_bytes(b"nothing")
    report = check_cohort(folder)
    write_check(report, folder, tmp_path / "out")
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert "Research use only; not a medical device." in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/jpeg;base64,") == min(THUMBNAILS, 35)
    assert "Failed" in page
    content = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert content["format"] == "isthmus-check/1.0"
    assert content["passed"] is False
    assert content["errors"] == 1
    assert content["findings"][0]["where"] == "pictures/003.png"


def test_a_simulated_cohort_says_so_on_its_page(tmp_path):
    tree = write_ddti_tree(tmp_path / "tree", 4, seed=0)
    import_ddti(tree.folder, tmp_path / "cohort")
    write_check(check_cohort(tmp_path / "cohort"), tmp_path / "cohort", tmp_path)
    assert "SIMULATED" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_the_same_kind_of_finding_is_grouped_with_all_its_places(folder):
    for number in range(3):
        (folder / "masks" / f"00{number}.png").unlink()
    [(finding, places)] = check_cohort(folder).grouped()
    assert finding.subject == "mask"
    assert places == ["view v000", "view v001", "view v002"]


def test_progress_is_told_for_every_picture_as_it_is_read_and_as_it_is_compared(folder):
    steps = []
    check_cohort(folder, progress=lambda *step: steps.append(step))
    for stage in ("pictures", "pairs"):
        mine = [step for step in steps if step[2] == stage]
        assert [step[0] for step in mine] == list(range(1, 37))
        assert {step[1] for step in mine} == {36}


def test_a_folder_that_is_not_there_is_refused_and_not_made(tmp_path):
    with pytest.raises(CohortError, match="no such cohort folder"):
        check_cohort(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_colour_that_is_a_modalitys_signal_is_not_called_a_mark(folder):
    views = pd.read_csv(folder / "views.csv", dtype=str)
    views.assign(modality="swe").to_csv(folder / "views.csv", index=False)
    notes = [f for f in check_cohort(folder).findings if f.subject == "text"]
    assert {f.severity for f in notes} == {"note"}
    assert all("signal" in f.message for f in notes)
