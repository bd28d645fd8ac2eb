"""What the AUC would have looked like with pictures divided instead of patients: the fault, run to be shown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.errors import InputError
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.gather import gather_views
from isthmus.protocol.schema import Protocol
from isthmus.report.context import LeakDemonstration
from isthmus.report.discrimination import groups_of_classes
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.few_groups import unless_few
from isthmus.training.spec import FitSpec


def demonstrate_leak(
    run_folder: Path, protocol: Protocol, cases: Cases, rows: pd.DataFrame, fits: Sequence[FitSpec]
) -> LeakDemonstration | None:
    """Compare an arm's cross-validation with the same one that divided pictures.

    Parameters
    ----------
    run_folder : Path
        The run.
    protocol : Protocol
        Resolved.
    cases : Cases
        What the arms were trained on.
    rows : DataFrame
        View rows of the honest fits, as `gather_views` gives them.
    fits : sequence of FitSpec
        The finished fits that divided pictures; without any there is nothing to show.

    Returns
    -------
    LeakDemonstration or None
        Both AUCs are of the same views at the first seed: means of within-fold AUCs, intervals and their difference
        by influence values summed over a group of patients. None without `leak` in the protocol.
    """
    if not fits:
        return None
    key, seed = fits[0].arm, fits[0].seed
    honest = _held_out(rows[(rows["arm"] == key) & (rows["seed"] == seed)])
    leaking = _held_out(gather_views({fit_folder(run_folder, fit): fit for fit in fits}, cases))
    if list(honest["view_id"]) != list(leaking["view_id"]):
        raise InputError(
            f"the two cross-validations of {key} hold out {len(honest)} and {len(leaking)} views",
            where=str(run_folder),
            expected="the same views",
        )
    score = f"p_{cases.classes[-1]}"
    truth = (honest["label"] == cases.classes[-1]).to_numpy(dtype=bool)
    groups, seeds = honest["group_id"].to_numpy(dtype=str), np.zeros(len(honest), dtype=int)
    aucs = [
        cross_validated_auc(truth, one[score], one["fold"], seeds, groups).auc.as_dict() for one in (leaking, honest)
    ]
    compared = compare_cross_validated_aucs(
        truth, leaking[score], honest[score], leaking["fold"], seeds, groups, folds_b=honest["fold"]
    )
    comparison = unless_few(compared, *groups_of_classes(truth, groups))
    return LeakDemonstration(
        arm=key,
        title=protocol.arms[key].title or key,
        unit="view",
        picture_level=aucs[0],
        honest=aucs[1],
        difference=comparison.difference.as_dict(),
        views=len(honest),
        patients=int(honest["group_id"].nunique()),
        folds=len(fits),
    )


def _held_out(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["split"] == "cv"].sort_values("view_id", ignore_index=True)
