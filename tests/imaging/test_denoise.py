"""Speckle reduction: less variance where tissue is even, edges that stay."""

import numpy as np
import pytest

from isthmus.imaging.denoise import BORDER, denoise, srad


def stepped(seed=0, looks=16.0):
    """Speckle (gamma distributed, standard deviation = mean / sqrt(looks)) over two tissues of mean 60 and 150."""
    generator = np.random.default_rng(seed)
    mean = np.repeat([60.0, 150.0], 48)[None] * np.ones((96, 1))
    return np.clip(mean * generator.gamma(looks, 1 / looks, mean.shape), 1, 255)


@pytest.mark.parametrize("method", ["median", "srad", "nlm"])
def test_variance_falls_in_even_tissue_and_the_edge_stays(method):
    # Non-local means is set for a spread of about 10 grey levels, that of display (log-compressed) speckle.
    noisy = stepped(looks=200.0 if method == "nlm" else 16.0).astype(np.uint8)[..., None]
    clean = denoise(noisy, method)
    assert clean.shape == noisy.shape
    assert clean.dtype == np.uint8
    for columns in (slice(4, 40), slice(56, 92)):
        before, after = noisy[4:92, columns].astype(float), clean[4:92, columns].astype(float)
        assert after.var() < 0.6 * before.var()
        assert abs(after.mean() - before.mean()) < 4
    profile = clean[..., 0].mean(axis=0)
    assert profile[52] - profile[43] > 0.8 * 90  # the step is 90 grey levels


def test_srad_smooths_speckle_far_more_than_it_blurs_the_edge():
    noisy = stepped(1).astype(np.float32)
    clean = srad(noisy, steps=60)
    assert clean[:, 8:40].std() < 0.5 * noisy[:, 8:40].std()
    assert clean[:, 49:52].mean() - clean[:, 44:47].mean() > 0.75 * 90


def test_srad_leaves_an_even_picture_as_it_is():
    np.testing.assert_allclose(srad(np.full((9, 9), 42.0, np.float32)), 42.0)


def test_none_changes_nothing_and_channels_are_treated_alike():
    noisy = np.repeat(stepped().astype(np.uint8)[..., None], 3, axis=2)
    assert denoise(noisy, "none") is noisy
    clean = denoise(noisy, "median")
    np.testing.assert_array_equal(clean[..., 0], clean[..., 2])


@pytest.mark.parametrize("method", ["median", "nlm"])
def test_pixels_further_away_than_the_border_do_not_matter(method):
    one = stepped().astype(np.uint8)[..., None]
    other = one.copy()
    other[:, : 48 - BORDER] = 255
    np.testing.assert_array_equal(denoise(one, method)[:, 48:], denoise(other, method)[:, 48:])
