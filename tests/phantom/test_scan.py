"""Where beams run and pixels lie, against plane geometry."""

from dataclasses import replace

import numpy as np
import pytest

from isthmus.phantom.acoustics import form_picture
from isthmus.phantom.devices import devices
from isthmus.phantom.scan import beams, conversion
from tests.phantom.media import bench, even

FAN = {"geometry": "trapezoid", "radius_mm": 60}
CURVED = {"geometry": "curved", "radius_mm": 45, "footprint_mm": 40, "lines": 240}


@pytest.mark.parametrize("changes", [{}, FAN, CURVED])
@pytest.mark.parametrize(("x_mm", "z_mm"), [(0.0, 10.0), (-8.0, 24.0), (11.0, 31.0), (3.0, 38.0)])
def test_a_point_lies_within_half_a_pixel_of_its_millimetres(changes, x_mm, z_mm):
    device = bench(height=500, **changes)
    medium = even(device)
    points = np.array([[x_mm, z_mm, 0, 3]], np.float32)
    medium = replace(medium, backscatter=medium.backscatter * 0, points=points)
    picture = form_picture(medium, device)
    bright = picture.pixels.astype(float) ** 4
    rows, columns = np.indices(bright.shape)
    field = np.zeros((medium.grid.rows, medium.grid.columns), np.float32)
    x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
    field += np.exp(-((x - x_mm) ** 2 + (z - z_mm) ** 2) / 0.5).astype(np.float32)
    mapped = picture.to_picture(field) ** 4
    for axis in (rows, columns):
        assert np.average(axis, weights=bright) == pytest.approx(np.average(axis, weights=mapped), abs=0.5)
    if device.geometry != "curved":  # whose skin is moulded: see below
        column, row = picture.conversion.to_pixels(x_mm, z_mm)
        assert np.average(columns, weights=bright) == pytest.approx(column, abs=0.5)
        assert np.average(rows, weights=bright) == pytest.approx(row, abs=0.5)


def test_a_sector_is_bounded_by_the_face_the_depth_and_the_outer_beams():
    device = bench(height=400, **CURVED)
    where = conversion(device, device.grid(40))
    rows, columns = np.indices(where.shape)
    x, z = where.left_mm + columns * where.spacing_mm, where.top_mm + rows * where.spacing_mm
    radius = np.hypot(x, z + 45)
    angle = np.abs(np.arctan2(x, z + 45))
    margin = where.spacing_mm
    within = (radius > 45 + margin) & (radius < 85 - margin) & (angle < 20 / 45 - margin / 45)
    outside = (radius < 45 - margin) | (radius > 85 + margin) | (angle > 20 / 45 + margin / 45)
    assert where.inside[within].all()
    assert not where.inside[outside].any()
    area = where.inside.sum() * where.spacing_mm**2
    assert area == pytest.approx(0.5 * (85**2 - 45**2) * 40 / 45, rel=0.005)


def test_the_outer_beams_of_a_fan_reach_sideways_and_a_linear_picture_is_full():
    fan, flat = bench(**FAN), bench()
    where = conversion(fan, fan.grid(40))
    assert where.inside[0].sum() * where.spacing_mm == pytest.approx(30, abs=0.4)
    assert where.shape[1] * where.spacing_mm == pytest.approx(30 + 2 * 40 * np.sin(np.arctan(15 / 60)), abs=0.2)
    assert conversion(flat, flat.grid(40)).inside.all()
    assert conversion(flat, flat.grid(40)).spacing_mm == pytest.approx(40 / 400)


def test_the_skin_follows_a_curved_probe_and_deep_tissue_stays_where_it_is():
    device = bench(height=400, **CURVED)
    grid = device.grid(40)
    where = conversion(device, grid)
    depth = np.broadcast_to(grid.z_mm[:, None], (grid.rows, grid.columns)).copy()
    shown = where.from_field(depth)
    rows, columns = np.indices(where.shape)
    x, z = where.left_mm + columns * where.spacing_mm, where.top_mm + rows * where.spacing_mm
    reach = np.hypot(x, z + 45) - 45
    assert shown[where.inside & (reach < 0.3)].max() < 0.7
    deep = where.inside & (z > 32) & (z < 39)
    assert np.abs(shown - z)[deep].max() < 0.7


@pytest.mark.parametrize("changes", [{}, FAN, CURVED])
def test_a_mask_falls_where_its_echoes_fall(changes):
    device = bench(**changes)
    medium = even(device)
    x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
    cyst = (x - 4) ** 2 + (z - 22) ** 2 < 6**2
    medium.backscatter[cyst] = 0
    picture = form_picture(medium, device)
    mask = picture.to_picture(cyst, order=0)
    assert mask.dtype == np.bool_
    assert mask.sum() * picture.spacing_mm**2 == pytest.approx(np.pi * 36, rel=0.03)
    dark = (picture.pixels < 30) & picture.scan
    assert (dark & mask).sum() / (dark | mask).sum() > 0.85


def test_labels_and_colours_keep_their_kind_and_are_zero_outside_the_scan():
    device = bench(**CURVED)
    grid = device.grid(40)
    where = conversion(device, grid)
    labels = np.full((grid.rows, grid.columns), 7, np.uint8)
    assert set(np.unique(where.from_field(labels, order=0))) == {0, 7}
    colours = np.ones((grid.rows, grid.columns, 3), np.float32)
    shown = where.from_field(colours)
    assert shown.shape == (*where.shape, 3)
    assert shown.dtype == np.float32
    assert not shown[~where.inside].any()


@pytest.mark.parametrize("name", devices())
def test_beams_sample_the_medium_inside_its_grid(name):
    device = devices()[name]
    grid = device.grid(45)
    lines = beams(device, grid)
    depth = np.broadcast_to(grid.z_mm[:, None], (grid.rows, grid.columns)).copy()
    seen = lines.sample(depth)
    middle = seen[:, grid.columns // 2]
    assert middle == pytest.approx(lines.range_mm, abs=0.05)
    assert seen.min() >= grid.z_mm[0]
    assert seen.max() <= grid.z_mm[-1]
