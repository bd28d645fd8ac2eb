"""How well an arm ranks at each site by itself."""

from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.discrimination import auc_of
from isthmus.statistics.interval import undefined

_ONE_CLASS = "the site has cases of one class only: nothing can be ranked"


def site_measures(rows: DataFrame, level: float) -> dict[str, Any]:
    """Return `by_site`: for each site `n`, `n_groups`, `positives` and the AUC with its interval.

    Scores of different fold models are not ranked together: at a site too the AUC is the mean of the folds' own,
    where every fold has both classes there. Empty where all cases are of one site, or sites are not known.

    Parameters
    ----------
    rows : DataFrame
        Of one arm and split, two classes: `site`, `truth`, `score`, `seed`, `fold`, `unit_id`, `group_id`.
    level : float
        Of the intervals, 0 to 1.
    """
    known = rows[rows["site"].fillna("") != ""] if "site" in rows else rows.iloc[:0].assign(site="")
    if known["site"].nunique() < 2:
        return {}
    found = {}
    for site, part in known.groupby("site", sort=True):
        units, truth = part.drop_duplicates("unit_id"), part["truth"].to_numpy()
        auc = (
            auc_of(part, truth, part["score"].to_numpy(dtype=np.float64), level)
            if truth.any() and not truth.all()
            else undefined("AUC", _ONE_CLASS, level)
        )
        found[str(site)] = {
            "n": len(units),
            "n_groups": int(units["group_id"].nunique()),
            "positives": int(units["truth"].sum()),
            "auc": auc.as_dict(),
        }
    return {"by_site": found}
