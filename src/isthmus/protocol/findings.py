"""Everything that a run found, computed: `evidence.json` and its tables, from the predictions and what is true."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.files import write_json
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases
from isthmus.protocol.class_calls import picture_rows
from isthmus.protocol.descriptor_evidence import DescriptorEvidence
from isthmus.protocol.schema import Protocol
from isthmus.protocol.simulated import read_again
from isthmus.report.analysis_table import analysis_table
from isthmus.report.arm_modalities import ALL_OF_THEM, modalities_shown
from isthmus.report.context import LeakDemonstration
from isthmus.report.error_rates import error_rates
from isthmus.report.evidence import compute_evidence
from isthmus.report.ideal_observer import ideal_observer_evidence
from isthmus.report.regions import region_evidence, region_sources
from isthmus.report.tables import write_tables
from isthmus.report.truth import Truth
from isthmus.tables.cases import CASES_TABLE
from isthmus.tables.check import write_table


def write_evidence(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    predictions: pd.DataFrame,
    frozen: dict[str, Any],
    *,
    leak: LeakDemonstration | None,
    truth: Truth | None,
    outside: Mapping[str, dict[str, Any]],
    changed_boxes: pd.DataFrame,
    facts: pd.DataFrame,
    descriptors: DescriptorEvidence,
    secondary: Sequence[Mapping[str, Any]] = (),
    seed_rows: pd.DataFrame | None = None,
    candidates: dict[str, Any] | None = None,
    clinical: dict[str, Any] | None = None,
    doubts: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Compute every estimate with its interval, and write `evidence.json` and `tables/`.

    Parameters
    ----------
    run_folder : Path
        The run.
    protocol : Protocol
        Resolved.
    cases : Cases
        What the arms were trained on.
    predictions : DataFrame
        The table of the run.
    frozen : dict
        The content of `frozen.json`.
    leak : LeakDemonstration, optional
        The arm whose pictures were divided on purpose.
    truth : Truth, optional
        Of a simulated cohort: adds `ideal_observer`.
    outside : mapping
        What is to be said of each other cohort, by name; its truth and readers are not asked.
    changed_boxes : DataFrame
        Held-out rows scored with boxes moved and scaled; empty where no arm looks at lesion crops.
    facts : DataFrame
        What is known of the cases of all cohorts, as `case_facts` gives it.
    descriptors : DescriptorEvidence
        How well each arm's held-out nodules were described.
    secondary : sequence of mapping
        Contrasts named after the primary one: title, arm, against (arms).
    seed_rows : DataFrame, optional
        The sets kept aside as each seed's model scores them, where every seed's met them.

    candidates : dict, optional
        How each arm's network was chosen, where it was chosen among several.
    clinical : dict, optional
        The clinical model in odds ratios, and its nomogram.
    doubts : DataFrame, optional
        What warns of each case beside its probability, as `case_doubts` gives it.

    Returns
    -------
    dict
        The content of `evidence.json`.
    """
    positive, primary = cases.classes[-1], protocol.primary
    held_out = predictions[predictions["split"] != "tune"].reset_index(drop=True)
    samplings = cases.cohort.nodules.get("sampling", pd.Series(dtype=str)).dropna().unique()
    own = held_out[~held_out["cohort"].isin(list(outside))].reset_index(drop=True)
    reads = read_again(run_folder, cases.cohort, own, frozen, primary.arm) if truth else cases.cohort.reads
    graded = [name for name, one in outside.items() if one["reference"] == "tirads"]
    graded += [cases.cohort.name] if cases.target.reference == "tirads" else []
    evidence = compute_evidence(
        held_out,
        positive=positive,
        reference_arm=primary.against,
        primary=primary.model_dump(),
        secondary=tuple(dict(contrast) for contrast in secondary),
        oracles=tuple(key for key, arm in protocol.arms.items() if arm.oracle),
        seed_rows=seed_rows,
        frozen=frozen,
        reference=cases.target.reference,
        sampling=str(samplings[0]) if len(samplings) == 1 else None,
        prevalences=tuple(protocol.report.prevalences),
        cases=facts,
        table_one=None if protocol.report.table1 is None else tuple(protocol.report.table1),
        table_one_mode=protocol.report.table1_mode,
        graded=tuple(graded),
        reads=reads_of_the_target(reads, cases, own),
        higher_is=cases.cohort.read_scale.higher_is if cases.cohort.read_scale else "positive",
        simulated_readers=cases.cohort.simulated,
        candidates=candidates,
        class_names=dict(cases.target.classes) if len(cases.classes) > 2 else None,
        pictures=picture_rows(run_folder / "predictions_views.parquet", cases.classes, frozen),
        doubts=doubts,
    )
    views = cases.pictures[["view_id", "label", "group_id", "region_source"]]
    evidence["regions"] = {
        "moved": region_evidence(changed_boxes, held_out, positive=positive),
        "sources": region_sources(views, dict(cases.target.classes)),
    }
    table = analysis_table(held_out, positive=positive, frozen=frozen)
    evidence["error_rates"] = error_rates(table, facts, graded=graded)
    described = descriptors.tables(table)
    evidence |= described
    if outside:
        evidence["external"] = dict(outside)
    if clinical is not None:
        evidence["clinical_model"] = clinical
    if leak is not None:
        evidence["leak"] = asdict(leak)
    if truth is not None:
        shown = {key: observed(arm) for key, arm in protocol.arms.items()} | {
            key: observed_together([protocol.arms[arm] for arm in fusion.fuse])
            for key, fusion in protocol.fusions.items()
        }
        evidence["ideal_observer"] = ideal_observer_evidence(
            own,
            truth,
            {key: modalities for key, (modalities, _) in shown.items()},
            remarks={key: remark for key, (_, remark) in shown.items()},
            positive=positive,
        )
    write_json(run_folder / "evidence.json", evidence)
    shutil.rmtree(run_folder / "tables", ignore_errors=True)
    write_tables(run_folder / "tables", evidence, table)
    write_table(run_folder / "tables" / CASES_TABLE, facts)
    if doubts is not None and len(doubts):
        write_table(run_folder / "tables" / "case_doubts.csv", doubts)
    for name, rows in described.items():
        write_table(run_folder / "tables" / f"{name}.csv", pd.DataFrame(rows))
    return evidence


def observed(arm: Arm) -> tuple[list[str], str]:
    """Return the modalities whose ideal observer an arm stands beside, and a remark on it."""
    frames = arm.prepare.frames
    if arm.view.join is not None:
        return list(arm.view.shown), "" if len(arm.view.shown) == 1 else ALL_OF_THEM
    return modalities_shown(arm.view.modality, None if frames is None else frames.count, oracle=arm.oracle)


def observed_together(arms: Sequence[Arm]) -> tuple[list[str], str]:
    """Return the modalities whose ideal observer a fusion of arms stands beside, and the arms' remarks."""
    each = [observed(arm) for arm in arms]
    modalities = list(dict.fromkeys(name for names, _ in each for name in names))
    return modalities, " ".join(dict.fromkeys(remark for _, remark in each if remark))


def reads_of_the_target(reads: pd.DataFrame | None, cases: Cases, own: pd.DataFrame) -> pd.DataFrame | None:
    """Return the reads of the run's target; None where none is of a held-out unit."""
    asked = None if reads is None else reads[reads["target"] == cases.target.name]
    unseen = own[~own["split"].isin(["tune", "train"])]
    return asked if asked is not None and asked["unit_id"].isin(unseen["unit_id"]).any() else None
