"""Every transfer syntax that the installed plug-ins decode, against another decoder or against the same pixels plain.

The files are pydicom's own (``pydicom/data/test_files/README.txt`` says where each comes from) or are encoded here.
"""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from isthmus.errors import PictureError
from isthmus.imaging.codestream import announced_size
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import iter_frames, probe, read_clip

from .test_dicom import write
from .videos import HEIGHT, STORED, WIDTH, encode, in_order, moving


def theirs(name, **named):
    return get_testdata_file(name, download=False, **named)


@pytest.mark.parametrize(
    ("name", "plugin", "tolerance"),
    [
        # name, a decoder that Isthmus does not take for it (None: pydicom alone), greatest difference of a sample
        ("SC_rgb_jpeg_dcmtk.dcm", "gdcm", 3),  # JPEG baseline, YBR_FULL, no subsampling
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", "gdcm", 60),  # 4:2:2: decoders differ in how they fill in colour at edges
        ("SC_rgb_jpeg_gdcm.dcm", "gdcm", 0),  # JPEG lossless, first order
        ("SC_rgb_gdcm_KY.dcm", "pillow", 1),  # JPEG 2000
        ("GDCMJ2K_TextGBR.dcm", "gdcm", 0),  # JPEG 2000 lossless, YBR_RCT
        ("SC_rgb_rle.dcm", "pydicom", 0),
        ("SC_rgb_rle_2frame.dcm", "pydicom", 0),
        ("SC_rgb_jls_lossy_sample.dcm", "gdcm", 0),  # JPEG-LS, planar
        ("SC_rgb_jls_lossy_line.dcm", "gdcm", 0),
        ("SC_rgb_small_odd_big_endian.dcm", None, 0),
        ("SC_ybr_full_422_uncompressed.dcm", None, 0),
        ("examples_ybr_color.dcm", "gdcm", 60),
    ],
)
def test_colours_are_those_of_another_decoder(name, plugin, tolerance):
    path = theirs(name)
    clip = read_clip(path)
    # gdcm turns JPEG's YCbCr into RGB by itself or leaves it; as pydicom hands it out it is RGB.
    expected = pixel_array(path, **({"decoding_plugin": plugin} if plugin else {}))
    difference = np.abs(clip.frames.astype(int) - expected.reshape(clip.frames.shape))
    assert difference.max() <= tolerance
    assert difference.mean() <= max(1.0, tolerance / 40)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("planar", [0, 1])
def test_native_pixels_come_back_in_either_plane_order(tmp_path, syntax, planar):
    samples = np.stack(moving(3))
    stored = samples if planar == 0 else np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
    path = write(tmp_path / "a.dcm", samples, PixelData=stored.tobytes(), PlanarConfiguration=planar)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, little_endian=True, implicit_vr=syntax.is_implicit_VR)
    np.testing.assert_array_equal(read_clip(path).frames, samples)
    np.testing.assert_array_equal(read_clip(path, frames=[2]).frames, samples[[2]])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_lossless_frames_are_found_with_every_kind_of_offset_table(tmp_path, syntax, table):
    samples = np.stack(moving(4))
    path = write(tmp_path / "a.dcm", samples)
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, encapsulate_ext=table == "extended")
    if table == "none":
        frames = list(generate_frames(dataset.PixelData, number_of_frames=4))
        dataset.PixelData = encapsulate(frames, has_bot=False)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_clip(path).frames, samples)
    np.testing.assert_array_equal(read_clip(path, frames=[3, 1]).frames, samples[[3, 1]])
    np.testing.assert_array_equal(np.stack(list(iter_frames(path))), samples)


def test_a_segmented_palette_is_expanded(tmp_path):
    # PS3.3 C.7.9.2: a discrete segment of one entry (0), then a linear one of 255 entries up to 65,280 (0xff00).
    ramp = np.array([0, 1, 0, 1, 255, 0xFF00], np.uint16).tobytes()
    level = np.array([0, 1, 0x8000, 1, 255, 0x8000], np.uint16).tobytes()
    samples = np.arange(256, dtype=np.uint8).reshape(1, 8, 32)
    palette = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in ("Red", "Green", "Blue")}
    palette |= {
        f"Segmented{name}PaletteColorLookupTableData": data
        for name, data in (("Red", ramp), ("Green", level), ("Blue", ramp))
    }
    path = write(tmp_path / "a.dcm", samples, PhotometricInterpretation="PALETTE COLOR", **palette)
    frame = read_clip(path).frames[0].reshape(256, 3)
    np.testing.assert_allclose(frame[:, 0], np.arange(256) * 256 / 65535 * 255, atol=0.51)
    assert set(frame[:, 1].tolist()) == {128}


VIDEO = {
    "h264 in mp4": ("a.mp4", "libx264", {"b_frames": 2}, "1.2.840.10008.1.2.4.102", 1),
    "h264 in a transport stream, in fragments": ("a.ts", "libx264", {"b_frames": 2}, "1.2.840.10008.1.2.4.102.1", 4),
    "h264 bare": ("a.h264", "libx264", {"container": "h264"}, "1.2.840.10008.1.2.4.103", 1),
    "mpeg-2 bare": ("a.m2v", "mpeg2video", {"b_frames": 2, "container": "mpeg2video"}, "1.2.840.10008.1.2.4.100", 1),
    "mpeg-2 in a program stream": ("a.mpg", "mpeg2video", {}, "1.2.840.10008.1.2.4.100", 1),
    "hevc in mp4": ("hevc_open_gop.mp4", None, {}, "1.2.840.10008.1.2.4.107", 1),
}


def encapsulated(folder, kind, **elements):
    name, codec, how, syntax, fragments = VIDEO[kind]
    video = STORED / name if codec is None else encode(folder / name, codec, **how)
    path = write(folder / "a.dcm", np.zeros((30, HEIGHT, WIDTH, 3), np.uint8), **elements)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PhotometricInterpretation = "YBR_PARTIAL_420"
    dataset.PixelData = encapsulate([video.read_bytes()], fragments_per_frame=fragments, has_bot=False)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.save_as(path)
    return video, path


@pytest.mark.parametrize("kind", VIDEO)
def test_encapsulated_video_is_read_like_a_video_file(tmp_path, kind):
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 4, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 40, 30
    video, path = encapsulated(tmp_path, kind, FrameTime="40", SequenceOfUltrasoundRegions=[region])
    expected = in_order(video)
    info = probe(path)
    assert (info.format, info.frames, info.channels) == ("dicom", 30, 3)
    assert info.scan_area == (4, 2, 41, 31)
    np.testing.assert_allclose(info.frame_times_s, np.arange(30) * 0.04, atol=1e-4)
    clip = read_clip(path, frames=[21, 0, 29])
    np.testing.assert_array_equal(clip.frames, expected[[21, 0, 29]])
    np.testing.assert_array_equal(read_clip(path).frames, expected)


def test_a_bare_stream_has_the_headers_times_and_a_cut_video_is_refused(tmp_path):
    video, path = encapsulated(tmp_path, "h264 bare", FrameTime="100")
    np.testing.assert_allclose(probe(path).frame_times_s, np.arange(30) * 0.1)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([video.read_bytes()[: video.stat().st_size // 2]], has_bot=False)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.save_as(path)
    with pytest.raises(PictureError, match=r"announces 30 frames and its video holds \d+"):
        probe(path)


def test_a_codestream_that_announces_another_size_is_refused_before_it_is_decoded(tmp_path):
    path = write(tmp_path / "a.dcm", np.stack(moving(2)))
    dataset = pydicom.dcmread(path)
    dataset.compress(JPEG2000Lossless)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=2))
    size = frames[1].index(b"\xff\x51") + 6
    frames[1] = frames[1][:size] + (60_000).to_bytes(4, "big") * 2 + frames[1][size + 8 :]
    dataset.PixelData = encapsulate(frames)
    dataset.save_as(path)
    assert read_clip(path, frames=[0]).frames.shape[0] == 1
    with pytest.raises(PictureError, match=r"frame 1 announces \(60000, 60000\) pixels, the header \(64, 48\)"):
        read_clip(path)


def test_codestreams_of_real_files_announce_what_their_headers_do():
    for name in ("SC_rgb_jpeg_dcmtk.dcm", "JPEGLSNearLossless_16.dcm", "693_J2KI.dcm", "SC_rgb_jpeg_gdcm.dcm"):
        dataset = pydicom.dcmread(theirs(name))
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        assert announced_size(frame) == (dataset.Columns, dataset.Rows, dataset.SamplesPerPixel)
    assert announced_size(b"") is None
    assert announced_size(b"\xff\xd8\xff\xe0\x00") is None


def test_a_deflated_file_is_bounded_by_what_it_may_unpack_to(tmp_path):
    path = theirs("image_dfl.dcm")
    assert read_clip(path).frames.shape == (1, 512, 512, 1)
    with pytest.raises(PictureError, match="deflated"):
        read_clip(path, limits=Limits(bytes=Path(path).stat().st_size + 1000))
