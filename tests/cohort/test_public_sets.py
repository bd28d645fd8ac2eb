"""Importers of public stills, each on a synthetic tree in its published layout; expected values are counted by hand."""

import shutil

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.sources import DATA_SETS, data_set_lines, import_data_set
from isthmus.errors import CohortError, OutputError
from isthmus.imaging.read import read_mask
from tests.cohort import trees

STILLS = {
    "tn3k": trees.write_tn3k,
    "tn5000": trees.write_tn5000,
    "tnscui": trees.write_tnscui,
    "thyroidxl": trees.write_thyroidxl,
    "auitd": trees.write_auitd,
}
EXPECTED = {
    "tn3k": {"patients": 12, "views": 12, "nodules malignant": 5, "nodules in train": 8, "nodules in test": 4},
    "tn5000": {"patients": 11, "views": 11, "nodules malignant": 6, "nodules in train": 6, "nodules in tune": 2},
    "tnscui": {"patients": 6, "views": 6, "nodules malignant": 3, "nodules in train": 6},
    "thyroidxl": {"patients": 8, "nodules": 8, "views": 16, "nodules malignant": 4, "nodules in test": 3},
    "auitd": {"patients": 10, "views": 10, "nodules malignant": 5, "nodules in train": 6, "nodules in test": 4},
}
ONE_PICTURE = {
    "tn3k": "trainval-image/0001.jpg",
    "tn5000": "TN5000_forReview/JPEGImages/000001.jpg",
    "tnscui": "image/1.PNG",
    "thyroidxl": "train/images/00000001_2201CE11_0.png",
    "auitd": "train/Benign/image (0).jpg",
}


def made(name, tmp_path, change=None):
    tree = STILLS[name](tmp_path / "tree")
    if change is not None:
        change(tree)
    report = import_data_set(name, tree, tmp_path / "cohort")
    return report, load_cohort(tmp_path / "cohort")


def lines(report):
    return {line.file: line for line in report.lines}


@pytest.mark.parametrize("name", STILLS)
def test_a_set_in_its_published_layout_becomes_a_cohort_with_its_published_parts(tmp_path, name):
    report, cohort = made(name, tmp_path)
    assert {key: report.totals[key] for key in EXPECTED[name]} == EXPECTED[name]
    assert set(cohort.examples("malignant")["label"]) == {"0", "1"}
    assert all(line.status == "labelled" for line in report.lines if line.views)
    assert cohort.patient_ids == ("real" if name == "thyroidxl" else "absent")
    assert any("two sides of a split" in remark for remark in cohort.remarks) == (name != "thyroidxl")
    assert all(remark in (tmp_path / "cohort" / "import_report.md").read_text() for remark in cohort.remarks)
    assert cohort.licence == DATA_SETS[name].terms


@pytest.mark.parametrize("name", STILLS)
def test_a_corrupt_picture_is_listed_and_the_others_are_imported(tmp_path, name):
    report, cohort = made(name, tmp_path, lambda tree: trees.truncate(tree / ONE_PICTURE[name]))
    wrong = [line for line in report.lines if line.status == "unreadable"]
    assert len(wrong) == 1
    assert ONE_PICTURE[name].endswith(wrong[0].file)
    assert len(cohort.views) == EXPECTED[name]["views"] - 1


@pytest.mark.parametrize("name", STILLS)
def test_a_folder_without_the_set_is_refused_with_what_is_missing(tmp_path, name):
    (tmp_path / "tree").mkdir()
    with pytest.raises(CohortError, match="as published"):
        import_data_set(name, tmp_path / "tree", tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()


def test_a_destination_that_exists_is_refused(tmp_path):
    trees.write_tnscui(tmp_path / "tree")
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "mine.txt").write_text("")
    with pytest.raises(OutputError):
        import_data_set("tnscui", tmp_path / "tree", tmp_path / "cohort")


@pytest.mark.parametrize("name", ["tn3k", "tnscui", "thyroidxl"])
def test_the_mask_is_that_of_the_source_and_gives_the_box(tmp_path, name):
    _, cohort = made(name, tmp_path)
    view = cohort.examples("malignant").iloc[0]
    assert np.array_equal(read_mask(view["mask"]), trees.lesion())
    assert view["box"] == (16, 8, 40, 24)
    assert view["region_source"] == "drawn"


@pytest.mark.parametrize("name", ["tn3k", "tnscui", "thyroidxl"])
def test_a_missing_an_empty_a_grey_and_a_wrongly_sized_mask_leave_their_pictures_out(tmp_path, name):
    masks = {"tn3k": "trainval-mask", "tnscui": "mask", "thyroidxl": "train/masks"}

    def spoil(tree):
        paths = sorted((tree / masks[name]).iterdir())
        paths[0].unlink()
        trees.save_mask(paths[1], np.zeros((trees.HEIGHT, trees.WIDTH), bool))
        trees.save(paths[2], np.tile(np.arange(trees.WIDTH, dtype=np.uint8) * 4, (trees.HEIGHT, 1)))
        trees.save_mask(paths[3], trees.lesion(20, 28))

    report, cohort = made(name, tmp_path, spoil)
    wrong = sorted(line.detail for line in report.lines if line.status == "without outline")
    assert len(wrong) == 4
    assert "28 x 20" in "".join(wrong)
    assert len(cohort.views) == EXPECTED[name]["views"] - 4


def test_copies_within_a_part_are_one_view_and_their_patients_one_group(tmp_path):
    def copy(tree):
        first, second = (tree / "train" / "images" / f"{n:08}_2201CE11_0.png" for n in (2, 3))
        shutil.copy(first, second)
        records = trees.read_records(tree)
        records["00000003"]["conclusion"] = 2  # as patient 2
        trees.write_records(tree, records)

    report, cohort = made("thyroidxl", tmp_path, copy)
    line = lines(report)["train/images/00000003_2201CE11_0.png"]
    assert line.status == "duplicate of 00000002_2201CE11_0"
    groups = cohort.nodules.set_index("patient_id")["group_id"]
    assert groups["00000003"] == groups["00000002"] == "00000002"
    assert groups["00000004"] == "00000004"


def test_a_picture_in_train_and_test_stays_in_test_only(tmp_path):
    def copy(tree):
        shutil.copy(tree / "test-image" / "0001.jpg", tree / "trainval-image" / "0004.jpg")

    report, cohort = made("tn3k", tmp_path, copy)
    line = lines(report)["trainval-image/0004.jpg"]
    assert (line.status, line.views) == ("duplicate of test_0001", 0)
    assert "published in test and train" in line.detail
    assert "trainval_0004" not in set(cohort.views["view_id"])
    assert list(cohort.excluded["patient_id"]) == ["trainval_0004"]
    assert cohort.nodules.set_index("nodule_id").loc["test_0001", "group_id"] == "test_0001"


def test_copies_with_contradicting_labels_are_left_out_on_both_sides(tmp_path):
    def copy(tree):
        shutil.copy(tree / "image" / "1.PNG", tree / "image" / "2.PNG")

    report, cohort = made("tnscui", tmp_path, copy)
    assert [line.status for line in report.lines if line.file in ("image/1.PNG", "image/2.PNG")] == ["ambiguous"] * 2
    assert len(cohort.views) == 4


def test_tn3k_tells_its_published_fold_and_faults_of_its_tables_by_line(tmp_path):
    def spoil(tree):
        with (tree / "label4trainval.csv").open("a") as stream:
            stream.write("9999.jpg,1\n0001.jpg,maybe\n0002.jpg,1\n\n")
        (tree / "tn3k-trainval-fold4.json").write_text('{"val": [99]}')

    report, cohort = made("tn3k", tmp_path, spoil)
    rows = [line.detail for line in report.lines if line.kind == "row"]
    assert rows == [
        "line 9: it names no picture that is here",
        "line 10: its label is not 0 or 1",
        "line 11: it contradicts an earlier line: the picture has no label",
        "the whole file: it is no fold: a position is not from 0 to 7",
    ]
    nodules = cohort.nodules.set_index("nodule_id")
    assert list(nodules.loc[["trainval_0000", "trainval_0006"], "published_fold"]) == ["0", "1"]
    assert pd.isna(nodules.loc["trainval_0004", "published_fold"])
    assert pd.isna(nodules.loc["trainval_0002", "malignant"])
    assert lines(report)["trainval-image/0002.jpg"].status == "unlabelled"


def test_tn5000_reads_corners_as_voc_counts_them_and_gives_each_box_a_nodule(tmp_path):
    def spoil(tree):
        notes = tree / "TN5000_forReview" / "Annotations"
        trees.write_voc(notes / "000001.xml", [("1", (17, 9, 40, 24)), ("0", (1, 1, 9, 9))])
        trees.write_voc(notes / "000002.xml", [("2", (17, 9, 40, 24))])
        trees.write_voc(notes / "000003.xml", [("1", (17, 9, 400, 24))])
        (notes / "000004.xml").write_text('<!DOCTYPE a [<!ENTITY b "b">]><annotation>&b;</annotation>')
        (notes / "000005.xml").unlink()
        with (tree / "TN5000_forReview" / "ImageSets" / "Main" / "train.txt").open("a") as stream:
            stream.write("000009\n777777\n")

    report, cohort = made("tn5000", tmp_path, spoil)
    views = cohort.examples("malignant").set_index("view_id")
    assert views.loc["000001", "box"] == (16, 8, 40, 24)
    assert views.loc["000001_2", "box"] == (0, 0, 9, 9)
    assert list(views.loc[["000001", "000001_2"], "label"]) == ["1", "0"]
    assert views.loc["000009", "fixed_split"] == "test"
    details = {line.file: line.detail for line in report.lines if not line.views and line.kind == "picture"}
    for number, reason in ((2, "not 0 or 1"), (3, "leaves"), (4, "entities"), (5, "no annotation file")):
        assert reason in details[f"JPEGImages/{number:06}.jpg"]
    rows = [line.detail for line in report.lines if line.kind == "row"]
    assert rows == [
        "line 7: the picture stands in the test part too, and stays there",
        "line 8: it names no picture that is here",
    ]


def test_thyroidxl_takes_reference_size_and_grade_from_the_record(tmp_path):
    def change(tree):
        records = trees.read_records(tree)
        records["00000002"] |= {"age": 1985, "gender": 1}
        records["00000003"]["nodule_2"] = dict(records["00000003"]["nodule_1"])
        records["00000004"] |= {"conclusion": 9}
        records["00000005"]["images"].append("00000005_LOST_2.png")
        trees.write_records(tree, records)

    report, cohort = made("thyroidxl", tmp_path, change)
    nodules = cohort.nodules.set_index("nodule_id")
    patients = cohort.patients.set_index("patient_id")
    assert list(nodules.loc[["00000001", "00000002", "00000003"], "reference"]) == ["surgery", "cytology", "cytology"]
    assert tuple(nodules.loc["00000001", ["size_mm", "tirads"]]) == (22.0, "TR4")
    assert nodules.loc["00000003", ["size_mm", "tirads"]].isna().all()
    assert nodules.loc["00000003", "nodules_described"] == "2"
    assert pd.isna(nodules.loc["00000004", "malignant"])
    assert tuple(patients.loc["00000001", ["sex", "age_years"]]) == ("F", 60.0)
    assert patients.loc["00000002", "sex"] == "M"
    assert pd.isna(patients.loc["00000002", "age_years"])
    assert "00000005_LOST_2.png is not there" in "".join(line.detail for line in report.lines if line.kind == "row")


def test_records_of_unexpected_kinds_are_no_labels_and_not_fatal(tmp_path):
    def change(tree):
        records = trees.read_records(tree)
        records["00000001"] |= {"conclusion": [1], "gender": {}, "age": "old", "images": 7, "nodule_1": [1]}
        records["00000002"] = "gone"
        trees.write_records(tree, records)

    report, cohort = made("thyroidxl", tmp_path, change)
    assert pd.isna(cohort.nodules.set_index("nodule_id").loc["00000001", "malignant"])
    assert lines(report)["train/images/00000002_2201CE11_0.png"].detail == "no record of its patient"


def test_two_pictures_that_differ_in_their_suffix_only_are_not_both_taken(tmp_path):
    report, cohort = made("tnscui", tmp_path, lambda tree: trees.save(tree / "image" / "1.jpg", trees.picture(99)))
    assert len(cohort.views) == 6
    assert sum("only in its suffix" in line.detail for line in report.lines) == 1


def test_thyroidxl_honours_the_list_of_patients_not_the_folder(tmp_path):
    def move(tree):
        (tree / "stats" / "train_patients.txt").write_text("00000001\n00000002\n00000006\n")

    report, cohort = made("thyroidxl", tmp_path, move)
    assert set(cohort.patients["patient_id"]) == {f"{number:08}" for number in (1, 2, 6, 7, 8)}
    found = lines(report)
    assert "in no part" in found["train/images/00000003_2201CE11_0.png"].detail
    assert found["test/images/00000006_2201CE11_0.png"].views == 1
    assert "training pictures are left out" in found["train_patients.txt"].detail


def test_records_that_are_no_json_are_refused(tmp_path):
    tree = trees.write_thyroidxl(tmp_path / "tree")
    (tree / "stats" / "id2info_eng.json").write_text("{")
    with pytest.raises(CohortError, match="not JSON"):
        import_data_set("thyroidxl", tree, tmp_path / "cohort")


def test_auitd_lists_normal_thyroids_and_says_what_it_is_not_for(tmp_path):
    report, cohort = made("auitd", tmp_path)
    assert sum(line.detail == "it shows no nodule" for line in report.lines) == 5
    assert cohort.remarks[0].startswith("FOR TRYING THINGS OUT ONLY")
    assert cohort.views.get("region_source", pd.Series(dtype=object)).isna().all()


def test_pictures_are_copied_unchanged(tmp_path):
    _, cohort = made("tnscui", tmp_path)
    path = cohort.examples("malignant").iloc[0]["path"]
    assert path.read_bytes() == (tmp_path / "tree" / "image" / "1.PNG").read_bytes()


def test_the_help_says_of_every_set_where_it_is_and_its_terms():
    for card, line in zip(DATA_SETS.values(), data_set_lines(), strict=True):
        assert line.startswith(f"`{card.name}`: {card.title}")
        assert f"From: {card.where}" in line
        assert f"Terms: {card.terms}" in line
        assert card.where.startswith("http")
