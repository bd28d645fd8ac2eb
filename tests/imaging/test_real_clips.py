"""Every real file of clips is read, or refused in one clear line that names it."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from isthmus.errors import PictureError
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import Prepared
from isthmus.imaging.prepare_views import CacheItem, prepare_views
from isthmus.imaging.read import probe, read_clip

FOLDERS = ("us_dicom", "breast_cineclip", "thyroid_cine_frames", "thyroid_contrast_doppler")
REFUSED = {"dcm4che__will-jxl.dcm": "no decoder is installed"}  # JPEG XL in DICOM


def clips_of(folder: Path) -> list[Path]:
    """Return files, and folders that hold files of one kind only, as a user would name them."""
    folders = {path.parent for path in folder.rglob("*") if path.suffix in {".jpg", ".png"}}
    files = {path for path in folder.rglob("*") if path.is_file() and path.parent not in folders}
    return sorted(folders | files)


def read_three_frames(path: Path) -> None:
    info = probe(path)
    clip = read_clip(path, frames=sorted({0, info.frames // 2, info.frames - 1}))
    assert clip.frames.shape[1:] == (info.height, info.width, info.channels)
    assert path.name == "masks" or clip.frames.max() > 100


@pytest.mark.parametrize("name", FOLDERS)
def test_every_file_is_read_or_refused_in_one_line(data_folder, name):
    paths = clips_of(data_folder / name)
    assert paths
    for path in paths:
        words = "of no kind" if path.suffix == ".csv" else REFUSED.get(path.name)
        if words is None:
            read_three_frames(path)
            continue
        with pytest.raises(PictureError, match=words) as caught:
            read_three_frames(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_breast_clips_are_as_their_table_says_and_as_opencv_sees_them(data_folder):
    folder = data_folder / "breast_cineclip"
    with (folder / "clips.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        info = probe(folder / row["path"])
        assert (info.frames, info.width, info.height) == tuple(int(row[key]) for key in ("n_frames", "width", "height"))
        assert info.frame_times_s[-1] == pytest.approx((info.frames - 1) / float(row["fps"]))
    for row in rows[::9]:
        path, wanted = folder / row["path"], [5, int(row["n_frames"]) // 2, int(row["n_frames"]) - 1]
        capture = cv2.VideoCapture(str(path))
        seen = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(wanted[-1] + 1)]
        difference = np.abs(
            read_clip(path, frames=wanted).frames.astype(int) - np.stack([seen[each] for each in wanted])
        )
        assert difference.max() <= 3


def test_thyroid_sweeps_have_a_mask_for_each_frame(data_folder):
    for case in sorted((data_folder / "thyroid_cine_frames").iterdir()):
        if not case.is_dir():
            continue
        info = probe(case / "images")
        masks = read_clip_mask(case / "masks")
        assert info.missing_frames == 0
        assert probe(case / "masks").frames == info.frames
        assert masks.shape == (info.frames, info.height, info.width)
        assert masks.any()
        middle = sorted((case / "images").iterdir())[info.frames // 2]
        expected = np.asarray(Image.open(middle)).reshape(info.height, info.width, -1)
        np.testing.assert_array_equal(read_clip(case / "images", frames=[info.frames // 2]).frames[0], expected)


def test_of_a_thyroid_sweep_those_frames_are_prepared_that_its_table_says_show_the_nodule(data_folder):
    folder = data_folder / "thyroid_cine_frames"
    with (folder / "manifest.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["case_id"] == "case_001"]
    seen = [int(row["frame"]) for row in rows if row["nodule_in_frame"] == "1"]
    item = CacheItem("v", folder / "case_001" / "images", folder / "case_001" / "masks")
    how = Preparation(train_size=48, frames=FrameSampling(count=4, stored=len(seen)))
    (prepared,) = prepare_views([item], how, Limits())
    assert isinstance(prepared, Prepared)
    assert prepared.frame_indices.tolist() == list(range(seen[0], seen[-1] + 1)) == seen
    assert prepared.lesion_mask.any(axis=(1, 2)).all()
    # The nodule lies wholly in the window of all frames: none of it at the rim.
    rim = prepared.lesion_mask.copy()
    rim[:, 1:-1, 1:-1] = False
    assert not rim.any()
