"""Logits, probabilities, and from views to nodules to patients."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from torch import nn

from isthmus.errors import InputError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.scores import aggregate, probabilities, view_logits, view_scores
from isthmus.models.classifier import InputSpec, image_input
from isthmus.models.descriptor_heads import create_classifier
from isthmus.models.descriptors import DescriptorSpec

PREPARATION = Preparation(train_size=32, crop_size=24)
MALIGNANCY = {"nodule": "mean", "patient": "maximum"}


class Tiny(nn.Module):
    """Convolution, batch norm and dropout: enough that training and evaluation mode differ."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = image_input(1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, 2),
        )  # fmt: skip

    def forward(self, inputs: dict[str, torch.Tensor]) -> SimpleNamespace:
        logits = self.layers(inputs["image"])
        return SimpleNamespace(logits=logits, embedding=logits, auxiliary={})


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    return Tiny()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 1, 32, 32, 1)).astype(np.uint8)


def test_logits_do_not_depend_on_the_batch(network: Any, pixels: np.ndarray) -> None:
    together = view_logits(network, pixels, PREPARATION, batch_size=7)
    for batch_size in (1, 3):
        np.testing.assert_allclose(view_logits(network, pixels, PREPARATION, batch_size), together, atol=1e-6)
    assert together.shape == (7, 2)
    assert together.dtype == np.float32


def test_flips_average_the_logits_of_the_picture_and_its_mirror_image(network: Any, pixels: np.ndarray) -> None:
    straight = view_logits(network, pixels, PREPARATION)
    mirrored = view_logits(network, pixels[:, :, :, ::-1], PREPARATION)  # NumPy's mirror image of the prepared pixels
    both = view_logits(network, pixels, PREPARATION, flips=True)
    np.testing.assert_allclose(both, (straight + mirrored) / 2, atol=1e-6)
    assert np.abs(both - straight).max() > 1e-4
    np.testing.assert_allclose(view_logits(network, pixels[:, :, :, ::-1], PREPARATION, flips=True), both, atol=1e-6)


def test_descriptors_come_beside_the_logits_from_both_mirror_images(pixels: np.ndarray) -> None:
    heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
    torch.manual_seed(0)
    network = create_classifier("resnet18", classes=2, channels=1, options={"width": 8}, descriptors=heads)
    preparation = Preparation(train_size=32)
    single = [view_scores(network, one, preparation) for one in (pixels, pixels[:, :, :, ::-1])]
    both = view_scores(network, pixels, preparation, batch_size=3, flips=True)
    logits = np.mean([np.log(one.descriptors["margin"]) for one in single], axis=0)
    np.testing.assert_allclose(both.descriptors["margin"], softmax(logits, axis=1), atol=1e-6)
    assert both.descriptors["margin"].shape == (7, 2)


class TestTheFramesOfAClip:
    """A 2D network scores 3 of 5 stored frames, each by itself."""

    CLIPS = Preparation(train_size=32, crop_size=24, frames={"count": 3, "stored": 5})
    SEEN = (0, 2, 4)

    @pytest.fixture
    def clips(self) -> np.ndarray:
        return np.random.default_rng(1).integers(0, 256, (4, 5, 32, 32, 1)).astype(np.uint8)

    def frame_logits(self, network: Any, clips: np.ndarray) -> np.ndarray:
        return np.stack([view_logits(network, clips[:, [frame]], PREPARATION) for frame in self.SEEN], axis=1)

    @pytest.mark.parametrize("batch_size", [1, 7, 32])
    def test_their_mean_is_the_mean_of_their_logits(self, network: Any, clips: np.ndarray, batch_size: int) -> None:
        expected = self.frame_logits(network, clips).mean(axis=1)
        found = view_logits(network, clips, self.CLIPS, batch_size)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_their_maximum_is_the_most_suspicious_frame_s_logits(self, network: Any, clips: np.ndarray) -> None:
        frames = self.frame_logits(network, clips)
        places = softmax(frames, axis=2)[:, :, 1].argmax(axis=1)
        assert len(set(places.tolist())) > 1
        found = view_logits(network, clips, self.CLIPS, frame_scores="maximum")
        np.testing.assert_allclose(found, frames[np.arange(4), places], atol=1e-6)

    def test_the_mirror_image_is_averaged_before_the_most_suspicious_frame_is_chosen(
        self, network: Any, clips: np.ndarray
    ) -> None:
        both = (self.frame_logits(network, clips) + self.frame_logits(network, clips[:, :, :, ::-1])) / 2
        places = softmax(both, axis=2)[:, :, 1].argmax(axis=1)
        found = view_logits(network, clips, self.CLIPS, flips=True, frame_scores="maximum")
        np.testing.assert_allclose(found, both[np.arange(4), places], atol=1e-6)

    def test_its_descriptors_are_those_of_the_chosen_frame(self, clips: np.ndarray) -> None:
        heads = DescriptorSpec(heads={"margin": ["smooth", "irregular"]})
        torch.manual_seed(0)
        network = create_classifier("resnet18", classes=2, channels=1, options={"width": 8}, descriptors=heads)
        clip, still = self.CLIPS.model_copy(update={"crop_size": 32}), Preparation(train_size=32)
        frames = [view_scores(network, clips[:, [frame]], still) for frame in self.SEEN]
        places = np.argmax([one.logits[:, 1] - one.logits[:, 0] for one in frames], axis=0)
        expected = np.stack([one.descriptors["margin"] for one in frames])[places, np.arange(4)]
        found = view_scores(network, clips, clip, frame_scores="maximum").descriptors["margin"]
        np.testing.assert_allclose(found, expected, atol=1e-6)


class Volume(nn.Module):
    """A 3D network that adds what is bright inside the lesion."""

    inputs = (InputSpec("image", 1, 3), InputSpec("lesion_mask", 1, 3, required=False))

    def forward(self, inputs: dict[str, torch.Tensor]) -> SimpleNamespace:
        left = inputs["image"][..., : inputs["image"].shape[-1] // 2].mean((1, 2, 3, 4))
        marked = inputs.get("lesion_mask", torch.ones_like(inputs["image"]))
        inside = (inputs["image"] * marked).mean((1, 2, 3, 4))
        logits = torch.stack([left, inside], dim=1)
        return SimpleNamespace(logits=logits, embedding=logits, auxiliary={})


class TestAClipAsAVolume:
    CLIPS = Preparation(train_size=32, crop_size=24, frames={"count": 3, "stored": 5}, layout="3d")

    def test_the_mask_reaches_the_network_that_takes_one_with_the_same_frames_and_crop(self) -> None:
        generator = np.random.default_rng(1)
        clips = generator.integers(0, 256, (4, 5, 32, 32, 1)).astype(np.uint8)
        masks = generator.integers(0, 2, (4, 5, 32, 32)).astype(np.uint8)
        network: Any = Volume()
        seen = clips[..., 0][:, [0, 2, 4], 4:28, 4:28] / 255.0
        left = seen[..., :12].mean((1, 2, 3))
        inside = (seen * masks[:, [0, 2, 4], 4:28, 4:28]).mean((1, 2, 3))
        found = view_logits(network, clips, self.CLIPS, 3, masks=masks)
        np.testing.assert_allclose(found, np.stack([left, inside], axis=1), atol=1e-6)
        without = view_logits(network, clips, self.CLIPS, 3)
        np.testing.assert_allclose(without[:, 1], seen.mean((1, 2, 3)), atol=1e-6)
        # The mirror image changes the left half and leaves what lies under the mask, which is mirrored with it.
        both = view_logits(network, clips, self.CLIPS, masks=masks, flips=True)
        np.testing.assert_allclose(both, np.stack([seen.mean((1, 2, 3)), inside], axis=1), atol=1e-6)


def test_scoring_leaves_the_network_as_it_was(network: Any, pixels: np.ndarray) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = view_logits(network, pixels, PREPARATION)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    np.testing.assert_array_equal(first, view_logits(network, pixels, PREPARATION))


def test_scores_are_single_precision_even_inside_autocast(network: Any, pixels: np.ndarray) -> None:
    plain = view_logits(network, pixels, PREPARATION)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = view_logits(network, pixels, PREPARATION)
    np.testing.assert_array_equal(inside, plain)


def test_a_read_only_memory_map_is_scored(network: Any, pixels: np.ndarray, tmp_path: Any) -> None:
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    np.testing.assert_array_equal(view_logits(network, mapped, PREPARATION), view_logits(network, pixels, PREPARATION))


def test_no_views_give_no_logits(network: Any, pixels: np.ndarray) -> None:
    assert len(view_logits(network, pixels[:0], PREPARATION)) == 0


def test_a_batch_of_none_is_refused(network: Any, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="batch_size"):
        view_logits(network, pixels, PREPARATION, batch_size=0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-80, 80), st.floats(-80, 80), st.floats(-80, 80)), min_size=1, max_size=6))
def test_probabilities_are_scipy_s_softmax_and_sum_to_one(rows: list[tuple[float, float, float]]) -> None:
    shift = [0.3, -0.2, 1.0]
    found = probabilities(np.array(rows), shift)
    np.testing.assert_allclose(found, softmax(np.array(rows) - shift, axis=1), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)


def test_the_prior_shift_takes_class_weights_off_again() -> None:
    # Bayes: a class weighted w times has w times the odds, so shifting by log w gives the unweighted odds 1 : 3.
    weighted = np.log([[0.25 * 4.0, 0.75 * 1.0]])
    np.testing.assert_allclose(probabilities(weighted, np.log([4.0, 1.0])), [[0.25, 0.75]], rtol=1e-12)


def views() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "view_id": ["a", "b", "c", "d", "e"],
            "nodule_id": ["01", "01", "02", "03", "03"],
            "patient_id": ["1", "1", "1", "2", "2"],
            "group_id": ["g1", "g1", "g1", "g2", "g2"],
            "label": ["1", "1", "0", "0", "0"],
            "p_0": [0.2, 0.4, 0.9, 0.6, 0.8],
            "p_1": [0.8, 0.6, 0.1, 0.4, 0.2],
        }
    )


def test_views_are_averaged_into_nodules() -> None:
    nodules = aggregate(views(), ["0", "1"], MALIGNANCY)
    assert nodules["unit_id"].tolist() == ["01", "02", "03"]
    assert nodules["unit"].unique().tolist() == ["nodule"]
    # (0.8 + 0.6) / 2, 0.1, (0.4 + 0.2) / 2
    np.testing.assert_allclose(nodules["p_1"], [0.7, 0.1, 0.3])
    assert nodules[["patient_id", "group_id", "label"]].values.tolist() == [
        ["1", "g1", "1"], ["1", "g1", "0"], ["2", "g2", "0"],
    ]  # fmt: skip
    assert "view_id" not in nodules


def test_a_patient_is_as_suspicious_as_the_most_suspicious_nodule() -> None:
    patients = aggregate(views(), ["0", "1"], MALIGNANCY, unit="patient")
    assert patients["unit_id"].tolist() == ["1", "2"]
    np.testing.assert_allclose(patients[["p_0", "p_1"]], [[0.3, 0.7], [0.7, 0.3]])
    assert patients["label"].tolist() == ["1", "0"]
    assert patients["group_id"].tolist() == ["g1", "g2"]
    assert "nodule_id" not in patients


def test_other_targets_average_the_nodules_of_a_patient() -> None:
    frame = views().assign(label="0")
    patients = aggregate(frame, ["0", "1"], {"nodule": "mean", "patient": "mean"}, unit="patient")
    # Nodules first: (0.7 + 0.1) / 2, not the mean of the three views.
    np.testing.assert_allclose(patients["p_1"], [0.4, 0.3])


def test_runs_are_not_mixed() -> None:
    frame = pd.concat([views().assign(fold=0), views().assign(fold=1, p_1=0.5, p_0=0.5)], ignore_index=True)
    nodules = aggregate(frame, ["0", "1"], MALIGNANCY)
    assert nodules.groupby("fold")["p_1"].mean().round(9).to_dict() == {0: round(1.1 / 3, 9), 1: 0.5}


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)))
def test_the_order_of_the_rows_changes_nothing(order: list[int]) -> None:
    expected = aggregate(views(), ["0", "1"], MALIGNANCY, unit="patient")
    found = aggregate(views().iloc[order], ["0", "1"], MALIGNANCY, unit="patient")
    pd.testing.assert_frame_equal(found, expected)


def test_a_nodule_with_two_labels_is_refused() -> None:
    frame = views().assign(label=["1", "0", "0", "0", "0"])
    with pytest.raises(InputError, match="'01' has 2 different labels"):
        aggregate(frame, ["0", "1"], MALIGNANCY)


def test_an_empty_id_is_refused() -> None:
    frame = views().assign(nodule_id=["01", None, "02", "03", "03"])
    with pytest.raises(InputError, match=r"1 rows have an empty value \(column 'nodule_id'\)"):
        aggregate(frame, ["0", "1"], MALIGNANCY)


@pytest.mark.parametrize(
    ("rule", "unit", "says"), [({"nodule": "median"}, "nodule", "median"), (MALIGNANCY, "lobe", "lobe")]
)
def test_an_unknown_rule_or_unit_is_refused(rule: dict[str, str], unit: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        aggregate(views(), ["0", "1"], rule, unit)
