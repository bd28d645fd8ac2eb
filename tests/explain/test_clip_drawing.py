"""Films, filmstrips and curves of clips."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError
from isthmus.explain.attention_curve import Attention, draw_curve
from isthmus.explain.clip_film import SourceClip, film_frames
from isthmus.explain.clip_video import playing_rate, write_gif, write_mp4
from isthmus.explain.filmstrip import COLUMNS, SeenClip, filmstrip, shown_places
from isthmus.explain.legend import MARK

FRAMES = 6


def attention(**changes: Any) -> Attention:
    share = np.array([0.1, 0.1, 0.4, 0.2, 0.1, 0.1])
    return Attention(**{"share": share, "frames": np.arange(0, 12, 2), **changes})


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - colour).max(axis=2) < 12


def seen(**changes: Any) -> SeenClip:
    random = np.random.default_rng(0)
    heat = np.zeros((FRAMES, 32, 32), np.float32)
    heat[2, 10:14, 10:14] = 1.0
    lesions = np.zeros((FRAMES, 32, 32), bool)
    lesions[1:5, 8:24, 8:24] = True
    pictures = random.integers(40, 120, (FRAMES, 32, 32, 1)).astype(np.uint8)
    return SeenClip(**{"pictures": pictures, "heat": heat, "lesions": lesions, "attention": attention(), **changes})


def test_a_strip_shows_evenly_spaced_frames_and_the_hottest_always() -> None:
    for count in (1, 2, 7, 8, 16, 32):
        for hottest in range(count):
            places = shown_places(count, [hottest])
            assert hottest in places
            assert places == sorted(set(places))
            assert len(places) == min(COLUMNS, count)


def test_a_strip_shows_a_frame_with_a_calcification_where_there_is_one() -> None:
    calcified = np.zeros(16, bool)
    calcified[6] = True
    told = Attention(np.full(16, 1 / 16), np.arange(16), calcified=calcified)
    masks = np.zeros((16, 32, 32), bool)
    masks[6, 20:24, 20:24] = True
    clip = SeenClip(np.full((16, 32, 32, 1), 60, np.uint8), np.zeros((16, 32, 32), np.float32),
                    np.zeros((16, 32, 32), bool), told, masks)  # fmt: skip
    row = filmstrip(clip, [], "malignant")[22:158].astype(int)
    assert (row[..., 2] - row[..., 0]).max() > 60  # a blue line on grey
    assert 6 not in shown_places(16, [0])


def test_a_clip_without_heat_has_no_hottest_frame_and_says_so() -> None:
    for share in (np.zeros(FRAMES), np.full(FRAMES, np.nan)):
        cold = attention(share=share)
        assert cold.hottest is None
        assert cold.words().startswith("No frame has heat")
        drawn = filmstrip(seen(attention=cold, heat=np.zeros((FRAMES, 32, 32), np.float32)), [], "malignant")
        assert not near(drawn[:22], MARK).any()
        assert draw_curve(cold, 800, 124).shape == (124, 800, 3)


def test_the_strip_marks_the_hottest_frame_and_keeps_its_width_with_few_frames() -> None:
    drawn = filmstrip(seen(), ["View v1."], "malignant", ["SMOKE"])
    # Its column is the third of 136 pixels; its name stands in the colour of marks.
    top = near(drawn[:22], MARK)
    assert np.argwhere(top)[:, 1].min() > 2 * 142
    assert np.argwhere(top)[:, 1].max() < 3 * 142 + 6
    few = filmstrip(seen(pictures=seen().pictures[:1], heat=seen().heat[:1], lesions=seen().lesions[:1],
                         attention=Attention(np.array([1.0]), np.array([4]))), [], "malignant")  # fmt: skip
    assert few.shape[1] == drawn.shape[1]


def test_the_ground_of_the_curve_says_what_is_in_plane() -> None:
    lesion, calcified = np.array([0, 1, 1, 1, 1, 0], bool), np.array([0, 0, 1, 0, 0, 0], bool)
    told = attention(lesion=lesion, calcified=calcified, rate_hz=10.0)
    drawn = draw_curve(told, 600, 120)
    row = drawn[24]
    step = (600 - 54 - 16) / 6
    colours = [tuple(row[int(54 + step * (place + 0.15))]) for place in range(6)]
    assert colours[0] == colours[5] == (255, 255, 255)
    assert colours[1] == colours[3] == colours[4] == (236, 236, 236)
    assert colours[2] == (190, 222, 242)
    assert "Blue ground: a true calcification" in told.words()
    assert "(in all frames)" not in told.words()
    assert told.name(2) == "frame 4, 0.4 s"
    assert "No frame shows a true calcification" in attention(calcified=np.zeros(6, bool)).words()
    assert "calcification" not in attention().words()


def test_a_clip_without_heat_is_drawn_all_the_same() -> None:
    cold = attention(share=np.full(6, np.nan))
    assert draw_curve(cold, 400, 90).shape == (90, 400, 3)
    assert filmstrip(seen(attention=cold, heat=np.zeros((FRAMES, 32, 32), np.float32)), [], "malignant").size


def film(**changes: Any) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    frames = random.integers(40, 120, (FRAMES, 90, 120, 1)).astype(np.uint8)
    frames[:, :, :20] = 255  # a name beside the scan area
    lesion = np.zeros((90, 120), bool)
    lesion[30:60, 50:80] = True
    matrix = np.array([[0.8, 0.0, -36 + 0.4], [0.0, 0.8, -16 + 0.4]])
    clip = SourceClip(frames, [None, *[lesion] * 4, None], (20.0, 0.0, 120.0, 90.0), matrix, 36)
    given = {"score": "0.90, malignant", "target": "malignant", "marks": ["SMOKE: a rehearsal"], **changes}
    return film_frames(clip, seen().heat, attention(), **given)


def test_films_have_frames_of_one_size_with_marks_and_nothing_from_beside_the_scan_area() -> None:
    drawn = film()
    assert len(drawn) == FRAMES
    assert len({frame.shape for frame in drawn}) == 1
    for frame in drawn:
        assert not near(frame[:200, :316], (255, 255, 255)).any()
        assert near(frame, MARK).sum() > 200
    assert not np.array_equal(drawn[1], drawn[2])
    assert film(half=220)[0].shape[1] == 444


def test_the_outline_stands_only_in_frames_that_show_the_lesion() -> None:
    drawn = film()
    # The grey frame of what the network saw is 150; only the outline is brighter.
    bright = [int((frame[:200, 324:638].min(axis=2) > 200).sum()) for frame in drawn]
    assert bright[0] == bright[5] == 0
    assert min(bright[1:5]) > 50


def test_an_mp4_is_h264_of_even_size_that_browsers_play_and_starts_with_its_index(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 255, (47, 65, 3)).astype(np.uint8) for _ in range(4)]
    for name in ("a", "b", "c", "d"):
        write_mp4(frames, tmp_path / f"{name}.mp4", Fraction(25, 4))
    content = (tmp_path / "a.mp4").read_bytes()
    assert all((tmp_path / f"{name}.mp4").read_bytes() == content for name in ("b", "c", "d"))
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as opened:
        stream = opened.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (66, 48, Fraction(25, 4))
        assert sum(1 for _ in opened.decode(video=0)) == 4


def test_a_gif_repeats_for_ever_at_the_same_speed(tmp_path: Path) -> None:
    frames = [np.full((20, 30, 3), value, np.uint8) for value in (0, 80, 160)]
    write_gif(frames, tmp_path / "a.gif", Fraction(5))
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (3, 0, 200)


def test_a_film_of_nothing_or_of_several_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 pictures"):
        write_mp4([], tmp_path / "a.mp4", Fraction(5))
    with pytest.raises(InputError, match="2 sizes"):
        write_gif([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)], tmp_path / "a.gif", Fraction(5))
    assert list(tmp_path.iterdir()) == []


def test_a_film_plays_at_the_recording_s_speed_within_bounds_and_says_so() -> None:
    assert playing_rate(np.arange(0, 64, 4), 24.0) == (Fraction(6), "at the speed of the recording")
    assert playing_rate(np.arange(16), 30.0) == (Fraction(12), "2.5 times slower than the recording")
    assert playing_rate(np.arange(0, 160, 10), 10.0) == (Fraction(2), "2.0 times faster than the recording")
    for rate in (None, float("nan"), 0.0):
        assert playing_rate(np.arange(4), rate)[1].startswith("at 5 frames a second")
    assert playing_rate(np.zeros(4, np.int64), 30.0)[0] == 5
