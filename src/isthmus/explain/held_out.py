"""Heat maps of held-out views: each fold's network looks only at the views that it never trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

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
from isthmus.explain.held_out_measures import Branch, HeldOutMeasures
from isthmus.explain.held_out_summaries import summarise_held_out
from isthmus.explain.kept_pictures import keep_pictures
from isthmus.explain.misclassified import WrongCase, draw_misclassified, recorded_of
from isthmus.explain.prepared_heat import frames_seen, frames_share_a_map
from isthmus.explain.signed_drawing import SignedDrawer
from isthmus.files import atomic_path
from isthmus.inference.output import MARKS
from isthmus.progress import Progress
from isthmus.tables.check import write_table

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation

_One = TypeVar("_One")


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
    recorded = None if nodules is None else recorded_of(nodules)
    rows, heat = _measured(measures, views, recorded, destination, progress)
    said = summarise_held_out(rows, measures, destination)
    chosen = choose_cases(rows, cases, list(classes)[-1])
    flips = any(fold.flips for fold in folds)
    drawer = CaseDrawer(
        store, views.set_index("view_id"), preparation, classes, reference, tuple(marks), destination, flips
    )
    drawn = _drawn(drawer, measures, chosen, rows, heat, progress)
    words = f"on held-out cases{': ' + title if title else ''}"
    return HeldOutHeat(
        rows,
        said.lesion,
        drawn.cases,
        _gallery(drawer, drawn.panels, f"Grad-CAM {words}"),
        said.calcifications,
        draw_misclassified(rows, heat, drawer, recorded),
        said.frames,
        drawn.clips,
        said.edges,
        drawn.strips,
        _signed(drawer, measures, chosen, rows, f"Signed Grad-CAM {words}"),
    )


def _measured(
    measures: HeldOutMeasures,
    views: pd.DataFrame,
    recorded: pd.DataFrame | None,
    destination: Path,
    progress: Progress | None,
) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """Measure the heat of all held-out views; keep rows, pictures and heat on disk, in the same order."""
    rows, heat = measures.measure(views, progress)
    kept = keep_pictures(rows, measures.store, measures.preparation, destination)
    write_table(destination / "localisation.csv", kept if recorded is None else kept.join(recorded, on="nodule_id"))
    with atomic_path(destination / "heat.npy") as temporary:
        np.save(temporary, heat)
    return rows, heat


class _Drawn(NamedTuple):
    cases: list[DrawnCase]
    panels: list[GalleryCase]
    clips: list[DrawnClip]
    strips: list[DrawnCase]


def _drawn(
    drawer: CaseDrawer,
    measures: HeldOutMeasures,
    chosen: Sequence[tuple[str, int]],
    rows: pd.DataFrame,
    heat: NDArray[np.uint8],
    progress: Progress | None,
) -> _Drawn:
    """Draw the chosen cases; clips as films too, or as strips where their frames share one map."""
    facts = [rows.iloc[row].to_dict() for _, row in chosen]

    def each(what: str, draw: Callable[[int, str, dict[Any, Any]], _One]) -> list[_One]:
        found = []
        for number, ((heading, _), row) in enumerate(zip(chosen, facts, strict=True), start=1):
            found.append(draw(number, heading, row))
            if progress is not None:
                progress(what, number, len(chosen))
        return found

    both = each("overlays", lambda number, heading, row: drawer.draw(number, heading, row, heat[chosen[number - 1][1]]))
    cases, panels = [case for case, _ in both], [panel for _, panel in both]
    if frames_share_a_map(drawer.preparation):
        return _Drawn(cases, panels, [], each("strips", SignedDrawer(drawer, measures).strip))
    films = frames_seen(drawer.preparation) > 1
    return _Drawn(cases, panels, each("films", ClipDrawer(drawer, measures).draw) if films else [], [])


def _gallery(drawer: CaseDrawer, panels: Sequence[GalleryCase], title: str) -> Path | None:
    """Draw the chosen cases on one sheet, where there are any."""
    if not panels:
        return None
    shared = frames_share_a_map(drawer.preparation)
    if frames_seen(drawer.preparation) > 1:
        title += f", each clip's frame of {'the largest lesion' if shared else 'most heat'}"
    positive, sentences = list(drawer.classes.values())[-1], [MARKS.get(mark, mark) for mark in drawer.marks]
    return gallery(panels, drawer.destination / "gallery.png", title=title, target=positive, marks=sentences)


def _signed(
    drawer: CaseDrawer, measures: HeldOutMeasures, chosen: Sequence[tuple[str, int]], rows: pd.DataFrame, title: str
) -> Path | None:
    """Draw the chosen cases under signed heat, where it was asked for and no strip shows it."""
    if not measures.signed or frames_share_a_map(drawer.preparation):
        return None
    return SignedDrawer(drawer, measures).sheet(chosen, rows, title)
