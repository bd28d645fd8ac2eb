"""Quantitative perfusion as a member of a fusion: features of each nodule's contrast-enhanced clips."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.cohort.perfusion import measure_perfusion
from isthmus.models.fused_columns import PERFUSION
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.protocol.fused_features import Block
from isthmus.statistics.perfusion_features import FEATURES
from isthmus.tables.check import write_table


def perfusion_block(run_folder: Path, cases: Cases, progress: Progress | None = None) -> Block:
    """Return the perfusion features of a cohort's nodules; measured once and kept in the run folder.

    No label is looked at. A feature that a clip does not show is NaN, and so are all features of a clip that could not
    be measured; several clips of a nodule are averaged.

    Parameters
    ----------
    run_folder : Path
        Keeps `perfusion/<cohort>.csv`.
    cases : Cases
        Their cohort is measured whole.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    CohortError
        When the cohort has no contrast-enhanced clip.
    """
    path = run_folder / PERFUSION / f"{cases.cohort.fingerprint()[:16]}.csv"
    if not path.is_file():
        said = None if progress is None else partial(progress, "measuring perfusion")
        write_table(path, measure_perfusion(cases.cohort, progress=said).table)
    table = pd.read_csv(path, dtype={"view_id": str, "nodule_id": str})
    means = table.groupby("nodule_id", sort=True)[list(FEATURES)].mean()
    units = [str(name) for name in means.index]
    return Block(units, means.to_numpy(dtype=np.float64), tuple(f"{PERFUSION}:{name}" for name in FEATURES))
