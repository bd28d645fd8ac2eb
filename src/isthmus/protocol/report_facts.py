"""What a run tells its report: the cohort in counts, the checks in words, the arms as they are named."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from isthmus.protocol.arm_facts import all_arm_facts
from isthmus.protocol.cases import Cases
from isthmus.protocol.external import Outside
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.opening import openings_in_words
from isthmus.protocol.parts import holds_out_a_part, test_rule
from isthmus.protocol.reductions import reductions
from isthmus.protocol.schema import Protocol
from isthmus.protocol.shared_files import groups_sharing_a_file
from isthmus.protocol.short_clips import short_clip_checks
from isthmus.report.context import (
    Check,
    CohortFacts,
    Failure,
    Film,
    FlowStep,
    LeakDemonstration,
    Localisation,
    Picture,
    ProtocolFacts,
    ReportContext,
    SplitFacts,
)
from isthmus.report.truth import Truth
from isthmus.training.spec import FitSpec

PARTS = {"cv": "validation part", "test": "test part", "external": "external part"}
"""What of a cohort that divides itself judges its networks."""


def report_context(
    *,
    protocol: Protocol,
    protocol_name: str,
    cases: Cases,
    split: pd.DataFrame,
    split_fingerprint: str,
    fits: Sequence[FitSpec],
    folder: Path,
    predictions: pd.DataFrame,
    evidence: dict[str, Any],
    frozen: dict[str, Any],
    failures: Mapping[str, str],
    localisation: Mapping[str, Localisation],
    gallery: Sequence[Picture],
    films: Sequence[Film],
    misclassified: Sequence[Picture],
    openings: Sequence[Mapping[str, Any]],
    outside: Sequence[Outside],
    leak: LeakDemonstration | None,
    truth: Truth | None,
    manifest: dict[str, Any],
) -> ReportContext:
    """Fill in the report's facts from a run.

    Parameters
    ----------
    protocol, protocol_name : Protocol and str
        The resolved protocol, and the name or file that it was resolved from.
    cases : Cases
        All labelled views, before any failed.
    split, split_fingerprint : DataFrame and str
        The groups' parts.
    fits : sequence of FitSpec
        The finished fits, in `folder`.
    predictions, evidence, frozen : DataFrame and dict
        What the run found, and the calibrators and thresholds it found it with.
    failures : mapping
        View to the reason why its picture could not be prepared.
    localisation, gallery, films, misclassified : mapping and sequences
        From the heat maps.
    openings : sequence
        Of test and external sets.
    outside : sequence of Outside
        The external cohorts.
    leak : LeakDemonstration, optional
        The arm whose pictures were divided on purpose.
    truth : Truth, optional
        Of a simulated cohort.
    manifest : dict
        Versions, device, precision, seeds.
    """
    return ReportContext(
        title=protocol.title,
        question=protocol.question,
        evidence=evidence,
        predictions=predictions,
        frozen=frozen,
        protocol=ProtocolFacts(
            name=protocol.protocol,
            title=protocol.title,
            citation=protocol.cite,
            profile=protocol.profile,
            reductions=reductions(
                protocol_name, protocol.profile, protocol.names, not holds_out_a_part(protocol, cases)
            ),
        ),
        cohort=_with_scored(cohort_facts(cases, failures), protocol, cases, predictions),
        splits=_split_facts(protocol, cases, split, split_fingerprint),
        arms=all_arm_facts(protocol, fits, folder, evidence),
        learning=_learning(fits, folder),
        localisation=dict(localisation),
        gallery=list(gallery),
        films=list(films),
        misclassified=list(misclassified),
        failures=[Failure("view", view, reason) for view, reason in sorted(failures.items())],
        protocol_resolved=protocol.model_dump(mode="json"),
        manifest=manifest,
        checks=[
            *_checks(protocol, cases, split, failures, openings),
            *short_clip_checks(manifest, protocol),
            *(check for one in outside for check in one.checks()),
        ],
        openings=openings_in_words(openings, protocol),
        marks=_marks(protocol, cases),
        leak=leak,
        truth=truth,
    )


def _marks(protocol: Protocol, cases: Cases) -> list[str]:
    """Return what every picture and number of the run is marked with."""
    small = [f"{protocol.profile.upper()} PROFILE"] if protocol.profile != "paper" else []
    return [*(small if protocol.claims else ["SMOKE"]), *(["SIMULATED"] if cases.cohort.simulated else [])]


def _split_facts(protocol: Protocol, cases: Cases, split: pd.DataFrame, fingerprint: str) -> SplitFacts:
    return SplitFacts(
        folds=int(split["fold"].nunique()),
        by=_divided_by(protocol, cases),
        external_sites=list(protocol.splits.external_sites),
        seeds=list(protocol.splits.seeds),
        tune_fraction=protocol.splits.tune,
        test_rule=_test_rule(protocol, cases),
        fingerprint=fingerprint,
    )


def cohort_facts(cases: Cases, failures: Mapping[str, str]) -> CohortFacts:
    """Return a cohort in counts, before any view failed."""
    cohort, units = cases.cohort, cases.units
    views = cases.pictures
    sources = sorted({str(source) for source in views["region_source"].dropna()})
    counts = units.drop_duplicates(f"{cases.unit}_id")["label"].value_counts()
    return CohortFacts(
        name=cohort.name,
        licence=cohort.licence,
        citation=cohort.citation,
        patients=units["patient_id"].nunique(),
        groups=units["group_id"].nunique(),
        nodules=len(units),
        views=len(views),
        positives=int(counts.get(cases.classes[-1], 0)),
        sites=units["site"].nunique(),
        simulated=cohort.simulated,
        reference=cases.target.reference,
        patient_ids="real" if cohort.patient_ids == "real" else "absent",
        label_names=dict(cases.target.classes),
        label_counts={name: int(counts.get(name, 0)) for name in cases.classes},
        excluded=_excluded(cases),
        import_counts=_import_counts(cohort.folder),
        flow=_flow(cases, failures),
        region_source=" and ".join(sources),
        remarks=list(cohort.remarks),
    )


def _excluded(cases: Cases) -> list[tuple[str, str, int]]:
    if cases.cohort.excluded is None or cases.cohort.excluded.empty:
        return []
    counts = Counter(cases.cohort.excluded[["stage", "reason"]].astype(str).itertuples(index=False, name=None))
    return [(stage, reason, count) for (stage, reason), count in sorted(counts.items())]


def _import_counts(folder: Path) -> dict[str, int]:
    path = folder / "import_report.csv"
    if not path.is_file():
        return {}
    report = pd.read_csv(path, dtype=str)
    pictures = report[report["kind"] == "picture"]
    words = pictures["status"].str.replace(r"^duplicate of .*$", "duplicate of another", regex=True)
    return {str(status): int(count) for status, count in words.value_counts().items()}


def _flow(cases: Cases, failures: Mapping[str, str]) -> list[FlowStep]:
    cohort = cases.cohort
    excluded = [(f"{reason}", count) for _, reason, count in _excluded(cases)]
    tables = [cases.pictures, cases.left_out]
    labelled = pd.concat([table[["view_id", "nodule_id"]] for table in tables]).drop_duplicates("view_id")
    unlabelled = cohort.nodules["nodule_id"].nunique() - labelled["nodule_id"].nunique()
    units = cases.units
    unused = labelled["nodule_id"].nunique() - len(units)
    source = cohort.patients["patient_id"].nunique() + sum(count for _, count in excluded)
    return [
        FlowStep("Patients in the source", source, "", excluded),
        FlowStep(
            "Nodules in the cohort",
            cohort.nodules["nodule_id"].nunique(),
            f"{len(cohort.views)} views",
            [("no label for this target, or no usable picture", unlabelled)] if unlabelled else [],
        ),
        FlowStep(
            "Nodules with a label and a picture",
            labelled["nodule_id"].nunique(),
            f"{len(labelled)} views",
            [("no outline or box", unused)] if unused else [],
        ),
        FlowStep(
            "Nodules analysed",
            len(units),
            f"{units['group_id'].nunique()} independent groups of patients",
            [("views that could not be read", len(failures))] if failures else [],
        ),
    ]


def _with_scored(facts: CohortFacts, protocol: Protocol, cases: Cases, predictions: pd.DataFrame) -> CohortFacts:
    """Return the facts with those who are scored at the flow's end, where a part is held out and not all in turn."""
    if not holds_out_a_part(protocol, cases):
        return facts
    held_out = predictions[predictions["split"].isin(PARTS) & (predictions["unit"] == cases.unit)]
    own = held_out[held_out["unit_id"].isin(cases.units[f"{cases.unit}_id"])]
    counts = own.groupby("split")["unit_id"].nunique()
    said = [f"{counts[split]} in the {words}" for split, words in PARTS.items() if split in counts]
    label = f"{cases.unit.capitalize()}s that networks were judged by"
    return replace(facts, flow=[*facts.flow, FlowStep(label, own["unit_id"].nunique(), ", ".join(said), [])])


def _learning(fits: Sequence[FitSpec], folder: Path) -> dict[str, dict[str, pd.DataFrame]]:
    curves: dict[str, dict[str, pd.DataFrame]] = {}
    for fit in fits:
        log = fit_folder(folder, fit) / "log.csv"
        if log.is_file():
            curves.setdefault(fit.arm, {})[f"seed {fit.seed}, fold {fit.fold}"] = pd.read_csv(log)
    return curves


def _divided_by(protocol: Protocol, cases: Cases) -> Literal["group", "site", "column"]:
    by = protocol.splits.cross_validation.by
    return "group" if by == "column" and not holds_out_a_part(protocol, cases) else by


def _test_rule(protocol: Protocol, cases: Cases) -> str:
    test = test_rule(protocol, cases)
    if test is None:
        return ""
    return "the cohort's own split" if test.column else f"{test.fraction:.0%} of the groups, stratified"


def _checks(
    protocol: Protocol,
    cases: Cases,
    split: pd.DataFrame,
    failures: Mapping[str, str],
    openings: Sequence[Mapping[str, Any]],
) -> list[Check]:
    erased = all(arm.prepare.marks == "erase" for arm in protocol.arms.values())
    checks = [
        Check("No leak", "passed", _no_leak(split)),
        _duplicates(cases),
        Check(
            "Pictures",
            "warning" if failures else "passed",
            f"{len(failures)} views could not be read and are listed below."
            if failures
            else "Every picture could be read; what lies outside the scan area was painted black"
            + (", and marks found over the tissue were filled in," if erased else "")
            + " before any network saw it.",
        ),
    ]
    if cases.cohort.patient_ids == "absent":
        checks.append(
            Check("Patients", "warning", "The source has no patient ids: one patient may stand on two sides unseen.")
        )
    if openings:
        met = Counter((opening["split"], opening["cohort"], arm) for opening in openings for arm in opening["arms"])
        status: Literal["passed", "warning"] = "passed" if max(met.values()) == 1 else "warning"
        checks.append(Check("Openings", status, openings_in_words(openings, protocol)))
    return checks


def _no_leak(split: pd.DataFrame) -> str:
    """Return the sentence of the check; a part that is held out is no fold, however often it is with other seeds."""
    folds = split.groupby(["seed", "fold"]).ngroups
    if split["fold"].nunique() == 1:
        return "No group of patients stands on two sides."
    return f"In none of {folds} folds does a group of patients stand on two sides."


def _duplicates(cases: Cases) -> Check:
    shared = groups_sharing_a_file(cases.pictures)
    if shared:
        example = " and ".join(shared[0])
        sentence = (
            f"{len(shared)} picture files stand in several groups, e.g. {example}: a patient may stand on two sides. "
            "Give them one group_id."
        )
        return Check("Duplicates", "failed", sentence)
    return Check("Duplicates", "passed", "No picture file stands in two groups (byte for byte).")
