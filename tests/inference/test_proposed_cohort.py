"""A cohort's missing regions are proposed and marked; drawn ones stay, or are asked for anew with --all."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import CohortError, OutputError
from isthmus.imaging.read import read_clip, read_mask
from isthmus.inference.localiser import picture_key
from isthmus.inference.proposed_cohort import propose_regions
from isthmus.tables.cohort import parse_box
from tests.inference.discs import Blind, Dark, dark_localiser, disc_picture, write_disc_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_disc_cohort(tmp_path_factory.mktemp("cohorts") / "discs", 6, without_region=(1, 4))


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, dtype="str", keep_default_na=False).set_index("view_id")


def test_only_missing_regions_are_proposed_and_each_says_so(cohort: Path, tmp_path: Path) -> None:
    done = propose_regions(dark_localiser(), load_cohort(cohort), tmp_path / "new")
    assert done.counts() == {"kept": 8, "proposed": 4}
    before, after = table(cohort, "views.csv"), table(tmp_path / "new", "views.csv")
    for view in before.index:
        if view[:3] in ("001", "004"):
            assert after.loc[view, "region_source"] == "proposed"
            mask = read_mask(tmp_path / "new" / after.loc[view, "mask"])
            columns, lines = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
            assert parse_box(after.loc[view, "box"]) == (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1)
        else:
            assert (after.loc[view] == before.loc[view]).all()
    made = load_cohort(tmp_path / "new")
    assert "4 proposed by dark" in made.remarks[-1]
    assert made.fingerprint() != load_cohort(cohort).fingerprint()
    assert not (cohort / "proposals.csv").exists()


def test_with_all_drawn_regions_are_replaced_too(cohort: Path, tmp_path: Path) -> None:
    done = propose_regions(dark_localiser(), load_cohort(cohort), tmp_path / "new", everything=True)
    assert done.counts() == {"proposed": 12}
    assert set(table(tmp_path / "new", "views.csv")["region_source"]) == {"proposed"}


def test_where_nothing_is_found_no_region_is_left_and_never_the_whole_picture(cohort: Path, tmp_path: Path) -> None:
    blind = dark_localiser(Blind(), Blind())
    done = propose_regions(blind, load_cohort(cohort), tmp_path / "new", everything=True)
    assert done.counts() == {"not found": 12}
    after = table(tmp_path / "new", "views.csv")
    assert (after[["mask", "box", "region_source"]] == "").all(axis=None)


def test_a_part_that_saw_one_view_proposes_nothing_for_its_whole_group(cohort: Path, tmp_path: Path) -> None:
    first = picture_key(read_clip(cohort / "pictures" / "001_0.png").frames[0])
    second = picture_key(read_clip(cohort / "pictures" / "004_0.png").frames[0])
    other = picture_key(read_clip(cohort / "pictures" / "004_1.png").frames[0])
    # 001: part 1 held it out. 004: its two pictures were held out by different parts, so each part saw one.
    localiser = dark_localiser(Dark(), Blind(), seen={first: 1, second: 0, other: 1})
    propose_regions(localiser, load_cohort(cohort), tmp_path / "new")
    told = table(tmp_path / "new", "proposals.csv")
    assert list(told.loc[["001_0", "001_1"], "parts"]) == ["1", "1"]
    assert list(told.loc[["001_0", "001_1"], "outcome"]) == ["not found", "not found"]
    assert list(told.loc[["004_0", "004_1"], "parts"]) == ["", ""]
    assert set(told.loc[["004_0", "004_1"], "detail"]) == {"every part saw a picture of this group"}


def test_a_named_panel_gets_its_own_proposal(tmp_path: Path) -> None:
    folder = write_disc_cohort(tmp_path / "discs", 2, without_region=(0, 1))
    left, _ = disc_picture(0, (60, 50, 20))
    right, _ = disc_picture(1, (70, 40, 12))
    black = np.zeros((96, 30), np.uint8)  # between two solid pictures, so that two panels are found
    both = np.pad(np.concatenate([left, black, right], axis=1), 10)
    Image.fromarray(both).save(folder / "pictures" / "000_0.png")
    views = pd.read_csv(folder / "views.csv", dtype="str", keep_default_na=False).iloc[:2].assign(region="")
    views["path"] = "pictures/000_0.png"
    views["panel"] = ["left", "right"]
    views.to_csv(folder / "views.csv", index=False)
    propose_regions(dark_localiser(), load_cohort(folder), tmp_path / "new")
    boxes = [parse_box(box) for box in table(tmp_path / "new", "views.csv")["box"]]
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes]
    assert middles == [pytest.approx((70, 60), abs=3), pytest.approx((238, 50), abs=3)]


def test_unreadable_pictures_and_other_modalities_are_told_and_left(tmp_path: Path) -> None:
    folder = write_disc_cohort(tmp_path / "discs", 4, without_region=(0, 1))
    (folder / "pictures" / "000_0.png").write_bytes(b"\x89PNG cut")
    views = pd.read_csv(folder / "views.csv", dtype="str", keep_default_na=False)
    views.loc[views["view_id"] == "001_0", "modality"] = "doppler"
    views.to_csv(folder / "views.csv", index=False)
    propose_regions(dark_localiser(), load_cohort(folder), tmp_path / "new")
    told = table(tmp_path / "new", "proposals.csv")
    assert told.loc["000_0", "outcome"] == "unreadable"
    assert told.loc["001_0", "outcome"] == "not asked"
    assert told.loc["000_1", "outcome"] == "proposed"
    assert str(tmp_path) not in (tmp_path / "new" / "proposals.csv").read_text(encoding="utf-8")


def test_an_existing_destination_or_one_inside_the_cohort_is_refused(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    Image.new("L", (2, 2)).save(tmp_path / "new" / "kept.png")
    for place in (tmp_path / "new", cohort / "new"):
        with pytest.raises(OutputError):
            propose_regions(dark_localiser(), load_cohort(cohort), place)


def test_a_cohort_without_b_mode_is_refused_and_nothing_is_written(cohort: Path, tmp_path: Path) -> None:
    stills = load_cohort(cohort)
    others = dataclasses.replace(stills, views=stills.views.assign(modality="ceus"))
    with pytest.raises(CohortError, match="no B-mode among 12 ceus views"):
        propose_regions(dark_localiser(), others, tmp_path / "new")
    assert not (tmp_path / "new").exists()


class TestClips:
    """Of two patients the first view is a sweep of 30 frames, through a disc that is seen in frames 6 to 20."""

    @pytest.fixture
    def sweeps(self, tmp_path: Path) -> Path:
        folder = write_disc_cohort(tmp_path / "discs", 4, without_region=(0, 1))
        views = pd.read_csv(folder / "views.csv", dtype="str", keep_default_na=False).set_index("view_id")
        for view in ("000_0", "002_0"):
            (folder / "pictures" / view).mkdir()
            for frame in range(30):
                disc = [(50 + frame, 48, 14)] if 6 <= frame <= 20 else []
                pixels = disc_picture(frame, *disc)[0]
                Image.fromarray(pixels).save(folder / "pictures" / view / f"{frame:02}.png")
            views.loc[view, ["modality", "path", "mask", "box"]] = ["cine", f"pictures/{view}", "", ""]
        views.reset_index().to_csv(folder / "views.csv", index=False)
        (folder / "boxes.csv").write_text("view_id,frame,box\n002_0,3,10 10 20 20\n")
        return folder

    def test_get_boxes_from_the_first_to_the_last_frame_in_which_something_was_found(
        self, sweeps: Path, tmp_path: Path
    ) -> None:
        propose_regions(dark_localiser(), load_cohort(sweeps), tmp_path / "new")
        made = load_cohort(tmp_path / "new")
        assert made.boxes is not None
        boxes = made.boxes[made.boxes["view_id"] == "000_0"]
        assert boxes["frame"].tolist() == list(range(6, 21))
        for frame, box in zip(boxes["frame"], boxes["box"], strict=True):
            truth = (50 + frame - 14, 34, 50 + frame + 15, 63)
            assert np.abs(np.subtract(parse_box(box), truth)).max() <= 3
        view = made.views.set_index("view_id").loc["000_0"]
        assert view["region_source"] == "proposed"
        told = table(tmp_path / "new", "proposals.csv").loc["000_0"]
        assert told["outcome"] == "proposed"
        assert told["detail"].startswith("in 12 of 24 frames")

    def test_with_boxes_of_their_own_are_kept_and_asked_anew_with_all(self, sweeps: Path, tmp_path: Path) -> None:
        kept = propose_regions(dark_localiser(), load_cohort(sweeps), tmp_path / "kept")
        assert {view.view_id: view.outcome for view in kept.views}["002_0"] == "kept"
        assert ["002_0", 3, "10 10 20 20"] in load_cohort(tmp_path / "kept").boxes.to_numpy().tolist()
        propose_regions(dark_localiser(), load_cohort(sweeps), tmp_path / "all", everything=True)
        assert "10 10 20 20" not in load_cohort(tmp_path / "all").boxes["box"].tolist()

    def test_in_which_nothing_is_found_are_left_without(self, sweeps: Path, tmp_path: Path) -> None:
        propose_regions(dark_localiser(Blind(), Blind()), load_cohort(sweeps), tmp_path / "new", everything=True)
        made = load_cohort(tmp_path / "new")
        assert made.boxes is None
        assert table(tmp_path / "new", "proposals.csv").loc["000_0", "outcome"] == "not found"
