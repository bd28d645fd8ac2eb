"""What a run asks of a simulated cohort, after everything was predicted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.explain.calcifications import Masks
from isthmus.protocol.class_calls import scores_of
from isthmus.report.truth import Truth
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration
from isthmus.tables.check import read_table
from isthmus.tables.cohort import READS
from isthmus.tables.predictions import classes_of


def true_calcifications(truth: Truth) -> Masks:
    """Return what gives a view's true calcifications [T, H, W], or None where it shows none."""
    return truth.calcification_mask


def read_again(
    run_folder: Path, cohort: Cohort, predictions: pd.DataFrame, frozen: dict[str, Any], arm: str
) -> pd.DataFrame | None:
    """Let the simulated readers read once more with an arm's help.

    Parameters
    ----------
    run_folder : Path
        Gets `reads.csv`: the readers' reads of what the arm met once, without and with its help.
    cohort : Cohort
        Simulated.
    predictions : DataFrame
        The run's, of this cohort.
    frozen : dict
        The content of `frozen.json`: the readers are shown calibrated probabilities.
    arm : str
        Whose help it is.

    Returns
    -------
    DataFrame or None
        Contract 1; None where the cohort has no readers.
    """
    # Only simulated cohorts need it, and it brings scipy.stats along.
    from isthmus.phantom.aided import write_aided_reads

    rows, classes = predictions[predictions["arm"] == arm], classes_of(predictions)
    shown = _calibrated(rows, classes, frozen["arms"][arm]["calibration"])
    path = write_aided_reads(cohort.folder, shown, arm, run_folder / "reads.csv")
    return None if path is None else read_table(path, READS)


def _calibrated(rows: pd.DataFrame, classes: list[str], said: dict[str, Any]) -> pd.DataFrame:
    if len(classes) > 2:
        values = ClassCalibration.from_dict(said).apply(scores_of(rows, classes))
        return rows.assign(**{f"p_{name}": values[:, place] for place, name in enumerate(classes)})
    positive = LogisticCalibration.from_dict(said).apply(rows[f"p_{classes[-1]}"].to_numpy(dtype=np.float64))
    return rows.assign(**{f"p_{classes[0]}": 1 - positive, f"p_{classes[-1]}": positive})
