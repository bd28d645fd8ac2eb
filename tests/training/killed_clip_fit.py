"""Runs the fit of ``test_clip_fit.py`` in the folder given; as ``killed_fit.py``, it is there to be killed."""

import sys
from pathlib import Path

from isthmus.training.fit import run_fit
from tests.training.killed_fit import say
from tests.training.volumes import clip_spec, clips_of

AUGMENT = ["flip", "crop", "translate", "reverse", "gain"]
SPEC = clip_spec(train={"epochs": 8, "rate": 0.01, "augment": AUGMENT, "early_stopping": {"patience": 8}})


if __name__ == "__main__":
    run_fit(SPEC, clips_of(), Path(sys.argv[1]), say, device="cpu")
