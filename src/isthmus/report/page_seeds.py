"""What the page says of contrasts over several trainings: sentences, tables, CSV tables."""

from functools import partial
from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, analysis_table
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_seeds import draw_seeds, on_fewer_cases
from isthmus.report.named_contrasts import RULE, NamedContrast
from isthmus.report.nearness import ideal_of, shown_to
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import count, figure_endings, in_order, interval, listed, number, p_value, split_name
from isthmus.report.seed_words import CLAIMS_NOTHING, ONE_MODEL, choice_words, contrast_words
from isthmus.report.seeds import seeds_of_table
from isthmus.report.subject import Painters, Shown, Study, Subject

KEY: Final = "seeds"
ONCE: Final = (
    "Each arm was trained once, from one seed: nothing says how far another training run would move these figures, and "
    "the comparisons of this report hold for these very models."
)
_ARMS, _PAIRS = 14, 12


def compute(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return ``evidence["seeds"]``: empty for several classes, and where no set was met by several seeds' models."""
    if len(table.classes) != 2:
        return {}
    contrasts = [NamedContrast(**{**one, "choice": None}) for one in evidence["contrasts"]]
    if study.seed_rows is None:
        return seeds_of_table(table.rows, contrasts, study.reference_arm, study.level)
    own = analysis_table(study.seed_rows, positive=table.positive, target=table.target, unit=table.unit)
    found = seeds_of_table(own.rows, contrasts, study.reference_arm, study.level)
    return found or {"arms": [], "contrasts": [], "note": ONCE}


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where each arm was trained once and nobody asked for more."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    if not found["arms"]:
        return Shown([found["note"]])
    splits, endings = _splits(found), figure_endings(context.evidence)
    sentences = [found["generalises_to"]] if _random(found) else []
    sentences += [CLAIMS_NOTHING] if "SMOKE" in context.marks else []
    sentences += _said(context, found, splits) if "SMOKE" not in context.marks else []
    sentences.append(ONE_MODEL)
    figures = tuple(f"seeds{endings.get(split, f'_{place}')}" for place, split in enumerate(splits))
    tables = [table for split in splits for table in _tables(context, found, split) if table.rows]
    return Shown(sentences, figures, tables, _notes(found))


def _said(context: ReportContext, found: dict[str, Any], splits: list[str]) -> list[str]:
    """Return what is said of the named contrasts, those on the leading split first; before each how it was chosen."""
    sentences, chosen = [], {one["order"]: one for one in context.evidence["contrasts"]}
    for split in splits:
        for entry in (entry for entry in found["contrasts"] if entry["split"] == split and entry["order"]):
            leading = split == splits[0]
            sentences += [choice_words(context, chosen[entry["order"]])] if leading else []
            sentences += contrast_words(context, entry, leading=leading, several=len(splits) > 1)
    return [text for text in sentences if text]


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``seeds`` (each arm, split and seed) and ``seed_contrasts``."""
    found = evidence.get(KEY) or {"arms": [], "contrasts": []}
    seeds = [
        {"split": entry["split"], "arm": entry["arm"], "seed": seed, "auc": auc}
        for entry in found["arms"]
        for seed, auc in entry["by_seed"].items()
    ]
    nested = ("components", "shares", "reach")
    contrasts = []
    for entry in found["contrasts"]:
        row = {name: value for name, value in entry.items() if name not in (*nested, "by_seed", "notes")}
        for name in nested:
            row |= {f"{name}_{key}": value for key, value in (entry[name] or {}).items()}
        contrasts.append({**row, "notes": "; ".join(entry["notes"])})
    return {"seeds": DataFrame(seeds), "seed_contrasts": DataFrame(contrasts)}


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return a painter a split."""
    found = context.evidence.get(KEY)
    if not found or not found["arms"]:
        return {}
    endings = figure_endings(context.evidence)
    return {
        f"seeds{endings.get(split, f'_{place}')}": partial(_drawn, context, split)
        for place, split in enumerate(_splits(found))
    }


def _splits(found: dict[str, Any]) -> list[str]:
    return in_order({entry["split"] for entry in found["arms"]})


def _random(found: dict[str, Any]) -> bool:
    return any(entry["seeds_as"] == "random" for entry in found["arms"])


def _tables(context: ReportContext, found: dict[str, Any], split: str) -> list[Table]:
    where = split_name(split).capitalize()
    arms = [entry for entry in found["arms"] if entry["split"] == split]
    seeds = sorted({seed for entry in arms for seed in entry["by_seed"]}, key=lambda seed: (len(seed), seed))
    shown = seeds[:8]
    columns = ["Mean AUC", *(f"Seed {seed}" for seed in shown), "SD of seeds"]
    main = {entry[side] for entry in found["contrasts"] if entry["order"] == 1 for side in "ab"}
    rows = [
        Row(
            context.title_of(entry["arm"]),
            [
                interval_cell(entry["auc"], 3),
                *(Cell(number(entry["by_seed"].get(seed), 3)) for seed in shown),
                Cell(number(entry["seed_sd"], 3)),
            ],
            entry["arm"] in main,
        )
        for entry in arms
    ]
    return [Table(f"{where}: AUC of each seed’s model", columns, rows), _pairs(context, found, split)]


def _pairs(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    entries = [entry for entry in found["contrasts"] if entry["split"] == split]
    named = [entry for entry in entries if entry["order"]]
    others = [entry for entry in entries if not entry["order"]]
    rest = sorted(others, key=lambda entry: 1.0 if entry["p"] is None else entry["p"])[: _PAIRS - len(named)]
    columns = ["Difference", "p", "Seen, 80\u202f% power", "From cases", "From training", "Role"]
    rows = []
    for entry in [*named, *rest]:
        shares, reach = entry["shares"] or {}, entry["reach"] or {}
        # What each seed ranks its own way vanishes with more seeds as with more cases: shown with neither.
        cells = [
            interval_cell(entry, 3),
            Cell(p_value(entry["p"] if entry["order"] else entry["p_holm"])),
            Cell(number(reach.get("detectable"), 3)),
            Cell(_percent(shares.get("cases"))),
            Cell(_percent(shares.get("seeds"))),
            _role(entry),
        ]
        rows.append(Row(f"{context.title_of(entry['a'])} − {context.title_of(entry['b'])}", cells, entry["order"] == 1))
    notes = [f"{len(rest)} of {len(others)} other pairs, those with the smallest p."] if len(rest) < len(others) else []
    said = {note for entry in named for note in entry["notes"]}
    notes += [f"{note[:1].upper()}{note[1:]}." for note in sorted(said)]
    return Table(
        f"{split_name(split).capitalize()}: differences over seeds and cases", columns, rows, notes, "Contrast"
    )


def _role(entry: dict[str, Any]) -> Cell:
    if not entry["order"]:
        return Cell("other", "p by Holm")
    return Cell(entry["kind"], "confirmatory" if entry["confirmatory"] else "exploratory")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}\u202f%"


def _notes(found: dict[str, Any]) -> list[str]:
    notes = [
        "Obuchowski and Rockette’s analysis of variance with Hillis’s degrees of freedom: arms are the conditions, "
        "seeds the readers, and covariances over cases are clustered by patient. The rest of the uncertainty, beside "
        "cases and training runs, is that each seed ranks some cases its own way, which more of either lessens.",
        "“Seen, 80\u202f% power” is the smallest true difference that a study with these cases, seeds and "
        "variances would find in four of five repetitions. A handful of seeds know the variance between training runs "
        "only roughly: where most of the uncertainty is theirs, this is rather too hopeful.",
    ]
    return [*notes, RULE] if any(entry["order"] for entry in found["contrasts"]) else notes


def _drawn(context: ReportContext, split: str) -> Drawn | None:
    found = context.evidence[KEY]
    arms = {entry["arm"]: entry for entry in found["arms"] if entry["split"] == split and entry["by_seed"]}
    contrasts = [entry for entry in found["contrasts"] if entry["split"] == split and entry["order"]]
    contrasts = [entry for entry in contrasts if entry["by_seed"] and entry["low"] is not None]
    if not arms:
        return None
    shown = dict(list(arms.items())[:_ARMS])
    limits = _limits(context, split)
    seeds = max(entry["seeds"] for entry in shown.values())
    title = (
        f"AUC of each seed’s model, {split_name(split)}: a dot is one training run, the bar the mean of {count(seeds)} "
        f"with its {100 * context.evidence['level']:.0f}\u202f% interval"
    )
    title += "; lines join the two arms of a contrast, seed by seed" if contrasts else ""
    if any(on_fewer_cases(arms[entry[side]], entry, side) for entry in contrasts for side in "ab"):
        title += "; without a band: on the cases that both arms of the contrast scored"
    title += "; dashed is the best possible on these very cases" if limits else ""
    spoken = "; ".join(f"{context.title_of(arm)} {interval(entry['auc'], 3)}" for arm, entry in shown.items())
    spoken += "".join(f"; best possible from {name} {number(value, 3)}" for name, value in limits.items())
    titles = {arm: context.title_of(arm) for arm in arms}
    if len(arms) > len(shown):
        title += f". The first {len(shown)} of {len(arms)} arms"
    return draw_seeds(shown, contrasts, arms, titles, limits), f"{title}.", f"{title}. {spoken}."


def _limits(context: ReportContext, split: str) -> dict[str, float]:
    """Return the AUCs of the ideal observers of what the arms are shown, by what that is."""
    found: dict[str, float] = {}
    for arm, facts in ideal_of(context, split).items():
        value = (facts.get("observer") or {}).get("estimate")
        if value is not None:
            found[listed([shown_to(context, arm)])] = value
    return found


SUBJECT: Final = Subject(KEY, "Would another training run say the same?", compute, show, frames, paint)
