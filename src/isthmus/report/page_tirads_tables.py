"""The tables of TI-RADS beside the model: on the page, and as CSV."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, number, p_value, plural, split_name

_ARMS_SHOWN: Final = 4


def main_arm(context: ReportContext, entries: dict[str, Any]) -> str | None:
    """Return the arm of the primary contrast where it was compared, else the first one."""
    arms = [one["arm"] for entry in entries.values() for one in entry.get("contrasts", [])]
    primary = (context.evidence.get("primary") or {}).get("arm")
    return primary if primary in arms else arms[0] if arms else None


def _columns_of_arms(context: ReportContext, entries: dict[str, Any]) -> list[str]:
    arms = list(dict.fromkeys(one["arm"] for entry in entries.values() for one in entry.get("contrasts", [])))
    main = main_arm(context, entries)
    return sorted(arms, key=lambda arm: arm != main)[:_ARMS_SHOWN]


def ranking_table(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    """Return the AUC of each scale, and each arm minus it."""
    entries = found["splits"][split]
    arms = _columns_of_arms(context, entries)
    open_levels = any("completed" in entry for entry in entries.values())
    rows = []
    for key, entry in entries.items():
        of_arm = {one["arm"]: one for one in entry.get("contrasts", [])}
        cells = [Cell(count(entry["determined"]), f"of {count(entry['n'])}"), _cell(entry["auc"])]
        cells += [_bounds(entry)] if open_levels else []
        for arm in arms:
            one = of_arm.get(arm)
            nothing = one is None or one["difference"] is None
            cells.append(Cell("–") if one is None or nothing else Cell(interval(one, 3), _p(one)))
        rows.append(Row(found["scales"][key]["name"], cells))
    titles = [f"{context.title_of(arm)} minus level, AUC" for arm in arms]
    more = len({one["arm"] for entry in entries.values() for one in entry.get("contrasts", [])}) - len(arms)
    notes = ["Whatever is missing: the least and the greatest AUC of all ways to fill it in."] if open_levels else []
    if arms:
        notes.append("Differences are paired, on cases with a certain level, patients as clusters.")
    if arms and split == "cv":
        notes.append("In cross-validation both are ranked within folds for the difference, the level alone over all.")
    if more > 0:
        notes.append(f"{plural(more, 'more arm')} in tables/tirads.csv.")
    caption = f"{split_name(split).capitalize()}: ranking by level" + (", and the arms beside it" if arms else "")
    columns = ["Certain level", "AUC of the level", *(["whatever is missing"] if open_levels else []), *titles]
    return Table(caption, columns, rows, notes, "Scale")


def _bounds(entry: dict[str, Any]) -> Cell:
    spread = entry.get("completed")
    if not spread or spread["least"]["estimate"] is None:
        return Cell("–")
    return Cell(f"{number(spread['least']['estimate'])} to {number(spread['most']['estimate'])}")


def _p(one: dict[str, Any]) -> str:
    return "no test" if one["p"] is None else f"p {p_value(one['p'])}, Holm {p_value(one.get('p_holm'))}"


def cuts_table(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    """Return the sensitivity and specificity from each cut, and the arms at its specificity."""
    entries = found["splits"][split]
    arms = list(dict.fromkeys(one["arm"] for entry in entries.values() for one in entry["matched"]))[:2]
    rows = []
    for key, entry in entries.items():
        matched = {(one["arm"], one["from"]): one for one in entry["matched"]}
        calls = [(f"{cut['from']} or higher", cut["from"], cut) for cut in entry["cuts"]]
        if entry.get("sizes"):
            calls.append(("size rule suggests aspiration", "fna", entry["sizes"]))
        for words, code, cut in calls:
            cells = [Cell(count(cut["n"])), _cell(cut["sensitivity"]), _cell(cut["specificity"])]
            for arm in arms:
                cells += _matched_cells(matched.get((arm, code)))
            rows.append(Row(f"{found['scales'][key]['name']}: {words}", cells))
    titles = [text for arm in arms for text in (f"{context.title_of(arm)}: sensitivity there", "Difference, points")]
    note = (
        "A cut is one point of the ROC plane, so that each arm is read at the specificity that the cut has on these "
        "very cases; in use, a threshold is frozen before. Intervals and p from resamplings of the groups, not "
        "corrected for their number. A case counts where it lies on one side of the cut whatever is missing."
    )
    caption = f"{split_name(split).capitalize()}: calls by level, and the arms at the same specificity"
    return Table(caption, ["Cases", "Sensitivity", "Specificity", *titles], rows, [note], "Called positive from")


def _matched_cells(one: dict[str, Any] | None) -> list[Cell]:
    if one is None or one["difference"] is None:
        return [Cell("–"), Cell("–")]
    points = {name: None if one[name] is None else 100 * one[name] for name in ("difference", "low", "high")}
    main, _, limits = interval(points, 0).partition(" ")
    return [Cell(number(one["estimate_a"])), Cell(main, f"{limits.strip('()')}; p {p_value(one['p'])}")]


def _cell(entry: dict[str, Any]) -> Cell:
    if entry["estimate"] is None:
        return Cell("–", entry.get("note", ""))
    main, _, small = interval(entry).partition(" ")
    return Cell(main, small.strip("()"))


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``tirads`` (AUCs, cuts, differences) and ``tirads_levels`` (shares by level)."""
    found = evidence.get("tirads")
    if not found:
        return {}
    rows: list[dict[str, Any]] = []
    levels: list[dict[str, Any]] = []
    for split, by_scale in found["splits"].items():
        for key, entry in by_scale.items():
            named = {"split": split, "scale": found["scales"][key]["name"], "ceiling": found["ceilings"][split]}
            rows += [{**named, **row} for row in _scale_rows(entry)]
            for level in entry["levels"]:
                risk = found["scales"][key].get("risks", {}).get(level["level"], [None, None])
                numbers = {name: level[name] for name in ("level", "n", "n_groups", "positives")}
                own = {f"rate_{name}": level["rate"][name] for name in ("estimate", "low", "high", "method")}
                published = {"published_risk_low": risk[0], "published_risk_high": risk[1]}
                levels.append({**named, **numbers, **own, **published})
    return {"tirads": DataFrame(rows), "tirads_levels": DataFrame(levels)}


def _scale_rows(entry: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [{"measure": "auc", "n": entry["determined"], **entry["auc"]}]
    if "auc_points" in entry:
        rows.append({"measure": "auc of points", "n": entry["scored"], **entry["auc_points"]})
    words = {"all_low": "open levels at their lowest", "all_high": "open levels at their highest",
             "least": "least of all completions", "most": "most of all completions"}  # fmt: skip
    rows += [
        {"measure": f"auc, {words[name]}", "n": entry["described"], **value}
        for name, value in entry.get("completed", {}).items()
    ]
    calls = [(cut["from"], cut) for cut in entry["cuts"]]
    calls += [("fna", entry["sizes"])] if entry.get("sizes") else []
    for code, cut in calls:
        rows += [{"measure": name, "from": code, "n": cut["n"], **cut[name]} for name in ("sensitivity", "specificity")]
    for name, measure in (("contrasts", "auc, arm minus level"), ("matched", "sensitivity at the cut's specificity")):
        rows += [{"measure": measure, **one, "estimate": one["difference"]} for one in entry.get(name, [])]
    for row in rows:
        row.pop("difference", None)
    return rows
