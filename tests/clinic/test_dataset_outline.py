"""What arrives is walked before it is acknowledged: whole or not, and which object."""

import io
import struct
import tempfile
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isthmus.clinic.dataset_outline import DamagedDataSet, Outline, outline_of
from tests.clinic.nodes import picture

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
REAL = [
    "CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "SC_rgb_rle_2frame.dcm", "examples_ybr_color.dcm",
    "JPEG2000.dcm", "693_J2KI.dcm", "reportsi.dcm", "MR_small_implicit.dcm",
]  # fmt: skip


def walked(content: bytes, syntax: str = EXPLICIT) -> Outline:
    with tempfile.TemporaryFile() as stream:
        stream.write(content)
        stream.seek(0)
        return outline_of(stream, syntax)


def encoded(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=False, implicit_vr=False, little_endian=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", REAL)
def test_it_agrees_with_pydicom_on_its_own_files(name: str):
    path = Path(str(get_testdata_file(name, download=False)))
    expected = pydicom.dcmread(path, stop_before_pixels=True)
    with path.open("rb") as stream:
        stream.seek(132 + 12 + expected.file_meta.FileMetaInformationGroupLength)
        found = outline_of(stream, expected.file_meta.TransferSyntaxUID)
    assert found.sop_instance == expected.SOPInstanceUID
    assert found.study == expected.StudyInstanceUID
    assert found.series == expected.SeriesInstanceUID
    assert found.sop_class == expected.SOPClassUID


def test_a_data_set_cut_anywhere_is_damaged_or_lacks_nothing_but_whole_elements():
    one = picture("1.2.3")
    del one.file_meta
    whole = encoded(one)
    for cut in range(len(whole)):
        try:
            walked(whole[:cut])
        except DamagedDataSet:
            continue
        # Then it ends between two elements: pydicom reads it too, to the same end.
        assert encoded(pydicom.dcmread(io.BytesIO(whole[:cut]), force=True)) == whole[:cut]
    assert walked(whole).study == "1.2.3"


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        (struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFE), "ends in the middle"),
        (struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF), "ends in the middle"),
        (struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + b"\1" * 400, "no item"),
        ((struct.pack("<HH2sHL", 0x40, 0x275, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF))
         * 5000, "nested more than"),
        (struct.pack("<HH2sH", 0x40, 0x10, b"LO", 0) * 300_000, "more than 200,000 elements"),
        (b"\x40\x00\x10\x00\x00\x00" + b"\0" * 40, "no value representation"),
    ],
    ids=["length", "endless", "no item", "nesting", "elements", "representation"],
)  # fmt: skip
def test_what_a_data_set_claims_costs_nothing(tail: bytes, told: str):
    one = picture("1.2.3")
    del one.file_meta, one.PixelData
    began = time.monotonic()
    with pytest.raises(DamagedDataSet, match=told):
        walked(encoded(one) + tail)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"])
def test_without_an_identifier_it_is_not_taken(keyword: str):
    one = picture("1.2.3")
    del one.file_meta
    delattr(one, keyword)
    with pytest.raises(DamagedDataSet, match="has no"):
        walked(encoded(one))
