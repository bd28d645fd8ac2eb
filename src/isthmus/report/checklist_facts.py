"""What a report knows of what a checklist asks: sentences written from its facts, and where they stand.

A fact is there only where the run, or the table, knows it. Nothing is said of what nobody recorded.
"""

from typing import Final

from isthmus.manifest import version
from isthmus.report.checklist_fact import COHORT, METHODS, RESULTS, TOP, VERSIONS, Fact, heading_of
from isthmus.report.checklist_result_facts import result_facts
from isthmus.report.checklist_run_facts import analysis_facts, model_facts
from isthmus.report.context import ReportContext
from isthmus.report.reading import count, listed, plural, split_name, splits_of
from isthmus.report.sentences import label_source

_SAMPLING: Final = {
    "consecutive": "The cases were consecutive.",
    "selected": "The cases were a selection.",
    "case_control": "Cases and controls were sampled apart.",
}
_REGIONS: Final = {
    "drawn": "drawn by a reader",
    "proposed": "proposed by a program",
    "whole": "none: the whole scan area is used",
}


def known_facts(context: ReportContext) -> dict[str, Fact]:
    """Return all facts that the report knows, by the names that the checklists' files use."""
    found: dict[str, Fact] = {}
    for part in (_study, _data, model_facts, analysis_facts, result_facts, _other):
        found |= {name: fact for name, fact in part(context).items() if fact is not None and fact.says}
    return found


def flags(context: ReportContext) -> dict[str, str]:
    """Return why items do not apply: name to reason."""
    found = {}
    if context.cohort is not None and context.cohort.simulated:
        found["simulated"] = "the cohort is simulated: there are no patients and no assessors"
    if context.protocol_resolved is not None:
        found["no_updating"] = "no model was updated on the cases it is evaluated on"
    return found


def _study(context: ReportContext) -> dict[str, Fact | None]:
    evidence, primary = context.evidence, context.evidence.get("primary")
    named = None
    if primary:
        names = [context.title_of(primary[side]) for side in ("arm", "against") if primary.get(side)]
        named = Fact(f"Named before the analysis: {' against '.join(names)}.", f"Comparisons; {_file(context)}")
    networks = [
        f"{facts.title} ({facts.network}"
        + (f", {facts.parameters_millions:.1f} million parameters)" if facts.parameters_millions else ")")
        for facts in context.arms.values()
        if facts.network
    ]
    protocol = context.protocol
    return {
        "question": Fact(context.question, TOP) if context.question else None,
        "contrast": named,
        "technology": Fact(f"Deep learning: {listed(networks)}.", METHODS) if networks else None,
        "protocol": Fact(
            f"Protocol {protocol.name}, profile {protocol.profile}"
            + (f", after {protocol.citation}" if protocol.citation else "")
            + ".",
            "protocol.yaml",
        )
        if protocol
        else None,
        "outputs": Fact(
            f"A probability of “{evidence['positive']}”." if evidence["has_probabilities"] else "A score.",
            "predictions.csv" if context.protocol_resolved else RESULTS,
        ),
    }


def _file(context: ReportContext) -> str:
    return "protocol.yaml" if context.protocol_resolved else "evidence.json"


def _data(context: ReportContext) -> dict[str, Fact | None]:
    cohort, evidence = context.cohort, context.evidence
    own = context.protocol_resolved is not None  # the run itself developed the models
    found: dict[str, Fact | None] = {
        "sampling": Fact(_SAMPLING.get(str(evidence.get("sampling")), ""), METHODS),
        "label": Fact(label_source(context), TOP) if _label_known(context) else None,
        "missing": Fact(
            _missing(context),
            f"{RESULTS}; tables/arms.csv",
            "" if own else "whether anything was imputed or left out before",
        ),
        "class_sizes": Fact(
            _class_sizes(context), f"{RESULTS}; tables/arms.csv", "" if own else "how many models were developed on"
        ),
        "devices": _devices(context),
        "characteristics": Fact(
            "Characteristics by outcome and set, missing counts.",
            f"{heading_of('table_one')}; tables/table_one.csv",
            "" if own else "those of the cases that models were developed on",
        )
        if evidence.get("table_one")
        else None,
    }  # fmt: skip
    if cohort is None:
        return found
    licence = f"licence {cohort.licence}" if cohort.licence else ""
    names = [f"{value} = {words}" for value, words in cohort.label_names.items()]
    regions = " and ".join(_REGIONS.get(part, part) for part in cohort.region_source.split(" and ") if part)
    left_out = "; ".join(f"{reason} ({count(number)})" for _, reason, number in cohort.excluded)
    return found | {
        "source": Fact(
            "; ".join(filter(None, (f"Cohort “{cohort.name}”", cohort.citation, licence))) + ".", COHORT
        ),
        "licence": Fact(f"Cohort “{cohort.name}”: {licence}.", COHORT) if licence else None,
        "sites": Fact(f"{plural(cohort.sites, 'site')}.", COHORT, "where they are") if cohort.sites else None,
        "exclusions": Fact(f"Left out: {left_out}.", f"{COHORT}; excluded.csv of the cohort") if left_out else None,
        "flow": Fact("; ".join(f"{step.label} {count(step.count)}" for step in cohort.flow) + ".", COHORT)
        if cohort.flow
        else None,
        "label_classes": Fact(f"Classes: {listed(names)}.", COHORT) if names else None,
        "regions": Fact(f"Outlines of the lesions: {regions}.", COHORT) if regions else None,
        "user_input": Fact(f"Outlines of the lesions: {regions}.", COHORT) if regions else None,
    }  # fmt: skip


def _label_known(context: ReportContext) -> bool:
    simulated = context.cohort is not None and context.cohort.simulated
    return simulated or context.evidence.get("reference") != "unknown"


def _missing(context: ReportContext) -> str:
    text = "No value is imputed; arms are compared on the units that both have"
    if context.failures:
        text += f"; {plural(len(context.failures), 'view or fit', 'views or fits')} failed and "
        text += "is listed" if len(context.failures) == 1 else "are listed"
    return text + "."


def _class_sizes(context: ReportContext) -> str:
    """Return units, groups and classes of each split, of the arm that has most."""
    evidence, parts = context.evidence, []
    for split in splits_of(evidence):
        facts = max((by[split] for by in evidence["arms"].values() if split in by), key=lambda one: one["n"])
        classes = ", ".join(f"{count(number)} of class {label}" for label, number in facts["classes"].items())
        units = f"{plural(facts['n'], evidence['unit'])} in {plural(facts['n_groups'], 'group')}"
        parts.append(f"{split_name(split)}: {units} ({classes})")
    return f"{'; '.join(parts)}." if parts else ""


def _devices(context: ReportContext) -> Fact | None:
    entries = context.evidence.get("error_rates") or []
    names = sorted({entry["code"] for entry in entries if entry["feature"] == "device"})
    where = "Which nodules are misjudged; tables/error_rates.csv"
    return Fact(f"Devices: {listed(names)}.", where, "probes and settings") if names else None


def _other(context: ReportContext) -> dict[str, Fact | None]:
    kept = (
        "predictions.csv, frozen.json and manifest.json"
        if context.protocol_resolved
        else "evidence.json and manifest.json"
    )
    return {
        "code": Fact(
            f"The analysis is Isthmus {version()}, open source (Apache-2.0).",
            VERSIONS,
            "" if context.protocol_resolved else "the code of the models themselves",
        ),
        "audit": Fact(f"Outputs are kept, with the hash of every file: {kept}.", "manifest.json"),
    }  # fmt: skip
