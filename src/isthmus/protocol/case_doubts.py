"""What warns of a case beside its probability: spread over the models, unlikeness to the training pictures."""

from collections.abc import Mapping

import pandas as pd

from isthmus.inference.spread import OUT_OF_DISTRIBUTION, SPREAD
from isthmus.models.training_likeness import TrainingLikeness

_RUN = ["arm", "cohort", "split"]
_COUNT = "views"


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
        by_unit = views.groupby([*_RUN, f"{unit}_id"], as_index=False)
        units = by_unit[columns].mean().assign(**{_COUNT: by_unit[OUT_OF_DISTRIBUTION].count()[OUT_OF_DISTRIBUTION]})
        parts.append(_judged(units.rename(columns={f"{unit}_id": "unit_id"}), likeness.get(str(arm))))
    found = pd.concat(parts, ignore_index=True)
    return found[found[columns].notna().any(axis=1)].reset_index(drop=True)


def _judged(units: pd.DataFrame, likeness: TrainingLikeness | None) -> pd.DataFrame:
    """Add where each unit stands: a held-out one by the network that held it out, among all the others."""
    units = units.assign(percentile=float("nan"), unlike=pd.Series(pd.NA, index=units.index, dtype="boolean"))
    held_out = units["split"] == "cv"
    for there, networks in ((held_out, 1), (~held_out, None)):
        rows = there & units[OUT_OF_DISTRIBUTION].notna()
        if likeness is None or not rows.any():
            continue
        scores, views = units.loc[rows, OUT_OF_DISTRIBUTION].to_numpy(float), units.loc[rows, _COUNT].to_numpy(int)
        among = networks == 1
        units.loc[rows, "percentile"] = 100 * likeness.shares_nearer(scores, views, networks=networks, among=among)
        units.loc[rows, "unlike"] = likeness.unlike(scores, views, networks=networks, among=among)
    return units.drop(columns=_COUNT)
