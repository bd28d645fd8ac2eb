"""A run, from a protocol and a cohort to a report: the stages in the order of a methods section."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from isthmus.cohort.cohort import load_cohort
from isthmus.files import locked
from isthmus.imaging.cache import PreparedCache
from isthmus.manifest import Manifest
from isthmus.progress import Progress
from isthmus.protocol.cases import find_cases
from isthmus.protocol.correspondence import read_correspondences
from isthmus.protocol.external import check_all_given, find_outside, keep_comparisons
from isthmus.protocol.judging_stages import JudgingStages
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.overlap import keep_digests
from isthmus.protocol.pictures import cache_folder
from isthmus.protocol.planning import check_libraries, check_weights
from isthmus.protocol.refusals import divided
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import Run, claim_folder, open_run
from isthmus.protocol.training_stages import TrainingStages

Say = Callable[[str], None]


def run(
    protocol: str,
    cohort: Path | str,
    out: Path | str,
    *,
    external: Path | str | Sequence[Path | str] = (),
    correspondence: Path | str | None = None,
    profile: str = "paper",
    settings: Iterable[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Run:
    """Train, compare, calibrate, explain and report, as a protocol says.

    Parameters
    ----------
    protocol : str
        A shipped name or a YAML file.
    cohort : Path
        Cohort folder.
    out : Path
        Run folder; it may not exist, unless `resume`.
    external : Path or sequence of Path
        Cohorts of other patients; each meets each arm's frozen model once.
    correspondence : Path, optional
        YAML that says which target and classes of an external cohort stand for the run's, where they differ.
    profile : str
        `paper`, `small` or `smoke`.
    settings : iterable of str
        `key=value` over the protocol.
    resume : bool
        Go on with a run that was stopped, which ends in the same `predictions.csv`; or add arms to a finished one,
        which leaves the rows of its other arms as they are.
    progress, say : callable, optional
        Called with what, done, total; and with lines for the user.

    Returns
    -------
    Run
        The finished run folder, opened.

    Raises
    ------
    ProtocolError, CohortError, WeightsError, OutputError
        Before any training.
    FitError
        After all fits, when some failed; the others are kept and `resume` repeats those that failed.
    """
    asked = resolve_protocol(protocol, profile, list(settings))
    loaded = load_cohort(cohort)
    resolved, lacking = fitted_to(asked, loaded)
    for line in lacking:
        if say is not None:
            say(line)
    cases = find_cases(resolved, loaded)
    divided(resolved, cases)  # what needs no picture is refused before there is a folder
    folder, folders = Path(out), [external] if isinstance(external, str | Path) else list(external)
    said = {} if correspondence is None else read_correspondences(correspondence)
    check_weights(resolved)
    check_libraries(resolved)
    outside = find_outside(resolved, folders, cases, said, folder, progress)
    claim_folder(folder, resolved, cases.cohort.fingerprint(), resume)
    check_all_given(folder, cases.cohort, outside)
    with locked(folder / ".lock"):
        keep_comparisons(folder, outside)
        keep_digests(folder, cases.cohort)
        record, cache = Manifest(f"run {resolved.protocol} --profile {resolved.profile}"), PreparedCache(cache_folder())
        stages = TrainingStages(protocol, resolved, cases, folder, record, cache, progress, say or (lambda line: None))
        JudgingStages(protocol, cases, outside, stages.do(), folder, record, cache, progress).do()
    return open_run(folder)
