"""Whether the fits that a run has finished are those that it would do now."""

from collections.abc import Iterable
from pathlib import Path

from isthmus.errors import FitError
from isthmus.protocol.fits import fit_folder
from isthmus.training.spec import FitSpec


def check_finished(run_folder: Path, fits: Iterable[FitSpec]) -> None:
    """See that each finished fit has the views, labels, recipe and prepared pictures that it would have now.

    Raises
    ------
    FitError
        With the first that has not: its scores would stand beside those of other pictures.
    """
    for fit in fits:
        folder = fit_folder(run_folder, fit)
        if (folder / "done.json").is_file() and FitSpec.read(folder / "fit.yaml") != fit:
            raise FitError(
                "this finished fit is not the one that the run would do now",
                where=fit.name,
                expected="the same views, labels, recipe and prepared pictures",
                hint="pictures, weights or the way they are prepared have changed since; choose another --out",
            )
