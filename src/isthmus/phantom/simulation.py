"""What a simulation made, as its command shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.phantom.patients import Population


@dataclass(frozen=True)
class Simulation:
    """A virtual cohort that is finished.

    Parameters
    ----------
    folder : Path
        Where it lies.
    manifest : mapping
        The content of its ``manifest.json``.
    counts : list of dict
        ``site``, ``part``, ``class``, ``count`` of the target's units.
    seconds : dict
        Wall time by stage, of this command alone.
    """

    folder: Path
    manifest: Mapping[str, Any]
    counts: list[dict[str, Any]]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints with `--json`."""
        return {
            "cohort": str(self.folder),
            **{name: self.manifest[name] for name in ("preset", "seed", "observers")},
            **self.manifest["counts"],
            "units": self.counts,
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }

    def lines(self) -> list[str]:
        """Return what the command prints in words."""
        table = pd.DataFrame(self.counts).pivot_table(
            index=["site", "part"], columns="class", values="count", aggfunc="sum", fill_value=0, sort=False
        )
        counted = [
            f"  {site}, {part}: " + ", ".join(f"{int(count)} {name}" for name, count in row.items())
            for (site, part), row in zip(table.index, table.to_dict("records"), strict=True)
        ]
        best = [f"  {name}: {_shown(found)}" for name, found in self.manifest["observers"].items()]
        made = self.manifest["counts"]
        return [
            f"SIMULATED {self.manifest['preset']}: {made['patients']} patients, {made['nodules']} nodules, "
            f"{made['views']} views in {sum(self.seconds.values()):.0f} s",
            *counted,
            "AUC of the ideal observers of what each shows (± standard error); nothing does better:",
            *best,
            f"Cohort: {self.folder}",
            f"Next: isthmus cohort check {self.folder}",
        ]


def count_units(population: Population) -> list[dict[str, Any]]:
    """Return how many of the target's units each site has in each part and class (as labelled)."""
    target = population.preset.target
    units = population.nodules.drop_duplicates(f"{target.unit}_id")
    shown = pd.Categorical(units[target.column].map(dict(target.classes)), categories=list(target.classes.values()))
    names = {"site": units["site"], "part": units["split"], "class": shown}
    counted = pd.DataFrame(names).groupby(list(names), observed=False).size().rename("count").reset_index()
    # A class that a part lacks is said with its 0; a part that a site lacks is not.
    there = counted.groupby(["site", "part"])["count"].transform("sum") > 0
    return [{str(name): value for name, value in row.items()} for row in counted[there].to_dict("records")]


def _shown(found: Mapping[str, Any]) -> str:
    return f"{found['auc']:.4f} ± {found['standard_error']:.4f}"
