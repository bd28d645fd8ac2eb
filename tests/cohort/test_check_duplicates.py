"""What `cohort check` says of planted copies: whose they are decides whether it is a note, a warning or an error."""

import cv2
import pytest

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.check_page import write_check
from isthmus.files import read_json

from .small import spoil, write_small_cohort
from .test_near_duplicates import compressed, tissue


@pytest.fixture
def folder(tmp_path):
    """Every patient's picture is tissue of its own; masks and boxes are not given."""
    (tmp_path / "cohort").mkdir()
    cohort = write_small_cohort(tmp_path / "cohort", patients=12)
    for number in range(12):
        put(cohort, number, tissue(number))
        for column in ("region", "mask", "box"):
            spoil(cohort, "views", number + 2, column, "")
    return cohort


def put(folder, number, picture):
    cv2.imwrite(str(folder / "pictures" / f"{number:03}.png"), picture)


def findings(folder):
    """Leave out marks, and that 12 patients are few."""
    report = check_cohort(folder)
    return [f for f in report.findings if f.subject not in ("text", "marks") and not f.where.startswith("target")]


def found(folder):
    return [(f.severity, f.subject, f.where) for f in findings(folder)]


def test_tissue_of_12_patients_gives_no_pair(folder):
    assert check_cohort(folder).same == []


def test_a_changed_copy_in_another_group_is_an_error_and_in_the_same_a_note(folder):
    put(folder, 5, compressed(tissue(4)[:, ::-1], 60))
    where = "pictures/004.png, pictures/005.png (mirrored)"
    assert found(folder) == [("error", "duplicates", where)]
    for line in (6, 7):
        spoil(folder, "nodules", line, "group_id", "tied")
    assert found(folder) == [("note", "duplicates", where)]


def test_a_copy_with_another_label_is_a_contradiction(folder):
    # Every third patient is malignant: 6 is, 7 is not.
    put(folder, 7, compressed(tissue(6)[:, ::-1], 60))
    report = check_cohort(folder)
    [said] = [f for f in report.findings if f.subject == "labels" and not f.where.startswith("target")]
    assert (said.severity, said.where) == ("error", "pictures/006.png, pictures/007.png")
    assert "'benign' and 'malignant'" in said.message or "'malignant' and 'benign'" in said.message
    [pair] = report.same
    assert (pair.certainty, pair.severity) == ("certain", "error")
    assert pair.contradiction


def test_two_lesions_of_one_picture_may_have_two_labels_but_it_is_asked(folder):
    put(folder, 7, compressed(tissue(6), 60))
    spoil(folder, "views", 8, "box", "20 10 100 90")
    spoil(folder, "views", 9, "box", "250 150 350 250")
    said = [f for f in findings(folder) if f.subject == "labels"]
    assert [f.severity for f in said] == ["warning"]
    assert "two lesions?" in said[0].message
    # The same place in both pictures, once mirrored back: one lesion.
    put(folder, 7, compressed(tissue(6)[:, ::-1], 60))
    spoil(folder, "views", 9, "box", "300 10 380 90")
    assert [f.severity for f in findings(folder) if f.subject == "labels"] == ["error"]


def test_a_neighbouring_frame_is_probable_and_across_a_split_an_error(folder):
    # Half of the speckle has changed, as between frames some way apart.
    mixed = cv2.addWeighted(tissue(10), 0.55, tissue(10 + 44), 0.45, 0)
    put(folder, 11, mixed)
    [(severity, subject, where)] = found(folder)
    assert (severity, subject) == ("warning", "duplicates")
    assert where.startswith("pictures/010.png, pictures/011.png")
    for number in range(12):
        spoil(folder, "nodules", number + 2, "split", "test" if number > 10 else "train")
    assert [severity for severity, *_ in found(folder)] == ["error"]


def test_identical_pictures_stand_for_their_copies_too(folder):
    for number in (5, 6):
        put(folder, number, tissue(4))
    put(folder, 7, compressed(tissue(4), 50))
    pairs = {(one.first[-7:-4], one.second[-7:-4]): one.certainty for one in check_cohort(folder).same}
    identical = {("004", "005"), ("004", "006"), ("005", "006")}
    assert {key for key, certainty in pairs.items() if certainty == "identical"} == identical
    certain = {("004", "007"), ("005", "007"), ("006", "007")}
    assert {key for key, certainty in pairs.items() if certainty == "certain"} == certain


def test_the_page_shows_pairs_and_lists_every_unreadable_file(folder, tmp_path):
    put(folder, 5, compressed(tissue(4)[20:, 30:], 60))
    for number in (8, 9):
        (folder / "pictures" / f"{number:03}.png").write_bytes(b"nothing")
    write_check(check_cohort(folder), folder, tmp_path / "out")
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert 'alt="pictures/004.png"' in page
    assert "86 % crop" in page  # 280 of 300 lines, 370 of 400 columns
    facts = read_json(tmp_path / "out" / "check.json", name="check")
    assert facts["unreadable"] == ["pictures/008.png", "pictures/009.png"]
    assert all(f"<li>{name}</li>" in page for name in facts["unreadable"])
    [pair] = facts["same_pictures"]
    assert pair["transformation"] == "86 % crop"
    assert pair["groups"] == [["004"], ["005"]]
