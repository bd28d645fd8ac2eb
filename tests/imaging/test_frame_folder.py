"""A folder of numbered frames: in the order of the numbers, one series, nothing silently left out."""

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging import frame_folder
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import clip_hash, iter_frames, probe, read_clip


def fill(folder, *names, size=(9, 7), mode="L"):
    folder.mkdir(exist_ok=True)
    for name in names:
        number = int("".join(filter(str.isdigit, name)) or 0)
        Image.new(mode, size, number if mode == "L" else (number, 0, 0)).save(folder / name)
    return folder


def values(clip):
    return clip.frames[:, 0, 0, 0].tolist()


def test_frames_come_by_number_not_by_letter(tmp_path):
    folder = fill(tmp_path / "sweep", "f10.png", "f2.png", "f1.png", "f9.png", "f11.png")
    info = probe(folder)
    assert (info.format, info.width, info.height, info.channels, info.frames) == ("folder", 9, 7, 1, 5)
    assert info.frame_times_s is None
    clip = read_clip(folder)
    assert values(clip) == [1, 2, 9, 10, 11]
    assert clip.frame_times_s is None
    assert clip.source == str(folder)
    assert values(read_clip(folder, frames=[4, 0])) == [11, 1]
    assert [int(frame[0, 0, 0]) for frame in iter_frames(folder)] == [1, 2, 9, 10, 11]


def test_tables_hidden_files_folders_and_masks_lie_beside_frames(tmp_path):
    folder = fill(tmp_path / "sweep", *(f"{number:03}.png" for number in range(4)))
    fill(folder, "000_mask.png", "001_mask.png", "Segmentation_1.png")
    fill(folder / "masks", "000.png")
    (folder / "readings.csv").write_text("a,b\n")
    (folder / "Thumbs.db").write_bytes(b"?")
    (folder / "._000.png").write_bytes(b"?")
    assert values(read_clip(folder)) == [0, 1, 2, 3]
    # Where nothing else is there, the masks are the clip.
    assert values(read_clip(fill(tmp_path / "only", "mask_2.png", "mask_1.png"))) == [1, 2]


def test_numbers_that_are_left_out_are_counted(tmp_path):
    assert probe(fill(tmp_path / "a", "000.png", "001.png", "004.png")).missing_frames == 2
    # Every tenth frame of a sweep is a series of its own kind, and one of those is missing.
    assert probe(fill(tmp_path / "b", "10.png", "20.png", "30.png")).missing_frames == 0
    assert probe(fill(tmp_path / "c", "10.png", "20.png", "40.png", "50.png")).missing_frames == 1
    assert probe(fill(tmp_path / "d", "7.png")).missing_frames == 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a1.png", "a2.png", "b1.png"], r"2 series of numbered pictures"),
        (["1.png", "2.bmp"], r"2 series"),
        (["1.png", "01.png"], "have the same number"),
        (["1.png", "cover.png"], "cover.png has no number"),
        ([], "holds no numbered pictures"),
    ],
)
def test_what_leaves_open_which_files_are_the_clip_is_refused(tmp_path, names, words):
    with pytest.raises(PictureError, match=words):
        probe(fill(tmp_path / "sweep", *names))


def test_a_folder_of_folders_says_to_name_one_of_them(tmp_path):
    folder = tmp_path / "case"
    fill(folder, *[])
    fill(folder / "images", "000.png")
    with pytest.raises(PictureError, match="name one of the 1 folders in it"):
        probe(folder)


def test_a_frame_of_another_size_or_kind_or_cut_short_is_named(tmp_path):
    folder = fill(tmp_path / "sweep", "000.png", "001.png", "002.png")
    fill(folder, "001.png", size=(8, 7))
    with pytest.raises(PictureError, match=r"frame is 8 x 7 pixels grey, the first 9 x 7.*001\.png"):
        probe(folder)
    fill(folder, "001.png", mode="RGB")
    with pytest.raises(PictureError, match=r"in colour.*001\.png"):
        probe(folder)
    fill(folder, "001.png")
    whole = (folder / "002.png").read_bytes()
    for content, words in ((whole[:-25], "cut short"), (b"", "empty"), (b"no picture", "no picture")):
        (folder / "002.png").write_bytes(content)
        with pytest.raises(PictureError, match=rf"{words}.*002\.png"):
            read_clip(folder)
    (folder / "002.png").write_bytes(whole)
    pages = [Image.new("L", (9, 7))] * 2
    tiffs = tmp_path / "tiffs"
    tiffs.mkdir()
    pages[0].save(tiffs / "0.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PictureError, match="2 pages"):
        probe(tiffs)


def test_a_few_frames_are_read_without_opening_the_others(tmp_path, monkeypatch):
    folder = fill(tmp_path / "sweep", *(f"{number:03}.png" for number in range(9)))
    expected = read_clip(folder).frames[[2, 7]]
    fill(folder, "004.png", size=(8, 7))
    opened = []
    opener = frame_folder.open_still
    monkeypatch.setattr(
        frame_folder, "open_still", lambda path, *by, **how: opened.append(path.name) or opener(path, *by, **how)
    )
    np.testing.assert_array_equal(read_clip(folder, frames=[2, 7]).frames, expected)
    assert sorted(set(opened)) == ["000.png", "002.png", "007.png"]
    with pytest.raises(PictureError, match=r"8 x 7 pixels.*004\.png"):
        read_clip(folder, frames=[2, 4])


def test_limits_hold_for_all_frames_together(tmp_path):
    folder = fill(tmp_path / "sweep", *(f"{number}.png" for number in range(6)))
    size = sum(path.stat().st_size for path in folder.iterdir())
    probe(folder, Limits(frames=6, bytes=size))
    for limits in (Limits(frames=5), Limits(bytes=size - 1)):
        with pytest.raises(LimitError):
            probe(folder, limits)
    with pytest.raises(LimitError, match="63 pixels"):
        probe(folder, Limits(pixels=62))


def test_a_folders_hash_changes_with_a_frame_and_not_with_what_lies_beside(tmp_path):
    folder = fill(tmp_path / "sweep", "0.png", "1.png")
    before = clip_hash(folder)
    (folder / "notes.txt").write_text("x")
    assert clip_hash(folder) == before
    np_frame = np.full((7, 9), 200, np.uint8)
    Image.fromarray(np_frame).save(folder / "1.png")
    assert clip_hash(folder) != before
