"""Held-out clips whose frames are channels: one map, which frame counted, and strips."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from isthmus.explain.held_out import FoldNetwork, HeldOutHeat, explain_held_out
from isthmus.explain.seen_views import SeenViews, largest_lesion
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import Classifier, InputSpec, Outputs
from tests.explain.clips import FRAMES, PREPARATION, made_clips, made_store

CLASSES = {"0": "OLNM negative", "1": "OLNM positive"}
CHANNELS = PREPARATION.model_copy(update={"layout": "frames_as_channels"})
SEEN = FRAMES["count"]
LOOKED_AT = 3
"""The place of the frame that the network looks at: frame 7, which alone shows the speck."""


class OneChannel(Classifier):
    """Looks at one of its channels: bright cells of that frame speak for the class, dark ones against it."""

    def __init__(self) -> None:
        super().__init__(inputs=(InputSpec("image", SEEN, 2),), classes=2)
        self.fc = nn.Linear(1, 2)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[-1.0], [1.0]]))
            self.fc.bias.zero_()

    def features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        frame = inputs["image"][:, LOOKED_AT : LOOKED_AT + 1]
        return {"image": nn.functional.adaptive_avg_pool2d(frame, 8) - 0.15}

    def head(self, features: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> Outputs:
        embedding = 5 * features["image"].flatten(2).mean(dim=2)
        return Outputs(self.fc(embedding), embedding, {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Any, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return *made_clips(folder), folder


def explain(made: Any, out: Path, preparation: Preparation = CHANNELS, *, signed: bool = True) -> HeldOutHeat:
    views, truth, folder = made
    ids = views["view_id"].tolist()
    folds = [
        FoldNetwork(OneChannel(), ids[:3], seed=0, fold=0, log_prior_shift=[0.0, 0.0]),
        FoldNetwork(OneChannel(), ids[3:], seed=0, fold=1, log_prior_shift=[0.0, 0.0]),
    ]

    def calcifications(view_id: str, frames: Any) -> np.ndarray | None:
        return None if view_id not in truth else truth[view_id][list(frames)]

    return explain_held_out(
        folds, made_store(views, folder, preparation), views, preparation, CLASSES, out,
        cases=3, marks=["SIMULATED"], calcifications=calcifications, title="CEUS", signed=signed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(made: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[HeldOutHeat, Path]:
    out = tmp_path_factory.mktemp("explained")
    return explain(made, out), out


def test_the_frame_that_the_network_looks_at_counted_and_the_others_did_not(found) -> None:
    heat, _ = found
    rows = heat.localisation
    effects = rows[[f"frame_effect_{place + 1}" for place in range(SEEN)]].to_numpy()
    assert (np.abs(np.delete(effects, LOOKED_AT, axis=1)) < 1e-6).all()
    assert (np.abs(effects[:, LOOKED_AT]) > 1e-3).all()
    assert set(rows["counted_frame"]) == {7}
    assert heat.frames is not None
    assert (heat.frames["seen"], heat.frames["steps"], heat.frames["cells"]) == (SEEN, 1, [8, 8])
    counted = heat.frames["counted"]
    assert [share["estimate"] for share in counted["shares"]] == pytest.approx([0, 0, 0, 1, 0, 0], abs=1e-5)
    assert "frame 4 of the 6 in time moved the score most" in counted["sentence"]


def test_the_one_map_is_held_against_the_frame_of_the_largest_lesion(found, made) -> None:
    heat, _ = found
    views, _, folder = made
    store = made_store(views, folder, CHANNELS)
    own = np.asarray(store.lesion_masks[store.rows(["v1"])])[0, :, 2:34, 2:34].astype(bool)
    row = heat.localisation.set_index("view_id").loc["v1"]
    assert own[row["frame"]].sum() == own.sum(axis=(1, 2)).max()
    assert row["lesion_area"] == pytest.approx(own[row["frame"]].mean())
    assert {"heat_at_edge", "against_at_edge", "edge_on_grid"} <= set(heat.localisation)


def test_every_chosen_case_becomes_a_strip_and_no_film(found) -> None:
    heat, out = found
    assert 1 <= len(heat.strips) <= 3
    assert heat.clips == []
    assert heat.signed is None
    for strip in heat.strips:
        with Image.open(strip.path) as picture:
            assert picture.width == 1100
        assert "Frame 7, 0.6 s counted most" in strip.caption
        assert "the one Grad-CAM heat map of all" in strip.alternative
    assert not (out / "films").exists()
    assert heat.gallery is not None


def test_the_numbers_lie_in_the_summary(found) -> None:
    _, out = found
    content = json.loads((out / "localisation.json").read_text(encoding="utf-8"))
    assert content["frames"]["counted"]["even"] == pytest.approx(1 / SEEN)
    edges = content["edges"]["against_at_edge"]
    assert list(edges["classes"]) == list(CLASSES.values())
    assert "3 patients on a side are too few for a verdict" in edges["sentence"]
    assert "evidence against OLNM positive" in edges["sentence"]


def test_unsigned_strips_are_lower_and_nothing_is_measured_against(made, found, tmp_path) -> None:
    heat = explain(made, tmp_path, signed=False)
    assert "against_at_edge" not in heat.localisation
    with Image.open(heat.strips[0].path) as plain, Image.open(found[0].strips[0].path) as signed:
        assert plain.height < signed.height


def test_of_equally_large_lesions_the_nearest_to_the_middle_is_taken() -> None:
    lesions = np.zeros((3, 5, 8, 8), bool)
    lesions[:, :, 2:5, 2:5] = True
    lesions[1, 4, 5, 5] = lesions[2, 1, 5, 5] = lesions[2, 3, 5, 5] = True
    seen = SeenViews(np.zeros((3, 5, 8, 8, 1), np.uint8), lesions, np.arange(15).reshape(3, 5))
    assert largest_lesion(seen).tolist() == [2, 4, 1]
    assert seen.only(largest_lesion(seen)).frames.tolist() == [[2], [9], [11]]
