"""The looks of a case joined into one answer, by the rules that joined the rows its calibration was fitted on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from isthmus.inference.scores import aggregate
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.statistics.inputs import FloatArray

_NODULE = "nodule"
"""The id of a nodule that has none."""


class JoinedCase(NamedTuple):
    """How the looks of a case make its answer.

    Parameters
    ----------
    weights : float64 array [N]
        What each look counts for; they sum to 1.
    nodule : str
        Of a patient with several nodules the one that decides; '' where there is one nodule, or their mean counts.
    notes : tuple of str
        What a reader of the answer should know of it.
    """

    weights: FloatArray
    nodule: str
    notes: tuple[str, ...]

    def of(self, values: FloatArray) -> FloatArray:
        """Return the answer's values [...] from those of the looks [N, ...]."""
        there = self.weights > 0  # what counts for nothing may be NaN
        return np.asarray(np.tensordot(self.weights[there], values[there], axes=1))


def look_weights(scores: FloatArray, nodules: Sequence[str], spec: BundleSpec | FusedBundleSpec) -> FloatArray:
    """Return what each look counts for in the answer, by :func:`isthmus.inference.scores.aggregate`: float64 [N].

    Parameters
    ----------
    scores : float64 array [N, K]
        The mean of the parts, of each class: by them a `maximum` chooses. A look that has NaN counts for nothing, as
        it has no row in a run.
    nodules : sequence of N str
        Which nodule each look shows; '' where nothing says it.
    spec : BundleSpec or FusedBundleSpec
        Its `aggregation` and, for the patient's rule, its `unit`.
    """
    there: list[int] = np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist()
    weights = np.zeros(len(scores))
    if not there:
        return weights
    # Beside the classes a column a look, 1 where it stands: joined as the classes are, it holds the look's weight.
    names = [f"look {place}" for place in there]
    columns = [f"p_{name}" for name in [*names, *spec.classes]]
    frame = pd.DataFrame(np.hstack([np.eye(len(names)), scores[there]]), columns=columns)
    own = [nodules[place] or _NODULE for place in there]
    joined = aggregate(
        frame.assign(nodule_id=own, patient_id="patient"),
        [*names, *spec.classes],
        {str(level): rule for level, rule in spec.aggregation.items()},
        spec.unit,
    )
    weights[there] = joined[columns[: len(names)]].to_numpy(dtype=np.float64)[0]
    return weights


def join_case(
    scores: FloatArray, nodules: Sequence[str], sources: Sequence[str], spec: BundleSpec | FusedBundleSpec
) -> JoinedCase:
    """Return how the looks of a case make its answer; parameters as for :func:`look_weights`.

    Parameters
    ----------
    sources : sequence of N str
        What the looks are called.
    """
    weights = look_weights(scores, nodules, spec)
    names = list(dict.fromkeys(name for name, own in zip(nodules, scores, strict=True) if not np.isnan(own).any()))
    used = list(dict.fromkeys(name for name, weight in zip(nodules, weights, strict=True) if weight > 0))
    decides = used[0] if len(names) > 1 and spec.aggregation.get("patient", "mean") == "maximum" else ""
    notes = []
    if decides:
        notes.append(f"the score is that of the nodule that scores highest, {decides}")
    elif len(names) > 1:
        notes.append(f"the score is the mean of the nodules {', '.join(names)}")
    for name in used:
        own = [place for place, nodule in enumerate(nodules) if nodule == name]
        if spec.aggregation.get("nodule", "mean") == "maximum" and len(own) > 1:
            whose = f" of nodule {name}" if len(names) > 1 and not decides else ""
            highest = max(own, key=lambda place: weights[place])
            notes.append(f"the score{whose} is that of the view that scores highest, {sources[highest]}")
    return JoinedCase(weights, decides, tuple(notes))


def taken_as_one(spec: BundleSpec | FusedBundleSpec, nodules: Sequence[str], pictures: int) -> tuple[str, ...]:
    """Return the note on a patient's pictures that do not say which nodule they show."""
    if spec.unit == "nodule" or pictures < 2 or any(nodules):
        return ()
    return (f"the {pictures} pictures were taken as of one nodule: nothing says which nodule each shows (nodule_id)",)
