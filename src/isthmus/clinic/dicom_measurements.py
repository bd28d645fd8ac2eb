"""What a score is in a report: its numbers (TID 300) and its qualitative evaluations, in codes."""

from typing import Any, Final

from isthmus.clinic.dicom_codes import class_code, finding_code, private, standard
from isthmus.clinic.lesion_outline import Outline
from isthmus.inference.output import Spec
from isthmus.inference.prediction import Prediction
from isthmus.inference.seen_tirads import likeliest, tirads_beside

_DIGITS: Final = 6


def measurements(prediction: Prediction, spec: Spec) -> list[Any]:
    """Return the numbers of a score: of the single networks, the threshold, how unusual, ACR points."""
    from highdicom import sr

    def measured(name: Any, value: float, unit: str = "one") -> Any:
        return sr.Measurement(name, round(value, _DIGITS), standard(unit))

    low, high = prediction.member_range
    found = [
        measured(private("SCORE" if prediction.calibrated else "SCORE_RAW"), prediction.probability),
        measured(private("SINGLE_LOW"), low),
        measured(private("SINGLE_HIGH"), high),
    ]
    if prediction.threshold is not None:
        found.append(measured(private("THRESHOLD"), prediction.threshold))
    if len(prediction.calibrated_probabilities) > 2:
        for code, value in prediction.calibrated_probabilities.items():
            found.append(measured(private(f"P_{code}", f"{spec.classes[code]}: calibrated probability"), value))
    if prediction.out_of_distribution is not None:
        found.append(measured(private("UNUSUAL"), prediction.out_of_distribution.percentile, "percent"))
    tirads = tirads_beside(spec, prediction.descriptors)
    if tirads is not None:
        for name, points in zip(("LOW", "HIGH"), tirads.points, strict=True):
            found.append(measured(private(f"ACR_POINTS_{name}"), points, "points"))
    return found


def sizes(outline: Outline) -> list[Any]:
    """Return the size of a region; nothing where the picture is not calibrated."""
    from highdicom import sr

    if outline.size_mm is None:
        return []
    names = ("long_axis", "short_axis") if outline.drawn_as == "mask" else ("width", "height")
    return [
        sr.Measurement(standard(name), round(size, 2), standard("millimetre"))
        for name, size in zip(names, outline.size_mm, strict=True)
    ]


def evaluations(prediction: Prediction, spec: Spec) -> list[Any]:
    """Return what is said of a score in codes: call, set, referral, likeness, region, findings."""
    from highdicom import sr

    classes = spec.classes
    found = list[tuple[Any, Any]]()
    if prediction.call is not None:
        found.append((private("CALL"), class_code(prediction.call, prediction.words)))
    scored = spec.positive if len(classes) == 2 else prediction.call
    if scored is not None:
        found.append((private("CLASS"), class_code(scored, classes[scored])))
    if prediction.prediction_set is not None:
        own = [class_code(code, classes[code]) for code in prediction.prediction_set.codes]
        found += [(private("SET"), code) for code in own or [private("EMPTY_SET")]]
    if prediction.referral is not None:
        found.append((private("REFER"), standard("yes" if prediction.referral.refer else "no")))
    if prediction.out_of_distribution is not None:
        unlike = prediction.out_of_distribution.unlike
        found.append((private("LIKENESS"), private("UNLIKE" if unlike else "NOT_UNLIKE")))
    found += [(private("REGION"), private(source.upper())) for source in prediction.region_source.split("/")]
    found += _findings(prediction, spec)
    return [sr.QualitativeEvaluation(name, value) for name, value in found]


def _findings(prediction: Prediction, spec: Spec) -> list[tuple[Any, Any]]:
    found = list[tuple[Any, Any]]()
    for descriptor, own in prediction.descriptors.items():
        codes = likeliest(descriptor, list(own), [list(own.values())])[0]
        found += [(private(descriptor.upper()), finding_code(descriptor, code)) for code in codes.split()]
    tirads = tirads_beside(spec, prediction.descriptors)
    if tirads is not None:
        levels = zip(("LOW", "HIGH"), tirads.levels, strict=True)
        found += [(private(f"ACR_LEVEL_{name}"), private(level)) for name, level in levels]
    return found


def parameters(spec: Spec) -> list[str]:
    """Return how the model was calibrated and its threshold chosen, for the algorithm identification."""
    calibration, thresholds = spec.calibration, spec.thresholds
    found = [f"target: {spec.target}; labels rest on: {spec.cohort.reference}"]
    found.append("not calibrated" if calibration is None else f"calibrated by {calibration.method}")
    if thresholds is not None:
        found.append(f"threshold by {thresholds.rule}, chosen on {thresholds.chosen_on}")
    return found
