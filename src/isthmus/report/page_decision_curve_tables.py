"""The tables of the decision curves, and their CSV files."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.decision_curves import FEWEST_GROUPS
from isthmus.report.decision_words import words_of
from isthmus.report.page_decision_tables import main_arm
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import interval, number, split_name

TABLE_THRESHOLDS: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
PAIRS: Final = 10


def acting(context: ReportContext) -> str:
    """Return what is done at a positive call: ``biopsying`` where the label is one of cancer."""
    return words_of(context.evidence).acting


def cuts_of(curves: dict[str, Any]) -> list[int]:
    """Return the places of the few thresholds that tables show."""
    return [curves["thresholds"].index(cut) for cut in TABLE_THRESHOLDS if cut in curves["thresholds"]]


def _columns(curves: dict[str, Any]) -> list[str]:
    return [f"at {number(curves['thresholds'][k])}" for k in cuts_of(curves)]


def _cell(entry: dict[str, Any], name: str, k: int, digits: int) -> Cell:
    few = "groups" in entry and entry["groups"][k] < FEWEST_GROUPS
    limits = interval({"estimate": entry[name][k], "low": entry["low"][k], "high": entry["high"][k]}, digits)
    return Cell(number(entry[name][k], digits), limits.partition(" ")[2].strip("()") + (" *" if few else ""))


def benefit_table(context: ReportContext, curves: dict[str, Any]) -> Table:
    """Return the net benefit of all arms, and of acting on everybody."""
    main = (context.evidence.get("primary") or {}).get("arm")
    rows = [
        Row(context.title_of(arm), [_cell(entry, "net_benefit", k, 3) for k in cuts_of(curves)], arm == main)
        for arm, entry in curves["arms"].items()
    ]
    everybody = [Cell(number(curves["treat_all"][k], 3)) for k in cuts_of(curves)]
    rows.append(Row(f"{acting(context).capitalize()} everybody", everybody))
    return Table(f"Net benefit, {split_name(curves['split'])}", _columns(curves), rows)


def avoided_table(context: ReportContext, curves: dict[str, Any]) -> Table:
    """Return actions avoided per 100 patients, of the main arm where there are many."""
    words = words_of(context.evidence)
    arms = [main_arm(context, curves["arms"])] if len(curves["arms"]) > 4 else list(curves["arms"])
    rows = [
        Row(
            context.title_of(arm),
            [_cell(curves["arms"][arm]["avoided_per_100"], "avoided", k, 0) for k in cuts_of(curves)],
        )
        for arm in arms
    ]
    caption = f"{words.actions.capitalize()} avoided per 100 patients against {acting(context)} everybody, "
    caption += f"{words.cases} missed taken off"
    return Table(caption, _columns(curves), rows)


def difference_table(context: ReportContext, curves: dict[str, Any]) -> Table:
    """Return the paired differences in net benefit."""
    rows = [
        Row(
            f"{context.title_of(entry['a'])} − {context.title_of(entry['b'])}",
            [_cell(entry, "difference", k, 3) for k in cuts_of(curves)],
        )
        for entry in curves["differences"][:PAIRS]
    ]
    return Table("Difference in net benefit, paired", _columns(curves), rows, first="Arms")


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``decision_curves`` and ``decision_curve_differences``, a row a threshold."""
    curves, differences = [], []
    for split, entries in (evidence.get("decision_curves") or {}).get("splits", {}).items():
        for found in entries:
            named = {"split": split, "prevalence": found["prevalence"]}
            for k, threshold in enumerate(found["thresholds"]):
                curves += [_csv_row({"arm": arm, **named}, entry, found, k) for arm, entry in found["arms"].items()]
                differences += [
                    {"a": e["a"], "b": e["b"], **named, "n": e["n"], "threshold": threshold}
                    | {name: e[name][k] for name in ("difference", "low", "high", "groups")}
                    for e in found["differences"]
                ]
    return {"decision_curves": DataFrame(curves), "decision_curve_differences": DataFrame(differences)}


def _csv_row(named: dict[str, Any], entry: dict[str, Any], found: dict[str, Any], k: int) -> dict[str, Any]:
    avoided, above = entry["avoided_per_100"], entry["above_default"]
    return {
        **named,
        "threshold": found["thresholds"][k],
        **{name: entry[name][k] for name in ("net_benefit", "low", "high")},
        "standardised": None if entry["net_benefit"][k] is None else entry["net_benefit"][k] / found["prevalence"],
        "treat_all": found["treat_all"][k],
        "above_default": above["difference"][k],
        "above_default_low": above["low"][k],
        "above_default_high": above["high"][k],
        "avoided_per_100": avoided["avoided"][k],
        "avoided_low": avoided["low"][k],
        "avoided_high": avoided["high"][k],
        "method": found["method"],
    }
