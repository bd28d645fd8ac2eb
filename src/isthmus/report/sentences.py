"""What the report says in words, generated from the numbers: also when nothing was shown."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.nearness import ideal_statement
from isthmus.report.reading import (
    count,
    interval,
    listed,
    number,
    p_in_words,
    plural,
    ranking_measure,
    split_name,
    splits_of,
)
from isthmus.report.seed_words import seeds_statement
from isthmus.statistics.few_groups import METHOD as WITHOUT_TEST

LABEL_SOURCES = {
    "surgery": "The label is pathology after surgery.",
    "cytology": "The label is cytology, which itself misses some cancers and leaves some nodules undecided.",
    "follow_up": "The label is follow-up: nodules that did not change are taken to be benign.",
    "mixed": "The label comes from several sources (surgery, cytology, follow-up), which may differ between classes.",
    "tirads": (
        "The label is the TI-RADS category that readers gave from the same pictures, not pathology. "
        "“Suspicious” here stands for “{positive}”; it does not mean cancer."
    ),
    "simulated": (
        "The label is set by the simulation: drawn from a known model of the findings, so that what anything could "
        "reach at best is known too."
    ),
    "unknown": "Where the label comes from is not recorded in this table.",
}


def positive_name(context: ReportContext) -> str:
    """Return the positive class as shown; a TI-RADS label is ``suspicious``, never malignant."""
    evidence = context.evidence
    positive = str(evidence["positive"])
    if evidence.get("reference") == "tirads":
        return "suspicious"
    if positive in context.class_names:
        return context.class_name(positive)
    return f"of class {positive}"


def headline(context: ReportContext) -> str:
    """Return the report's one statement, with its intervals."""
    evidence = context.evidence
    splits = splits_of(evidence)
    if not splits:
        return "There is no evidence: no arm has predictions that could be evaluated."
    split, measure = splits[0], ranking_measure(evidence)
    if "SMOKE" in context.marks:
        return _for_the_record(context, split, measure)
    contrast = _primary(evidence, split, measure)
    if contrast is not None:
        text = _contrast(context, split, measure, contrast) + seeds_statement(context, split)
    elif len(evidence["arms"]) == 1:
        text = _single(context, split, measure)
    else:
        text = _several(context, split, measure)
    return text + ideal_statement(context)


def _for_the_record(context: ReportContext, split: str, measure: str) -> str:
    shown = "; ".join(
        f"{context.title_of(arm)} {interval(by_split[split].get(measure))}"
        for arm, by_split in context.evidence["arms"].items()
        if split in by_split
    )
    name = "AUC" if measure == "auc" else "Macro AUC"
    said = "This smoke run shows that every stage works; no number in it means anything."
    return f"{said} {name}, for the record: {shown}."


def _primary(evidence: dict[str, Any], split: str, measure: str) -> dict[str, Any] | None:
    for entry in evidence["comparisons"]:
        if entry.get("primary") and entry["split"] == split and entry["measure"] == measure:
            return dict(entry)
    return None


def _on_whom(facts: dict[str, Any], split: str, unit: str) -> str:
    where = "In cross-validation" if split == "cv" else f"On the {split_name(split)}"
    groups = f" of {plural(facts['n_groups'], 'group')}" if facts["n_groups"] != facts["n"] else ""
    return f"{where} ({plural(facts['n'], unit)}{groups})"


def _contrast(context: ReportContext, split: str, measure: str, entry: dict[str, Any]) -> str:
    evidence = context.evidence
    first, second = (evidence["arms"][entry[side]][split] for side in ("a", "b"))
    names = context.title_of(entry["a"]), context.title_of(entry["b"])
    word = "an AUC" if measure == "auc" else "a macro AUC"
    text = (
        f"{_on_whom(first, split, evidence['unit'])}, {names[0]} reached {word} of {_first(first[measure])} "
        f"and {names[1]} {interval(second[measure])}. "
    )
    if entry.get("n") is not None and {first["n"], second["n"]} != {entry["n"]}:
        text += f"{plural(entry['n'], evidence['unit'])} have pictures for both and are compared. "
    return text + _difference(entry, names) + _above_chance(measure, [first, second], names)


def _first(entry: dict[str, Any]) -> str:
    """Return the first interval of a sentence, which says what the brackets are."""
    text = interval(entry)
    return text.replace("(", f"({100 * entry['level']:.0f}\u202f% interval ", 1) if "(" in text else text


def _difference(entry: dict[str, Any], names: tuple[str, str]) -> str:
    if entry["difference"] is None or entry["low"] is None:
        return "Their difference cannot be estimated from these data."
    text = f"The difference is {interval(entry)}"
    if entry["method"] == WITHOUT_TEST:
        return f"{text}, without a test: nothing can be concluded from so few ({entry['note']})."
    if entry.get("p") is not None:
        text += f", {p_in_words(entry['p'])}"
    if entry["low"] > 0:
        return f"{text}: {names[0]} was better here."
    if entry["high"] < 0:
        return f"{text}: {names[1]} was better here."
    reach = max(abs(entry["low"]), abs(entry["high"]))
    return (
        f"{text}: this study does not show that either is better, "
        f"and differences of up to {number(reach)} stay compatible with it."
    )


def _above_chance(measure: str, facts: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    """Say it when an interval does not exclude chance."""
    unsure = [
        name
        for name, entry in zip(names, facts, strict=True)
        if entry[measure]["low"] is not None and entry[measure]["low"] <= 0.5
    ]
    if not unsure:
        return ""
    if len(unsure) == len(names):
        return (
            " It is not shown that it ranks better than chance."
            if len(names) == 1
            else (" For neither is it shown that it ranks better than chance.")
        )
    return f" For {unsure[0]} it is not shown that it ranks better than chance."


def _single(context: ReportContext, split: str, measure: str) -> str:
    (arm,) = context.evidence["arms"]
    facts = context.evidence["arms"][arm][split]
    name, word = context.title_of(arm), "an AUC" if measure == "auc" else "a macro AUC"
    text = f"{_on_whom(facts, split, context.evidence['unit'])}, {name} reached {word} of {_first(facts[measure])}."
    return text + _above_chance(measure, [facts], (name,))


def _several(context: ReportContext, split: str, measure: str) -> str:
    evidence = context.evidence
    ranked = sorted(
        (
            (facts[split][measure]["estimate"], arm)
            for arm, facts in evidence["arms"].items()
            if split in facts and facts[split].get(measure, {}).get("estimate") is not None
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    if not ranked:
        return "No arm has an AUC that could be estimated."
    best, worst = evidence["arms"][ranked[0][1]][split], evidence["arms"][ranked[-1][1]][split]
    shown = [
        entry
        for entry in evidence["comparisons"]
        if entry["split"] == split
        and entry["measure"] == measure
        and entry.get("p_holm") is not None
        and entry["p_holm"] < 0.05
    ]
    pairs = [entry for entry in evidence["comparisons"] if entry["split"] == split and entry["measure"] == measure]
    word = "AUCs" if measure == "auc" else "macro AUCs"
    text = (
        f"{_on_whom(best, split, evidence['unit'])}, {len(ranked)} arms reached {word} from "
        f"{_named(_first(worst[measure]), context.title_of(ranked[-1][1]))} to "
        f"{_named(interval(best[measure]), context.title_of(ranked[0][1]))}. "
        "No contrast was named before the analysis. "
    )
    if pairs and all(entry["method"] == WITHOUT_TEST for entry in pairs):
        text += f"Nothing can be concluded of their differences from so few: {pairs[0]['note']}."
    elif pairs:
        text += (
            f"Of {plural(len(pairs), 'paired comparison')}, {len(shown)} stay{'s' if len(shown) == 1 else ''} below "
            "p = 0.05 after Holm's correction."
            if shown
            else f"None of {plural(len(pairs), 'paired comparison')} stays below p = 0.05 after Holm's correction: "
            "this study does not show that any arm is better than another."
        )
    return text + " The best of several is flattered by having been picked."


def _named(text: str, name: str) -> str:
    return f"{text[:-1]}; {name})" if text.endswith(")") else f"{text} ({name})"


def label_source(context: ReportContext) -> str:
    """Return the sentence on where the label comes from."""
    reference = "simulated" if context.cohort and context.cohort.simulated else context.evidence.get("reference")
    positive = str(context.evidence["positive"])
    shown = context.class_name(positive)
    text = LABEL_SOURCES.get(str(reference), LABEL_SOURCES["unknown"]).format(positive=shown)
    if context.truth is not None:
        text += f" Preset {context.truth.preset}, seed {context.truth.description.get('seed')}."
    return text


def split_sentence(context: ReportContext) -> str:
    """Return how the groups were divided, in one sentence; empty where nothing is known."""
    facts = context.splits
    if facts is None:
        return ""
    text = ""
    if facts.folds is not None:
        how = f"divided by {facts.folds}-fold cross-validation, stratified by label"
        if facts.by == "site":
            how = f"held out site by site ({plural(facts.folds, 'site')})"
        if facts.by == "column":
            how = (
                "divided as the cohort says: its validation part was held out once, and what is called "
                "cross-validation here is that one fold"
            )
        text = f"Groups were {how}, for {plural(len(facts.seeds), 'seed')}"
        if facts.tune_fraction is not None:
            text += f"; {100 * facts.tune_fraction:.0f}\u202f% of each fold's training groups were kept for tuning"
        text += ". "
    if facts.external_sites:
        text += f"Set aside as external set: all patients of {listed(facts.external_sites)}. "
    return text + (f"Set aside as test set: {facts.test_rule}." if facts.test_rule else "No test set was set aside.")


def cohort_line(context: ReportContext) -> list[tuple[str, str]]:
    """Return the cohort's counts for the first screen: value and what it counts; unknown counts are left out."""
    cohort, evidence = context.cohort, context.evidence
    if cohort is None:
        return _counts_of_the_table(evidence, positive_name(context))
    known = [
        (cohort.patients, "patient" if cohort.patients == 1 else "patients"),
        (cohort.nodules, "nodule" if cohort.nodules == 1 else "nodules"),
        (cohort.views, "view" if cohort.views == 1 else "views"),
        *_labels(context),
        (cohort.sites, "site" if cohort.sites == 1 else "sites"),
    ]
    return [(count(value), word) for value, word in known if value is not None]


def _labels(context: ReportContext) -> list[tuple[int | None, str]]:
    """Return how many are of the positive class; of several classes how many of each."""
    cohort = context.cohort
    assert cohort is not None
    if len(context.evidence["classes"]) == 2 or not cohort.label_counts:
        return [(cohort.positives, positive_name(context))]
    return [(number, context.class_name(label)) for label, number in cohort.label_counts.items()]


def _counts_of_the_table(evidence: dict[str, Any], positive: str) -> list[tuple[str, str]]:
    for split in splits_of(evidence):
        for by_split in evidence["arms"].values():
            if split in by_split:
                facts = by_split[split]
                classes = (
                    [(count(facts["classes"][str(evidence["positive"])]), positive)]
                    if len(evidence["classes"]) == 2
                    else [
                        (count(number), (evidence.get("class_names") or {}).get(label, f"of class {label}"))
                        for label, number in facts["classes"].items()
                    ]
                )
                sizes = [(count(facts["n"]), f"{evidence['unit']}s"), (count(facts["n_groups"]), "groups")]
                return [*sizes, *classes, (count(len(evidence["arms"])), "arms")]
    return []
