"""Units of which a picture cannot be changed tell nothing of what the change does: they are left out whole."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd

from isthmus.imaging.cache import CacheItem, PreparedStore
from isthmus.imaging.joined_store import join_stores
from isthmus.imaging.preparation import Preparation
from isthmus.protocol.cases import Cases
from isthmus.protocol.changed_units import of_changed_units
from isthmus.protocol.looks import JOINED, members_of, pictures_of
from isthmus.protocol.perturbation import PERTURBATIONS, perturbed_stores

STILLS = Preparation(crop="lesion")


def store(views: list[str], failures: dict[str, str] | None = None, key: str = "k") -> PreparedStore:
    pixels = np.full((len(views), 1, 4, 4, 3), 200, np.uint8)
    affines = np.tile(np.eye(3)[:2], (len(views), 1, 1))
    return PreparedStore(key, pixels, pixels[..., 0], views, affines, failures or {}, np.zeros((len(views), 1), int))


@dataclass
class Cropper:
    """A cache that cannot make the crop of some views under the last change."""

    torn: set[str]

    def variants(self, variants: list[list[CacheItem]], _: Preparation) -> list[PreparedStore]:
        found = []
        for place, items in enumerate(variants):
            torn = self.torn if place == len(variants) - 1 else set()
            kept = [item.view_id for item in items if item.view_id not in torn]
            failed = {item.view_id: "the crop is empty" for item in items if item.view_id in torn}
            found.append(store(kept, failed, f"{place}"))
        return found


def looks() -> pd.DataFrame:
    """Four nodules with a B-mode picture and an elastogram each."""

    def picture(view: str) -> dict[str, Any]:
        return {
            "view_id": view, "path": Path(f"{view}.png"), "mask": None, "box": (1.0, 1.0, 9.0, 9.0), "region": None,
            "frame_boxes": None, "frame_rate_hz": 0.0,
        }  # fmt: skip

    rows = [
        {**picture(f"b{n}"), "view_id": f"b{n}+e{n}", "nodule_id": f"n{n}", "patient_id": f"p{n // 2}",
         "group_id": f"p{n // 2}", "site": "A", "label": "0", "fixed_split": None,
         JOINED: (picture(f"b{n}"), picture(f"e{n}"))}
        for n in range(4)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def changed(torn: set[str], torn_as_drawn: set[str]) -> dict[str, PreparedStore]:
    views = looks()
    as_drawn = [
        store(
            [v for v in own["view_id"] if v not in torn_as_drawn],
            {v: "torn" for v in own["view_id"] if v in torn_as_drawn},
        )
        for own in pictures_of(views)
    ]
    boxes = {view: np.array([[1.0, 1.0, 9.0, 9.0]]) for own in pictures_of(views) for view in own["view_id"]}
    joined = join_stores(as_drawn, members_of(views))
    return perturbed_stores(views, boxes, joined, STILLS, cast("Any", Cropper(torn)))


def test_a_look_of_which_a_picture_cannot_be_changed_is_left_out_and_not_shown_without_it() -> None:
    stores = changed({"e1"}, {"e3"})
    first, last = stores[PERTURBATIONS[0].name], stores[PERTURBATIONS[-1].name]
    assert first.view_ids == ["b0+e0", "b1+e1", "b2+e2", "b3+e3"]
    assert last.view_ids == ["b0+e0", "b2+e2", "b3+e3"]
    # What was torn as drawn was absent then too, and stays absent; nothing else is.
    shown = np.asarray(last.pixels).any(axis=(2, 3, 4)).tolist()
    assert shown == [[True, True], [True, True], [True, False]]


def test_a_unit_with_a_lost_picture_under_one_change_is_compared_under_none() -> None:
    views = looks()
    cases = cast("Cases", SimpleNamespace(views={"joined": views}, unit="nodule"))
    stores = {"joined": changed({"e1"}, set())}
    kept = of_changed_units(views, cases, stores)
    assert kept["nodule_id"].tolist() == ["n0", "n2", "n3"]
    # The mean of the patient's other nodule is no longer the patient's.
    of_patients = cast("Cases", SimpleNamespace(views={"joined": views}, unit="patient"))
    assert of_changed_units(views, of_patients, stores)["nodule_id"].tolist() == ["n2", "n3"]
