"""What the page says of calibration in detail, its tables, and its entry among the subjects."""

from functools import partial
from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.calibration_details import KEY, calibration_details
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_probabilities import PANELS, draw_flexible_curves
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import figure_endings, in_order, interval, listed, number, p_value, split_name
from isthmus.report.sentences import positive_name
from isthmus.report.subject import Painters, Shown, Subject

_LEVEL = 0.05


def show(context: ReportContext) -> Shown | None:
    """Return the section, None for scores that are no probabilities."""
    splits = _splits(context)
    if not splits:
        return None
    tables = [table for split in splits for table in _tables(context, split)]
    figures = tuple(_names(context).values())
    if len(context.evidence["classes"]) > 2:
        return Shown([_several_words()], (), tables, [])
    return Shown(_sentences(context, splits[0]), figures, tables, _notes(context))


def leading_arm(context: ReportContext, entries: dict[str, Any]) -> str:
    """Return the arm that sentences speak of: the primary one, else the first."""
    primary = (context.evidence.get("primary") or {}).get("arm")
    return primary if primary in entries else next(iter(entries))


def _splits(context: ReportContext) -> list[str]:
    return in_order((context.evidence.get(KEY) or {}).get("splits", {}))


def _names(context: ReportContext) -> dict[str, str]:
    """Return the figure of each split that has one: the leading split and further sets, but no cross-validation."""
    splits = _splits(context)
    endings = figure_endings(context.evidence)
    drawn = [split for split in splits if split == splits[0] or split != "cv"]
    return {split: f"flexible_calibration{endings[split]}" for split in drawn if split in endings}


def _several_words() -> str:
    return (
        "Of several classes the Brier score (from 0 to 2) and the error of the most probable class are shown: whether "
        "the class that is called is right as often as its probability says. Slopes and curves are for two classes."
    )


def _sentences(context: ReportContext, split: str) -> list[str]:
    if "SMOKE" in context.marks:
        return ["A smoke run: the numbers below show that every stage ran; they say nothing of any probability."]
    entries = context.evidence[KEY]["splits"][split]
    arm = leading_arm(context, entries)
    entry, name = entries[arm], context.title_of(arm)
    found = [_where_from(context, arm, split, entry)]
    ici = entry["ici"]
    if ici["estimate"] is not None:
        text = f"{name}, {split_name(split)}: over all {context.evidence['unit']}s, the share that is "
        text += f"{positive_name(context)} lies on average {_points(ici)} percentage points from the probability given"
        expected = entry.get("ici_expected")
        if expected is not None:
            text += f"; were every probability right, chance alone would show {number(100 * expected, 1)}"
        found.append(text + f". {_verdict(entry.get('p_calibrated'))}{_direction(context, arm, split, entry)}")
    return found


def _where_from(context: ReportContext, arm: str, split: str, entry: dict[str, Any]) -> str:
    choice = ((context.frozen or {}).get("arms") or {}).get(arm, {})
    if not entry["calibrated"]:
        return "The probabilities are judged as given: no recalibration was asked for."
    if split == "cv":
        folds = choice.get("folds") or {}
        known = sorted({str(fold["calibrated_on"]) for fold in folds.values() if "calibrated_on" in fold})
        where = f" on {listed(known)}" if known else ""
        return f"The probabilities are those after recalibration, each fold's{where}, never on the fold itself."
    on = str(choice.get("calibrated_on") or choice.get("chosen_on") or "")
    text = "The probabilities are those after recalibration"
    if "cross-fitted" in on:
        return text + f" on {on}: each patient's calibrator was fitted on others, but none was fixed beforehand."
    return text + (f" on the {on}." if on else ", fixed before these cases were seen.")


def _points(entry: dict[str, Any]) -> str:
    middle, low, high = (100 * entry[name] for name in ("estimate", "low", "high"))
    return f"{number(middle, 1)} ({number(low, 1)}–{number(high, 1)})"


def _verdict(p: float | None) -> str:
    if p is None:
        return ""
    if p < _LEVEL:
        return f"Chance does not explain that (p {p_value(p)})."
    return f"Chance may explain that (p {p_value(p)}), which does not show that the probabilities are right."


def _direction(context: ReportContext, arm: str, split: str, entry: dict[str, Any]) -> str:
    facts = context.evidence["arms"].get(arm, {}).get(split, {})
    large, slope = facts.get("calibration_intercept") or {}, facts.get("calibration_slope") or {}
    words = []
    if large.get("low") is not None and (large["low"] > 0 or large["high"] < 0):
        words.append(f"on the whole too {'low' if large['low'] > 0 else 'high'}")
    if slope.get("low") is not None and (slope["low"] > 1 or slope["high"] < 1):
        words.append("too close to the middle" if slope["low"] > 1 else "too extreme")
    if not words:
        return ""
    p = entry.get("p_calibrated")
    shown = p is not None and p < _LEVEL
    start = " The probabilities are " if shown else " Judged by the intercept and slope alone, they are "
    return start + listed(words) + "."


def _notes(context: ReportContext) -> list[str]:
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    notes = [
        f"Curves: logistic regression on a restricted cubic spline of the logit; the band is pointwise {level} and "
        "allows for several cases of one patient. Where it is wide, few cases lie. ICI and E90: mean and 90th "
        "percentile over cases of the distance between curve and diagonal (Austin and Steyerberg 2019). A distance is "
        "never negative, so that near 0 it is overestimated: lower limits allow for that, and are 0 where a Wald test "
        "does not exclude the diagonal.",
        "Calibration error: mean distance in 10 bins of equal size. Binning a finite sample makes it too large: "
        "beneath it stands what perfectly calibrated probabilities would show on the same cases, and p is how often "
        "they would show as much. Scaled Brier score: 1 is "
        "perfect, 0 is the prevalence told to everybody. Reliability (less is better) and resolution (more is better) "
        "are Murphy's parts of the Brier score over the same bins, the bias of binning taken out (Ferro and Fricker "
        "2012); they may fall below 0.",
        "The Hosmer–Lemeshow test (HL) is shown because it is often asked for: it takes cases for independent, hangs "
        "on its bins, passes poor models in small samples and fails good ones in large. A large p is no proof of "
        "calibration.",
    ]
    if any(entry.get("seeds", 1) > 1 for split in _splits(context) for entry in _entries(context, split).values()):
        notes.append("Several seeds: all rows count together, a patient's as one cluster; Hosmer–Lemeshow: first seed.")
    return notes


def _entries(context: ReportContext, split: str) -> dict[str, Any]:
    return dict(context.evidence[KEY]["splits"][split])


def _tables(context: ReportContext, split: str) -> list[Table]:
    entries = _entries(context, split)
    head = split_name(split).capitalize()
    main = (context.evidence.get("primary") or {}).get("arm")
    if len(context.evidence["classes"]) > 2:
        rows = [
            Row(context.title_of(arm), [_estimate(entry["brier"]), _error(entry)], arm == main)
            for arm, entry in entries.items()
        ]
        return [Table(f"{head}: probabilities of all classes", ["Brier score", "Error of the called class"], rows)]
    rows = [
        Row(
            context.title_of(arm),
            [
                _estimate(entry["ici"], entry.get("ici_expected")),
                _estimate(entry["e90"]),
                _error(entry),
                _estimate(entry["scaled_brier"]),
                Cell(
                    number(entry["brier_parts"]["reliability_corrected"], 3),
                    f"resolution {number(entry['brier_parts']['resolution_corrected'], 3)}",
                ),
                _test(entry["spiegelhalter"], "z"),
                _test(entry["hosmer_lemeshow"], "χ²"),
            ],
            arm == main,
        )
        for arm, entry in entries.items()
    ]
    columns = ["ICI", "E90", "Calibration error", "Scaled Brier", "Reliability"]
    columns += ["Spiegelhalter", "HL test"]
    return [Table(f"{head}: calibration in detail", columns, rows)]


def _estimate(entry: dict[str, Any], expected: float | None = None) -> Cell:
    cell = interval_cell(entry, 3 if (entry.get("estimate") or 1) < 0.1 else 2)
    return cell if expected is None else Cell(cell.main, f"{cell.small}; by chance {number(expected, 3)}")


def _error(entry: dict[str, Any]) -> Cell:
    error = entry["calibration_error"]["mass"]
    return Cell(number(error["estimate"], 3), f"by chance {number(error['expected'], 3)}; p {p_value(error['p'])}")


def _test(entry: dict[str, Any], sign: str) -> Cell:
    if entry["statistic"] is None:
        return Cell("–", entry.get("note", ""))
    degrees = "" if entry["df"] is None else f", {entry['df']} df"
    return Cell(f"p {p_value(entry['p'])}", f"{sign} {number(entry['statistic'], 1)}{degrees}")


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``calibration.csv``, one row an arm and split, and ``calibration_curves.csv``, one a point."""
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    for split, entries in ((evidence.get(KEY) or {}).get("splits") or {}).items():
        for arm, entry in entries.items():
            named = {"arm": arm, "split": split}
            row: dict[str, Any] = dict(named)
            for name, value in entry.items():
                if name == "curve":
                    drawn = {key: value[key] for key in ("predicted", "observed", "low", "high")}
                    points += [
                        {**named, **dict(zip(drawn, point, strict=True))} for point in zip(*drawn.values(), strict=True)
                    ]
                elif name == "calibration_error":
                    row |= {f"ece_{kind}_{key}": part for kind, error in value.items() for key, part in error.items()}
                elif isinstance(value, dict):
                    row |= {f"{name}_{key}": part for key, part in value.items()}
                else:
                    row[name] = value
            rows.append(row)
    return {"calibration": DataFrame(rows), "calibration_curves": DataFrame(points)}


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painters of the flexible curves, one for each split."""
    names = _names(context)
    return {name: partial(_paint, context, split) for split, name in names.items()}


def _paint(context: ReportContext, split: str) -> Drawn | None:
    entries = {arm: entry for arm, entry in _entries(context, split).items() if "curve" in entry}
    if not entries:
        return None
    shown = dict(list(entries.items())[:PANELS])
    titles = {arm: context.title_of(arm) for arm in shown}
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    title = f"Flexible calibration curves, {split_name(split)}, with pointwise {level} bands."
    if len(entries) > len(shown):
        title += f" The first {len(shown)} of {len(entries)} arms."
    spoken = "; ".join(f"{titles[arm]} {interval(entry['ici'])}" for arm, entry in shown.items())
    figure = draw_flexible_curves(shown, titles, positive_name(context))
    return figure, title, f"{title} Mean distance from the diagonal: {spoken}."


SUBJECT: Final = Subject(KEY, "Calibration in detail", calibration_details, show, frames, paint)
