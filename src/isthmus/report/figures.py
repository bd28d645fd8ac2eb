"""Every figure of a report, drawn where its facts exist."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import LOUD_MARKS, ReportContext
from isthmus.report.curves import calibration_curve, roc_summary
from isthmus.report.error_rates import words_of
from isthmus.report.figure_style import Drawn, FigureFile, save, style
from isthmus.report.figures_accuracy import (
    draw_calibration,
    draw_comparisons,
    draw_confusion,
    draw_intervals,
    draw_roc,
)
from isthmus.report.figures_errors import draw_errors
from isthmus.report.figures_simulated import draw_heat_on_calcifications, draw_ideal_observer, draw_leak
from isthmus.report.figures_study import draw_flow, draw_labels, draw_learning, draw_localisation
from isthmus.report.misclassified import table_of
from isthmus.report.nearness import ideal_of, shown_to
from isthmus.report.page_error_rates import leading_errors
from isthmus.report.page_tables import comparisons_of_ranking, leading_comparisons
from isthmus.report.reading import (
    figure_endings,
    interval,
    number,
    percent_interval,
    ranking_measure,
    split_name,
    splits_of,
)
from isthmus.report.sentences import positive_name
from isthmus.report.subjects import SUBJECTS

# More panels than this no longer fit a printed page; the tables hold every arm.
PANELS = 15
COLUMNS = 8


def draw_figures(context: ReportContext, folder: Path) -> list[FigureFile]:
    """Draw all figures that the context has facts for.

    Parameters
    ----------
    context : ReportContext
    folder : Path
        Where ``<name>.svg`` and ``<name>.png`` go.

    Returns
    -------
    list of FigureFile
        Names: intervals, ideal, roc, confusion, calibration, comparisons, errors, flow, labels, learning, localisation,
        heat_on_calcifications, leak; roc_cv and so on where a split stands beside the leading one.
    """
    table = table_of(context)
    painters: dict[str, Callable[[], Drawn | None]] = {
        "intervals": lambda: _intervals(context),
        **_of_each_split(context, table),
        "comparisons": lambda: _comparisons(context),
        "errors": lambda: _errors(context),
        "flow": lambda: _flow(context),
        "labels": lambda: _labels(context),
        "learning": lambda: _learning(context),
        "localisation": lambda: _localisation(context),
        "heat_on_calcifications": lambda: _heat_on_calcifications(context),
        "leak": lambda: _leak(context),
    }
    for subject in SUBJECTS:
        painters |= subject.paint(context, table)
    files = []
    mark = ", ".join(mark for mark in context.marks if mark in LOUD_MARKS)
    with style():
        for name, paint in painters.items():
            drawn = paint()
            if drawn is not None:
                figure, title, alternative = drawn
                files.append(save(figure, folder, name, title, alternative, mark))
    return files


def _of_each_split(context: ReportContext, table: AnalysisTable | None) -> dict[str, Callable[[], Drawn | None]]:
    """Return the painters of those figures that every held-out split gets."""
    painters: dict[str, Callable[[], Drawn | None]] = {}
    for split, end in figure_endings(context.evidence).items():
        if end and split in ("tune", "train"):
            continue
        painters[f"ideal{end}"] = partial(_ideal, context, split)
        painters[f"roc{end}"] = partial(_roc, context, table, split)
        painters[f"confusion{end}"] = partial(_confusion, context, split)
        painters[f"calibration{end}"] = partial(_calibration, context, table, split)
    return painters


def _facts(context: ReportContext, split: str) -> dict[str, dict[str, Any]]:
    return {arm: found[split] for arm, found in context.evidence["arms"].items() if split in found}


def _in_order(context: ReportContext, of_arms: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of arms in the order that all figures and tables have."""
    return {arm: of_arms[arm] for arm in [*(arm for arm in context.evidence["arms"] if arm in of_arms), *of_arms]}


def _titles(context: ReportContext, arms: Any) -> dict[str, str]:
    return {arm: context.title_of(arm) for arm in arms}


def _spoken(context: ReportContext, facts: dict[str, dict[str, Any]], measure: str) -> str:
    return "; ".join(f"{context.title_of(arm)} {interval(entry.get(measure))}" for arm, entry in facts.items())


def _intervals(context: ReportContext) -> Drawn | None:
    splits = splits_of(context.evidence)
    if not splits:
        return None
    split, facts = splits[0], _facts(context, splits[0])
    measure = ranking_measure(context.evidence)
    if not any(measure in entry or "accuracy" in entry for entry in facts.values()):
        return None
    figure = draw_intervals(context.evidence, split, _titles(context, facts))
    title = f"AUC and accuracy of all arms, {split_name(split)}"
    return figure, title, f"{title}, with intervals. AUC: {_spoken(context, facts, measure)}."


def _roc(context: ReportContext, table: AnalysisTable | None, split: str) -> Drawn | None:
    facts = _facts(context, split)
    if table is None or len(table.classes) > 2:
        return None
    ranked = [arm for arm, entry in facts.items() if entry.get("auc", {}).get("estimate") is not None][:PANELS]
    if not ranked:
        return None
    curves = {
        arm: roc_summary(table.part(arm, split), auc_text=interval(facts[arm]["auc"]), level=context.evidence["level"])
        for arm in ranked
    }
    marks = {
        arm: (1 - facts[arm]["specificity"]["estimate"], facts[arm]["sensitivity"]["estimate"])
        for arm in ranked
        if "sensitivity" in facts[arm]
    }
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    folds = "Thin lines are folds, the thick line their mean; the" if any(c.folds for c in curves.values()) else "The"
    title = f"ROC curves, {split_name(split)}. {folds} band is pointwise {level} from 400 resamplings of the groups" + (
        "; the ring is where the calls stand." if marks else "."
    )
    if len(facts) > len(ranked):
        title += f" The first {len(ranked)} of {len(facts)} arms."
    shown = {arm: facts[arm] for arm in ranked}
    return (
        draw_roc(curves, _titles(context, ranked), marks),
        title,
        f"ROC curves. AUC: {_spoken(context, shown, 'auc')}.",
    )


def _comparisons(context: ReportContext) -> Drawn | None:
    every = comparisons_of_ranking(context.evidence)
    entries = leading_comparisons(every, PANELS)
    if not entries:
        return None
    what = "AUC" if len(context.evidence["classes"]) == 2 else "macro AUC"
    title = f"Paired differences in {what} with {100 * context.evidence['level']:.0f}\u202f% intervals"
    if any(entry["primary"] for entry in entries):
        title += "; the primary contrast is filled"
    if len(every) > len(entries):
        title += f": the {len(entries)} with the smallest p of {len(every)}"
    spoken = "; ".join(
        f"{context.title_of(entry['a'])} minus {context.title_of(entry['b'])}: {interval(entry, 3)}"
        for entry in entries
    )
    titles = _titles(context, context.evidence["arms"])
    return draw_comparisons(entries, titles), f"{title}.", f"{title}. {spoken}."


def _confusion(context: ReportContext, split: str) -> Drawn | None:
    facts = _facts(context, split)
    matrices = {arm: entry["confusion"] for arm, entry in facts.items() if "confusion" in entry}
    matrices = dict(list(matrices.items())[:PANELS])
    if not matrices:
        return None
    names = dict(context.class_names)
    seeds = next(iter(matrices.values()))["mean_of_seeds"]
    title = f"Confusion matrices, {split_name(split)}: counts and row percentages"
    title += f", mean of {seeds} seeds." if seeds > 1 else "."
    spoken = "; ".join(
        f"{context.title_of(arm)}: "
        + ", ".join(
            f"{names.get(true, true)} called {names.get(called, called)} {number(entry['matrix'][row][column], 0)}"
            for row, true in enumerate(entry["labels"])
            for column, called in enumerate(entry["labels"])
        )
        for arm, entry in matrices.items()
    )
    return draw_confusion(matrices, _titles(context, matrices), names), title, f"{title} {spoken}."


def _calibration(context: ReportContext, table: AnalysisTable | None, split: str) -> Drawn | None:
    facts = _facts(context, split)
    if table is None or not table.has_probabilities or len(table.classes) > 2:
        return None
    arms = [arm for arm, entry in facts.items() if entry.get("brier", {}).get("estimate") is not None][:6]
    if not arms:
        return None
    calibrated = (arms[0], split) in table.calibrated
    raw = not calibrated and "calibration_slope_uncalibrated" in facts[arms[0]]
    slope = "calibration_slope_uncalibrated" if raw else "calibration_slope"
    curves = {
        arm: calibration_curve(
            table.part(arm, split), slope=facts[arm][slope]["estimate"], level=context.evidence["level"]
        )
        for arm in arms
    }
    state = "calibrated" if calibrated else "as given"
    title = (
        f"Calibration of the probabilities ({state}), {split_name(split)}: observed against predicted frequency in "
        "bins of equal size, with Wilson intervals; below, how the predictions lie."
    )
    if len(facts) > len(arms):
        title += f" The first {len(arms)} of {len(facts)} arms."
    shown = {arm: facts[arm] for arm in arms}
    spoken = f"Calibration plots. Slopes: {_spoken(context, shown, slope)}."
    return draw_calibration(curves, _titles(context, arms), positive_name(context).removeprefix("of ")), title, spoken


def _errors(context: ReportContext) -> Drawn | None:
    entries = [entry for entry in leading_errors(context) if entry["measure"] == "error"]
    if not entries:
        return None
    arm, split = entries[0]["arm"], entries[0]["split"]
    accuracy = context.evidence["arms"][arm][split].get("accuracy", {}).get("estimate")
    title = (
        f"Wrong calls of {context.title_of(arm)} by what the case is like, {split_name(split)}, with "
        f"{100 * context.evidence['level']:.0f}\u202f% intervals (dashed: all cases; hollow: too few to tell"
    )
    starred = any(entry["p_holm"] is not None and entry["p_holm"] < 0.05 for entry in entries)
    title += "; * differs from the others after Holm's correction)." if starred else ")."
    spoken = "; ".join(
        f"{words_of(entry['feature'], entry['code'])} {percent_interval(entry['rate'])}" for entry in entries
    )
    return draw_errors(entries, None if accuracy is None else 1 - accuracy), title, f"{title} {spoken}."


def _flow(context: ReportContext) -> Drawn | None:
    if context.cohort is None or not context.cohort.flow:
        return None
    steps = context.cohort.flow
    spoken = "; ".join(
        f"{step.label} {step.count}"
        + (" (left out: " + ", ".join(f"{n} {reason}" for reason, n in step.left_out) + ")" if step.left_out else "")
        for step in steps
    )
    return draw_flow(steps), "Flow of cases, with what was left out and why.", f"Flow of cases: {spoken}."


def _labels(context: ReportContext) -> Drawn | None:
    if context.cohort is None or not context.cohort.label_counts:
        return None
    counts, names = context.cohort.label_counts, context.cohort.label_names
    spoken = ", ".join(f"{names.get(label, label)} {number}" for label, number in counts.items())
    return draw_labels(counts, names), "How many have each label.", f"Labels: {spoken}."


def _learning(context: ReportContext) -> Drawn | None:
    logs = {arm: fits for arm, fits in _in_order(context, context.learning).items() if fits}
    if not logs:
        return None
    title = (
        "Learning curves: fits thin, their mean thick. The tuning part is no test: the epoch, the calibration and the "
        "threshold may be chosen on it."
    )
    spoken = f"Loss and tuning AUC by epoch for {', '.join(context.title_of(arm) for arm in logs)}."
    return draw_learning(logs, _titles(context, logs)), title, spoken


def _localisation(context: ReportContext) -> Drawn | None:
    found = {arm: entry for arm, entry in _in_order(context, context.localisation).items() if entry.heat_in_lesion}
    if not found:
        return None
    title = "Heat inside the lesion's outline, share by case (bar: median), beside a Gaussian in the middle."
    return draw_localisation(found, _titles(context, found)), title, title


def _ideal(context: ReportContext, split: str) -> Drawn | None:
    every = {arm: facts for arm, facts in ideal_of(context, split).items() if facts["arm"]["estimate"] is not None}
    facts = dict(list(every.items())[:COLUMNS])
    if not facts:
        return None
    title = f"What each arm reached and what was possible on the same {context.evidence['unit']}s, {split_name(split)}."
    if len(every) > len(facts):
        title += f" The first {len(facts)} of {len(every)} arms."
    spoken = "; ".join(
        f"{context.title_of(arm)} reached {interval(entry['arm'])}, possible {interval(entry.get('observer'))}, "
        f"knowing every finding {interval(entry['latents'])}"
        for arm, entry in facts.items()
    )
    shown = {arm: shown_to(context, arm) for arm in facts}
    return draw_ideal_observer(facts, _titles(context, facts), shown), title, f"{title} {spoken}."


def _heat_on_calcifications(context: ReportContext) -> Drawn | None:
    found = {
        arm: entry for arm, entry in _in_order(context, context.localisation).items() if entry.heat_in_calcifications
    }
    if not found:
        return None
    title = "Heat on the true calcifications, case by case (bar: median), against heat spread evenly over the picture."
    return draw_heat_on_calcifications(found, _titles(context, found)), title, title


def _leak(context: ReportContext) -> Drawn | None:
    leak = context.leak
    if leak is None or leak.picture_level["estimate"] is None or leak.honest["estimate"] is None:
        return None
    title = f"{leak.title}, trained twice: with pictures divided into folds (wrong) and with patients divided (right)."
    spoken = f"With pictures divided {interval(leak.picture_level)}, with patients divided {interval(leak.honest)}."
    return draw_leak(leak), title, f"{title} {spoken}"
