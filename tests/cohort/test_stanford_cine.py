import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.sources import import_data_set, stanford_cine
from isthmus.errors import CohortError, TableError
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.read import read_clip
from tests.cohort import trees


def made(tmp_path, change=None, **options):
    tree = trees.write_stanford(tmp_path / "tree", **options)
    if change is not None:
        change(tree)
    report = import_data_set("stanford-cine", tree, tmp_path / "cohort")
    return report, load_cohort(tmp_path / "cohort")


def test_every_clip_becomes_frames_in_order_with_a_page_of_mask_each(tmp_path):
    report, cohort = made(tmp_path)
    assert (report.totals["views"], report.totals["nodules malignant"]) == (3, 1)
    view = cohort.examples("malignant", "cine").set_index("view_id").loc["202"]
    clip = read_clip(view["path"])
    expected = np.stack([trees.stanford_frame("202_", number) for number in range(5)])
    assert np.array_equal(clip.frames[..., 0], expected)
    masks = read_clip_mask(view["mask"])
    assert not masks[0].any()
    assert np.array_equal(masks[1:], np.stack([trees.lesion()] * 4))
    assert view["region_source"] == "drawn"


def test_descriptors_get_a_code_only_where_their_points_leave_one_term(tmp_path):
    _, cohort = made(tmp_path)
    nodule = cohort.nodules.set_index("nodule_id").loc["202"]
    assert tuple(nodule[["composition", "echogenicity", "shape", "tirads"]]) == (
        "solid",
        "hypoechoic",
        "taller_than_wide",
        "TR5",
    )
    assert "margin" not in nodule or pd.isna(nodule["margin"])  # two points: lobulated or irregular
    assert nodule["points_margin"] == "2"
    assert nodule["size_mm"] == 25.0
    assert tuple(cohort.patients.set_index("patient_id").loc["202", ["sex", "age_years"]]) == ("F", 50.0)


def test_ids_that_name_no_patients_are_said(tmp_path):
    _, cohort = made(tmp_path)
    assert cohort.patient_ids == "absent"
    assert "two sides of a split" in cohort.remarks[0]


def test_nodules_that_share_the_part_before_the_underscore_are_one_patients(tmp_path):
    _, cohort = made(tmp_path, annot_ids=("7_1", "7_2", "9_1"))
    assert cohort.patient_ids == "real"
    assert list(cohort.nodules.sort_values("nodule_id")["patient_id"]) == ["7", "7", "9"]
    assert cohort.patients.set_index("patient_id").loc["7", "age_years"] == 50  # the rows say 50 and 51


def test_one_frame_at_a_time_is_read_and_memory_stays_far_below_the_files_size(tmp_path, monkeypatch):
    # 40 frames of 400 x 500: 8 MB of pictures and as much of masks; chunks hold four frames each.
    tree = trees.write_stanford(tmp_path / "tree", ("1_", "2_"), (20, 20), 400, 500, chunk=4)
    asked = []
    frames = stanford_cine._frames

    def counted(images, places):
        class Watched:
            def __getitem__(self, place):
                asked.append(place)
                return images[place]

        return frames(Watched(), places)

    monkeypatch.setattr(stanford_cine, "_frames", counted)
    tracemalloc.start()
    import_data_set("stanford-cine", tree, tmp_path / "cohort")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(asked) == list(range(40))
    assert peak < 4e6, peak


def spoil_mask(tree):
    with h5py.File(tree / "dataset.hdf5", "r+") as stream:
        place = list(stream["annot_id"][:]).index(b"7_")
        stream["mask"][place] = 128


def spoil_number(tree):
    with h5py.File(tree / "dataset.hdf5", "r+") as stream:
        places = np.flatnonzero(stream["annot_id"][:] == b"7_")
        stream["frame_num"][places[0]] = stream["frame_num"][places[1]]


def spoil_chunk(tree):
    with h5py.File(tree / "dataset.hdf5", "r+") as stream:
        place = list(stream["annot_id"][:]).index(b"7_")
        at = stream["image"].id.get_chunk_info_by_coord((place, 0, 0))
    content = bytearray((tree / "dataset.hdf5").read_bytes())
    content[at.byte_offset : at.byte_offset + at.size] = bytes(at.size)
    (tree / "dataset.hdf5").write_bytes(content)


def spoil_row(tree):
    text = (tree / "metadata.csv").read_text()
    (tree / "metadata.csv").write_text(text.replace("7_,", "8_,"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_mask, "other values than 0 and 255"),
        (spoil_number, "a frame number comes twice"),
        (spoil_chunk, "the file is damaged"),
        (spoil_row, "no row of it"),
    ],
)
def test_a_clip_that_cannot_be_used_is_listed_and_leaves_nothing_behind(tmp_path, spoil, reason):
    report, cohort = made(tmp_path, spoil)
    line = next(line for line in report.lines if line.file == "dataset.hdf5/7_")
    assert (line.status, line.views, reason in line.detail) == ("unreadable", 0, True), line
    assert sorted(cohort.views["view_id"]) == ["202", "44"]
    assert not (tmp_path / "cohort" / "pictures" / "7").exists()
    assert not (tmp_path / "cohort" / "masks" / "7.tiff").exists()
    assert list(cohort.excluded["patient_id"]) == ["7"]


def test_rows_without_frames_doubled_rows_and_missing_labels_are_lines_of_the_report(tmp_path):
    def change(tree):
        with (tree / "metadata.csv").open("a") as stream:
            stream.write("7_,1,,,,,,,,,,,,1\n99_,1,,,,,,,,,,,,1\n,1,,,,,,,,,,,,1\n")
        text = (tree / "metadata.csv").read_text()
        (tree / "metadata.csv").write_text(text.replace("4.5,0.9,2,2,3,2,3,5,0", "4.5,0.9,,,,,,,"))

    report, cohort = made(tmp_path, change)
    rows = [line.detail for line in report.lines if line.kind == "row"]
    assert rows == [
        "line 5: its annot_id stands in an earlier line",
        "line 7: it has no annot_id",
        "99_: dataset.hdf5 has no frames of it",
    ]
    assert pd.isna(cohort.nodules.set_index("nodule_id").loc["44", "malignant"])


def test_files_that_are_not_the_set_are_refused(tmp_path):
    tree = trees.write_stanford(tmp_path / "tree")
    content = (tree / "dataset.hdf5").read_bytes()
    (tree / "dataset.hdf5").write_bytes(content[:500])
    with pytest.raises(CohortError, match="no HDF5 file"):
        import_data_set("stanford-cine", tree, tmp_path / "cohort")
    with h5py.File(tree / "dataset.hdf5", "w") as stream:
        stream["pictures"] = np.zeros(3)
    with pytest.raises(CohortError, match="it holds pictures"):
        import_data_set("stanford-cine", tree, tmp_path / "cohort")
    (tree / "metadata.csv").write_text("id,label\n1,1\n")
    with pytest.raises(TableError, match="no column annot_id"):
        import_data_set("stanford-cine", tree, tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()
