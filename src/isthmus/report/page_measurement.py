"""The page of a cohort's pictures that were measured: sentences, figures, tables of features, what was refused."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from isthmus.cohort.measurements import Measured, View, features_by_reason
from isthmus.manifest import DISCLAIMER, version
from isthmus.report.figure_style import FigureFile, inline_svg
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, number, plural

MOST_DRAWN: Final = 24
LISTED: Final = 60
"""Rows of a table by picture that a page shows; the rest stand in the CSV file."""
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Words:
    """What a page is about.

    Parameters
    ----------
    subject : str
        In a word.
    title, question : str
        Its heading, and what it asks.
    drawn : str
        Heading of the figures.
    kept : str
        Where the numbers stand.
    picture : str
        What a view is: ``picture`` or ``clip``.
    table : str
        The file with all of them.
    """

    subject: str
    title: str
    question: str
    drawn: str
    kept: str
    picture: str
    table: str


def render_measurement(
    cohort: str,
    simulated: bool,
    words: Words,
    sentences: Sequence[str],
    figures: Sequence[FigureFile],
    tables: Sequence[tuple[str, str, str, Table]],
    methods: Sequence[str],
) -> str:
    """Return the page's HTML; each of ``tables`` is heading, introduction, first column's heading and table."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    shown = [{"svg": Markup(inline_svg(file)), "title": file.title} for file in figures]
    return environment.get_template("measurement.html.j2").render(
        cohort=cohort,
        simulated=simulated,
        css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        version=version(),
        notice=DISCLAIMER,
        sentences=sentences,
        figures=shown,
        tables=[one for one in tables if one[3].rows],
        methods=methods,
        **asdict(words),
    )


def drawn_views(measured: Measured[View]) -> list[View]:
    """Return the views that are drawn: all of a few, an even sample of many."""
    views = measured.views
    places = np.unique(np.linspace(0, len(views) - 1, min(MOST_DRAWN, len(views))).round().astype(int))
    return [views[place] for place in places] if views else []


def counted_sentences(measured: Measured[View], words: Words, what: str, done: str) -> list[str]:
    """Return in words how many views were measured; ``what`` they are, and ``done`` what could be with them."""
    views, refused = len(measured.views), len(measured.refused)
    found = [f"{count(views)} of {plural(views + refused, what)} {done}."]
    if refused:
        found.append(f"{plural(refused, words.picture)} could not; each is listed below with the reason.")
    return found


def drawn_sentences(measured: Measured[View], words: Words, more: str = "") -> list[str]:
    """Return that not all are drawn, where so; ``more`` goes on from there."""
    drawn = len(drawn_views(measured))
    return [f"{drawn} {words.picture}s, evenly chosen, are drawn{more}."] if drawn < len(measured.views) else []


def box_sentences(boxes: int, words: Words) -> list[str]:
    """Return of how many views the lesion is an ellipse, where there are such."""
    if not boxes:
        return []
    return [f"{plural(boxes, words.picture)} had a box and no mask: the ellipse in the box was taken for the lesion."]


def summary_facts(measured: Measured[View], table: pd.DataFrame, features: Mapping[str, str]) -> dict[str, Any]:
    """Return the counts and medians that the command prints."""
    medians = table[list(features)].median()
    return {
        "measured": len(measured.views),
        "in_full": sum(not view.features.doubts for view in measured.views),
        "refused": {view: why for view, (_, why) in measured.refused.items()},
        "medians": {name: None if pd.isna(value) else float(value) for name, value in medians.items()},
    }


def measurement_tables(
    measured: Measured[View], words: Words, features: Table, views: Table, note: str, reasons: Table, cause: str
) -> list[tuple[str, str, str, Table]]:
    """Return heading, introduction, heading of the first column and table, of all tables of a page.

    Parameters
    ----------
    measured : Measured
    words : Words
    features, views, reasons : Table
        How features are distributed, what each view shows, and why features are blank.
    note : str
        How ``views`` is read.
    cause : str
        What a row of ``reasons`` is.
    """
    one = words.picture.capitalize()
    return [
        ("Features", f"Over the {words.picture}s in which they are known.", "Feature", features),
        (f"By {words.picture}", note, one, views),
        ("Left blank, and why", "", cause, reasons),
        ("Not measured", "", one, refused_table(measured.refused, words.table)),
    ]


def feature_table(table: pd.DataFrame, words: Words, features: Mapping[str, str]) -> Table:
    """Return how each feature is distributed over the pictures in which it is known; no rows where none is measured."""
    rows = []
    for name, what in features.items() if (table["refused"] == "").any() else ():
        values = table[name].dropna().to_numpy(dtype=np.float64)
        if not len(values):
            rows.append(Row(name, [Cell(what), Cell("0"), Cell("–"), Cell("–")]))
            continue
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        cells = [Cell(what), Cell(count(len(values))), Cell(number(middle)), Cell(f"{number(low)} to {number(high)}")]
        rows.append(Row(name, cells))
    return Table("", ["What", f"{words.picture.capitalize()}s", "Median", "Quartiles"], rows)


def view_table(
    measured: Measured[View], words: Words, columns: Sequence[str], cells: Callable[[View], list[Cell]]
) -> Table:
    """Return a row for each view; ``columns`` and ``cells`` are what stands beside its nodule."""
    rows = [Row(view.view_id, [Cell(view.nodule_id), *cells(view)]) for view in measured.views[:LISTED]]
    return Table("", ["Nodule", *columns], rows, _more(len(measured.views), words.table))


def reason_table(
    measured: Measured[View],
    words: Words,
    features: Mapping[str, str],
    cause: Callable[[str], str],
    notes: Sequence[str] = (),
) -> Table:
    """Return of each cause in how many views it leaves which features blank; ``cause`` shortens a view's own reason."""
    views: Counter[str] = Counter()
    blank: dict[str, set[str]] = {}
    for view in measured.views:
        for reason, names in features_by_reason(view.features.doubts).items():
            views[cause(reason)] += 1
            blank.setdefault(cause(reason), set()).update(names)
    rows = [
        Row(why, [Cell(count(found)), Cell(", ".join(name for name in features if name in blank[why]))])
        for why, found in views.most_common()
    ]
    return Table("", [f"{words.picture.capitalize()}s", "Features"], rows, list(notes))


def refused_table(refused: Mapping[str, tuple[str, str]], file: str) -> Table:
    """Return what could not be measured, and why; ``file`` has all of it."""
    listed = list(refused.items())
    rows = [Row(view, [Cell(nodule), Cell(why)]) for view, (nodule, why) in listed[:LISTED]]
    return Table("", ["Nodule", "Why"], rows, _more(len(listed), file))


def _more(of: int, file: str) -> list[str]:
    return [f"{count(of - LISTED)} more are in {file}."] if of > LISTED else []


def known(value: float, digits: int = 2) -> str:
    """Return a number in words, a dash where it is not known."""
    return number(None if np.isnan(value) else value, digits)
