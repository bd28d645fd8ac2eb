"""``cohort check`` on clips: every file opened, three frames of it decoded, masks and boxes held against it."""

import base64
import re

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isthmus.cohort.audit import check_cohort
from isthmus.cohort.check_page import write_check
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.read import write_mask
from isthmus.tables.check import write_table

from .small import spoil, write_small_cohort

FRAMES = 9


def frames_of(number):
    base = np.zeros((48, 64), np.uint8)
    base[4:44, 4:60] = 60 + number + np.arange(56, dtype=np.uint8)[None, :] // 4
    return [base + np.uint8(10 * frame) * (base > 0) for frame in range(FRAMES)]


def write_video(path, frames, rate=25):
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, 2), format="rgb24")))
        output.mux(stream.encode(None))


@pytest.fixture
def folder(tmp_path):
    """The small cohort, whose first view is an AVI and whose second a folder of frames, each with its masks."""
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    write_small_cohort(cohort, patients=36)
    masks = np.zeros((FRAMES, 48, 64), bool)
    masks[2:7, 10:30, 20:40] = True  # out of plane before and after
    write_video(cohort / "pictures" / "000.avi", frames_of(0))
    (cohort / "pictures" / "001").mkdir()
    for number, frame in enumerate(frames_of(1)):
        Image.fromarray(frame).save(cohort / "pictures" / "001" / f"f{number}.png")
        write_mask(cohort / "masks" / "001" / f"f{number}.png", masks[number])
    write_clip_mask(cohort / "masks" / "000.tiff", masks)
    for line, path, mask in ((2, "000.avi", "000.tiff"), (3, "001", "001")):
        spoil(cohort, "views", line, "path", f"pictures/{path}")
        spoil(cohort, "views", line, "mask", f"masks/{mask}")
        spoil(cohort, "views", line, "modality", "cine")
    return cohort


def found(folder):
    return [(f.severity, f.subject, f.message, f.where) for f in check_cohort(folder).findings]


def test_faultless_clips_pass_and_the_page_shows_their_middle_frame(folder, tmp_path):
    report = check_cohort(folder)
    assert report.findings == []
    assert [(view.frame, view.frames) for view in report.views[:3]] == [(4, 9), (4, 9), (0, 1)]
    write_check(report, folder, tmp_path)
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert page.count("frame 5 of 9") == 2
    shown = re.search(r'alt="view v000" src="data:image/jpeg;base64,([^"]+)"', page)
    thumbnail = cv2.imdecode(np.frombuffer(base64.b64decode(shown[1]), np.uint8), cv2.IMREAD_COLOR)
    # Beside the outline, inside the region: the middle frame is 40 brighter than the first.
    place = (round(14 * 360 / 64), round(10 * 360 / 64))
    assert abs(int(thumbnail[place[0], place[1], 0]) - int(frames_of(0)[4][14, 10])) < 12


def test_a_cut_clip_and_a_damaged_frame_are_errors_and_the_frame_is_named(folder):
    path = folder / "pictures" / "000.avi"
    path.write_bytes(path.read_bytes()[:-900])
    path = folder / "pictures" / "001" / "f8.png"
    path.write_bytes(path.read_bytes()[:-30])
    [(first, *_, where), (second, _, message, other)] = found(folder)
    assert (first, where) == ("error", "pictures/000.avi")
    assert (second, other) == ("error", "pictures/001")
    assert "f8.png" in message


def test_masks_must_have_the_clips_frames_size_and_a_lesion(folder):
    write_clip_mask(folder / "masks" / "000.tiff", np.ones((FRAMES - 1, 48, 64), bool))
    (folder / "masks" / "001" / "f3.png").unlink()
    messages = [message for *_, message, _ in found(folder)]
    assert messages == ["its mask: it has 8 frames, the picture or clip 9"] * 2
    write_clip_mask(folder / "masks" / "000.tiff", np.ones((FRAMES, 40, 64), bool))
    write_clip_mask(folder / "masks" / "001.tiff", np.zeros((FRAMES, 48, 64), bool))
    spoil(folder, "views", 3, "mask", "masks/001.tiff")
    messages = [message for *_, message, _ in found(folder)]
    assert messages == ["its mask: it has 64 x 40 pixels, the picture 64 x 48", "the mask is empty"]


def test_numbers_that_are_left_out_are_warned_about(folder):
    (folder / "pictures" / "001" / "f3.png").unlink()
    (folder / "masks" / "001" / "f3.png").unlink()
    [(severity, subject, message, where)] = found(folder)
    assert (severity, subject, where) == ("warning", "clip", "pictures/001")
    assert "leaves out 1" in message


def test_the_tables_frame_rate_is_held_against_the_clips_own_times(folder):
    spoil(folder, "views", 2, "frame_rate_hz", "30")
    [(severity, subject, message, where)] = found(folder)
    assert (severity, subject, where) == ("warning", "clip", "view v000")
    assert "frame_rate_hz is 30, and its own times say 25.0" in message
    spoil(folder, "views", 2, "frame_rate_hz", "25")
    assert found(folder) == []


def test_boxes_of_frames_must_lie_in_the_clip(folder):
    rows = [("v000", 4, "20 10 40 30"), ("v000", 9, "20 10 40 30"), ("v001", 0, "20 10 65 30")]
    write_table(folder / "boxes.csv", pd.DataFrame(rows, columns=["view_id", "frame", "box"]))
    messages = {message for _, _, message, _ in found(folder)}
    assert messages == {
        "boxes.csv has a box for frame 9, and the last is 8",
        "the box of frame 0 leaves the picture of 64 x 48 pixels",
    }


def test_identical_clips_in_different_groups_are_an_error(folder):
    for number, frame in enumerate(frames_of(1)):
        (folder / "pictures" / "002").mkdir(exist_ok=True)
        Image.fromarray(frame).save(folder / "pictures" / "002" / f"f{number}.png")
    spoil(folder, "views", 4, "path", "pictures/002")
    spoil(folder, "views", 4, "mask", "masks/001")
    [(severity, subject, _, where)] = found(folder)
    assert (severity, subject, where) == ("error", "duplicates", "pictures/001, pictures/002")


def test_a_link_out_of_the_folder_hidden_among_frames_is_an_error(folder, tmp_path):
    path = folder / "pictures" / "001" / "f2.png"
    path.rename(tmp_path / "outside.png")
    path.symlink_to(tmp_path / "outside.png")
    [(severity, subject, message, where)] = found(folder)
    assert (severity, subject, where) == ("error", "picture", "pictures/001")
    assert "leads out of the cohort folder" in message
