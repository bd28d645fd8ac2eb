import pytest

from isthmus.cohort.outlines import OutlineIndex
from tests.cohort.outlines.pictures import HEIGHT, WIDTH, write_picture


def voc(*boxes, name="a.jpg", size=(HEIGHT, WIDTH)):
    objects = "".join(
        f"<object><name>1</name><pose>Unspecified</pose><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1 in boxes
    )
    return (
        f"<annotation><folder>JPEGImages</folder><filename>{name}</filename><size><width>{size[1]}</width>"
        f"<height>{size[0]}</height><depth>3</depth></size>{objects}</annotation>"
    )


def outlines(folder, text, name="a.xml"):
    write_picture(folder / "a.jpg")
    (folder / name).write_text(text)
    index = OutlineIndex.of(folder)
    return index.outlines("a.jpg", HEIGHT, WIDTH), [fault.reason for fault in index.faults]


def test_corners_count_from_one_and_belong_to_the_box(tmp_path):
    found, faults = outlines(tmp_path, voc((9, 6, 22, 20), (1, 1, WIDTH, HEIGHT)))
    assert [outline.box for outline in found] == [(8, 5, 22, 20), (0, 0, WIDTH, HEIGHT)]
    assert (found[0].label, found[0].mask, faults) == ("1", None, [])


def test_a_file_named_like_the_picture_is_enough(tmp_path):
    assert len(outlines(tmp_path, voc((9, 6, 22, 20), name=""))[0]) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (voc((22, 6, 9, 20)), "wrong way round"),
        (voc((9, 6, 99, 20)), "outside the picture"),
        (voc(("", 6, 22, 20)), "xmin is no number"),
        (voc((9, 6, 22, 20), size=(9, 9)), "9 x 9"),
        (voc(*[(9, 6, 22, 20)] * 201), "201 objects"),
    ],
)
def test_what_cannot_be_used_is_a_fault(tmp_path, text, reason):
    found, (fault,) = outlines(tmp_path, text)
    assert found == []
    assert reason in fault
