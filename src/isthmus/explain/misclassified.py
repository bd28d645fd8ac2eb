"""All wrong calls on held-out folds, one picture each: what the network saw, its heat, its score, the descriptors."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.case_drawing import CaseDrawer, heat_in_words
from isthmus.explain.cases import wrong_cases
from isthmus.explain.legend import legend
from isthmus.explain.overlay import crop_panel, to_png
from isthmus.files import atomic_path
from isthmus.inference.output import MARKS
from isthmus.inference.prediction import call_in_words
from isthmus.tables.check import write_table
from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED, TIRADS

MOST: Final = 60
"""Pictures drawn for an arm; the index lists all wrong calls."""

_QUALITY: Final = 80


@dataclass(frozen=True)
class WrongCase:
    """A wrong call on disk; ``words`` say what was called and what the label is, ``described`` the descriptors."""

    path: Path
    words: str
    described: str


def recorded_of(nodules: pd.DataFrame) -> pd.DataFrame:
    """Return what a cohort records of its nodules beside labels: index ``nodule_id``; descriptors, grade and size."""
    columns = [name for name in (*DESCRIPTORS, "tirads", "size_mm") if name in nodules.columns]
    return nodules.set_index("nodule_id")[columns]


def described(row: Mapping[Any, Any]) -> str:
    """Return a nodule's descriptors in words.

    Examples
    --------
    >>> described({"composition": "solid", "margin": None, "echogenic_foci": "none", "size_mm": 12.0})
    'composition solid or almost completely solid; echogenic foci none; 12 mm'
    """
    parts = []
    for name, codes in DESCRIPTORS.items():
        value = row.get(name)
        if value is not None and not pd.isna(value):
            own = str(value).split(" ") if name in MULTI_VALUED else [str(value)]
            parts.append(f"{name.replace('_', ' ')} {' and '.join(codes[code] for code in own)}")
    size, grade = row.get("size_mm"), row.get("tirads")
    if size is not None and not pd.isna(size):
        parts.append(f"{float(size):g} mm")
    if grade is not None and not pd.isna(grade):
        parts.append(TIRADS[str(grade)])
    return "; ".join(parts) or "no descriptor recorded"


def draw_misclassified(
    rows: pd.DataFrame, heat: NDArray[np.uint8], drawer: CaseDrawer, recorded: pd.DataFrame | None = None
) -> list[WrongCase]:
    """Write ``misclassified/NNN.jpg``, the most confident first, and the index ``misclassified.csv``.

    Parameters
    ----------
    rows : DataFrame
        As ``localisation.csv``.
    heat : ndarray of uint8, shape [N, h, h]
        Of the same rows, 255 for 1.
    drawer : CaseDrawer
        Of the arm; its destination is where both go.
    recorded : DataFrame, optional
        As :func:`recorded_of` gives it.

    Returns
    -------
    list of WrongCase
        Those drawn: the first :data:`MOST`.
    """
    wrong = wrong_cases(rows)
    folder = drawer.destination / "misclassified"
    shutil.rmtree(folder, ignore_errors=True)
    drawn, index = [], []
    for number, row in enumerate(wrong, start=1):
        facts: dict[Any, Any] = rows.iloc[row].to_dict()
        own = _of(recorded, str(facts["nodule_id"]))
        path = folder / f"{number:03d}.jpg" if number <= MOST else None
        if path is not None:
            drawn.append(_draw(path, facts, heat[row], drawer, described(own)))
        index.append(_entry(number, path, facts, drawer.classes) | own | {"descriptors": described(own)})
    if index:
        write_table(drawer.destination / "misclassified.csv", pd.DataFrame(index))
    return drawn


def _of(recorded: pd.DataFrame | None, nodule: str) -> dict[Any, Any]:
    return {} if recorded is None or nodule not in recorded.index else recorded.loc[nodule].to_dict()


def _draw(path: Path, row: Mapping[Any, Any], small: NDArray[np.uint8], drawer: CaseDrawer, found: str) -> WrongCase:
    picture, heat, lesion = drawer.seen(row, small)
    called = call_in_words(str(row["call"]), drawer.classes, drawer.reference)
    label = drawer.classes[str(row["label"])]
    target, several = list(drawer.classes.values())[-1], len(drawer.classes) > 2
    against = f" of {target}, of the likeliest other class" if several else ", threshold"
    words = (
        f"Case {row['nodule_id']}, view {row['view_id']}: probability {row['probability']:.2f}{against} "
        f"{row['threshold']:.2f}, called {called}; label {label}. {heat_in_words(row)}."
    )
    panel = crop_panel(picture, heat, lesion)
    lines = [
        words,
        f"{found[:1].upper()}{found[1:]}.",
        f"Right: Grad-CAM, evidence for {target}; white line: the lesion as given. Research use only.",
    ]
    strip = legend(panel.shape[1], lines, [MARKS.get(mark, mark) for mark in drawer.marks])
    with atomic_path(path) as temporary:
        to_png(np.vstack([panel, strip])).save(temporary, format="JPEG", quality=_QUALITY)
    return WrongCase(path, words, found)


def _entry(number: int, path: Path | None, row: Mapping[Any, Any], classes: Mapping[str, str]) -> dict[str, Any]:
    kept = ("view_id", "nodule_id", "group_id", "seed", "fold", "label", "call", "probability", "threshold")
    return {
        "number": number,
        "file": "" if path is None else f"misclassified/{path.name}",
        **{name: row[name] for name in kept},
        "label_name": classes[str(row["label"])],
        "call_name": classes[str(row["call"])],
        "heat_in_lesion": row["heat_in_lesion"],
    }
