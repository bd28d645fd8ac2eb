"""Files made to crash a reader or to fill its memory give a picture or one clear line.

What they cost in memory is measured by ``benchmarks/hostile_files.py``, with every file that pydicom brings and every
one of them cut short at 50 places.
"""

import random
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from isthmus.cohort.sources.dicom_files import walk_export
from isthmus.errors import IsthmusError, LimitError, PictureError
from isthmus.imaging.limits import Limits
from isthmus.imaging.masked_screen import read_masked_clip
from isthmus.imaging.read import iter_frames, read_clip

from . import hostile_dicom

QUICK = [
    attack for attack in hostile_dicom.HOSTILE if attack not in (hostile_dicom.deflate_bomb, hostile_dicom.many_items)
]
SHOWN = {"segmented_palette_bomb", "path_tricks"}
LARGEST = 48 * 2**20  # of Python's and NumPy's memory; the files are of a megabyte at most


def read_all_ways(path):
    """Return what each reader said of a file: '' or one line."""
    told = []
    for read in (
        lambda path: all(frame.size for frame in iter_frames(path)),
        lambda path: read_masked_clip(path, frames=[0]),
        lambda path: [*walk_export(path.parent, Limits())],
    ):
        try:
            read(path)
            told.append("")
        except IsthmusError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("attack", QUICK, ids=lambda attack: attack.__name__)
def test_a_hostile_file_gives_a_picture_or_one_line_and_takes_little_memory(tmp_path, attack):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, of what is written here on purpose
        path = attack(tmp_path / "a.dcm")
    assert path.stat().st_size < 1.1 * 2**20
    tracemalloc.start()
    told = read_all_ways(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (told[0] == "") == (attack.__name__ in SHOWN)
    assert all("\n" not in line for line in told)
    assert peak < LARGEST


def test_a_deflated_bomb_is_refused_before_it_is_inflated_whole(tmp_path):
    path = hostile_dicom.deflate_bomb(tmp_path / "a.dcm", megabytes=40)
    tracemalloc.start()
    with pytest.raises(LimitError, match="would take more than 16,777,216 bytes"):
        read_clip(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_frame_that_a_scanner_makes_is_never_too_large_for_its_file(tmp_path):
    # An all-black screen of 2,560 x 1,600: 12 MB in a few hundred bytes.
    made = hostile_dicom.dataset(1600, 2560)
    frame = hostile_dicom.picture("JPEG2000", 64, no_jp2=True)
    assert len(frame) < 1000
    path = hostile_dicom.written(made, tmp_path / "a.dcm", bytes(1600 * 2560 * 3))
    compressed = pydicom.dcmread(path)
    compressed.compress(pydicom.uid.RLELossless)
    compressed.save_as(path)
    assert path.stat().st_size < 250_000
    assert read_clip(path).frames.shape == (1, 1600, 2560, 3)


def damaged(name, seed):
    """Return one of pydicom's files with some bytes of its frame changed at random."""
    content, draw = bytearray(Path(get_testdata_file(name, download=False)).read_bytes()), random.Random(seed)
    start, head = content.rfind(b"\xe0\x7f\x10\x00") + 8, seed % 3 == 0
    for _ in range(draw.choice([1, 3, 10, 40])):
        end = min(len(content), start + 692) if head else len(content)
        content[draw.randrange(start, end)] = draw.choice([0, 255, draw.randrange(256)])
    return content


# Seeds of which each ended the process, or panicked, with the decoders that pydicom chooses by itself; in order: GDCM's
# lossless JPEG, GDCM after pyjpegls, GDCM after openjpeg, pylibjpeg-rle.
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("SC_rgb_jpeg_gdcm.dcm", 16), ("JPEGLSNearLossless_08.dcm", 80), ("JPEG2000.dcm", 18), ("MR_small_RLE.dcm", 7),
    ],
)  # fmt: skip
def test_a_damaged_frame_does_not_end_the_process(tmp_path, name, seed):
    path = tmp_path / "a.dcm"
    path.write_bytes(damaged(name, seed))
    with pytest.raises(PictureError, match=r"cannot be decoded: the picture|header is damaged"):
        read_clip(path)


def test_lossless_jpeg_is_decoded_in_a_process_of_its_own_and_looks_the_same():
    path = get_testdata_file("SC_rgb_jpeg_gdcm.dcm", download=False)
    plain = get_testdata_file("SC_rgb_rle.dcm", download=False)  # the same picture, by pydicom's README of test files
    np.testing.assert_array_equal(read_clip(path).frames, read_clip(plain).frames)


@pytest.mark.parametrize("name", ["examples_palette.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_rle_2frame.dcm"])
def test_a_file_cut_short_anywhere_gives_one_line(tmp_path, name):
    whole = Path(get_testdata_file(name, download=False)).read_bytes()
    path = tmp_path / "a.dcm"
    for place in np.linspace(1, 0.95 * len(whole), 12).astype(int):
        path.write_bytes(whole[:place])
        with pytest.raises(PictureError) as caught:
            read_clip(path)
        assert "\n" not in str(caught.value)
