"""Stills: every format, orientation, depth and kind of damage that a hospital's export may hold."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import iter_frames, probe, read_clip, read_mask, write_mask


@pytest.fixture
def picture():
    return np.random.default_rng(3).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
@pytest.mark.parametrize("grey", [True, False])
def test_lossless_formats_come_back_byte_for_byte(tmp_path, picture, suffix, grey):
    pixels = picture[..., :1] if grey else picture
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels.squeeze()).save(path)
    clip = read_clip(path)
    np.testing.assert_array_equal(clip.frames[0], pixels)
    info = probe(path)
    assert (info.width, info.height, info.channels, info.frames, info.bits) == (60, 40, pixels.shape[2], 1, 8)
    assert info.format == suffix
    assert clip.source == str(path)


def test_jpeg_is_read_as_pillow_reads_it_and_colour_stays_colour(tmp_path, picture):
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, quality=95)
    np.testing.assert_array_equal(read_clip(path).frames[0], np.asarray(Image.open(path)))
    Image.fromarray(np.repeat(picture[..., :1], 3, axis=2)).save(path)
    assert read_clip(path).frames.shape == (1, 40, 60, 3)


def test_content_decides_not_the_suffix(tmp_path, picture):
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, format="PNG")
    assert probe(path).format == "png"


@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_jpeg_is_refused_never_half_grey(tmp_path, picture, kept, progressive):
    whole = io.BytesIO()
    Image.fromarray(picture).save(whole, format="JPEG", progressive=progressive)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.getvalue()[: int(kept * len(whole.getvalue()))])
    with pytest.raises(PictureError, match=r"damaged or cut short.*cut\.jpg") as caught:
        read_clip(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_other_truncated_pictures_are_refused_too(tmp_path, picture, suffix):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(picture).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(PictureError, match="damaged or cut short"):
        read_clip(path)


def test_what_is_no_picture_is_said_to_be_none(tmp_path):
    for name, content in (
        ("a.avi", b"RIFF....WAVE"),
        ("a.png", b"not a png at all"),
        ("a.txt", b"7"),
        ("a", b"\0" * 200),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(PictureError, match="expected PNG, JPEG, TIFF, BMP, GIF, AVI, MP4, MOV, NumPy"):
            probe(path)


def _png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("side", [8001, 12000, 60000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, side):
    # There are no pixels behind this header: a reader that went on to decode would say "cut short" instead.
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_header(side, side) + b"\x00\x00\x00\x00IDAT")
    with pytest.raises(LimitError, match="pixels"):
        read_clip(path)


def test_frames_are_limited_before_decoding(tmp_path, picture):
    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    with pytest.raises(LimitError, match=r"2,400 pixels a frame \(60 x 40\)"):
        probe(path, Limits(pixels=2399))
    Image.new("RGB", (60, 40)).save(path)  # compresses to less than its 7,200 decoded bytes
    with pytest.raises(LimitError, match="would take 7,200 bytes"):
        read_clip(path, limits=Limits(bytes=7199))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, suffix, orientation):
    upright = np.zeros((32, 64), np.uint8)
    upright[:16, :32] = 250  # bright upper left corner
    upright[:16, 32:] = 120
    # What a camera that was held so stores: the inverse of the transposition that EXIF names.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    info, clip = probe(path), read_clip(path)
    assert (info.width, info.height) == (64, 32)
    np.testing.assert_allclose(clip.frames[0, ..., 0].astype(int), upright, atol=12)


def test_a_turned_tiff_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (8, 4)).save(tmp_path / "a.tiff", exif=exif)
    with pytest.raises(PictureError, match="orientation 6"):
        probe(tmp_path / "a.tiff")


def test_sixteen_bits_become_eight_over_the_full_range(tmp_path):
    samples = np.array([[0, 257, 32768], [65535, 128, 129]], np.uint16)
    for suffix in ("png", "tiff"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(samples).save(path)
        assert probe(path).bits == 16
        # v / 257 rounded: 65535 -> 255, 32768 -> 127.5 -> 128 (half up), 128 -> 0, 129 -> 1
        np.testing.assert_array_equal(read_clip(path).frames[0, ..., 0], [[0, 1, 128], [255, 0, 1]])


def test_sixteen_bits_of_an_unknown_scale_are_refused(tmp_path):
    path = tmp_path / "twelve_bits.png"
    Image.fromarray(np.full((4, 4), 4095, np.uint16)).save(path)
    with pytest.raises(PictureError, match=r"end at 4,095 of 65,535"):
        read_clip(path)


def test_palettes_become_colour_and_transparency_lies_on_black(tmp_path):
    path = tmp_path / "a.png"
    palette = Image.new("P", (4, 2), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    palette.save(path)
    assert read_clip(path).frames[0, 0, 0].tolist() == [10, 200, 30]
    palette.save(path, transparency=1)
    assert read_clip(path).frames.max() == 0
    Image.new("RGBA", (4, 2), (100, 200, 250, 128)).save(path)
    # 100 * 128 / 255 = 50.2, 200 * 128 / 255 = 100.4, 250 * 128 / 255 = 125.5
    assert read_clip(path).frames[0, 0, 0].tolist() == [50, 100, 125]
    Image.new("LA", (4, 2), (200, 0)).save(path)
    assert read_clip(path).frames.shape == (1, 2, 4, 1)
    assert read_clip(path).frames.max() == 0
    Image.new("1", (4, 2), 1).save(path)
    assert read_clip(path).frames.min() == 255


def test_pixels_that_have_no_agreed_display_are_refused(tmp_path):
    path = tmp_path / "a.tiff"
    for mode in ("F", "CMYK"):
        Image.new(mode, (4, 4)).save(path)
        with pytest.raises(PictureError, match=f"stored as {mode}"):
            probe(path)


def test_pages_of_a_tiff_are_frames_and_only_those_asked_for_are_decoded(tmp_path):
    path = tmp_path / "pages.tiff"
    pages = [Image.new("L", (8, 6), value) for value in (10, 20, 30)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert probe(path).frames == 3
    assert read_clip(path, frames=[2, 0]).frames[:, 0, 0, 0].tolist() == [30, 10]
    assert [int(frame[0, 0, 0]) for frame in iter_frames(path)] == [10, 20, 30]
    with pytest.raises(PictureError, match="frame 3"):
        read_clip(path, frames=[3])
    with pytest.raises(LimitError, match="more than 2 frames"):
        probe(path, Limits(frames=2))
    pages[0].save(path, save_all=True, append_images=[Image.new("L", (9, 6))])
    with pytest.raises(PictureError, match="page 1 has 9 x 6"):
        read_clip(path)


def test_masks_survive_a_round_trip_and_tools_may_write_one_or_255(tmp_path):
    mask = np.random.default_rng(0).random((20, 30)) > 0.5
    write_mask(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)
    Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "ones.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "ones.png"), mask)


def test_a_mask_without_a_certain_edge_is_refused(tmp_path):
    Image.fromarray(np.array([[0, 7, 255]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(PictureError, match="3 grey values"):
        read_mask(tmp_path / "m.png")


def test_every_ddti_picture_can_be_read(data_folder):
    paths = sorted((data_folder / "ddti").glob("*.jpg"))
    assert len(paths) == 480
    assert {read_clip(path).frames.shape for path in paths[::12]} == {(1, 360, 560, 3)}
    assert {(probe(path).width, probe(path).height) for path in paths} == {(560, 360)}
