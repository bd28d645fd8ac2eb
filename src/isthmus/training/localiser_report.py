"""``report.json`` of a localiser: what it was trained on, what its held-out parts found, and what that does not say."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.manifest import DISCLAIMER, version
from isthmus.training.localiser_examples import Gathered, LocaliserView
from isthmus.training.localiser_scores import (
    DEFINITIONS,
    RULE,
    by_column,
    by_size,
    confidence_curve,
    measures,
)
from isthmus.training.localiser_settings import LocaliserSettings


def localiser_report(
    cohorts: Sequence[Cohort],
    gathered: Gathered,
    outcomes: pd.DataFrame,
    kept: pd.Series,
    limit: float,
    settings: LocaliserSettings,
    how: dict[str, Any],
) -> dict[str, Any]:
    """Return the content of ``report.json``.

    Parameters
    ----------
    cohorts, gathered
        What was trained on.
    outcomes : DataFrame
        One row a view, of the part that did not see it.
    kept : Series of bool
        Which views keep their proposal, each fold's confidence chosen on the others.
    limit : float
        The frozen confidence.
    settings, how
        How it was trained.
    """
    names = [cohort.name for cohort in cohorts]
    everything = pd.Series(True, index=outcomes.index) & outcomes["found"]
    sites = (
        outcomes["site"]
        if len(cohorts) == 1
        else outcomes["cohort"].map(dict(enumerate(names))) + ": " + outcomes["site"]
    )
    nodules = outcomes["nodules"].map(lambda count: "one outlined nodule" if count == 1 else "several outlined nodules")
    return {
        "format": "isthmus-localiser-report/1.0",
        "notice": DISCLAIMER,
        "isthmus": version(),
        "marks": ["SIMULATED"] if any(cohort.simulated for cohort in cohorts) else [],
        "cohorts": [_cohort(number, cohort, gathered.views) for number, cohort in enumerate(cohorts)],
        "settings": settings.named(),
        "precision": how["precision"],
        "definitions": DEFINITIONS,
        "least_confidence": {
            "value": limit,
            "rule": RULE,
            "note": "these figures use each part's own, chosen on the other parts' views: no view chose for itself",
        },
        "measures": measures(outcomes, kept),
        "measures_without_least_confidence": measures(outcomes, everything),
        "size": _size_words(outcomes),
        "by_size": by_size(outcomes, kept),
        "by_site": by_column(outcomes, kept, sites),
        "by_nodules": by_column(outcomes, kept, nodules),
        "by_fold": by_column(outcomes, kept, outcomes["fold"].map(lambda fold: f"part {fold + 1}")),
        "confidence": confidence_curve(outcomes),
        "left_out": [
            {"cohort": names[number], "view_id": view, "reason": reason} for number, view, reason in gathered.left_out
        ],
        "limits": _limits(cohorts),
    }


def _size_words(outcomes: pd.DataFrame) -> str:
    if outcomes["size_mm"].notna().all():
        return "size_mm of the cohort"
    return "the box's longer side as a share of the scan area's longer side"


def _cohort(number: int, cohort: Cohort, views: Sequence[LocaliserView]) -> dict[str, Any]:
    own = [view for view in views if view.cohort == number]
    return {
        "name": cohort.name, "fingerprint": cohort.fingerprint(), "licence": cohort.licence,
        "citation": cohort.citation, "simulated": cohort.simulated, "patient_ids": cohort.patient_ids,
        "views": len(own), "views_with_outline": sum(view.mask is not None for view in own),
        "pictures": len({view.picture for view in own}), "groups": len({view.group for view in own}),
    }  # fmt: skip


def _limits(cohorts: Sequence[Cohort]) -> list[str]:
    names = " and ".join(cohort.name for cohort in cohorts)
    limits = [
        f"It knows the scanners and the nodules of {names}; elsewhere its hit rate is unknown until it is measured.",
        "Every picture that it was trained on shows a nodule; it was never asked to say that there is none.",
        "It proposes one region a picture. Further nodules are not proposed; nodules that nobody outlined counted as "
        "background.",
        "It reads B-mode stills, no clips and no colour.",
        "The figures are of single parts, and the least confidence was chosen on single parts; a new picture is read "
        "by all parts together, which no held-out patient could be.",
        "Confidence is a mean probability of pixels, not the probability of a hit.",
    ]
    if any(cohort.patient_ids == "absent" for cohort in cohorts):
        limits.append(
            "A cohort does not say which pictures belong to one patient: held-out patients may have been seen, and the "
            "figures may be too good."
        )
    return limits
