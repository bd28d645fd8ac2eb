import numpy as np
import pytest

from isthmus.phantom.texture import draw_shift, fractal, lines, noise

SHIFT = draw_shift(np.random.Generator(np.random.PCG64(1)))
AXIS = np.arange(-40, 40, 0.2, dtype=np.float32)


def test_a_plane_agrees_with_the_same_points_taken_one_by_one() -> None:
    x, z = AXIS[None, :], AXIS[:, None]
    for plane in ((x, np.full((1, 1), 3.3, np.float32), z), (np.full((1, 1), -2.1, np.float32), x, z)):
        quick = noise(*plane, (5.0, 7.0, 3.0), SHIFT)
        points = [part.ravel() for part in np.broadcast_arrays(*plane)]
        one_by_one = noise(points[0], points[1], points[2], (5.0, 7.0, 3.0), SHIFT).reshape(quick.shape)
        # OpenCV looks up at 1/32 of a voxel.
        np.testing.assert_allclose(quick, one_by_one, atol=0.05)


def test_features_have_the_width_asked_for() -> None:
    field = noise(AXIS[None, :], np.zeros((1, 1), np.float32), AXIS[:, None], (4.0, 4.0, 8.0), SHIFT)
    field = field - field.mean()
    for axis, wanted in ((1, 4.0), (0, 8.0)):
        spectrum = np.abs(np.fft.rfft(field, axis=axis)) ** 2
        correlation = np.fft.irfft(spectrum, axis=axis).mean(axis=1 - axis)
        correlation /= correlation[0]
        width = 2 * 0.2 * float(np.interp(-0.5, -correlation[:60], np.arange(60)))
        assert width == pytest.approx(wanted, rel=0.2)


def test_fields_have_unit_variance() -> None:
    x, y, z = AXIS[::4, None, None], AXIS[None, ::20, None], AXIS[None, None, ::4]
    assert noise(x, y, z, (3.0, 3.0, 3.0), SHIFT).std() == pytest.approx(0.97, abs=0.06)
    assert fractal(x, y, z, (6.0, 6.0, 6.0), SHIFT).std() == pytest.approx(0.97, abs=0.1)
    ridges = lines(x, y, z, (3.0, 3.0, 3.0), SHIFT, 0.2)
    assert 0 <= ridges.min() < 0.01 < 0.95 < ridges.max() <= 1
