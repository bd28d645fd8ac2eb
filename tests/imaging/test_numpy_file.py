"""NumPy files: mapped, checked before they are, and no pickle ever run."""

import numpy as np
import pytest

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import iter_frames, probe, read_clip


@pytest.fixture
def samples():
    return np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), np.uint8)


@pytest.mark.parametrize("order", ["C", "F"])
def test_grey_and_colour_arrays_come_back_and_only_the_frames_asked_for(tmp_path, samples, order):
    path = tmp_path / "a.npy"
    for array in (samples, samples[..., 0], samples[..., :1]):
        np.save(path, np.asarray(array, order=order))
        info = probe(path)
        channels = array.shape[3] if array.ndim == 4 else 1
        assert (info.format, info.width, info.height, info.channels, info.frames) == ("npy", 30, 20, channels, 6)
        expected = array.reshape(6, 20, 30, channels)
        np.testing.assert_array_equal(read_clip(path).frames, expected)
        np.testing.assert_array_equal(read_clip(path, frames=[5, 2]).frames, expected[[5, 2]])
        np.testing.assert_array_equal(np.stack(list(iter_frames(path))), expected)


def test_the_file_is_mapped_not_read(tmp_path, samples, monkeypatch):
    path = tmp_path / "a.npy"
    np.save(path, samples)
    seen = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda *args, **named: seen.append(load(*args, **named)) or seen[-1])
    clip = read_clip(path, frames=[1])
    assert isinstance(seen[0], np.memmap)
    assert not isinstance(clip.frames, np.memmap)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 8, 8), np.float32), r"float32 \[2, 8, 8\]"),
        (np.zeros((2, 8, 8), np.uint16), "uint16"),
        (np.zeros((8, 8), np.uint8), r"uint8 \[8, 8\]"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"\[2, 3, 8, 8\]"),
        (np.zeros((8, 8, 3), np.uint8), "could be one colour picture"),
        (np.array([{"a": 1}], dtype=object), "object"),
        (np.zeros((0, 8, 8), np.uint8), "0 frame"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, words):
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(PictureError, match=words):
        read_clip(path)


def test_a_header_that_lies_or_is_damaged_is_refused_before_anything_is_mapped(tmp_path, samples):
    path = tmp_path / "a.npy"
    np.save(path, samples)
    stored = path.read_bytes()
    path.write_bytes(stored[:-100])
    with pytest.raises(PictureError, match="announces 10,800 bytes of samples and 10,700 are there"):
        probe(path)
    path.write_bytes(stored.replace(b"(6, 20, 30, 3)", b"(9999999999999, 20, 30, 3)")[: len(stored)])
    with pytest.raises(PictureError):
        probe(path)
    lie = stored.replace(b"(6, 20, 30, 3)", b"(9, 20, 30, 3)")
    path.write_bytes(lie)
    with pytest.raises(PictureError, match="announces 16,200 bytes"):
        probe(path)
    path.write_bytes(stored.replace(b"fortran_order", b"fortran_ordes"))
    with pytest.raises(PictureError, match="NumPy header is damaged"):
        probe(path)
    path.write_bytes(stored[:9])
    with pytest.raises(PictureError, match="NumPy header is damaged"):
        probe(path)


def test_limits_hold(tmp_path, samples):
    path = tmp_path / "a.npy"
    np.save(path, samples)
    for limits, words in ((Limits(frames=5), "6 frames"), (Limits(pixels=599), "600 pixels")):
        with pytest.raises(LimitError, match=words):
            probe(path, limits)


def test_archives_are_refused(tmp_path, samples):
    np.savez(tmp_path / "a.npz", samples)
    with pytest.raises(PictureError, match="of no kind"):
        probe(tmp_path / "a.npz")
