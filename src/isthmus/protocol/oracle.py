"""Arms that are told by the simulation which frame to look at: upper limits of what one frame can give."""

import numpy as np
import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.errors import CohortError
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.read import probe
from isthmus.protocol.resolve import narrowed
from isthmus.protocol.schema import Protocol
from isthmus.report.truth import Truth, read_truth

FRAMES = "frames"
"""Column of a view table: the frames that were chosen for a view."""


def without_oracles(protocol: Protocol, cohort: Cohort) -> tuple[Protocol, list[str]]:
    """Return the protocol without the arms that only a simulated cohort can have, and what to say of them.

    Raises
    ------
    CohortError
        When the primary contrast names such an arm and the cohort is real.
    """
    oracles = [key for key, arm in protocol.arms.items() if arm.oracle]
    if not oracles or cohort.simulated:
        return protocol, []
    primary = {protocol.primary.arm, protocol.primary.against} & set(oracles)
    if primary:
        raise CohortError(
            f"the primary contrast names {', '.join(sorted(primary))}, whose frame only a simulation can choose",
            where=cohort.name,
            expected="a simulated cohort, or another primary contrast",
        )
    kept = [key for key in protocol.arms if key not in oracles]
    words = f"left out: {', '.join(oracles)}, whose frame is chosen by the truth of a simulation; this cohort is real"
    return narrowed(protocol, kept), [words]


def with_oracle_frames(views: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Return the views with the number of the frame in which most calcification lies in plane, as `frames`.

    A clip without any in plane gets the frame of the largest lesion, as the arms without an oracle do.

    Raises
    ------
    CohortError
        When the cohort holds no truth.
    """
    truth = read_truth(cohort.folder)
    if truth is None:
        raise CohortError(
            "the frame with most calcification is known of simulated cohorts only", where=cohort.name,
            hint="leave out the arm whose prepare.frames.pick is calcification_richest (--arms)",
        )  # fmt: skip
    columns = ["view_id", "path", "mask", "frame_boxes"]
    frames = [(_richest(truth, *row),) for row in views[columns].itertuples(index=False, name=None)]
    return views.assign(**{FRAMES: pd.Series(frames, index=views.index, dtype=object)})


def _richest(truth: Truth, view_id: str, path: object, mask: object, boxes: object) -> int:
    calcifications = truth.calcification_mask(view_id)
    if calcifications is not None:
        return int(calcifications.sum(axis=(1, 2)).argmax())
    if boxes is not None:
        sides = np.asarray(boxes, dtype=np.float64)
        return int(np.nan_to_num((sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])).argmax())
    if mask is not None:
        return int(read_clip_mask(str(mask)).sum(axis=(1, 2)).argmax())
    return probe(str(path)).frames // 2
