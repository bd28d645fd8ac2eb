"""Everything that a run found, computed: `evidence.json` and its tables, from the predictions and what is true."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class RunResults:
    """What a run's evidence is computed from.

    Parameters
    ----------
    folder : Path
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
    seed_rows : DataFrame, optional
        The sets kept aside as each seed's model scores them, where every seed's met them.
    candidates : dict, optional
        How each arm's network was chosen, where it was chosen among several.
    clinical : dict, optional
        The clinical model in odds ratios, and its nomogram.
    doubts : DataFrame, optional
        What warns of each case beside its probability, as `case_doubts` gives it.
    """

    folder: Path
    protocol: Protocol
    cases: Cases
    predictions: pd.DataFrame
    frozen: dict[str, Any]
    leak: LeakDemonstration | None
    truth: Truth | None
    outside: Mapping[str, dict[str, Any]]
    changed_boxes: pd.DataFrame
    facts: pd.DataFrame
    descriptors: DescriptorEvidence
    seed_rows: pd.DataFrame | None = None
    candidates: dict[str, Any] | None = None
    clinical: dict[str, Any] | None = None
    doubts: pd.DataFrame | None = None

    @property
    def positive(self) -> str:
        """The class whose probability is ranked."""
        return self.cases.classes[-1]

    @property
    def held_out(self) -> pd.DataFrame:
        """The rows that evidence may rest on."""
        return self.predictions[self.predictions["split"] != "tune"].reset_index(drop=True)

    @property
    def own(self) -> pd.DataFrame:
        """Those of the run's own cohort."""
        held_out = self.held_out
        return held_out[~held_out["cohort"].isin(list(self.outside))].reset_index(drop=True)

    @property
    def graded(self) -> tuple[str, ...]:
        """The cohorts whose labels are readers' grades."""
        names = [name for name, one in self.outside.items() if one["reference"] == "tirads"]
        return (*names, *([self.cases.cohort.name] if self.cases.target.reference == "tirads" else []))


def write_evidence(results: RunResults) -> dict[str, Any]:
    """Compute every estimate with its interval, and write `evidence.json` and `tables/`.

    Returns
    -------
    dict
        The content of `evidence.json`.
    """
    table = analysis_table(results.held_out, positive=results.positive, frozen=results.frozen)
    described = results.descriptors.tables(table)
    evidence = {
        **_computed(results),
        "regions": _regions(results),
        "error_rates": error_rates(table, results.facts, graded=results.graded),
        **described,
        **({"external": dict(results.outside)} if results.outside else {}),
        **({} if results.clinical is None else {"clinical_model": results.clinical}),
        **({} if results.leak is None else {"leak": asdict(results.leak)}),
        **({} if results.truth is None else {"ideal_observer": _ideal_observers(results, results.truth)}),
    }
    write_json(results.folder / "evidence.json", evidence)
    tables = results.folder / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    write_tables(tables, evidence, table)
    write_table(tables / CASES_TABLE, results.facts)
    if results.doubts is not None and len(results.doubts):
        write_table(tables / "case_doubts.csv", results.doubts)
    for name, rows in described.items():
        write_table(tables / f"{name}.csv", pd.DataFrame(rows))
    return evidence


def _computed(results: RunResults) -> dict[str, Any]:
    """Return what follows from the predictions, reads and facts of the cases."""
    cases, report, primary = results.cases, results.protocol.report, results.protocol.primary
    samplings = cases.cohort.nodules.get("sampling", pd.Series(dtype=str)).dropna().unique()
    own, reads = results.own, cases.cohort.reads
    if results.truth is not None:
        reads = read_again(results.folder, cases.cohort, own, results.frozen, primary.arm)
    return compute_evidence(
        results.held_out,
        positive=results.positive,
        reference_arm=primary.against,
        primary=primary.model_dump(),
        secondary=tuple(contrast.model_dump() for contrast in results.protocol.secondary),
        oracles=tuple(key for key, arm in results.protocol.arms.items() if arm.oracle),
        seed_rows=results.seed_rows,
        frozen=results.frozen,
        reference=cases.target.reference,
        sampling=str(samplings[0]) if len(samplings) == 1 else None,
        prevalences=tuple(report.prevalences),
        cases=results.facts,
        table_one=None if report.table1 is None else tuple(report.table1),
        table_one_mode=report.table1_mode,
        graded=results.graded,
        reads=reads_of_the_target(reads, cases, own),
        higher_is=cases.cohort.read_scale.higher_is if cases.cohort.read_scale else "positive",
        simulated_readers=cases.cohort.simulated,
        candidates=results.candidates,
        class_names=dict(cases.target.classes) if len(cases.classes) > 2 else None,
        pictures=picture_rows(results.folder / "predictions_views.parquet", cases.classes, results.frozen),
        doubts=results.doubts,
    )


def _regions(results: RunResults) -> dict[str, Any]:
    """Return what moved and scaled boxes do, and who drew them."""
    views = results.cases.pictures[["view_id", "label", "group_id", "region_source"]]
    return {
        "moved": region_evidence(results.changed_boxes, results.held_out, positive=results.positive),
        "sources": region_sources(views, dict(results.cases.target.classes)),
    }


def _ideal_observers(results: RunResults, truth: Truth) -> dict[str, Any]:
    """Return how near each arm comes to what its modalities make possible."""
    arms, fusions = results.protocol.arms, results.protocol.fusions
    shown = {key: observed(arm) for key, arm in arms.items()}
    shown |= {key: observed_together([arms[arm] for arm in fusion.fuse]) for key, fusion in fusions.items()}
    return ideal_observer_evidence(
        results.own,
        truth,
        {key: modalities for key, (modalities, _) in shown.items()},
        remarks={key: remark for key, (_, remark) in shown.items()},
        positive=results.positive,
    )


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
