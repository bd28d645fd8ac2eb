"""Held-out clips: explained frame by frame, measured on lesion, calcifications and frames, drawn as films."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus.explain.held_out import FoldNetwork, HeldOutHeat, explain_held_out
from isthmus.explain.rating_form import write_rating_form
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from tests.explain.clips import LESION_FRAMES, PREPARATION, SPECK_FRAMES, Brightest, made_clips, made_store

CLASSES = {"0": "benign", "1": "malignant"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, np.ndarray], Path]:
    folder = tmp_path_factory.mktemp("clips")
    return *made_clips(folder), folder


def explain(
    made: tuple[pd.DataFrame, dict[str, np.ndarray], Path], out: Path, preparation: Preparation, network: Brightest
) -> HeldOutHeat:
    views, truth, folder = made

    def calcifications(view_id: str, frames: Any) -> np.ndarray | None:
        return None if view_id not in truth else truth[view_id][list(frames)]

    ids = views["view_id"].tolist()
    folds = [
        FoldNetwork(network, ids[:3], seed=0, fold=0, log_prior_shift=[0.0, 0.0]),
        FoldNetwork(network, ids[3:], seed=0, fold=1, log_prior_shift=[0.0, 0.0]),
    ]
    return explain_held_out(
        folds, made_store(views, folder, preparation), views, preparation, CLASSES, out,
        cases=3, marks=["SIMULATED", "SMOKE"], calcifications=calcifications, title="Brightest",
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(made: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[HeldOutHeat, Path]:
    out = tmp_path_factory.mktemp("explained")
    return explain(made, out, PREPARATION, Brightest(3)), out


def test_a_network_that_looks_at_bright_specks_attends_to_the_frames_that_show_one(found) -> None:
    heat, _ = found
    rows = heat.localisation.set_index("view_id")
    calcified = rows.loc[["v1", "v3", "v5"]]
    # Of frames 1, 3, 5, … the seventh alone shows the speck.
    assert calcified["frame"].tolist() == [7, 7, 7]
    assert calcified["frames_calcified"].tolist() == pytest.approx([1 / 6] * 3)
    assert calcified["top_frame_calcified"].tolist() == calcified["calcified_frame_rank"].tolist() == [1.0] * 3
    assert (calcified["heat_in_calcifications"] > 5 * calcified["calcification_area"]).all()
    assert rows.loc[["v0", "v2"], "top_frame_calcified"].isna().all()
    assert heat.frames is not None
    assert (heat.frames["seen"], heat.frames["steps"], heat.frames["calcified"]["clips"]) == (6, 6, 3)
    # Of the frames seen, 3, 5, 7 and 9 show the lesion.
    assert set(rows["frames_lesion"].dropna()) == {4 / 6}
    assert len(set(LESION_FRAMES) & {1, 3, 5, 7, 9, 11}) == 4


def test_the_numbers_lie_in_the_table_and_the_summary_in_words(found) -> None:
    heat, out = found
    table = pd.read_csv(out / "localisation.csv")
    assert {"frame", "frame_heat", "top_frame_calcified", "coarse_specks_in_calcifications"} <= set(table)
    summary = json.loads((out / "localisation.json").read_text(encoding="utf-8"))
    assert summary["frames"]["calcified"]["top"]["estimate"] == 1.0
    assert "above_coarse_specks" in summary["calcifications"]["baselines"]
    assert heat.calcifications is not None
    assert "bright specks" in heat.calcifications["baselines"]["sentence"]


def test_chosen_cases_become_films_gifs_strips_and_overlays(found) -> None:
    heat, out = found
    assert 1 <= len(heat.clips) <= 3
    for case in heat.clips:
        assert all(path.is_file() for path in (case.video, case.gif, case.filmstrip))
        assert "The film shows the 6 frames that the network saw, at the speed of the recording." in case.caption
        assert case.alternative.startswith("Ultrasound clip v")
    assert sorted(path.name for path in out.iterdir() if path.is_dir())[:2] == ["films", "filmstrips"]
    assert heat.gallery is not None
    assert all("(counted from 0)" in case.caption for case in heat.cases)


def test_of_each_clip_the_frame_of_most_heat_is_kept_so_that_it_can_be_rated(found, made, tmp_path) -> None:
    _, out = found
    views, _, folder = made
    kept, pictures = np.load(out / "heat.npy"), np.load(out / "pictures.npy")
    assert kept.shape == (6, 32, 32)
    assert pictures.shape == (6, 32, 32, 1)
    store = made_store(views, folder)
    table = pd.read_csv(out / "localisation.csv")
    for number, row in table[table["view_id"] == "v3"].iterrows():
        stored = np.asarray(store.pixels[store.rows(["v3"])])[0, row["frame"]]
        np.testing.assert_array_equal(pictures[row["picture"]], stored[2:34, 2:34])
        assert kept[number].max() == 255
    form = write_rating_form({"brightest": out}, tmp_path / "form", title="T", positive="malignant", cases=2)
    assert form.cases == 2


def test_a_2d_network_on_the_same_clips_attends_to_the_same_frames(made, tmp_path) -> None:
    flat = PREPARATION.model_copy(update={"layout": "2d"})
    heat = explain(made, tmp_path, flat, Brightest(2))
    assert heat.localisation.set_index("view_id").loc[["v1", "v3", "v5"], "frame"].tolist() == [7, 7, 7]
    assert heat.frames is not None
    assert heat.frames["steps"] == 6


def test_one_frame_of_a_clip_is_explained_as_a_still_and_its_calcifications_are_of_that_frame(made, tmp_path) -> None:
    sampling = FrameSampling(count=1, stored=1, within="clip")
    still = PREPARATION.model_copy(update={"layout": "2d", "frames": sampling})
    heat = explain(made, tmp_path, still, Brightest(2))
    assert heat.frames is None
    assert heat.clips == []
    rows = heat.localisation.set_index("view_id")
    assert set(rows["frame"]) == {6}
    assert 6 in SPECK_FRAMES
    assert rows.loc[["v1", "v3", "v5"], "heat_in_calcifications"].notna().all()
    assert "top_frame_calcified" not in rows
    assert not (tmp_path / "films").exists()
