"""What the simulation knows, written beside the cohort: the folder ``truth/``, and the reads that follow from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.errors import CohortError
from isthmus.files import read_json, write_bytes, write_json, write_yaml
from isthmus.phantom.labels import site_intercepts
from isthmus.phantom.observers import fit_observers
from isthmus.phantom.patients import NOISY_PARTS, Population, draw_population
from isthmus.phantom.preset import Preset
from isthmus.phantom.reads import unaided_reads
from isthmus.tables.check import write_table

FORMAT: Final = "isthmus-truth/1.0"
READ_PARTS: Final = ("test", "external")
"""The parts that readers are shown."""

_OBSERVED, _POPULATION = "observers.csv", "observers.json"


def observe(work: Path, preset: Preset, nodules: int, seed: int, draws: int) -> str:
    """Fit a preset's ideal observers and write what they say of a cohort's nodules.

    Parameters
    ----------
    work : Path
        Where ``observers.csv`` and, last, ``observers.json`` go.
    preset, nodules, seed
        The cohort's.
    draws : int
        Picture-free nodules that the observers are fitted on.

    Returns
    -------
    str
        The name of the file that says that it is done.
    """
    population = draw_population(preset, nodules, seed)
    observers = fit_observers(preset, draws=draws)
    rows = []
    for name in observers.names:
        chances = observers.probabilities(name, population.nodules)
        columns = {f"p_{code}": chances[:, place] for place, code in enumerate(preset.classes)}
        unit = population.nodules[f"{preset.target.unit}_id"]
        rows.append(pd.DataFrame({"target": preset.target.name, "observer": name, "unit_id": unit, **columns}))
    # A nodule that lacks all of an observer's modalities has no row.
    write_table(work / _OBSERVED, pd.concat(rows, ignore_index=True).dropna())
    write_json(work / _POPULATION, dict(observers.population))
    return _POPULATION


def observed(work: Path) -> bool:
    """Return whether :func:`observe` has finished."""
    return (work / _POPULATION).is_file()


def write_truth(
    folder: Path, population: Population, draws: int, views: Sequence[Mapping[str, Any]], work: Path
) -> Mapping[str, Any]:
    """Write ``truth.yaml``, ``nodules.csv``, ``observers.csv`` and ``views.csv``.

    Parameters
    ----------
    folder : Path
        The cohort's ``truth/``.
    population : Population
        With latents and clean labels.
    draws : int
        What the observers were fitted on.
    views : sequence of mapping
        ``view_id``, ``calcifications`` (file inside ``folder``, empty where none shows), ``plane``.
    work : Path
        Where :func:`observe` wrote.

    Returns
    -------
    mapping
        The content of ``truth.yaml``.
    """
    content = {"format": FORMAT, **_description(population, draws, read_json(work / _POPULATION))}
    latents = population.nodules.drop(columns=["group_id", "reference", "sampling"])
    write_table(folder / "nodules.csv", latents)
    write_bytes(folder / "observers.csv", (work / _OBSERVED).read_bytes())
    write_table(folder / "views.csv", pd.DataFrame(views, columns=["view_id", "calcifications", "plane"]))
    write_yaml(folder / "truth.yaml", content)
    return content


def reads_of(population: Population, work: Path) -> pd.DataFrame | None:
    """Return the unaided reads of the preset's readers, or None where it has none."""
    preset, target = population.preset, population.preset.target
    if preset.readers is None:
        return None
    units = pd.DataFrame(
        {
            "unit_id": population.nodules[f"{target.unit}_id"],
            "label": population.nodules[f"true_{target.name}"],
            "read": population.nodules["split"].isin(READ_PARTS),
        }
    )
    chances = _probabilities(work, preset.readers.observer, preset)
    units = units[units["unit_id"].isin(chances.index)]
    found = chances.loc[units["unit_id"]].to_numpy(dtype=np.float64)
    return unaided_reads(preset.readers, target.name, units, preset.classes, found, population.seed)


def check_readers(preset: Preset) -> None:
    """Refuse a preset whose readers see modalities that it does not record.

    Raises
    ------
    CohortError
        With the modalities there are.
    """
    if preset.readers is None:
        return
    unknown = set(preset.readers.observer.split("+")) - set(preset.modalities)
    if unknown:
        raise CohortError(
            f"the readers see {', '.join(sorted(unknown))}, which preset {preset.name} does not record",
            expected=", ".join(preset.modalities),
        )


def _probabilities(work: Path, observer: str, preset: Preset) -> pd.DataFrame:
    table = pd.read_csv(work / _OBSERVED, dtype={"unit_id": str, "observer": str})
    rows = table[table["observer"] == observer].set_index("unit_id")
    if rows.empty:
        names = ", ".join(table["observer"].unique())
        raise CohortError(f"no ideal observer is called {observer!r}", where=f"preset {preset.name}", expected=names)
    return rows[[f"p_{code}" for code in preset.classes]]


def _description(population: Population, draws: int, observers: Mapping[str, Any]) -> dict[str, Any]:
    preset, target, nodules = population.preset, population.preset.target, population.nodules
    inside = nodules[nodules["split"].isin(NOISY_PARTS)]
    inside = nodules if inside.empty else inside
    shares = inside[target.column].value_counts(normalize=True)
    return {
        "notice": "SIMULATED. Only the report may look at this folder; a model that does knows the answers.",
        "preset": preset.name,
        "nodules": len(nodules),
        "seed": population.seed,
        "target": {"name": target.name, "unit": target.unit, "classes": dict(target.classes)},
        "prevalence": {target.name: {code: round(float(shares.get(code, 0.0)), 6) for code in preset.classes}},
        "observers_draws": draws,
        "observers": dict(observers),
        "label_model": {
            "form": "log odds against the first class: the site's intercept plus coefficients times features",
            "coefficients": {code: dict(terms) for code, terms in target.coefficients.items()},
            "intercepts": {
                site: [round(float(value), 9) for value in values] for site, values in site_intercepts(preset).items()
            },
        },
        "label_noise": {
            "rate": preset.label_noise,
            "parts": list(NOISY_PARTS),
            "changed": int(nodules["label_flipped"].sum()),
        },
        "readers": None if preset.readers is None else preset.readers.model_dump(mode="json"),
    }
