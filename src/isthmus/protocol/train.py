"""The fits of a run, trained: those that are not done, one failure never stopping the others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from isthmus.errors import FitError
from isthmus.imaging.cache import PreparedStore
from isthmus.progress import Progress
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.record import steps_of
from isthmus.training.schedule import Fit, pending, run_pending
from isthmus.training.spec import FitSpec


def train(
    run_folder: Path, fits: Sequence[FitSpec], stores: Mapping[str, PreparedStore], progress: Progress | None
) -> None:
    """Run those of the fits that are not done.

    Raises
    ------
    FitError
        After all, when some failed; the others are kept and `--resume` repeats those that failed.
    """
    jobs = [Fit(fit, fit_folder(run_folder, fit)) for fit in fits]
    left = [job.spec for job in pending(jobs)]
    failed = run_pending(jobs, {store.key: store for store in stores.values()}, steps_of(left, progress))
    if failed:
        reasons = "; ".join(f"{failure.fit.spec.name}: {failure.reason}" for failure in failed)
        raise FitError(
            f"{len(failed)} of {len(jobs)} fits failed: {reasons}",
            where=str(run_folder / "arms"),
            hint="mend the cause and repeat the command with --resume: finished fits are kept",
        )
