import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage

from isthmus.phantom.latents import Extent
from isthmus.phantom.nodule import Nodule
from tests.phantom.virtual_nodules import morphology


def nodule(size: float = 16.0, ratio: float = 0.8, seed: int = 5, **changes: object) -> Nodule:
    return Nodule(Extent(size, ratio, "left"), morphology(**changes), seed)


def lattice(body: Nodule, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    reach = 1.8 * float(body.half_axes.max())
    axis = np.arange(-reach, reach, step, dtype=np.float32)
    return axis[:, None, None], axis[None, :, None], axis[None, None, :]


@pytest.mark.parametrize("ratio", [0.4, 0.8, 1.0, 1.8])
def test_largest_diameter_is_the_size_and_height_to_width_is_as_asked(ratio: float) -> None:
    axes = nodule(20.0, ratio).half_axes
    assert float(axes.max()) * 2 == pytest.approx(20.0, rel=1e-5)
    assert axes[2] / axes[0] == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("margin", ["smooth", "lobulated", "irregular", "extrathyroidal_extension"])
def test_volume_is_the_ellipsoids_whatever_the_margin(margin: str) -> None:
    # 4/3 pi a b c
    body = nodule(margin=margin, irregularity=0.3)
    x, y, z = lattice(body, 0.4)
    volume = float((body.signed_distance(x, y, z) < 0).sum()) * 0.4**3
    assert volume == pytest.approx(4 / 3 * np.pi * float(np.prod(body.half_axes)), rel=0.05)


def test_distance_agrees_with_an_exact_distance_transform() -> None:
    body = nodule(18.0, 0.7)
    x, y, z = lattice(body, 0.5)
    ours = body.signed_distance(x, y, z)
    inside = ours < 0
    exact = 0.5 * (ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside))
    near = np.abs(exact) < 2.0
    assert np.abs(ours - exact)[near].mean() < 0.35  # half a voxel of the transform's own error


def test_irregular_outlines_are_rougher_than_smooth_ones() -> None:
    def roughness(**changes: object) -> float:
        body = nodule(**changes)
        angle = np.linspace(0, 2 * np.pi, 720, dtype=np.float32)
        radius = body.radius(np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)]))
        return float(np.abs(np.diff(radius)).sum())

    smooth = roughness(margin="smooth", irregularity=0.02)
    assert roughness(margin="lobulated", irregularity=0.15) > 2 * smooth
    assert roughness(margin="irregular", irregularity=0.3) > 3 * smooth


@pytest.mark.parametrize(
    ("composition", "share"),
    [
        ("mixed", 0.5),
        ("predominantly_cystic", 0.7),
        ("predominantly_solid", 0.2),
        ("cystic", 0.95),
        ("spongiform", 0.5),
    ],
)
def test_fluid_fills_the_share_asked_for(composition: str, share: float) -> None:
    found = []
    for seed in range(3):
        body = nodule(seed=seed, composition=composition, cystic_fraction=share)
        x, y, z = lattice(body, 0.5)
        distance = body.signed_distance(x, y, z)
        fluid = body.fluid(x, y, z, distance)
        found.append(float((fluid[distance < 0] < 0).mean()))
    assert np.mean(found) == pytest.approx(share, abs=0.04)
    assert np.ptp(found) < 0.1


def test_spongiform_cysts_are_tiny_and_many() -> None:
    def pockets(composition: str) -> int:
        body = nodule(composition=composition, cystic_fraction=0.5)
        x, _, z = lattice(body, 0.1)
        x, z = x[:, 0], z[0]
        y = np.zeros((1, 1), dtype=np.float32)
        return int(ndimage.label(body.fluid(x, y, z, body.signed_distance(x, y, z)) < 0)[1])

    assert pockets("spongiform") > 40 > 8 > pockets("predominantly_cystic")


@settings(max_examples=20, deadline=None)
@given(seed=...)
def test_the_same_seed_gives_the_same_outline(seed: int) -> None:
    x = np.linspace(-9, 9, 50, dtype=np.float32)
    first, second = (nodule(seed=abs(seed)).signed_distance(x, x, x) for _ in range(2))
    np.testing.assert_array_equal(first, second)
