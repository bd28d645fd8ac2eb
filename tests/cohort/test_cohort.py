import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.description import Description, Target, read_description, write_description
from isthmus.errors import CohortError, InputError, IsthmusError, TableError
from isthmus.files import read_yaml, write_yaml
from isthmus.tables.check import write_table
from tests.cohort.small import TARGET, spoil, write_small_cohort


@pytest.fixture
def folder(tmp_path):
    return write_small_cohort(tmp_path)


def refusal(folder, kind=TableError):
    with pytest.raises(kind) as caught:
        load_cohort(folder)
    return str(caught.value)


def test_examples_are_the_labelled_views_sorted_with_absolute_paths(folder):
    examples = load_cohort(folder).examples("malignant")
    # 24 patients, the last without a label; every third of the others (0, 3, …, 21) is malignant.
    assert len(examples) == 23
    assert (examples["label"] == "1").sum() == 8
    assert examples["view_id"].is_monotonic_increasing
    row = examples.iloc[7]
    assert (row["nodule_id"], row["patient_id"], row["group_id"], row["site"]) == ("007", "007", "007", "B")
    assert row["path"].is_absolute()
    assert row["path"].is_file()
    assert row["mask"].is_file()
    assert row["box"] == (20.0, 10.0, 40.0, 30.0)
    assert row["region"] == (4.0, 4.0, 60.0, 44.0)
    assert np.isnan(row["spacing_mm"])
    assert row["fixed_split"] is None
    assert row["device"] is None


def test_examples_of_clips_have_their_frame_rate_and_a_box_for_each_frame(folder):
    views = pd.read_csv(folder / "views.csv", dtype=str, keep_default_na=False)
    views["frame_rate_hz"] = ["25", *[""] * (len(views) - 1)]
    views.to_csv(folder / "views.csv", index=False)
    view = views["view_id"][0]
    rows = [(view, 4, "1 2 5 9"), (view, 2, "20 10 40 30")]
    write_table(folder / "boxes.csv", pd.DataFrame(rows, columns=["view_id", "frame", "box"]))
    examples = load_cohort(folder).examples("malignant").set_index("view_id")
    assert examples.loc[view, "frame_rate_hz"] == 25.0
    boxes = examples.loc[view, "frame_boxes"]
    assert boxes.shape == (5, 4)
    assert boxes[[2, 4]].tolist() == [[20, 10, 40, 30], [1, 2, 5, 9]]
    assert np.isnan(boxes[[0, 1, 3]]).all()
    others = examples.drop(index=view)
    assert others["frame_rate_hz"].isna().all()
    assert others["frame_boxes"].isna().all()
    (folder / "boxes.csv").unlink()
    assert load_cohort(folder).examples("malignant")["frame_boxes"].isna().all()


def test_a_group_is_the_patient_unless_the_table_says_otherwise(folder):
    spoil(folder, "nodules", 2, "group_id", "tied")
    spoil(folder, "nodules", 3, "group_id", "tied")
    examples = load_cohort(folder).examples("malignant")
    assert examples["group_id"].tolist()[:3] == ["tied", "tied", "002"]


def test_a_target_of_the_patient_reads_the_label_from_the_patients(folder):
    content = read_yaml(folder / "cohort.yaml")
    content["targets"]["olnm"] = {
        "column": "olnm",
        "table": "patients",
        "unit": "patient",
        "classes": {0: "no", 1: "yes"},
        "reference": "surgery",
    }
    write_yaml(folder / "cohort.yaml", content)
    for line in range(2, 26):
        spoil(folder, "patients", line, "olnm", str(line % 2))
    examples = load_cohort(folder).examples("olnm")
    assert examples["label"].tolist() == [str(line % 2) for line in range(2, 26)]


def test_the_fingerprint_changes_with_a_table_and_with_the_description_and_with_nothing_else(folder):
    before = load_cohort(folder).fingerprint()
    (folder / "notes.txt").write_text("nothing")
    assert load_cohort(folder).fingerprint() == before
    spoil(folder, "nodules", 2, "malignant", "0")
    after = load_cohort(folder).fingerprint()
    assert after != before
    content = read_yaml(folder / "cohort.yaml")
    write_yaml(folder / "cohort.yaml", content | {"name": "other"})
    assert load_cohort(folder).fingerprint() != after


def test_all_dangling_ids_and_unknown_labels_of_all_tables_are_reported_at_once(folder):
    spoil(folder, "views", 3, "nodule_id", "nobody")
    spoil(folder, "nodules", 4, "patient_id", "nobody")
    spoil(folder, "nodules", 5, "malignant", "maybe")
    spoil(folder, "patients", 6, "sex", "x")
    message = refusal(folder)
    assert message.startswith("4 bad values:")
    assert "views.csv, line 3, column 'nodule_id': 'nobody'; expected a nodule_id of nodules.csv" in message
    assert "nodules.csv, line 4, column 'patient_id': 'nobody'" in message
    assert "line 5, column 'malignant': 'maybe'; expected blank, or a class of target 'malignant': 0, 1" in message
    assert "patients.csv, line 6, column 'sex': 'x'; expected one of F, M" in message


def test_a_patient_in_two_groups_is_refused(folder):
    spoil(folder, "nodules", 3, "patient_id", "000")
    spoil(folder, "nodules", 2, "group_id", "a")
    spoil(folder, "nodules", 3, "group_id", "b")
    assert "'b'; expected one group for all nodules of a patient" in refusal(folder)


def test_a_missing_label_column_is_refused(folder):
    frame = pd.read_csv(folder / "nodules.csv", dtype=str).drop(columns="malignant")
    write_table(folder / "nodules.csv", frame)
    assert "column 'malignant': blank; expected the label column of target 'malignant'" in refusal(folder)


def test_an_unknown_target_names_the_nearest_and_a_modality_without_labels_is_refused(folder):
    cohort = load_cohort(folder)
    with pytest.raises(CohortError, match="did you mean 'malignant'"):
        cohort.examples("malignat")
    with pytest.raises(CohortError, match="no view of modality 'ceus' has a label"):
        cohort.examples("malignant", modality="ceus")


def test_tables_may_be_parquet_but_not_both(folder):
    frame = pd.read_csv(folder / "nodules.csv", dtype={"nodule_id": str, "patient_id": str})
    write_table(folder / "nodules.parquet", frame)
    assert "both nodules.csv and nodules.parquet" in refusal(folder, CohortError)
    (folder / "nodules.csv").unlink()
    # In Parquet the label column is a float there, because of its one blank; it is text all the same.
    assert set(load_cohort(folder).examples("malignant")["label"]) == {"0", "1"}


def test_reads_need_a_declared_scale_and_stay_on_it(folder):
    reads = pd.DataFrame(
        {
            "reader_id": ["r", "r"],
            "condition": "unaided",
            "target": "malignant",
            "unit_id": ["000", "zzz"],
            "score": [3, 9],
        }
    )
    write_table(folder / "reads.csv", reads)
    message = refusal(folder)
    assert "'reads: {low, high, higher_is}' in cohort.yaml" in message
    assert "'zzz'; expected a nodule_id of nodules" in message
    content = read_yaml(folder / "cohort.yaml")
    write_yaml(folder / "cohort.yaml", content | {"reads": {"low": 1, "high": 5, "higher_is": "positive"}})
    assert "'9'; expected a score from 1 to 5" in refusal(folder).replace("9.0", "9")


def test_reads_that_come_twice_and_calls_of_no_class_are_named(folder):
    again = {"session": ["1", "1", "2", "1"], "call": ["1", "0", "0", "malignant"], "unit_id": ["000"] * 3 + ["001"]}
    reads = pd.DataFrame({"reader_id": "r", "condition": "unaided", "target": "malignant", **again})
    write_table(folder / "reads.csv", reads)
    message = refusal(folder)
    assert "reads.csv, line 3, column 'unit_id': '000'; expected one read of a reader, condition, session" in message
    assert "'malignant'; expected blank, or a class of target 'malignant': 0, 1" in message
    assert "2 bad values" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "isthmus-cohort/2.0"}, "newer"),
        ({"licens": "x"}, "licens"),
        ({"targets": "malignant"}, "targets"),
        ({"patient_ids": "maybe"}, "patient_ids"),
    ],
)
def test_a_wrong_description_is_refused_with_the_key(folder, change, words):
    write_yaml(folder / "cohort.yaml", read_yaml(folder / "cohort.yaml") | change)
    assert words in refusal(folder, InputError)


def test_a_label_must_stand_in_the_table_of_its_unit():
    with pytest.raises(ValueError, match=r"stands in nodules\.csv"):
        Target(**(TARGET.model_dump() | {"table": "patients"}))


def test_the_description_survives_being_written(tmp_path):
    description = Description(name="n", licence="l", citation="c", simulated=True, targets={"malignant": TARGET})
    write_description(tmp_path, description)
    assert read_description(tmp_path) == description


def test_the_folder_above_a_cohort_is_answered_with_the_cohort(tmp_path):
    with pytest.raises(CohortError, match="Next: make a cohort of these files with 'isthmus cohort import'"):
        read_description(tmp_path)
    (tmp_path / "mine").mkdir()
    write_description(tmp_path / "mine", Description(name="n", licence="l", citation="c", targets={}))
    with pytest.raises(CohortError, match=r"Next: there are cohorts in it: .*mine$"):
        read_description(tmp_path)


def test_a_folder_that_is_no_cohort_is_refused(tmp_path, folder):
    for path, words in ((tmp_path / "none", "no such cohort folder"), (tmp_path / "masks", "no cohort.yaml here")):
        assert words in refusal(path, IsthmusError)
    (folder / "views.csv").unlink()
    assert "no views.csv here" in refusal(folder, CohortError)
