"""What a run will do and how long it takes here: asked before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from isthmus.cohort.cohort import load_cohort
from isthmus.files import refuse_existing
from isthmus.models.mean_head import MEAN
from isthmus.models.weights import locate
from isthmus.protocol.arithmetic import try_arithmetic
from isthmus.protocol.cases import Cases, find_cases
from isthmus.protocol.correspondence import read_correspondences
from isthmus.protocol.external import Outside, answered_by, check_all_given, check_names
from isthmus.protocol.fits import fit_folder, list_fits, list_picture_level_fits
from isthmus.protocol.narrowing import fitted_to
from isthmus.protocol.parts import set_aside
from isthmus.protocol.plan import Plan, PlannedOutside, make_plan
from isthmus.protocol.refusals import divided
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.run_folder import claim_folder
from isthmus.protocol.schema import Protocol
from isthmus.training.fusion_classifiers import check_classifiers


def plan_run(
    protocol: str,
    cohort: Path | str,
    *,
    profile: str = "paper",
    settings: Iterable[str] = (),
    external: Sequence[Path | str] = (),
    correspondence: Path | str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
) -> Plan:
    """Return what a run will do and how long it takes here, after a few timed steps; nothing is written.

    Parameters
    ----------
    protocol, cohort, profile, settings, external, correspondence, resume
        As for :func:`isthmus.protocol.run.run`.
    out : Path, optional
        The run folder: the fits that it has finished are not to do any more.

    Raises
    ------
    ProtocolError, CohortError, OutputError
        As :func:`isthmus.protocol.run.run`; overlapping patients are looked for only there.
    """
    asked = resolve_protocol(protocol, profile, list(settings))
    loaded = load_cohort(cohort)
    resolved, lacking = fitted_to(asked, loaded)
    cases = find_cases(resolved, loaded)
    outside = _outside(resolved, cases, external, correspondence)
    folder = None if out is None else Path(out)
    if folder is not None and folder.exists():
        if (folder / "protocol.yaml").exists():
            claim_folder(folder, resolved, cases.cohort.fingerprint(), resume)  # changes nothing of what is there
        else:
            refuse_existing(folder)
        check_all_given(folder, cases.cohort, outside)
    split, aside = divided(resolved, cases)
    arithmetic = try_arithmetic(resolved, len(cases.classes))
    training, _ = set_aside(cases, aside)
    keys = dict.fromkeys(resolved.arms, "")
    fits = list_fits(resolved, training, split, keys, arithmetic)
    fits += list_picture_level_fits(resolved, training, keys, arithmetic)
    todo = [fit for fit in fits if folder is None or not (fit_folder(folder, fit) / "done.json").is_file()]
    plan = make_plan(protocol, resolved, cases, fits, todo, arithmetic)
    met = tuple(PlannedOutside.of(one.cases, one.target, one.absent) for one in outside)
    return replace(plan, outside=met, lacking=tuple(lacking))


def _outside(
    protocol: Protocol, cases: Cases, external: Sequence[Path | str], correspondence: Path | str | None
) -> list[Outside]:
    said = {} if correspondence is None else read_correspondences(correspondence)
    cohorts = [load_cohort(folder) for folder in external]
    check_names(cases.cohort, cohorts, said)
    return [answered_by(protocol, one, cases.target, said) for one in cohorts]


def check_weights(protocol: Protocol) -> None:
    """Stop before any training when initial weights are absent.

    Raises
    ------
    WeightsError
        With the command that brings them.
    """
    for arm in protocol.arms.values():
        for one in arm.variants().values():
            if one.weights is not None:
                locate(one.weights, network=one.network if ":" not in one.network else None)


def check_libraries(protocol: Protocol) -> None:
    """Stop before any training when a classifier of a fused arm cannot be loaded here.

    Raises
    ------
    InputError
        With what to install.
    """
    for fusion in protocol.fusions.values():
        if fusion.settings.join != MEAN:
            check_classifiers(fusion.candidates)
