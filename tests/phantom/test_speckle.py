import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter1d

from isthmus.phantom import speckle

RANDOM = np.random.default_rng(4)


def test_rayleigh_speckle_has_a_signal_to_noise_of_1_91_and_m_of_one() -> None:
    # Burckhardt 1978: 1.91; the Rayleigh law is Nakagami's with m = 1.
    envelope = stats.rayleigh.rvs(size=200_000, random_state=RANDOM)
    assert pytest.approx(1.9131, abs=1e-4) == speckle.RAYLEIGH_SNR
    assert speckle.signal_to_noise(envelope) == pytest.approx(1.913, abs=0.01)
    assert speckle.nakagami_by_moments(envelope) == pytest.approx(1, abs=0.01)
    assert speckle.nakagami_by_likelihood(envelope) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("m", [0.5, 0.8, 1.0, 2.0, 6.0])
def test_both_estimators_find_the_nakagami_parameter_that_was_set(m: float) -> None:
    envelope = stats.nakagami.rvs(m, scale=3.0, size=200_000, random_state=RANDOM)
    assert speckle.nakagami_by_moments(envelope) == pytest.approx(m, rel=0.03)
    assert speckle.nakagami_by_likelihood(envelope) == pytest.approx(m, rel=0.02)


def test_maximum_likelihood_is_that_of_scipys_gamma_law_of_power() -> None:
    envelope = stats.nakagami.rvs(1.3, scale=0.2, size=500, random_state=RANDOM)
    shape = stats.gamma.fit(envelope**2, floc=0)[0]
    assert speckle.nakagami_by_likelihood(envelope) == pytest.approx(shape, rel=1e-4)


def test_log_compression_and_its_inverse_leave_speckle_as_it_was() -> None:
    envelope = stats.rayleigh.rvs(size=100_000, random_state=RANDOM)
    shown = 255 * (1 + 20 * np.log10(envelope / envelope.max()) / 65)
    restored = speckle.decompressed(shown[shown > 0], 65)
    assert speckle.signal_to_noise(restored) == pytest.approx(1.913, abs=0.02)


def test_a_slope_of_gain_is_taken_off_and_the_mean_stays() -> None:
    y, x = np.indices((20, 30))
    noise = RANDOM.normal(size=(20, 30))
    flat = speckle.without_trend(100 + 2 * y - 0.7 * x + noise)
    assert flat.mean() == pytest.approx((100 + 2 * y - 0.7 * x + noise).mean())
    assert flat.std() == pytest.approx(noise.std(), rel=0.02)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_width_of_smoothed_noise_is_that_of_the_squared_kernel(axis: int) -> None:
    # White noise through a Gaussian of standard deviation s: autocovariance exp(-lag^2 / (4 s^2)), FWHM 4 s sqrt(ln 2).
    smooth = gaussian_filter1d(RANDOM.normal(size=(400, 400)), 2.0, axis=axis)
    assert speckle.autocorrelation_width(smooth, axis) == pytest.approx(8 * np.sqrt(np.log(2)), rel=0.03)
    assert speckle.autocorrelation_width(smooth, 1 - axis) == pytest.approx(1, abs=0.05)


def test_haralicks_example_has_his_matrices() -> None:
    # Haralick, Shanmugam and Dinstein 1973, figure 3: the 4 x 4 picture and its horizontal and vertical matrices.
    picture = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]])
    across = np.array([[4, 2, 1, 0], [2, 4, 0, 0], [1, 0, 6, 1], [0, 0, 1, 2]])
    down = np.array([[6, 0, 2, 0], [0, 4, 2, 0], [2, 2, 2, 2], [0, 0, 2, 0]])
    assert (24 * speckle.cooccurrence(picture, (0, 1), 4)).tolist() == pytest.approx(across)
    assert (24 * speckle.cooccurrence(picture, (1, 0), 4)).tolist() == pytest.approx(down)


# skimage 0.26: graycomatrix([1], [angle], levels=8, symmetric=True, normed=True) of the picture below, and graycoprops.
SKIMAGE = {
    (0, 1): [9.58157894736842, 0.41431174089068823, 0.20535591696266983, 0.07683017760066456, 3.172262564281934],
    (1, 0): [9.68421052631579, 0.3181424148606811, 0.2045365005455057, 0.06613455569267918, 3.176039278431119],
    (1, 1): [8.614958448753463, 0.3526420603428915, 0.1899174308360619, 0.16887272102739956, 3.3859806240365815],
    (1, -1): [15.376731301939056, 0.07715496170767475, 0.33938322911556695, -0.48707673664178075, 2.2514358927315525],
}


@pytest.mark.parametrize("offset", list(SKIMAGE))
def test_texture_equals_scikit_image(offset: tuple[int, int]) -> None:
    picture = (np.arange(400).reshape(20, 20) * 37) % 101 % 8
    found = speckle.texture(speckle.cooccurrence(picture, offset, 8))
    assert list(found.values()) == pytest.approx(SKIMAGE[offset], rel=1e-12)
    assert list(found) == ["contrast", "homogeneity", "energy", "correlation", "entropy"]


def test_a_patch_without_spread_has_no_statistics_but_a_texture() -> None:
    flat = np.full((8, 8), 3)
    for statistic in (speckle.signal_to_noise, speckle.nakagami_by_moments, speckle.nakagami_by_likelihood):
        assert np.isnan(statistic(flat))
    assert np.isnan(speckle.autocorrelation_width(flat, 0))
    assert speckle.texture(speckle.cooccurrence(flat, (0, 1), 4)) == {
        "contrast": 0.0, "homogeneity": 1.0, "energy": 1.0, "correlation": 1.0, "entropy": 0.0,
    }  # fmt: skip


def test_a_patch_that_stays_alike_has_no_width_within_it() -> None:
    wave = np.tile(np.sin(np.arange(16) / 16), (16, 1))
    assert np.isnan(speckle.autocorrelation_width(wave, 0))
