"""What a report found, as answers to checklists."""

from isthmus.report.checklist_fact import CALLS, RESULTS, TOP, Fact, heading_of
from isthmus.report.context import ReportContext
from isthmus.report.limits import cannot_conclude
from isthmus.report.reading import MEASURES, interval, listed, split_name, splits_of
from isthmus.report.sentences import headline


def result_facts(context: ReportContext) -> dict[str, Fact | None]:
    """Return what was found."""
    evidence, splits = context.evidence, splits_of(context.evidence)
    external = [split for split in splits if split.partition(": ")[0] == "external"]
    internal = [split for split in splits if split not in external and split not in ("train", "tune")]
    parts = [facts for by_split in evidence["arms"].values() for facts in by_split.values()]
    kinds = [heading_of("subgroups")] if evidence.get("subgroups") else []
    kinds += ["Which nodules are misjudged"] if evidence.get("error_rates") else []
    return {
        "performance": Fact(headline(context), f"{TOP}; {RESULTS}; tables/arms.csv"),
        "accuracy": Fact(_accuracy(context), f"{RESULTS}; tables/arms.csv"),
        "crosstab": Fact("Confusion matrices of all arms.", f"{CALLS}; tables/confusion.csv")
        if any("confusion" in facts for facts in parts)
        else None,
        "failure_analysis": Fact(
            "Wrong calls, case by case" + (", and by what the case is like." if "error_rates" in evidence else "."),
            f"{CALLS}; tables/misclassified.csv",
        )
        if any("confusion" in facts for facts in parts)
        else None,
        "calibration": Fact("Brier score, slope and intercept.", f"{RESULTS}; Calibration")
        if any("brier" in facts for facts in parts)
        else None,
        "utility": Fact("Decision curves.", heading_of("decision_curves")) if evidence.get("decision_curves") else None,
        "subgroups": Fact("Results by kind of case.", "; ".join(kinds)) if kinds else None,
        "heterogeneity": Fact("AUC of each site.", RESULTS) if any("by_site" in facts for facts in parts) else None,
        "internal": Fact(f"Internal: {listed([split_name(split) for split in internal])}.", RESULTS)
        if internal
        else None,
        "external": Fact(f"External: {listed([split_name(split) for split in external])}.", RESULTS)
        if external
        else Fact("There is no external set.", TOP, "why there is none"),
        "openings": Fact(context.openings, TOP),
        "limitations": Fact("It cannot be concluded: " + " ".join(cannot_conclude(context)), TOP),
    }


def _accuracy(context: ReportContext) -> str:
    evidence = context.evidence
    primary = (evidence.get("primary") or {}).get("arm")
    arm = str(primary if primary in evidence["arms"] else next(iter(evidence["arms"]), ""))
    own = [split for split in splits_of(evidence) if split in evidence["arms"].get(arm, {})]
    if not own:
        return ""
    facts = evidence["arms"][arm][own[0]]
    names = [name for name in ("sensitivity", "specificity", "auc", "macro_auc") if name in facts]
    shown = "; ".join(f"{MEASURES[name]} {interval(facts[name])}" for name in names)
    return f"{context.title_of(arm)}, {split_name(own[0])}: {shown}." if shown else ""
