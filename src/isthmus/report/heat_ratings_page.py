"""What the doctors' ratings give: a small page, its figure and tables, and the same numbers as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from isthmus.files import new_folder, write_json, write_text
from isthmus.manifest import DISCLAIMER, Manifest, version
from isthmus.report.error_rates import TITLES
from isthmus.report.figure_style import INK, inline_svg, new_figure, save, style, tidy
from isthmus.report.heat_ratings import FEWEST, rating_evidence
from isthmus.report.page_tables import Cell, Row, Table, interval_cell, percent_cell
from isthmus.report.reading import count, interval, listed, percent_interval, plural
from isthmus.tables.check import write_table
from isthmus.tables.ratings import ANCHORS, CRITERIA, GOOD
from isthmus.tables.vocabulary import DESCRIPTORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).parent / "templates"
# From rust over grey to blue: told apart with any colour vision, the middle neutral.
_TONES = ("#a6500f", "#e0a06a", "#d0d0d0", "#7fb2d8", "#0072B2")


def write_rating_report(
    ratings: pd.DataFrame,
    cases: int,
    destination: Path,
    *,
    title: str,
    arms: Mapping[str, str],
    marks: Sequence[str] = (),
    level: float = 0.95,
) -> dict[str, Any]:
    """Write ``ratings.json``, ``report.html``, ``tables/`` and ``figures/``.

    Parameters
    ----------
    ratings : DataFrame
        As :func:`isthmus.report.heat_ratings.read_ratings` gives it.
    cases : int
        How many the form has.
    destination : Path
        Folder to make.
    title : str
        Of the run.
    arms : mapping
        Arm to the name shown.
    marks : sequence of str
        ``SMOKE``, ``SIMULATED``.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        The content of ``ratings.json``.
    """
    record = Manifest("rate analyse")
    evidence = {**rating_evidence(ratings, cases, level), "marks": list(marks), "notice": DISCLAIMER}
    with new_folder(destination) as folder:
        write_json(folder / "ratings.json", evidence)
        _write_tables(folder / "tables", evidence, ratings)
        with style():
            drawn = _figure(ratings, arms)
            words = "How often each rating was given, by arm and by whether the call was right."
            figure = save(drawn, folder / "figures", "ratings", words, words, ", ".join(marks))
        write_text(folder / "report.html", _page(evidence, title, arms, Markup(inline_svg(figure)), words))
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])
    return evidence


def rating_sentences(evidence: dict[str, Any], arms: Mapping[str, str]) -> list[str]:
    """Return in words what the ratings say, and no more than their intervals show."""
    readers = evidence["readers"]
    found = [
        f"{plural(len(readers), 'reader')} rated {count(evidence['cases_rated'])} of {count(evidence['cases'])} heat "
        f"maps from 1 ({ANCHORS[1]}) to 5 ({ANCHORS[5]}); {plural(evidence['ratings'], 'rating')} in all."
    ]
    if "SMOKE" in evidence["marks"]:
        return [*found, "A smoke run: the numbers below show that the analysis runs, and nothing else."]
    found += [
        f"{arms.get(row['arm'], row['arm'])}: mean rating {interval(row['mean'])}; "
        f"{percent_interval(row['share_good'])} of the ratings were {GOOD} or 5."
        for row in evidence["rows"]
        if row["of"] == "all"
    ]
    found += [_difference_sentence(entry, arms) for entry in evidence["differences"]]
    if len(readers) == 1:
        found.append("One reader: nothing can be said of how other readers would rate.")
    return found


def _difference_sentence(entry: dict[str, Any], arms: Mapping[str, str]) -> str:
    a, b = (arms.get(entry[side], entry[side]) for side in ("a", "b"))
    where = f"{arms.get(entry['arm'], entry['arm'])}: h" if entry["arm"] else "H"
    if entry["low"] is None:
        return f"{where}eat maps of {a} and {b} cannot be compared: {entry.get('note', 'no interval')}."
    if min(entry["cases"]) < FEWEST:
        return (
            f"{where}eat maps of {a} ({count(entry['cases'][0])}) and {b} ({count(entry['cases'][1])}): too few to "
            "tell whether they are rated differently."
        )
    if entry["low"] <= 0 <= entry["high"]:
        return (
            f"{where}eat maps of {a} and {b} are not shown to be rated differently (difference {interval(entry)}, "
            f"{count(entry['cases'][0])} and {count(entry['cases'][1])} cases)."
        )
    better = "higher" if entry["estimate"] > 0 else "lower"
    return f"{where}eat maps of {a} were rated {better} than those of {b} by these readers, by {interval(entry)}."


def _page(evidence: dict[str, Any], title: str, arms: Mapping[str, str], figure: Markup, words: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    css = Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("heat_ratings.html.j2").render(
        title=title,
        css=css,
        figure=figure,
        figure_words=words,
        evidence=evidence,
        sentences=rating_sentences(evidence, arms),
        tables=[table for table in _tables(evidence, arms) if table[1].rows],
        version=version(),
    )


def _tables(evidence: dict[str, Any], arms: Mapping[str, str]) -> list[tuple[str, Table]]:
    """Return the tables of the page, each with the heading of its first column."""
    return [
        ("Whose", _mean_table(evidence, arms)),
        ("Readers", _agreement_table(evidence)),
        ("Criterion", _criteria_table(evidence)),
        ("As the cohort records", _descriptor_table(evidence)),
        ("Arm", _heat_table(evidence, arms)),
    ]


def _mean_table(evidence: dict[str, Any], arms: Mapping[str, str]) -> Table:
    rows = []
    for row in evidence["rows"]:
        cells = [Cell(count(row["n"])), Cell(count(row["cases"])), interval_cell(row["mean"])]
        cells += [Cell(_limits(row["mean_other_readers"])), percent_cell(row["share_good"])]
        cells += [Cell("too few to tell" if row["few"] else "")]
        rows.append(Row(f"{arms.get(row['arm'], row['arm'])}, {_of(row)}", cells, row["of"] == "all"))
    note = (
        "First interval: these readers, other patients (groups of patients as clusters). Second: other readers too "
        "(patients and readers as crossing clusters); with few readers it is wide, and with one there is none. A mean "
        f"of fewer than {FEWEST} cases says little."
    )
    columns = ["Ratings", "Cases", "Mean rating", "with other readers", f"Rated {GOOD} or 5", ""]
    return Table("Ratings", columns, rows, [note])


def _of(row: dict[str, Any]) -> str:
    if row["of"] in DESCRIPTORS:
        return f"{TITLES[row['of']].lower()} {DESCRIPTORS[row['of']][row['which']]}"
    shown = {"all": "all", "call": f"{row['which']} calls", "reader": f"reader {row['which']}"}
    return shown.get(row["of"], f"{row['which']} readers")


def _agreement_table(evidence: dict[str, Any]) -> Table:
    agreement = evidence["agreement"]
    rows = [
        Row(f"{pair['a']} and {pair['b']}", [Cell("weighted kappa"), Cell(count(pair["cases"])), _noted(pair)])
        for pair in agreement["kappa"]
    ]
    if agreement["icc"]["estimate"] is not None:
        rows.append(Row("All readers", [Cell("ICC(2,1)"), Cell(count(agreement["icc"]["cases"])),
                                        _noted(agreement["icc"])], True))  # fmt: skip
    notes = ["Cohen's kappa with quadratic weights; ICC of one reader's rating, absolute agreement."]
    if any(entry.get("few") for entry in (*agreement["kappa"], agreement["icc"])):
        notes.append(
            f"Under {FEWEST} patients behind a value its interval is no guide to how far it may lie from the truth: "
            "take such values as a description of these cases."
        )
    return Table("Agreement between readers", ["Measure", "Cases", "Value"], rows, notes)


def _criteria_table(evidence: dict[str, Any]) -> Table:
    rows = [
        Row(entry["words"][:1].upper() + entry["words"][1:], [Cell(count(entry["n"])), percent_cell(entry)])
        for entry in evidence["criteria"]
    ]
    return Table("Criteria that readers saw under the heat", ["Ratings", "Named in"], rows)


def _descriptor_table(evidence: dict[str, Any]) -> Table:
    rows = []
    for entry in evidence["criteria_by_descriptor"]:
        name = f"{TITLES[entry['criterion']]}: {DESCRIPTORS[entry['criterion']][entry['code']]}"
        cells = [Cell(CRITERIA[entry["criterion"]][0]), Cell(count(entry["cases"])), percent_cell(entry)]
        rows.append(Row(name, [*cells, Cell("too few to tell" if entry["cases"] < FEWEST else "")]))
    note = "How often readers named the criterion where the cohort records the finding; naming it is not grading it."
    return Table("Criteria named, by what the cohort records", ["Criterion", "Cases", "Named in", ""], rows, [note])


def _heat_table(evidence: dict[str, Any], arms: Mapping[str, str]) -> Table:
    rows = [
        Row(arms.get(entry["arm"], entry["arm"]), [Cell(count(entry["cases"])), _noted(entry)])
        for entry in evidence["heat_in_lesion"]
    ]
    caption = "Rank correlation of a case's mean rating with the share of heat inside the outline"
    return Table(caption, ["Cases", "Spearman"], rows)


def _limits(entry: dict[str, Any]) -> str:
    return interval_cell(entry).small or "–"


def _noted(entry: dict[str, Any]) -> Cell:
    cell = interval_cell(entry)
    if entry["estimate"] is None:
        return Cell("–", str(entry.get("note", "")))
    return Cell(cell.main, f"{cell.small}; {entry['note']}".removeprefix("; ")) if entry.get("few") else cell


def _figure(ratings: pd.DataFrame, arms: Mapping[str, str]) -> "Figure":
    """Draw a bar a part, divided by rating."""
    parts: list[tuple[str, pd.DataFrame]] = []
    for arm, own in ratings.groupby("arm"):
        name = arms.get(str(arm), str(arm))
        parts += [(f"{name}, {'right' if right else 'wrong'} calls", own[own["right"] == right])
                  for right in (True, False) if (own["right"] == right).any()]  # fmt: skip
    figure, axis = new_figure(7.2, 0.95 + 0.36 * len(parts))
    for place, (_, rows) in enumerate(parts):
        left = 0.0
        for rating, tone in zip(ANCHORS, _TONES, strict=True):
            share = 100 * float((rows["rating"] == rating).mean())
            axis.barh(place, share, left=left, color=tone, height=0.68, edgecolor="white")
            if share >= 7:
                ink = "white" if rating in (1, 5) else INK
                axis.text(left + share / 2, place, f"{share:.0f}", ha="center", va="center", color=ink, fontsize=8.5)
            left += share
    axis.set_yticks(range(len(parts)), [f"{name} ({len(rows)})" for name, rows in parts])
    axis.set_ylim(len(parts) - 0.5, -0.5)
    axis.set_xlim(0, 100)
    axis.set_xlabel("Share of ratings, %")
    from matplotlib.patches import Patch

    handles = [Patch(color=tone, label=str(rating)) for rating, tone in zip(ANCHORS, _TONES, strict=True)]
    axis.legend(handles=handles, title="Rating", ncols=5, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
    tidy(axis)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    return figure


def _write_tables(folder: Path, evidence: dict[str, Any], ratings: pd.DataFrame) -> None:
    rows = [
        {**{name: value for name, value in row.items() if not isinstance(value, dict)},
         **{f"{what}_{limit}".removesuffix("_estimate"): row[what][limit]
            for what in ("mean", "mean_other_readers", "share_good") for limit in ("estimate", "low", "high")}}
        for row in evidence["rows"]
    ]  # fmt: skip
    pairs = [{"measure": "quadratic-weighted kappa", **pair} for pair in evidence["agreement"]["kappa"]]
    tables = {
        "ratings": ratings.sort_values(["reader_id", "case"]),
        "means": pd.DataFrame(rows),
        "differences": pd.DataFrame(evidence["differences"]),
        "agreement": pd.DataFrame([*pairs, {"measure": "ICC(2,1)", **evidence["agreement"]["icc"]}]),
        "criteria": pd.DataFrame(evidence["criteria"]),
        "criteria_by_descriptor": pd.DataFrame(evidence["criteria_by_descriptor"]),
        "heat_in_lesion": pd.DataFrame(evidence["heat_in_lesion"]),
    }
    for name, table in tables.items():
        if len(table):
            write_table(folder / f"{name}.csv", table)


def rating_lines(evidence: dict[str, Any], arms: Mapping[str, str]) -> list[str]:
    """Return what the command prints in words."""
    rated = listed([f"{one['reader_id']} {one['rated']}" for one in evidence["readers"]])
    return [f"Readers and their ratings: {rated}.", *rating_sentences(evidence, arms)]
