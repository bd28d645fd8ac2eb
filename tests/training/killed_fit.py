"""Runs the fit of ``test_resume.py`` in the folder given, and says which epoch has ended: it is there to be killed."""

import sys
from pathlib import Path

from isthmus.training.fit import FitProgress, run_fit
from tests.training.examples import spec_of, store_of

SPEC = spec_of(train={"epochs": 10, "augment": ["flip", "rotate", "crop", "gain"], "early_stopping": {"patience": 10}})


def say(progress: FitProgress) -> None:
    print(progress.epoch, progress.step, flush=True)


if __name__ == "__main__":
    run_fit(SPEC, store_of(), Path(sys.argv[1]), say, device="cpu")
