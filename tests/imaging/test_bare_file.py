"""Files as Pillow and OpenCV write them, with and without something beside the pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from isthmus.imaging.bare_file import is_bare

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_what_opencv_writes_is_bare(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix, PIXELS)[1].tobytes())
    assert is_bare(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95, "subsampling": 0}])
def test_what_pillow_writes_as_jpeg_is_bare_or_said_not_to_be(tmp_path: Path, options: dict) -> None:
    Image.fromarray(np.stack([PIXELS] * 3, 2)).save(tmp_path / "a.jpg", **options)
    assert is_bare(tmp_path / "a.jpg")


def test_a_comment_an_exif_block_and_an_icc_profile_are_not_bare(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "ZHANG SAN"
    for name, options in (("c", {"comment": "ZHANG SAN"}), ("e", {"exif": exif}), ("i", {"icc_profile": b"x" * 200})):
        Image.fromarray(PIXELS).save(tmp_path / f"{name}.jpg", **options)
        assert not is_bare(tmp_path / f"{name}.jpg"), name


def test_a_png_with_text_is_not_bare(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "ZHANG SAN")
    Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=text)
    assert not is_bare(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_what_hangs_behind_the_end_is_not_bare(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix, PIXELS)[1].tobytes() + b"ZHANG SAN")
    assert not is_bare(path)


@pytest.mark.parametrize("content", [b"BM" + b"\0" * 60, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"text"])
def test_another_kind_or_half_a_file_is_not_bare(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert not is_bare(tmp_path / "a")
