"""What an exported network sees is what PyTorch sees: number for number, in every layout and normalisation."""

from typing import Any

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.inference.batch import inputs_of
from isthmus.inference.network_inputs import network_inputs
from isthmus.models.classifier import IMAGE, LESION_MASK, PRESENT, Classifier, InputSpec


class Looks(Classifier):
    """A network that only says what it takes."""

    features = head = None  # type: ignore[assignment]

    def __init__(self, *names: str) -> None:
        super().__init__(inputs=tuple(InputSpec(name, 1, 0 if name == PRESENT else 2) for name in names), classes=2)


Looks.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def pixels(seed: int, frames: int, size: int, channels: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    generator = np.random.default_rng(seed)
    found = generator.integers(0, 256, (3, frames, size, size, channels)).astype(np.uint8)
    found[1] //= 9  # a dark view, whose percentiles are other ones
    found[2] = 77  # a view of one grey value
    return found, generator.random((3, frames, size, size)) > 0.5


@pytest.mark.parametrize("normalise", ["unit", "z", "percentile_z", "imagenet"])
@pytest.mark.parametrize("layout", ["still", "2d", "3d", "frames_as_channels"])
def test_pictures_and_masks_are_those_of_pytorch(layout: str, normalise: str) -> None:
    rgb = normalise == "imagenet"
    frames = None if layout == "still" else FrameSampling(count=2)
    options: dict[str, Any] = {"layout": "2d" if layout == "still" else layout, "frames": frames}
    preparation = Preparation(
        train_size=21, crop_size=16, normalise=normalise, channels="rgb" if rgb else "gray", **options
    )  # fmt: skip
    shown, masks = pixels(4, 1 if frames is None else frames.stored, 21, preparation.colours)
    expected = inputs_of(Looks(IMAGE, LESION_MASK), shown, masks, preparation)
    found = network_inputs((IMAGE, LESION_MASK), shown, masks, preparation)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        # One unit in the last place where sums of float64 are added in another order.
        np.testing.assert_allclose(found[name], value.numpy(), rtol=3e-7, atol=1e-7)


def test_modalities_and_which_are_there_are_those_of_pytorch() -> None:
    preparation = Preparation(train_size=21, crop_size=16, normalise="z")
    shown, _ = pixels(5, 2, 21, 1)
    shown[1, 0] = 0
    names = ("bmode", "swe", PRESENT)
    expected, found = (
        inputs_of(Looks(*names), shown, None, preparation),
        network_inputs(names, shown, None, preparation),
    )
    assert found[PRESENT].tolist() == [[1, 1], [0, 1], [1, 1]] == expected[PRESENT].tolist()
    for name in names:
        np.testing.assert_allclose(found[name], expected[name].numpy(), rtol=3e-7, atol=1e-7)


def test_what_does_not_fit_is_refused_as_there() -> None:
    preparation = Preparation(train_size=21, crop_size=16)
    shown, _ = pixels(6, 1, 21, 1)
    with pytest.raises(InputError, match="needs the lesion's mask"):
        network_inputs((IMAGE, LESION_MASK), shown, None, preparation)
    with pytest.raises(InputError, match=r"2 frames; expected 1, because prepare.frames is not set"):
        network_inputs((IMAGE,), np.concatenate([shown, shown], axis=1), None, preparation)
    with pytest.raises(InputError, match="crop of 16 pixels does not fit"):
        network_inputs((IMAGE,), shown[:, :, :10, :10], None, preparation)
