"""Views of a store are looked at a block at a time, in the order in which they are asked for."""

from types import SimpleNamespace

import numpy as np

from isthmus.protocol.fold_scores import over_store


def test_blocks_hold_each_view_once_in_the_order_asked_for():
    names = [f"v{n}" for n in range(7)]
    pixels = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1, 1)
    store = SimpleNamespace(
        rows=lambda views: [names.index(view) for view in views], pixels=pixels, lesion_masks=pixels[..., 0] + 100
    )
    found = list(over_store(store, ["v6", "v0", "v3", "v2", "v5"], 2))
    assert [block.ravel().tolist() for block, _ in found] == [[6, 0], [3, 2], [5]]
    assert [masks.ravel().tolist() for _, masks in found] == [[106, 100], [103, 102], [105]]
    assert list(over_store(store, [], 2)) == []
