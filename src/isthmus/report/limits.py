"""What a reader might be tempted to conclude from a report, and may not."""

from isthmus.report.context import ReportContext
from isthmus.report.reading import plural, splits_of


def cannot_conclude(context: ReportContext) -> list[str]:
    """Return what a reader might be tempted to conclude and may not, the gravest first."""
    evidence, cohort, found = context.evidence, context.cohort, []
    if "SMOKE" in context.marks:
        found.append("Anything at all: networks and training were cut to seconds so that every stage runs.")
    if cohort and cohort.simulated:
        found.append("Anything about patients: the cohort is simulated.")
    if evidence.get("readers", {}).get("simulated"):
        found.append("Anything about radiologists: how well the readers read is set by the simulation.")
    found += _about_the_label(context)
    found += _about_the_sample(context)
    profile = context.protocol.profile if context.protocol else "paper"
    if profile not in ("paper", "smoke"):
        changes = plural(len(context.protocol.reductions) if context.protocol else 0, "changed setting")
        found.append(
            f"That the published method does as well or as badly: the profile “{profile}” reduces it "
            f"({changes}, listed under Methods)."
        )
    if cohort and "drawn" in cohort.region_source and not cohort.simulated:
        found.append("How it does without a reader: each lesion was outlined by hand, by a reader who saw the picture.")
    several = len(evidence["classes"]) > 2 and evidence["has_probabilities"]
    if not several and not any("brier" in facts for one in evidence["arms"].values() for facts in one.values()):
        found.append("Whether the scores are probabilities: calibration was not measured.")
    found.append("Whether its use changes what happens to patients: only accuracy was measured.")
    return found


def _about_the_label(context: ReportContext) -> list[str]:
    reference = context.evidence.get("reference")
    if context.cohort and context.cohort.simulated:
        return []
    if reference == "tirads":
        return [
            "Anything about cancer, missed cancers or avoided biopsies: the label is a reader's TI-RADS category, so "
            "the figures measure agreement with readers."
        ]
    if reference == "unknown":
        return ["Accuracy against disease, unless the label is known to be a reference standard."]
    if reference == "follow_up":
        return ["That nodules called benign stay so: follow-up is no histology."]
    return []


def _about_the_sample(context: ReportContext) -> list[str]:
    evidence, cohort, found = context.evidence, context.cohort, []
    splits = splits_of(evidence)
    if not any(split.partition(": ")[0] == "external" for split in splits):
        single = cohort is not None and (cohort.sites or 1) <= 1
        found.append(
            "How it does at another hospital or scanner: there is one source of data, and no external set."
            if single
            else "How it does at hospitals outside this cohort: there is no external set."
        )
    if splits and set(splits) <= {"cv", "tune", "train"}:
        found.append("How one finished model does on new cases: cross-validation measures the training recipe.")
    stated = any("predictive_values" in facts for by_split in evidence["arms"].values() for facts in by_split.values())
    if stated and evidence.get("sampling") != "consecutive":
        found.append(
            "Predictive values in practice: the cases are not known to be consecutive; PPV and NPV are given at "
            "stated prevalences instead."
        )
    if cohort and cohort.patient_ids == "absent":
        found.append(
            "That intervals are wide enough: without patient ids, pictures of one patient may count as several."
        )
    if splits:
        smallest = min(
            (
                min(facts[splits[0]]["class_groups"].values())
                for facts in evidence["arms"].values()
                if splits[0] in facts
            ),
            default=0,
        )
        if smallest < 20:
            found.append(f"Much from so few: the smaller class has {plural(smallest, 'group')}.")
    return found
