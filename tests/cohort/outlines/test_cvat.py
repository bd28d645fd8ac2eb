"""Files as docs.cvat.ai/docs/manual/advanced/xml_format lays them out ("CVAT for images 1.1"), written by hand."""

import itertools

import numpy as np
import pytest

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import CORNERS, HEIGHT, WIDTH, l_shape, write_picture


def cvat(*shapes, name="a.png", height=HEIGHT, width=WIDTH, before=""):
    return f"""<?xml version="1.0" encoding="utf-8"?>{before}
<annotations><version>1.1</version>
  <meta><task><id>4</id><name>segmentation</name><size>1</size><mode>annotation</mode></task></meta>
  <image id="0" name="{name}" width="{width}" height="{height}">{"".join(shapes)}</image>
</annotations>"""


def outlines(folder, *shapes, **options):
    write_picture(folder / "a.png")
    (folder / "annotations.xml").write_text(cvat(*shapes, **options))
    index = OutlineIndex.of(folder)
    found = index.outlines("a.png", HEIGHT, WIDTH)
    return found, [fault.reason for fault in index.faults]


def test_a_polygon_and_a_box(tmp_path):
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in CORNERS)
    found, faults = outlines(
        tmp_path,
        f'<polygon label="nodule" occluded="0" source="manual" points="{points}" z_order="0"></polygon>',
        '<box label="node" occluded="0" xtl="8.00" ytl="5.00" xbr="22.00" ybr="20.00" z_order="0"></box>',
    )
    assert np.array_equal(found[0].mask, l_shape())
    assert (found[1].mask, found[1].box) == (None, (8, 5, 22, 20))
    assert ([outline.label for outline in found], faults) == (["nodule", "node"], [])


def test_a_masks_run_lengths_go_row_by_row_through_its_own_rectangle(tmp_path):
    part = l_shape()[4:21, 8:22]  # one empty row above and below: the first run is of background
    runs = [(value, len(list(group))) for value, group in itertools.groupby(part.ravel().tolist())]
    assert runs[0][0] is False
    rle = ", ".join(str(length) for _, length in runs)
    mask = f'<mask label="n" source="manual" occluded="0" rle="{rle}" left="8" top="4" width="14" height="17"></mask>'
    found, faults = outlines(tmp_path, mask)
    assert faults == []
    assert np.array_equal(found[0].mask, l_shape())


def test_a_turned_box_and_an_ellipse_are_masks(tmp_path):
    found, _ = outlines(
        tmp_path,
        '<box label="n" xtl="20" ytl="20" xbr="40" ybr="30" rotation="90.00"></box>',
        '<ellipse label="n" cx="30" cy="24" rx="12" ry="8"></ellipse>',
    )
    assert found[0].box == (25, 15, 35, 35)
    assert found[1].mask.sum() == pytest.approx(np.pi * 96, rel=0.02)


def test_pictures_lie_in_images_as_in_cvats_archive(tmp_path):
    write_picture(tmp_path / "images" / "a.png")
    (tmp_path / "annotations.xml").write_text(cvat('<box label="n" xtl="1" ytl="1" xbr="9" ybr="9"></box>'))
    assert OutlineIndex.of(tmp_path).outlines("images/a.png", HEIGHT, WIDTH)


FAULTY = {
    "outside the picture": '<box label="n" xtl="50" ytl="5" xbr="90" ybr="20"></box>',
    "a box is empty": '<box label="n" xtl="8" ytl="5" xbr="8" ybr="20"></box>',
    "xtl is no number": '<box label="n" xtl="left" ytl="5" xbr="22" ybr="20"></box>',
    "do not fill": '<mask label="n" rle="3, 4" left="1" top="1" width="9" height="9"></mask>',
    "not whole numbers": '<mask label="n" rle="a, b" left="1" top="1" width="9" height="9"></mask>',
    "a mask of 100000 x 100000": '<mask label="n" rle="1" left="1" top="1" width="100000" height="100000"></mask>',
    "not pairs of numbers": '<polygon label="n" points="1,1;2;3,3"></polygon>',
    "no outline": '<polyline label="n" points="1,1;2,2;3,3"></polyline>',
}


@pytest.mark.parametrize("reason", FAULTY)
def test_a_shape_that_cannot_be_used_is_a_fault_and_the_others_stay(tmp_path, reason):
    found, faults = outlines(tmp_path, FAULTY[reason], '<box label="n" xtl="1" ytl="1" xbr="9" ybr="9"></box>')
    assert len(found) == 1
    assert len(faults) == 1
    assert reason in faults[0]


def test_another_size_and_an_unknown_picture_are_faults(tmp_path):
    box = '<box label="n" xtl="1" ytl="1" xbr="9" ybr="9"></box>'
    assert "32 x 24" in outlines(tmp_path, box, height=24, width=32)[1][0]
    assert "no picture" in outlines(tmp_path, box, name="z.png")[1][0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (cvat(before='<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>', name="&c;"), "entities"),
        (cvat(before='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "document type"),
        ("<annotations><image", "not XML"),
        ("<annotations><track id='0' label='n'/></annotations>", "tracks"),
    ],
)
def test_bombs_broken_files_and_tracks_are_faults(tmp_path, text, reason):
    write_picture(tmp_path / "a.png")
    (tmp_path / "annotations.xml").write_text(text)
    (fault,) = OutlineIndex.of(tmp_path).faults
    assert (fault.file, reason in fault.reason) == ("annotations.xml", True), fault


def test_a_file_beyond_the_limit_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("isthmus.cohort.outlines.text_files.LARGEST_XML", 100)
    assert "more than the 100" in outlines(tmp_path)[1][0]
