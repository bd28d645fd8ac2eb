"""What is true of a simulated cohort: the folder ``truth/`` that lies beside its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import CohortError
from isthmus.files import read_yaml
from isthmus.imaging.read import read_clip

FOLDER = "truth"
LATENTS = "latents"
"""The name of the observer that knows every latent."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What the simulation knows.

    Parameters
    ----------
    folder : Path
        The folder ``truth/``.
    preset : str
        Of the simulation.
    description : dict
        The content of ``truth.yaml``.
    nodules : DataFrame
        Latents, ``p_true`` and clean labels, one row a nodule.
    observers : DataFrame
        ``target, observer, unit_id, p_<class>…``, one row a unit and observer.
    views : DataFrame
        ``view_id, calcifications`` (relative path, empty where none shows), ``plane``.
    """

    folder: Path
    preset: str
    description: Mapping[str, Any]
    nodules: pd.DataFrame
    observers: pd.DataFrame
    views: pd.DataFrame

    @property
    def population(self) -> Mapping[str, Mapping[str, Any]]:
        """Each observer's AUC among a million draws, with its standard error."""
        found: Mapping[str, Mapping[str, Any]] = self.description["observers"]
        return found

    @property
    def unit(self) -> str:
        """What the label, and so each row of the observers, belongs to."""
        return str(self.description.get("target", {}).get("unit", "nodule"))

    @property
    def observer_names(self) -> list[str]:
        """The observers that have probabilities, ``latents`` first."""
        return sorted(set(self.observers["observer"]), key=lambda name: (name != LATENTS, name))

    def observer(
        self, name: str, unit_ids: Sequence[str], classes: Sequence[str], target: str | None = None
    ) -> NDArray[np.float64]:
        """Return an ideal observer's probabilities.

        Parameters
        ----------
        name : str
            ``latents``, or modalities joined by ``+``.
        unit_ids : sequence of str [N]
            Nodules, or patients where the target is the patient's; they may repeat.
        classes : sequence of str [K]
            The order of the columns returned.
        target : str, optional
            Needed where the cohort has several.

        Returns
        -------
        float64 array [N, K]

        Raises
        ------
        CohortError
            For an unknown observer, class or unit.
        """
        rows = self.observers[self.observers["observer"] == name]
        if target is not None:
            rows = rows[rows["target"] == target]
        if rows.empty:
            raise CohortError(
                f"no ideal observer is called {name!r}", where=str(self.folder), expected=", ".join(self.observer_names)
            )
        columns = [f"p_{label}" for label in classes]
        absent = [column for column in columns if column not in rows or rows[column].isna().any()]
        if absent:
            raise CohortError(f"no column {absent[0]!r} for {name!r}", where=str(self.folder / "observers.csv"))
        places = pd.Index(rows["unit_id"]).get_indexer(pd.Index(list(unit_ids)))
        if (places < 0).any():
            first = list(unit_ids)[int(np.flatnonzero(places < 0)[0])]
            raise CohortError(f"no row for unit {first!r} and {name!r}", where=str(self.folder / "observers.csv"))
        probabilities: NDArray[np.float64] = rows[columns].to_numpy(dtype=np.float64)
        return np.asarray(probabilities[places])

    def calcification_mask(self, view_id: str, frames: Sequence[int] | None = None) -> NDArray[np.bool_] | None:
        """Return where calcifications show in a view [T, H, W], or None where none does.

        Parameters
        ----------
        view_id : str
            A still or a clip.
        frames : sequence of int, optional
            Which frames, counted from 0, in this order; all of them by default.

        Raises
        ------
        CohortError
            For an unknown view.
        PictureError
            When the mask cannot be read.
        """
        rows = self.views.loc[self.views["view_id"] == view_id, "calcifications"]
        if rows.empty:
            raise CohortError(f"no view is called {view_id!r}", where=str(self.folder / "views.csv"))
        relative = str(rows.iloc[0])
        if not relative:
            return None
        return np.asarray(read_clip(self.folder / relative, frames=frames).frames.any(axis=3))


def read_truth(cohort_folder: Path) -> Truth | None:
    """Read a simulated cohort's truth.

    Parameters
    ----------
    cohort_folder : Path
        A cohort (contract 1).

    Returns
    -------
    Truth or None
        None where the cohort has no ``truth/``: then it is real.

    Raises
    ------
    InputError
        When ``truth.yaml`` is missing, no YAML, or of another or a newer format.
    CohortError
        When a table is missing or lacks a column.
    """
    folder = Path(cohort_folder) / FOLDER
    if not folder.is_dir():
        return None
    description = read_yaml(folder / "truth.yaml", name="truth")
    if not isinstance(description.get("observers"), dict):
        raise CohortError("no ideal observers are listed", where=str(folder / "truth.yaml"), expected="observers:")
    return Truth(
        folder=folder,
        preset=str(description.get("preset", "")),
        description=description,
        nodules=_table(folder / "nodules.csv", ["nodule_id"]),
        observers=_table(folder / "observers.csv", ["target", "observer", "unit_id"]),
        views=_table(folder / "views.csv", ["view_id", "calcifications"]),
    )


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table whose named columns are text, blank cells empty; the others are numbers where they can be."""
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(columns, str), keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise CohortError("no such file", where=str(path), hint="simulate the cohort again") from error
    absent = [column for column in columns if column not in table]
    if absent:
        raise CohortError(f"no column {absent[0]!r}", where=str(path), expected=", ".join(columns))
    return table.fillna(dict.fromkeys(columns, ""))
