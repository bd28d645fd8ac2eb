"""Shortcut tests: what the arms of the primary contrast read besides the disease, asked of their fold networks.

Held-out views of the first seed are scored once more with changed pixels; their embeddings are asked which device made
them; and units with marks in the crop are set beside those without. No network is judged on what it was trained on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.files import write_json
from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.imaging.pixel_changes import PAINTED_OUT, PIXEL_CHANGES, changed_store, outlined
from isthmus.progress import Progress
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases, cache_items
from isthmus.protocol.device_views import device_views
from isthmus.protocol.frozen import calls
from isthmus.protocol.fused_fits import FusedFit
from isthmus.protocol.fused_perturbation import perturbed_fusion
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.perturbation import changed_rows
from isthmus.protocol.schema import Protocol
from isthmus.protocol.shortcut_cases import Asked
from isthmus.report.regions import region_evidence
from isthmus.report.shortcuts import (
    KEY,
    UNCHANGED,
    constant_within_folds,
    device_evidence,
    enough_of,
    marks_evidence,
    withhold_what_is_not_tested,
)
from isthmus.tables.check import write_table
from isthmus.tables.vocabulary import COLOUR_MODALITIES
from isthmus.training.spec import FitSpec

MARKS_KEPT: Final = "marks left in"
MARKS_ERASED: Final = "marks filled in"


def add_shortcuts(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    fused: Sequence[FusedFit],
    stores: Mapping[str, PreparedStore],
    cache: PreparedCache,
    predictions: pd.DataFrame,
    facts: pd.DataFrame,
    frozen: dict[str, Any],
    evidence: dict[str, Any],
    progress: Progress | None = None,
) -> None:
    """Ask the arms of the primary contrast for shortcuts; add what is found to `evidence` and `evidence.json`.

    Leaves `tables/shortcuts.csv`, and in `regions/` and `shortcuts/` the scores, so that a resumed run makes only those
    that are missing. Nothing where the protocol's `shortcuts` is null.

    Parameters
    ----------
    run_folder : Path
        The run.
    protocol : Protocol
        Resolved.
    cases : Cases
        What was trained on.
    fits, fused : sequence of FitSpec, of FusedFit
        Finished; of a fusion with its chosen classifier as its only candidate.
    stores : mapping
        Each arm's prepared pictures.
    cache : PreparedCache
        For pictures whose marks are treated the other way.
    predictions, facts : DataFrame
        The run's table, and what is known of its cases as `case_facts` gives it.
    frozen : dict
        The content of `frozen.json`.
    evidence : dict
        The content of `evidence.json`.
    progress : callable, optional
        Called with what, done, total.
    """
    if protocol.shortcuts is None:
        return
    asked, seed = Asked.of(protocol, cases, protocol.shortcuts.views), protocol.splits.seeds[0]
    held_out = predictions[predictions["split"] != "tune"].reset_index(drop=True)
    found: dict[str, Any] = asked.to_json()
    tables = []
    changers = {
        key: _changed_stores(asked, cases, key, protocol.arms[key], stores[key], cache, facts) for key in asked.arms
    }
    for done, name in enumerate(asked.names, start=1):
        tables += _rows_of(run_folder, asked, name, seed, cases, fits, fused, stores, changers, frozen)
        if progress is not None:
            progress("shortcuts: changed pictures", done, len(asked.names))
    if tables:
        changed = pd.concat(tables, ignore_index=True)
        whole = changed.drop_duplicates(["arm", "unit_id"])[["arm", "seed", "unit_id"]]
        unchanged = held_out[held_out["split"] == "cv"].merge(whole, on=["arm", "seed", "unit_id"])
        changed = pd.concat([unchanged.assign(change=UNCHANGED), changed], ignore_index=True)
        found |= changes_evidence(asked, changed, held_out, changers, positive=cases.classes[-1], split="cv")
        write_table(run_folder / "tables" / "shortcuts.csv", changed[[name for name in changed if name in KEPT]])
    found["devices"] = _devices(run_folder, asked, seed, cases, fits, stores, progress)
    found["marks"] = marks_evidence(held_out, facts, positive=cases.classes[-1])
    evidence[KEY] = found
    write_json(run_folder / "evidence.json", evidence)


KEPT: Final = ("arm", "change", "unit_id", "group_id", "seed", "fold", "label", "call")
"""Columns of `tables/shortcuts.csv`."""


@dataclass(frozen=True)
class Changed:
    """An arm's stores by change, and how much of its pictures is left when the lesion is painted out."""

    stores: dict[str, PreparedStore] = field(default_factory=dict)
    left: float | None = None


def changes_evidence(
    asked: Asked,
    changed: pd.DataFrame,
    predictions: pd.DataFrame,
    changers: Mapping[str, Changed],
    *,
    positive: str,
    split: str,
) -> dict[str, Any]:
    """Return what pictures with other pixels do to the scores: ``changes`` by arm and fusion, ``left``, ``split``."""
    judged = region_evidence(changed, predictions, positive=positive, split=split)
    entries = {}
    for name in (name for name in asked.names if name in judged):
        # A fusion has something to read as long as one of its members has.
        left = [changers[arm].left for arm in asked.fusions.get(name, [name])]
        known = [share for share in left if share is not None]
        hidden = changed[(changed["arm"] == name) & (changed["change"] == PAINTED_OUT.name)]
        constant = len(hidden) > 0 and constant_within_folds(hidden, f"p_{positive}")
        entries[name] = withhold_what_is_not_tested(
            judged[name], PAINTED_OUT.name, max(known) if known else None, constant
        )
    shares = {key: one.left for key, one in changers.items() if one.left is not None}
    return {"split": split, "changes": entries, "left": shares}


def _changed_stores(
    asked: Asked, cases: Cases, key: str, arm: Arm, store: PreparedStore, cache: PreparedCache, facts: pd.DataFrame
) -> Changed:
    changed = changed_pixels(asked, cases, key, store, moving=arm.prepare.frames is not None)
    return replace(changed, stores=changed.stores | _marks_otherwise(asked, cases, key, arm, store, cache, facts))


def changed_pixels(asked: Asked, cases: Cases, key: str, store: PreparedStore, *, moving: bool) -> Changed:
    """Return an arm's chosen pictures under each change of their pixels."""
    views = asked.chosen(cases, key)
    group_of = dict(cases.views[key][["view_id", "group_id"]].itertuples(index=False, name=None))
    shares = outlined(store, views, moving=moving)
    # A group of which one lesion cannot be painted out would be changed in part: it is left out of this change.
    bare = {group_of[view] for view in views if view not in shares}
    hidden = [view for view in views if group_of[view] not in bare]
    stores = {
        change.name: changed_store(store, own, change, moving=moving)
        for change in PIXEL_CHANGES
        if (own := hidden if change is PAINTED_OUT else views)
    }
    return Changed(stores, float(np.mean([shares[view] for view in hidden])) if hidden else None)


def _marks_otherwise(
    asked: Asked, cases: Cases, key: str, arm: Arm, store: PreparedStore, cache: PreparedCache, facts: pd.DataFrame
) -> dict[str, PreparedStore]:
    """Return the pictures of units that have marks, prepared with the marks treated the other way."""
    if set(arm.view.shown) & set(COLOUR_MODALITIES) or arm.view.join is not None:
        return {}  # colour would be taken for marks
    own = facts[(facts["cohort"] == cases.cohort.name) & (facts["marks"] == "marks")]
    views = cases.views[key]
    marked = views[views["group_id"].isin(asked.groups) & views[f"{cases.unit}_id"].isin(own["unit_id"])]
    if marked.empty:
        return {}
    items, frames = cache_items(marked), store.frames()
    if arm.prepare.frames is not None:
        items = [replace(item, frames=frames[item.view_id]) for item in items]
    erased = arm.prepare.marks == "erase"
    other = arm.prepare.model_copy(update={"marks": "keep" if erased else "erase"})
    return {MARKS_KEPT if erased else MARKS_ERASED: cache.store(items, other)}


def _rows_of(
    run_folder: Path,
    asked: Asked,
    name: str,
    seed: int,
    cases: Cases,
    fits: Sequence[FitSpec],
    fused: Sequence[FusedFit],
    stores: Mapping[str, PreparedStore],
    changers: Mapping[str, Changed],
    frozen: dict[str, Any],
) -> list[pd.DataFrame]:
    """Return the held-out units of an arm or a fusion under each change, with the calls of their own folds."""
    if name in asked.fusions:
        folds = [fit for fit in fused if fit.key == name and fit.seed == seed]
        own = {arm: changers[arm].stores for arm in asked.fusions[name]}
        shared = [change for change in next(iter(own.values())) if all(change in one for one in own.values())]
        found: dict[str, pd.DataFrame] = {}
        for change in shared if folds else ():  # one by one: each has views of its own
            found |= perturbed_fusion(
                run_folder, cases, folds, stores, {arm: {change: one[change]} for arm, one in own.items()}
            )
    else:
        found = changed_rows(
            run_folder,
            cases,
            [fit for fit in fits if fit.arm == name and fit.seed == seed],
            changers[name].stores,
        )
    units = {change: nodule_predictions(rows, cases) for change, rows in found.items() if len(rows)}
    return [one.assign(call=calls(one, cases.classes, frozen), change=change) for change, one in units.items()]


def _devices(
    run_folder: Path,
    asked: Asked,
    seed: int,
    cases: Cases,
    fits: Sequence[FitSpec],
    stores: Mapping[str, PreparedStore],
    progress: Progress | None,
) -> dict[str, Any]:
    """Return whether embeddings tell the device, or the site where devices are not stated; else why nobody asked."""
    arms: dict[str, Any] = {}
    by, names = "", list[str]()
    for done, key in enumerate(asked.arms, start=1):
        views = cases.views[key]
        views = views[views["group_id"].isin(asked.groups)]
        for column in ("device", "site"):
            if len(names := enough_of(views, column)) > 1:
                by = column
                break
        else:
            continue
        own = [fit for fit in fits if fit.arm == key and fit.seed == seed]
        known = views[views[by].isin(names)]
        known = known.assign(device=known[by])
        rows = device_views(run_folder, own, stores[key], known, names, cases.classes)
        arms[key] = {"devices": names, "left_out": len(views) - len(known), "by": by,
                     **device_evidence(rows, names, cases.classes)}  # fmt: skip
        if progress is not None:
            progress("shortcuts: devices", done, len(asked.arms))
    return arms
