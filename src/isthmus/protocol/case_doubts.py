"""What warns of a case beside its probability: spread over the models, unlikeness to the training pictures."""

from collections.abc import Mapping

import pandas as pd

from isthmus.inference.spread import OUT_OF_DISTRIBUTION, SPREAD
from isthmus.models.training_likeness import TrainingLikeness

_RUN = ["arm", "cohort", "split"]


def case_doubts(
    rows: pd.DataFrame,
    likeness: Mapping[str, TrainingLikeness],
    unit: str,
    held_out: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return one row an arm, cohort and unit: the means over its views.

    Parameters
    ----------
    rows : DataFrame
        Views as `gather_views` and the opened sets give them, with `spread` and `out_of_distribution` where they were
        scored by a bundle.
    likeness : mapping
        Arm to what its networks know of their training pictures; arms without are left blank.
    unit : str
        `nodule` or `patient`.
    held_out : mapping, optional
        Arm to `view_id` and `out_of_distribution` of the views that a fold network never saw.

    Returns
    -------
    DataFrame
        `arm`, `cohort`, `split`, `unit_id`, `spread`, `out_of_distribution`, `percentile`, `unlike`; empty where
        nothing warns.
    """
    columns, parts = [SPREAD, OUT_OF_DISTRIBUTION], []
    for arm, own in rows[rows["split"] != "tune"].groupby("arm", sort=False):
        first = own[own["seed"] == own["seed"].min()]
        views = first.reindex(columns=list(dict.fromkeys([*first.columns, *columns])))
        if held_out is not None and arm in held_out:
            unseen = held_out[str(arm)].set_index("view_id")[OUT_OF_DISTRIBUTION]
            cv = views["split"] == "cv"
            views.loc[cv, OUT_OF_DISTRIBUTION] = views.loc[cv, "view_id"].map(unseen).astype(float)
        units = views.groupby([*_RUN, f"{unit}_id"], as_index=False)[columns].mean()
        parts.append(_judged(units.rename(columns={f"{unit}_id": "unit_id"}), likeness.get(str(arm))))
    found = pd.concat(parts, ignore_index=True)
    return found[found[columns].notna().any(axis=1)].reset_index(drop=True)


def _judged(units: pd.DataFrame, likeness: TrainingLikeness | None) -> pd.DataFrame:
    scores = units[OUT_OF_DISTRIBUTION]
    there = scores.notna()
    units = units.assign(percentile=float("nan"), unlike=pd.Series(pd.NA, index=units.index, dtype="boolean"))
    if likeness is not None and there.any():
        own = scores[there].to_numpy(dtype=float)
        units.loc[there, "percentile"] = 100 * likeness.shares_nearer(own)
        units.loc[there, "unlike"] = likeness.unlike(own)
    return units
