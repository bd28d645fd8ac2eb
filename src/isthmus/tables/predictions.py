"""Contract 2: predictions, one table that models and readers from anywhere can fill."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

from isthmus.errors import TableError
from isthmus.tables import vocabulary
from isthmus.tables.check import BadValue, bad_cells, inspect_table, raise_bad_values, write_table
from isthmus.tables.cohort import coded, identifier, probability, text, whole

KEY: Final = ("target", "cohort", "arm", "candidate", "split", "seed", "fold", "unit", "unit_id")
"""The columns that together name one row."""

DEFAULTS: Final[dict[str, str | int]] = {
    "target": "target", "cohort": "cohort", "candidate": "default", "seed": 0, "fold": 0, "unit": "nodule",
    "site": "", "call": "",
}  # fmt: skip
"""What an absent column, or a blank cell in it, stands for. ``call`` '' means that no call was made."""

SUM_TOLERANCE: Final = 1e-6
"""How far a row's probabilities may miss 1: float32 softmax written with its digits stays ten times below."""

_COLUMNS = (*KEY, "nodule_id", "patient_id", "group_id", "site", "label", "call")

_SCHEMA = pa.DataFrameSchema(
    {
        "arm": text(required=True, nullable=False),
        "split": coded(vocabulary.PREDICTION_SPLIT, required=True, nullable=False),
        "unit_id": identifier(),
        "label": text(required=True, nullable=False),
        "target": text(),
        "cohort": text(),
        "candidate": text(),
        "seed": whole(0, required=False, nullable=True),
        "fold": whole(0, required=False, nullable=True),
        "unit": coded(vocabulary.UNIT),
        "nodule_id": identifier(required=False, nullable=True),
        "patient_id": identifier(required=False, nullable=True),
        "group_id": identifier(required=False, nullable=True),
        "site": text(),
        "call": text(),
        "^p_.+$": probability(nullable=False),
        "^score$": pa.Column(float, required=False, nullable=False, regex=True),
    },
    name="predictions",
)


def read_predictions(paths: Path | str | Iterable[Path | str]) -> pd.DataFrame:
    """Read one or more predictions tables and check them as one.

    Parameters
    ----------
    paths : Path or iterable of Path
        CSV or Parquet files with the same ``p_<class>`` columns, or with one ``score``.

    Returns
    -------
    DataFrame
        Every column of the contract, defaults filled in, then ``p_<class>`` or ``score``, then any others. Without
        ``nodule_id``, ``patient_id`` or ``group_id`` each falls back on the unit it is about: a nodule's patient is
        the nodule itself, a group is the patient.

    Raises
    ------
    TableError
        With all bad rows of all files.
    """
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise TableError("no predictions table was given", expected="at least one CSV or Parquet file")
    frames: list[pd.DataFrame] = []
    bad: list[BadValue] = []
    for path in files:
        frame, wrong = inspect_table(path, _SCHEMA)
        if frame.empty:
            raise TableError("this table has a header and no rows", where=str(path))
        _check_scores(frame, path, frames[0] if frames else None)
        bad += sorted(wrong + _check_rows(frame, str(path)), key=lambda value: value.line)
        frames.append(frame)
    raise_bad_values(bad)
    frames = [_fill(frame) for frame in frames]
    raise_bad_values(_duplicates(frames, files))
    whole_frame = pd.concat(frames, ignore_index=True)
    first = [*_COLUMNS, *_score_columns(whole_frame)]
    return whole_frame[first + [name for name in whole_frame.columns if name not in first]]


def classes_of(frame: pd.DataFrame) -> list[str]:
    """Return the class labels: the order of the ``p_<class>`` columns, or the sorted labels of a ``score`` table.

    Examples
    --------
    >>> classes_of(pd.DataFrame({"label": ["1"], "p_0": [0.2], "p_1": [0.8]}))
    ['0', '1']
    """
    columns = [str(name) for name in frame.columns if str(name).startswith("p_")]
    return [name.removeprefix("p_") for name in columns] or sorted(set(frame["label"]))


def write_predictions(path: Path | str, frame: pd.DataFrame) -> None:
    """Write predictions sorted by :data:`KEY`, so that equal predictions give equal bytes.

    Parameters
    ----------
    path : Path
        ``*.csv`` or ``*.parquet``.
    frame : DataFrame
        As :func:`read_predictions` returns; absent optional columns are filled with their defaults.
    """
    filled = _fill(frame.copy())
    first = [*_COLUMNS, *_score_columns(filled)]
    ordered = filled[first + [name for name in filled.columns if name not in first]]
    write_table(path, ordered.sort_values(list(KEY), kind="stable", ignore_index=True))


def asks_for_malignancy(target: str) -> bool:
    """Return whether a target's name is that of malignancy, or says nothing.

    Examples
    --------
    >>> asks_for_malignancy("malignant"), asks_for_malignancy("olnm")
    (True, False)
    """
    return target == DEFAULTS["target"] or any(word in target.lower() for word in ("malig", "cancer"))


def _score_columns(frame: pd.DataFrame) -> list[str]:
    probabilities = [str(name) for name in frame.columns if str(name).startswith("p_")]
    return probabilities or ["score"]


def _check_scores(frame: pd.DataFrame, path: Path, first: pd.DataFrame | None) -> None:
    probabilities = [name for name in frame.columns if name.startswith("p_")]
    expected = "p_<class> for every class (sum 1), or one column 'score'"
    if probabilities and "score" in frame.columns:
        raise TableError("both p_<class> and score columns", where=f"{path}, line 1", expected=expected)
    if not probabilities and "score" not in frame.columns:
        raise TableError("no p_<class> and no score column", where=f"{path}, line 1", expected=expected)
    if len(probabilities) == 1:
        raise TableError(f"only one class column, {probabilities[0]!r}", where=f"{path}, line 1", expected=expected)
    if first is not None and set(_score_columns(first)) != set(_score_columns(frame)):
        raise TableError(
            f"columns {', '.join(_score_columns(frame))} differ from the first table's",
            where=f"{path}, line 1",
            expected=", ".join(_score_columns(first)),
        )


def _check_rows(frame: pd.DataFrame, file: str) -> list[BadValue]:
    bad: list[BadValue] = []
    probabilities = [name for name in frame.columns if name.startswith("p_")]
    if probabilities:
        classes = [name.removeprefix("p_") for name in probabilities]
        sums = frame[probabilities].to_numpy(dtype=float).sum(axis=1)
        off = np.abs(sums - 1) > SUM_TOLERANCE  # False where a value is missing: that is reported already
        names = ", ".join(probabilities)
        bad += [
            BadValue(file, int(line), names, f"sum {total:.9g}", f"a sum of 1 within {SUM_TOLERANCE:g}")
            for line, total in zip(frame.index[off], sums[off], strict=True)
        ]
        for column in ("label", "call"):
            if column in frame:
                unknown = frame[column].notna() & ~frame[column].isin(classes)
                words = "one of the classes of the p_ columns: " + ", ".join(classes)
                bad += bad_cells(file, frame[column][unknown], words)
    blank = pd.Series(True, index=frame.index)
    for column in ("nodule_id", "patient_id", "group_id"):
        blank &= frame[column].isna() if column in frame else True
    views = frame["unit"] == "view" if "unit" in frame else pd.Series(False, index=frame.index)
    words = "the view's nodule, patient or group: views of one nodule are not independent"
    bad += [BadValue(file, int(line), "nodule_id", "", words) for line in frame.index[views & blank]]
    return bad


def _fill(frame: pd.DataFrame) -> pd.DataFrame:
    for column, default in DEFAULTS.items():
        if column not in frame:
            frame[column] = default
        elif frame[column].isna().any():
            frame[column] = frame[column].fillna(default)
        if isinstance(default, int):
            frame[column] = frame[column].astype("int64")
    frame["unit_id"] = frame["unit_id"].astype("str")
    own = frame["unit_id"]
    patient_rows = frame["unit"] == "patient"
    # A view without its nodule takes the next wider unit that is stated, never itself.
    wider = _or(_column(frame, "patient_id"), _column(frame, "group_id"))
    nodule = _or(_column(frame, "nodule_id"), own.where(frame["unit"] != "view", wider))
    patient = _or(_column(frame, "patient_id"), own.where(patient_rows, _or(_column(frame, "group_id"), nodule)))
    frame["nodule_id"], frame["patient_id"] = nodule.astype("str"), patient.astype("str")
    frame["group_id"] = _or(_column(frame, "group_id"), patient).astype("str")
    return frame


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="str")


def _or(first: pd.Series, second: pd.Series) -> pd.Series:
    return first.where(first.notna(), second)


def _duplicates(frames: Sequence[pd.DataFrame], files: Sequence[Path]) -> list[BadValue]:
    keys = pd.concat(
        [
            frame[list(KEY)].assign(_file=str(path), _line=frame.index)
            for frame, path in zip(frames, files, strict=True)
        ],
        ignore_index=True,
    )
    repeated = keys[keys.duplicated(list(KEY))]
    if repeated.empty:
        return []
    first = keys.drop_duplicates(list(KEY)).set_index(list(KEY))
    words = "one row for each " + ", ".join(KEY)
    bad = []
    for row in repeated.itertuples(index=False):
        earlier = first.loc[tuple(getattr(row, name) for name in KEY)]
        place = f"{earlier['_file']}, line {earlier['_line']}"
        bad.append(BadValue(str(row[-2]), int(row[-1]), "unit_id", str(row.unit_id), f"{words} (also {place})"))
    return bad
