"""The tables of a virtual cohort, and the words that say what it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.description import Description, ReadScale, write_description
from isthmus.files import read_json, write_text
from isthmus.manifest import DISCLAIMER, version
from isthmus.phantom.patients import NOISY_PARTS, Population
from isthmus.phantom.readers import SCALE
from isthmus.phantom.rendering import TRUTH, WORK, rows_file
from isthmus.phantom.truth import reads_of, write_truth
from isthmus.tables.check import write_table

LICENCE: Final = "CC0-1.0"


def write_tables(partial: Path, population: Population, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Write all tables, ``cohort.yaml``, ``README.txt`` and ``truth/`` of a cohort whose views are drawn.

    Parameters
    ----------
    partial : Path
        The cohort in the making.
    population : Population
        Whose views they are.
    plan : mapping
        The command: ``preset``, ``preset_sha256``, ``nodules``, ``seed``, ``observers_draws``.

    Returns
    -------
    dict
        What the manifest says of it.
    """
    found = [read_json(rows_file(partial, name)) for name in population.nodules["nodule_id"]]
    rows = {kind: [row for nodule in found for row in nodule[kind]] for kind in ("views", "boxes", "truth")}
    write_table(partial / "patients.csv", population.patients)
    write_table(partial / "nodules.csv", population.nodule_table())
    write_table(partial / "views.csv", pd.DataFrame(rows["views"]))
    if rows["boxes"]:
        write_table(partial / "boxes.csv", pd.DataFrame(rows["boxes"]))
    reads = reads_of(population, partial / WORK)
    if reads is not None:
        write_table(partial / "reads.csv", reads)
    description = _describe(population, plan)
    write_description(partial, description)
    truth = write_truth(partial / TRUTH, population, int(plan["observers_draws"]), rows["truth"], partial / WORK)
    counts = {"patients": len(population.patients), "nodules": len(population.nodules), "views": len(rows["views"])}
    write_text(partial / "README.txt", _readme(partial, description, counts))
    load_cohort(partial)  # what we write keeps our own contract, or is not published
    return {
        "simulated": True,
        **{key: plan[key] for key in ("preset", "preset_sha256", "seed", "observers_draws")},
        "counts": counts,
        "observers": truth["observers"],
    }


def tables_of(folder: Path) -> list[Path]:
    """Return the files of a cohort that are neither pictures nor masks."""
    return [
        path
        for place in (folder, folder / TRUTH)
        for kind in ("csv", "yaml", "txt")
        for path in place.glob(f"*.{kind}")
    ]


def _describe(population: Population, plan: Mapping[str, Any]) -> Description:
    preset, target = population.preset, population.preset.target
    sites = ", ".join(name for name, site in preset.sites.items() if site.external)
    remarks = [
        "SIMULATED: no patient, no tissue, no scanner. Pictures are computed by a physical model.",
        f"Preset {preset.name}, after the cohort of {preset.protocol}; {plan['nodules']} nodules, seed {plan['seed']}.",
        "The rule that makes the label is known, and so is the best AUC that anything can reach: see truth/.",
        "Outlines are exact; descriptors are one simulated reader's, with published disagreement.",
    ]
    noisy = preset.label_noise if set(preset.parts) & set(NOISY_PARTS) else 0.0
    if noisy:
        remarks.append(f"{noisy:.1%} of the labels in train and tune are wrong on purpose; none elsewhere.")
    if sites:
        remarks.append(f"External sites: {sites}.")
    if preset.readers is not None:
        remarks.append("Readers are simulated; their accuracy is set by the simulation.")
    scored = preset.readers is not None and len(preset.classes) == 2
    return Description(
        name=f"SIMULATED: {preset.title}, seed {plan['seed']}",
        licence=LICENCE,
        citation=f"Made by Isthmus {version()}: isthmus cohort simulate {preset.name} --nodules {plan['nodules']} "
        f"--seed {plan['seed']}{'' if set(preset.parts) & set(NOISY_PARTS) else ' --test-only'}",
        simulated=True,
        remarks=remarks,
        targets={target.name: target.definition},
        reads=ReadScale(low=SCALE[0], high=SCALE[1], higher_is="positive") if scored else None,
    )


def _readme(partial: Path, description: Description, counts: Mapping[str, int]) -> str:
    tables = " ".join(sorted(path.name for path in partial.glob("*.csv")))
    lines = [
        "SIMULATED thyroid ultrasound. Nothing here comes from a patient.",
        DISCLAIMER,
        "",
        *description.remarks,
        "",
        ", ".join(f"{count} {name}" for name, count in counts.items()) + ".",
        f"Licence: {description.licence}. {description.citation}",
        "",
        f"cohort.yaml {tables} pictures/ masks/: the cohort, as any other.",
        "truth/: findings, clean labels, what ideal observers say, calcifications. Keep it from whatever is tested.",
    ]
    return "\n".join(lines) + "\n"
