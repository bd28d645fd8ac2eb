"""The table of reads: who read which unit, under which condition, with which score or call."""

from pathlib import Path
from typing import Final

import pandas as pd
import pandera.pandas as pa

from isthmus.tables import vocabulary
from isthmus.tables.check import bad_cells, inspect_table, raise_bad_values
from isthmus.tables.cohort import coded, identifier, number, probability, text, whole

KEY: Final = ("reader_id", "condition", "session", "target", "unit_id")
"""The columns that together name one read."""

DEFAULTS: Final = {"condition": "unaided", "session": "", "target": "target"}
"""What an absent column, or a blank cell in it, stands for, in a table that belongs to no cohort."""

_SCHEMA = pa.DataFrameSchema(
    {
        "reader_id": identifier(),
        "unit_id": identifier(),
        "experience": coded(vocabulary.EXPERIENCE),
        "condition": text(),
        "session": text(),
        "order": whole(0, required=False, nullable=True),
        "target": text(),
        "score": number(-1e9, 1e9),
        "call": text(),
        "^p_.+$": probability(nullable=True),
        "seconds": number(0, 86_400),
    },
    name="reads",
)


def read_reads(path: Path | str) -> pd.DataFrame:
    """Read a table of reads that stands by itself, as ``isthmus evaluate --reads`` takes it.

    Parameters
    ----------
    path : Path
        CSV or Parquet with ``reader_id``, ``unit_id`` and a ``call``, a ``score`` or ``p_<class>``; optional
        ``experience`` (junior, intermediate, senior), ``condition`` (default unaided), ``session``, ``target``,
        ``seconds``.

    Returns
    -------
    DataFrame
        One row a read, defaults filled in.

    Raises
    ------
    TableError
        With all bad rows, those read twice among them.
    """
    frame, wrong = inspect_table(path, _SCHEMA)
    raise_bad_values(wrong)
    for name, default in DEFAULTS.items():
        frame[name] = frame[name].fillna(default) if name in frame else default
    file = Path(path).name
    measured = [name for name in frame if name in ("score", "call") or str(name).startswith("p_")]
    empty = frame[measured].isna().all(axis=1) if measured else pd.Series(True, index=frame.index)
    twice = frame.duplicated(list(KEY), keep="first")
    raise_bad_values(
        [
            *bad_cells(file, frame.loc[empty, "unit_id"], "a call, a score or p_<class> of this read"),
            *bad_cells(file, frame.loc[twice, "unit_id"], "one read of a reader, condition, session and unit"),
        ]
    )
    return frame
