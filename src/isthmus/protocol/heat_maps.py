"""The heat maps of a run: Grad-CAM on the held-out folds of the first seed, measured and drawn for the report."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from isthmus.explain.calcifications import Masks
from isthmus.explain.case_drawing import DrawnCase
from isthmus.explain.clip_drawing import DrawnClip
from isthmus.explain.held_out import FoldNetwork, HeldOutHeat, explain_held_out, read_fold
from isthmus.explain.held_out_measures import Branch
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedStore
from isthmus.imaging.joined_store import one_modality
from isthmus.progress import Progress
from isthmus.protocol.arm import Arm
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.looks import members_of, views_of_modality
from isthmus.protocol.schema import Protocol
from isthmus.report.arm_modalities import MODALITIES
from isthmus.report.context import Film, Localisation, Picture
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration
from isthmus.training.spec import FitSpec

_Drawn = TypeVar("_Drawn", DrawnClip, DrawnCase)
SHOWN = 12
"""Wrong calls of an arm that the page may show; the folder holds the others."""


@dataclass(frozen=True)
class HeatMaps:
    """What the heat maps give to the report, arm by arm."""

    localisation: dict[str, Localisation] = field(default_factory=dict)
    gallery: list[Picture] = field(default_factory=list)
    films: list[Film] = field(default_factory=list)
    misclassified: list[Picture] = field(default_factory=list)

    def write(self, run_folder: Path, evidence: dict[str, Any]) -> None:
        """Add to `evidence` and `evidence.json`, under `localisation`, where each arm's heat lies.

        Each explained arm has `edges` (heat at the lesion's edge, by class) and, of clips, `frames`.
        """
        found = {
            arm: {name: facts for name, facts in (("edges", entry.edges), ("frames", entry.frames)) if facts}
            for arm, entry in self.localisation.items()
        }
        if any(found.values()):
            evidence["localisation"] = found
            write_json(run_folder / "evidence.json", evidence)


def draw_heat_maps(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    stores: Mapping[str, PreparedStore],
    frozen: Mapping[str, Any],
    calcifications: Masks | None = None,
    progress: Progress | None = None,
) -> HeatMaps:
    """Explain the protocol's arms into `explanations/<arm>/`.

    Parameters
    ----------
    run_folder : Path
        The run.
    protocol : Protocol
        Its `explain` names the arms and how many overlays are drawn.
    cases : Cases
        The views that were trained on.
    fits : sequence of FitSpec
        Finished fits; those of the first seed are used, each for the views that it never saw.
    stores : mapping
        Each arm's prepared pictures.
    frozen : mapping
        The content of `frozen.json`: each fold's calibrator and threshold.
    calcifications : callable, optional
        Gives a view's true calcifications, on a simulated cohort.
    progress : callable, optional
        Called with what, done, total.
    """
    from isthmus.training.engine import default_device

    result = HeatMaps()
    marks = [
        mark for mark, applies in (("SIMULATED", cases.cohort.simulated), ("SMOKE", not protocol.claims)) if applies
    ]
    for key in protocol.explain.arms:
        folds = []
        for fit in fits:
            if fit.arm == key and fit.seed == protocol.splits.seeds[0]:
                point = frozen["arms"][key]["folds"][f"{fit.seed}/{fit.fold}"]
                kind = ClassCalibration if len(cases.classes) > 2 else LogisticCalibration
                calibration = kind.from_dict(point["calibration"])
                place = fit_folder(run_folder, fit)
                folds.append(read_fold(place, calibration=calibration, threshold=point.get("threshold", 0.5)))
        shutil.rmtree(run_folder / "explanations" / key, ignore_errors=True)
        for shown in _shown(key, protocol.arms[key], folds, stores[key], cases.views[key], calcifications):
            heat = explain_held_out(
                shown.folds,
                shown.store,
                shown.views,
                protocol.arms[key].prepare,
                cases.target.classes,
                run_folder / "explanations" / shown.key,
                reference=cases.target.reference,
                title=shown.title,
                cases=protocol.explain.cases,
                marks=marks,
                calcifications=shown.calcifications,
                nodules=cases.cohort.nodules,
                signed=protocol.explain.signed,
                branch=shown.branch,
                device=default_device(),
                progress=progress,
            )
            _add(result, shown.key, shown.title, heat)
    return result


class _Shown(NamedTuple):
    """What is explained together: an arm, or one branch of an arm of several modalities."""

    key: str
    title: str
    folds: list[FoldNetwork]
    store: PreparedStore
    views: pd.DataFrame
    calcifications: Masks | None
    branch: Branch | None = None


def _shown(
    key: str,
    arm: Arm,
    folds: list[FoldNetwork],
    store: PreparedStore,
    views: pd.DataFrame,
    calcifications: Masks | None,
) -> list[_Shown]:
    titles = explained_titles({key: arm})
    if arm.view.join is None:
        return [_Shown(key, titles[key], folds, store, views, calcifications)]
    found = []
    for place, modality in enumerate(arm.view.shown):
        own, there = one_modality(store, place), members_of(views)
        rows = views_of_modality(views, place)
        known = set(own.view_ids)
        held_out = [
            replace(fold, held_out_views=[one for one in fold.held_out_views if one in known]) for fold in folds
        ]
        masks = None if calcifications is None else _of_members(calcifications, there, place)
        branch = Branch(modality, store)
        if known & {view for fold in held_out for view in fold.held_out_views}:
            name = f"{key}/{modality}"
            found.append(_Shown(name, titles[name], held_out, own, rows, masks, branch))
    return found


def _of_members(masks: Masks, members: Mapping[str, Sequence[str | None]], place: int) -> Masks:
    """Return what gives a look's true calcifications: those of its view of one modality."""
    return lambda look, frames: masks(str(members[look][place]), frames)


def explained_titles(arms: Mapping[str, Arm]) -> dict[str, str]:
    """Return by key the names of what has heat maps of its own: arms, or the branches `arm/modality` of joined ones."""
    found = {}
    for key, arm in arms.items():
        title = arm.title or key
        if arm.view.join is None:
            found[key] = title
        else:
            found |= {f"{key}/{name}": f"{title}: {MODALITIES[name]}" for name in arm.view.shown}
    return found


def _add(result: HeatMaps, key: str, title: str, heat: HeldOutHeat) -> None:
    if heat.summary is not None:
        known = heat.localisation.dropna(subset=["heat_in_lesion", "pointing"])
        on_calcifications: dict[str, Any] = {}
        if heat.calcifications is not None:
            measured = heat.localisation.dropna(subset=["heat_in_calcifications"])
            baselines = heat.calcifications["baselines"]
            on_calcifications = {
                "baselines": "" if baselines is None else baselines["sentence"],
                "heat_in_calcifications": measured["heat_in_calcifications"].tolist(),
                "calcification_share": measured["calcification_area"].tolist(),
                "calcification_pointing": heat.calcifications["pointing"]["estimate"],
            }
        result.localisation[key] = Localisation(
            heat_in_lesion=known["heat_in_lesion"].tolist(),
            baseline=known["gaussian_in_lesion"].tolist(),
            pointing_game=heat.summary["pointing"]["estimate"],
            pointing_baseline=heat.summary["gaussian_pointing"]["estimate"],
            frames=heat.frames or {},
            edges=heat.edges or {},
            **on_calcifications,
        )
    if heat.gallery is not None:
        caption = (
            f"{title}: {len(heat.cases)} held-out cases, each as the network saw it and with its heat map"
            f"{_shown_frame(heat)}. "
            f"One file a case: explanations/{key}/overlays/."
        )
        result.gallery.append(Picture(heat.gallery, caption, " ".join(case.caption for case in heat.cases), arm=key))
    if heat.signed is not None:
        caption = f"{title}: the same cases under signed heat, on the published scale and on an even one."
        result.gallery.append(Picture(heat.signed, caption, caption, arm=key))
    result.gallery.extend(
        Picture(strip.path, f"{title}. {strip.caption}", strip.alternative, arm=key)
        for strip in _one_a_heading(heat.strips)
    )
    result.films.extend(
        Film(clip.video, clip.filmstrip, clip.caption, clip.alternative, key) for clip in _one_a_heading(heat.clips)
    )
    result.misclassified.extend(
        Picture(
            case.path,
            f"{case.words} {case.described[:1].upper()}{case.described[1:]}.",
            f"What the network saw, and the same with its Grad-CAM heat map: {case.words}",
            arm=key,
        )
        for case in heat.wrong[:SHOWN]
    )


def _shown_frame(heat: HeldOutHeat) -> str:
    if heat.strips:
        return ", of each clip the frame of the largest lesion"
    return ", of each clip the frame of most heat" if heat.clips else ""


def _one_a_heading(cases: Sequence[_Drawn]) -> list[_Drawn]:
    """Return the first case under each heading; the folder holds the others."""
    return list({case.heading: case for case in reversed(cases)}.values())[::-1]
