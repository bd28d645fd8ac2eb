"""Of which nodules and patients every picture could be changed: only they tell what the change does."""

from collections.abc import Mapping

import pandas as pd

from isthmus.imaging.cache import PreparedStore
from isthmus.protocol.cases import Cases

Stores = Mapping[str, PreparedStore]
"""Each member's, or each change's, prepared pictures."""


def changed_nodules(cases: Cases, changed: Mapping[str, Stores]) -> set[str]:
    """Return the nodules of which all views in members that look at lesion crops, one at least, were changed."""
    looked_at, lost = set[str](), set[str]()
    for arm, stores in changed.items():
        views = cases.views[arm]
        looked_at |= set(views["nodule_id"])
        for store in stores.values():
            lost |= set(views.loc[~views["view_id"].isin(store.view_ids), "nodule_id"])
    return looked_at - lost


def of_changed_units(rows: pd.DataFrame, cases: Cases, changed: Mapping[str, Stores]) -> pd.DataFrame:
    """Return the rows of units of which every view was changed in every way: a lost one would be another change.

    Parameters
    ----------
    rows : DataFrame
        With `nodule_id` and `patient_id`.
    cases : Cases
        The views of the arms as drawn, less those that could not be prepared.
    changed : mapping
        Arms that look at lesion crops to each change's pictures.
    """
    unit = f"{cases.unit}_id"
    nodules = changed_nodules(cases, changed)
    views = pd.concat([cases.views[arm][["nodule_id", "patient_id"]] for arm in changed])
    lost = views.loc[~views["nodule_id"].isin(nodules), unit]
    return rows[rows["nodule_id"].isin(nodules) & ~rows[unit].isin(lost)]
