"""How the arms' scores change when their boxes are moved and scaled: nobody draws the same box twice.

Each view's box is moved by 10 and 20 % of its sides, in a direction that belongs to the view, and made smaller and
larger by 10 and 20 %. A fold's network scores only the views that it was never trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import cos, pi, sin
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.held_out import FoldNetwork, read_fold
from isthmus.files import sha256_of_json
from isthmus.imaging.cache import CacheItem, PreparedCache, PreparedStore
from isthmus.imaging.clip import Box, Lesion
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.joined_store import join_stores
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.read import probe
from isthmus.progress import Progress
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, cache_items
from isthmus.protocol.changed_units import of_changed_units
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.fold_scores import fold_scores
from isthmus.protocol.frozen import calls
from isthmus.protocol.fused_fits import FusedFit
from isthmus.protocol.fused_perturbation import perturbed_fusion
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.kept_tables import kept_tables
from isthmus.protocol.looks import JOINED, members_of, pictures_of
from isthmus.protocol.schema import Protocol
from isthmus.training.spec import FitSpec


@dataclass(frozen=True)
class Perturbation:
    """A change of a box: moved by a share of its sides, then scaled about its centre."""

    name: str
    shift: float = 0.0
    scale: float = 1.0

    def apply(self, box: Box, view_id: str, inside: Box | None = None) -> Box:
        """Return the changed box, kept inside the scan area.

        Parameters
        ----------
        box : Box
            As drawn.
        view_id : str
            Decides the direction: the same for every size of the shift.
        inside : Box, optional
            The scan area.

        Examples
        --------
        >>> Perturbation("20 % larger", scale=1.2).apply((10.0, 10.0, 20.0, 30.0), "v1")
        (9.0, 8.0, 21.0, 32.0)
        """
        angle = 2 * pi * int.from_bytes(sha256(view_id.encode()).digest()[:4]) / 2**32
        x0, y0, x1, y1 = box
        width, height = x1 - x0, y1 - y0
        x, y = (x0 + x1) / 2 + self.shift * width * cos(angle), (y0 + y1) / 2 + self.shift * height * sin(angle)
        half_width, half_height = self.scale * width / 2, self.scale * height / 2
        left, top, right, bottom = inside or (0.0, 0.0, float("inf"), float("inf"))
        changed = (
            max(x - half_width, left), max(y - half_height, top),
            min(x + half_width, right), min(y + half_height, bottom),
        )  # fmt: skip
        # A box at the rim of the scan area may be pushed out of it: then it stays as it was drawn.
        return changed if changed[0] < changed[2] and changed[1] < changed[3] else box

    def apply_to_clip(self, boxes: NDArray[np.float64], view_id: str, inside: Box | None = None) -> NDArray[np.float64]:
        """Return the boxes of a clip's frames [T, 4], all changed alike; NaN where the lesion is out of plane."""
        changed = np.full_like(boxes, np.nan)
        for frame in np.flatnonzero(~np.isnan(boxes).any(axis=1)):
            x0, y0, x1, y1 = boxes[frame].tolist()
            changed[frame] = self.apply((x0, y0, x1, y1), view_id, inside)
        return changed


PERTURBATIONS: Final = (
    Perturbation("moved by 10 %", shift=0.1),
    Perturbation("moved by 20 %", shift=0.2),
    Perturbation("10 % smaller", scale=0.9),
    Perturbation("20 % smaller", scale=0.8),
    Perturbation("10 % larger", scale=1.1),
    Perturbation("20 % larger", scale=1.2),
)


def perturbed_predictions(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    fused: Sequence[FusedFit],
    stores_as_drawn: Mapping[str, PreparedStore],
    cache: PreparedCache,
    frozen: dict[str, Any],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Score the held-out views of the first seed with changed boxes, by the arms and by what joins them.

    Parameters
    ----------
    run_folder : Path
        The run; scores are kept in its `regions/`, so that a resumed run makes only those that are missing.
    protocol : Protocol
        Resolved.
    cases : Cases
        The views that were trained on.
    fits : sequence of FitSpec
        Finished fits.
    fused : sequence of FusedFit
        Finished fusions, each with its chosen classifier as its only candidate.
    stores_as_drawn : mapping
        Each arm's pictures with their boxes as drawn: a clip keeps its frames.
    cache : PreparedCache
        For the changed crops.
    frozen : dict
        The content of `frozen.json`: each fold makes its own calls.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    DataFrame
        Rows of contract 2 (split `cv`, first seed) with a column `change`, of the units of which every view could be
        changed in every way; empty where no arm looks at lesion crops.
    """
    arms = {key: arm for key, arm in protocol.arms.items() if arm.prepare.crop == "lesion"}
    seed = protocol.splits.seeds[0]
    folds = {key: [fit for fit in fused if fit.key == key and fit.seed == seed] for key in protocol.fusions}
    joining = [key for key, own in folds.items() if own and set(own[0].fusion.fuse) & set(arms)]
    boxes = lesion_boxes(list(cases.views.values()))
    stores: dict[str, dict[str, PreparedStore]] = {}
    tables = []
    for done, key in enumerate([*arms, *joining], start=1):
        if key in arms:
            own = [fit for fit in fits if fit.arm == key and fit.seed == seed]
            stores[key] = perturbed_stores(cases.views[key], boxes, stores_as_drawn[key], arms[key].prepare, cache)
            found, looking = changed_rows(run_folder, cases, own, stores[key]), [key]
        else:
            found = perturbed_fusion(run_folder, cases, folds[key], stores_as_drawn, stores)
            looking = [arm for arm in folds[key][0].fusion.fuse if arm in stores]
        for change, rows in found.items():
            whole = of_changed_units(rows, cases, {arm: stores[arm] for arm in looking})
            if whole.empty:
                continue
            nodules = nodule_predictions(whole, cases)
            tables.append(nodules.assign(call=calls(nodules, cases.classes, frozen), change=change))
        if progress is not None:
            progress("boxes moved and scaled", done, len(arms) + len(joining))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def changed_rows(
    run_folder: Path, cases: Cases, fits: Sequence[FitSpec], stores: Mapping[str, PreparedStore]
) -> dict[str, pd.DataFrame]:
    """Return for each change the held-out views of an arm, in the columns of `gather_views`."""
    units, first = cases.views[fits[0].arm][["view_id", *UNIT_COLUMNS]], fits[0]
    facts = {
        "target": cases.target.name, "cohort": cases.cohort.name, "arm": first.arm, "candidate": first.candidate,
        "split": "cv",
    }  # fmt: skip
    return {
        change: scores.merge(units, on="view_id", how="left").assign(**facts)
        for change, scores in _held_out_scores(run_folder, fits, stores).items()
    }


def lesion_boxes(tables: Sequence[pd.DataFrame]) -> dict[str, NDArray[np.float64]]:
    """Return each view's boxes [T, 4]: as given, else its mask's; one row where one box is given for all frames.

    Views whose mask cannot be read have none.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for item in (item for views in tables for own in _by_store(views) for item in own):
        if item.view_id in found:
            continue
        if item.boxes is not None:
            found[item.view_id] = item.boxes
        elif item.mask is not None and (item.box is None or _is_clip(item.mask)):
            try:
                found[item.view_id] = Lesion(mask=read_clip_mask(item.mask)).boxes()
            except InputError:
                continue  # the view failed already when it was prepared, and is listed
        elif item.box is not None:
            found[item.view_id] = np.array([item.box], dtype=np.float64)
    return found


def _by_store(views: pd.DataFrame) -> list[list[CacheItem]]:
    """Return the pictures of an arm, those of several modalities apart, as they are prepared."""
    return [cache_items(own) for own in (pictures_of(views) if JOINED in views else [views])]


def _is_clip(mask: Path) -> bool:
    try:
        return probe(mask).frames > 1
    except InputError:
        return False


def perturbed_stores(
    views: pd.DataFrame,
    boxes: Mapping[str, NDArray[np.float64]],
    as_drawn: PreparedStore,
    preparation: Preparation,
    cache: PreparedCache,
) -> dict[str, PreparedStore]:
    """Return for each change the pictures prepared with changed boxes; each picture is decoded once for all of them.

    A clip keeps the frames that it has with its boxes as drawn.
    """
    frames = None if preparation.frames is None else as_drawn.frames()
    prepared: list[list[PreparedStore | None]] = []
    for own in _by_store(views):
        items = [item for item in own if item.view_id in boxes and item.view_id not in as_drawn.failures]
        if frames is not None:
            items = [replace(item, frames=frames[item.view_id]) for item in items]
        variants = [[_changed(item, boxes[item.view_id], change) for item in items] for change in PERTURBATIONS]
        empty = JOINED in views and not items
        prepared.append([None] * len(PERTURBATIONS) if empty else [*cache.variants(variants, preparation)])
    stores = (_as_arm_sees(views, as_drawn, list(parts)) for parts in zip(*prepared, strict=True))
    return {change.name: store for change, store in zip(PERTURBATIONS, stores, strict=True)}


def _as_arm_sees(views: pd.DataFrame, as_drawn: PreparedStore, parts: list[PreparedStore | None]) -> PreparedStore:
    """Return the one store of an arm; of several modalities side by side, the looks of which all could be changed.

    A look keeps the modalities that it has as drawn: one that were left out would be another change.
    """
    if JOINED not in views:
        assert parts[0] is not None
        return parts[0]
    changed = {view for part in parts if part is not None for view in part.view_ids}
    members = {
        look: [None if view in as_drawn.failures else view for view in pictures]
        for look, pictures in members_of(views).items()
    }
    whole = {look: own for look, own in members.items() if any(own) and all(view in changed for view in own if view)}
    return join_stores(parts, whole)


def _changed(item: CacheItem, boxes: NDArray[np.float64], change: Perturbation) -> CacheItem:
    changed = change.apply_to_clip(boxes, item.view_id, item.scan_area)
    if len(changed) > 1:
        return replace(item, mask=None, box=None, boxes=changed)
    x0, y0, x1, y1 = changed[0].tolist()
    return replace(item, mask=None, boxes=None, box=(x0, y0, x1, y1))


def _held_out_scores(
    run_folder: Path, fits: Sequence[FitSpec], stores: Mapping[str, PreparedStore]
) -> dict[str, pd.DataFrame]:
    """Return for each change the held-out views' scores; those that a stopped run kept are read."""
    fingerprints = [fit.fingerprint() for fit in fits]
    kept = {
        change: run_folder / "regions" / f"{fits[0].arm}-{sha256_of_json([store.key, *fingerprints])[:16]}.parquet"
        for change, store in stores.items()
    }

    def make(missing: Sequence[str]) -> dict[str, pd.DataFrame]:
        made: dict[str, list[pd.DataFrame]] = {change: [] for change in missing}
        for fit in fits:
            network = read_fold(fit_folder(run_folder, fit))
            for change, parts in made.items():
                parts.append(_held_out(network, fit, stores[change]))
        return {change: pd.concat(parts, ignore_index=True) for change, parts in made.items()}

    return kept_tables(kept, make)


def _held_out(network: FoldNetwork, fit: FitSpec, store: PreparedStore) -> pd.DataFrame:
    there = set(store.view_ids)
    views = [view for view in fit.held_out_views if view in there]
    scores = fold_scores(network, store, views, fit.prepare)
    columns = {f"p_{name}": scores[:, place] for place, name in enumerate(fit.classes)}
    return pd.DataFrame({"view_id": views, "seed": fit.seed, "fold": fit.fold, **columns})
