"""The parts of a picture around an outline."""

import numpy as np

from isthmus.imaging.lesion_regions import REGIONS, regions_of
from tests.perfused_clips import SIDE, disc


def test_ring_core_and_tissue_lie_around_the_outline():
    lesion = disc(radius=20.0)
    regions = regions_of(lesion)
    assert set(regions) == set(REGIONS)
    distance = np.hypot(*(np.indices(lesion.shape) + 0.5 - SIDE / 2))
    assert (regions["core"] <= (distance < 18.5)).all()
    assert (regions["ring"] <= ((distance > 15.5) & (distance < 24.5))).all()
    assert (regions["tissue"] <= ((distance > 21.5) & (distance < 36.5))).all()
    assert not (regions["ring"] & (regions["core"] | regions["tissue"])).any()


def test_an_outline_cut_by_the_pictures_rim_has_no_ring_along_the_rim():
    lesion = disc(x=0.0, radius=20.0)
    regions = regions_of(lesion)
    assert regions["core"][SIDE // 2, 0]
    assert not regions["ring"][SIDE // 2, 0]
