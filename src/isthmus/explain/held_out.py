"""Heat maps of cross-validation: each fold's network looks only at the views that it never trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.calcifications import Masks, localise_calcifications, masks_on_crops, summarise_calcifications
from isthmus.explain.case_drawing import CaseDrawer, DrawnCase, middle
from isthmus.explain.cases import choose_cases
from isthmus.explain.gallery import gallery
from isthmus.explain.gradcam import heat_of_pixels
from isthmus.explain.kept_pictures import keep_pictures
from isthmus.explain.localisation import localise, summarise
from isthmus.explain.misclassified import WrongCase, draw_misclassified, recorded_of
from isthmus.files import atomic_path, read_json, read_yaml, write_json
from isthmus.inference.output import MARKS
from isthmus.inference.scores import probabilities, view_logits
from isthmus.tables.check import write_table

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.prepare import Preparation
    from isthmus.models.classifier import Classifier
    from isthmus.statistics.calibration import LogisticCalibration

Progress = Callable[[str, int, int], None]
HEAT_SIDE = 56
"""Side of the heat maps kept in ``heat.npy``: eight times finer than the last maps of a 224-pixel network."""

_CHUNK = 32


@dataclass(frozen=True, eq=False)
class FoldNetwork:
    """A fold's network and what it was never trained on.

    Parameters
    ----------
    classifier : Classifier
        With the fold's weights.
    held_out_views : sequence of str
        Views that it may explain.
    seed, fold : int
        Which one.
    log_prior_shift : sequence of float
        K values, from the fit's ``done.json``.
    calibration : LogisticCalibration, optional
        The fold's own, from ``frozen.json``.
    threshold : float
        On the calibrated probability.
    flips : bool
        Whether its scores are means over mirror images; its heat is that of the picture as it is.
    """

    classifier: "Classifier"
    held_out_views: Sequence[str]
    seed: int
    fold: int
    log_prior_shift: Sequence[float]
    calibration: "LogisticCalibration | None" = None
    threshold: float = 0.5
    flips: bool = False


@dataclass(frozen=True, eq=False)
class HeldOutHeat:
    """What the explanation of an arm left.

    Parameters
    ----------
    localisation : DataFrame
        One row a view, as ``localisation.csv``.
    summary : dict or None
        As :func:`isthmus.explain.localisation.summarise`; None where no view has an outline and heat.
    cases : list of DrawnCase
        The overlays.
    gallery : Path or None
        All drawn cases on one sheet.
    calcifications : dict or None
        As :func:`isthmus.explain.localisation.summarise_calcifications`; None where no mask was given.
    wrong : list of WrongCase
        The wrong calls that were drawn, the most confident first.
    """

    localisation: pd.DataFrame
    summary: dict[str, Any] | None
    cases: list[DrawnCase]
    gallery: Path | None
    calcifications: dict[str, Any] | None = None
    wrong: list[WrongCase] = field(default_factory=list)


def read_fold(folder: Path, *, calibration: "LogisticCalibration | None" = None, threshold: float = 0.5) -> FoldNetwork:
    """Load a finished fit's network from its folder (``fit.yaml``, ``done.json``, ``weights.safetensors``)."""
    import torch

    from isthmus.models.descriptor_heads import create_classifier
    from isthmus.models.descriptors import DescriptorSpec
    from isthmus.models.state import read_state

    fit, done = read_yaml(folder / "fit.yaml", name="fit"), read_json(folder / "done.json", name="fit-done")
    channels = 3 if fit["prepare"]["channels"] == "rgb" else 1
    heads = fit.get("descriptors")
    # Building a network draws random weights; whoever draws next must not notice.
    with torch.random.fork_rng(devices=[]):
        classifier = create_classifier(
            fit["network"],
            classes=len(fit["classes"]),
            channels=channels,
            options=fit["options"],
            descriptors=None if heads is None else DescriptorSpec.model_validate(heads),
        )
    classifier.load_state_dict(read_state(folder / "weights.safetensors"), strict=True)
    return FoldNetwork(
        classifier.eval(),
        fit["held_out_views"],
        int(fit["seed"]),
        int(fit["fold"]),
        done["log_prior_shift"],
        calibration,
        threshold,
        bool(fit.get("flips", False)),
    )


def explain_held_out(
    folds: Sequence[FoldNetwork],
    store: "PreparedStore",
    views: pd.DataFrame,
    preparation: "Preparation",
    classes: Mapping[str, str],
    destination: Path,
    *,
    reference: str = "mixed",
    title: str = "",
    cases: int = 12,
    marks: Sequence[str] = (),
    calcifications: Masks | None = None,
    nodules: pd.DataFrame | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> HeldOutHeat:
    """Draw and measure where an arm's networks look, on held-out views only.

    Parameters
    ----------
    folds : sequence of FoldNetwork
        Of one seed.
    store : PreparedStore
        The arm's prepared pixels.
    views : DataFrame
        As ``Cohort.examples`` gives it: ``view_id``, ``nodule_id``, ``group_id``, ``label``, ``path``, ``mask``,
        ``box``, ``region``.
    preparation : Preparation
        The arm's.
    classes : mapping
        Class code to shown name; heat is evidence for the last.
    destination : Path
        Folder for ``localisation.csv``, ``localisation.json``, ``heat.npy`` (uint8 [N, 56, 56], rows as in the table),
        ``pictures.npy``,
        ``overlays/``, ``misclassified/`` with ``misclassified.csv``, and ``gallery.png``; made if needed.
    reference : str
        What the labels rest on; ``tirads`` changes the words.
    title : str
        The arm as shown.
    cases : int
        Overlays to draw: confident and right, confident and wrong, near the threshold.
    marks : sequence of str
        ``SMOKE``, ``SIMULATED``.
    calcifications : callable, optional
        Where they are known (:data:`isthmus.explain.calcifications.Masks`), the heat on them is measured too.
    nodules : DataFrame, optional
        The cohort's table, for the descriptors of the cases that were called wrongly.
    device : str
        Where to compute.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    HeldOutHeat

    Raises
    ------
    InputError
        When a view is held out twice or is unknown.
    """
    _check_folds(folds, views)
    rows, heat = _measure(folds, store, views, preparation, classes, calcifications, device, progress)
    recorded = None if nodules is None else recorded_of(nodules)
    kept = keep_pictures(rows, store, preparation, destination)
    kept = kept if recorded is None else kept.join(recorded, on="nodule_id")
    write_table(destination / "localisation.csv", kept)
    with atomic_path(destination / "heat.npy") as temporary:
        np.save(temporary, heat)
    has_answer = (rows["heat_in_lesion"].notna() & rows["pointing"].notna()).any()
    summary = summarise(rows, list(rows["group_id"])) if has_answer else None
    on_calcifications = None if calcifications is None else summarise_calcifications(rows, list(rows["group_id"]))
    if summary is not None:
        content = {"format": "isthmus-localisation/1.0", **summary}
        write_json(
            destination / "localisation.json",
            content if on_calcifications is None else {**content, "calcifications": on_calcifications},
        )
    chosen = choose_cases(rows, cases, list(classes)[-1])
    flips = any(fold.flips for fold in folds)
    drawer = CaseDrawer(
        store, views.set_index("view_id"), preparation, classes, reference, tuple(marks), destination, flips
    )
    drawn, sheet = [], []
    for number, (heading, row) in enumerate(chosen, start=1):
        case, panel = drawer.draw(number, heading, rows.iloc[row].to_dict(), heat[row])
        drawn.append(case)
        sheet.append(panel)
        if progress is not None:
            progress("overlays", number, len(chosen))
    wrong = draw_misclassified(rows, heat, drawer, recorded)
    path = None
    if sheet:
        words = f"Grad-CAM on held-out cases{': ' + title if title else ''}"
        positive, sentences = list(classes.values())[-1], [MARKS.get(mark, mark) for mark in marks]
        path = gallery(sheet, destination / "gallery.png", title=words, target=positive, marks=sentences)
    return HeldOutHeat(rows, summary, drawn, path, on_calcifications, wrong)


def _check_folds(folds: Sequence[FoldNetwork], views: pd.DataFrame) -> None:
    known, seen = set(views["view_id"]), set[tuple[int, str]]()
    for fold in folds:
        for view in fold.held_out_views:
            if view not in known:
                raise InputError(f"view '{view}' is not in the cohort", where=f"seed {fold.seed}, fold {fold.fold}")
            if (fold.seed, view) in seen:
                raise InputError(f"view '{view}' is held out by two folds", where=f"seed {fold.seed}")
            seen.add((fold.seed, view))


def _measure(
    folds: Sequence[FoldNetwork],
    store: "PreparedStore",
    views: pd.DataFrame,
    preparation: "Preparation",
    classes: Mapping[str, str],
    calcifications: Masks | None,
    device: str,
    progress: Progress | None,
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    facts = views.set_index("view_id")[["nodule_id", "group_id", "label"]]
    total, done = sum(len(fold.held_out_views) for fold in folds), 0
    tables: list[pd.DataFrame] = []
    kept: list[NDArray[np.uint8]] = []
    for fold in folds:
        ids = sorted(fold.held_out_views)
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            table, heat = _measure_chunk(fold, store, chunk, preparation, classes, calcifications, device)
            tables.append(table.join(facts, on="view_id"))
            kept.append(heat)
            done += len(chunk)
            if progress is not None:
                progress("heat maps", done, total)
    if not tables:
        raise InputError("no held-out view to explain", expected="folds with held_out_views")
    first = ["view_id", "nodule_id", "group_id", "seed", "fold", "label", "probability", "threshold", "call"]
    joined = pd.concat(tables, ignore_index=True)
    return joined[[*first, *(name for name in joined.columns if name not in first)]], np.concatenate(kept)


def _measure_chunk(
    fold: FoldNetwork,
    store: "PreparedStore",
    ids: Sequence[str],
    preparation: "Preparation",
    classes: Mapping[str, str],
    calcifications: Masks | None,
    device: str,
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    places = store.rows(ids)
    pixels = np.asarray(store.pixels[places])
    codes, size = list(classes), preparation.crop_size
    logits = view_logits(fold.classifier, pixels, preparation, device=device, flips=fold.flips)
    score = probabilities(logits, fold.log_prior_shift)[:, -1]
    score = score if fold.calibration is None else fold.calibration.apply(score)
    heat = heat_of_pixels([fold.classifier], pixels, preparation, len(codes) - 1, device=device)
    masks = middle(np.asarray(store.lesion_masks[places])[:, 0], size).astype(bool)
    table = localise(ids, heat, masks).assign(
        seed=fold.seed,
        fold=fold.fold,
        probability=score,
        threshold=fold.threshold,
        call=np.where(score >= fold.threshold, codes[-1], codes[0]),
    )
    if calcifications is not None:
        on_crops = masks_on_crops(store, ids, preparation, calcifications)
        table = table.assign(**localise_calcifications(heat, on_crops))
    side = min(HEAT_SIDE, size)
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in heat]
    return table, np.round(np.stack(small) * 255).astype(np.uint8)
