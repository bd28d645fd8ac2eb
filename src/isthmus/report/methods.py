"""The methods paragraph, written from the resolved protocol: it can say nothing else than what ran."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.frame_words import frame_words
from isthmus.report.join_words import join_words
from isthmus.report.reading import count, listed, plural
from isthmus.statistics.roc import FEWEST_GROUPS

_CROPS = {"lesion": "cut out around the lesion", "scan_area": "cut to the scan area"}
_NORMALISATIONS = {
    "unit": "scaled to 0–1",
    "percentile_z": "clipped at its 1st and 99th percentile and standardised (z-score)",
    "z": "standardised (z-score)",
    "imagenet": "scaled to 0–1 and standardised by the mean and deviation of ImageNet's colours",
}
_DENOISING = {
    "none": "",
    "median": "smoothed by a 3×3 median",
    "srad": "smoothed by speckle-reducing anisotropic diffusion",
    "nlm": "smoothed by non-local means",
}
_AUGMENTATIONS = {
    "rotate": "rotation",
    "scale": "scaling",
    "flip": "mirroring",
    "vertical_flip": "turning upside down",
    "crop": "random cropping",
    "gain": "gain jitter",
    "translate": "shifting",
    "gamma": "gamma jitter",
    "reverse": "playing clips backwards",
}
_OPTIMISERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}
_SAME_READERS = (
    "The label is a TI-RADS category, which readers gave from descriptors like these: learning them helps to read as "
    "those readers did, and shows nothing about pathology."
)
_THRESHOLDS = {
    "youden": "the threshold that maximises Youden's index",
    "prevalence": "the training prevalence as threshold on the calibrated probability",
}


_OF_SUBJECTS = {
    "decisions": (
        "Numbers per 1,000 patients follow from sensitivity and specificity at the stated prevalence; paired calls are "
        "also compared by McNemar's test, exact, mid-p and clustered (Obuchowski 1998)."
    ),
    "decision_curves": (
        "Net benefit is that of Vickers and Elkin (2006) on calibrated probabilities; its intervals and those of "
        "paired differences allow for several cases of one patient."
    ),
    "subgroups": (
        "Subgroups are compared by tests of interaction, Holm-corrected over characteristics; an interval that leaves "
        "out no effect in one subgroup alone is no evidence of a difference between subgroups."
    ),
    "probabilities": (
        "Flexible calibration curves are logistic regressions on a restricted cubic spline of the logit; binned "
        "calibration errors stand beside what perfectly calibrated probabilities would show on as many cases."
    ),
    "uncertainty": (
        "Prediction sets are split conformal, with a limit for each class, on cases that are not the evidence; a "
        "patient counts once (Lee, Barber and Willett 2023)."
    ),
    "readers": (
        "Readers are compared with an arm at their own specificity and sensitivity where they only call, and on the "
        "mean reader by the single-treatment test of Hillis, Obuchowski and Berbaum; conditions are compared by "
        "Obuchowski and Rockette's analysis with Hillis's degrees of freedom, fewer than five readers as fixed."
    ),
    "tirads": "TI-RADS levels come from the recorded descriptors alone; a missing descriptor is never guessed.",
}
"""What evidence beside the arms' own adds to the paragraph on statistics."""


def methods_paragraphs(context: ReportContext) -> list[str]:
    """Return the methods section, one text a paragraph; without a protocol just how the evidence was computed."""
    paragraphs = []
    protocol = context.protocol_resolved
    if protocol:
        paragraphs.append(_design(context, protocol))
        paragraphs += _models(context, protocol)
        paragraphs.append(_without_networks(context))
    paragraphs.append(statistics_paragraph(context.evidence))
    return [text for text in paragraphs if text]


def _without_networks(context: ReportContext) -> str:
    """Say what the arms that train no network of their own are: fusions of others, the clinical model."""
    own = [facts for facts in context.arms.values() if facts.description and facts.parameters_millions is None]
    return " ".join(f"{facts.title}: {facts.description}." for facts in own)


def _design(context: ReportContext, protocol: dict[str, Any]) -> str:
    splits = protocol.get("splits", {})
    folds = splits.get("cross_validation", {}).get("folds")
    one_part = context.splits is not None and context.splits.by == "column"
    seeds = splits.get("seeds", [])
    text = ""
    if context.cohort:
        unit = context.evidence["unit"]
        text += f"The cohort “{context.cohort.name}” has {plural(context.cohort.patients, 'patient')}"
        text += f" in {plural(context.cohort.groups, 'group')}" if context.cohort.groups else ""
        text += f"; the {unit} is the unit of analysis and the group the unit of every split. "
    if one_part:
        text += "The cohort's own validation part was held out once (below: cross-validation, one fold); training was "
        text += f"repeated for {plural(len(seeds), 'seed')}; a seed sets initialisation and tuning part. "
    elif folds:
        text += f"{folds}-fold cross-validation, stratified by label, was run for {plural(len(seeds), 'seed')}; "
        text += "a seed sets both the split, which all arms share, and the initialisation. "
    elif splits.get("cross_validation", {}).get("by") == "site":
        text += "Each site was left out once: the networks that met its patients had seen none of that site. Training "
        text += f"was repeated for {plural(len(seeds), 'seed')}; a seed sets initialisation and tuning parts. "
    if splits.get("tune"):
        text += f"{100 * splits['tune']:.0f}\u202f% of a fold's training groups were set aside for tuning: "
        text += "no network's weights were fitted on them. "
    if splits.get("external_sites"):
        text += f"The patients of {listed(splits['external_sites'])} were set aside before, as an external set. "
    test = splits.get("test") if context.splits is None or context.splits.test_rule else None
    if test:
        rule = "the cohort's own split" if test.get("column") else f"{100 * test['fraction']:.0f}\u202f% of the groups"
        text += f"A test part ({rule}) was set aside before and opened after thresholds and calibration were frozen. "
    return f"{text}{_thresholds(context, protocol)}".strip()


def _thresholds(context: ReportContext, protocol: dict[str, Any]) -> str:
    """Say where calibration and thresholds came from, and where there were too few groups to choose much."""
    rule = _THRESHOLDS.get(protocol.get("threshold", ""), "")
    if not rule or not context.frozen:
        return ""
    points = [point for arm in context.frozen["arms"].values() for point in arm["folds"].values()]
    if len(context.evidence["classes"]) > 2:
        return _of_classes(points)
    few = sum(point["rule"] not in _THRESHOLDS for point in points)
    text = (
        "In cross-validation each fold's probabilities are calibrated, and its calls made, by what its own tuning part "
    )
    text += f"gave: logistic recalibration and {rule}"
    if few:
        text += ", or, where its smaller class had under 20 groups, the intercept only and the prevalence as threshold "
        text += f"({few} of {len(points)} fits)"
    return text + ". The final model of an arm, the mean of its fold models, has both from out-of-fold predictions."


def _of_classes(points: list[dict[str, Any]]) -> str:
    """Say how probabilities of several classes are calibrated and called."""
    few = sum(point["calibration"]["method"].startswith("intercepts only") for point in points)
    text = (
        "In cross-validation each fold's probabilities are calibrated by what its own tuning part gave: by a "
        "multinomial recalibration of one slope and an intercept a class"
    )
    if few:
        text += (
            ", or, where the smallest class had under 20 groups there or no slope could be found, by the intercepts "
        )
        text += f"only, held towards 0 ({few} of {len(points)} fits)"
    text += ". The most probable class is called; no threshold is chosen. The final model of an arm, the mean of its "
    return text + "fold models, is calibrated on out-of-fold predictions."


def _models(context: ReportContext, protocol: dict[str, Any]) -> list[str]:
    arms: dict[str, Any] = protocol.get("arms", {})
    if not arms:
        return []
    names = []
    for arm, settings in arms.items():
        facts = context.arms.get(arm)
        size = f", {facts.parameters_millions:.1f} million parameters" if facts and facts.parameters_millions else ""
        origin = settings.get("weights") or "random initialisation"
        names.append(f"{context.title_of(arm)} (network {settings.get('network')}{size}, {origin})")
    text = f"{plural(len(arms), 'model')} {'was' if len(arms) == 1 else 'were'} trained: {listed(names)}. "
    preparations = [
        {key: value for key, value in settings.get("prepare", {}).items() if key not in ("frames", "layout")}
        for settings in arms.values()
    ]
    trainings = [settings.get("train", {}) for settings in arms.values()]
    paragraphs = []
    if all(item == preparations[0] for item in preparations):
        text += "Each picture was " + _preparation(preparations[0]) + ". "
    if all(item == trainings[0] for item in trainings):
        return [f"{text}{_training(trainings[0])} {_additions(context, arms)}".strip()]
    paragraphs.append(f"{text}{_additions(context, arms)}".strip())
    for arm, settings in arms.items():
        paragraphs.append(f"{context.title_of(arm)}: {_training(settings.get('train', {}))}")
    return paragraphs


def _additions(context: ReportContext, arms: dict[str, Any]) -> str:
    """Say how arms join modalities, which frames of clips they look at, what else they learn, and mirror images."""
    said: dict[str, list[str]] = {}
    titles = {arm: context.title_of(arm) for arm in arms}
    for arm, settings in arms.items():
        if joined := join_words(settings):
            said.setdefault(joined, []).append(titles[arm])
        if seen := frame_words(settings, titles):
            said.setdefault(seen, []).append(titles[arm])
        facts = context.arms.get(arm)
        if facts and facts.descriptors and settings.get("descriptors"):
            said.setdefault(facts.descriptors, []).append(context.title_of(arm))
        if (settings.get("options") or {}).get("head") == "ordinal":
            said.setdefault("the last layer takes the classes as ordered (CORN, Shi 2023)", []).append(titles[arm])
        if (settings.get("predict") or {}).get("flips"):
            said.setdefault("scores a picture and its mirror image and averages their logits", []).append(
                context.title_of(arm)
            )
    learnt = any(words.startswith("also learns") for words in said)
    sentences = [f"{', '.join(titles)}: {words}." for words, titles in said.items()]
    return " ".join(
        [*sentences, _SAME_READERS] if learnt and context.evidence.get("reference") == "tirads" else sentences
    )


def _preparation(prepare: dict[str, Any]) -> str:
    crop = _CROPS.get(prepare.get("crop", ""), "used whole")
    if prepare.get("crop") == "lesion" and prepare.get("margin") is not None:
        crop += f" with a margin of {100 * prepare['margin']:.0f}\u202f%"
    erased = "freed from letters and calipers over the tissue" if prepare.get("marks") == "erase" else ""
    steps = [erased, crop, _DENOISING.get(prepare.get("denoise", "none"), "")]
    if prepare.get("train_size"):
        size, centre = prepare["train_size"], prepare.get("crop_size", prepare["train_size"])
        steps.append(
            f"resized to {size}×{size} pixels" + (f" ({centre}×{centre} after cropping)" if centre != size else "")
        )
    steps.append(_NORMALISATIONS.get(prepare.get("normalise", ""), ""))
    colours = {"gray": "in grey", "rgb": "in colour"}.get(prepare.get("channels", ""), "")
    return listed([step for step in steps if step]) + (f", {colours}" if colours else "")


def _training(train: dict[str, Any]) -> str:
    name = _OPTIMISERS.get(train.get("optimiser", ""), train.get("optimiser", "an optimiser"))
    text = f"Training used {name} at a rate of {train.get('rate')}"
    schedule = train.get("schedule")
    text += f" ({schedule} schedule)" if schedule and schedule != "constant" else ""
    share, warm_up = train.get("backbone_rate", 1), train.get("warm_up", 0)
    text += f", {share:g} times that in all layers but the last" if share != 1 else ""
    text += f", after a warm-up of {plural(warm_up, 'epoch')}" if warm_up else ""
    if train.get("weight_decay"):
        text += f", weight decay {train['weight_decay']}"
    text += f", batches of {train.get('batch')}, {count(train.get('epochs'))} epochs"
    stopping = train.get("early_stopping")
    text += f" at most, stopped after {stopping['patience']} without a better tuning part" if stopping else ""
    kinds = [_AUGMENTATIONS.get(kind, kind) for kind in train.get("augment") or []]
    text += f"; training pictures were varied by {listed(kinds)}" if kinds else "; pictures were not varied"
    if train.get("sampling") == "balanced":
        text += "; every class was drawn equally often, which a prior shift takes back from the probabilities"
    elif train.get("class_weight") == "balanced":
        text += "; classes were weighted to balance, which a prior shift takes back from the probabilities"
    if train.get("logit_adjustment"):
        text += f"; logits were adjusted by {train['logit_adjustment']:g} times the log shares of the classes in the "
        text += "loss (Menon 2021), which is taken back from the probabilities"
    if train.get("loss") == "focal":
        text += f"; the loss was focal (gamma {train.get('focal_gamma', 2.0):g}, Lin 2017)"
    if train.get("label_smoothing"):
        text += f"; labels were smoothed by {train['label_smoothing']:g}"
    if train.get("freeze_norm"):
        text += "; batch norm kept the statistics of the initial weights"
    return text + "."


def statistics_paragraph(evidence: dict[str, Any]) -> str:
    """Return how the evidence was computed; each number's own method stands beside it in ``arms.csv``."""
    splits = {split for by_split in evidence["arms"].values() for split in by_split}
    binary = len(evidence["classes"]) == 2
    text = f"Intervals are {100 * float(evidence['level']):.0f}\u202f% confidence intervals. "
    if any("folds" in facts for by_split in evidence["arms"].values() for facts in by_split.values()):
        text += (
            "The AUC of a cross-validation is the mean of within-fold AUCs, then over seeds; scores of different fold "
            "models are not ranked against each other. Its interval, and that of paired differences, comes from "
            "influence values summed by group (LeDell 2015). Standard deviations of folds and seeds describe spread; "
            "they are no standard errors. "
        )
    if splits - {"cv"}:
        text += (
            "AUCs of one model have clustered (Obuchowski) intervals on the logit scale, equal to DeLong's where every "
            "group is one case. "
        )
    measured = [facts for by_split in evidence["arms"].values() for facts in by_split.values()]
    if any(min(facts["class_groups"].values()) < FEWEST_GROUPS for facts in measured):
        text += (
            f"Where a class has fewer than {FEWEST_GROUPS} groups, an AUC has Newcombe's interval (2006, method 5) on "
            "the numbers of groups, and a difference of AUCs the limits that the two intervals leave it (Newcombe "
            "1998), without a test. "
        )
        if not binary:
            text += (
                "Macro AUC and Hand and Till's M then lie between the means of the limits of the AUCs they average "
                "(Zou and Donner 2008, correlations taken as 1). "
            )
    text += "Proportions have Wilson intervals with the effective number of cases that clustering leaves. "
    few = any(min(facts["class_groups"].values()) < FEWEST_GROUPS for facts in measured)
    resampled = "F1 and MCC" if binary else f"{'Otherwise macro' if few else 'Macro'} AUC and Hand and Till's M"
    text += "" if binary else "Balanced accuracy joins the Wilson intervals of the classes' recalls by square-and-add. "
    text += f"{resampled} have intervals from {count(evidence.get('bootstrap'))} resamplings of the groups. "
    if evidence.get("discrimination"):
        text += (
            "Partial AUCs (McClish-corrected), sensitivity at fixed specificity and the reverse, and average precision "
            "have intervals from the variance of the same resamplings, in each of which thresholds are chosen anew. "
        )
    if not binary and evidence["comparisons"]:
        text += "Macro AUCs and Hand and Till's M are compared on shared resamplings. "
    if any(entry.get("p_holm") is not None for entry in evidence["comparisons"]):
        text += (
            "Comparisons are paired, on the units that both arms have; all but those named before the analysis also "
            "carry p after Holm's correction within split and measure. "
        )
    if (evidence.get("seeds") or {}).get("arms"):
        text += (
            "The sets kept aside were met by the models of several seeds; contrasts over them take seeds as readers "
            "and arms as conditions in Obuchowski and Rockette's analysis with Hillis's degrees of freedom, fewer than "
            "five seeds as fixed. "
        )
    text += "".join(f"{sentence} " for subject, sentence in _OF_SUBJECTS.items() if evidence.get(subject))
    return text + "The method of every single interval is named in tables/arms.csv."
