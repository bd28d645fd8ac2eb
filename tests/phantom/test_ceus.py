"""Contrast-enhanced clips: the agent comes when, where and as strongly as the perfusion says."""

import cv2
import numpy as np
import pytest

from isthmus.phantom.ceus import _GLAND_LEVEL, _NO_FOCI, _RANGE_DB, PLAIN, start_and_arrival
from isthmus.phantom.materials import Label
from isthmus.phantom.medium import Plane
from isthmus.phantom.perfusion import lognormal
from isthmus.phantom.view import aim
from tests.phantom.scenes import groups_of, record, small_device, small_scene

SECONDS, RATE = 50.0, 2.0


@pytest.fixture(scope="module")
def sections():
    """Where gland, artery and the nodule's middle lie on the screen of the clips below."""
    scene = small_scene(small_device(height=160))
    (extent, _) = groups_of("ceus")
    view = aim(extent, PLAIN, _NO_FOCI, scene, Plane("transverse"))
    labels, lesion, _ = view.sections()
    parts = {"gland": labels == Label.GLAND, "artery": labels == Label.ARTERY, "nodule": lesion}
    # The tissue breathes half a millimetre: stay away from borders.
    return {name: cv2.erode(part.astype(np.uint8), np.ones((9, 9))) > 0 for name, part in parts.items()}


def curves(sections, **perfusion):
    """Mean echo power over time of each part, read back from the grey of the display."""
    scene = small_scene(small_device(height=160))
    recording = record("ceus", scene, length={"seconds": SECONDS, "frame_rate_hz": RATE}, **perfusion)
    x0, y0, x1, y1 = (int(edge) for edge in recording.region)
    level = recording.frames[:, y0:y1, x0:x1, 0].astype(float) / 255.0
    power = 10.0 ** ((level - _GLAND_LEVEL) * _RANGE_DB / 10.0)
    start, arrival = start_and_arrival(scene, SECONDS)
    since = start + recording.frame_times_s - arrival
    return since, {name: power[:, part].mean(axis=1) for name, part in sections.items()}


def arrival_of(since, curve, to_peak_s=10.0):
    """The shift of the model's curve that correlates best with a measured one."""
    shifts = np.arange(-6.0, 8.0, 0.1)
    return shifts[np.argmax([np.corrcoef(lognormal(since - shift, to_peak_s), curve)[0, 1] for shift in shifts])]


@pytest.mark.parametrize("arrival_s", [-2.0, 4.0])
def test_the_nodule_fills_and_peaks_at_the_time_set_against_the_gland(sections, arrival_s):
    since, measured = curves(sections, arrival_s=arrival_s)
    gland, nodule = (arrival_of(since, measured[name]) for name in ("gland", "nodule"))
    assert gland == pytest.approx(0.0, abs=0.5)
    assert nodule - gland == pytest.approx(arrival_s, abs=0.7)


def test_the_artery_comes_first(sections):
    since, measured = curves(sections)
    half = {name: since[np.argmax(curve > 0.3 * curve.max())] for name, curve in measured.items()}
    assert half["artery"] < half["gland"] - 2.0


@pytest.mark.parametrize("peak_db", [-8.0, 4.0])
def test_the_nodule_peaks_as_much_above_the_gland_as_set(sections, peak_db):
    _, measured = curves(sections, peak_db=peak_db)
    difference = 10 * np.log10(measured["nodule"].max() / measured["gland"].max())
    assert difference == pytest.approx(peak_db, abs=1.5)


def test_washout_empties_the_nodule_before_the_gland(sections):
    since, slow = curves(sections, washout=0.5)
    _, fast = curves(sections, washout=2.5)
    late = since > 30
    assert fast["nodule"][late].mean() < 0.4 * slow["nodule"][late].mean()
    assert fast["gland"][late].mean() == pytest.approx(slow["gland"][late].mean(), rel=0.1)


def test_a_core_deficit_leaves_the_middle_dark_and_a_rim_stands_out(sections):
    _, plain = curves(sections)
    _, hollow = curves(sections, core_deficit=0.9)
    _, rimmed = curves(sections, rim_enhancement=1.0)
    assert hollow["nodule"].max() < 0.75 * plain["nodule"].max()
    assert rimmed["nodule"].max() > 1.15 * plain["nodule"].max()


def test_a_short_clip_starts_before_the_agent_comes_and_a_long_one_at_the_injection():
    scene = small_scene()
    start, arrival = start_and_arrival(scene, 10.0)
    assert 0 < arrival - start < 10
    assert start_and_arrival(scene, 60.0) == (0.0, arrival)


def test_bubbles_move_from_frame_to_frame_and_are_the_same_when_drawn_again():
    recording = record("ceus", length={"seconds": 10.0, "frame_rate_hz": 4.0})
    frames = np.stack([frame.pixels for frame in recording])
    assert np.array_equal(frames, recording.frames)
    assert not np.array_equal(frames[-1], frames[-2])
