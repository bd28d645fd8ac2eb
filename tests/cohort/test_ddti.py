import shutil

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.sources.ddti import GROUPS, TARGET, import_ddti
from isthmus.cohort.splits import check_split, cross_validation_split
from isthmus.errors import CohortError, OutputError
from isthmus.imaging.read import read_mask
from tests.ddti_tree import write_ddti_tree

# What each planted fault must come to: status, views of its file.
OUTCOMES = {
    "empty mark": ("without outline", 0),
    "mark is no JSON": ("without outline", 0),
    "cut off, closed": ("repaired", 2),
    "cut off, open": ("repaired", 1),
    "repeated and cut off": ("repaired", 1),
    "stored twice": ("repaired", 1),
    "arrow": ("labelled", 1),
    "several outlines": ("ambiguous", 0),
    "across two panels": ("ambiguous", 0),
    "stray outline": ("repaired", 1),
    "leaves the panel a little": ("labelled", 1),
    "leaves the panel far": ("ambiguous", 0),
    "unknown sex": ("labelled", 1),
    "dense": ("labelled", 1),
    "age in words": ("labelled", 1),
    "unknown word": ("labelled", 1),
    "unknown grade": ("unlabelled", 1),
    "not XML": ("unreadable", 0),
    "entities": ("unreadable", 0),
    "another number": ("unreadable", 0),
    "truncated picture": ("unreadable", 0),
    "case without a picture": ("without outline", 0),
    "picture without a case": ("without outline", 0),
    "picture without a mark": ("without outline", 0),
    "two marks": ("ambiguous", 0),
    "picture of another name": ("unreadable", 0),
    "case file of another name": ("unreadable", 0),
    "same picture, contradicting labels": ("ambiguous", 0),
    "same picture, contradicting labels, the other": ("ambiguous", 0),
    "same picture, second labelled, the other": ("labelled", 1),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    base = tmp_path_factory.mktemp("ddti")
    tree = write_ddti_tree(base / "tree", 6, seed=0, faults=True)
    report = import_ddti(tree.folder, base / "cohort")
    return tree, report, base / "cohort"


@pytest.fixture(scope="module")
def lines(faulty):
    return {line.file: line for line in faulty[1].lines}


@pytest.mark.parametrize("fault", OUTCOMES)
def test_every_planted_fault_ends_as_it_should(faulty, lines, fault):
    line = lines[faulty[0].planted[fault]]
    assert (line.status, line.views) == OUTCOMES[fault]


def test_every_fault_that_the_tree_plants_is_looked_at(faulty):
    duplicates = {"same picture, second labelled", "same picture within a case"}
    assert set(faulty[0].planted) == set(OUTCOMES) | duplicates


def test_a_duplicate_goes_to_the_labelled_case_and_ties_the_two_into_one_group(faulty, lines):
    tree, _, folder = faulty
    first, other = (
        tree.planted["same picture, second labelled"],
        tree.planted["same picture, second labelled, the other"],
    )
    assert lines[first].status == f"duplicate of {other.removesuffix('.jpg')}"
    case = first.split("_")[0]
    excluded = load_cohort(folder).excluded.set_index("patient_id")
    assert excluded.loc[case, "reason"] == "every picture is pixel-identical to one of another case"
    # The lowest number names the group, also when that case itself is left without a view.
    nodules = load_cohort(folder).nodules.set_index("nodule_id")
    assert nodules.loc[other.split("_")[0], "group_id"] == case


def test_a_duplicate_within_a_case_makes_no_second_view(faulty, lines):
    again = faulty[0].planted["same picture within a case"]
    assert lines[again].status == f"duplicate of {again.replace('_2.jpg', '_1')}"
    assert lines[again].views == 0


def test_every_picture_and_every_case_file_ends_in_exactly_one_line(faulty):
    tree, report, folder = faulty
    files = [path.name for path in tree.folder.iterdir() if path.suffix in {".jpg", ".xml"}]
    assert sorted(line.file for line in report.lines) == sorted(files)
    written = pd.read_csv(folder / "import_report.csv", dtype=str, keep_default_na=False)
    assert written["file"].tolist() == [line.file for line in report.lines]
    assert written["views"].astype(int).sum() == 2 * len(load_cohort(folder).views)  # once by picture, once by case
    assert "| repaired |" in (folder / "import_report.md").read_text(encoding="utf-8")


def test_no_view_comes_from_a_file_whose_line_says_that_it_gives_none(faulty, lines):
    views = load_cohort(faulty[2]).views
    for name, count in views["path"].str.removeprefix("pictures/").value_counts().items():
        assert lines[name].views == count


def test_cases_without_a_view_are_excluded_with_the_reason_and_cases_with_one_are_not(faulty):
    cohort = load_cohort(faulty[2])
    assert set(cohort.excluded["patient_id"]).isdisjoint(cohort.patients["patient_id"])
    assert set(cohort.excluded["stage"]) == {"import"}
    number = faulty[0].planted["truncated picture"].split("_")[0]
    reason = cohort.excluded.set_index("patient_id").loc[number, "reason"]
    assert reason == "the case file or every picture cannot be read"


def test_words_without_a_safe_code_stay_blank_are_said_and_never_copied(faulty, lines):
    tree, _, folder = faulty
    assert "composition 'dense' has no safe code: left blank" in lines[tree.planted["dense"]].detail
    assert "margins holds an unknown value: left blank" in lines[tree.planted["unknown word"]].detail
    nodules = load_cohort(folder).nodules.set_index("nodule_id")
    assert pd.isna(nodules.loc[tree.planted["dense"].removesuffix(".xml"), "composition"])
    # The tree writes "Mr Smith" into two coded fields and "Jane Doe" into every free-text field.
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"Smith" not in content
            assert b"Jane" not in content


def test_a_mask_stays_in_its_panel_and_its_box_is_its_own(faulty):
    cohort = load_cohort(faulty[2])
    views = cohort.examples(TARGET)
    assert len(views) > 10
    for row in views.itertuples():
        mask = read_mask(row.mask)
        ys, xs = np.nonzero(mask)
        assert row.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert row.region[0] <= row.box[0]
        assert row.box[2] <= row.region[2]


def test_each_panel_of_a_double_picture_is_a_view_of_the_same_acquisition(faulty):
    views = load_cohort(faulty[2]).views
    double = views[views["acquisition_id"] == faulty[0].planted["cut off, closed"].removesuffix(".jpg")]
    assert double["panel"].tolist() == ["left", "right"]
    assert double["view_id"].tolist() == [
        f"{name}_{side}" for name, side in zip(double["acquisition_id"], ("left", "right"), strict=True)
    ]
    assert double["path"].nunique() == 1


def test_a_synthetic_tree_makes_a_cohort_that_calls_itself_simulated(faulty):
    cohort = load_cohort(faulty[2])
    assert cohort.simulated
    assert cohort.name != "DDTI"


def test_the_same_tree_gives_the_same_cohort(faulty, tmp_path):
    import_ddti(faulty[0].folder, tmp_path / "again")
    assert load_cohort(tmp_path / "again").fingerprint() == load_cohort(faulty[2]).fingerprint()


def test_a_faultless_tree_loses_no_panel_and_has_both_classes(tmp_path):
    tree = write_ddti_tree(tmp_path / "tree", 20, seed=2)
    report = import_ddti(tree.folder, tmp_path / "cohort")
    assert set(report.counts("picture")) == {"labelled", "unlabelled"}
    assert report.totals["patients"] == 20
    # Of every ten cases four are of grade 2 or 3, five higher, and one has no grade.
    assert report.totals["nodules of TI-RADS 2 or 3"] == 8
    assert report.totals["nodules of TI-RADS 4a or higher"] == 10
    assert load_cohort(tmp_path / "cohort").excluded.empty


def test_progress_is_told_for_every_picture(tmp_path):
    tree = write_ddti_tree(tmp_path / "tree", 3, seed=1)
    seen = []
    import_ddti(tree.folder, tmp_path / "cohort", progress=lambda *step: seen.append(step))
    assert seen == [(1, 3, "1_1.jpg"), (2, 3, "2_1.jpg"), (3, 3, "3_1.jpg")]


def test_a_source_that_is_absent_empty_a_file_or_without_any_outline_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "no_outline").mkdir()
    (tmp_path / "no_outline" / "1.xml").write_text("<case><number>1</number></case>")
    for name, words in (
        ("none", "no such folder"),
        ("empty", "no case file and no picture among 0 files"),
        ("file", "this is a file"),
        ("no_outline", "no picture here has an outline that can be used"),
    ):
        with pytest.raises(CohortError, match=words):
            import_ddti(tmp_path / name, tmp_path / "cohort")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "no_outline"]


def test_nothing_is_overwritten(faulty):
    with pytest.raises(OutputError, match="nothing is overwritten"):
        import_ddti(faulty[0].folder, faulty[2])


def test_files_that_differ_only_in_their_suffix_are_reported_not_merged(tmp_path):
    tree = write_ddti_tree(tmp_path / "tree", 2, seed=1)
    shutil.copy(tree.folder / "1_1.jpg", tree.folder / "1_1.jpeg")
    lines = {line.file: line for line in import_ddti(tree.folder, tmp_path / "cohort").lines}
    assert lines["1_1.jpg"].status == "unreadable"
    assert "differs from it only in its suffix" in lines["1_1.jpg"].detail


def test_the_real_database_comes_to_these_counts(data_folder, tmp_path):
    report = import_ddti(data_folder / "ddti", tmp_path / "cohort")
    # 480 pictures and 390 case files; each doubtful one was looked at when these counts were written down.
    assert report.counts("picture") == {
        "ambiguous": 6, "duplicate": 9, "labelled": 330, "repaired": 13, "unlabelled": 118, "without outline": 4,
    }  # fmt: skip
    assert report.counts("case") == {
        "ambiguous": 4, "duplicate": 5, "labelled": 294, "unlabelled": 85, "without outline": 2,
    }  # fmt: skip
    assert report.totals == {
        "patients": 379, "nodules": 379, "groups": 379, "views": 632,
        "nodules with a label": 294, "groups with a label": 294, "views with a label": 439,
        "nodules of TI-RADS 2 or 3": 49, "nodules of TI-RADS 4a or higher": 245,
        "views of TI-RADS 2 or 3": 62, "views of TI-RADS 4a or higher": 377,
    }  # fmt: skip
    lines = {line.file: line for line in report.lines}
    assert lines["150_1.jpg"].status == lines["349_1.jpg"].status == "duplicate of 233_2"
    assert lines["396_1.jpg"].status == "duplicate of 353_2"
    assert (lines["176_1.jpg"].status, lines["176_1.jpg"].views) == ("repaired", 1)
    cohort = load_cohort(tmp_path / "cohort")
    assert not cohort.simulated
    assert (cohort.views["panel"].notna().sum(), cohort.views["acquisition_id"].nunique()) == (347, 461)
    check_split(cross_validation_split(cohort.examples(TARGET), 5, 0))
    assert cohort.nodules[GROUPS].value_counts().to_dict() == {"intermediate": 159, "high": 86, "low": 49}


def test_the_grade_also_makes_three_ordered_classes(faulty):
    cohort = load_cohort(faulty[2])
    target = cohort.targets[GROUPS]
    assert (target.reference, list(target.classes)) == ("tirads", ["low", "intermediate", "high"])
    nodules = cohort.nodules
    assert set(zip(nodules["tirads"].dropna(), nodules[GROUPS].dropna(), strict=True)) == {
        ("2", "low"), ("3", "low"), ("4a", "intermediate"), ("4b", "intermediate"), ("4c", "high"), ("5", "high"),
    }  # fmt: skip
    assert (nodules[GROUPS].isna() == nodules[TARGET].isna()).all()
    assert ((nodules[GROUPS] == "low") == (nodules[TARGET] == "0")).all()
