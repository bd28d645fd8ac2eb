"""How subgroups are shown: the primary arm and its comparator in each, and whether they differ beyond chance."""

from functools import partial
from typing import Any

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_subgroups import draw_subgroups
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import count, interval, listed, number, p_in_words, plural, split_name, splits_of
from isthmus.report.subgroups import FEATURE_TITLES, subgroup_words, subgroups
from isthmus.report.subject import Painters, Shown, Subject
from isthmus.statistics.roc import FEWEST_GROUPS

_INDENT = "\u2003"
_LEVEL = 0.05
_MEASURE_WORDS = {"auc": "AUC", "sensitivity": "sensitivity", "specificity": "specificity"}


def show_subgroups(context: ReportContext) -> Shown | None:
    """Return the section of the leading split; None where nothing divides the cases."""
    facts = leading(context)
    if not facts:
        return None
    notes = [
        "An AUC of a subgroup ranks its cases among themselves only; where several fold models scored them, it is the "
        "mean over the folds that hold both classes. A difference is paired, on the cases that both arms scored: where "
        "one arm has more, it is not the difference of the two AUCs beside it. p, interaction: Wald's chi-square "
        "of equal AUCs on the logit scale, and a chi-square (exact, or Rao–Scott for several cases "
        "a group) of equal sensitivity and specificity, "
        f"over the levels with {FEWEST_GROUPS} groups or more in a class; open marks have fewer. Holm's correction is "
        "over all features and measures of an arm and split. tables/subgroups.csv and tables/interactions.csv hold all "
        "arms and splits."
    ]
    if context.evidence.get("reference") == "tirads":
        notes.append("TI-RADS levels are left out: the label is made from them.")
    return Shown(
        sentences=_sentences(context, facts), figures=("subgroups",), tables=[_table(context, facts)], notes=notes
    )


def leading(context: ReportContext) -> dict[str, Any]:
    """Return the facts of the leading split that the page shows: its arms (at most two), levels, tests, differences."""
    found = context.evidence.get("subgroups")
    if not found:
        return {}
    primary = context.evidence.get("primary") or {}
    for split in splits_of(context.evidence):
        there = list(dict.fromkeys(entry["arm"] for entry in found["levels"] if entry["split"] == split))
        arms = [primary[side] for side in ("arm", "against") if primary.get(side) in there] or there[:1]
        if arms:
            return {
                "split": split,
                "arms": arms,
                "levels": _of(found["levels"], split, arms),
                "tests": _of(found["tests"], split, arms),
                "differences": [one for one in found["differences"] if one["split"] == split],
                "difference_tests": [one for one in found["difference_tests"] if one["split"] == split],
            }
    return {}


def _of(entries: list[dict[str, Any]], split: str, arms: list[str]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["split"] == split and entry["arm"] in arms]


def _sentences(context: ReportContext, facts: dict[str, Any]) -> list[str]:
    if "SMOKE" in context.marks:
        unit = context.evidence["unit"]
        return [f"A smoke run: the subgroups below show that every stage ran; they say nothing about {unit}s."]
    arm, where = facts["arms"][0], split_name(facts["split"]).capitalize()
    tested = [test for test in facts["tests"] if test["arm"] == arm and test["p"] is not None]
    title = context.title_of(arm)
    if not tested:
        words = (
            f"no two subgroups have {FEWEST_GROUPS} groups of patients in either class, so that nothing is compared."
        )
        return [f"{where}, {title}: {words}", *_too_few(facts)]
    found = [test for test in tested if test["p_holm"] is not None and test["p_holm"] < _LEVEL]
    sentences = [_one(context, facts, test) for test in found]
    features = len({test["feature"] for test in tested})
    if not found:
        smallest = min(tested, key=lambda test: float(test["p"]))
        sentences.append(
            f"{where}, {title}: over {plural(features, 'feature')}, neither AUC nor sensitivity nor specificity "
            f"differs between subgroups beyond chance once all {plural(len(tested), 'test')} are counted (smallest "
            f"{p_in_words(smallest['p'])}: {_MEASURE_WORDS[smallest['measure']]} by {_in_line(smallest['feature'])}). "
            "That is no proof that it does equally well in all: subgroups are small, and their intervals say how large "
            "a difference may still be."
        )
    sentences += _contrast_sentence(context, facts)
    return [*sentences, *_too_few(facts)]


def _one(context: ReportContext, facts: dict[str, Any], test: dict[str, Any]) -> str:
    own = [entry for entry in facts["levels"] if entry["arm"] == test["arm"] and entry["feature"] == test["feature"]]
    own = [entry for entry in own if entry["code"] in test["levels"]]
    own.sort(key=lambda entry: float(entry[test["measure"]]["estimate"]))
    words = [
        f"{interval(entry[test['measure']])} in “{subgroup_words(test['feature'], entry['code'])}”"
        for entry in (own[0], own[-1])
    ]
    return (
        f"{split_name(facts['split']).capitalize()}, {context.title_of(test['arm'])}: the "
        f"{_MEASURE_WORDS[test['measure']]} differs by {_in_line(test['feature'])}, "
        f"from {words[0]} to {words[1]} ({p_in_words(test['p_holm'])} after Holm's correction over all features). "
        "Features go together: this names where it differs, not why."
    )


def _contrast_sentence(context: ReportContext, facts: dict[str, Any]) -> list[str]:
    tested = [test for test in facts["difference_tests"] if test["p_holm"] is not None]
    if not tested:
        return []
    a, b = context.title_of(tested[0]["a"]), context.title_of(tested[0]["b"])
    found = [_in_line(test["feature"]) for test in tested if test["p_holm"] < _LEVEL]
    if found:
        return [f"How far the AUCs of {a} and {b} lie apart differs by {listed(found)} (Holm-corrected p below 0.05)."]
    return [f"Nor is it shown that the difference between {a} and {b} changes from subgroup to subgroup."]


def _in_line(feature: str) -> str:
    name = FEATURE_TITLES[feature].partition(",")[0]
    return name if name.isupper() else name.lower()


def _too_few(facts: dict[str, Any]) -> list[str]:
    few: dict[str, list[str]] = {}
    for entry in facts["levels"]:
        if entry["few"] and entry["arm"] == facts["arms"][0]:
            few.setdefault(_in_line(entry["feature"]), []).append(subgroup_words(entry["feature"], entry["code"]))
    parts = "; ".join(f"{feature}: {listed(words)}" for feature, words in few.items())
    return [f"Too few to tell (under {FEWEST_GROUPS} groups in a class): {parts}."] if few else []


def _table(context: ReportContext, facts: dict[str, Any]) -> Table:
    arms, unit = facts["arms"], context.evidence["unit"]
    by_level: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entry in facts["levels"]:
        by_level.setdefault((entry["feature"], entry["code"]), {})[entry["arm"]] = entry
    tests = {(test["arm"], test["feature"], test["measure"]): test for test in facts["tests"]}
    differences = {(one["feature"], one["code"]): one for one in facts["differences"]}
    between = {test["feature"]: test for test in facts["difference_tests"]}
    calls = any("sensitivity" in entry for entry in facts["levels"])
    heads = [f"{unit.capitalize()}s, positive", *(f"AUC, {context.title_of(arm)}" for arm in arms)]
    heads += ["Difference"] if differences else []
    heads += ["Sensitivity", "Specificity"] if calls else []
    rows: list[Row] = []
    shown = ""
    for (feature, code), own in by_level.items():
        if feature != shown:
            shown = feature
            cells = [Cell(""), *(_p_cell(tests.get((arm, feature, "auc"))) for arm in arms)]
            cells += [_p_cell(between.get(feature))] if differences else []
            measures = ("sensitivity", "specificity") if calls else ()
            cells += [_p_cell(tests.get((arms[0], feature, measure))) for measure in measures]
            rows.append(Row(FEATURE_TITLES[feature], cells))
        first = own.get(arms[0]) or next(iter(own.values()))
        cells = [Cell(count(first["n"]), f"{count(first['positives'])} positive")]
        cells += [_cell(own.get(arm, {}).get("auc")) for arm in arms]
        difference = _cell(differences.get((feature, code)))
        cells += [Cell("–") if difference.main == "–" else difference] if differences else []
        cells += [_cell(first.get("sensitivity")), _cell(first.get("specificity"))] if calls else []
        rows.append(Row(_INDENT + subgroup_words(feature, code), cells))
    caption = f"{split_name(facts['split']).capitalize()}: subgroups"
    if calls:
        caption += f"; sensitivity and specificity of {context.title_of(arms[0])}"
    return Table(caption, heads, rows, first="Subgroup")


def _p_cell(test: dict[str, Any] | None) -> Cell:
    if test is None or test["p"] is None:
        return Cell("", "not compared")
    return Cell("", f"{p_in_words(test['p'])}, Holm {number(test['p_holm'])}")


def _cell(entry: dict[str, Any] | None) -> Cell:
    if entry is None or entry.get("estimate", entry.get("difference")) is None:
        return Cell("–", (entry or {}).get("note", ""))
    return interval_cell(entry)


def subgroup_frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``subgroups`` (every level), ``interactions`` (every test) and ``subgroup_differences``."""
    found = evidence.get("subgroups")
    if not found:
        return {}
    rows = []
    for entry in found["levels"]:
        row = {name: value for name, value in entry.items() if not isinstance(value, dict) and name != "groups"}
        row |= {"positive_groups": entry["groups"][0], "negative_groups": entry["groups"][1]}
        for measure in _MEASURE_WORDS:
            if measure in entry:
                row |= {measure: entry[measure]["estimate"]}
                row |= {f"{measure}_{name}": entry[measure].get(name) for name in ("low", "high", "method", "note")}
        rows.append(row)
    tests = [
        *found["tests"],
        *({**test, "arm": f"{test['a']} minus {test['b']}"} for test in found["difference_tests"]),
    ]
    flat = [
        {
            **{name: test.get(name) for name in ("arm", "split", "feature", "measure", "statistic")},
            "degrees": " ".join(f"{value:g}" for value in test["degrees"]),
            **{name: test.get(name) for name in ("p", "p_holm", "method", "note")},
        }
        for test in tests
    ]
    return {
        "subgroups": DataFrame(rows),
        "interactions": DataFrame(flat),
        "subgroup_differences": DataFrame(found["differences"]),
    }


def _painters(context: ReportContext, table: AnalysisTable | None) -> Painters:
    return {"subgroups": partial(_forest, context)}


def _forest(context: ReportContext) -> Drawn | None:
    facts = leading(context)
    if not facts or not any(entry["auc"]["estimate"] is not None for entry in facts["levels"]):
        return None
    titles = [context.title_of(arm) for arm in facts["arms"]]
    whole = context.evidence["arms"].get(facts["arms"][0], {}).get(facts["split"], {}).get("auc", {}).get("estimate")
    title = f"AUC in subgroups, {split_name(facts['split'])}: {' and '.join(titles)}"
    spoken = "; ".join(
        f"{FEATURE_TITLES[entry['feature']]} {subgroup_words(entry['feature'], entry['code'])} {interval(entry['auc'])}"
        for entry in facts["levels"]
        if entry["arm"] == facts["arms"][0]
    )
    return draw_subgroups(facts, titles, whole), title, f"{title}. {titles[0]}: {spoken}."


SUBJECT = Subject(
    "subgroups", "Does it do equally well in all subgroups?", subgroups, show_subgroups, subgroup_frames, _painters
)
