"""The localiser's card: what a person should know before its regions are used."""

from isthmus.manifest import DISCLAIMER
from isthmus.models.localiser_spec import LocaliserSpec, Measured

_NAMES = {
    "mask_iou": "IoU of the outlines",
    "dice": "Dice coefficient of the outlines",
    "box_iou": "IoU of the boxes",
    "hit_rate": "hit rate (boxes' IoU 0.5 or more, proposed centre inside the drawn box)",
    "no_proposal": "views without a proposal",
    "hit_rate_among_proposed": "hit rate among proposed regions",
    "fixed_box": "hit rate of one fixed box, for comparison",
}


def render_localiser_card(spec: LocaliserSpec) -> str:
    """Return the card as Markdown."""
    marks = ["**SIMULATED**: trained on a virtual cohort; it has seen no patient."] if spec.marks else []
    sections = [
        f"# {spec.name}",
        *marks,
        f"**{DISCLAIMER}**",
        "## Intended use\n\nProposing the region of a thyroid nodule in a B-mode still where nobody drew one, for "
        "research. A proposed region is marked `proposed` wherever it is used, and should be looked at. It does not "
        "say that there is a nodule, and it does not find all nodules of a picture: it proposes one.",
        _data(spec),
        _method(spec),
        _performance(spec),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in spec.limits),
        "## Versions\n\n" + "\n".join(f"- {name} {version}" for name, version in spec.versions.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _data(spec: LocaliserSpec) -> str:
    rows = "\n".join(
        f"- {one.name}: {one.views} views of {one.groups} patients (fingerprint {one.fingerprint[:12]}); "
        f"licence of the data: {one.licence}"
        for one in spec.cohorts
    )
    weights = f"- initial weights: {spec.weights.origin}; licence: {spec.weights.licence}"
    return (
        f"## Data\n\n{rows}\n{weights}\n\n`pictures.csv` holds a hash of every picture that was trained on, so that "
        "no part judges what it has seen. `report.html` shows some of these pictures: mind their terms when you hand "
        "this folder on."
    )


def _method(spec: LocaliserSpec) -> str:
    width = "" if spec.network.width is None else f", width {spec.network.width:g}"
    least = spec.least_confidence
    return (
        f"## Method\n\n{len(spec.parts)} fold models of `{spec.network.name}`{width}; the scan area, its burned-in "
        f"marks filled in, is fitted into {spec.prepare.train_size} x {spec.prepare.train_size} pixels. Probabilities "
        "of the parts and of their mirrored readings are averaged; the component with the largest sum of "
        f"probabilities is proposed, unless its mean probability is below {least.value:.3f} ({least.rule}; chosen on "
        f"{least.chosen_on}): then the region is not found."
    )


def _performance(spec: LocaliserSpec) -> str:
    rows = "\n".join(f"- {_NAMES.get(name, name)}: {_shown(value)}" for name, value in spec.performance.items())
    return (
        "## Performance\n\nOn held-out folds (whole patients held out), by view with patients as clusters; views "
        f"without a proposal count as 0 and as missed.\n\n{rows}\n\n`report.html` has the rest."
    )


def _shown(value: Measured) -> str:
    if value.estimate is None:
        return "not defined"
    if value.low is None or value.high is None:
        return f"{value.estimate:.3f}"
    return f"{value.estimate:.3f} ({100 * value.level:.0f} % interval {value.low:.3f} to {value.high:.3f})"
