"""What a run will do and how long it takes here: asked before anything is written."""

from collections.abc import Iterable
from pathlib import Path

from isthmus.cohort.cohort import load_cohort
from isthmus.models.weights import locate
from isthmus.protocol.arithmetic import try_arithmetic
from isthmus.protocol.cases import find_cases
from isthmus.protocol.fits import Plan, list_fits, list_picture_level_fits, make_plan
from isthmus.protocol.parts import divide, set_aside
from isthmus.protocol.resolve import resolve_protocol
from isthmus.protocol.schema import Protocol


def plan_run(protocol: str, cohort: Path | str, *, profile: str = "paper", settings: Iterable[str] = ()) -> Plan:
    """Return what a run will do and how long it takes here, after a few timed steps; nothing is written.

    Raises
    ------
    ProtocolError, CohortError
        As :func:`isthmus.protocol.run.run`.
    """
    resolved = resolve_protocol(protocol, profile, list(settings))
    cases = find_cases(resolved, load_cohort(cohort))
    split, aside = divide(resolved, cases)
    arithmetic = try_arithmetic(resolved, len(cases.classes))
    training, _ = set_aside(cases, aside)
    keys = dict.fromkeys(resolved.arms, "")
    fits = list_fits(resolved, training, split, keys, arithmetic)
    fits += list_picture_level_fits(resolved, training, keys, arithmetic)
    return make_plan(protocol, resolved, cases, fits, fits, arithmetic)


def check_weights(protocol: Protocol) -> None:
    """Stop before any training when initial weights are absent.

    Raises
    ------
    WeightsError
        With the command that brings them.
    """
    for arm in protocol.arms.values():
        if arm.weights is not None:
            locate(arm.weights, network=arm.network if ":" not in arm.network else None)
