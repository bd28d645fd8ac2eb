"""The page of a cohort's pictures that were measured: sentences, figures, tables of features, what was refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import pandas as pd
from markupsafe import Markup

from isthmus.manifest import DISCLAIMER, version
from isthmus.report.figure_style import FigureFile, inline_svg
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, number

LISTED: Final = 60
"""Rows of a table by picture that a page shows; the rest stand in the CSV file."""
_TEMPLATES = Path(__file__).parent / "templates"
_View = TypeVar("_View")


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
    """

    subject: str
    title: str
    question: str
    drawn: str
    kept: str


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


def even_sample(views: Sequence[_View], most: int) -> list[_View]:
    """Return all of a few views, an even sample of many."""
    places = np.unique(np.linspace(0, len(views) - 1, min(most, len(views))).round().astype(int))
    return [views[place] for place in places] if views else []


def feature_table(table: pd.DataFrame, features: Mapping[str, str], pictures: str) -> Table:
    """Return how each feature is distributed over the pictures in which it is known; no rows where none is measured."""
    rows = []
    for name, words in features.items() if (table["refused"] == "").any() else ():
        values = table[name].dropna().to_numpy(dtype=np.float64)
        if not len(values):
            rows.append(Row(name, [Cell(words), Cell("0"), Cell("–"), Cell("–")]))
            continue
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        cells = [Cell(words), Cell(count(len(values))), Cell(number(middle)), Cell(f"{number(low)} to {number(high)}")]
        rows.append(Row(name, cells))
    return Table("", ["What", pictures, "Median", "Quartiles"], rows)


def refused_table(refused: Mapping[str, tuple[str, str]], file: str) -> Table:
    """Return what could not be measured, and why; ``file`` has all of it."""
    listed = list(refused.items())
    rows = [Row(view, [Cell(nodule), Cell(why)]) for view, (nodule, why) in listed[:LISTED]]
    more = len(listed) - LISTED
    return Table("", ["Nodule", "Why"], rows, [f"{count(more)} more are in {file}."] if more > 0 else [])


def known(value: float, digits: int = 2) -> str:
    """Return a number in words, a dash where it is not known."""
    return number(None if np.isnan(value) else value, digits)
