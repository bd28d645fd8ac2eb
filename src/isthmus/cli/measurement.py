"""What `cohort perfusion` and `cohort elasticity` share: measure a cohort's views, write them, say what came out."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from isthmus.cli.app import progress_bars, show

if TYPE_CHECKING:
    from isthmus.cohort.cohort import Cohort
    from isthmus.manifest import Manifest

_Measured = TypeVar("_Measured")
_Measured_co = TypeVar("_Measured_co", covariant=True)


class Measure(Protocol[_Measured_co]):
    """Measures the views of a cohort, and tells how far it is."""

    def __call__(self, cohort: "Cohort", *, progress: Callable[[int, int], None] | None) -> _Measured_co:
        """Return what was measured."""


def measure_and_show(
    name: str,
    cohort: Path,
    out: Path,
    as_json: bool,
    stage: str,
    what: str,
    measure: Measure[_Measured],
    write: "Callable[[Cohort, _Measured, Path, Manifest], dict[str, Any]]",
) -> None:
    """Measure the views of a cohort folder, write them to ``out``, and show how many there are.

    Parameters
    ----------
    name : str
        Of the command, and of the page that it leaves.
    cohort, out : Path
    as_json : bool
    stage : str
        What the progress counts.
    what : str
        What the views are.
    measure, write : callable
    """
    from isthmus.cohort.cohort import load_cohort
    from isthmus.files import refuse_existing
    from isthmus.manifest import Manifest

    refuse_existing(out)
    record = Manifest(f"cohort {name}")
    loaded = load_cohort(cohort)
    with progress_bars(as_json) as progress, record.stage(stage):
        move = None if progress is None else lambda done, total: progress(stage, done, total)
        measured = measure(loaded, progress=move)
    facts = write(loaded, measured, out, record)
    lines = [
        f"{facts['measured']} of {facts['measured'] + len(facts['refused'])} {what} measured, "
        f"{facts['in_full']} of them in full",
        *(f"not measured: view {view}: {why}" for view, why in facts["refused"].items()),
        f"Page: {out / f'{name}.html'}",
    ]
    show(facts | {"out": str(out)}, as_json, lines)
