import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.inference.batch import centre
from isthmus.training import augment
from isthmus.training.settings import AUGMENTATIONS


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count=6, frames=1, size=20, channels=1):
    return torch.randint(0, 256, (count, frames, size, size, channels), generator=generator(), dtype=torch.uint8)


@pytest.mark.parametrize(("size", "crop"), [(20, 20), (20, 16), (21, 16), (20, 15)])
def test_without_augmentation_the_result_is_the_centre_crop_that_prediction_takes(size, crop):
    pixels = noise(size=size)
    result = augment.apply(pixels, augment.draw([], 6, size, crop, generator()), crop)
    assert torch.equal(result[:, 0], centre(pixels[:, 0], crop))


def test_flips_mirror_exactly_and_about_half_of_the_views():
    pixels = noise(count=200)
    result = augment.apply(pixels, augment.draw(["flip"], 200, 20, 20, generator()), 20)
    mirrored = [torch.equal(after, before.flip(2)) for after, before in zip(result, pixels, strict=True)]
    kept = [torch.equal(after, before) for after, before in zip(result, pixels, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 70 < sum(mirrored) < 130  # 200 fair draws: outside with probability 2e-5


def test_vertical_flip_mirrors_top_to_bottom():
    pixels = noise(count=20)
    result = augment.apply(pixels, augment.draw(["vertical_flip"], 20, 20, 20, generator()), 20)
    assert all(
        torch.equal(after, before) or torch.equal(after, before.flip(1))
        for after, before in zip(result, pixels, strict=True)
    )
    assert not torch.equal(result, pixels)


def test_a_crop_copies_grey_values_from_every_place_it_may_lie():
    size, crop = 6, 4
    pixels = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6, 1).repeat(300, 1, 1, 1, 1)
    result = augment.apply(pixels, augment.draw(["crop"], 300, size, crop, generator()), crop)
    corners = result[:, 0, 0, 0, 0].tolist()
    assert set(corners) == {6 * top + left for top in range(3) for left in range(3)}
    for corner, window in zip(corners, result[:, 0, :, :, 0], strict=True):
        top, left = divmod(corner, 6)
        assert torch.equal(window, pixels[0, 0, top : top + 4, left : left + 4, 0])


def test_rotation_and_scale_stay_within_what_is_said():
    matrices = augment.draw(["rotate", "scale"], 500, 20, 20, generator()).matrices[:, :, :2]
    zoom = torch.linalg.det(matrices).sqrt()
    angle = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).abs() * 180 / math.pi
    assert 1 / 1.1 - 1e-5 <= zoom.min() < 0.93
    assert 1.07 < zoom.max() <= 1.1 + 1e-5
    assert 13 < angle.max() <= 15 + 1e-4


def test_a_quarter_turn_of_the_matrix_turns_the_picture():
    # The matrix leads from the result to the source: (x, y) -> (-y, x) is numpy's rot90 of the picture, once.
    transforms = augment.Transforms(torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]), torch.ones(1))
    pixels = noise(count=1)
    result = augment.apply(pixels, transforms, 20)[0, 0, :, :, 0].numpy()
    assert np.array_equal(result, np.rot90(pixels[0, 0, :, :, 0].numpy(), k=1))


def test_gain_multiplies_and_leaves_painted_black_black():
    pixels = torch.full((50, 1, 8, 8, 1), 100, dtype=torch.uint8)
    pixels[:, :, :4] = 0
    transforms = augment.draw(["gain"], 50, 8, 8, generator())
    result = augment.apply(pixels, transforms, 8)
    assert (result[:, :, :4] == 0).all()
    assert torch.equal(result[:, 0, 6, 6, 0], (100 * transforms.gains).round().to(torch.uint8))
    assert 80 <= int(result[:, :, 4:].min()) < 85
    assert 119 < int(result.max()) <= 125


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(sorted(AUGMENTATIONS))), st.integers(0, 2**32))
def test_masks_go_where_the_pixels_go(names, seed):
    # A white disc as picture and as mask: wherever the disc is drawn, more than half white is inside the mask.
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    disc = ((y - 13) ** 2 + (x - 18) ** 2 < 40).expand(4, 1, 32, 32)
    pixels = (disc.unsqueeze(-1) * 200).to(torch.uint8)
    transforms = augment.draw(sorted(names - {"gain", "gamma"}), 4, 32, 28, generator(seed))
    moved = augment.apply(pixels, transforms, 28)[..., 0]
    masks = augment.apply_to_masks(disc, transforms, 28)
    assert masks.dtype == torch.bool
    assert torch.equal(masks, moved > 100) or int((masks ^ (moved > 100)).sum()) <= 4  # 100.4 rounds to 100
    assert masks.any()


def test_all_frames_and_channels_of_a_clip_are_changed_alike():
    pixels = noise(count=3, size=24)[:, :, :, :, :].expand(3, 5, 24, 24, 3)
    result = augment.apply(pixels, augment.draw(list(AUGMENTATIONS), 3, 24, 20, generator()), 20)
    assert result.shape == (3, 5, 20, 20, 3)
    assert torch.equal(result, result[:, :1, :, :, :1].expand_as(result))
    assert not torch.equal(result[0], result[1])


def test_naming_one_more_augmentation_leaves_the_others_as_they_were():
    few = augment.draw(["flip", "crop"], 40, 20, 16, generator())
    more = augment.draw(["flip", "crop", "gain"], 40, 20, 16, generator())
    assert torch.equal(few.matrices, more.matrices)
    assert not torch.equal(few.gains, more.gains)


def test_a_shift_moves_by_up_to_a_tenth_of_the_side_and_turns_nothing():
    matrices = augment.draw(["translate"], 500, 20, 20, generator()).matrices
    assert torch.equal(matrices[:, :, :2], torch.eye(2).expand(500, 2, 2))
    for axis in (0, 1):
        moves = matrices[:, axis, 2]
        assert -2.0 <= moves.min() < -1.9
        assert 1.9 < moves.max() <= 2.0
    assert abs(float(torch.corrcoef(matrices[:, :, 2].T)[0, 1])) < 0.15  # the axes are drawn apart


def test_a_shift_brings_in_black():
    transforms = augment.Transforms(torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]]), torch.ones(1))
    pixels = noise(count=1)
    result = augment.apply(pixels, transforms, 20)
    assert torch.equal(result[:, :, :, :-2], pixels[:, :, :, 2:])
    assert (result[:, :, :, -2:] == 0).all()


def test_gamma_bends_the_grey_values_between_black_and_white():
    pixels = torch.tensor([0, 64, 128, 255], dtype=torch.uint8).view(1, 1, 2, 2, 1).expand(80, 1, 2, 2, 1)
    transforms = augment.draw(["gamma"], 80, 2, 2, generator())
    result = augment.apply(pixels, transforms, 2).view(80, 4)
    assert (result[:, 0] == 0).all()
    assert (result[:, 3] == 255).all()
    expected = np.round(255 * (np.array([64, 128]) / 255) ** transforms.gammas.numpy()[:, None])
    assert np.abs(result[:, 1:3].numpy() - expected).max() <= 1
    assert 0.8 <= transforms.gammas.min() < 0.83
    assert 1.2 < transforms.gammas.max() <= 1.25


def test_about_half_of_the_clips_are_played_backwards_and_nothing_else_changes():
    pixels = noise(count=200, frames=3, size=8)
    result = augment.apply(pixels, augment.draw(["reverse"], 200, 8, 8, generator()), 8)
    turned = [torch.equal(after, before.flip(0)) for after, before in zip(result, pixels, strict=True)]
    kept = [torch.equal(after, before) for after, before in zip(result, pixels, strict=True)]
    assert all(one != other for one, other in zip(turned, kept, strict=True))
    assert 70 < sum(turned) < 130
    still = noise(count=50, size=8)
    assert torch.equal(augment.apply(still, augment.draw(["reverse"], 50, 8, 8, generator()), 8), still)


@pytest.mark.parametrize("names", [["rotate", "reverse"], ["flip", "reverse"]])
def test_a_mask_is_played_backwards_with_its_clip(names):
    # Each frame is a bright square on black, in another place; the mask is the square.
    pixels = torch.zeros(40, 4, 24, 24, 1, dtype=torch.uint8)
    for frame in range(4):
        pixels[:, frame, 8:14, 3 + 4 * frame : 9 + 4 * frame] = 200
    transforms = augment.draw(names, 40, 24, 24, generator())
    moved = augment.apply(pixels, transforms, 24)[..., 0]
    masks = augment.apply_to_masks(pixels[..., 0] > 0, transforms, 24)
    assert int((masks ^ (moved > 100)).sum()) <= 16  # of 160 squares' edges
    firsts = (moved[:, 0].float().sum(1) * torch.arange(24)).sum(1) > (
        moved[:, 3].float().sum(1) * torch.arange(24)
    ).sum(1)
    assert 8 < int((firsts ^ (transforms.matrices[:, 0, 0] < 0)).sum()) < 32


KEEPING = ["flip", "vertical_flip", "crop", "translate", "reverse"]


@pytest.mark.parametrize(("size", "crop"), [(28, 24), (27, 24), (24, 24)])
def test_a_planted_speck_keeps_its_brightness_and_goes_where_the_matrix_says(size, crop):
    generator_of_places = np.random.default_rng(0)
    pixels = torch.full((60, 3, size, size, 1), 40, dtype=torch.uint8)
    places = generator_of_places.integers(8, size - 8, (60, 2))
    for view, (y, x) in enumerate(places):
        pixels[view, 1, y, x] = 251
    transforms = augment.draw([*KEEPING, "gain", "gamma"], 60, size, crop, generator())
    result = augment.apply(pixels, transforms, crop)
    grey = 255 * (251 / 255) ** transforms.gammas.numpy() * transforms.gains.numpy()
    for view, (y, x) in enumerate(places):
        found = np.argwhere(result[view, 1, :, :, 0].numpy() == result[view].max().item())
        assert len(found) == 1
        assert abs(result[view].max().item() - min(255, round(grey[view]))) <= 1
        # The matrix leads from the result to the source, both measured from their middles.
        back = transforms.matrices[view].numpy() @ [*(found[0][::-1] - (crop - 1) / 2), 1.0]
        assert back + (size - 1) / 2 == pytest.approx([x, y])


@pytest.mark.parametrize(("size", "crop"), [(28, 24), (27, 24), (24, 24), (20, 15)])
def test_copied_pixels_are_those_that_resampling_gives(size, crop):
    pixels = noise(count=80, frames=2, size=size)
    transforms = augment.draw(["flip", "vertical_flip", "crop", "translate", "reverse"], 80, size, crop, generator())
    copied = augment.apply(pixels, transforms, crop)
    # A turn of nothing worth speaking of: the matrices are no longer whole, and the same pixels are resampled.
    turned = transforms._replace(matrices=transforms.matrices + 1e-7 * torch.eye(2, 3).flip(1))
    resampled = augment.apply(pixels, turned, crop)
    assert torch.equal(copied, resampled)
    masks = pixels[..., 0] > 100
    assert torch.equal(augment.apply_to_masks(masks, transforms, crop), augment.apply_to_masks(masks, turned, crop))


def test_kinds_added_later_leave_what_the_first_ones_draw():
    few = augment.draw(["flip", "rotate", "crop", "gain"], 40, 20, 16, generator())
    more = augment.draw(["flip", "rotate", "crop", "gain", "gamma"], 40, 20, 16, generator())
    assert torch.equal(few.matrices, more.matrices)
    assert torch.equal(few.gains, more.gains)
    # The first seven rows of the generator, as before shifts and gamma were there.
    mirrored = torch.rand(7, 40, generator=generator())[0] < 0.5
    flips = augment.draw(["flip", "translate", "reverse"], 40, 20, 20, generator()).matrices[:, 0, 0]
    assert torch.equal(flips < 0, mirrored)
    shifts = torch.rand(10, 40, generator=generator())
    assert not torch.equal(shifts[7], shifts[8])
