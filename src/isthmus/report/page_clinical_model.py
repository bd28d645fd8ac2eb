"""What the page says of the clinical model: odds ratios, the nomogram, and what margin and extension would add."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figures_nomogram import draw_nomogram
from isthmus.report.nomogram import FULL, Nomogram
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import count, interval, listed, number, p_value, plural
from isthmus.report.subject import Painters, Shown, Subject, from_the_run

KEY: Final = "clinical_model"
FEWEST_EVENTS: Final = 10
"""Positive cases for a coefficient under which odds ratios are known to be unsteady (P. Peduzzi et al. 1996)."""
_INDENT = "\u2003"


def show(context: ReportContext) -> Shown | None:
    """Return the section, None where no clinical arm was fitted."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    sentences = [_opening(context, found), *_strongest(found), *_events(context, found), *_sensitivity(found)]
    tables = [_table("Odds ratios in the training cases", found)]
    if "columns" in found["sensitivity"]:
        tables.append(_table(f"The same with {_withheld(found)}: sensitivity analysis", found["sensitivity"]))
    return Shown(sentences, ("nomogram",) if "nomogram" in found else (), tables, _notes(context, found))


def _opening(context: ReportContext, found: dict[str, Any]) -> str:
    titles = list(dict.fromkeys(_in_line(row["title"].partition(":")[0]) for row in found["rows"]))
    unit = context.evidence["unit"]
    text = f"The clinical model looks at no picture: it knows {listed(titles)}. It was fitted on the "
    text += f"{plural(found['n'], unit)} of the training patients ({count(found['positives'])} of the positive class); "
    return text + f"its cross-validated AUC in the run's own folds is {interval(found['auc'])}."


def _in_line(title: str) -> str:
    name = title.partition(",")[0]
    return name[:1].lower() + name[1:]


def _strongest(found: dict[str, Any]) -> list[str]:
    """Name what is told apart from odds ratios of 1, the rest being open."""
    level = found["level"]
    shown = [row for row in found["rows"] if row["multivariable"]["p"] < 1 - level]
    if not shown:
        return ["None of them is shown to go with the outcome beside the others."]
    words = [f"{_named(row)}: odds ratio {interval(row['multivariable'])}" for row in shown]
    return [f"Beside the others these are shown to go with the outcome: {'; '.join(words)}. No other is."]


def _named(row: dict[str, Any]) -> str:
    against = f" against {row['against']}" if row["against"] else ""
    return f"{_in_line(row['title'])}, {row['what']}{against}"


def _events(context: ReportContext, found: dict[str, Any]) -> list[str]:
    fewer = min(found["positives"], found["n"] - found["positives"])
    each = fewer / len(found["rows"])
    if each >= FEWEST_EVENTS:
        return []
    return [
        f"There are {number(each, 1)} cases of the smaller class for each of the "
        f"{plural(len(found['rows']), 'coefficient')}, fewer than {FEWEST_EVENTS}: other patients would give other "
        "odds ratios, more than the intervals suggest where columns were looked at before they were chosen."
    ]


def _withheld(found: dict[str, Any]) -> str:
    return listed([name.replace("_", " ") for name in found["sensitivity"]["columns"]])


def _sensitivity(found: dict[str, Any]) -> list[str]:
    part = found["sensitivity"]
    if "columns" not in part:
        return [f"No sensitivity analysis with margin and extrathyroidal extension: {part['why_not']}."]
    are, them = ("is", "it") if len(part["columns"]) == 1 else ("are", "them")
    text = (
        f"{_withheld(found).capitalize()} may be known from the operation only, and so {are} no part of the model, of "
    )
    text += f"any arm or of any contrast. With {them} the cross-validated AUC would be {interval(part['auc'])}, "
    text += f"a difference of {interval(part['difference'], 3)}."
    return [text + " That figure is no claim on what can be told before an operation."]


def _table(caption: str, found: dict[str, Any]) -> Table:
    columns = ["Cases", "Positive", "Alone: odds ratio", "p", "Together: odds ratio", "p"]
    rows: list[Row] = []
    for row in found["rows"]:
        joint = found["tests"].get(row["column"])
        if joint and row["title"] not in [one.name for one in rows]:
            tested = [Cell(""), Cell(p_value(joint["univariate"])), Cell(""), Cell(p_value(joint["multivariable"]))]
            rows.append(Row(row["title"], [Cell(""), Cell(""), *tested]))
        label = f"{_INDENT}{row['what']} against {row['against']}" if joint else _one_line(row)
        rows.append(Row(label, [Cell(count(row["n"])), Cell(count(row["positives"])), *_cells(row)]))
    return Table(caption, columns, rows, first="Characteristic")


def _one_line(row: dict[str, Any]) -> str:
    title = row["title"] if row["against"] else row["title"].partition(",")[0]
    return f"{title}, {row['what']}" + (f" against {row['against']}" if row["against"] else "")


def _cells(row: dict[str, Any]) -> list[Cell]:
    cells = []
    for name in ("univariate", "multivariable"):
        entry = row[name]
        cells += [interval_cell(entry, 1 if entry["estimate"] >= 10 else 2), Cell(p_value(entry["p"]))]
    return cells


def _notes(context: ReportContext, found: dict[str, Any]) -> list[str]:
    level = f"{100 * found['level']:.0f}\u202f%"
    notes = [
        "Firth's penalised likelihood (1993), limits and tests by its profile (Heinze and Schemper 2002), "
        f"{level}: finite where one class alone has a finding. Then the intercept is set so that the mean risk is the "
        "share of positives (FLIC, Puhr 2017). Alone and together name the same cases. p-values are not corrected for "
        "their number.",
        "The nomogram is this model, fitted on all training cases; the model of each fold was fitted on that fold's "
        "training part alone, coding of levels included. Risks are calibrated as frozen, and hold where the outcome is "
        "as frequent as here.",
    ]
    if found["groups"] < found["n"]:
        notes.append(
            f"The limits take {count(found['n'])} {context.evidence['unit']}s of {count(found['groups'])} groups of "
            "patients as independent, and are too narrow by as much as they are not."
        )
    if found["missing"]:
        held = "; ".join(f"{name.replace('_', ' ')} {count(many)}" for name, many in found["missing"].items())
        notes.append(f"Missing, and taken as the training cases' mean or most frequent level: {held}.")
    left_out = [*found["left_out"], *found["sensitivity"].get("left_out", [])]
    if left_out:
        what = "; ".join(f"{one['column']} ({one['reason']})" for one in left_out)
        notes.append(f"Left out: {what}.")
    return notes


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of the nomogram."""
    found = context.evidence.get(KEY) or {}
    if "nomogram" not in found:
        return {}

    def draw() -> Any:
        drawn = Nomogram.from_json(found["nomogram"])
        names = context.cohort.label_names if context.cohort else {}
        positive = str(context.evidence["positive"])
        name = names.get(positive, f"{context.evidence['target']} {positive}")
        title = f"Nomogram of the clinical model: risk of {name}"
        widest = next(scale for scale in drawn.scales if max(mark.points for mark in scale.marks) > FULL - 1e-6)
        spoken = "; ".join(
            f"{scale.title} up to {max(mark.points for mark in scale.marks):.0f} points" for scale in drawn.scales
        )
        how = "Read the points above each value, add them, and read the risk below their sum."
        return (
            draw_nomogram(drawn, f"Risk of {name}"),
            f"{title}. {how}",
            f"{title}. {widest.title} weighs most. {spoken}.",
        )

    return {"nomogram": draw}


def csv_frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``clinical_model``: one row a covariate, model (with or without margin and extension) and analysis."""
    found = evidence.get(KEY)
    if not found:
        return {}
    rows = []
    for model, part in (("preoperative", found), ("sensitivity", found["sensitivity"])):
        for row in part.get("rows", []):
            shared = {name: row[name] for name in ("column", "title", "what", "against", "n", "positives")}
            rows += [
                {"model": model, **shared, "analysis": name, "odds_ratio": row[name]["estimate"],
                 **{key: row[name][key] for key in ("low", "high", "level", "p", "coefficient", "method")}}
                for name in ("univariate", "multivariable")
            ]  # fmt: skip
    return {"clinical_model": DataFrame(rows)}


SUBJECT: Final = Subject(KEY, "The clinical model", from_the_run, show, csv_frames, paint)
