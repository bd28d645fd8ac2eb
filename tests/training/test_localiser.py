"""A localiser is trained, killed, resumed and judged; the discs are tiny and so is the network."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import BundleError, CohortError, OutputError, ProtocolError
from isthmus.imaging.read import read_clip
from isthmus.inference.localiser import load_localiser, picture_key
from isthmus.inference.proposed_cohort import propose_regions
from isthmus.training import localiser as training
from isthmus.training.localiser_examples import deal_folds, gather_views, prepare_outlined
from isthmus.training.localiser_scores import accepted, box_iou, by_size, is_hit, least_confidence, measures
from isthmus.training.localiser_settings import LocaliserSettings
from tests.inference.discs import write_disc_cohort

SETTINGS = LocaliserSettings(
    network="unet", width=16, size=64, folds=2, epochs=3, batch=4, rate=3e-3, precision="fp32", seed=1
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_disc_cohort(tmp_path_factory.mktemp("cohorts") / "discs", 10)


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "localiser"
    training.train_localiser([load_cohort(cohort)], out, SETTINGS, device="cpu")
    return out


def test_a_training_leaves_a_localiser_a_report_and_a_card(trained: Path, cohort: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names >= {
        "localiser.yaml", "parts", "pictures.csv", "card.md", "report.json", "report.html", "proposals.csv",
        "manifest.json",
    }  # fmt: skip
    assert not list(trained.rglob("checkpoint.pt"))
    report = json.loads((trained / "report.json").read_text("utf-8"))
    assert (report["measures"]["views"], report["measures"]["patients"]) == (20, 10)
    # Dark discs are easy: three epochs find most of them, and chance does not.
    assert report["measures_without_least_confidence"]["mask_iou"]["views"]["estimate"] > 0.5
    spec = load_localiser(trained, "cpu").spec
    assert spec.cohorts[0].fingerprint == load_cohort(cohort).fingerprint()
    assert spec.prepare.marks == "erase"
    for page in ("card.md", "report.html", "report.json", "manifest.json"):
        text = (trained / page).read_text("utf-8")
        assert "Research use only" in text
        assert str(cohort) not in text
    assert "000" not in set(pd.read_csv(trained / "proposals.csv", dtype="str")["group"])


def test_no_picture_of_a_group_is_known_to_the_part_that_judges_it(trained: Path, cohort: Path) -> None:
    views = gather_views([load_cohort(cohort)]).views
    folds = deal_folds(views, SETTINGS.folds, SETTINGS.seed)
    data = prepare_outlined(views, SETTINGS.prepare)
    seen = load_localiser(trained, "cpu").seen
    assert sorted(seen) == sorted(view.picture for view in views)
    for fold in range(SETTINGS.folds):
        taught = {group for group in data.groups if folds[group] != fold}
        judged = {view.group for view in views if seen[view.picture] == fold}
        assert taught
        assert judged
        assert not taught & judged


def test_proposals_for_the_training_cohort_are_the_held_out_ones(trained: Path, cohort: Path, tmp_path: Path) -> None:
    localiser = load_localiser(trained, "cpu")
    propose_regions(localiser, load_cohort(cohort), tmp_path / "new", everything=True)
    told = pd.read_csv(tmp_path / "new" / "proposals.csv", dtype={"view_id": "str", "parts": "str"}).set_index(
        "view_id"
    )
    held_out = pd.read_csv(trained / "proposals.csv", dtype={"view_id": "str"}).set_index("view_id")
    assert list(told["parts"]) == [str(fold) for fold in held_out.loc[told.index, "fold"]]
    kept = held_out["found"] & (held_out["confidence"] >= localiser.spec.least_confidence.value)
    assert (told["outcome"] == "proposed").equals(kept.loc[told.index])
    both = told.index[told["outcome"] == "proposed"]
    assert len(both) > 10
    assert np.allclose(told.loc[both, "confidence"], held_out.loc[both, "confidence"], atol=1e-5)
    views = pd.read_csv(tmp_path / "new" / "views.csv", dtype="str").set_index("view_id")
    assert (views.loc[both, "box"] == held_out.loc[both, "box"]).all()


class Killed(BaseException):
    pass


def killing(what: str, at: int) -> Callable[[str, int, int], None]:
    def progress(name: str, done: int, _: int) -> None:
        if name == what and done == at:
            raise Killed

    return progress


def test_a_killed_training_resumes_to_the_same_bytes(trained: Path, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "localiser"
    # In the middle of the second epoch of the first part; then in the first epoch of the second part.
    for what, at in (("part 1", 5), ("part 2", 2)):
        with pytest.raises(Killed):
            training.train_localiser(
                [load_cohort(cohort)], out, SETTINGS, device="cpu", resume=what == "part 2", progress=killing(what, at)
            )
        assert not out.exists()
    with pytest.raises(OutputError, match="unfinished training"):
        training.train_localiser([load_cohort(cohort)], out, SETTINGS, device="cpu")
    other = SETTINGS.model_copy(update={"epochs": 4})
    with pytest.raises(OutputError, match="other cohorts or settings"):
        training.train_localiser([load_cohort(cohort)], out, other, device="cpu", resume=True)
    half_written = out.with_name("localiser.partial") / "folds" / "1" / ".checkpoint.1.partial.pt"
    half_written.write_bytes(b"half")
    training.train_localiser([load_cohort(cohort)], out, SETTINGS, device="cpu", resume=True)
    assert not list(out.rglob(".*"))
    assert not out.with_name("localiser.partial").exists()
    same = (
        "parts/0.safetensors",
        "parts/1.safetensors",
        "proposals.csv",
        "localiser.yaml",
        "pictures.csv",
        "report.json",
    )
    for file in same:
        assert (out / file).read_bytes() == (trained / file).read_bytes(), file


@pytest.mark.parametrize("file", ["parts/1.safetensors", "pictures.csv"])
def test_an_altered_localiser_is_refused(trained: Path, tmp_path: Path, file: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    content = bytearray((copy / file).read_bytes())
    content[-1] ^= 1
    (copy / file).write_bytes(content)
    with pytest.raises(BundleError, match="altered"):
        load_localiser(copy, "cpu")


def test_a_newer_localiser_is_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "copy")
    path = tmp_path / "copy" / "localiser.yaml"
    path.write_text(path.read_text("utf-8").replace("isthmus-localiser/1.0", "isthmus-localiser/2.0"), "utf-8")
    with pytest.raises(BundleError, match="newer than this Isthmus reads"):
        load_localiser(tmp_path / "copy", "cpu")


def test_a_cohort_without_outlines_teaches_nothing(tmp_path: Path) -> None:
    folder = write_disc_cohort(tmp_path / "discs", 4, without_region=(0, 1, 2, 3))
    with pytest.raises(CohortError, match="no B-mode still with a drawn outline"):
        training.train_localiser([load_cohort(folder)], tmp_path / "out", SETTINGS, device="cpu")


def test_a_cohort_given_twice_is_refused(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="given twice"):
        training.train_localiser([load_cohort(cohort)] * 2, tmp_path / "out", SETTINGS, device="cpu")


def test_proposed_regions_teach_nothing_and_judge_nothing(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(cohort, folder)
    views = pd.read_csv(folder / "views.csv", dtype="str")
    views.loc[:5, "region_source"] = "proposed"
    views.to_csv(folder / "views.csv", index=False)
    assert len(gather_views([load_cohort(folder)]).views) == 14


def test_boxes_judge_and_do_not_teach(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(cohort, folder)
    views = pd.read_csv(folder / "views.csv", dtype="str")
    views.loc[:5, "mask"] = None
    views.to_csv(folder / "views.csv", index=False)
    gathered = gather_views([load_cohort(folder)]).views
    assert len(gathered) == 20
    assert len(prepare_outlined(gathered, SETTINGS.prepare).pixels) == 14


def test_a_picture_in_two_cohorts_ties_their_groups_and_its_two_outlines_are_one_lesson(
    cohort: Path, tmp_path: Path
) -> None:
    other = write_disc_cohort(tmp_path / "other", 2)
    views = pd.read_csv(other / "views.csv", dtype="str")
    shutil.copy(cohort / "pictures" / "009_0.png", other / "pictures" / "000_0.png")
    gathered = gather_views([load_cohort(cohort), load_cohort(other)]).views
    groups = {(view.cohort, view.view_id): view.group for view in gathered}
    assert groups[0, "009_1"] == groups[1, "000_1"] != groups[1, "001_0"]
    assert len(views) + 20 == len(gathered)
    shared = [view for view in gathered if view.nodules == 2]
    assert {(view.cohort, view.view_id) for view in shared} >= {(0, "009_0"), (1, "000_0")}
    lessons = prepare_outlined(shared, SETTINGS.prepare)
    assert len(lessons.pixels) < len(shared)


def test_folds_hold_out_every_group_once_and_share_out_cohorts_and_sizes(cohort: Path) -> None:
    views = gather_views([load_cohort(cohort)]).views
    folds = deal_folds(views, 5, seed=0)
    assert sorted(folds) == sorted({view.group for view in views})
    assert sorted(pd.Series(folds).value_counts()) == [2] * 5
    assert folds == deal_folds(views, 5, seed=0) != deal_folds(views, 5, seed=1)
    with pytest.raises(CohortError, match="10 groups with outlines for 11 folds"):
        deal_folds(views, 11, seed=0)


def test_a_hit_needs_overlap_and_a_centre_inside() -> None:
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert is_hit((0, 0, 10, 10), (1, 1, 11, 11))
    assert not is_hit((0, 0, 10, 10), (5, 0, 15, 10))
    # All of a small box inside a large one: the centre is in, the overlap is not.
    assert not is_hit((0, 0, 20, 20), (5, 5, 15, 15))


def outcomes(confidence: list[float], hit: list[bool], fold: list[int]) -> pd.DataFrame:
    count = len(hit)
    return pd.DataFrame(
        {
            "confidence": confidence, "hit": hit, "found": [value > 0 for value in confidence], "fold": fold,
            "group": [f"g{row // 2}" for row in range(count)], "fixed_box_hit": False,
            "mask_iou": np.where(hit, 0.8, 0.2), "dice": np.where(hit, 0.9, 0.3), "box_iou": np.where(hit, 0.8, 0.2),
        }
    )  # fmt: skip


def test_the_least_confidence_keeps_nine_of_ten_and_the_best_hits() -> None:
    # By hand: dropping the lowest of ten (a miss) keeps 9 of 10 and 8/9 hits; dropping two is not allowed.
    frame = outcomes([0.55, 0.6, *[0.9] * 8], [False, False, *[True] * 8], [0, 1] * 5)
    assert least_confidence(frame) == 0.6
    assert least_confidence(outcomes([0.0, 0.0, *[0.9] * 8], [False] * 10, [0, 1] * 5)) == 0.0


def test_views_without_a_proposal_count_as_nothing_found() -> None:
    frame = outcomes([0.9] * 10, [True] * 5 + [False] * 5, [0, 1] * 5)
    kept = pd.Series([True] * 4 + [False] * 6)
    found = measures(frame, kept)
    assert found["hit_rate"]["views"]["estimate"] == pytest.approx(0.4)
    assert found["no_proposal"]["views"]["estimate"] == pytest.approx(0.6)
    assert found["mask_iou"]["views"]["estimate"] == pytest.approx(0.8 * 4 / 10)
    assert found["hit_rate_among_proposed"]["views"]["estimate"] == 1.0


def test_sizes_are_in_millimetres_only_where_all_were_measured() -> None:
    frame = outcomes([0.9] * 9, [True] * 9, [0] * 9).assign(size=np.arange(9) / 10, size_mm=np.arange(9) + 10.0)
    kept = pd.Series([True] * 9)
    assert [row["stratum"] for row in by_size(frame, kept)] == [
        "small: 10 to 13",
        "middle: 13 to 15",
        "large: 15 to 18",
    ]
    frame.loc[0, "size_mm"] = np.nan
    assert by_size(frame, kept)[2]["stratum"] == "large: 0.53 to 0.8"


def test_no_view_chooses_the_confidence_that_judges_it() -> None:
    # Fold 0 has a doubtful miss: it asks fold 1 for 0.9, and fold 1, all hits, asks fold 0 for nothing.
    frame = outcomes([0.55, *[0.9] * 9, *[0.6] * 10], [False, *[True] * 19], [0] * 10 + [1] * 10)
    assert accepted(frame).tolist() == [True] * 10 + [False] * 10


def test_a_weight_file_is_written_down_by_its_name(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"weights": str(tmp_path / "imagenet.pth")})
    assert settings.named()["weights"] == "imagenet.pth"
    assert SETTINGS.named()["weights"] is None


def test_unknown_networks_and_weights_that_do_not_fit_are_refused_before_any_training(
    cohort: Path, tmp_path: Path
) -> None:
    for change, says in (({"network": "unnet"}, "no segmenter"), ({"weights": "imagenet"}, "random weights only")):
        with pytest.raises(ProtocolError, match=says):
            training.train_localiser(
                [load_cohort(cohort)], tmp_path / "out", SETTINGS.model_copy(update=change), device="cpu"
            )
    assert not list(tmp_path.iterdir())


def test_calipers_around_a_nodule_do_not_reach_the_network(tmp_path: Path) -> None:
    import cv2

    folder = write_disc_cohort(tmp_path / "discs", 2)
    path = folder / "pictures" / "000_0.png"
    plain = read_clip(path).frames[0][..., 0]
    smooth = cv2.GaussianBlur(plain, (0, 0), 2.0)
    marked = smooth.copy()
    for x, y in ((30, 30), (95, 60)):
        cv2.drawMarker(marked, (x, y), 255, cv2.MARKER_CROSS, 9, 1)
    lessons = []
    for pixels in (smooth, marked):
        cv2.imwrite(str(path), pixels)
        views = [view for view in gather_views([load_cohort(folder)]).views if view.view_id == "000_0"]
        lessons.append(prepare_outlined(views, SETTINGS.prepare).pixels.astype(int))
    assert np.abs(lessons[0] - lessons[1]).max() < 40
    assert picture_key(marked[..., None]) != picture_key(smooth[..., None])
