"""Which frame counted: against a network whose score is a known sum over frames."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from isthmus.explain.frame_share import (
    effects_of,
    frame_columns,
    frame_effects,
    frame_shares,
    summarise_counted,
    without_frame,
)
from isthmus.imaging.preparation import Preparation
from isthmus.models.classifier import Classifier, InputSpec, Outputs

FRAMES = 5
PREPARATION = Preparation.model_validate(
    {"train_size": 32, "crop_size": 32, "layout": "frames_as_channels", "frames": {"count": FRAMES, "stored": FRAMES}}
)
WEIGHTS = np.array([0.0, 2.0, -1.0, 0.5, 0.0])


class Weighed(Classifier):
    """The log odds of class 1 are a weighted sum of the frames' mean grey."""

    def __init__(self, weights: np.ndarray, classes: int = 2) -> None:
        super().__init__(inputs=(InputSpec("image", FRAMES, 2),), classes=classes)
        self.fc = nn.Linear(FRAMES, classes)
        with torch.no_grad():
            self.fc.weight.zero_()
            self.fc.bias.zero_()
            self.fc.weight[1] = torch.as_tensor(weights, dtype=torch.float32)

    def features(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"image": inputs["image"]}

    def head(self, features: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> Outputs:
        embedding = features["image"].mean(dim=(2, 3))
        return Outputs(self.fc(embedding), embedding, {})


def clips(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, FRAMES, 32, 32, 1)).astype(np.uint8)


def test_a_frame_s_effect_is_its_weight_times_how_it_differs_from_the_others() -> None:
    pixels = clips()
    grey = pixels.mean(axis=(2, 3, 4)) / 255
    others = (grey.sum(axis=1, keepdims=True) - grey) / (FRAMES - 1)
    found = frame_effects([Weighed(WEIGHTS)], pixels, PREPARATION, 1)
    # The filling is rounded to whole grey levels.
    np.testing.assert_allclose(found, WEIGHTS * (grey - others), atol=2 * 0.1 / 255)
    np.testing.assert_allclose(frame_effects([Weighed(WEIGHTS)], pixels, PREPARATION, 0), -found, atol=1e-6)


def test_parts_are_averaged_and_a_third_class_counts_among_the_others() -> None:
    pixels = clips()
    parts = [Weighed(WEIGHTS), Weighed(-WEIGHTS)]
    np.testing.assert_allclose(frame_effects(parts, pixels, PREPARATION, 1), 0.0, atol=1e-6)
    three = frame_effects([Weighed(WEIGHTS, classes=3)], pixels, PREPARATION, 1)
    np.testing.assert_allclose(three, frame_effects([Weighed(WEIGHTS)], pixels, PREPARATION, 1), atol=1e-6)


def test_only_the_hidden_frame_changes_and_only_frames_that_are_seen_fill_it() -> None:
    pixels = clips()
    filled = without_frame(pixels, np.array([0, 2, 4]), 1)
    np.testing.assert_array_equal(filled[:, [0, 1, 3, 4]], pixels[:, [0, 1, 3, 4]])
    np.testing.assert_allclose(filled[:, 2], pixels[:, [0, 4]].mean(axis=1), atol=0.5)


def test_a_clip_that_stands_still_has_no_frame_that_counts() -> None:
    still = np.repeat(clips()[:, :1], FRAMES, axis=1)
    effects = frame_effects([Weighed(WEIGHTS)], still, PREPARATION, 1)
    assert np.isnan(frame_shares(effects)).all()
    rows = pd.DataFrame(frame_columns(effects, np.zeros((4, FRAMES), np.int64)))
    assert summarise_counted(rows, list("abcd")) is None


def made(shift: float, groups: int) -> tuple[pd.DataFrame, list[str]]:
    random = np.random.default_rng(1)
    effects = random.normal(0, 1, (2 * groups, FRAMES))
    effects[:, 2] += shift
    frames = np.arange(2 * groups * FRAMES).reshape(2 * groups, FRAMES)
    return pd.DataFrame(frame_columns(effects, frames)), [f"p{row // 2}" for row in range(2 * groups)]


def test_the_table_names_the_source_frame_that_counted_most() -> None:
    rows, _ = made(20.0, 10)
    assert rows["counted_frame"].tolist() == [FRAMES * row + 2 for row in range(20)]
    assert effects_of(rows).shape == (20, FRAMES)
    np.testing.assert_allclose(frame_shares(effects_of(rows)).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("shift", "groups", "verdict"),
    [
        (3.0, 30, "more than an even share of 0.20"),
        (0.0, 30, "not told apart from an even share of 0.20"),
        (3.0, 6, "6 patients are too few for a verdict"),
    ],
)
def test_the_verdict_follows_the_interval_and_counts_patients(shift: float, groups: int, verdict: str) -> None:
    found = summarise_counted(*made(shift, groups))
    assert found is not None
    assert (found["clips"], found["groups"]) == (2 * groups, groups)
    assert verdict in found["sentence"]
    assert sum(share["estimate"] for share in found["shares"]) == pytest.approx(1.0)
