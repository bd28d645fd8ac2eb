"""A folder of sweeps and a table become a cohort: video files, folders of frames with masks, boxes frame by frame."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.cohort.numbered_folders import numbered_folders
from isthmus.cohort.table_boxes import around
from isthmus.errors import CohortError
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.read import probe, write_mask
from tests.cohort.hospital_data import HEIGHT, WIDTH, write_picture, write_workbook
from tests.cohort.test_import_folder import MAP, call, import_simply
from tests.imaging.speckle import speckle
from tests.imaging.videos import jpeg, moving, write_avi

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FRAMES = 6
BOXES = {"box": {"headings": ["c0", "c1", "c2", "c3"]}}


def write_sweeps(folder: Path, cases: str = "ab", *, outlined: bool = True) -> None:
    """Write a folder of numbered frames for each case, and beside it masks: the nodule is seen in frames 2 to 4."""
    for case in cases:
        for frame in range(FRAMES):
            write_picture(folder / case / "images" / f"{frame:03d}.png", 100 * ord(case) + frame)
            if outlined:
                mask = np.zeros((HEIGHT, WIDTH), bool)
                mask[30:60, 50 : 70 + frame] = 2 <= frame <= 4
                write_mask(folder / case / "masks" / f"{frame:03d}.png", mask)


def frame_rows(case: str, label: str = "0", *cells: object) -> list[list[object]]:
    return [[case, label, str(frame), *cells] for frame in range(FRAMES)]


def import_sweeps(folder: Path, rows: list[list[object]], **changes: object) -> tuple[Cohort, pd.DataFrame]:
    return import_simply(folder, rows, frame_folders="images$", join={"match": {"id": "folder"}}, **changes)


class TestVideoFiles:
    @pytest.fixture
    def clips(self, tmp_path: Path) -> Path:
        (tmp_path / "pictures").mkdir()
        for number in range(3):
            write_avi(tmp_path / "pictures" / f"{number}.avi", [jpeg(frame) for frame in moving(5 + number)])
        return tmp_path

    def test_become_cine_with_the_frame_rate_of_their_file(self, clips: Path) -> None:
        cohort, _ = import_simply(clips, [[str(number), str(number % 2)] for number in range(3)])
        assert cohort.views["modality"].tolist() == ["cine"] * 3
        assert cohort.views["frame_rate_hz"].tolist() == [25.0] * 3
        assert [probe(cohort.folder / path).frames for path in cohort.views["path"]] == [5, 6, 7]

    def test_several_of_a_patient_are_views_of_one_unit_in_the_order_of_the_table(self, clips: Path) -> None:
        cohort, _ = import_simply(
            clips,
            [["p", "1", "2"], ["p", "1", "0"], ["q", "0", "1"]],
            join={"match": {"c0": "number"}, "pattern": "(?P<number>[0-9]+)"},
        )
        assert cohort.nodules["nodule_id"].tolist() == ["p", "q"]
        assert cohort.views["nodule_id"].tolist() == ["p", "p", "q"]
        assert [probe(cohort.folder / path).frames for path in cohort.views["path"]] == [7, 5, 6]

    def test_of_a_double_picture_the_contrast_panel_is_found_though_no_agent_is_seen_at_first(
        self, tmp_path: Path
    ) -> None:
        frames = np.zeros((12, 240, 400, 3), np.uint8)
        frames[:, 20:220, 20:200] = speckle(200, 180, 1, 90.0)[..., None]
        frames[6:, 20:220, 210:380] = speckle(200, 170, 2, 60.0)[..., None]
        (tmp_path / "pictures").mkdir()
        for number in range(2):
            write_avi(tmp_path / "pictures" / f"{number}.avi", [jpeg(frame) for frame in frames], size=(400, 240))
        cohort, _ = import_simply(
            tmp_path, [["0", "0"], ["1", "1"]], modality={"default": "cine", "patterns": {"ceus": "1.avi"}}
        )
        assert cohort.views["modality"].tolist() == ["cine", "ceus"]
        (_, _, plain, _), (x0, _, x1, _) = ([float(one) for one in text.split()] for text in cohort.views["region"])
        assert plain < 210  # B-mode alone, as the first frame shows it
        assert x0 < 25
        assert x1 > 370

    def test_a_rate_in_the_table_that_the_file_denies_is_told_and_not_taken(self, clips: Path) -> None:
        cohort, report = import_simply(
            clips, [["0", "0", "25"], ["1", "1", "30 fps"]], columns={"patient_id": "id", "frame_rate_hz": "c0"}
        )
        assert cohort.views["frame_rate_hz"].tolist() == [25.0, 25.0]
        assert "the table says 30 frames a second, the file 25.0" in report["detail"].tolist()[1]
        assert report["detail"].tolist()[0] == "row 2"

    def test_a_file_cut_short_is_listed_and_the_others_are_imported(self, clips: Path) -> None:
        cut = clips / "pictures" / "1.avi"
        cut.write_bytes(cut.read_bytes()[:4000])
        cohort, report = import_simply(clips, [[str(number), str(number % 2)] for number in range(3)])
        assert len(cohort.views) == 2
        assert report.set_index("file").loc["1.avi", "status"] == "unreadable"


class TestFoldersOfFrames:
    def test_take_the_masks_beside_them_frame_by_frame(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures")
        cohort, report = import_sweeps(tmp_path, [*frame_rows("a"), *frame_rows("b", "1")])
        assert cohort.views["modality"].tolist() == ["cine", "cine"]
        assert cohort.views["region_source"].tolist() == ["drawn", "drawn"]
        masks = read_clip_mask(cohort.folder / str(cohort.views["mask"][0]))
        assert masks.shape == (FRAMES, HEIGHT, WIDTH)
        assert masks.any((1, 2)).tolist() == [False, False, True, True, True, False]
        assert masks[3].sum() == 30 * 23
        assert (report["status"] == "used with another row").sum() == 2 * (FRAMES - 1)

    def test_take_rate_and_device_from_the_table_where_the_files_say_nothing(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures", outlined=False)
        columns = {"patient_id": "id", "frame_rate_hz": {"constant": 20}, "device": "c1"}
        rows = [*frame_rows("a", "0", "X9"), *frame_rows("b", "1", "Y1")]
        cohort, _ = import_sweeps(tmp_path, rows, columns=columns)
        assert cohort.views["frame_rate_hz"].tolist() == [20.0, 20.0]
        assert cohort.views["device"].tolist() == ["X9", "Y1"]
        assert cohort.views["region_source"].tolist() == ["whole", "whole"]

    def test_boxes_of_rows_that_name_their_frame_become_boxes_of_frames(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures", "a", outlined=False)
        rows = [["a", "1", str(frame), str(40 + frame), "30", "70", "60"] for frame in (2, 3, 9)]
        rows += [["a", "1", "5", "", "", "", ""]]
        boxes = {"headings": ["c1", "c2", "c3", "c4"]}
        cohort, report = import_sweeps(tmp_path, rows, columns={"patient_id": "id", "frame": "c0", "box": boxes})
        assert cohort.boxes is not None
        assert cohort.boxes[["frame", "box"]].to_numpy().tolist() == [[2, "42 30 70 60"], [3, "43 30 70 60"]]
        assert cohort.views["region_source"].tolist() == ["drawn"]
        assert "1 of the table's boxes are of no frame of this clip" in report["detail"][0]

    def test_boxes_that_differ_and_name_no_frame_are_never_taken_for_the_whole_clip(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures", "a", outlined=False)
        rows = [["a", "1", str(40 + frame), "30", "70", "60"] for frame in (2, 3)]
        cohort, report = import_sweeps(tmp_path, rows, columns={"patient_id": "id", **BOXES})
        assert "box" not in cohort.views or cohort.views["box"].isna().all()
        assert "no `frame` says of which frame: none is used" in report["detail"][0]

    def test_of_several_sizes_are_listed_and_the_others_are_imported(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures", outlined=False)
        large = np.zeros((40, 40), bool)
        write_mask(tmp_path / "pictures" / "a" / "images" / "003.png", large)
        cohort, report = import_sweeps(tmp_path, [*frame_rows("a"), *frame_rows("b", "1")])
        assert cohort.patients["patient_id"].tolist() == ["b"]
        assert report.set_index("file").loc["a/images", "status"] == "unreadable"


class TestWithoutLabels:
    def test_a_cohort_is_imported_that_says_so(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures")
        cohort, report = import_sweeps(tmp_path, [*frame_rows("a"), *frame_rows("b")], targets={})
        assert cohort.targets == {}
        assert report["status"].tolist()[:2] == ["unlabelled", "unlabelled"]
        with pytest.raises(CohortError, match="nothing in it is labelled"):
            cohort.examples("malignant", "cine")
        said = [finding.message for finding in check_cohort(cohort).findings]
        assert "nothing in it is labelled: no model can be trained or judged on it" in said

    def test_a_map_that_leaves_targets_out_is_asked_for_them(self, tmp_path: Path) -> None:
        write_sweeps(tmp_path / "pictures")
        write_workbook(tmp_path / "table.xlsx", [["id", "label"], ["a", "0"]])
        without = {name: value for name, value in MAP.items() if name != "targets"}
        (tmp_path / "map.yaml").write_text(yaml.safe_dump(without), encoding="utf-8")
        command = ["cohort", "import", "folder", tmp_path / "pictures", tmp_path / "cohort"]
        code, said = call(*command, "--table", tmp_path / "table.xlsx", "--map", tmp_path / "map.yaml")
        assert code == 1
        assert "targets: it is needed" in said


class TestDraft:
    def test_folders_of_numbered_frames_are_pointed_out(self, tmp_path: Path) -> None:
        for case in "ab":
            for frame in range(9):
                write_picture(tmp_path / "pictures" / case / "images" / f"{frame}.png", 100 * ord(case) + frame)
        write_workbook(tmp_path / "table.xlsx", [["case_id", "label"], ["a", "benign"], ["b", "malignant"]])
        call(
            "cohort", "import", "folder", tmp_path / "pictures", tmp_path / "c", "--table", tmp_path / "table.xlsx"
        )  # fmt: skip
        draft = (tmp_path / "map.yaml").read_text(encoding="utf-8")
        assert "2 folders hold 9 to 9 pictures each" in draft
        assert '# frame_folders: "(?:^|/)images$"' in draft
        assert "frame_folders" not in yaml.safe_load(draft)

    def test_numbered_stills_of_one_folder_and_names_with_gaps_are_not(self) -> None:
        assert numbered_folders([f"all/{number}.png" for number in range(50)]) is None
        assert numbered_folders([f"{case}/{number}.png" for case in "ab" for number in range(0, 50, 2)]) is None

    def test_folders_of_other_names_are_told_by_their_parent(self) -> None:
        found = numbered_folders([f"sweeps/{case}/f{number}.png" for case in "abc" for number in range(8, 20)])
        assert found is not None
        assert (found.pattern, found.folders, found.frames) == ("^sweeps/[^/]+$", 3, (12, 12))


def test_no_boxes_have_no_box_around_them() -> None:
    assert around([]) is None
    assert around([(1.0, 2.0, 3.0, 4.0), (0.0, 3.0, 2.0, 9.0)]) == (0.0, 2.0, 3.0, 9.0)


class TestRealClips:
    def test_of_the_breast_are_imported_by_their_map(self, data_folder: Path, tmp_path: Path) -> None:
        source, cohort = data_folder / "breast_cineclip", tmp_path / "breast"
        command = ["cohort", "import", "folder", source, cohort, "--table", source / "clips.csv"]
        code, said = call(*command, "--map", EXAMPLES / "breast_cineclip.map.yaml")
        assert code == 0, said
        found = load_cohort(cohort)
        table = pd.read_csv(source / "clips.csv")
        assert (len(found.patients), len(found.nodules), len(found.views)) == (10, 10, 47)
        assert found.patients["malignant"].value_counts().to_dict() == {"0": 5, "1": 5}
        assert found.views["frame_rate_hz"].tolist() == table["fps"].tolist()
        frames = [probe(path).frames for path in found.examples("malignant", "cine")["path"]]
        assert sorted(frames) == sorted(table["n_frames"])

    def test_of_the_thyroid_are_imported_with_the_mask_of_every_frame(self, data_folder: Path, tmp_path: Path) -> None:
        source, cohort = tmp_path / "two_cases", tmp_path / "thyroid"
        for case in ("case_001", "case_010"):
            shutil.copytree(data_folder / "thyroid_cine_frames" / case, source / case)
        table = pd.read_csv(data_folder / "thyroid_cine_frames" / "manifest.csv")
        table[table["case_id"].isin(["case_001", "case_010"])].to_csv(source / "manifest.csv", index=False)
        command = ["cohort", "import", "folder", source, cohort, "--table", source / "manifest.csv"]
        code, said = call(*command, "--map", EXAMPLES / "thyroid_cine_frames.map.yaml")
        assert code == 0, said
        found = load_cohort(cohort)
        assert len(found.views) == 2
        for view in found.views.itertuples():
            masks = read_clip_mask(cohort / str(view.mask))
            stated = table.loc[table["case_id"] == view.nodule_id, "nodule_in_frame"]
            assert masks.any((1, 2)).tolist() == (stated == 1).tolist()
