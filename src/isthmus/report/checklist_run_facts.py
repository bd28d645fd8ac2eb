"""What a run knows of its models and of how they were judged."""

from typing import Any

from isthmus.manifest import version
from isthmus.report.checklist_fact import COHORT, METHODS, RESULTS, TOP, VERSIONS, Fact, heading_of
from isthmus.report.context import ReportContext
from isthmus.report.methods import methods_paragraphs, statistics_paragraph
from isthmus.report.reading import MEASURES, listed, plural
from isthmus.report.sentences import split_sentence


def model_facts(context: ReportContext) -> dict[str, Fact | None]:
    """Return what is known of the models; little without a protocol."""
    protocol = context.protocol_resolved
    packages = context.manifest.get("packages")
    versions = f"Isthmus {version()}"
    versions += f"; {', '.join(f'{name} {value}' for name, value in packages.items())}" if packages else ""
    found: dict[str, Fact | None] = {
        "software": Fact(f"{versions}.", f"{VERSIONS}; manifest.json"),
        "thresholds": _thresholds(context),
    }
    if protocol is None:
        return found
    text = " ".join(methods_paragraphs(context))
    trained = [sentence for sentence in _sentences(text) if "Training used" in sentence]
    weights = sorted({facts.weights for facts in context.arms.values() if facts.network})
    stopped = any(one.get("train", {}).get("early_stopping") for one in protocol.get("arms", {}).values())
    return found | {
        "preprocessing": Fact(
            _first(text, "Each picture was") or "Preparation differs by arm and stands in the protocol.",
            f"{METHODS}; protocol.yaml",
        ),
        "inputs": Fact("Pictures, as the protocol selects and prepares them; no clinical variable enters.",
                       f"{METHODS}; protocol.yaml"),
        "initialisation": Fact(f"Initial weights: {listed(weights)}.", METHODS) if weights else None,
        "training": Fact(" ".join(trained), f"{METHODS}; protocol.yaml; arms/*/fit.yaml"),
        "selection": Fact(
            "Arms and settings are fixed in the protocol and all arms are reported"
            + ("; the epoch of a fit was chosen on its tuning part." if stopped else "; no epoch was chosen."),
            f"{METHODS}; protocol.yaml",
        ),
        "ensembling": Fact("The model of an arm is the mean of its fold models of the first seed.", METHODS),
        "class_weight": Fact(_weighting(protocol), f"{METHODS}; protocol.yaml"),
        "bundles": Fact("Each arm's model: weights, preparation, calibration, threshold.", "arms/<arm>/bundle/"),
        "prediction_code": Fact("isthmus predict, on an arm's bundle, gives what predictions.csv holds.",
                                "arms/<arm>/bundle/; predictions.csv"),
        "updating": Fact("None: calibration and thresholds were frozen before the cases they are judged on.",
                         f"{METHODS}; frozen.json"),
        "blinding": Fact("The networks were given pixels and the lesion's region; labels met predictions afterwards.",
                         METHODS),
    }  # fmt: skip


def _weighting(protocol: dict[str, Any]) -> str:
    arms = protocol.get("arms", {}).values()
    if not any(arm.get("train", {}).get("class_weight") for arm in arms):
        return "No method against class imbalance was used."
    return "Classes were weighted to balance, which a prior shift takes back from the probabilities."


def _thresholds(context: ReportContext) -> Fact | None:
    rules = {
        entry["rule"]
        for by_split in context.evidence["arms"].values()
        for facts in by_split.values()
        for entry in facts["thresholds"]
    }
    if not rules:
        return None
    frozen = "frozen before the cases they are judged on" if context.frozen else "as given"
    where = "tables/thresholds.csv" + ("; frozen.json" if context.frozen else "")
    left = "" if context.frozen else "how they were chosen, and on which cases"
    return Fact(f"Rules: {listed(sorted(str(rule) for rule in rules))}; {frozen}.", where, left)


def _sentences(text: str) -> list[str]:
    return [f"{part.rstrip('.')}." for part in text.split(". ") if part]


def _first(text: str, words: str) -> str:
    return next((sentence for sentence in _sentences(text) if words in sentence), "")


def analysis_facts(context: ReportContext) -> dict[str, Fact | None]:
    """Return what is known of partitions and statistics."""
    evidence = context.evidence
    compared = evidence["comparisons"]
    shared = {
        "metrics": Fact(_metrics(evidence), f"{METHODS}; tables/arms.csv"),
        "uncertainty": Fact(statistics_paragraph(evidence), f"{METHODS}; tables/arms.csv"),
        "comparisons": Fact(
            f"{plural(len(compared), 'paired comparison')}, with Holm's correction but for a primary one.",
            "Comparisons; tables/comparisons.csv",
        )
        if compared
        else None,
        "robustness": _robustness(context),
        "explainability": _explained(context),
        "indeterminate": Fact(
            "Cases whose call is withheld, and what accuracy the others then have.", heading_of("uncertainty")
        )
        if evidence.get("uncertainty")
        else None,
    }
    partitions = split_sentence(context)
    if not partitions and context.protocol_resolved is None:
        return shared
    leak = next((check.sentence for check in context.checks if check.name in ("No leak", "leak")), "")
    absent = context.cohort is not None and context.cohort.patient_ids == "absent"
    return shared | {
        "partitions": Fact(partitions, f"{COHORT}; split.csv"),
        "disjoint": Fact(
            f"Groups of patients are the unit of every split. {leak}".strip(),
            f"{TOP}; {METHODS}; split.csv",
            "how patients were told apart: the source has no patient ids" if absent else "",
        ),
        "checks": Fact(" ".join(check.sentence for check in context.checks), TOP),
    }  # fmt: skip


def _metrics(evidence: dict[str, Any]) -> str:
    measured = {name for by_split in evidence["arms"].values() for facts in by_split.values() for name in facts}
    names = [words for name, words in MEASURES.items() if name in measured]
    names += ["decision curves"] if evidence.get("decision_curves") else []
    return f"Measured: {listed(names)}." if names else ""


def _robustness(context: ReportContext) -> Fact | None:
    evidence, found, where = context.evidence, [], []
    if (evidence.get("regions") or {}).get("moved"):
        found.append("boxes moved and scaled by 10 and 20 %")
        where.append("Does it matter where the box is drawn?")
    if any("by_site" in facts for by_split in evidence["arms"].values() for facts in by_split.values()):
        found.append("AUC by site")
        where.append(RESULTS)
    if any("folds" in facts for by_split in evidence["arms"].values() for facts in by_split.values()):
        found.append("spread over folds and seeds")
        where.append("tables/folds.csv")
    left = "" if len(found) > 1 else "other analyses of sensitivity, or that there were none"
    return Fact(f"Looked at: {listed(found)}.", "; ".join(where), left) if found else None


def _explained(context: ReportContext) -> Fact | None:
    shown = {arm: found for arm, found in context.localisation.items() if found.heat_in_lesion}
    if not shown:
        return None
    return Fact(
        f"Gradient heat maps of {listed([context.title_of(arm) for arm in shown])}, measured against the lesions' "
        "outlines and a Gaussian in the middle.",
        "Heat maps; explanations/",
    )
