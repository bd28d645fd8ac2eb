"""Copies planted of pictures of tissue: found, named and placed; other pictures left alone.

Where a copy lies on its original is known from how it was made; the search is told none of it.
"""

import cv2
import numpy as np
import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.duplicate_features import features_of, oriented_descriptors, oriented_picture, oriented_places
from isthmus.cohort.near_duplicates import KnownPictures, compare_cohorts, find_near_duplicates

from .small import write_small_cohort


def tissue(seed, height=300, width=400):
    """Speckle over a few layers and a lesion; no two seeds share a grain."""
    generator = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(generator.rayleigh(1.0, (height, width)), (0, 0), 1.5)
    layers = 1 + 0.3 * np.sin(np.arange(height) / 17 + seed)[:, None]
    picture = 55 * grain * layers
    cv2.circle(lesion := np.ones_like(picture), (200 + 5 * (seed % 7), 150), 50, 0.5, -1)
    grey = (picture * lesion).clip(1, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def compressed(picture, quality):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def pairs_of(*pictures, sides=None):
    with KnownPictures() as known:
        for number, picture in enumerate(pictures):
            for each in features_of(picture):
                known.add(str(number), each)
        return find_near_duplicates(known, sides)


def smaller(picture, factor):
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


COPIES = {
    "mirrored": (lambda p: oriented_picture(p, 1), "mirrored"),
    "upside down": (lambda p: oriented_picture(p, 2), "upside down"),
    "turned": (lambda p: np.ascontiguousarray(np.rot90(p, -1)), "turned by 90° clockwise"),
    "JPEG 30": (lambda p: compressed(p, 30), "same extent and brightness"),
    "half size": (lambda p: compressed(smaller(p, 0.5), 90), "reduced to 50 %"),
    "darker": (lambda p: (p * 0.6).astype(np.uint8), "contrast 60 %, darker"),
    "brighter": (lambda p: np.clip(p.astype(int) + 40, 0, 255).astype(np.uint8), "brighter"),
    "cropped": (lambda p: p[40:280, 60:380], "64 % crop"),
    "all at once": (
        lambda p: compressed(smaller(oriented_picture(p, 1)[30:270, 20:340], 0.8), 50),
        "mirrored, 64 % crop, reduced to 80 %",
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_changed_copy_is_found_and_the_change_named(name):
    change, words = COPIES[name]
    original, others = tissue(0), [tissue(seed) for seed in (1, 2)]
    [pair] = pairs_of(original, *others, np.ascontiguousarray(change(original)))
    assert (pair.first, pair.second) == ("0", "3")
    assert pair.certainty == "certain"
    assert pair.words == words


def test_a_picture_cut_out_of_a_double_screen_is_found():
    screen = np.zeros((400, 900, 3), np.uint8)
    screen[50:350, 40:440], screen[50:350, 450:850] = tissue(3), tissue(4)
    cut = compressed(np.ascontiguousarray(screen[50:350, 450:850]), 70)
    [pair] = pairs_of(screen, tissue(5), cut)
    assert (pair.first, pair.second, pair.certainty) == ("0", "2", "certain")
    x0, y0, x1, y1 = pair.on_first((0, 0, 400, 300))
    assert np.allclose([x0, y0, x1, y1], [450, 50, 850, 350], atol=2)


def test_a_picture_squeezed_to_a_square_is_found():
    squeezed = cv2.resize(tissue(6), (224, 224), interpolation=cv2.INTER_AREA)
    [pair] = pairs_of(tissue(6), squeezed)
    assert "stretched" in pair.words


def test_a_box_of_the_copy_is_placed_on_the_original():
    original = tissue(7)
    copy = oriented_picture(original, 1)[20:260, 40:360]  # column c of the copy is column 399 - (c + 40)
    [pair] = pairs_of(original, copy)
    assert np.allclose(pair.on_first((100, 50, 180, 120)), (399 - 220, 70, 399 - 140, 140), atol=1)


def test_different_tissue_is_no_pair_and_neither_is_a_picture_without_texture():
    flat = np.full((200, 300, 3), 60, np.uint8)
    black = np.zeros((200, 300, 3), np.uint8)
    assert pairs_of(*(tissue(seed) for seed in range(10, 18)), flat, flat + 1, black, black) == []


def test_another_slice_that_shares_only_the_layers_is_no_pair():
    # The same layers and lesion, other speckle: what another patient's picture has in common at most.
    first, second = tissue(20).astype(float), tissue(20 + 44).astype(float)  # 44 / (2 pi) is 7.003 waves
    assert pairs_of(first.astype(np.uint8), second.astype(np.uint8)) == []


def test_of_two_sides_only_pairs_across_are_sought():
    copies = [tissue(30), compressed(tissue(30), 60), oriented_picture(tissue(30), 1)]
    found = pairs_of(*copies, sides=[0, 0, 1])
    assert [(pair.first, pair.second) for pair in found] == [("0", "2"), ("1", "2")]


@pytest.mark.parametrize("orientation", range(8))
def test_turning_descriptors_is_the_same_as_turning_the_picture(orientation):
    [plain] = features_of(tissue(31))
    [turned] = features_of(oriented_picture(tissue(31), orientation))
    places = oriented_places(plain, orientation)
    apart = np.abs(places[:, None, :2] - turned.places[None, :, :2]).max(axis=2)
    near = apart.min(axis=1) < 0.5
    assert near.sum() > 200
    a = oriented_descriptors(plain.descriptors, orientation)[near].astype(float)
    b = turned.descriptors[apart.argmin(axis=1)][near].astype(float)
    likeness = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert np.median(likeness) > 0.99


def test_two_cohorts_with_one_patient_in_common_say_which_pictures(tmp_path):
    folders = []
    for name, seeds in (("a", range(40, 64)), ("b", range(63, 87))):
        folders.append(write_small_cohort(_made(tmp_path / name)))
        for number, seed in enumerate(seeds):
            picture = tissue(seed, 48 * 4, 64 * 4)
            picture = oriented_picture(picture, 1) if name == "b" else picture
            cv2.imwrite(str(folders[-1] / "pictures" / f"{number:03}.png"), picture)
    [pair] = compare_cohorts(*(load_cohort(folder) for folder in folders))
    assert (pair.first, pair.second, pair.words) == ("pictures/023.png", "pictures/000.png", "mirrored")


def _made(folder):
    folder.mkdir()
    return folder
