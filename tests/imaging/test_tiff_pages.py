"""Pages of a TIFF are counted as Pillow counts them, and a chain of directories that never ends is left."""

import struct

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.tiff_pages import count_pages


@pytest.fixture
def write(tmp_path):
    def written(pages, **options):
        pictures = [Image.fromarray(np.full((6, 9), page, np.uint8)) for page in range(pages)]
        pictures[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pictures[1:], **options)
        return tmp_path / "pages.tiff"

    return written


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_adobe_deflate"}])
@pytest.mark.parametrize("pages", [1, 2, 7])
def test_pages_are_counted_as_pillow_counts_them(write, pages, options):
    path = write(pages, **options)
    with Image.open(path) as image:
        assert image.n_frames == pages
    assert count_pages(path, 7) == pages


@pytest.mark.parametrize("form", ["<H", ">H"])
@pytest.mark.parametrize("big", [False, True])
def test_either_byte_order_and_size_of_offsets_is_read_by_the_specification(tmp_path, form, big):
    # Two directories of one entry each, byte by byte after TIFF 6.0 section 2 and the BigTIFF design.
    order = form[0]
    number, offset, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    one = struct.calcsize(order + number) + entry + struct.calcsize(order + offset)
    first = struct.pack(order + number, 1) + bytes(entry) + struct.pack(order + offset, len(head) + one)
    second = struct.pack(order + number, 1) + bytes(entry) + struct.pack(order + offset, 0)
    path = tmp_path / "two.tiff"
    path.write_bytes(head + first + second)
    assert count_pages(path, 9) == 2
    path.write_bytes(head + first + second[:-1])
    with pytest.raises(PictureError, match="directory of page 2 is not in it"):
        count_pages(path, 9)


def test_a_chain_that_comes_back_to_itself_ends_at_the_limit(write):
    path = write(1)
    content = bytearray(path.read_bytes())
    place = struct.unpack("<I", content[4:8])[0]
    entries = struct.unpack("<H", content[place : place + 2])[0]
    content[place + 2 + 12 * entries : place + 6 + 12 * entries] = struct.pack("<I", place)
    path.write_bytes(content)
    with pytest.raises(LimitError, match="more than 50 frames"):
        count_pages(path, 50)
