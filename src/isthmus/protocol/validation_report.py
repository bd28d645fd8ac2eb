"""What the report of a validation shows: the models as they are, the new cohort, and what was left out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.inference.fused_predictor import OwnNetworks
from isthmus.inference.output import Spec
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.protocol.cases import Cases
from isthmus.protocol.external import Outside
from isthmus.protocol.frozen import Lock
from isthmus.protocol.opening import openings_in_words
from isthmus.protocol.report_facts import cohort_facts
from isthmus.protocol.run_folder import Run
from isthmus.report.clinical_terms import CLINICAL_TITLE
from isthmus.report.context import ArmFacts, Check, Failure, ReportContext


@dataclass(frozen=True)
class Model:
    """A finished model, and how it is shown."""

    title: str
    folder: Path
    spec: Spec
    own_network: OwnNetworks


def validation_context(
    models: Mapping[str, Model],
    outside: Outside,
    run: Run | None,
    evidence: dict[str, Any],
    predictions: pd.DataFrame,
    frozen: dict[str, Any],
    failures: Mapping[str, str],
) -> ReportContext:
    """Return what the report of a validation shows."""
    cases, specs = outside.cases, [model.spec for model in models.values()]
    trained = specs[0].cohort
    sentence = (
        f"Models, calibrations and thresholds are those frozen on {trained.name}; nothing was fitted or chosen here."
    )
    if not all(spec.says_aggregation for spec in specs):
        sentence += (
            f" These are older bundles that do not say how views make a {cases.target.unit}: the mean of the views was "
            "taken."
        )
    regions = cases.left_out.drop_duplicates("view_id")[["view_id", "reason"]].itertuples(index=False, name=None)
    return ReportContext(
        title=f"{specs[0].name.partition('/')[0]}: validation on {outside.name}",
        question=f"Do models trained on {trained.name} keep their accuracy and calibration on {outside.name}?",
        evidence=evidence,
        predictions=predictions,
        frozen=frozen,
        cohort=cohort_facts(cases, failures),
        arms={arm: _arm_facts(model) for arm, model in models.items()},
        failures=[
            *(Failure("view", view, reason) for view, reason in sorted(failures.items())),
            *(Failure("view", view, reason) for view, reason in regions),
        ],
        checks=[Check("Frozen", "passed", sentence), *outside.checks()],
        openings="" if run is None else _openings(run, outside.name),
        marks=_marks(specs, cases, run),
        manifest={"models": [spec.name for spec in specs], "trained_on": trained.name},
    )


def _openings(run: Run, cohort: str) -> str:
    """Return how often this cohort was opened by the run's models, this time among them."""
    openings = [opening for opening in Lock(run.folder).openings() if opening["cohort"] == cohort]
    return openings_in_words(openings, run.protocol)


def _arm_facts(model: Model) -> ArmFacts:
    spec = model.spec
    if isinstance(spec, FusedBundleSpec):
        return ArmFacts(
            title=model.title,
            network=f"{spec.classifier} on {len(spec.members)} networks",
            weights="those of its members",
            description=f"{len(spec.heads)} pairs of networks and head, averaged; trained on {spec.cohort.name}",
        )
    return ArmFacts(
        title=model.title,
        network=spec.network.name,
        weights=spec.weights.origin,
        description=f"{len(spec.parts)} fold models, averaged; trained on {spec.cohort.name}",
    )


def clinical_facts(model: Mapping[str, Any]) -> ArmFacts:
    """Return how a run's clinical model is shown."""
    return ArmFacts(title=CLINICAL_TITLE, network="logistic", weights="none", description=str(model["method"]))


def _marks(specs: Sequence[Spec], cases: Cases, run: Run | None) -> list[str]:
    marks = list(dict.fromkeys(mark for spec in specs for mark in spec.marks))
    if cases.cohort.simulated and "SIMULATED" not in marks:
        marks.append("SIMULATED")
    if run is not None and run.protocol.claims and run.protocol.profile != "paper":
        marks.append(f"{run.protocol.profile.upper()} PROFILE")
    return marks
