"""Video that is damaged, cut short, a bomb, or not to be decoded here: one clear line, nothing half grey, no name."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import probe, read_clip

from .videos import HEIGHT, WIDTH, encode, jpeg, moving, write_avi

NAME = "NOBODY AT ALL"


def refusal(path, **reading):
    with pytest.raises(PictureError) as caught:
        read_clip(path, **reading)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.97])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.avi", "mpeg4", {}),
        ("a.avi", "mjpeg", {}),
        ("a.avi", "rawvideo", {}),
        ("a.mp4", "libx264", {}),
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("a.mov", "mjpeg", {"movflags": "faststart"}),
    ],
)
def test_a_truncated_video_is_refused_already_by_its_headers(tmp_path, name, codec, options, kept):
    layout = {"mjpeg": "yuvj420p", "rawvideo": "bgr24"}.get(codec, "yuv420p")
    path = encode(tmp_path / name, codec, layout, container_options=options)
    stored = path.read_bytes()
    path.write_bytes(stored[: int(kept * len(stored))])
    with pytest.raises(PictureError, match=r"cut short|cannot be opened|cannot be read|announces"):
        probe(path)
    refusal(path, frames=[0])


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg", "msmpeg4v2", "libx264"])
def test_a_damaged_frame_is_refused_and_frames_before_it_are_not(tmp_path, codec):
    import av

    path = encode(tmp_path / "a.avi", codec, "yuvj420p" if codec == "mjpeg" else "yuv420p")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    hit = packets[15]
    stored = bytearray(path.read_bytes())
    stored[hit.pos + hit.size // 2 : hit.pos + hit.size] = bytes(hit.size - hit.size // 2)
    path.write_bytes(stored)
    assert read_clip(path, frames=[3]).frames.max() > 100
    assert "damaged" in refusal(path, frames=[15, 16]) or "cannot be decoded" in refusal(path, frames=[15, 16])
    refusal(path)


def test_empty_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.touch()
    assert "empty" in refusal(path)
    path.write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 40)
    assert "cannot be opened" in refusal(path) or "no video stream" in refusal(path)
    assert "0 frame(s)" in refusal(write_avi(tmp_path / "b.avi", []))


def test_a_file_of_sound_only_has_no_video_stream(tmp_path):
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        stream.layout = "mono"
        for start in range(0, 8000, 1024):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 8000, start
            output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    assert "no video stream" in refusal(path)


def test_a_codec_that_nobody_here_decodes_is_said_to_be_missing(tmp_path):
    message = refusal(write_avi(tmp_path / "a.avi", [b"1234" * 10] * 3, codec=b"QQQQ"))
    assert "no decoder is installed" in message
    assert "convert it" in message


def test_frames_of_another_size_are_named(tmp_path):
    pictures = [jpeg(frame) for frame in moving(3)]
    pictures[1] = jpeg(np.zeros((HEIGHT * 2, WIDTH, 3), np.uint8))
    path = write_avi(tmp_path / "a.avi", pictures)
    assert f"frame 1 has {WIDTH} x {2 * HEIGHT} pixels, the first {WIDTH} x {HEIGHT}" in refusal(path)
    assert read_clip(path, frames=[2]).frames.shape == (1, HEIGHT, WIDTH, 3)


def test_a_header_that_announces_frames_which_are_not_there_is_refused_and_too_few_are_counted(tmp_path):
    pictures = [jpeg(frame) for frame in moving(4)]
    for index in (True, False):
        path = write_avi(tmp_path / "a.avi", pictures, announced=1_000_000_000, index=index)
        assert "announces 1,000,000,000 frames and 4 are there" in refusal(path)
    assert probe(write_avi(tmp_path / "b.avi", pictures, announced=2)).frames == 4
    # What a recorder leaves that was switched off: sizes of 0 and no index.
    assert probe(write_avi(tmp_path / "c.avi", pictures, announced=0, riff_size=0, index=False)).frames == 4


def test_a_turned_video_is_refused_like_a_turned_tiff(tmp_path):
    path = encode(tmp_path / "a.mp4", "libx264")
    stored = path.read_bytes()
    # The matrix of 'tkhd' (ISO/IEC 14496-12, 8.3.2) of an upright and of a turned picture, in 16.16 fixed point.
    upright, turned = (b"".join(value.to_bytes(4, "big", signed=True) for value in matrix) for matrix in (
        (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    ))  # fmt: skip
    start = stored.index(b"tkhd")
    path.write_bytes(stored[:start] + stored[start:].replace(upright, turned, 1))
    assert "stored turned by" in refusal(path)


def test_a_bomb_inside_a_small_header_is_refused_in_bounded_memory(tmp_path):
    big = tmp_path / "big.jpg"
    Image.new("L", (16000, 16000)).save(big)
    pictures = [jpeg(moving(1)[0]), big.read_bytes()]
    path = write_avi(tmp_path / "a.avi", pictures)
    code = (
        "import resource, sys\n"
        "from isthmus.imaging.read import read_clip\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_clip(sys.argv[1])\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    kind, kilobytes = done.stdout.split()
    assert kind == "PictureError"
    assert int(kilobytes) * (1 if sys.platform != "darwin" else 1 / 1024) < 150_000  # one such frame: 256 MB
    assert done.stderr == ""


def test_more_packets_than_the_limit_are_not_listed(tmp_path):
    path = write_avi(tmp_path / "a.avi", [jpeg(moving(1)[0])] * 30, announced=3)
    with pytest.raises(LimitError, match="more than 20 frames"):
        probe(path, Limits(frames=20))


def test_a_name_in_the_files_own_texts_reaches_no_message_no_clip_and_no_terminal(tmp_path, capfd):
    path = encode(tmp_path / "a.mp4", "libx264", title=NAME, container_options={"movflags": "faststart"})
    assert NAME.encode() in path.read_bytes()
    assert NAME not in repr(read_clip(path)) + repr(probe(path))
    stored = bytearray(path.read_bytes())
    stored[-200:-100] = bytes(100)
    path.write_bytes(stored)
    assert NAME not in refusal(path)
    path.write_bytes(stored[: len(stored) // 3])
    assert NAME not in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_texts_that_are_no_utf_8_do_not_matter(tmp_path):
    path = encode(tmp_path / "a.mp4", "libx264", title="Schilddruese")
    path.write_bytes(path.read_bytes().replace(b"Schilddruese", "Schilddrüse ".encode("latin-1")))
    assert len(read_clip(path).frames) == 30
