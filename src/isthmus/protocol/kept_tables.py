"""Tables that a run makes once and keeps: a resumed run reads them and makes only those that are missing."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from isthmus.tables.check import write_table


def kept_table(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the table of a file, after making it where there is none.

    Parameters
    ----------
    path : Path
        A Parquet file, whose name changes with all that the table hangs on.
    make : callable
        Returns the table.
    """
    return kept_tables({"": path}, lambda _: {"": make()})[""]


def kept_tables(
    paths: Mapping[str, Path], make: Callable[[Sequence[str]], Mapping[str, pd.DataFrame]]
) -> dict[str, pd.DataFrame]:
    """Return the tables of several files by their names; all that are missing are made together.

    Parameters
    ----------
    paths : mapping
        Name to Parquet file.
    make : callable
        From the names of those that are missing to these tables; not asked where none is.
    """
    missing = [name for name, path in paths.items() if not path.is_file()]
    for name, table in (make(missing) if missing else {}).items():
        write_table(paths[name], table)
    return {name: pd.read_parquet(path) for name, path in paths.items()}
