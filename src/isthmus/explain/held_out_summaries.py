"""What the held-out views of an arm say together, in numbers with intervals and in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from isthmus.explain.bright_specks import summarise_baselines
from isthmus.explain.calcifications import summarise_calcifications
from isthmus.explain.clip_localisation import summarise_frames
from isthmus.explain.edge_share import summarise_edges
from isthmus.explain.frame_share import summarise_counted
from isthmus.explain.held_out_measures import HeldOutMeasures
from isthmus.explain.localisation import summarise
from isthmus.explain.prepared_heat import frames_seen, frames_share_a_map, maps_to_explain
from isthmus.files import write_json


class Said(NamedTuple):
    """What is said of the lesion, of calcifications, of frames and of the lesion's edge."""

    lesion: dict[str, Any] | None
    calcifications: dict[str, Any] | None
    frames: dict[str, Any] | None
    edges: dict[str, Any] | None


def summarise_held_out(rows: pd.DataFrame, measures: HeldOutMeasures, destination: Path) -> Said:
    """Return what is said of an arm's held-out views, and write it into ``localisation.json``.

    Parameters
    ----------
    rows : DataFrame
        From :meth:`HeldOutMeasures.measure`.
    measures : HeldOutMeasures
        The arm's networks.
    destination : Path
        The arm's folder of explanations.
    """
    groups = list(rows["group_id"])
    has_answer = (rows["heat_in_lesion"].notna() & rows["pointing"].notna()).any()
    summary = summarise(rows, groups) if has_answer else None
    found = None if measures.calcifications is None else summarise_calcifications(rows, groups)
    if found is not None:
        found = {**found, "baselines": summarise_baselines(rows, groups)}
    frames = _of_frames(rows, groups, measures) if frames_seen(measures.preparation) > 1 else None
    edges = summarise_edges(rows, groups, measures.classes)
    content: dict[str, Any] = {"format": "isthmus-localisation/1.0", **(summary or {})}
    content |= {} if found is None else {"calcifications": found}
    content |= {} if frames is None else {"frames": frames}
    content |= {} if edges is None else {"edges": edges}
    if len(content) > 1:
        write_json(destination / "localisation.json", content)
    return Said(summary, found, frames, edges)


def _of_frames(rows: pd.DataFrame, groups: Sequence[str], measures: HeldOutMeasures) -> dict[str, Any]:
    seen = frames_seen(measures.preparation)
    maps = maps_to_explain(measures.folds[0].classifier, measures.preparation, measures.device)
    shared = frames_share_a_map(measures.preparation)
    steps = maps.grid[0] if len(maps.grid) == 3 else 1 if shared else seen
    facts: dict[str, Any] = {
        "seen": seen,
        "steps": steps,
        "cells": list(maps.grid[-2:]),
        "maps": f"into {maps.stage}" if maps.stage else "last",
    }
    return facts | ({"counted": summarise_counted(rows, groups)} if shared else summarise_frames(rows, groups))
