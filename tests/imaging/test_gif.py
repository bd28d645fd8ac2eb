"""GIF: each frame as a viewer shows it, its own delay, nothing beyond what its header says."""

import av
import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import probe, read_clip

from .videos import HEIGHT, WIDTH, moving

DELAYS = [100, 40, 250, 80]


def layers(disposal):
    """Return pictures that leave parts transparent, so that what is under them shows."""
    pictures = []
    for number, colour in enumerate([(200, 30, 30, 255), (30, 200, 30, 255), (30, 30, 200, 255), (90, 90, 90, 255)]):
        picture = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
        picture.paste(colour, (8 * number, 6 * number, 8 * number + 24, 6 * number + 20))
        pictures.append(picture)
    return pictures, [disposal] * len(pictures)


def save(path, pictures, **options):
    pictures[0].save(path, save_all=True, append_images=pictures[1:], optimize=False, **options)
    return path


def drawn_by_ffmpeg(path):
    with av.open(str(path), format="gif") as container:
        layered = np.stack([frame.to_ndarray(format="rgba") for frame in container.decode(video=0)])
    return np.where(layered[..., 3:] > 0, layered[..., :3], 0)


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_frames_are_laid_over_each_other_as_ffmpeg_lays_them(tmp_path, disposal):
    pictures, disposals = layers(disposal)
    path = save(tmp_path / "a.gif", pictures, duration=DELAYS, disposal=disposals)
    expected = drawn_by_ffmpeg(path)
    assert probe(path).frames == len(expected) == 4
    np.testing.assert_array_equal(read_clip(path).frames, expected)
    np.testing.assert_array_equal(read_clip(path, frames=[3, 1]).frames, expected[[3, 1]])


def test_a_photograph_of_256_greys_keeps_its_values_and_three_channels(tmp_path):
    frames = [frame[..., 0] for frame in moving(5)]
    path = save(tmp_path / "a.gif", [Image.fromarray(frame) for frame in frames], duration=40)
    info = probe(path)
    assert (info.format, info.width, info.height, info.channels, info.frames) == ("gif", WIDTH, HEIGHT, 3, 5)
    np.testing.assert_array_equal(read_clip(path).frames, np.repeat(np.stack(frames)[..., None], 3, axis=3))


def test_times_are_the_stored_delays_and_none_where_a_delay_is_0(tmp_path):
    pictures = [Image.fromarray(frame) for frame in moving(4)]
    path = save(tmp_path / "a.gif", pictures, duration=DELAYS)
    np.testing.assert_allclose(probe(path).frame_times_s, [0, 0.1, 0.14, 0.39])
    np.testing.assert_allclose(read_clip(path, frames=[3, 0]).frame_times_s, [0.39, 0])
    path = save(tmp_path / "b.gif", pictures, duration=0)
    assert probe(path).frame_times_s is None
    path = tmp_path / "still.gif"
    pictures[0].save(path)
    assert probe(path).frame_times_s == (0.0,)


def test_limits_and_damage(tmp_path):
    path = save(tmp_path / "a.gif", [Image.fromarray(frame) for frame in moving(6)], duration=500)
    for limits, words in (
        (Limits(frames=3), "4 frames"),
        (Limits(pixels=3000), "3,072 pixels"),
        (Limits(seconds=2), "3.0 seconds"),
    ):
        with pytest.raises(LimitError, match=words):
            probe(path, limits)
    stored = path.read_bytes()
    for kept in (10, len(stored) // 2, len(stored) - 1):
        path.write_bytes(stored[:kept])
        with pytest.raises(PictureError, match="cut short"):
            probe(path)
    path.write_bytes(stored[:6] + b"\x10\0\x10\0" + stored[10:])  # a screen of 16 x 16 under frames of 64 x 48
    with pytest.raises(PictureError, match=r"frame 0 \(64 x 48 pixels\) leaves the GIF's 16 x 16"):
        read_clip(path)
    start = stored.index(b"\x2c" + bytes(4) + bytes([WIDTH, 0, HEIGHT, 0]))
    path.write_bytes(stored[:start] + b"\x77" + stored[start + 1 :])
    with pytest.raises(PictureError, match="no known kind"):
        probe(path)
