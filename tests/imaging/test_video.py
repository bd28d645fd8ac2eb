"""Video: every frame is the one asked for, at its true time, in its true colours."""

import struct

import av
import cv2
import numpy as np
import pytest

from isthmus.errors import LimitError, PictureError
from isthmus.imaging import video
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import iter_frames, probe, read_clip

from .videos import HEIGHT, STORED, WIDTH, encode, in_order, jpeg, moving, write_avi

FILES = {
    "raw.avi": {"codec": "rawvideo", "layout": "bgr24"},
    "mjpeg.avi": {"codec": "mjpeg", "layout": "yuvj422p"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4_b_frames.avi": {"codec": "mpeg4", "b_frames": 2},
    "msmpeg4v2.avi": {"codec": "msmpeg4v2"},
    # AVI stores no times of showing: here its stamps are those of decoding.
    "h264_b_frames.avi": {"codec": "libx264", "b_frames": 3},
    "h264_b_frames.mp4": {"codec": "libx264", "b_frames": 3},
    "h264_open_gop.mp4": {"codec": "libx264", "options": {"x264-params": "open-gop=1:bframes=3:scenecut=0"}},
    # Decoding may start at a "key frame", and is right only some frames later.
    "h264_intra_refresh.mp4": {"codec": "libx264", "options": {"x264-params": "intra-refresh=1:bframes=0"}},
    "h264_fragments.mp4": {"codec": "libx264", "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc_open_gop.mp4": None,  # stored
    "mpeg2_b_frames.mov": {"codec": "mpeg2video", "b_frames": 2},
    "prores.mov": {"codec": "prores", "layout": "yuv422p10le"},
    "animation.mov": {"codec": "qtrle", "layout": "argb"},
    "ffv1.avi": {"codec": "ffv1", "layout": "bgr0"},
}
# Their time stamps or key frames cannot be trusted, or the decoder does not say what is a key frame.
FROM_THE_START = {"h264_b_frames.avi", "h264_intra_refresh.mp4", "animation.mov"}


def made(path):
    """Return the video of this name: stored, or encoded at the path."""
    how = FILES[path.name]
    return STORED / path.name if how is None else encode(path, **how)


@pytest.mark.parametrize("name", FILES)
def test_a_frame_reached_by_seeking_is_the_one_that_decoding_in_order_gives(tmp_path, name):
    path = made(tmp_path / name)
    expected = in_order(path)
    info = probe(path)
    assert (info.width, info.height, info.channels, info.frames) == (WIDTH, HEIGHT, 3, 30)
    assert info.format == path.suffix[1:]
    np.testing.assert_allclose(info.frame_times_s, np.arange(30) / 25, atol=1e-9)
    for wanted in ([17], [29, 0, 12, 12], [9, 10, 11, 21], [25, 26]):
        clip = read_clip(path, frames=wanted)
        np.testing.assert_array_equal(clip.frames, expected[wanted], err_msg=str(wanted))
        np.testing.assert_allclose(clip.frame_times_s, np.array(wanted) / 25, atol=1e-9)
    np.testing.assert_array_equal(read_clip(path).frames, expected)
    np.testing.assert_array_equal(np.stack(list(iter_frames(path))), expected)


@pytest.mark.parametrize("name", sorted(set(FILES) - FROM_THE_START))
def test_files_in_order_are_not_decoded_from_the_start(tmp_path, name, monkeypatch):
    path = made(tmp_path / name)
    monkeypatch.setattr(video._Video, "_from_start", lambda *_: pytest.fail("it was"))
    assert len(read_clip(path, frames=[0, 11, 12, 29]).frames) == 4


@pytest.mark.parametrize("name", ["mpeg4_b_frames.avi", "h264_b_frames.mp4", "mjpeg.avi"])
def test_opencv_sees_the_same_frames(tmp_path, name):
    path = made(tmp_path / name)
    capture = cv2.VideoCapture(str(path))
    seen = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB).astype(int) for _ in range(30)]
    clip = read_clip(path, frames=[4, 15, 29])
    assert np.abs(clip.frames - np.stack(seen)[[4, 15, 29]]).mean() < 1.5  # rounding of colours; a neighbour: above 5
    assert np.abs(clip.frames - np.stack(seen)[[5, 14, 28]]).mean() > 5


def test_lossless_video_gives_the_pixels_that_went_in(tmp_path):
    for name in ("raw.avi", "ffv1.avi", "animation.mov"):
        path = made(tmp_path / name)
        np.testing.assert_array_equal(read_clip(path).frames, moving(30))


def test_frame_times_are_the_containers_and_a_variable_rate_is_kept(tmp_path):
    milliseconds = np.cumsum([0] + [40, 40, 500, 20, 33] * 5).tolist()
    path = encode(tmp_path / "a.mp4", "libx264", frames=26, b_frames=2, milliseconds=milliseconds)
    np.testing.assert_allclose(probe(path).frame_times_s, np.array(milliseconds) / 1000, atol=1e-4)
    clip = read_clip(path, frames=[20, 3])
    np.testing.assert_allclose(clip.frame_times_s, np.array(milliseconds)[[20, 3]] / 1000, atol=1e-4)
    np.testing.assert_array_equal(clip.frames, in_order(path)[[20, 3]])


def test_dropped_frames_of_an_avi_leave_a_gap_in_time(tmp_path):
    pictures = [jpeg(frame) for frame in moving(3)]
    path = write_avi(tmp_path / "a.avi", [pictures[0], b"", pictures[1], b"", pictures[2]])
    info = probe(path)
    assert info.frames == 3
    np.testing.assert_allclose(info.frame_times_s, [0, 0.08, 0.16])


def test_an_edit_list_hides_frames_from_the_count(tmp_path):
    path = encode(tmp_path / "a.mp4", "libx264", b_frames=2)
    stored = bytearray(path.read_bytes())
    # Version 0 of 'elst' (ISO/IEC 14496-12, 8.6.6): one entry of duration and media time; 12 frames later now.
    entry = stored.index(b"elst") + 12
    duration, start = struct.unpack(">Ii", stored[entry : entry + 8])
    moved = 12 * 512
    struct.pack_into(">Ii", stored, entry, duration - round(12 / 25 * 1000), start + moved)
    path.write_bytes(stored)
    expected = in_order(path)
    info = probe(path)
    assert info.frames == len(expected) == 18
    assert info.frame_times_s[0] == 0
    for wanted in ([0], [5], [17, 3]):
        np.testing.assert_array_equal(read_clip(path, frames=wanted).frames, expected[wanted])


def test_key_frame_marks_that_lie_are_seen_through(tmp_path):
    path = encode(tmp_path / "a.avi", "mpeg4", gop=30)
    stored = bytearray(path.read_bytes())
    expected = in_order(path)
    entry = stored.index(b"idx1") + 8
    for frame in range(30):  # AVIIF_KEYFRAME for every frame, as careless writers do
        struct.pack_into("<I", stored, entry + 16 * frame + 4, 0x10)
    path.write_bytes(stored)
    np.testing.assert_array_equal(read_clip(path, frames=[21]).frames, expected[[21]])


@pytest.mark.parametrize("name", ["mpeg4_b_frames.avi", "mjpeg.avi", "raw.avi"])
def test_an_avi_without_an_index_is_read(tmp_path, name):
    path = made(tmp_path / name)
    expected = in_order(path)
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b"idx1", b"JUNK"))
    assert probe(path).frames == 30
    np.testing.assert_array_equal(read_clip(path, frames=[13, 29]).frames, expected[[13, 29]])


@pytest.mark.parametrize(
    ("space", "red", "blue"), [(1, 0.2126, 0.0722), (5, 0.299, 0.114), (2, 0.299, 0.114)], ids=["709", "601", "none"]
)
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_matrix_and_range_that_the_file_states(tmp_path, space, red, blue, full):
    # ITU-R BT.601 and BT.709: R = Y + 2 (1 - Kr) Cr, B = Y + 2 (1 - Kb) Cb, Y = Kr R + Kg G + Kb B.
    patches = np.array([[81, 90, 240], [145, 54, 34], [41, 240, 110], [180, 128, 128], [60, 120, 140]], np.uint8)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 16 * len(patches), 16, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = space, 2 if full else 1
        frame = av.VideoFrame(16 * len(patches), 16, "yuv444p")
        for plane, values in zip(frame.planes, patches.T, strict=True):
            rows = np.zeros((16, plane.line_size), np.uint8)
            rows[:, : 16 * len(patches)] = np.repeat(values, 16)
            plane.update(rows.tobytes())
        frame.colorspace, frame.color_range = space, 2 if full else 1
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    luma = patches[:, 0] / 255 if full else (patches[:, 0] - 16.0) / 219
    cb, cr = ((patches[:, place] - 128.0) / (255 if full else 224) for place in (1, 2))
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    expected = np.clip(255 * np.stack([r, g, b], axis=1), 0, 255)
    np.testing.assert_allclose(read_clip(path).frames[0, 8, 8::16], expected, atol=1.5)


def test_grey_video_stays_grey_and_a_palette_becomes_colour(tmp_path):
    path = encode(tmp_path / "grey.avi", "rawvideo", "gray")
    assert probe(path).channels == 1
    assert read_clip(path, frames=[7]).frames.shape == (1, HEIGHT, WIDTH, 1)
    # Raw AVI is stored as a bitmap: lines from the bottom up, blue first.
    numbers = (np.arange(HEIGHT)[:, None] + np.arange(WIDTH)[None]).astype(np.uint8)
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    palette = np.concatenate([colours[:, ::-1], np.zeros((256, 1), np.uint8)], axis=1)
    chunks = [numbers[::-1].tobytes()] * 2
    path = write_avi(tmp_path / "palette.avi", chunks, codec=b"\0" * 4, bits=8, palette=palette.tobytes())
    np.testing.assert_array_equal(read_clip(path).frames[1], colours[numbers])


def test_transparency_is_laid_over_black(tmp_path):
    path = tmp_path / "a.mov"
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 1], pixels[:, : WIDTH // 2, 3] = 200, 255
    with av.open(str(path), "w") as output:
        stream = output.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "argb"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="argb")))
        output.mux(stream.encode(None))
    frame = read_clip(path).frames[0]
    assert frame[5, 5].tolist() == [0, 200, 0]
    assert frame[5, -5].tolist() == [0, 0, 0]


def test_limits_hold_before_decoding(tmp_path):
    path = encode(tmp_path / "a.mp4", "libx264")
    for limits, words in (
        (Limits(frames=29), "more than 29 frames"),
        (Limits(pixels=WIDTH * HEIGHT - 1), "3,072 pixels"),
        (Limits(seconds=1.0), "1.2 seconds"),
        (Limits(bytes=3000), "bytes"),
    ):
        with pytest.raises(LimitError, match=words):
            probe(path, limits)
    with pytest.raises(LimitError, match="ask for fewer frames"):
        read_clip(path, limits=Limits(bytes=max(path.stat().st_size, WIDTH * HEIGHT * 3 * 29)))
    with pytest.raises(PictureError, match="frame 30"):
        read_clip(path, frames=[30])
