"""The one place of crop and normalisation, against NumPy's own arithmetic."""

from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from isthmus.errors import InputError
from isthmus.imaging.preparation import Preparation
from isthmus.inference.batch import centre, inputs_of, to_batch
from isthmus.models.classifier import InputSpec

METHODS = ("unit", "z", "percentile_z")


def preparation(normalise: Any = "unit", crop_size: int = 24) -> Preparation:
    return Preparation(normalise=normalise, train_size=32, crop_size=crop_size)


def pictures(count: int = 4, size: int = 32, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, size, size, channels)).astype(np.uint8)


def reference(picture: np.ndarray, method: str) -> np.ndarray:
    """Normalise one picture with NumPy's own percentile, mean and std, in double precision."""
    values = picture.astype(np.float64)
    if method == "unit":
        return values / 255
    if method == "percentile_z":
        values = np.clip(values, *np.percentile(values, [1, 99]))
    return (values - values.mean()) / (values.std() or 1.0)


def test_imagenet_normalisation_is_that_of_the_published_weights() -> None:
    pixels = pictures(channels=3)
    prepare = Preparation(normalise="imagenet", channels="rgb", train_size=32, crop_size=24)
    # torchvision's `Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])` after `ToTensor`, in NumPy.
    middle = pixels[:, 0, 4:28, 4:28].astype(np.float64) / 255
    expected = (middle - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(to_batch(pixels, prepare).numpy(), expected.transpose(0, 3, 1, 2), atol=1e-6)


def test_imagenet_normalisation_needs_three_channels() -> None:
    with pytest.raises(ValidationError, match="set channels to 'rgb'"):
        Preparation(normalise="imagenet", channels="gray")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_equals_numpy_s_arithmetic(method: str, channels: int) -> None:
    pixels = pictures(channels=channels)
    batch = to_batch(pixels, preparation(method)).numpy()
    assert batch.shape == (4, channels, 24, 24)
    assert batch.dtype == np.float32
    for row, picture in zip(batch, pixels[:, 0, 4:28, 4:28], strict=True):
        np.testing.assert_allclose(row.transpose(1, 2, 0), reference(picture, method), atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 255), min_size=4, max_size=4),
    counts=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
def test_percentiles_hold_for_any_histogram(values: list[int], counts: list[int], seed: int) -> None:
    grey = np.resize(np.repeat(values, [n + 1 for n in counts]), (12, 12)).astype(np.uint8)
    picture = np.random.default_rng(seed).permutation(grey.reshape(-1)).reshape(1, 1, 12, 12, 1)
    batch = to_batch(picture, preparation("percentile_z", 12)).numpy()[0, 0]
    np.testing.assert_allclose(batch, reference(picture[0, 0, :, :, 0], "percentile_z"), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_s_numbers_do_not_depend_on_its_batch(method: str) -> None:
    pixels = pictures(9)
    together = to_batch(pixels, preparation(method))
    alone = torch.cat([to_batch(pixels[i : i + 1], preparation(method)) for i in range(9)])
    assert torch.equal(together, alone)


@pytest.mark.parametrize("method", METHODS)
def test_an_array_a_tensor_and_a_read_only_array_give_the_same_batch(method: str) -> None:
    pixels = pictures()
    frozen = pixels.copy()
    frozen.flags.writeable = False
    expected = to_batch(pixels, preparation(method))
    assert torch.equal(to_batch(torch.from_numpy(pixels), preparation(method)), expected)
    assert torch.equal(to_batch(frozen, preparation(method)), expected)


@pytest.mark.parametrize("method", METHODS)
def test_the_pixels_given_are_not_changed(method: str) -> None:
    pixels = pictures()
    before = pixels.copy()
    to_batch(pixels, preparation(method))
    np.testing.assert_array_equal(pixels, before)


def test_without_the_centre_crop_the_pixels_keep_their_size() -> None:
    pixels = pictures(size=20)
    batch = to_batch(pixels, preparation(crop_size=24), centre_crop=False)
    np.testing.assert_array_equal(batch.numpy()[:, 0], pixels[:, 0, :, :, 0].astype(np.float32) / np.float32(255))


def test_the_middle_of_an_odd_remainder_starts_at_its_floor() -> None:
    still = torch.arange(25, dtype=torch.uint8).reshape(1, 5, 5, 1)
    # (5 - 2) // 2 = 1: rows 1 and 2, columns 1 and 2.
    assert centre(still, 2)[0, :, :, 0].tolist() == [[6, 7], [11, 12]]


@pytest.mark.parametrize("method", ["z", "percentile_z"])
def test_a_picture_of_one_grey_value_becomes_zero(method: str) -> None:
    flat = np.full((1, 1, 24, 24, 1), 77, np.uint8)
    assert not to_batch(flat, preparation(method)).any()


def test_a_batch_is_laid_out_channels_last() -> None:
    assert to_batch(pictures(channels=3), preparation()).is_contiguous(memory_format=torch.channels_last)


class TestClips:
    """Of 4 stored frames a network sees 2: the second and the fourth, in the middles of two halves."""

    FRAMES = MappingProxyType({"count": 2, "stored": 4})

    def clip_preparation(self, layout: Any, normalise: Any = "unit") -> Preparation:
        return Preparation(normalise=normalise, train_size=32, crop_size=24, frames=self.FRAMES, layout=layout)

    def clips(self, frames: int = 4, size: int = 32) -> np.ndarray:
        return np.random.default_rng(1).integers(0, 256, (3, frames, size, size, 2)).astype(np.uint8)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_volume_is_normalised_as_a_whole(self, method: str) -> None:
        clips = self.clips()
        clips[:, 1] //= 3  # a frame darker than the others stays so
        batch = to_batch(clips, self.clip_preparation("3d", method))
        assert batch.shape == (3, 2, 2, 24, 24)
        assert batch.is_contiguous(memory_format=torch.channels_last_3d)
        for row, clip in zip(batch.numpy(), clips[:, [1, 3], 4:28, 4:28], strict=True):
            np.testing.assert_allclose(row.transpose(1, 2, 3, 0), reference(clip, method), atol=2e-6)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_2d_network_gets_each_frame_by_itself_as_in_training(self, method: str) -> None:
        clips = self.clips()
        batch = to_batch(clips, self.clip_preparation("2d", method))
        singly = [to_batch(clips[:, [frame]], preparation(method)) for frame in (1, 3)]
        assert torch.equal(batch, torch.stack(singly, dim=1).flatten(0, 1))
        assert batch.is_contiguous(memory_format=torch.channels_last)

    @pytest.mark.parametrize("method", METHODS)
    def test_frames_become_channels_in_the_order_of_time_and_are_normalised_together(self, method: str) -> None:
        clips = self.clips()
        clips[:, 1] //= 3
        preparation = self.clip_preparation("frames_as_channels", method)
        batch = to_batch(clips, preparation)
        assert batch.shape == (3, 4, 24, 24)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        # Both colours of the first frame, then both of the second.
        volume = to_batch(clips, self.clip_preparation("3d", method))
        assert torch.equal(batch, volume.transpose(1, 2).flatten(1, 2))
        drawn = self.clips(2, 24)
        assert to_batch(drawn, preparation, centre_crop=False).shape == (3, 4, 24, 24)

    def test_of_frames_that_are_channels_a_network_gets_one_mask_of_all(self) -> None:
        clips = self.clips()
        masks = np.zeros(clips.shape[:4], np.uint8)
        masks[:, 1, 10], masks[:, 3, :, 12], masks[:, 0] = 1, 1, 1
        network: Any = SimpleNamespace(inputs=(InputSpec("image", 4, 2), InputSpec("lesion_mask", 1, 2)))
        mask = inputs_of(network, clips, masks, self.clip_preparation("frames_as_channels"))["lesion_mask"]
        assert mask.shape == (3, 1, 24, 24)
        assert mask[:, 0, 6].all()
        assert mask[:, 0, :, 8].all()
        assert mask.sum() == 3 * 47

    def test_frames_that_training_drew_are_taken_as_they_are(self) -> None:
        drawn = self.clips(2, 24)
        volume = to_batch(drawn, self.clip_preparation("3d"), centre_crop=False)
        np.testing.assert_array_equal(
            volume.numpy().transpose(0, 2, 3, 4, 1), drawn.astype(np.float32) / np.float32(255)
        )
        assert to_batch(drawn[:, :1], self.clip_preparation("2d"), centre_crop=False).shape == (3, 2, 24, 24)

    @pytest.mark.parametrize(("frames", "centre_crop", "expected"), [(2, True, "4"), (4, False, "2"), (1, False, "2")])
    def test_another_number_of_frames_is_refused(self, frames: int, centre_crop: bool, expected: str) -> None:
        with pytest.raises(InputError, match=f"{frames} frames.*{expected}, because prepare.frames says so"):
            to_batch(self.clips(frames), self.clip_preparation("3d"), centre_crop)

    @pytest.mark.parametrize("layout", ["2d", "3d"])
    def test_masks_lie_over_their_pixels(self, layout: str) -> None:
        clips = self.clips()
        masks = (clips[..., 0] > 100).astype(np.uint8)
        network: Any = SimpleNamespace(
            inputs=(InputSpec("image", 2, 3), InputSpec("lesion_mask", 1, 3, required=False))
        )
        inputs = inputs_of(network, clips, masks, self.clip_preparation(layout))
        assert inputs["lesion_mask"].dtype == torch.float32
        assert torch.equal(inputs["lesion_mask"], (inputs["image"][:, :1] > 100.5 / 255).float())

    def test_a_network_that_takes_no_mask_gets_none(self) -> None:
        network: Any = SimpleNamespace(inputs=(InputSpec("image", 2, 3),))
        clips = self.clips()
        assert list(inputs_of(network, clips, clips[..., 0], self.clip_preparation("3d"))) == ["image"]


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_batch_stays_empty(method: str) -> None:
    assert to_batch(pictures(0), preparation(method)).shape == (0, 1, 24, 24)


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((2, 1, 32, 32, 1), np.float32), "float32"),
        (np.zeros((2, 32, 32, 1), np.uint8), r"\[2, 32, 32, 1\]"),
        (np.zeros((2, 3, 32, 32, 1), np.uint8), "3 frames"),
        (np.zeros((2, 1, 16, 16, 1), np.uint8), "crop of 24"),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(pixels: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_batch(pixels, preparation())
