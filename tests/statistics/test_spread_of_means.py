"""How much narrower means spread: against the deviations of made scores, whose components are known."""

import numpy as np
import pytest

from isthmus.statistics.spread_of_means import LEAST, Agreement, agreement

CASE, BY_NETWORK, PICTURE, REST = 0.3, 0.2, 0.35, 0.15
"""Variances: of a case, of case and network, of a picture, and what is left."""


def made(cases: int, networks: int, views: int, seed: int = 0) -> np.ndarray:
    """Return scores [networks, cases, views] of variance 1 that are the sum of these components."""
    rng = np.random.default_rng(seed)
    shapes = {CASE: (1, cases, 1), BY_NETWORK: (networks, cases, 1), PICTURE: (1, cases, views)}
    parts = [np.sqrt(variance) * rng.normal(size=shape) for variance, shape in shapes.items()]
    return np.asarray(sum(parts) + np.sqrt(REST) * rng.normal(size=(networks, cases, views)))


KNOWN = Agreement(networks=CASE + PICTURE, views=CASE + BY_NETWORK, both=CASE)


@pytest.mark.parametrize(("networks", "views"), [(1, 1), (5, 1), (1, 6), (5, 6), (2, 3)])
def test_a_mean_spreads_as_means_of_made_scores_do(networks: int, views: int) -> None:
    expected = np.sqrt(CASE + BY_NETWORK / networks + PICTURE / views + REST / (networks * views))
    assert KNOWN.spread(networks, views) == pytest.approx(expected)
    means = made(20_000, networks, views).mean(axis=(0, 2))
    assert means.std() == pytest.approx(expected, rel=0.02)


def test_the_correlations_of_made_scores_are_found() -> None:
    scores = made(4000, 2, 3)
    found = agreement(list(scores[0]), list(zip(scores[0], scores[1], strict=True)))
    assert found.networks == pytest.approx(KNOWN.networks, abs=0.03)
    assert found.views == pytest.approx(KNOWN.views, abs=0.03)
    assert found.both == pytest.approx(KNOWN.both, abs=0.03)


def test_of_single_pictures_it_is_the_correlation_of_numpy() -> None:
    scores = made(40, 2, 1)
    found = agreement(list(scores[0]), list(zip(scores[0], scores[1], strict=True)))
    assert found.networks == pytest.approx(np.corrcoef(scores[0, :, 0], scores[1, :, 0])[0, 1])
    assert found.views is None
    assert found.both is None


def test_what_too_few_cases_say_makes_nothing_narrower() -> None:
    scores = made(LEAST - 1, 2, 4)
    found = agreement(list(scores[0]), list(zip(scores[0], scores[1], strict=True)))
    assert found == Agreement()
    np.testing.assert_allclose(found.spread(5, [1, 4]), 1)
    # One of the two is enough to say what it says.
    np.testing.assert_allclose(Agreement(views=0.5).spread(5, [1, 4]), Agreement(views=0.5).spread(1, [1, 4]))


def test_scores_that_never_differ_make_nothing_narrower() -> None:
    flat = [np.ones(3)] * LEAST
    assert agreement(flat, list(zip(flat, flat, strict=True))) == Agreement(1.0, 1.0, 1.0)


def test_correlations_that_cannot_stand_together_are_moved_to_what_variances_can_be() -> None:
    assert Agreement(networks=0.9, views=0.9, both=0.0).spread(5, 6) == pytest.approx(
        Agreement(networks=0.9, views=0.9, both=0.8).spread(5, 6)
    )
