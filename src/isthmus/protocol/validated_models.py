"""The finished models that are validated: of a run or one bundle, and what they look at, ask and have frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.description import Target
from isthmus.errors import CohortError, InputError
from isthmus.files import read_json
from isthmus.inference.fused_predictor import OwnNetworks
from isthmus.inference.output import Spec
from isthmus.models.bundle import no_bundle, read_bundle
from isthmus.models.bundle_spec import ClassCalibration
from isthmus.models.fused_bundle import is_fused_bundle, read_fused_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.protocol.cases import Look
from isthmus.protocol.class_calls import RULE
from isthmus.protocol.joined_columns import can_be_joined
from isthmus.protocol.run_folder import Run, open_run
from isthmus.protocol.validation_report import Model
from isthmus.report.clinical_terms import CLINICAL
from isthmus.report.reading import listed


def finished_models(folder: Path, own_network: OwnNetworks) -> tuple[Run | None, dict[str, Model]]:
    """Return a run with the bundles of its arms and fusions, or the one bundle that a folder is.

    Raises
    ------
    InputError
        When the folder is neither, or a bundle cannot be read.
    """
    if (folder / "bundle.yaml").is_file():
        spec = _spec(folder)
        name = spec.name.rpartition("/")[2]
        return None, {name: Model(name, folder, spec, own_network)}
    if not (folder / "protocol.yaml").is_file():
        raise InputError(
            "this is neither a run nor a bundle", where=str(folder), expected="protocol.yaml or bundle.yaml",
            hint=no_bundle(folder).hint,
        )  # fmt: skip
    run, models = open_run(folder), {}
    for key in (*run.protocol.arms, *run.protocol.fusions):
        place = run.bundle_folder(key)
        if not place.is_dir():
            raise InputError(
                f"this run has no bundle of {key}",
                where=str(folder),
                hint="repeat `isthmus run ... --resume`: it writes the bundles anew",
            )
        models[key] = Model(run.protocol.title_of(key), place, _spec(place), own_network or run.own_networks(key))
    return run, models


def _spec(folder: Path) -> Spec:
    return read_fused_bundle(folder) if is_fused_bundle(folder) else read_bundle(folder)


def looks_of_models(specs: Mapping[str, Spec]) -> dict[str, Look]:
    """Return what the models look at, by arm; of a fused one its members."""
    looks: dict[str, Look] = {}
    for arm, spec in specs.items():
        if isinstance(spec, FusedBundleSpec):
            looks |= {one.arm: Look(one.requires.modalities[0], one.requires.region != "none") for one in spec.members}
        else:
            frames = spec.prepare.frames
            oracle = frames is not None and frames.pick == "calcification_richest"
            looks[arm] = Look(spec.requires.modalities[0], spec.requires.region != "none", oracle, spec.join)
    return looks


def able(models: Mapping[str, Model], absent: Sequence[str], cohort: Cohort) -> dict[str, Model]:
    """Return the models whose pictures a cohort has; of a fused one, those of each of its networks, and of perfusion.

    Parameters
    ----------
    models : mapping
        By arm.
    absent : sequence of str
        Arms of whose pictures the cohort has none.
    cohort : Cohort
        The cohort.

    Raises
    ------
    CohortError
        When it has them for none.
    """
    kept = {}
    for arm, one in models.items():
        looking = looks_of_models({arm: one.spec})
        perfusion = isinstance(one.spec, FusedBundleSpec) and one.spec.perfusion
        if can_be_joined(looking, set(looking) - set(absent), cohort, perfusion=perfusion):
            kept[arm] = one
    if not kept:
        raise CohortError(
            f"cohort {cohort.name} lacks pictures of what {listed(list(models))} "
            f"{'looks' if len(models) == 1 else 'look'} at",
            expected="labelled views of each modality that a model looks at; for perfusion, contrast-enhanced clips",
        )
    return kept


def target_of(specs: Mapping[str, Spec]) -> Target:
    """Return the target that the models answer; the arms of a run share it."""
    spec = next(iter(specs.values()))
    return Target(
        name=spec.target,
        column=spec.target,
        table="nodules" if spec.unit == "nodule" else "patients",
        unit=spec.unit,
        classes=spec.classes,
        aggregation=dict(spec.aggregation),
        reference=spec.cohort.reference,
    )


def frozen_clinical(run: Run) -> dict[str, Any] | None:
    """Return the run's clinical model as it was frozen, where it has one."""
    if run.protocol.clinical is None:
        return None
    frozen: dict[str, Any] = read_json(run.folder / "frozen.json", name="frozen")["arms"][CLINICAL]
    return frozen


def frozen_choices(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """Return the models' calibrations and thresholds as `frozen.json` has them."""
    arms: dict[str, dict[str, Any]] = {}
    for arm, spec in specs.items():
        if isinstance(spec.calibration, ClassCalibration):
            said = spec.calibration.model_dump()
            arms[arm] = {"calibration": said, "rule": RULE, "chosen_on": spec.calibration.fitted_on}
            continue
        if spec.calibration is None or spec.thresholds is None:
            raise InputError("this bundle has no frozen calibration and threshold", where=spec.name)
        arms[arm] = {
            "calibration": spec.calibration.model_dump(),
            "threshold": spec.thresholds.value,
            "rule": spec.thresholds.rule,
            "chosen_on": spec.thresholds.chosen_on,
        }
    return {"arms": arms}
