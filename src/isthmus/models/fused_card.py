"""The model card of a fused bundle."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isthmus.manifest import DISCLAIMER
from isthmus.models.answer_card import answer_in_card
from isthmus.models.card import MARKS, NODULES, REFERENCES, REGIONS

if TYPE_CHECKING:
    from isthmus.models.bundle_spec import BundleSpec
    from isthmus.models.fused_bundle_spec import ColumnFacts, FusedBundleSpec

_MODES = {
    "cross_fit": "Each head learnt only from patients that its networks never saw.",
    "paper": "The heads learnt from the patients that their networks were trained on, as published: in-sample.",
}
_ABSENT = {
    "mean": "A case may lack members: an absent member stands at its training mean, and the score says so.",
    "leave_out": "A case that lacks a member is refused.",
}
_OTHERS = "A case may lack members: the others are averaged, and the score says so."


def render_fused_card(spec: "FusedBundleSpec", members: "Sequence[BundleSpec]") -> str:
    """Return the model card as Markdown; ``members`` are the specifications of ``spec.members``."""
    sections = [
        f"# {spec.name}",
        *(MARKS[mark] for mark in spec.marks),
        f"**{DISCLAIMER}**",
        _intended_use(spec),
        _label(spec, members),
        _input(spec, members),
        _output(spec),
        _limits(spec),
        "## Versions\n\n" + "\n".join(f"- {name} {version}" for name, version in spec.versions.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _intended_use(spec: "FusedBundleSpec") -> str:
    modalities = ", ".join(dict.fromkeys(name for member in spec.members for name in member.requires.modalities))
    names = ", ".join(f"`{code}` {name}" for code, name in spec.classes.items())
    columns = " and what is known of the case" if spec.columns else ""
    return (
        "## Intended use\n\n"
        f"Research on the target `{spec.target}` of a {spec.unit} from ultrasound ({modalities}){columns}. "
        f"Classes: {names}; positive is {spec.classes[spec.positive]!r}. "
        "Not for diagnosis, triage or treatment of a patient."
    )


def _label(spec: "FusedBundleSpec", members: "Sequence[BundleSpec]") -> str:
    cohort = spec.cohort
    origins = "".join(
        f"\n- initial weights of {facts.arm}: {own.weights.origin}; licence: {own.weights.licence}"
        for facts, own in zip(spec.members, members, strict=True)
    )
    return (
        "## Data and labels\n\n"
        f"{REFERENCES[cohort.reference]}\n\n"
        f"- cohort: {cohort.name} (fingerprint {cohort.fingerprint[:12]})\n"
        f"- licence of the data: {cohort.licence}{origins}"
    )


def _input(spec: "FusedBundleSpec", members: "Sequence[BundleSpec]") -> str:
    lines = [
        f"- `{facts.arm}`: {', '.join(facts.requires.modalities)}; {REGIONS[facts.requires.region]}; network "
        f"`{own.network.name}` (`members/{facts.arm}/card.md`)"
        for facts, own in zip(spec.members, members, strict=True)
    ]
    if spec.perfusion:
        lines.append("- the perfusion that is measured in contrast-enhanced clips with an outline or box")
    lines += [f"- column `{column.name}`: {column_in_words(column)}" for column in spec.columns]
    absent = _OTHERS if spec.mode is None else _ABSENT[spec.where_absent]
    return f"## Input\n\n{absent}\n\n" + "\n".join(lines)


def column_in_words(column: "ColumnFacts") -> str:
    """Return what a column may hold, and what it counts as where it is not known."""
    if column.kind == "unused":
        return "of no effect: too few training cases differed in it"
    if column.kind == "numeric":
        held = f"a number (training cases: {column.low:g} to {column.high:g})"
    else:
        held = ", ".join(column.values)
    return f"{held}; not known counts as {column.missing}"


def _output(spec: "FusedBundleSpec") -> str:
    calibration, thresholds = spec.calibration, spec.thresholds
    nodules = f" {NODULES[spec.aggregation.get('patient', 'mean')]}" if spec.unit == "patient" else ""
    return (
        "## Output\n\n"
        f"Several views of a member are averaged; {_joined(spec)}{nodules}"
        f"\n\nCalibrated by {calibration.method} (intercept {calibration.intercept:.3f}, slope "
        f"{calibration.slope:.3f}, fitted on {calibration.fitted_on}). It holds at the prevalence of the training "
        "cohort; elsewhere it must be checked."
        f"\n\nPositive from {thresholds.value:.4f} on the {thresholds.on} (rule: {thresholds.rule}; chosen on "
        f"{thresholds.chosen_on}).\n\n" + "\n\n".join(answer_in_card(spec.answer, spec.classes, spec.unit))
    )


def _joined(spec: "FusedBundleSpec") -> str:
    count = len(spec.heads)
    if spec.mode is None:
        return (
            "of the members that a case has the log odds are averaged. The probability is the mean of "
            f"{count} such mean{'s' if count > 1 else ''}, one a fold. Nothing but the networks was fitted."
        )
    seen = "what their last layers see" if spec.join == "embeddings" else "their log odds"
    return (
        f"of the members {seen} goes into a head ({spec.classifier}). The "
        f"probability is the mean of {count} pair{'s' if count > 1 else ''} of networks and head. {_MODES[spec.mode]}"
    )


def _limits(spec: "FusedBundleSpec") -> str:
    return (
        "## Limits\n\n"
        f"- It knows the devices, the population and the prevalence of {spec.cohort.name}; performance elsewhere is "
        "unknown until it is validated there.\n"
        "- It gives an answer to any picture, also to one that shows no thyroid, and does not say how unlike its "
        "training pictures a case is: its members' networks keep no such numbers, the bundles of single arms do.\n"
        "- How well it does without one of its members was not tried by itself; see the report of its run.\n"
        "- A member by itself is uncalibrated and has no threshold: it is a part of this model, not a model to use."
    )
