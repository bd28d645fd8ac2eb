"""Regions proposed: where, how sure, by whom. The reference is the discs' own masks, computed from their equations."""

import numpy as np
import pytest

from isthmus.errors import BundleError, PictureError
from isthmus.imaging.clip import Clip
from isthmus.inference.localiser import load_localiser, picture_key
from isthmus.inference.proposal import proposal_of
from tests.inference.discs import REGION, Blind, Dark, dark_localiser, disc_picture


def clip_of(pixels: np.ndarray, **facts: object) -> Clip:
    return Clip(frames=pixels[None, ..., None], scan_area=facts.pop("scan_area", REGION), **facts)


def test_the_proposed_outline_lies_on_the_disc_in_source_pixels() -> None:
    pixels, mask = disc_picture(0, (60, 50, 18))
    found = dark_localiser().propose(clip_of(pixels))
    assert found is not None
    assert (found.mask & mask).sum() / (found.mask | mask).sum() > 0.9
    assert np.abs(np.array(found.box) - [42, 32, 79, 69]).max() <= 2
    assert 0.9 < found.confidence <= 1
    assert found.agreement > 0.99
    assert found.parts == (0, 1)


def test_nothing_outside_the_scan_area_is_proposed() -> None:
    pixels, _ = disc_picture(0, (60, 50, 14))
    pixels[:, 122:] = 30  # darker than the disc's surroundings, but not ultrasound
    found = dark_localiser().propose(clip_of(pixels, scan_area=(8, 4, 110, 92)))
    assert found is not None
    assert found.box[2] <= 110
    assert not found.mask[:, 110:].any()


def test_of_several_regions_the_largest_confident_one_is_proposed_and_the_others_are_counted() -> None:
    pixels, mask = disc_picture(1, (80, 50, 20), (30, 30, 9))
    found = dark_localiser().propose(clip_of(pixels))
    assert found is not None
    assert (found.mask & mask).sum() / mask.sum() > 0.9
    assert found.others == 1


def test_both_panels_of_a_double_picture_are_read() -> None:
    left, _ = disc_picture(2, (50, 50, 8))
    right, mask = disc_picture(3, (70, 40, 20))
    pixels = np.concatenate([left, right], axis=1)
    panels = ((0.0, 0.0, 128.0, 96.0), (128.0, 0.0, 256.0, 96.0))
    found = dark_localiser().propose(clip_of(pixels, scan_area=(0.0, 0.0, 256.0, 96.0), panels=panels))
    assert found is not None
    assert (found.mask[:, 128:] & mask).sum() / mask.sum() > 0.9
    assert found.others == 1


def test_below_the_frozen_confidence_and_where_nothing_is_seen_the_region_is_not_found() -> None:
    pixels, _ = disc_picture(0, (60, 50, 18))
    assert dark_localiser(least=0.9999).propose(clip_of(pixels)) is None
    assert dark_localiser(Blind(), Blind()).propose(clip_of(pixels)) is None
    # One of two parts sees it: the mean probability of its pixels is about a half, and the parts disagree.
    half = dark_localiser(Dark(), Blind(), least=0.0).propose(clip_of(pixels))
    assert half is None or (half.confidence < 0.6 and half.agreement < 0.8)


def test_a_part_never_reads_what_it_has_seen() -> None:
    pixels, _ = disc_picture(0, (60, 50, 18))
    key = picture_key(pixels[..., None])
    localiser = dark_localiser(Dark(), Blind(), seen={key: 1, "another": 0})
    assert localiser.parts_for([key]) == [1]
    assert localiser.parts_for(["new"]) == [0, 1]
    assert localiser.parts_for(["new", "another"]) == [0]
    assert localiser.parts_for([key, "another"]) == []
    # Part 1 held this picture out and is blind: the part that saw it would have found the disc.
    assert localiser.propose(clip_of(pixels)) is None
    assert localiser.propose(clip_of(pixels), parts=[0]) is not None


def test_a_picture_is_known_again_in_colour_and_a_changed_one_is_not() -> None:
    pixels, _ = disc_picture(0, (60, 50, 18))
    assert picture_key(pixels[..., None]) == picture_key(np.repeat(pixels[..., None], 3, axis=2))
    other = pixels.copy()
    other[0, 0] += 1
    assert picture_key(other[..., None]) != picture_key(pixels[..., None])


def test_a_clip_of_several_frames_is_refused() -> None:
    frames = np.full((2, 64, 64, 1), 100, np.uint8)
    with pytest.raises(PictureError, match="2 frames"):
        dark_localiser().propose(Clip(frames=frames))


def test_a_component_has_no_holes_and_specks_are_none() -> None:
    readings = np.zeros((2, 60, 80), np.float32)
    readings[:, 10:40, 10:50] = 0.9
    readings[:, 20:25, 20:25] = 0.1
    readings[:, 50, 70] = 1.0
    found = proposal_of(readings, (0.0, 0.0, 80.0, 60.0), (0,))
    assert found is not None
    proposal, mass = found
    assert proposal.mask.sum() == 30 * 40
    assert proposal.box == (10.0, 10.0, 50.0, 40.0)
    assert proposal.others == 0
    # By hand: 1200 pixels, 25 of them at 0.1.
    assert proposal.confidence == pytest.approx((1175 * 0.9 + 25 * 0.1) / 1200, abs=1e-6)
    assert mass == pytest.approx(1175 * 0.9, rel=1e-6)
    speck = np.where(readings == 1.0, readings, 0)
    assert proposal_of(speck, (0.0, 0.0, 80.0, 60.0), (0,)) is None


def test_a_folder_that_is_no_localiser_is_refused(tmp_path) -> None:
    with pytest.raises(BundleError, match="this is no localiser"):
        load_localiser(tmp_path)
