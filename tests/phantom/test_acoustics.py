"""Pulse-echo physics, each law against its textbook formula, written out here and nowhere taken from the package."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import scipy.stats

from isthmus.phantom.acoustics import analytic_signal, compress, envelope, form_clip, form_picture, radio_frequency
from isthmus.phantom.beamforming import blur_along, coherent_gain, looks
from isthmus.phantom.devices import devices
from isthmus.phantom.display import decibels as to_decibels
from isthmus.phantom.sounding import reflectivity, sound
from tests.phantom.media import bench, decibels, even, half_width

C = 1.54  # mm a microsecond


def snr(amplitude):
    return float(amplitude.mean() / amplitude.std())


# Speckle


@pytest.mark.parametrize("quality", ["still", "clip"])
@pytest.mark.parametrize("name", ["linear-9", "linear-15", "curved-7"])
def test_raw_speckle_has_the_rayleigh_signal_to_noise_ratio_of_1_91(name, quality):
    """sqrt(pi / (4 - pi)): Burckhardt, IEEE Trans. Sonics Ultrason. 25:1, 1978. Also where the carrier has drifted
    against a clip's coarse rows, which would leave one quadrature empty but for the quincunx of the scatterers.
    """
    device = devices()[name]
    amplitude = np.abs(analytic_signal(even(device, quality=quality, attenuation=0.6), device))[40:-40, 5:-5]
    even_power = amplitude / np.sqrt((amplitude**2).mean(axis=1, keepdims=True))
    assert snr(even_power) == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), abs=0.05)


def test_decorrelated_speckle_is_rayleigh_distributed_and_the_test_can_tell():
    """Wagner et al., IEEE Trans. Sonics Ultrason. 30:156, 1983. One sample a resolution cell and more."""
    device = bench()
    signal = analytic_signal(even(device), device)[40:-40:20, 10:-18:12]
    amplitude = np.abs(signal).ravel()
    assert len(amplitude) > 800
    rayleigh = scipy.stats.rayleigh(scale=1 / np.sqrt(2)).cdf
    assert scipy.stats.kstest(amplitude, rayleigh).pvalue > 0.05
    assert scipy.stats.kstest(np.sqrt((amplitude[:-1:2] ** 2 + amplitude[1::2] ** 2) / 2), rayleigh).pvalue < 1e-6
    phase = np.angle(signal).ravel()
    assert scipy.stats.kstest(phase, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.05


def test_log_compressed_speckle_varies_by_5_57_db_in_every_part():
    """Dutt & Greenleaf, Ultrason. Imaging 18:82, 1996."""
    device = bench(dynamic_range_db=100, headroom_db=30)
    levels = to_decibels(np.abs(analytic_signal(even(device), device)), device, 0.0)[40:-40]
    assert float(levels.std()) == pytest.approx(5.57, abs=0.2)


def test_the_hilbert_envelope_of_the_rf_is_the_modulus_of_the_analytic_signal():
    device = bench()
    medium = even(device, 20, attenuation=0.5)
    modulus = np.abs(analytic_signal(medium, device))
    away = envelope(radio_frequency(medium, device)) - modulus
    assert np.sqrt(np.mean(away[30:-30] ** 2)) < 0.01 * np.sqrt(np.mean(modulus**2))


def test_compounded_looks_raise_the_signal_to_noise_ratio_as_their_correlation_says():
    """SNR^2 grows as n^2 / sum of the looks' intensity correlations (O'Donnell & Silverstein, IEEE Trans. Ultrason.
    Ferroelectr. Freq. Control 35:470, 1988); steered by a, a Gaussian beam of standard deviation s has the correlation
    exp(-(2 k sin(a) s)^2 / 2) of intensities.
    """
    device = bench()
    angles = (-6.0, 0.0, 6.0)
    medium = even(device, 30)
    sounding = sound(medium, device)
    echoes = blur_along(reflectivity(medium, sounding, coherent_gain(sounding)), sounding, 1)
    mean = sum(np.abs(look) for look in looks(echoes, sounding, 1, angles)) / 3
    sigma = 1.21 * C / 8 * 2.5 / 2.355
    turn = 4 * np.pi * 8 / C * np.sin(np.radians(angles))
    shared = np.exp(-0.5 * ((turn[:, None] - turn) * sigma) ** 2).sum()
    assert snr(mean[40:-40, 10:-10]) == pytest.approx(1.91 * 3 / np.sqrt(shared), rel=0.05)


# The resolution cell


def point_echo(device, z_mm, attenuation=0.0):
    medium = even(device, attenuation=attenuation)
    point = np.array([[0.07, z_mm, 0, 1]], np.float32)
    return medium.grid, np.abs(
        analytic_signal(replace(medium, backscatter=medium.backscatter * 0, points=point), device)
    )


@pytest.mark.parametrize("z_mm", [8.0, 20.0, 33.0])
def test_a_point_is_as_wide_and_as_long_as_the_aperture_and_the_band_say(z_mm):
    """Lateral 1.21 wavelength F (-6 dB, uniform aperture); axial (2 ln 2 / pi) c / band: Szabo 2014, ch. 5 and 6."""
    device = bench()
    grid, echo = point_echo(device, z_mm)
    row, column = np.unravel_index(echo.argmax(), echo.shape)
    assert grid.z_mm[row] == pytest.approx(z_mm, abs=0.05)
    assert grid.x_mm[column] == pytest.approx(0.07, abs=0.1)
    assert half_width(echo[row], grid.width_mm / grid.columns) == pytest.approx(1.21 * C / 8 * 2.5, rel=0.05)
    length = half_width(echo[:, column], grid.depth_mm / grid.rows)
    assert length == pytest.approx(2 * np.log(2) / np.pi * C / (0.4 * 8), rel=0.05)


def test_away_from_the_transmit_focus_and_beyond_the_aperture_the_beam_is_wider():
    """The product of the transmit and the receive beam: widths add as inverse squares; the former's cone is z / F."""
    device = bench(transmit_f=4, active_mm=10)
    received = 1.21 * C / 8 * np.array([2.5, 2.5, 3.5])
    sent = np.hypot(1.21 * C / 8 * 4, np.array([14.0, 0, 15]) / 4)
    for z_mm, expected in zip((6, 20, 35), 1 / np.sqrt(received**-2 + sent**-2), strict=True):
        grid, echo = point_echo(device, float(z_mm))
        assert half_width(echo[echo.max(axis=1).argmax()], grid.width_mm / grid.columns) == pytest.approx(
            expected, rel=0.05
        )


def test_side_lobes_lie_at_their_level():
    device = bench(sidelobe_db=-30)
    grid, echo = point_echo(device, 20.0)
    across = echo[echo.max(axis=1).argmax()]
    sigma = 1.21 * C / 8 * 2.5 / 2.355
    outside = across[np.argmin(np.abs(grid.x_mm - 0.07 - 4 * sigma))] / across.max()
    assert 20 * np.log10(outside) == pytest.approx(-30 - 0.5 * (4 / 5) ** 2 * 8.686, abs=0.6)


def test_speckle_correlates_over_root_two_of_the_point_spread():
    """The autocorrelation of filtered white noise is that of the filter; a Gaussian's is wider by sqrt(2)."""
    device = bench()
    medium = even(device)
    signal = analytic_signal(medium, device)[30:-30, 8:-8]
    grid = medium.grid
    across = [np.abs(np.mean(signal[:, k:] * signal[:, : signal.shape[1] - k].conj())) for k in range(12)]
    along = [np.abs(np.mean(signal[k:] * signal[: signal.shape[0] - k].conj())) for k in range(30)]
    for values, step, width in (
        (across, grid.width_mm / grid.columns, 1.21 * C / 8 * 2.5),
        (along, grid.depth_mm / grid.rows, 0.4413 * C / 3.2),
    ):
        both = np.array([*values[:0:-1], *values])
        assert half_width(both, step) == pytest.approx(np.sqrt(2) * width, rel=0.06)


@pytest.mark.parametrize("depth_mm", [20.0, 28.0])
def test_planes_decorrelate_with_their_distance_as_the_slice_is_thick(depth_mm):
    """exp(-d^2 / 4 s^2), s of the two-way Gaussian slice (Chen et al., Ultrasound Med. Biol. 23:1997)."""
    device = bench()
    one_way = np.hypot(1.21 * C / 8 * 20 / 4, 4 * (1 - depth_mm / 20))
    sigma = one_way / np.sqrt(2) / 2.355
    assert 2.2 * sigma < 1.5
    first = analytic_signal(even(device), device)
    rows = np.abs(even(device).grid.z_mm - depth_mm) < 1.5
    for distance in (0.3, 0.6, 1.0):
        other = analytic_signal(even(device, elevation_mm=distance), device)
        a, b = first[rows], other[rows]
        found = np.abs(np.vdot(a, b)) / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real)
        assert found == pytest.approx(np.exp(-(distance**2) / (4 * sigma**2)), abs=0.06)


def test_points_of_one_strength_for_each_twentieth_of_a_cubic_millimetre_scatter_like_the_gland():
    device = bench(footprint_mm=20, lines=140)
    medium = even(device, 26)
    random = np.random.default_rng(3)
    count = 20 * 8 * 4 * 20  # 8 mm around the focus, 4 mm thick, one in 0.05 mm3
    points = np.stack(
        [random.uniform(-10, 10, count), random.uniform(16, 24, count), random.uniform(-2, 2, count), np.ones(count)], 1
    )
    medium = replace(medium, backscatter=medium.backscatter * 0, points=points.astype(np.float32))
    signal = analytic_signal(medium, device)[np.abs(medium.grid.z_mm - 20) < 3, 20:-20]
    assert decibels(np.mean(np.abs(signal) ** 2)) == pytest.approx(0.0, abs=0.4)


def test_a_broad_even_reflector_shows_with_the_amplitude_given():
    device = bench(sidelobe_db=-30)
    medium = even(device, 20)
    medium = replace(medium, backscatter=medium.backscatter * 0, specular=medium.specular + 5)
    assert np.abs(analytic_signal(medium, device))[100:-100, 60:-60] == pytest.approx(5.0, rel=0.02)


def test_a_late_echo_follows_at_its_depth_and_level():
    device = bench(reverberation_db=-30.0, reverberation_mm=4.0)
    grid, echo = point_echo(device, 18.0)
    beam = echo[:, echo.max(axis=0).argmax()]
    late = beam[grid.z_mm > 20].max()
    assert 20 * np.log10(late / beam.max()) == pytest.approx(-30, abs=0.3)
    assert grid.z_mm[grid.z_mm > 20][beam[grid.z_mm > 20].argmax()] == pytest.approx(22, abs=0.05)


def test_clutter_lies_at_its_level_below_the_surroundings_of_a_cyst_and_leaves_speckle_rayleigh():
    """Beside 2 mm of fluid, the surroundings within 1.6 mm (standard deviation) are hardly weaker than the tissue."""
    device = bench(clutter_db=-20.0)
    medium = even(device)
    cyst = np.abs(medium.grid.z_mm - 20) < 0.75
    medium.backscatter[cyst] = 0
    power = np.abs(analytic_signal(medium, device)) ** 2
    middle = np.abs(medium.grid.z_mm - 20) < 0.35
    # The share of tissue in a Gaussian about 0.8 mm higher: 1 minus that of the 1.5 mm of fluid.
    share = 1 - (scipy.stats.norm.cdf(1.55 / 1.6) - scipy.stats.norm.cdf(0.05 / 1.6))
    assert decibels(power[middle].mean() / power[~cyst].mean()) == pytest.approx(-20 + decibels(share), abs=0.7)
    assert snr(np.abs(analytic_signal(even(device), device))[40:-40, 10:-10]) == pytest.approx(1.913, abs=0.05)


# Contrast, attenuation, gain


def test_a_lesion_shows_the_contrast_it_was_given():
    device = bench()
    medium = even(device)
    x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
    away = np.hypot(x, z - 20)
    lesion = np.where(away < 8, np.float32(10 ** (-8 / 20)), np.float32(1))
    power = np.abs(analytic_signal(replace(medium, backscatter=lesion), device)) ** 2
    assert decibels(power[away < 7].mean() / power[(away > 9) & (z > 5) & (z < 35)].mean()) == pytest.approx(
        -8, abs=0.5
    )


def test_echoes_fade_by_twice_attenuation_times_frequency():
    """A narrow band keeps its frequency: 2 alpha f dB / cm."""
    device = bench(bandwidth=0.1)
    medium = even(device, attenuation=0.6)
    power = 10 * np.log10(np.mean(np.abs(analytic_signal(medium, device)) ** 2, axis=1))
    slope = np.polyfit(medium.grid.z_mm[100:-100] / 10, power[100:-100], 1)[0]
    assert slope == pytest.approx(-2 * 0.6 * 8, rel=0.04)


def test_attenuation_lowers_the_centre_frequency_of_a_gaussian_pulse():
    """By s^2 times the two-way attenuation in nepers / MHz (Kuc, IEEE Trans. Acoust. Speech 32:1, 1984)."""
    device = bench(bandwidth=0.6)
    medium = even(device, attenuation=0.7)
    rf = radio_frequency(medium, device)
    step = medium.grid.depth_mm / medium.grid.rows
    s = 0.6 * 8 / 2.355
    for depth in (10.0, 20.0, 30.0):
        part = rf[np.abs(medium.grid.z_mm - depth) < 2]
        spectrum = (np.abs(np.fft.rfft(part * np.hanning(len(part))[:, None], axis=0)) ** 2).mean(axis=1)
        frequency = np.fft.rfftfreq(len(part), step) * C / 2
        expected = 8 - s**2 * 2 * 0.7 * depth / 10 / 8.686
        assert np.average(frequency, weights=spectrum) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize(("attenuation", "expected"), [(4.0, -2 * 0.3 * (4.0 - 0.5) * 8), (0.0, 2 * 0.3 * 0.5 * 8)])
def test_behind_an_attenuator_lies_a_shadow_and_behind_fluid_an_enhancement(attenuation, expected):
    """Of 2 (alpha - alpha of the tissue) f d decibels, d = 3 mm."""
    device = bench(bandwidth=0.1, transmit_f=6)
    medium = even(device, attenuation=0.5)
    x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
    medium.attenuation[(np.abs(x) < 9) & (np.abs(z - 10) < 1.5)] = attenuation
    power = np.abs(analytic_signal(medium, device)) ** 2
    behind, beside = (np.abs(x) < 5) & (z > 14) & (z < 30), (np.abs(x) > 13) & (z > 14) & (z < 30)
    assert decibels(power[behind].mean() / power[beside].mean()) == pytest.approx(expected, abs=0.8)


def test_a_small_stone_s_shadow_fills_with_depth_and_a_large_one_s_stays():
    device = bench(transmit_f=3, bandwidth=0.2)
    left = {}
    for half in (0.7, 6.0):
        medium = even(device, attenuation=0.5)
        x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
        medium.attenuation[(np.abs(x) < half) & (np.abs(z - 8) < 1)] = 10
        power = sound(medium, device).transmitted[:, 98:102].mean(axis=1) / sound(
            even(device, attenuation=0.5), device
        ).transmitted[:, 98:102].mean(axis=1)
        left[half] = 20 * np.log10(power[np.searchsorted(medium.grid.z_mm, [10, 30])])
    assert left[0.7][1] > left[0.7][0] + 6
    assert left[6.0] == pytest.approx(left[6.0][0], abs=2)
    assert left[6.0][0] < -20


def test_time_gain_compensation_flattens_the_tissue_it_was_set_for():
    device = bench(bandwidth=0.5, compensation_db_cm_mhz=0.6)
    pixels = form_picture(even(device, attenuation=0.6), device).pixels[10:-10]
    rows = pixels.mean(axis=1) * 60 / 255  # dB: the bench's display is linear over 60
    assert abs(np.polyfit(np.linspace(0, 4, len(rows)), rows, 1)[0]) < 0.15
    over = form_picture(even(device, attenuation=0.4), device).pixels[10:-10].mean(axis=1)
    assert over[-40:].mean() > over[:40].mean() + 20


def test_noise_belongs_to_its_seed_and_grows_with_the_gain_over_depth():
    device = bench(noise_db=-50, compensation_db_cm_mhz=0.5, headroom_db=20)
    fluid = even(device, attenuation=0.5)
    fluid = replace(fluid, backscatter=fluid.backscatter * 0)
    first, again, other = (form_picture(fluid, device, noise_seed=seed).pixels for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[:80].mean() < 1 < 10 < first[-40:].mean()


def test_steered_looks_fill_a_shadow_sooner():
    left = {}
    for degrees in (0.0, 8.0):
        device = bench(transmit_f=6, bandwidth=0.2, looks=3, steering_degrees=degrees)
        medium = even(device, attenuation=0.5)
        x, z = np.meshgrid(medium.grid.x_mm, medium.grid.z_mm)
        medium.attenuation[(np.abs(x) < 1.0) & (np.abs(z - 8) < 1)] = 10
        left[degrees] = sound(medium, device).transmitted[-200, 98:102].mean()
    assert left[8.0] > 1.5 * left[0.0]


# The picture


def test_compression_maps_the_dynamic_range_to_black_and_white():
    device = bench(dynamic_range_db=60, headroom_db=30)
    levels = np.array([[-31.0, -29, 0, 29, 31]])
    grey = compress((10 ** (levels / 20)).astype(np.float32), device)[0].astype(int)
    assert grey[0] == 0
    assert grey[-1] == 255
    assert grey[2] == pytest.approx(127, abs=1)
    assert np.all(np.diff(grey[1:4]) > 100)
    assert compress(np.ones((1, 1), np.float32), device, gain_db=30)[0, 0] == 255


@pytest.mark.parametrize("name", ["linear-12", "curved-7"])
def test_a_picture_is_the_same_bytes_every_time_with_any_number_of_threads(name):
    device = devices()[name]
    medium = even(device, 30, attenuation=0.6)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        first = form_picture(medium, device, noise_seed=5).pixels
        cv2.setNumThreads(4)
        assert np.array_equal(first, form_picture(medium, device, noise_seed=5).pixels)
    finally:
        cv2.setNumThreads(threads)
    assert first.dtype == np.uint8


def test_video_noise_has_its_strength_and_belongs_to_its_seed():
    medium = even(bench(), 20)
    clean = form_picture(medium, bench(), noise_seed=3)
    first, again, other = (form_picture(medium, bench(video_noise=4.0), noise_seed=seed).pixels for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    middle = (clean.pixels > 20) & (clean.pixels < 235)
    noise = first.astype(float) - clean.pixels
    assert noise[middle].std() == pytest.approx(np.hypot(4.0, 1 / np.sqrt(12)), rel=0.03)
    assert noise[middle].mean() == pytest.approx(0, abs=0.1)
    assert np.corrcoef(noise[middle], (other.astype(float) - clean.pixels)[middle])[0, 1] == pytest.approx(0, abs=0.03)


def test_persistence_calms_the_noise_of_a_clip_and_its_first_frame_is_the_still():
    device = bench(noise_db=-10, headroom_db=20, persistence=0.5)
    medium = even(device, 20, quality="clip")
    frames = [picture.pixels.astype(float) for picture in form_clip([medium] * 3, device, noise_seed=4)]
    assert np.array_equal(frames[0], form_picture(medium, device, noise_seed=4).pixels)
    restless = bench(noise_db=-10, headroom_db=20)
    bare = [picture.pixels.astype(float) for picture in form_clip([medium] * 3, restless, noise_seed=4)]
    assert np.std(frames[2] - frames[1]) < 0.7 * np.std(bare[2] - bare[1])


def test_a_modern_device_shows_smoother_speckle_than_a_plain_one_and_keeps_the_lesion_s_contrast():
    smooth = {}
    for device in (bench(), bench(looks=3, steering_degrees=7, smoothing=0.6, edge=0.4)):
        medium = even(device, 30)
        medium.backscatter[:, :100] *= np.float32(10 ** (-9 / 20))
        pixels = form_picture(medium, device).pixels[40:-40].astype(float) * 60 / 255
        left, right = pixels[:, 20:180], pixels[:, -180:-20]
        assert right.mean() - left.mean() == pytest.approx(9, abs=0.7)
        smooth[device.looks] = right.std()
    assert smooth[3] < 0.65 * smooth[1]
