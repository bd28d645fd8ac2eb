"""The heat maps of a run: Grad-CAM on the held-out folds of the first seed, measured and drawn for the report."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from isthmus.explain.calcifications import Masks
from isthmus.explain.case_drawing import DrawnCase
from isthmus.explain.clip_drawing import DrawnClip
from isthmus.explain.held_out import HeldOutHeat, explain_held_out, read_fold
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedStore
from isthmus.protocol.cases import Cases
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.schema import Protocol
from isthmus.report.context import Film, Localisation, Picture
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration
from isthmus.training.spec import FitSpec

Progress = Callable[[str, int, int], None]
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
        destination = run_folder / "explanations" / key
        shutil.rmtree(destination, ignore_errors=True)
        arm = protocol.arms[key]
        heat = explain_held_out(
            folds,
            stores[key],
            cases.views[key],
            arm.prepare,
            cases.target.classes,
            destination,
            reference=cases.target.reference,
            title=arm.title or key,
            cases=protocol.explain.cases,
            marks=marks,
            calcifications=calcifications,
            nodules=cases.cohort.nodules,
            signed=protocol.explain.signed,
            device=default_device(),
            progress=progress,
        )
        _add(result, key, arm.title or key, heat)
    return result


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
