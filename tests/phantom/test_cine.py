"""Cine sweeps: the nodule comes and goes, and what lies off the plane shows in a few frames only."""

import numpy as np
import pytest

from isthmus.phantom.cine import pulse, sweep
from isthmus.phantom.medium import Plane
from isthmus.phantom.view import aim
from tests.phantom.scenes import groups_of, record, small_device, small_scene

LENGTH = {"seconds": 3.0, "frame_rate_hz": 8.0}


@pytest.fixture(scope="module")
def swept():
    recording = record("cine", small_scene(small_device()), length=LENGTH, punctate_elsewhere=1)
    return recording, recording.frames, recording.lesion, recording.calcifications


def test_the_sweep_enters_and_leaves_the_nodule(swept):
    _, _, lesion, _ = swept
    area = lesion.sum(axis=(1, 2))
    assert area[0] == area[-1] == 0
    assert area.argmax() in range(6, 18)
    assert (area[4:20] > 0).all()


def test_a_microcalcification_off_the_plane_is_absent_in_the_still_and_present_in_a_few_frames_of_the_sweep(swept):
    still = record("bmode", small_scene(small_device()), punctate_elsewhere=1)
    assert not still.calcifications.any()
    _, frames, lesion, calcifications = swept
    there = np.flatnonzero(calcifications.any(axis=(1, 2)))
    assert 1 <= len(there) <= 6
    assert np.array_equal(there, np.arange(there[0], there[-1] + 1))
    assert not (calcifications & ~lesion).any()
    # The focus is bright where the mask says, in the frames where the mask says.
    rows, columns = (slice(part.min() - 2, part.max() + 3) for part in np.nonzero(calcifications[there].any(axis=0)))
    brightest = frames[:, rows, columns, 0].max(axis=(1, 2)).astype(int)
    solid = np.flatnonzero(lesion[:, rows, columns].all(axis=(1, 2)))
    elsewhere = np.setdiff1d(solid, np.arange(there[0] - 2, there[-1] + 3))
    assert len(elsewhere) >= 6
    assert brightest[there].max() > brightest[elsewhere].max() + 15


def test_neighbouring_frames_share_their_speckle_and_distant_ones_do_not(swept):
    recording, frames, _, _ = swept
    x0, y0, x1, y1 = (int(edge) for edge in recording.region)
    gland = frames[:, y0 + 60 : y1 - 60, x0 + 10 : x1 - 10, 0].astype(float)
    gland = gland - gland.mean(axis=0)

    def correlation(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    near = np.mean([correlation(gland[n], gland[n + 1]) for n in range(20)])
    far = np.mean([correlation(gland[n], gland[n + 8]) for n in range(14)])
    assert near > far + 0.2


def test_the_carotid_beats_between_0_and_1_at_the_rate_of_a_resting_heart():
    times = np.arange(0, 20, 0.002)
    wave = np.array(pulse(small_scene(), times))
    assert wave.min() == pytest.approx(0.0, abs=0.05)
    assert wave.max() == pytest.approx(1.0, abs=1e-3)
    beats = np.count_nonzero((wave[:-1] < 0.5) & (wave[1:] >= 0.5)) / 20
    assert 0.9 <= beats <= 1.5


@pytest.mark.parametrize("seed", range(5))
def test_the_hand_goes_one_way_unevenly_and_trembles(seed):
    view = aim(*groups_of("cine"), small_scene(view_seed=seed), Plane("transverse"))
    planes = sweep(view, np.arange(30) / 10)
    steps = np.diff([plane.offset_mm for plane in planes])
    assert (steps > 0).all() or (steps < 0).all()
    assert abs(steps).max() > 1.15 * abs(steps).min()
    assert abs(planes[0].offset_mm) == pytest.approx(1.15 * view.tissue.half_axes[1])
    assert 0.02 < np.std([plane.lateral_mm for plane in planes]) < 1.0
