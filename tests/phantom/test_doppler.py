"""Colour Doppler and microvascular imaging: vessels by density, colours by velocity, colour in its box alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.phantom.colour_maps import VELOCITY, paint
from isthmus.phantom.doppler import alias
from isthmus.phantom.latents import Vessels
from isthmus.phantom.vessels import grow
from tests.phantom.scenes import record, small_device, small_scene


def colour_share(modality, **vessels):
    recording = record(modality, **vessels)
    pixels = recording.frames[0].astype(int)
    return float(((np.ptp(pixels, axis=2) > 30) & recording.lesion[0]).sum() / recording.lesion[0].sum())


@pytest.mark.parametrize("modality", ["doppler", "smi"])
@pytest.mark.parametrize("where", ["vessels_central", "vessels_peripheral"])
def test_the_share_of_coloured_pixels_rises_with_the_density_of_vessels(modality, where):
    none = {"vessels_central": 0.0, "vessels_peripheral": 0.0}
    shares = [colour_share(modality, **none | {where: density}) for density in (0.0, 0.35, 1.0)]
    assert shares[0] < 0.02
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.parametrize("modality", ["doppler", "smi"])
@pytest.mark.parametrize("device", ["linear-9", "linear-15"])
def test_no_colour_lies_outside_the_colour_box_of_the_picture(modality, device):
    recording = record(modality, small_scene(small_device(device)))
    x0, y0, x1, y1 = (int(edge) for edge in recording.colour_box)
    left, top, right, bottom = (int(edge) for edge in recording.region)
    assert left <= x0 < x1 <= right
    assert top <= y0 < y1 <= bottom
    colourful = np.ptp(recording.frames[0].astype(int), axis=2) > 30
    assert colourful[y0:y1, x0:x1].any()
    colourful[y0:y1, x0:x1] = False
    assert not colourful[top:bottom, left:right].any()


@given(st.floats(-80, 80), st.floats(1, 20))
def test_aliasing_folds_a_velocity_into_the_scale_by_whole_turns(velocity, limit):
    shown = float(alias(np.array(velocity), limit))
    assert -limit <= shown <= limit
    turns = (velocity - shown) / (2 * limit)
    assert turns == pytest.approx(round(turns), abs=1e-6)


def test_flow_towards_the_probe_is_red_and_away_is_blue():
    towards, away = paint(np.array([4.0, -4.0]), -5.0, 5.0, VELOCITY).astype(int)
    assert towards[0] > towards[2] + 100
    assert away[2] > away[0] + 100


def tree(central, peripheral):
    axes = np.array([8.0, 9.0, 6.0])
    return grow(Vessels(central, peripheral), axes, lambda facing: np.ones(facing.shape[1]), np.random.default_rng(5))


def test_a_denser_nodule_has_the_vessels_of_a_less_dense_one_and_more():
    few, many = tree(0.3, 0.3), tree(0.8, 0.6)
    assert {tuple(point) for point in few.points} < {tuple(point) for point in many.points}


def test_central_vessels_run_inside_and_peripheral_ones_at_the_rim():
    axes = np.array([8.0, 9.0, 6.0])
    around = {tuple(point) for point in tree(0.0, 0.0).points}

    def levels(vessels):
        own = np.array([point for point in vessels.points if tuple(point) not in around])
        return np.linalg.norm(own / axes, axis=1)

    assert levels(tree(0.0, 1.0)).min() > 0.9
    assert np.median(levels(tree(1.0, 0.0))) < 0.8
    assert np.linalg.norm(tree(1.0, 1.0).direction, axis=1) == pytest.approx(1.0)
