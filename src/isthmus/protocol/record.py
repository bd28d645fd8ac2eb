"""What a run was made from, as its manifest says it, and how far its fits are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from isthmus.manifest import DISCLAIMER, commit, package_versions, version
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.protocol.external import Outside
from isthmus.protocol.parts import split_fingerprint
from isthmus.protocol.schema import Protocol
from isthmus.training.fit import FitProgress
from isthmus.training.schedule import Fit, Report
from isthmus.training.spec import FitSpec


def run_facts(
    protocol: Protocol, cases: Cases, outside: Sequence[Outside], split: pd.DataFrame, failures: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a run was made from: protocol, cohorts, split, weights, versions, and what was left out."""
    return {
        "notice": DISCLAIMER,
        "protocol": protocol.protocol,
        "profile": protocol.profile,
        "seeds": list(protocol.splits.seeds),
        "determinism": "byte-identical predictions on one CPU machine; on GPUs equal within rounding",
        "cohort": {
            "name": cases.cohort.name,
            "fingerprint": cases.cohort.fingerprint(),
            "licence": cases.cohort.licence,
            "simulated": cases.cohort.simulated,
        },
        "split": split_fingerprint(split),
        "weights": {key: arm.weights or "random" for key, arm in protocol.arms.items()},
        "excluded_views": dict(sorted(failures.items())),
        "external": {one.name: one.to_json() for one in outside},
        "versions": {"isthmus": version(), **package_versions()},
        "commit": commit(),
    }


def steps_of(fits: Sequence[FitSpec], progress: Progress | None) -> Report | None:
    """Turn the fits' own progress into one count of steps over all of them."""
    if progress is None or not fits:
        return None
    steps = {fit.name: math.ceil(len(fit.train_views) / fit.train.batch) * fit.train.epochs for fit in fits}
    done = dict.fromkeys(steps, 0)

    def report(job: Fit, state: FitProgress | None) -> None:
        done[job.spec.name] = steps[job.spec.name] if state is None else min(state.step, steps[job.spec.name])
        progress(f"training {len(fits)} fits", sum(done.values()), sum(steps.values()))

    return report
