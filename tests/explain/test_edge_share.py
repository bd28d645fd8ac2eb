"""The outer half of a lesion's area: against discs and ellipses whose halves geometry knows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from isthmus.errors import InputError
from isthmus.explain.edge_share import edge_band, localise_edges, summarise_edges

SIDE = 224
CLASSES = {"0": "OLNM negative", "1": "OLNM positive"}


def radii(centre: tuple[float, float] = (111.5, 111.5)) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(y - centre[0], x - centre[1])


def edge_share(heat: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The share of maps [N, h, w], or of clips [N, T, h, w], on masks of the same size."""
    if heat.ndim == 3:
        heat, masks = heat[:, None], masks[:, None]
    return localise_edges(heat.astype(np.float32), masks, (7, 7))["heat_at_edge"]


def ring_of(share: float) -> np.ndarray:
    """Heat of a disc of radius 80 that lies outside radius 80 * sqrt(1 - share), a share of its area."""
    return (radii() >= 80 * np.sqrt(1 - share)).astype(np.float32)


@pytest.mark.parametrize("radius", [20, 50, 86])
def test_a_disc_is_cut_at_its_radius_by_the_root_of_two(radius: int) -> None:
    mask = radii() < radius
    band = edge_band(mask)
    assert band.sum() == pytest.approx(mask.sum() / 2, abs=1e-3)
    assert radii()[band > 0].min() == pytest.approx(radius / np.sqrt(2), abs=1.0)
    assert (band[radii() >= radius] == 0).all()


@pytest.mark.parametrize(
    ("heat", "expected"),
    [
        (np.ones((SIDE, SIDE), np.float32), 0.5),
        (ring_of(0.25), 1.0),
        (ring_of(0.5), 1.0),
        (ring_of(0.75), 2 / 3),
        # The integral of r over the outer half of a disc, by that over all of it: 1 - 2 ** -1.5.
        (radii(), 1 - 2**-1.5),
        # Of 1 - r / 80 likewise: 1 / 2 - (1 - 2 ** -1.5) * 2 / 3 out of 1 / 3.
        (np.maximum(1 - radii() / 80, 0), 3 * (0.5 - 2 / 3 * (1 - 2**-1.5))),
    ],
)
def test_known_maps_on_a_disc_have_their_analytic_share(heat: np.ndarray, expected: float) -> None:
    found = edge_share(heat[None], (radii() < 80)[None])
    assert found[0] == pytest.approx(expected, abs=0.012)


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, (14, 14)))
def test_any_lesion_is_halved_exactly_and_no_inner_pixel_is_taken_before_an_outer_one(mask: np.ndarray) -> None:
    band = edge_band(mask)
    if mask.sum() < 16:
        assert not band.any()
        return
    assert band.sum() == pytest.approx(mask.sum() / 2, rel=1e-5)
    assert not band[~mask].any()
    distance = np.round(distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1], 3)
    assert distance[band == 1].max(initial=0) <= distance[mask & (band < 1)].min()
    assert edge_share(np.ones((1, 14, 14)), mask[None])[0] == pytest.approx(0.5, abs=1e-6)


def test_what_lies_outside_or_speaks_against_does_not_count() -> None:
    mask, heat = radii() < 80, ring_of(0.5)
    elsewhere = heat - 3.0 * (radii() < 20) + 5.0 * (radii() > 90)
    alone = edge_share(heat[None], mask[None])
    assert alone[0] == pytest.approx(1.0, abs=0.005)
    np.testing.assert_allclose(edge_share(elsewhere[None], mask[None]), alone)


def test_without_heat_inside_or_a_lesion_there_is_no_share() -> None:
    mask = radii() < 80
    assert np.isnan(edge_share((radii() > 90)[None].astype(float), mask[None]))[0]
    assert np.isnan(edge_share(np.ones((1, SIDE, SIDE)), np.zeros((1, SIDE, SIDE), bool)))[0]
    with pytest.raises(InputError, match="a mask for each map"):
        edge_share(np.ones((1, 1, SIDE, SIDE)), np.ones((1, 2, SIDE, SIDE), bool))


def test_what_the_crop_cuts_off_does_not_move_the_edge() -> None:
    """A disc of the prepared picture's size, of which the network saw the middle: its sides are no edge."""
    mask = radii() < 112
    band = edge_band(mask, 160)
    seen = radii()[32:192, 32:192]
    assert band.sum() == pytest.approx((seen < 112).sum() / 2, abs=1e-3)
    cut = np.sqrt(np.median(seen[seen < 112] ** 2))
    assert seen[band > 0].min() == pytest.approx(cut, abs=1.0)
    assert band[80, 0] == 1
    assert edge_band(np.ones((SIDE, SIDE), bool))[0].all()


def test_a_clip_is_counted_over_its_frames_with_an_outline() -> None:
    masks = np.stack([radii() < 80, np.zeros((SIDE, SIDE), bool), radii((60, 60)) < 40])[None]
    heat = np.stack([ring_of(0.5), np.ones((SIDE, SIDE)), (radii((60, 60)) < 10).astype(float)])[None]
    ring, blob = heat[0, 0][masks[0, 0]].sum(), heat[0, 2].sum()
    assert edge_share(heat, masks)[0] == pytest.approx(ring / (ring + blob), abs=0.005)


def test_a_coarse_grid_cannot_reach_the_ends_of_the_scale() -> None:
    mask = (radii() < 86)[None, None]
    fine, coarse = (localise_edges(ring_of(0.5)[None, None], mask, grid) for grid in ((56, 56), (7, 7)))
    assert fine["edge_on_grid"][0] > 0.94
    assert fine["centre_on_grid"][0] < 0.06
    assert 0.65 < coarse["edge_on_grid"][0] < 0.8
    assert 0.12 < coarse["centre_on_grid"][0] < 0.25
    assert coarse["gaussian_at_edge"][0] < 0.4
    assert "against_at_edge" not in coarse
    against = localise_edges(ring_of(0.5)[None, None], mask, (7, 7), against=(radii() < 20)[None, None].astype(float))
    assert against["against_at_edge"][0] == 0.0


def made_rows(positive: float, negative: float, groups: int = 40, spread: float = 0.05) -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(3)
    label = np.arange(2 * groups) // 2 % 2
    # Two views a patient that agree: as clusters they count once.
    own = np.repeat(random.normal(0, spread, groups), 2)
    shares = np.where(label == 1, positive, negative) + own
    rows = pd.DataFrame(
        {
            "label": label.astype(str),
            "heat_at_edge": shares,
            "gaussian_at_edge": 0.36,
            "edge_on_grid": 0.73,
            "centre_on_grid": 0.19,
        }
    )
    return rows, [f"p{number // 2}" for number in range(2 * groups)]


def test_the_difference_of_the_classes_counts_patients_not_views() -> None:
    """statsmodels 0.15: OLS(share, class).fit(cov_type="cluster", cov_kwds={"groups": …, "use_correction": False})."""
    rows, groups = made_rows(0.56, 0.50)
    found = summarise_edges(rows, groups, CLASSES)
    assert found is not None
    difference = found["heat_at_edge"]["difference"]
    assert difference["estimate"] == pytest.approx(0.06674841696206434)
    # Its standard error, a t quantile on 19 degrees of freedom, and 20 / 19 for the patients of a side.
    half = 0.018315627234930833 * 2.093024054408263 * np.sqrt(20 / 19)
    assert difference["high"] - difference["estimate"] == pytest.approx(half, rel=1e-6)
    assert "It lay further out in OLNM positive (+0.0" in found["heat_at_edge"]["sentence"]
    own = found["heat_at_edge"]["classes"]["OLNM negative"]
    assert (own["views"], own["groups"]) == (40, 20)


@pytest.mark.parametrize(
    ("positive", "negative", "groups", "verdict"),
    [
        (0.50, 0.56, 40, "It lay further in, not out, in OLNM positive"),
        (0.50, 0.50, 40, "The classes are not told apart by it"),
        (0.70, 0.50, 12, "6 patients on a side are too few for a verdict"),
    ],
)
def test_the_verdict_follows_the_interval(positive: float, negative: float, groups: int, verdict: str) -> None:
    rows, codes = made_rows(positive, negative, groups)
    found = summarise_edges(rows, codes, CLASSES)
    assert found is not None
    assert verdict in found["heat_at_edge"]["sentence"]


def test_views_without_a_share_are_left_out_and_one_class_alone_has_no_difference() -> None:
    rows, codes = made_rows(0.6, 0.5)
    assert summarise_edges(rows.assign(heat_at_edge=np.nan), codes, CLASSES) is None
    only = rows.assign(heat_at_edge=np.where(rows["label"] == "1", rows["heat_at_edge"], np.nan))
    found = summarise_edges(only, codes, CLASSES)
    assert found is not None
    assert found["heat_at_edge"]["difference"] is None
    assert list(found["heat_at_edge"]["classes"]) == ["OLNM positive"]
