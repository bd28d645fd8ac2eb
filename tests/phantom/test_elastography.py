"""Shear-wave elastography, read as a reader reads it: through the colour bar on the screen."""

import cv2
import numpy as np
import pytest

from isthmus.phantom.consoles import CONSOLES
from tests.phantom.scenes import record, small_device, small_scene


def hue(pixels):
    return cv2.cvtColor((pixels / 255.0).astype(np.float32).reshape(-1, 1, 3), cv2.COLOR_RGB2HSV)[:, 0, 0]


def read_back(recording, limit_kpa, where):
    """Mean kPa in a mask, from the hues and the bar beside the picture (0 at its foot, the limit at its head)."""
    frame = recording.frames[0]
    right = int(recording.region[2])
    saturated = (frame[:, right:].max(axis=2) == 255) & (frame[:, right:].min(axis=2) == 0)
    column = right + int(np.argmax(saturated.sum(axis=0)))
    rows = np.flatnonzero(saturated[:, column - right])
    bar = hue(frame[rows, column])
    value = np.linspace(limit_kpa, 0.0, len(rows))
    found = hue(frame[where])
    return float(np.mean(value[np.abs(found[:, None] - bar[None]).argmin(axis=1)]))


@pytest.mark.parametrize("device", ["linear-9", "linear-12", "linear-15"])
@pytest.mark.parametrize("stiffness_kpa", [25.0, 60.0])
def test_the_nodules_mean_modulus_reads_back_through_the_colour_bar(device, stiffness_kpa):
    scene = small_scene(small_device(device))
    recording = record("swe", scene, stiffness_kpa=stiffness_kpa, stiffness_variation=0.1)
    coloured = np.ptp(recording.frames[0].astype(int), axis=2) > 40
    middle = cv2.erode(recording.lesion[0].astype(np.uint8), np.ones((15, 15))) > 0
    limit = CONSOLES[scene.device.layout].stiffest_kpa
    assert read_back(recording, limit, middle & coloured) == pytest.approx(stiffness_kpa, rel=0.1)


def test_fluid_carries_no_shear_wave_and_stays_uncoloured():
    recording = record("swe", composition="cystic", cystic_fraction=0.95)
    middle = cv2.erode(recording.lesion[0].astype(np.uint8), np.ones((25, 25))) > 0
    assert middle.any()
    assert np.ptp(recording.frames[0].astype(int), axis=2)[middle].max() < 10


def test_a_variable_nodule_has_more_colours_than_an_even_one():
    spread = []
    for variation in (0.0, 0.6):
        recording = record("swe", stiffness_variation=variation)
        middle = cv2.erode(recording.lesion[0].astype(np.uint8), np.ones((15, 15))) > 0
        spread.append(hue(recording.frames[0][middle]).std())
    assert spread[1] > 2 * spread[0]
