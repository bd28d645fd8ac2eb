import inspect
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.medium import Grid, Medium, Orientation, Plane
from isthmus.phantom.section import in_nodule, seen
from isthmus.phantom.tissue import Tissue
from tests.phantom.virtual_nodules import extents, foci, morphologies, tissue

PLANES = st.builds(
    Plane,
    st.sampled_from(get_args(Orientation)),
    offset_mm=st.floats(-5, 5),
    lateral_mm=st.floats(-4, 4),
    tilt_degrees=st.floats(-20, 20),
)
TRANSVERSE = Plane("transverse")


def grid_for(body: Tissue, plane: Plane = TRANSVERSE, step: float = 0.15) -> Grid:
    width, depth = body.field_of_view(plane)
    return Grid(width, depth, round(width / step), round(depth / step))


def decibels(medium: Medium) -> np.ndarray:
    return 20 * np.log10(medium.backscatter + 1e-6)


def test_only_the_groups_of_a_b_mode_picture_and_two_seeds_enter() -> None:
    hints = inspect.get_annotations(Tissue.__init__, eval_str=True)
    assert [hints[name] for name in hints if name != "return"] == [Extent, Morphology, Microcalcifications, int, int]


@settings(max_examples=20, deadline=None)
@given(
    extent=extents(),
    look=morphologies(),
    counts=foci(),
    plane=PLANES,
    patient=st.integers(0, 2**32),
    seed=st.integers(),
)
def test_any_nodule_makes_a_sound_medium(
    extent: Extent, look: Morphology, counts: Microcalcifications, plane: Plane, patient: int, seed: int
) -> None:
    body = Tissue(extent, look, counts, patient, abs(seed))
    width, depth = body.field_of_view(plane)
    grid = Grid(width, depth, 150, 180)
    medium = body.medium(grid, plane)
    for field in (medium.backscatter, medium.attenuation, medium.specular):
        assert field.shape == (180, 150)
        assert field.dtype == np.float32
        assert np.isfinite(field).all()
        assert (field >= 0).all()
    assert medium.points.shape[1] == 4
    assert medium.attenuation.max() < 30
    lesion = body.regions(grid, replace(plane, offset_mm=0.0)).lesion
    assert lesion.any()
    border = np.concatenate([lesion[0], lesion[-1], lesion[:, 0], lesion[:, -1]])
    assert not border.any()


@pytest.mark.parametrize("orientation", get_args(Orientation))
@pytest.mark.parametrize("size", [4.0, 16.0, 45.0])
def test_a_smooth_nodules_mask_has_the_area_of_its_ellipse(orientation: Orientation, size: float) -> None:
    body = tissue(size)
    plane = Plane(orientation)
    across = body.half_axes[0 if orientation == "transverse" else 1]
    grid = grid_for(body, plane, 0.1)
    area = body.regions(grid, plane).lesion.sum() * (grid.width_mm / grid.columns) * (grid.depth_mm / grid.rows)
    assert area == pytest.approx(np.pi * float(across * body.half_axes[2]), rel=0.1)


def test_height_to_width_is_seen_in_the_transverse_mask() -> None:
    for ratio in (0.5, 1.0, 1.5):
        body = tissue(20.0, ratio)
        grid = grid_for(body, step=0.1)
        rows, columns = np.nonzero(body.regions(grid, TRANSVERSE).lesion)
        height = np.ptp(rows) * grid.depth_mm / grid.rows
        width = np.ptp(columns) * grid.width_mm / grid.columns
        assert height / width == pytest.approx(ratio, rel=0.12)


@pytest.mark.parametrize("contrast", [-14.0, -6.0, 3.0])
@pytest.mark.parametrize("heterogeneity", [0.0, 2.0])
def test_the_solid_part_has_the_contrast_asked_for(contrast: float, heterogeneity: float) -> None:
    found = []
    for seed in range(6):
        body = tissue(20.0, patient_seed=seed, nodule_seed=seed, contrast_db=contrast, heterogeneity_db=heterogeneity)
        grid = grid_for(body)
        level, regions = decibels(body.medium(grid, TRANSVERSE)), body.regions(grid, TRANSVERSE)
        gland = level[regions.labels == Label.GLAND]
        found.append(np.median(level[regions.labels == Label.NODULE]) - np.median(gland))
    assert np.mean(found) == pytest.approx(contrast, abs=1.2)


def test_attenuation_is_the_tables_in_every_tissue() -> None:
    body = tissue(18.0, cystic_fraction=0.4, composition="mixed", macrocalcifications=1)
    grid = grid_for(body)
    medium, labels = body.medium(grid, TRANSVERSE), body.regions(grid, TRANSVERSE).labels
    for label in (Label.FAT, Label.STRAP_MUSCLE, Label.GLAND, Label.ARTERY, Label.FLUID, Label.CALCIFICATION):
        found = float(np.median(medium.attenuation[labels == label]))
        assert found == pytest.approx(MATERIALS[label].attenuation, rel=0.3, abs=0.1)


def test_muscle_lies_over_gland_and_the_artery_beside_it() -> None:
    for lobe, side in (("left", 1), ("right", -1)):
        body = tissue(8.0, lobe=lobe)
        grid = Grid(60.0, 45.0, 300, 300)
        labels = body.regions(grid, TRANSVERSE).labels
        x = grid.x_mm + float(body.nodule_centre[0])
        where = {label: np.nonzero(labels == label) for label in Label}
        assert where[Label.STRAP_MUSCLE][0].mean() < where[Label.GLAND][0].mean()
        assert side * np.median(x[where[Label.ARTERY][1]]) > side * np.median(x[where[Label.GLAND][1]])
        assert side * float(body.nodule_centre[0]) > 0
        assert np.abs(np.median(x[where[Label.AIR][1]])) < 6


def test_a_nodule_larger_than_the_lobe_swells_the_gland_and_stays_below_the_fascia() -> None:
    body = tissue(55.0, 0.9)
    grid = grid_for(body, step=0.3)
    labels, lesion = (part := body.regions(grid, TRANSVERSE)).labels, part.lesion
    first = np.nonzero(lesion.any(axis=1))[0][0] * grid.depth_mm / grid.rows
    assert first > body.anatomy.neck.fascia
    touching = lesion[:, :-1] ^ lesion[:, 1:]
    beside = np.where(lesion[:, :-1], labels[:, 1:], labels[:, :-1])[touching]
    assert (beside == Label.GLAND).mean() > 0.6


def test_extrathyroidal_extension_breaks_into_the_muscle() -> None:
    def muscle_beside(margin: str) -> float:
        shares = []
        for seed in range(5):
            body = tissue(14.0, 1.2, margin=margin, irregularity=0.1, patient_seed=seed, nodule_seed=seed)
            grid = grid_for(body)
            regions = body.regions(grid, TRANSVERSE)
            front = np.argmax(regions.lesion, axis=0)
            columns = np.nonzero(regions.lesion.any(axis=0))[0]
            above = regions.labels[np.maximum(front[columns] - 2, 0), columns]
            shares.append(np.isin(above, [Label.STRAP_MUSCLE, Label.CONNECTIVE]).mean())
        return float(np.mean(shares))

    assert muscle_beside("extrathyroidal_extension") > 0.15 + muscle_beside("smooth")


@pytest.mark.parametrize("orientation", get_args(Orientation))
def test_a_still_shows_the_foci_of_its_plane(orientation: Orientation) -> None:
    body = tissue(20.0, foci=Microcalcifications(5, 3, 7))
    plane = Plane(orientation)
    points = body.medium(grid_for(body, plane), plane).points
    wanted = 5 if orientation == "transverse" else 3
    assert (np.abs(points[:, 2]) <= 0.3).sum() == wanted
    mask = body.regions(grid_for(body, plane, 0.05), plane).calcifications
    assert 1 <= ndimage.label(mask)[1] <= wanted
    assert mask.sum() * 0.05**2 <= wanted * 0.3  # discs of at most half a millimetre


def test_a_sweep_meets_each_focus_elsewhere_in_a_few_frames() -> None:
    body = tissue(20.0, foci=Microcalcifications(0, 0, 1))
    offsets = np.arange(-12, 12, 0.25)
    grid = grid_for(body)
    met = [body.masks(grid, Plane("transverse", float(offset)))[1].any() for offset in offsets]
    assert 3 <= sum(met) <= 9
    assert not body.masks(grid, TRANSVERSE)[1].any()


def test_points_and_mask_agree_on_where_a_focus_is() -> None:
    body = tissue(20.0, foci=Microcalcifications(1, 0, 0))
    plane = Plane("transverse", lateral_mm=2.0, tilt_degrees=15.0)
    grid = grid_for(body, plane, 0.05)
    ((lateral, depth, _, _),) = body.medium(grid, plane).points
    rows, columns = np.nonzero(body.regions(grid, plane).calcifications)
    assert grid.x_mm[columns].mean() == pytest.approx(lateral, abs=0.1)
    assert grid.z_mm[rows].mean() == pytest.approx(depth, abs=0.1)


@pytest.mark.parametrize("orientation", get_args(Orientation))
def test_points_of_a_plane_go_to_the_nodule_and_back(orientation: Orientation) -> None:
    grid, plane = Grid(20.0, 30.0, 7, 9), Plane(orientation, 1.0, 2.0, 12.0)
    centre = np.array([15.0, -3.0, 14.0], dtype=np.float32)
    local = np.stack([part.ravel() for part in np.broadcast_arrays(*in_nodule(grid, plane, centre))], axis=1)
    lateral, depth, away = seen(local, plane, 14.0)
    np.testing.assert_allclose(lateral.reshape(9, 7)[0], grid.x_mm, atol=1e-4)
    np.testing.assert_allclose(depth.reshape(9, 7)[:, 0], grid.z_mm, atol=1e-4)
    np.testing.assert_allclose(away, 0, atol=1e-4)


def test_signed_distance_agrees_with_the_lesion_mask() -> None:
    body = tissue(18.0, margin="lobulated", irregularity=0.2)
    plane = Plane("longitudinal", 1.0, -2.0, 10.0)
    grid = grid_for(body, plane)
    inside = body.signed_distance(*body.to_tissue(grid, plane)) < 0
    lesion = body.regions(grid, plane).lesion
    assert (inside != lesion).sum() < 0.02 * lesion.sum()


@pytest.mark.parametrize("orientation", get_args(Orientation))
def test_neighbouring_planes_differ_little_and_distant_ones_much(orientation: Orientation) -> None:
    body = tissue(18.0, margin="lobulated", irregularity=0.1, heterogeneity_db=1.5)
    grid = grid_for(body)
    here, near, far = (decibels(body.medium(grid, Plane(orientation, offset))) for offset in (0.0, 0.05, 6.0))
    assert np.abs(near - here).mean() < 0.3
    assert np.abs(far - here).mean() > 5 * np.abs(near - here).mean()


def test_a_mixed_nodule_darkens_fluid_and_shadows_follow_calcium() -> None:
    body = tissue(20.0, composition="mixed", cystic_fraction=0.5, macrocalcifications=2)
    grid = grid_for(body)
    medium, regions = body.medium(grid, TRANSVERSE), body.regions(grid, TRANSVERSE)
    fluid, solid = regions.labels == Label.FLUID, regions.labels == Label.NODULE
    level = decibels(medium)
    assert np.median(level[fluid]) < np.median(level[solid]) - 10
    columns = regions.calcifications.any(axis=0)
    loss = medium.attenuation.sum(axis=0) * grid.depth_mm / grid.rows / 10
    assert loss[columns].mean() > loss[~columns].mean() + 0.5


def test_interfaces_lie_where_the_fields_change() -> None:
    body = tissue(20.0, composition="cystic", cystic_fraction=0.9)
    grid = grid_for(body, step=0.05)
    medium = body.medium(grid, TRANSVERSE)
    column = int(np.argmin(np.abs(grid.x_mm)))
    rows = np.nonzero(body.regions(grid, TRANSVERSE).labels[:, column] == Label.FLUID)[0]
    for edge in (rows[0], rows[-1]):
        assert medium.specular[edge - 8 : edge + 9, column].max() > 0.5


def test_the_carotid_widens_with_the_pulse() -> None:
    body = tissue(8.0)
    grid = Grid(60.0, 45.0, 300, 300)
    artery = body.regions(grid, TRANSVERSE).labels == Label.ARTERY
    rest, systole = body.medium(grid, TRANSVERSE), body.medium(grid, TRANSVERSE, pulse=1.0)
    changed = np.abs(decibels(systole) - decibels(rest)) > 3
    assert 0 < changed.sum() < artery.sum()


def test_the_same_latents_and_seeds_give_the_same_bytes_and_others_do_not() -> None:
    grid = Grid(40.0, 40.0, 120, 130)
    first, again, patient, nodule = (
        tissue(16.0, patient_seed=a, nodule_seed=b, foci=Microcalcifications(3, 2, 1)).medium(grid, TRANSVERSE)
        for a, b in ((1, 2), (1, 2), (9, 2), (1, 9))
    )
    for name in ("backscatter", "attenuation", "specular", "points"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert first.scatterers.slice(2, grid).tobytes() == again.scatterers.slice(2, grid).tobytes()
    assert np.abs(first.backscatter - patient.backscatter).mean() > 0.05
    assert np.abs(first.backscatter - nodule.backscatter).mean() > 0.05
