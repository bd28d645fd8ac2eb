import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.phantom.calcification import CLEAR_MM, NEAR_MM, Coarse, clearance, draw_foci
from isthmus.phantom.latents import Extent, Microcalcifications
from isthmus.phantom.nodule import Nodule
from isthmus.phantom.texture import Array
from tests.phantom.virtual_nodules import extents, foci, morphology


def random() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(4))


def counted(positions: Array) -> tuple[int, int, int]:
    longitudinal, transverse = np.abs(positions[:, 0]) <= NEAR_MM, np.abs(positions[:, 1]) <= NEAR_MM
    return int(transverse.sum()), int(longitudinal.sum()), int((~transverse & ~longitudinal).sum())


@settings(max_examples=40, deadline=None)
@given(extent=extents(), counts=foci(), seed=st.integers(0, 2**31))
def test_every_nodule_holds_the_foci_asked_for(extent: Extent, counts: Microcalcifications, seed: int) -> None:
    drawn = draw_foci(Nodule(extent, morphology(), seed), counts, random())
    wanted = (counts.punctate_transverse, counts.punctate_longitudinal, counts.punctate_elsewhere)
    assert counted(drawn.positions) == wanted
    assert ((drawn.diameters >= 0.2) & (drawn.diameters <= 0.5)).all()


@settings(max_examples=20, deadline=None)
@given(size=st.floats(12, 60), ratio=st.floats(0.5, 1.5), seed=st.integers(0, 2**31))
def test_foci_keep_clear_of_planes_that_are_not_theirs(size: float, ratio: float, seed: int) -> None:
    body = Nodule(Extent(size, ratio, "left"), morphology(), seed)
    assert clearance(body) == CLEAR_MM
    positions = draw_foci(body, Microcalcifications(5, 6, 7), random()).positions
    from_planes = np.abs(positions[:, :2])
    assert ((from_planes <= NEAR_MM) | (from_planes >= CLEAR_MM)).all()
    assert (body.signed_distance(*positions.T) < 0).all()


def test_a_nodule_too_small_to_keep_clear_still_tells_its_planes_apart() -> None:
    body = Nodule(Extent(3.0, 1.8, "left"), morphology(), 1)
    assert NEAR_MM < clearance(body) < CLEAR_MM
    assert counted(draw_foci(body, Microcalcifications(12, 12, 20), random()).positions) == (12, 12, 20)


def test_foci_lie_in_the_solid_part_where_there_is_one() -> None:
    body = Nodule(Extent(20.0, 0.9, "left"), morphology(composition="mixed", cystic_fraction=0.5), 3)
    x, y, z = draw_foci(body, Microcalcifications(6, 6, 6), random()).positions.T
    assert (body.fluid(x, y, z, body.signed_distance(x, y, z)) > 0).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_rim_is_calcified_to_the_share_asked_for(share: float) -> None:
    body = Nodule(Extent(20.0, 0.9, "left"), morphology(rim_calcification=share), 3)
    directions = random().standard_normal((3, 4000)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    on_rim = directions * body.radius(directions) * body.half_axes[:, None]
    coarse = Coarse(body, random())
    x, y, z = on_rim * np.float32(1 - coarse.rim_mm / 10)
    ((distance, _),) = coarse.distances(x, y, z, body.signed_distance(x, y, z))
    assert (distance < 0).mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_coarse_calcifications_meet_the_central_planes(count: int) -> None:
    for seed in range(5):
        body = Nodule(Extent(18.0, 0.9, "left"), morphology(macrocalcifications=count), seed)
        coarse = Coarse(body, random())
        assert len(coarse.centres) == count
        met = np.abs(coarse.centres[:, :2]) < coarse.sizes[:, :2]
        assert met[0].all()
        assert met.any(axis=1).all()
