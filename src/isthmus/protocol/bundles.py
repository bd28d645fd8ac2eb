"""Each arm's one model: the fold models of the first seed, averaged, calibrated and with their frozen threshold.

A fusion's is the same of its pairs: the networks of each half of a fold, and the head that belongs to them.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.files import read_json
from isthmus.manifest import package_versions, version
from isthmus.models.answer_spec import AnswerSpec
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import (
    BundleSpec,
    Calibration,
    ClassCalibration,
    CohortFacts,
    DescriptorCalibration,
    NetworkSpec,
    Part,
    Requires,
    Thresholds,
    WeightsFacts,
)
from isthmus.models.descriptors import DescriptorSpec
from isthmus.models.fused_bundle import Member, write_fused_bundle
from isthmus.models.fused_bundle_spec import ColumnFacts, FusedBundleSpec, HeadFacts, MemberFacts
from isthmus.models.mean_head import MEAN
from isthmus.protocol.cases import Cases
from isthmus.protocol.described import descriptor_calibration
from isthmus.protocol.fits import class_shares, fit_folder
from isthmus.protocol.fused_fits import FusedFit, read_pair
from isthmus.protocol.schema import Protocol
from isthmus.protocol.training_likeness import Fitted
from isthmus.report.case_columns import title_of
from isthmus.tables.coded_columns import Term
from isthmus.tables.vocabulary import MULTI_VALUED
from isthmus.training.spec import FitSpec

if TYPE_CHECKING:
    from torch import Tensor


def write_bundles(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    fused: Sequence[FusedFit],
    frozen: dict[str, Any],
    fitted: Mapping[str, Fitted],
    answers: Mapping[str, AnswerSpec],
) -> None:
    """Write `arms/<arm>/bundle` for every arm and fusion, anew: it is a function of the fits and of `frozen.json`.

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
    fused : sequence of FusedFit
        Finished fusions.
    frozen : dict
        The content of `frozen.json`.
    fitted : mapping
        Arm to what its networks know of their training pictures.
    answers : mapping
        Arm or fusion to what it may say of how sure it is.
    """
    first = protocol.splits.seeds[0]
    for key in protocol.arms:
        own = [fit for fit in fits if fit.arm == key and fit.seed == first]
        spec, states = _model(run_folder, protocol, cases, own, key, frozen["arms"][key])
        spec = spec.model_copy(update={"answer": answers[key]})
        write_bundle(_anew(run_folder, key), spec, states, likeness=fitted[key].likeness)
    for key in protocol.fusions:
        folds = [fit for fit in fused if fit.key == key and fit.seed == first]
        _write_fused(run_folder, protocol, cases, folds, frozen["arms"][key], answers[key])


def _anew(run_folder: Path, key: str) -> Path:
    destination = run_folder / "arms" / key / "bundle"
    shutil.rmtree(destination, ignore_errors=True)
    return destination


def _model(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    name: str,
    frozen: dict[str, Any] | None,
) -> Member:
    """Return a bundle of some fits of an arm: its specification and its parts."""
    folders = [fit_folder(run_folder, fit) for fit in fits]
    done = [read_json(folder / "done.json", name="fit-done") for folder in folders]
    described = None if frozen is None else descriptor_calibration(run_folder, cases, fits)
    return _spec(protocol, cases, fits, name, done, frozen, described), _Weights(folders)


class _Weights(Sequence[Mapping[str, "Tensor"]]):
    """The weights of some fits, read when they are asked for."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, place: Any) -> Any:
        from safetensors.torch import load_file

        return load_file(self._folders[place] / "weights.safetensors")


def _write_fused(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    folds: Sequence[FusedFit],
    frozen: dict[str, Any],
    answer: AnswerSpec,
) -> None:
    key, fusion, classifier = folds[0].key, folds[0].fusion, frozen["candidate"]
    pairs = [(fit, pair) for fit in folds for pair in fit.pairs]
    heads = [read_pair(fit.folder(run_folder, classifier), pair) for fit, pair in pairs]
    members = {
        arm: _model(
            run_folder, protocol, cases, [fit.networks[pair.name][arm] for fit, pair in pairs], f"{key}/{arm}", None
        )
        for arm in fusion.fuse
    }
    spec = FusedBundleSpec(
        name=f"{protocol.protocol}/{key}",
        title=fusion.title,
        target=cases.target.name,
        unit=cases.target.unit,
        classes=dict(cases.target.classes),
        members=[MemberFacts(arm=arm, requires=own.requires) for arm, (own, _) in members.items()],
        heads=[HeadFacts.model_validate({"fold": fit.fold, "pair": pair.name}) for fit, pair in pairs],
        join=fusion.settings.join,
        classifier=classifier,
        where_absent=fusion.settings.where_absent,
        mode=None if fusion.settings.join == MEAN else fusion.settings.mode,
        perfusion=fusion.perfusion,
        columns=_columns(fusion.columns, [head.terms for head in heads]),
        aggregation=dict(cases.target.aggregation),
        calibration=Calibration(**frozen["calibration"], fitted_on=frozen["chosen_on"]),
        thresholds=Thresholds(rule=frozen["rule"], value=frozen["threshold"], chosen_on=frozen["chosen_on"]),
        answer=answer,
        cohort=_cohort(cases),
        versions=_versions("scikit-learn", "skops", "xgboost-cpu", "lightgbm"),
        smoke=not protocol.claims,
    )
    write_fused_bundle(_anew(run_folder, key), spec, members, heads)


def _columns(asked: Sequence[str], heads: Sequence[Sequence[Term]]) -> list[ColumnFacts]:
    """Return what the heads know of each column; they were coded on different patients."""
    by_name: dict[str, list[Term]] = {name: [] for name in asked}
    for terms in heads:
        for term in terms:
            by_name.setdefault(term.column.partition("=")[0], []).append(term)
    return [_column(name, terms) for name, terms in by_name.items()]


def _column(name: str, terms: Sequence[Term]) -> ColumnFacts:
    if not terms:
        return ColumnFacts(name=name, title=title_of(name), kind="unused")
    title = terms[0].title.partition(":")[0]
    numbers = [term for term in terms if term.kind == "numeric"]
    if numbers:
        mean = float(np.mean([float(term.fill) for term in numbers]))
        return ColumnFacts(
            name=name,
            title=title,
            kind="numeric",
            low=min(term.low for term in numbers),
            high=max(term.high for term in numbers),
            missing=f"the training cases' mean, about {mean:.4g}",
        )
    if name in MULTI_VALUED and all("=" in term.column for term in terms):
        values = [term.column.partition("=")[2] for term in terms]
        return ColumnFacts(
            name=name,
            title=title,
            kind="categorical",
            values=sorted({*values, "none"}),
        )
    known = {value for term in terms for value in _values(term)}
    ((fill, _),) = Counter(str(term.fill) for term in terms).most_common(1)
    return ColumnFacts(
        name=name, title=title, kind="categorical", values=sorted(known), missing=f"{fill}, as most training cases"
    )


def _values(term: Term) -> set[str]:
    """Return the codes that a term was fitted on; what rare ones are joined under is none."""
    levels = {value for value, _ in (term.reference, *term.levels)}
    return (levels - set(term.joined.values())) | {term.reference[0]} | set(term.joined)


def _spec(
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    name: str,
    done: Sequence[dict[str, Any]],
    frozen: Mapping[str, Any] | None,
    described: DescriptorCalibration | None,
) -> BundleSpec:
    """Return what an arm's bundle says; without frozen choices it is a member of a fused one."""
    fit, weights, calibration, thresholds = fits[0], done[0].get("weights"), None, None
    arm = protocol.arms[fit.arm]
    if frozen is not None:
        kind = ClassCalibration if len(cases.classes) > 2 else Calibration
        calibration = kind(**frozen["calibration"], fitted_on=frozen["chosen_on"])
    if frozen is not None and "threshold" in frozen:
        thresholds = Thresholds(rule=frozen["rule"], value=frozen["threshold"], chosen_on=frozen["chosen_on"])
    return BundleSpec(
        name=f"{protocol.protocol}/{name}",
        network=NetworkSpec(name=fit.network, options=fit.options, classes=len(cases.classes), channels=fit.channels),
        target=cases.target.name,
        unit=cases.target.unit,
        classes=dict(cases.target.classes),
        requires=Requires(modalities=list(arm.view.shown), region="box" if arm.prepare.crop == "lesion" else "none"),
        prepare=arm.prepare,
        parts=[
            Part(log_prior_shift=part["log_prior_shift"], class_shares=class_shares(one))
            for one, part in zip(fits, done, strict=True)
        ],
        descriptors=fit.descriptors and DescriptorSpec(heads=fit.descriptors.heads, feed=fit.descriptors.feed),
        descriptor_calibration=described,
        join=fit.join,
        flips=fit.flips,
        frame_scores=fit.frame_scores,
        aggregation=dict(cases.target.aggregation),
        calibration=calibration,
        thresholds=thresholds,
        cohort=_cohort(cases),
        weights=WeightsFacts(**_weights(weights)),
        versions=_versions(),
        smoke=not protocol.claims,
    )


def _cohort(cases: Cases) -> CohortFacts:
    cohort = cases.cohort
    return CohortFacts(
        name=cohort.name,
        fingerprint=cohort.fingerprint(),
        licence=cohort.licence,
        simulated=cohort.simulated,
        reference=cases.target.reference,
    )


def _versions(*more: str) -> dict[str, str]:
    return {"isthmus": version(), **package_versions(("torch", "monai", "numpy", *more))}


def _weights(weights: dict[str, Any] | None) -> dict[str, Any]:
    if weights is None:
        return {}
    return {name: weights[name] for name in ("origin", "licence", "sha256", "notes")}
