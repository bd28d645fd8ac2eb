"""B-mode stills: framing, calipers, what a site's habits change."""

import numpy as np
import pytest

from isthmus.phantom.bmode import with_calipers
from isthmus.phantom.medium import Plane
from isthmus.phantom.view import aim
from tests.phantom.scenes import groups_of, record, small_device, small_scene


@pytest.mark.parametrize("size_mm", [4.0, 15.0, 45.0])
def test_the_nodule_lies_in_the_picture_with_tissue_below_it(size_mm):
    recording = record("bmode", size_mm=size_mm)
    _, y0, _, y1 = recording.region
    rows = np.flatnonzero(recording.lesion[0].any(axis=1))
    below_mm = (y1 - 1 - rows[-1]) * recording.spacing_mm[1]
    assert rows[0] > y0
    assert 3.0 < below_mm < 45.0


def test_the_hand_moves_the_probe_a_little_and_never_off_the_plane_of_the_foci():
    planes = [aim(*groups_of("bmode"), small_scene(view_seed=seed), Plane("transverse")).plane for seed in range(25)]
    assert max(abs(plane.offset_mm) for plane in planes) <= 0.25
    assert 1.0 < np.std([plane.lateral_mm for plane in planes]) < 4.0
    assert max(abs(plane.tilt_degrees) for plane in planes) <= 20.0
    assert len({plane.tilt_degrees for plane in planes}) == 25


def test_calipers_come_at_the_sites_rate_whatever_the_nodule():
    drawn = [with_calipers(small_scene(view_seed=seed, caliper_rate=0.3)) for seed in range(500)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.05)  # 2.4 standard errors
    chosen, spared = drawn.index(True), drawn.index(False)
    for changed in ({}, {"contrast_db": -2.0, "margin": "irregular", "irregularity": 0.3}):
        for seed, expected in ((chosen, True), (spared, False)):
            plain = record("bmode", small_scene(view_seed=seed), **changed)
            asked = record("bmode", small_scene(view_seed=seed, caliper_rate=0.3), **changed)
            assert (not np.array_equal(plain.frames, asked.frames)) is expected


def test_calipers_end_on_the_nodules_edge():
    marked = record("bmode", small_scene(caliper_rate=1.0)).frames[0].astype(int)
    recording = record("bmode")
    changed = np.abs(marked - recording.frames[0]).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    lesion = recording.lesion[0]
    inside_rows, inside_columns = np.nonzero(lesion)
    assert abs(rows.min() - inside_rows.min()) <= 8
    assert abs(columns.max() - inside_columns.max()) <= 8


def test_a_site_that_saves_no_annotations_saves_the_picture_alone():
    bare = record("bmode", small_scene(annotations=False))
    height, width = bare.shape[1:3]
    assert bare.region[:2] == (0.0, 0.0)
    assert bare.region[2] in (width, width - 1)
    assert bare.region[3] == height
    framed = record("bmode")
    x0, y0, x1, y1 = (int(edge) for edge in framed.region)
    assert np.array_equal(framed.frames[0, y0:y1, x0:x1], bare.frames[0, : y1 - y0, : x1 - x0])


def test_a_sites_gain_makes_its_pictures_brighter():
    darker = record("bmode", small_scene(gain_db=-6.0, annotations=False)).frames.mean()
    brighter = record("bmode", small_scene(gain_db=6.0, annotations=False)).frames.mean()
    assert brighter > darker + 20


def test_a_screens_text_colour_decides_whether_a_grey_picture_is_stored_in_colour():
    assert record("bmode", small_scene(small_device("linear-9"))).shape[3] == 1
    assert record("bmode", small_scene(small_device("linear-12"))).shape[3] == 3
