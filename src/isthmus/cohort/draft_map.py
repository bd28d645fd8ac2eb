"""A first map, written from what a table and its pictures look like: to be read and mended by who knows them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from isthmus.cohort.cell_values import CODES, tidy
from isthmus.cohort.headings import IDENTIFYING, LABEL, guess_column, guess_labels, guess_unit, guess_values
from isthmus.cohort.join import SourcePicture
from isthmus.cohort.join_guess import JoinGuess, guess_join
from isthmus.cohort.map_parts import Columns
from isthmus.cohort.mapping import FORMAT
from isthmus.cohort.numbered_folders import numbered_folders
from isthmus.cohort.source_table import SourceTable

CHECK: Final = "CHECK"
"""Marks a line of the draft that is not certain."""
_MOST_VALUES: Final = 25
_UNCODED: Final = (
    *("patient_id", "nodule_id", "exam_id", "exam_date", "age_years", "size_mm", "site", "plane", "device"),
    "frame_rate_hz",
)
_PLACEHOLDER: Final = "???"


@dataclass(frozen=True)
class MapDraft:
    """A draft.

    Parameters
    ----------
    text : str
        The content of `map.yaml`, with comments.
    columns : dict of str to str
        Our column to the table's heading.
    join : JoinGuess or None
        What joins rows and pictures; None where nothing does.
    """

    text: str
    columns: dict[str, str]
    join: JoinGuess | None

    @property
    def whole(self) -> bool:
        """Whether nothing that an import needs is missing."""
        return self.join is not None and {"patient_id", LABEL} <= set(self.columns)


def draft_map(
    table: SourceTable, pictures: Sequence[SourcePicture], *, name: str, header_row: int = 1, sheet: str | None = None
) -> MapDraft:
    """Write a map for a table and pictures, guessing what can be guessed, and marking the rest.

    Parameters
    ----------
    table : SourceTable
        The hospital's table.
    pictures : sequence of SourcePicture
        What the source holds; of DICOM files with the keys of their headers.
    name : str
        What the cohort is called until somebody says better.
    header_row : int
        The row of the table that holds the headings.
    sheet : str, optional
        Named in the map where the workbook has several.

    Returns
    -------
    MapDraft
    """
    columns, identifying, other = _sort_headings(table)
    join = guess_join(table, pictures, columns)
    dicom = any("SOPInstanceUID" in picture.keys for picture in pictures)
    lines = [
        "# How this table and these pictures become a cohort. Written by `isthmus cohort import` as a first guess:",
        f"# read every line, mend those marked {CHECK}, and give this file to the same command as --map.",
        f"format: {FORMAT}",
        f"name: {_quoted(name)}  # shown in every report",
        "licence: not stated",
        "citation: none",
        "remarks: []  # what a reader of a report should know of these data",
        *_table_lines(table, header_row, sheet),
        *_join_lines(join),
        *_frame_folder_lines(pictures),
        *_column_lines(table, columns, dicom),
        *_target_lines(table, columns.get(LABEL)),
        *_extra_lines(columns, other),
        *_rest_lines(identifying, _patients_repeat(table, columns), dicom),
    ]
    return MapDraft("\n".join(lines) + "\n", columns, join)


def _sort_headings(table: SourceTable) -> tuple[dict[str, str], list[str], list[str]]:
    columns: dict[str, str] = {}
    identifying, other = [], []
    for heading in table.frame.columns:
        column = guess_column(heading)
        if column == IDENTIFYING:
            identifying.append(heading)
        elif column is None or column in columns:
            other.append(heading)
        else:
            columns[column] = heading
    if "patient_id" not in columns and "exam_id" in columns:
        columns["patient_id"] = columns["exam_id"]
    return columns, identifying, other


def _table_lines(table: SourceTable, header_row: int, sheet: str | None) -> list[str]:
    said = [f"  sheet: {_quoted(sheet)}"] if sheet else []
    said += [f"  header_row: {header_row}"] if header_row > 1 else []
    return ["", f"# {table.origin}: {len(table.frame)} rows", *(["table:", *said] if said else [])]


def _join_lines(join: JoinGuess | None) -> list[str]:
    title = [
        "",
        "# Which pictures belong to a row: the heading's value equals this key of the picture. Keys: file, name,",
        "# stem (name without suffix), folder (the first one), PatientID, AccessionNumber … of DICOM, and the named",
        "# groups of `pattern`, a regular expression searched in the file's path.",
    ]
    if join is None:
        unknown = f"    {_quoted(_PLACEHOLDER)}: name  # {CHECK}: no column's values were seen in the files' names"
        return [*title, "join:", "  match:", unknown]
    lines = [*title, f"# As guessed, {join.pictures} of {join.looked_at} pictures find a row.", "join:", "  match:"]
    if join.ambiguous:
        lines.insert(
            -2,
            f"# {CHECK}: {join.ambiguous} of them fit rows of several nodules and would be left out: "
            "match one more heading that tells these apart.",
        )
    lines += [f"    {_quoted(heading)}: {key}" for heading, key in join.rule.match.items()]
    lines += [f"  pattern: {_quoted(join.rule.pattern)}"] if join.rule.pattern else []
    ignored = f"  leading_zeros: ignore  # {CHECK}: '007' and '7' are taken for the same"
    return lines + ([ignored] if join.rule.leading_zeros == "ignore" else [])


def _frame_folder_lines(pictures: Sequence[SourcePicture]) -> list[str]:
    found = numbered_folders([picture.file for picture in pictures])
    if found is None:
        return []
    fewest, most = found.frames
    return [
        "",
        f"# {CHECK}: {found.folders} folders hold {fewest} to {most} pictures each, numbered one after another. If",
        "# each is a clip, take the # away from the next line, and join by what names the folder, for",
        '# example `match: {"case": folder}`; a row may then be a frame, and all rows of one clip go together.',
        f"# frame_folders: {_quoted(found.pattern)}",
    ]


def _column_lines(table: SourceTable, columns: Mapping[str, str], dicom: bool) -> list[str]:
    lines = ["", "# Our columns, and the table's headings. `values`: what stands there: what it means ('': blank)."]
    lines += ["columns:"]
    if "patient_id" not in columns:
        lines += [f"  patient_id: {_quoted(_PLACEHOLDER)}  # {CHECK}: which column tells patients apart?"]
    for column in Columns.model_fields:
        if column in columns:
            copied = (
                f"  # {CHECK}: copied as it stands; `{{heading: …, values: {{name: code}}}}` hides a hospital's name"
            )
            lines += _one_column(table, column, columns[column])
            lines[-1] += copied if column == "site" and dicom else ""
    if "site" not in columns and dicom:
        lines += ["  # each hospital gets a pseudonym, or the code that `values: {name: code}` gives it"]
        lines += ["  site: {key: InstitutionName}"]
    elif "site" not in columns:
        lines += [f"  site: {{constant: not stated}}  # {CHECK}: the hospital, or the column that names it"]
    lines += [
        "  # reference: {constant: surgery}  # where it is known for all; or cytology, follow_up, tirads; or a column"
    ]
    return [*lines, "  # sampling: {constant: consecutive}  # or selected, case_control"]


def _one_column(table: SourceTable, column: str, heading: str) -> list[str]:
    texts = _values(table, heading)
    if column == "size_mm":
        unit = guess_unit(heading, texts)
        doubt = "" if unit else f"  # {CHECK}: mm or cm?"
        return [f"  size_mm: {{heading: {_quoted(heading)}, unit: {unit or 'mm'}}}{doubt}"]
    if column in _UNCODED:
        return [f"  {column}: {_quoted(heading)}"]
    lines = [f"  {column}:", f"    heading: {_quoted(heading)}"]
    return lines + _value_lines(guess_values(column, texts), "    ", ", ".join(CODES.get(column, {})))


def _target_lines(table: SourceTable, heading: str | None) -> list[str]:
    lines = ["", "# What is to be predicted. The last class is the positive one. Where no label is known: targets: {}"]
    lines += ["targets:", "  malignant:"]
    if heading is None:
        lines += [f"    heading: {_quoted(_PLACEHOLDER)}  # {CHECK}: which column holds the diagnosis?"]
    else:
        lines += [f"    heading: {_quoted(heading)}"]
        lines += _value_lines(guess_labels(heading, _values(table, heading)), "    ", "0, 1, or '' for no label")
    lines += ["    unit: nodule", '    classes: {"0": benign, "1": malignant}']
    return [*lines, f"    reference: mixed  # {CHECK}: surgery, cytology, follow_up, tirads or mixed"]


def _value_lines(values: Mapping[str, str], indent: str, words: str) -> list[str]:
    if not values:
        return []
    lines = [f"{indent}values:"]
    for text, code in values.items():
        lines.append(f"{indent}  {_quoted(text)}: {_quoted(code)}" + ("" if code else f"  # {CHECK}: {words}"))
    return lines


def _extra_lines(columns: Mapping[str, str], other: Sequence[str]) -> list[str]:
    kept = {name: columns[name] for name in ("location", "birads") if name in columns}
    lines = ["", "# Kept as they are, beside our columns. `table: patients` where a value belongs to the patient."]
    lines += ["extra:" if kept else "extra: {}"]
    lines += [f"  {name}: {{heading: {_quoted(heading)}, table: nodules}}" for name, heading in kept.items()]
    listed = ", ".join(other[:30]) + (" …" if len(other) > 30 else "")
    return [*lines, f"# Not used: {listed}"] if other else lines


def _patients_repeat(table: SourceTable, columns: Mapping[str, str]) -> bool:
    if "patient_id" not in columns or "nodule_id" in columns:
        return False
    ids = [tidy(text) for text in table.frame[columns["patient_id"]] if tidy(text)]
    return len(set(ids)) < len(ids)


def _rest_lines(identifying: Sequence[str], repeated: bool, dicom: bool) -> list[str]:
    listed = ", ".join(_quoted(heading) for heading in identifying)
    # What stands outside the scan area of a DICOM picture is always painted black; its header tells Doppler.
    screen = [] if dicom else ["screen: keep  # black: paint everything outside the scan area black"]
    kinds = "a clip is then cine, colour flow doppler" if dicom else "a clip is then cine"
    return [
        "",
        "# Never copied; and no file name, cell or message that holds one of their values is shown.",
        f"identifying: [{listed}]",
        "",
        "# Without a nodule_id: are all rows of a patient about one nodule, or is every row a nodule (one_per_row)?",
        "nodules: one_per_patient" + (f"  # {CHECK}: some patients have several rows" if repeated else ""),
        "dates: relative  # days since the patient's first examination; or drop",
        *screen,
        "modality:",
        f"  default: bmode  # {kinds}; or ceus, smi, swe, doppler",
        '  patterns: {}  # by the path, e.g. {swe: "SWE|弹性", ceus: "CEUS|造影"}',
    ]


def _values(table: SourceTable, heading: str) -> list[str]:
    """Return a column's commonest values; none that holds a name of its own row."""
    private = [name for name in table.frame.columns if guess_column(name) == IDENTIFYING]
    counts: Counter[str] = Counter()
    for text, *names in table.frame[[heading, *private]].itertuples(index=False):
        if tidy(text) and not any(tidy(name) and tidy(name) in tidy(text) for name in names):
            counts[tidy(text)] += 1
    return [text for text, _ in counts.most_common(_MOST_VALUES)]


def _quoted(text: Any) -> str:
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10_000)).strip()
