import numpy as np
import pytest
from pydantic import ValidationError

from isthmus.phantom import pulse
from isthmus.phantom.devices import devices
from tests.phantom.media import bench


def test_there_are_linear_fanned_and_curved_devices_under_names_of_no_vendor():
    assert {"linear-12", "linear-9", "linear-15", "curved-7"} <= set(devices())
    assert {device.geometry for device in devices().values()} == {"linear", "trapezoid", "curved"}


@pytest.mark.parametrize("quality", ["still", "clip"])
@pytest.mark.parametrize("name", devices())
def test_grids_resolve_the_pulse_and_the_beam(name, quality):
    device = devices()[name]
    grid = device.grid(40, quality)
    assert grid.depth_mm / grid.rows < 1.2 * pulse.axial_sigma(device)
    depth = np.linspace(1, 40, 50)
    width = pulse.lateral_fwhm(device, depth, np.full(50, device.frequency_mhz))
    pitch = device.footprint_mm / grid.columns * (1 + depth / (device.radius_mm or np.inf))
    assert np.all(pitch < 0.55 * width)
    if quality == "still":  # Nyquist of the carrier, whose echo has two periods a wavelength
        assert grid.depth_mm / grid.rows < device.wavelength_mm / 4


@pytest.mark.parametrize("name", devices())
def test_resolution_is_that_of_a_neck_probe(name):
    device = devices()[name]
    focus = np.array([device.focus_mm])
    lateral = pulse.lateral_fwhm(device, focus, np.array([device.frequency_mhz]))[0]
    assert 0.2 < lateral < 0.9
    assert 0.07 < pulse.axial_fwhm(device) < 0.3


def test_a_fanned_or_curved_device_has_a_radius_and_a_linear_one_none():
    with pytest.raises(ValidationError, match="radius_mm"):
        bench(geometry="curved")
    with pytest.raises(ValidationError, match="radius_mm"):
        bench(radius_mm=40)
