"""Each arm's one model: the fold models of the first seed, averaged, calibrated and with their frozen threshold."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.files import read_json
from isthmus.manifest import package_versions, version
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import (
    BundleSpec,
    Calibration,
    CohortFacts,
    NetworkSpec,
    Part,
    Requires,
    Thresholds,
    WeightsFacts,
)
from isthmus.models.descriptors import DescriptorSpec
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.schema import Protocol
from isthmus.training.spec import FitSpec


def write_bundles(
    run_folder: Path, protocol: Protocol, cases: Cases, fits: Sequence[FitSpec], frozen: dict[str, Any]
) -> None:
    """Write `arms/<arm>/bundle` for every arm, anew: it is a function of the fits and of `frozen.json`.

    Parameters
    ----------
    run_folder : Path
        The run.
    protocol : Protocol
        Resolved.
    cases : Cases
        What the arms were trained on.
    fits : sequence of FitSpec
        Finished fits.
    frozen : dict
        The content of `frozen.json`.
    """
    from safetensors.torch import load_file

    for key in protocol.arms:
        own = [fit for fit in fits if fit.arm == key and fit.seed == protocol.splits.seeds[0]]
        folders = [fit_folder(run_folder, fit) for fit in own]
        done = [read_json(folder / "done.json", name="fit-done") for folder in folders]
        states = [load_file(folder / "weights.safetensors") for folder in folders]
        destination = run_folder / "arms" / key / "bundle"
        shutil.rmtree(destination, ignore_errors=True)
        write_bundle(destination, _spec(protocol, cases, own[0], key, done, frozen["arms"][key]), states)


def _spec(
    protocol: Protocol, cases: Cases, fit: FitSpec, key: str, done: Sequence[dict[str, Any]], frozen: dict[str, Any]
) -> BundleSpec:
    arm, cohort, weights = protocol.arms[key], cases.cohort, done[0].get("weights")
    return BundleSpec(
        name=f"{protocol.protocol}/{key}",
        network=NetworkSpec(name=fit.network, options=fit.options, classes=len(cases.classes), channels=fit.channels),
        target=cases.target.name,
        unit=cases.target.unit,
        classes=dict(cases.target.classes),
        requires=Requires(modalities=[arm.view.modality], region="box" if arm.prepare.crop == "lesion" else "none"),
        prepare=arm.prepare,
        parts=[Part(log_prior_shift=part["log_prior_shift"]) for part in done],
        descriptors=fit.descriptors and DescriptorSpec(heads=fit.descriptors.heads, feed=fit.descriptors.feed),
        flips=fit.flips,
        frame_scores=fit.frame_scores,
        aggregation=dict(cases.target.aggregation),
        calibration=Calibration(**frozen["calibration"], fitted_on=frozen["chosen_on"]),
        thresholds=Thresholds(rule=frozen["rule"], value=frozen["threshold"], chosen_on=frozen["chosen_on"]),
        cohort=CohortFacts(
            name=cohort.name,
            fingerprint=cohort.fingerprint(),
            licence=cohort.licence,
            simulated=cohort.simulated,
            reference=cases.target.reference,
        ),
        weights=WeightsFacts(**_weights(weights)),
        versions={"isthmus": version(), **package_versions(("torch", "monai", "numpy"))},
        smoke=not protocol.claims,
    )


def _weights(weights: dict[str, Any] | None) -> dict[str, Any]:
    if weights is None:
        return {}
    return {name: weights[name] for name in ("origin", "licence", "sha256", "notes")}
