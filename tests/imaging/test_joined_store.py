"""Stores of several modalities side by side: rows are those of the stores, black where a modality is absent."""

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.joined_store import join_stores, one_modality


def store(name: str, views: int, *, side: int = 4, failures: dict[str, str] | None = None) -> PreparedStore:
    generator = np.random.default_rng(len(name) + views)
    pixels = generator.integers(1, 255, (views, 1, side, side, 3), np.uint8)
    masks = (pixels[..., 0] > 99).astype(np.uint8)
    ids = [f"{name}{number}" for number in range(views)]
    affines = np.tile(np.eye(3)[:2], (views, 1, 1)) * (1 + len(name))
    return PreparedStore(name, pixels, masks, ids, affines, failures or {}, np.zeros((views, 1), np.int64))


BMODE, SWE = STORES = [store("b", 3), store("swe", 2, failures={"swe9": "torn"})]
MEMBERS = {"n1": ("b0", "swe1"), "n2": ("b2", None), "n3": (None, "swe0"), "n4": ("b1", "swe9"), "n5": (None, "swe9")}


def test_rows_are_those_of_the_stores_and_black_where_a_modality_is_absent() -> None:
    joined = join_stores(STORES, MEMBERS)
    assert joined.view_ids == ["n1", "n2", "n3", "n4"]
    assert joined.pixels.shape == (4, 2, 4, 4, 3)
    assert joined.lesion_masks.shape == (4, 2, 4, 4)
    both = joined.pixels[joined.rows(["n3", "n1"])]
    np.testing.assert_array_equal(both[1, 0], BMODE.pixels[0, 0])
    np.testing.assert_array_equal(both[1, 1], SWE.pixels[1, 0])
    assert not both[0, 0].any()
    np.testing.assert_array_equal(joined.lesion_masks[0][1], SWE.lesion_masks[1, 0])
    np.testing.assert_array_equal(np.asarray(joined.pixels)[1:3], joined.pixels[1:3])
    np.testing.assert_array_equal(joined.source_to_prepared[0, 1], SWE.source_to_prepared[1])


def test_a_picture_that_failed_is_absent_and_a_row_without_any_other_failed_with_it() -> None:
    joined = join_stores(STORES, MEMBERS)
    assert joined.failures == {"swe9": "torn", "n5": "torn"}
    assert joined.pixels[3][0].any()
    assert not joined.pixels[3][1].any()


def test_a_modality_without_any_picture_is_black_everywhere() -> None:
    members = {"n1": ("b0", None), "n2": ("b2", None)}
    joined = join_stores([BMODE, None], members)
    assert joined.pixels[:,].any(axis=(2, 3, 4)).tolist() == [[True, False], [True, False]]


def test_one_modality_is_taken_out_again_under_the_ids_of_the_rows() -> None:
    only = one_modality(join_stores(STORES, MEMBERS), 1)
    assert only.view_ids == ["n1", "n3"]
    assert only.pixels.shape == (2, 1, 4, 4, 3)
    np.testing.assert_array_equal(only.pixels[only.rows(["n3"])], SWE.pixels[[0]])
    np.testing.assert_array_equal(only.lesion_masks[:], SWE.lesion_masks[[1, 0]])
    np.testing.assert_array_equal(only.source_to_prepared, SWE.source_to_prepared[[1, 0]])


def test_other_rows_are_another_store() -> None:
    fewer = {name: MEMBERS[name] for name in ("n1", "n2")}
    assert join_stores(STORES, fewer).key != join_stores(STORES, MEMBERS).key


def test_pictures_of_different_sizes_are_not_joined() -> None:
    with pytest.raises(InputError, match="stills of one size"):
        join_stores([BMODE, store("swe", 2, side=5)], MEMBERS)
