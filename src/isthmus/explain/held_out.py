"""Heat maps of held-out views: each fold's network looks only at the views that it never trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.calcifications import Masks
from isthmus.explain.case_drawing import CaseDrawer, DrawnCase
from isthmus.explain.cases import choose_cases
from isthmus.explain.clip_drawing import ClipDrawer, DrawnClip
from isthmus.explain.fold_networks import FoldNetwork as FoldNetwork
from isthmus.explain.fold_networks import read_fold as read_fold
from isthmus.explain.gallery import GalleryCase, gallery
from isthmus.explain.held_out_measures import Branch, HeldOutMeasures, Progress
from isthmus.explain.held_out_summaries import summarise_held_out
from isthmus.explain.kept_pictures import keep_pictures
from isthmus.explain.misclassified import WrongCase, draw_misclassified, recorded_of
from isthmus.explain.prepared_heat import frames_share_a_map
from isthmus.explain.signed_drawing import SignedDrawer
from isthmus.files import atomic_path
from isthmus.inference.output import MARKS
from isthmus.tables.check import write_table

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.prepare import Preparation


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
        With ``baselines`` as :func:`isthmus.explain.bright_specks.summarise_baselines`.
    wrong : list of WrongCase
        The wrong calls that were drawn, the most confident first.
    frames : dict or None
        Of clips, as :func:`isthmus.explain.clip_localisation.summarise_frames`, with ``seen`` (frames that the network
        sees), and of the maps that are explained ``steps`` in time (2D networks: as many as frames), ``cells`` (down,
        across) and the stage that they go into (``maps``). Of frames that share one map ``counted`` instead, as
        :func:`isthmus.explain.frame_share.summarise_counted`.
    clips : list of DrawnClip
        The same cases as films and filmstrips.
    edges : dict or None
        As :func:`isthmus.explain.edge_share.summarise_edges`.
    strips : list of DrawnCase
        The same cases where the frames of a clip share one map.
    signed : Path or None
        The same cases under their signed heat, where that was asked for and no strip shows it.
    """

    localisation: pd.DataFrame
    summary: dict[str, Any] | None
    cases: list[DrawnCase]
    gallery: Path | None
    calcifications: dict[str, Any] | None = None
    wrong: list[WrongCase] = field(default_factory=list)
    frames: dict[str, Any] | None = None
    clips: list[DrawnClip] = field(default_factory=list)
    edges: dict[str, Any] | None = None
    strips: list[DrawnCase] = field(default_factory=list)
    signed: Path | None = None


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
    signed: bool = False,
    branch: Branch | None = None,
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
        ``box``, ``region`` and, of clips, ``frame_boxes`` and ``frame_rate_hz``.
    preparation : Preparation
        The arm's.
    classes : mapping
        Class code to shown name; heat is evidence for the last.
    destination : Path
        Folder for ``localisation.csv``, ``localisation.json``, ``heat.npy`` (uint8 [N, 56, 56], rows as in the table;
        of a clip the frame of most heat), ``pictures.npy`` (the same frames), ``overlays/``, ``misclassified/`` with
        ``misclassified.csv``, ``gallery.png``, of clips ``films/`` and ``filmstrips/``, of frames that share one map
        ``strips/``, and ``signed.png`` where asked for; made if needed.
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
    signed : bool
        Whether evidence against the class is measured and drawn beside that for it.
    branch : Branch, optional
        Of networks that look at several modalities, the one whose heat is shown; ``store`` and ``views`` are its own.
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
    measures = HeldOutMeasures(folds, store, preparation, classes, calcifications, device, signed, branch)
    rows, heat = measures.measure(views, progress)
    recorded = None if nodules is None else recorded_of(nodules)
    kept = keep_pictures(rows, store, preparation, destination)
    write_table(destination / "localisation.csv", kept if recorded is None else kept.join(recorded, on="nodule_id"))
    with atomic_path(destination / "heat.npy") as temporary:
        np.save(temporary, heat)
    said = summarise_held_out(rows, measures, destination)
    chosen = choose_cases(rows, cases, list(classes)[-1])
    flips = any(fold.flips for fold in folds)
    drawer = CaseDrawer(
        store, views.set_index("view_id"), preparation, classes, reference, tuple(marks), destination, flips
    )
    drawn, sheet = _draw_cases(drawer, chosen, rows, heat, progress)
    signs, shared = SignedDrawer(drawer, measures), frames_share_a_map(preparation)
    films = said.frames is not None and not shared
    clips = _draw_clips(ClipDrawer(drawer, measures), chosen, rows, progress) if films else []
    strips = _draw_strips(signs, chosen, rows, progress) if shared else []
    sheet_words = f"Signed Grad-CAM on held-out cases{': ' + title if title else ''}"
    signed_cases = signs.sheet(chosen, rows, sheet_words) if signed and not shared else None
    wrong = draw_misclassified(rows, heat, drawer, recorded)
    path = None
    if sheet:
        words = f"Grad-CAM on held-out cases{': ' + title if title else ''}"
        if said.frames is not None:
            words += f", each clip's frame of {'the largest lesion' if shared else 'most heat'}"
        positive, sentences = list(classes.values())[-1], [MARKS.get(mark, mark) for mark in marks]
        path = gallery(sheet, destination / "gallery.png", title=words, target=positive, marks=sentences)
    return HeldOutHeat(
        rows,
        said.lesion,
        drawn,
        path,
        said.calcifications,
        wrong,
        said.frames,
        clips,
        said.edges,
        strips,
        signed_cases,
    )


def _draw_cases(
    drawer: CaseDrawer,
    chosen: Sequence[tuple[str, int]],
    rows: pd.DataFrame,
    heat: NDArray[np.uint8],
    progress: Progress | None,
) -> tuple[list[DrawnCase], list[GalleryCase]]:
    drawn, sheet = [], []
    for number, (heading, row) in enumerate(chosen, start=1):
        case, panel = drawer.draw(number, heading, rows.iloc[row].to_dict(), heat[row])
        drawn.append(case)
        sheet.append(panel)
        if progress is not None:
            progress("overlays", number, len(chosen))
    return drawn, sheet


def _draw_clips(
    drawer: ClipDrawer, chosen: Sequence[tuple[str, int]], rows: pd.DataFrame, progress: Progress | None
) -> list[DrawnClip]:
    drawn = []
    for number, (heading, row) in enumerate(chosen, start=1):
        drawn.append(drawer.draw(number, heading, rows.iloc[row].to_dict()))
        if progress is not None:
            progress("films", number, len(chosen))
    return drawn


def _draw_strips(
    drawer: SignedDrawer, chosen: Sequence[tuple[str, int]], rows: pd.DataFrame, progress: Progress | None
) -> list[DrawnCase]:
    drawn = []
    for number, (heading, row) in enumerate(chosen, start=1):
        drawn.append(drawer.strip(number, heading, rows.iloc[row].to_dict()))
        if progress is not None:
            progress("strips", number, len(chosen))
    return drawn
