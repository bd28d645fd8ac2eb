"""The model card: what a person should know before using a bundle, written from its specification."""

from typing import TYPE_CHECKING

from isthmus.imaging.frames import key_frames_in_words
from isthmus.manifest import DISCLAIMER
from isthmus.models.answer_card import answer_in_card
from isthmus.models.bundle_spec import ClassCalibration

if TYPE_CHECKING:
    from isthmus.models.bundle_spec import BundleSpec
    from isthmus.models.likeness_spec import LikenessSpec

REFERENCES = {
    "surgery": "Labels rest on the pathology of surgical specimens.",
    "cytology": "Labels rest on fine-needle cytology, which itself errs.",
    "follow_up": "Labels rest on follow-up without biopsy.",
    "tirads": (
        "Labels are TI-RADS categories given by readers, not pathology: a positive call means *suspicious*, "
        "and nothing here says how many cancers are found or missed."
    ),
    "mixed": "Labels rest on different references for different patients.",
}
REGIONS = {
    "none": "no region",
    "box": "a box around the lesion, given or drawn; without one it refuses",
    "mask": "an outline of the lesion, given or drawn; without one it refuses",
}
_VIEWS = {
    "mean": "Several views of a nodule: the mean of their probabilities.",
    "maximum": "Several views of a nodule: the probabilities of the view that scores highest.",
}
NODULES = {
    "mean": "Several nodules of a patient: the mean of their probabilities.",
    "maximum": "Several nodules of a patient: the probabilities of the nodule that scores highest.",
}
MARKS = {
    "SIMULATED": "**SIMULATED**: trained on a virtual cohort; it has seen no patient.",
    "SMOKE": "**SMOKE**: a rehearsal of the program; none of its numbers mean anything.",
}


def render_card(spec: "BundleSpec") -> str:
    """Return the model card as Markdown."""
    sections = [
        f"# {spec.name}",
        *(MARKS[mark] for mark in spec.marks),
        f"**{DISCLAIMER}**",
        _intended_use(spec),
        _label(spec),
        _input(spec),
        _output(spec),
        _network(spec),
        _limits(spec),
        "## Versions\n\n" + "\n".join(f"- {name} {version}" for name, version in spec.versions.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _intended_use(spec: "BundleSpec") -> str:
    names = ", ".join(f"`{code}` {name}" for code, name in spec.classes.items())
    return (
        "## Intended use\n\n"
        f"Research on the target `{spec.target}` of a {spec.unit} from ultrasound "
        f"({', '.join(spec.requires.modalities)}). "
        f"Classes: {names}; positive is {spec.classes[spec.positive]!r}. "
        "Not for diagnosis, triage or treatment of a patient."
    )


def _label(spec: "BundleSpec") -> str:
    cohort = spec.cohort
    return (
        "## Data and labels\n\n"
        f"{REFERENCES[cohort.reference]}\n\n"
        f"- cohort: {cohort.name} (fingerprint {cohort.fingerprint[:12]})\n"
        f"- licence of the data: {cohort.licence}\n"
        f"- initial weights: {spec.weights.origin}; licence: {spec.weights.licence}"
        + "".join(f"\n- {note}" for note in spec.weights.notes)
    )


def _input(spec: "BundleSpec") -> str:
    prepare = spec.prepare
    crop = (
        f"a square around the lesion with a margin of {prepare.margin:.0%}"
        if prepare.crop == "lesion"
        else "the whole scan area"
    )
    return (
        "## Input\n\n"
        f"It needs {REGIONS[spec.requires.region]}. It sees {crop}, resized to {prepare.train_size} and cropped to "
        f"{prepare.crop_size} pixels, {prepare.channels}, normalised by `{prepare.normalise}`, "
        f"denoised by `{prepare.denoise}`.{_frames(spec)}{_joined(spec)}"
    )


def _joined(spec: "BundleSpec") -> str:
    """Return what a case must bring of several modalities, for a model that joins them."""
    if spec.join is None:
        return ""
    how = "a branch of the network for each" if spec.join.how == "branches" else "one network, told which it sees"
    return (
        f" It joins {', '.join(spec.join.modalities)}: {how}. A case needs pictures of one of them at least; the "
        "answer says which are absent."
    )


def _frames(spec: "BundleSpec") -> str:
    """Return what it looks at of a clip, for a model of clips."""
    sampling = spec.prepare.frames
    if sampling is None:
        return ""
    together = {"3d": "as one volume", "frames_as_channels": "as channels of one picture"}
    joined = together.get(spec.prepare.layout, f"each by itself; the {spec.frame_scores} counts")
    if sampling.pick == "key_frames":
        return f" Of a clip it sees {key_frames_in_words(sampling)}, all cut by one window, {joined}."
    if sampling.pick != "uniform":
        by_truth = " (known of simulated clips only)" if sampling.pick == "calcification_richest" else ""
        return f" Of a clip it sees one frame, that of the {sampling.pick.replace('_', ' ')}{by_truth}."
    within = "between the first and the last in which the lesion is seen" if sampling.within == "lesion" else "of it"
    return f" Of a clip it sees {sampling.count} frames, evenly spread {within}, all cut by one window, {joined}."


def _described(spec: "BundleSpec") -> str:
    found = spec.descriptor_calibration
    if found is None:
        return " and are not calibrated"
    sources = [one.fitted_on for one in found.exclusive.values()]
    sources += [one.fitted_on for codes in found.each_code.values() for one in codes.values()]
    return f" and are calibrated, each descriptor by itself, on {sources[0]}"


def _output(spec: "BundleSpec") -> str:
    count = len(spec.parts)
    lines = [f"The probability of each class: the mean of {count} fold model{'s' if count > 1 else ''}."]
    if spec.flips:
        lines.append("Each fold model scores a picture and its mirror image; their logits are averaged.")
    lines.append(_VIEWS[spec.aggregation.get("nodule", "mean")])
    if spec.unit == "patient":
        lines.append(NODULES[spec.aggregation.get("patient", "mean")])
    if spec.descriptors is not None:
        heads = ", ".join(f"{name} ({', '.join(codes)})" for name, codes in spec.descriptors.heads.items())
        fed = "; they enter its last layer" if spec.descriptors.feed else ""
        lines.append(
            f"It also gives probabilities of what readers described{fed}: {heads}. They were learnt from the words of "
            f"the readers of {spec.cohort.name}{_described(spec)}; `tables/descriptors.csv` of the run says how well "
            "each was learnt and agrees with them. ACR points of the likeliest findings stand beside the probability."
        )
    if spec.out_of_distribution is not None:
        lines.append(_likeness(spec.out_of_distribution))
    calibration, thresholds = spec.calibration, spec.thresholds
    if isinstance(calibration, ClassCalibration):
        lines += _of_classes(calibration, list(spec.classes))
        return "## Output\n\n" + "\n\n".join([*lines, *answer_in_card(spec.answer, spec.classes, spec.unit)])
    if calibration is None:
        lines.append("The probabilities were not calibrated: read them as scores.")
    else:
        fitted_on = f", fitted on {calibration.fitted_on}" if calibration.fitted_on else ""
        lines.append(
            f"Calibrated by {calibration.method} (intercept {calibration.intercept:.3f}, slope {calibration.slope:.3f}"
            f"{fitted_on}). It holds at the prevalence of the training cohort; elsewhere it must be checked."
        )
    if thresholds is None:
        lines.append("No threshold was chosen; it makes no calls.")
    else:
        lines.append(
            f"Positive from {thresholds.value:.4f} on the {thresholds.on} (rule: {thresholds.rule}; chosen on "
            f"{thresholds.chosen_on})."
        )
    return "## Output\n\n" + "\n\n".join([*lines, *answer_in_card(spec.answer, spec.classes, spec.unit)])


def _likeness(said: "LikenessSpec") -> str:
    how = {
        "mahalanobis": "the distance of a picture's embedding from the nearest class centre (Mahalanobis)",
        "neighbours": f"the distance of a picture's embedding from its {max(said.neighbours, default=1)}. nearest "
        "training picture, whose embeddings the bundle holds",
    }[said.kind]
    found = ""
    if said.trials:
        found = f" Its own mean AUROC was {said.trials[0].mean:.2f}: the nearer to 0.5, the less its silence means."
    return (
        f"It says how unlike its training pictures a case is: {how}, beside that of {said.pictures} training "
        f"{'picture' if said.cases is None else said.cases.unit}s that the network had not seen. {said.rule}{found}"
    )


def _of_classes(calibration: ClassCalibration, classes: list[str]) -> list[str]:
    intercepts = ", ".join(f"{name} {value:.3f}" for name, value in zip(classes, calibration.intercepts, strict=True))
    return [
        f"Calibrated by {calibration.method} (slope {calibration.slope:.3f}, intercepts {intercepts}; fitted on "
        f"{calibration.fitted_on}). It holds at the class shares of the training cohort; elsewhere it must be checked.",
        "It calls the class of the highest calibrated probability; no threshold was chosen.",
    ]


def _network(spec: "BundleSpec") -> str:
    options = ", ".join(f"{name} = {value}" for name, value in spec.network.options.items()) or "as published"
    return f"## Network\n\n`{spec.network.name}`, {spec.network.channels} channel(s); options: {options}."


def _limits(spec: "BundleSpec") -> str:
    return (
        "## Limits\n\n"
        f"- It knows the devices, the population and the prevalence of {spec.cohort.name}; performance elsewhere is "
        "unknown until it is validated there.\n"
        "- It gives an answer to any picture, also to one that shows no thyroid.\n"
        "- Moved or badly drawn regions change its answers; see the report's region test."
    )
