"""How fast a virtual cohort is made, and what memory it takes.

Rates: the first nodules of each preset, drawn and written with their masks as the command does it, on one core.
Cohorts: the whole command on the smallest preset, with few draws for its ideal observers so that pictures count.
Aims: the peak memory of no process grows with the cohort; two workers at least 1.6 times as fast as one (on 2 cores).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import tables
from isthmus.imaging.read import probe
from isthmus.phantom.patients import Population, draw_population
from isthmus.phantom.preset import load_preset, presets
from isthmus.phantom.rendering import render_nodule
from isthmus.phantom.work import share_out

SEED = 1
POPULATION = 100
DRAWS = 20_000
GROWTH_LIMIT = 1.3  # bounded caches of scan geometry and tissue textures fill over the first 250 views of a process
MOVING = ("cine", "ceus")

COMMAND = """
import json, resource, sys
from isthmus.phantom.cohort import simulate
if __name__ == "__main__":
    made = simulate("stills", sys.argv[1], int(sys.argv[2]), 1, int(sys.argv[3]), draws=int(sys.argv[4]))
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"seconds": made.seconds, "peaks": peaks}))
"""


def rates(nodules: int) -> list[dict[str, Any]]:
    """Return a row for each preset and modality: stills or frames a second, and what 100 nodules take."""
    rows = []
    for name in presets():
        # A worker of the command measures: one thread, nothing else in its memory.
        ((views, seconds, frames),) = share_out([(measured, (name, nodules))], 1)
        of_all = sum(seconds.values())
        for modality, taken in seconds.items():
            rows.append(
                {
                    "preset": name,
                    "modality": modality,
                    "views a nodule": views[modality],
                    "counted": "frames" if modality in MOVING else "stills",
                    "a second": frames[modality] / taken,
                    "seconds of 100 nodules": taken / nodules * 100,
                    "of all modalities": of_all / nodules * 100,
                }
            )
    return rows


def measured(name: str, nodules: int) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
    """Return by modality views a nodule, wall seconds and frames; the first nodule fills caches and does not count."""
    population = draw_population(load_preset(name), POPULATION, SEED)
    chosen = spread(population, nodules)
    seconds: dict[str, float] = defaultdict(float)
    frames: dict[str, int] = defaultdict(int)
    with tempfile.TemporaryDirectory() as place:
        for number, row in enumerate([chosen[0], *chosen]):
            for view in population.views[population.views["nodule_id"] == row["nodule_id"]].to_dict("records"):
                start = time.perf_counter()
                render_nodule(Path(place), SEED, row, [view], population.preset.sites[row["site"]].habits)
                taken = time.perf_counter() - start
                (path,) = Path(place, "pictures", view["patient_id"]).glob(f"{view['view_id']}.*")
                if number:
                    seconds[view["modality"]] += taken
                    frames[view["modality"]] += probe(path).frames
    views = population.views["modality"].value_counts() / POPULATION
    return views.to_dict(), dict(seconds), dict(frames)


def spread(population: Population, nodules: int) -> list[dict[Any, Any]]:
    """Return nodules that have every modality, dealt evenly to the preset's scanners."""
    whole = population.nodules[population.nodules.filter(like="has_").all(axis=1)]
    turn = whole.groupby("device").cumcount()
    return whole.assign(turn=turn).sort_values(["turn", "device"]).head(nodules).to_dict("records")


def cohorts(sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return a row for each (nodules, workers): seconds, and the peak memory of the command and its largest worker."""
    rows = []
    for nodules, workers in sizes:
        with tempfile.TemporaryDirectory() as place:
            script = Path(place, "command.py")
            script.write_text(COMMAND, encoding="utf-8")
            arguments = [
                sys.executable,
                str(script),
                str(Path(place, "cohort")),
                str(nodules),
                str(workers),
                str(DRAWS),
            ]
            done = json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
        rows.append(
            {
                "nodules": nodules,
                "workers": workers,
                "seconds of pictures": done["seconds"]["pictures"],
                "seconds of the rest": sum(done["seconds"].values()) - done["seconds"]["pictures"],
                "MiB of the command": round(done["peaks"][0]),
                "MiB of a worker": round(done["peaks"][1]),
            }
        )
    return rows


def main() -> None:
    """Measure and write; exit 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodules", type=int, default=4, help="of each preset, for the rates")
    options = parser.parse_args()
    facts = {"cores": os.cpu_count(), **tables.machine()}
    words = "Drawn and written with masks, on one core; 'seconds of 100 nodules' leaves out the ideal observers."
    tables.write("simulation_rates", {"nodules": options.nodules, **facts}, rates(options.nodules), words)
    rows = cohorts([(40, 2), (200, 2), (60, 1), (60, 2)])
    ratio = rows[2]["seconds of pictures"] / rows[3]["seconds of pictures"]
    growth = rows[1]["MiB of a worker"] / rows[0]["MiB of a worker"]
    measured_facts = {"two_workers_over_one": ratio, "worker_growth_40_to_200": growth, "draws": DRAWS, **facts}
    tables.write(
        "simulation_cohorts", measured_facts, rows, "The whole command on preset stills; each process's own peak."
    )
    if growth > GROWTH_LIMIT or (ratio < 1.6 and (os.cpu_count() or 1) > 1):
        sys.exit(f"memory grew {growth:.2f} times (limit {GROWTH_LIMIT}); two workers are {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
