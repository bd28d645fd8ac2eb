"""Make a virtual cohort: patients drawn, views rendered in parallel, tables and truth written. Resumable.

Work lies in ``DEST.partial``; the same command goes on from what is there. The same preset, number and seed give the
same bytes, whatever the number of processes and however often it was stopped.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from isthmus.errors import CohortError, OutputError
from isthmus.files import (
    locked,
    publish_folder,
    read_json,
    refuse_existing,
    sha256_of_json,
    write_json,
    writing,
)  # fmt: skip
from isthmus.manifest import Manifest, commit, version
from isthmus.phantom.cohort_tables import tables_of, write_tables
from isthmus.phantom.patients import Population, draw_population
from isthmus.phantom.preset import Preset, load_preset
from isthmus.phantom.rendering import WORK, render_nodule, rows_file
from isthmus.phantom.simulation import Simulation, count_units
from isthmus.phantom.truth import check_readers, observe, observed
from isthmus.phantom.work import Task, share_out
from isthmus.progress import Progress

DRAWS: Final = 1_000_000
"""Picture-free nodules that the ideal observers are fitted on."""

PLAN: Final = "plan.json"
_FINISHED: Final = "timing.json"  # the last file that is written
_MOST_TRIED: Final = 20_000
_TO_TRAIN_ON: Final = 5  # groups of a class: one held out in each of five folds, one to tune on, three to train on


def simulate(
    preset: str | Preset,
    destination: Path | str,
    nodules: int,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    *,
    test_only: bool = False,
    draws: int = DRAWS,
) -> Simulation:
    """Make a virtual cohort (contract 1, with ``truth/``).

    Parameters
    ----------
    preset : str or Preset
        A name of :func:`isthmus.phantom.preset.presets`, or one of your own.
    destination : Path
        The folder to make. ``<destination>.partial`` of the same command, stopped before, is gone on with.
    nodules : int
        Exactly so many.
    seed : int
        At least 0. Same seed, same bytes.
    workers : int, optional
        Processes; by default one a core.
    progress : callable, optional
        Called as ``progress(what, done, total)``.
    test_only : bool
        All patients are for testing: no part is trained on, so no label is wrong on purpose; external sites stay apart.
    draws : int
        Picture-free nodules for the ideal observers.

    Returns
    -------
    Simulation

    Raises
    ------
    CohortError
        For an unknown preset, a number below 1, or too few nodules for every class in every part.
    OutputError
        When the destination exists, the partial folder is another command's, or the disk is full: then what is done
        stays.
    """
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    if test_only:
        chosen = chosen.model_copy(update={"parts": {"test": dict.fromkeys(chosen.classes, 1.0)}})
    _check_numbers(nodules=(nodules, 1), seed=(seed, 0), workers=(1 if workers is None else workers, 1))
    check_readers(chosen)
    destination = Path(destination)
    refuse_existing(destination)
    record = Manifest(f"cohort simulate {chosen.name}")
    with record.stage("population"):
        population = draw_population(chosen, nodules, seed)
        _enough_of_each(population)
    partial = destination.with_name(destination.name + ".partial")
    plan = _plan(chosen, nodules, seed, draws)
    _check_claim(partial, plan)
    with locked(partial / WORK / "lock"):
        _check_claim(partial, plan)
        write_json(partial / PLAN, plan)
        if not (partial / _FINISHED).is_file():
            _sweep(partial)
            with _kept(partial, nodules):
                with record.stage("pictures"):
                    _render(partial, population, plan, workers or os.cpu_count() or 1, progress)
                with record.stage("tables"):
                    record.facts |= write_tables(partial, population, plan)
                record.write(partial, tables_of(partial))
        facts = read_json(partial / "manifest.json")
    with writing(destination):
        shutil.rmtree(partial / WORK)
        publish_folder(partial, destination)
        (destination / PLAN).unlink()
    return Simulation(destination, facts, count_units(population), dict(record.seconds))


def _check_numbers(**numbers: tuple[int, int]) -> None:
    for name, (value, least) in numbers.items():
        if value < least:
            raise CohortError(f"--{name} {value}", expected=f"at least {least}")


def _plan(preset: Preset, nodules: int, seed: int, draws: int) -> dict[str, Any]:
    return {
        "format": "isthmus-plan/1.0",
        "preset": preset.name,
        "preset_sha256": sha256_of_json(preset.model_dump(mode="json")),
        "nodules": nodules,
        "seed": seed,
        "observers_draws": draws,
        "isthmus": version(),
        "commit": commit(),
    }


def _check_claim(partial: Path, plan: Mapping[str, Any]) -> None:
    """Refuse a partial folder that another command left."""
    if not partial.is_dir() or not any(path.name != WORK for path in partial.iterdir()):
        return
    found = read_json(partial / PLAN, name="plan") if (partial / PLAN).is_file() else {}
    other = [f"{name} {found.get(name, '?')}" for name in plan if found.get(name) != plan[name]]
    if other:
        raise OutputError(
            f"another command's unfinished work lies here: {', '.join(other)}",
            where=str(partial),
            expected=", ".join(f"{name} {plan[name]}" for name in plan if found.get(name) != plan[name]),
            hint="repeat that command, or remove the folder",
        )


def _sweep(partial: Path) -> None:
    """Remove the temporary files of processes that were killed."""
    for path in partial.rglob(".*.partial*"):
        path.unlink(missing_ok=True)


def _enough_of_each(population: Population) -> None:
    """Refuse a cohort in which a part lacks a class, and name a number that is enough."""
    lacking = _lacking(population)
    if not lacking:
        return
    preset, nodules = population.preset, len(population.nodules)
    enough = nodules
    # What is advised can be divided into folds too; a smaller cohort is made where it is asked for.
    while enough < _MOST_TRIED and _lacking(draw_population(preset, enough, population.seed), _TO_TRAIN_ON):
        enough = max(enough + 4, enough * 5 // 4)
    raise CohortError(
        f"{nodules} nodules leave {lacking[0][0]} without {lacking[0][1]!r}",
        where=f"preset {preset.name}, seed {population.seed}",
        expected=f"every class in {', '.join(_parts(preset))}",
        hint=f"--nodules {enough} is enough with this seed",
    )


def _parts(preset: Preset) -> list[str]:
    return [*preset.parts, *(["external"] if any(site.external for site in preset.sites.values()) else [])]


def _lacking(population: Population, to_train_on: int = 1) -> list[tuple[str, str]]:
    """Return the parts and classes without a patient group, in the training part with fewer than `to_train_on`."""
    preset, nodules = population.preset, population.nodules
    groups = nodules.drop_duplicates(["split", preset.target.column, "group_id"])
    counts = Counter(zip(groups["split"], groups[preset.target.column], strict=True))
    there = {place for place, number in counts.items() if number >= (to_train_on if place[0] == "train" else 1)}
    wanted = [(part, code) for part in _parts(preset) for code in preset.classes]
    # A class that no patient of the part may have (a number of 0) is not missed.
    planned = [(part, code) for part, code in wanted if part == "external" or preset.parts[part][code] > 0]  # type: ignore[index]
    return [(part, preset.target.classes[code]) for part, code in planned if (part, code) not in there]


def _render(
    partial: Path, population: Population, plan: Mapping[str, Any], workers: int, progress: Progress | None
) -> None:
    """Fit the observers and draw the nodules that are not done, side by side."""
    move = progress or (lambda what, done, total: None)
    total = len(population.nodules)
    done = sum(rows_file(partial, name).is_file() for name in population.nodules["nodule_id"])
    fitted = observed(partial / WORK)
    move("nodules", done, total)
    move("ideal observers", int(fitted), 1)
    left = total - done + (not fitted)
    for _ in share_out(_tasks(partial, population, plan), min(workers, left)) if left else ():
        finished = observed(partial / WORK)
        done += not (finished and not fitted)
        fitted = finished
        move("nodules", done, total)
        move("ideal observers", int(fitted), 1)


@contextmanager
def _kept(partial: Path, nodules: int) -> Iterator[None]:
    """Let a refusal to write say what is not lost."""
    try:
        yield
    except OutputError as error:
        done = sum(1 for _ in (partial / WORK).glob("N*.json"))
        raise OutputError(
            error.what,
            where=error.where,
            hint=f"{done} of {nodules} nodules are done and kept; when that is mended, the same command goes on",
        ) from error


def _tasks(partial: Path, population: Population, plan: Mapping[str, Any]) -> Iterator[Task]:
    """Give the observers first, the longest task, then each nodule without its rows."""
    preset, seed = population.preset, population.seed
    if not observed(partial / WORK):
        yield observe, (partial / WORK, preset, plan["nodules"], seed, plan["observers_draws"])
    views = population.views.groupby("nodule_id", sort=False).indices
    for place, (name, site) in enumerate(population.nodules[["nodule_id", "site"]].itertuples(index=False)):
        if not rows_file(partial, name).is_file():
            nodule = population.nodules.iloc[place].to_dict()
            own = population.views.iloc[views[name]].to_dict("records") if name in views else []
            yield render_nodule, (partial, seed, nodule, own, preset.sites[site].habits)
