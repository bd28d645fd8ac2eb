"""What a run asks of a simulated cohort's truth, after everything was predicted."""

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.calcifications import Masks
from isthmus.report.truth import Truth


def stills_masks(truth: Truth) -> Masks:
    """Return what gives a still's true calcifications [H, W], or None where it shows none."""

    def mask_of(view_id: str) -> NDArray[np.bool_] | None:
        frames = truth.calcification_mask(view_id)
        return None if frames is None else frames[0]

    return mask_of
