"""The ``.imrmc`` text file of reader studies: what iMRMC, MRMCaov and RJafroc exchange.

Lines of free text, among which ``NR:``, ``N0:``, ``N1:`` and ``NM:`` may count readers, negative and positive cases and
modalities; a line ``BEGIN DATA:``; then one line a reading, ``reader,case,modality,score``. The truth of each case
stands among them as a reading of reader ``truth`` (or ``-1``) with score 0 or 1; its modality does not matter. Blanks
in and around names do not count, as in iMRMC itself.

Format: DIDSR iMRMC, user guide of the FDA's reader study software (https://github.com/DIDSR/iMRMC).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from isthmus.errors import TableError
from isthmus.files import atomic_path
from isthmus.tables.check import BadValue, raise_bad_values
from isthmus.tables.text import read_text

MOST_LINES: Final = 20_000_000
TRUTH: Final = ("truth", "-1")
"""Names of the reader whose readings are the truth."""

_BEGIN = "BEGINDATA:"
_COUNTED = {"NR": "readers", "N0": "negative cases", "N1": "positive cases", "NM": "modalities"}


@dataclass(frozen=True)
class _Reading:
    line: int
    reader: str
    case: str
    modality: str
    score: float


def read_imrmc(
    path: Path | str, *, positive: str = "positive", negative: str = "negative", target: str = "target"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a reader study.

    Parameters
    ----------
    path : Path
    positive, negative : str
        Labels for truth 1 and 0.
    target : str
        What the column ``target`` of the reads says.

    Returns
    -------
    reads : DataFrame
        ``reader_id``, ``condition`` (the modality), ``session`` (blank), ``target``, ``unit_id``, ``score``, in the
        order of the file. ``attrs["notes"]`` lists where the counts above the data differ from the data.
    truth : DataFrame
        ``unit_id``, ``label``.

    Raises
    ------
    TableError
        When there is no ``BEGIN DATA:``, or with every line that is wrong: not four values, no number, a case without
        truth or with two, a case that a reader read twice under one modality.
    """
    path = Path(path)
    counts, readings = _parse(path)
    truth = [reading for reading in readings if reading.reader.lower() in TRUTH]
    reads = [reading for reading in readings if reading.reader.lower() not in TRUTH]
    raise_bad_values(sorted(_wrong(path.name, truth, reads), key=lambda value: value.line))
    if not reads:
        raise TableError("this file holds the truth of cases but no reading", where=str(path))
    frame = pd.DataFrame(
        {
            "reader_id": pd.array([reading.reader for reading in reads], dtype="str"),
            "condition": pd.array([reading.modality for reading in reads], dtype="str"),
            "session": pd.array([""] * len(reads), dtype="str"),
            "target": pd.array([target] * len(reads), dtype="str"),
            "unit_id": pd.array([reading.case for reading in reads], dtype="str"),
            "score": [reading.score for reading in reads],
        }
    )
    labels = pd.DataFrame(
        {
            "unit_id": pd.array([reading.case for reading in truth], dtype="str"),
            "label": pd.array([positive if reading.score == 1 else negative for reading in truth], dtype="str"),
        }
    )
    positives = sum(reading.score == 1 for reading in truth)
    found = {
        "NR": frame["reader_id"].nunique(),
        "N0": len(truth) - positives,
        "N1": positives,
        "NM": frame["condition"].nunique(),
    }
    frame.attrs["notes"] = [
        f"{path.name} declares {counts[name]} {what} ({name}), its data hold {found[name]}"
        for name, what in _COUNTED.items()
        if name in counts and counts[name] != found[name]
    ]
    return frame, labels


def write_imrmc(path: Path | str, reads: pd.DataFrame, truth: pd.DataFrame, *, positive: str = "positive") -> None:
    r"""Write a reader study atomically; `read_imrmc` returns what was written.

    Parameters
    ----------
    path : Path
    reads : DataFrame
        ``reader_id``, ``condition``, ``unit_id`` and ``score``, of one session and target; a row a reading.
    truth : DataFrame
        ``unit_id`` and ``label``, a row a case.
    positive : str
        The label that is written as 1; every other one is 0.

    Raises
    ------
    TableError
        For a name with a comma, a blank or a line break, a reader named as the truth, a score that is no number, a
        case without truth, or more than one session or target.
    """
    rows = reads[["reader_id", "condition", "unit_id"]].astype(str)
    _check_writable(reads, truth, rows)
    labels = truth["label"].astype(str) == positive
    counts = (rows["reader_id"].nunique(), int((~labels).sum()), int(labels.sum()), rows["condition"].nunique())
    with atomic_path(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        out.write("Reader study written by Isthmus\n")
        out.writelines(f"{name}: {count}\n" for name, count in zip(_COUNTED, counts, strict=True))
        out.write("\nBEGIN DATA:\n")
        for case, label in zip(truth["unit_id"].astype(str), labels, strict=True):
            out.write(f"truth,{case},truth,{int(label)}\n")
        for (reader, modality, case), score in zip(rows.itertuples(index=False), reads["score"], strict=True):
            out.write(f"{reader},{case},{modality},{_shortest(float(score))}\n")


def _parse(path: Path) -> tuple[dict[str, int], list[_Reading]]:
    lines = read_text(path).splitlines()
    if len(lines) > MOST_LINES:
        raise TableError(f"{len(lines)} lines", where=str(path), expected=f"at most {MOST_LINES}")
    begin = next((i for i, line in enumerate(lines) if _bare(line).upper().startswith(_BEGIN)), None)
    if begin is None:
        raise TableError("no line 'BEGIN DATA:'", where=str(path), expected="an .imrmc file of a reader study")
    counts = {}
    for line in lines[:begin]:
        found = re.fullmatch(r"(NR|N0|N1|NM):(\d{1,9})", _bare(line), flags=re.IGNORECASE)
        if found:
            counts[found[1].upper()] = int(found[2])
    readings: list[_Reading] = []
    bad: list[BadValue] = []
    for number, line in enumerate(lines[begin + 1 :], begin + 2):
        if line.strip():
            reading = _reading(path.name, number, line)
            (readings if isinstance(reading, _Reading) else bad).append(reading)  # type: ignore[arg-type]
    raise_bad_values(bad)
    return counts, readings


def _reading(file: str, number: int, line: str) -> _Reading | BadValue:
    cells = [_bare(cell) for cell in line.split(",")]
    if len(cells) != 4 or not all(cells[:2]):
        return BadValue(file, number, "reader,case,modality,score", line.strip()[:80], "four values between commas")
    try:
        score = float(cells[3])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        return BadValue(file, number, "score", cells[3], "a finite number")
    return _Reading(number, cells[0], cells[1], cells[2], score)


def _wrong(file: str, truth: list[_Reading], reads: list[_Reading]) -> Iterator[BadValue]:
    known: dict[str, int] = {}
    for reading in truth:
        if reading.score not in (0.0, 1.0):
            yield BadValue(file, reading.line, "score", f"{reading.score:g}", "truth 0 (negative) or 1 (positive)")
        if reading.case in known:
            expected = f"one truth for each case; line {known[reading.case]} gives it already"
            yield BadValue(file, reading.line, "case", reading.case, expected)
        known.setdefault(reading.case, reading.line)
    seen: dict[tuple[str, str, str], int] = {}
    for reading in reads:
        key = reading.reader, reading.case, reading.modality
        if reading.case not in known:
            yield BadValue(file, reading.line, "case", reading.case, f"a line truth,{reading.case},truth,0 (or 1)")
        if key in seen:
            yield BadValue(file, reading.line, "case", reading.case, f"one read; line {seen[key]} holds it already")
        seen.setdefault(key, reading.line)


def _check_writable(reads: pd.DataFrame, truth: pd.DataFrame, rows: pd.DataFrame) -> None:
    for name in ("session", "target"):
        if name in reads and reads[name].fillna("").nunique() > 1:
            raise TableError(f"reads of more than one {name}: the file has no place for it", expected=f"one {name}")
    if not np.isfinite(reads["score"].astype(float)).all():
        raise TableError("a read has no score: the file has no place for calls", expected="a number in every row")
    names = [*rows["reader_id"].unique(), *rows["condition"].unique(), *truth["unit_id"].astype(str)]
    broken = [name for name in names if not name or "," in name or _bare(name) != name]
    if broken:
        raise TableError(f"{broken[0]!r} holds a blank or a comma, which the file cannot keep", expected="plain names")
    if rows["reader_id"].str.lower().isin(TRUTH).any():
        raise TableError("a reader is called 'truth' or '-1': the file keeps that name for the truth")
    without = set(rows["unit_id"]) - set(truth["unit_id"].astype(str))
    if without:
        raise TableError(f"case {min(without)!r} has no truth ({len(without)} such cases)")


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _shortest(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
