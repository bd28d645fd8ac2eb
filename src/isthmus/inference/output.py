"""Predictions on disk: a table and the same as JSON, both with what the numbers rest on and no folder names."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.files import write_json
from isthmus.imaging.frames import key_frames_in_words
from isthmus.inference.answer import answer_words
from isthmus.inference.prediction import Brought, Prediction, Predictions
from isthmus.inference.seen_tirads import tirads_beside
from isthmus.manifest import DISCLAIMER
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.descriptors import in_words
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.tables.check import write_table

TIRADS = (
    "The labels that this model learned are TI-RADS categories given by readers, not pathology: "
    "a call says that a picture looks suspicious to such a reader, and nothing more."
)
_TOGETHER = {"3d": "as one volume", "frames_as_channels": "as channels of one picture"}
_LAST = ("marks", "notice", "error")
Spec = BundleSpec | FusedBundleSpec
MARKS = {
    "SIMULATED": "SIMULATED: the model was trained on a virtual cohort and has seen no patient.",
    "SMOKE": "SMOKE: the model is a rehearsal of the program; no number means anything.",
}


def write_predictions(
    out: Path, predictions: Predictions, spec: Spec, *, localiser: dict[str, Any] | None = None
) -> list[Path]:
    """Write ``predictions.csv`` and ``predictions.json``.

    Parameters
    ----------
    out : Path
        An existing folder.
    predictions : Predictions
        From :meth:`isthmus.inference.predictor.Predictor.predict`.
    spec : BundleSpec
        The model's.
    localiser : dict, optional
        What is said of the localiser that proposed the regions.

    Returns
    -------
    list of Path
        The two files.
    """
    table, page = out / "predictions.csv", out / "predictions.json"
    write_table(table, as_frame(predictions, spec))
    write_json(
        page,
        {
            "format": "isthmus-prediction/1.1",
            "notice": DISCLAIMER,
            **model_facts(spec),
            **({} if localiser is None else {"localiser": localiser}),
            "predictions": [prediction_as_json(prediction, spec) for prediction in predictions],
            "failed": [{"file": failure.source, "reason": failure.reason} for failure in predictions.failures],
        },
    )
    return [table, page]


def model_facts(spec: Spec) -> dict[str, Any]:
    """Return what a result says of its model, for ``predictions.json`` and ``manifest.json``."""
    thresholds, calibration = spec.thresholds, spec.calibration
    return {
        "model": spec.name,
        "target": spec.target,
        "classes": dict(spec.classes),
        "positive": spec.positive,
        "reference": spec.cohort.reference,
        "trained_on": {"cohort": spec.cohort.name, "fingerprint": spec.cohort.fingerprint},
        **(_fused_facts(spec) if isinstance(spec, FusedBundleSpec) else _part_facts(spec)),
        "calibration": None if calibration is None else calibration.model_dump(mode="json"),
        "threshold": None if thresholds is None else thresholds.model_dump(mode="json"),
        "marks": spec.marks,
        "remarks": remarks(spec),
    }


def _part_facts(spec: BundleSpec) -> dict[str, Any]:
    looks = {} if spec.prepare.frames is None else {"looks_at": frames_in_words(spec)}
    described = {} if spec.descriptors is None else {"descriptors_calibrated": spec.descriptor_calibration is not None}
    joins = {} if spec.join is None else {"joins": list(spec.join.modalities)}
    return {"parts": {part.file: part.sha256 for part in spec.parts}, **looks, **described, **joins}


def _fused_facts(spec: FusedBundleSpec) -> dict[str, Any]:
    parts = {f"members/{member.arm}/bundle.yaml": member.sha256 for member in spec.members}
    for number, head in enumerate(spec.heads):
        parts |= {f"fusion/{number}/{file}": sha256 for file, sha256 in head.sha256.items()}
    members = {member.arm: member.requires.modalities[0] for member in spec.members}
    return {"parts": parts, "members": members, "columns": [column.name for column in spec.columns]}


def frames_in_words(spec: BundleSpec) -> str:
    """Return which frames of a clip a model looks at; '' for a model of stills."""
    sampling = spec.prepare.frames
    if sampling is None:
        return ""
    how = _TOGETHER.get(spec.prepare.layout, f"each by itself, {spec.frame_scores} of their scores")
    if sampling.pick == "key_frames":
        return f"{key_frames_in_words(sampling)}; {how}"
    if sampling.pick != "uniform":
        return f"one frame of a clip: that of the {sampling.pick.replace('_', ' ')}"
    seen = "from the first to the last in which the lesion is seen, where that is known"
    within = seen if sampling.within == "lesion" else "over the whole clip"
    return f"{sampling.count} frames evenly spread {within}; {how}"


def remarks(spec: Spec) -> list[str]:
    """Return the sentences that stand beside every number of this model."""
    sentences = [MARKS[mark] for mark in spec.marks]
    return [*sentences, TIRADS] if spec.cohort.reference == "tirads" else sentences


def prediction_as_json(prediction: Prediction, spec: Spec) -> dict[str, Any]:
    """Return a prediction as plain values."""
    return {
        **({"case": prediction.case} if prediction.case else {}),
        "files": list(prediction.sources),
        "probability": prediction.probability,
        "calibrated": prediction.calibrated,
        "call": prediction.call,
        "words": prediction.words,
        "threshold": prediction.threshold,
        "member_range": list(prediction.member_range),
        "probabilities": prediction.probabilities,
        **_calibrated(prediction),
        "region_source": prediction.region_source,
        "notes": list(prediction.notes),
        **_out_of_distribution(prediction),
        **({"frames": [list(frames) for frames in prediction.frames]} if prediction.frames else {}),
        **({"descriptors": prediction.descriptors} if prediction.descriptors else {}),
        **({"acr_tirads": tirads.to_json()} if (tirads := tirads_beside(spec, prediction.descriptors)) else {}),
        **({"brought": _brought_as_json(prediction.brought)} if prediction.brought else {}),
        **_sureness(prediction),
        "answer": answer_words(prediction, spec),
    }


def _sureness(prediction: Prediction) -> dict[str, Any]:
    """Return the prediction set and the referral as plain values; nothing of older bundles."""
    found, referral = prediction.prediction_set, prediction.referral
    if found is None or referral is None:
        return {}
    return {"prediction_set": {**asdict(found), "words": found.words}, "referral": asdict(referral)}


def _out_of_distribution(prediction: Prediction) -> dict[str, Any]:
    found = prediction.out_of_distribution
    return {} if found is None else {"out_of_distribution": {**asdict(found), "words": found.words}}


def _calibrated(prediction: Prediction) -> dict[str, Any]:
    found = prediction.calibrated_probabilities
    return {"calibrated_probabilities": found} if found else {}


def _brought_as_json(brought: Brought) -> dict[str, Any]:
    return {name: value for name, value in asdict(brought).items() if name != "nodule" or value}


def _brought(prediction: Prediction) -> dict[str, float]:
    found = prediction.brought
    return {} if found is None else {f"brought_{name}": value for name, value in found.members.items()}


def _likeness(prediction: Prediction) -> dict[str, Any]:
    found = prediction.out_of_distribution
    if found is None:
        return {}
    percentile = {"out_of_distribution_percentile": found.percentile, "out_of_distribution_words": found.words}
    return {"out_of_distribution": found.score, **percentile}


def _set_and_referral(prediction: Prediction) -> dict[str, Any]:
    found, referral = prediction.prediction_set, prediction.referral
    if found is None or referral is None:
        return {}
    band = {} if referral.low is None else {"refer_low": referral.low, "refer_high": referral.high}
    return {"prediction_set": found.shown, "prediction_set_level": found.level, "refer": referral.refer, **band}


def _tirads(prediction: Prediction, spec: Spec) -> dict[str, Any]:
    found = tirads_beside(spec, prediction.descriptors)
    if found is None:
        return {}
    points, levels = found.points, found.levels
    return {
        "acr_points_low": points[0],
        "acr_points_high": points[1],
        "acr_level_low": levels[0],
        "acr_level_high": levels[1],
        "acr_words": found.words,
    }


def as_frame(predictions: Predictions, spec: Spec) -> pd.DataFrame:
    """Return one row a prediction, then one a picture that failed, with its ``error``."""
    rows = [_row(prediction, spec) for prediction in predictions]
    rows += [{"file": failure.source, "error": failure.reason} for failure in predictions.failures]
    # One case may have what another lacks, such as a member or descriptors; the last three columns stay the last.
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in _LAST]
    columns += _LAST
    return pd.DataFrame(rows, columns=columns)


def _row(prediction: Prediction, spec: Spec) -> dict[str, Any]:
    low, high = prediction.member_range
    return {
        **({"case": prediction.case} if prediction.case else {}),
        "file": "; ".join(prediction.sources),
        "probability": prediction.probability,
        "calibrated": prediction.calibrated,
        "call": prediction.call,
        "words": prediction.words,
        "threshold": prediction.threshold,
        "member_low": low,
        "member_high": high,
        **{f"p_{name}": value for name, value in prediction.probabilities.items()},
        **{f"calibrated_{name}": value for name, value in prediction.calibrated_probabilities.items()},
        "region_source": prediction.region_source,
        "notes": "; ".join(prediction.notes),
        **({"descriptors": in_words(prediction.descriptors)} if prediction.descriptors else {}),
        **_tirads(prediction, spec),
        **({"frames": "; ".join(" ".join(map(str, one)) for one in prediction.frames)} if prediction.frames else {}),
        **_brought(prediction),
        **_likeness(prediction),
        **_set_and_referral(prediction),
        "answer": answer_words(prediction, spec),
        "marks": " ".join(spec.marks),
        "notice": DISCLAIMER,
        "error": "",
    }
