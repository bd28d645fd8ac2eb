"""A fold's network as a fit left it, and the views that it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isthmus.files import read_json, read_yaml
from isthmus.imaging.preparation import Preparation

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier
    from isthmus.statistics.calibration import LogisticCalibration
    from isthmus.statistics.class_calibration import ClassCalibration


@dataclass(frozen=True, eq=False)
class FoldNetwork:
    """A fold's network and what it was never trained on.

    Parameters
    ----------
    classifier : Classifier
        With the fold's weights.
    held_out_views : sequence of str
        Views that it may explain.
    seed, fold : int
        Which one.
    log_prior_shift : sequence of float
        K values, from the fit's ``done.json``.
    calibration : LogisticCalibration or ClassCalibration, optional
        The fold's own, from ``frozen.json``.
    threshold : float
        On the calibrated probability of two classes; of several the most probable one is called.
    flips : bool
        Whether its scores are means over mirror images; its heat is that of the picture as it is.
    frame_scores : str
        How a 2D network scores a clip: ``mean`` of its frames' logits, or the most suspicious frame's (``maximum``).
    """

    classifier: "Classifier"
    held_out_views: Sequence[str]
    seed: int
    fold: int
    log_prior_shift: Sequence[float]
    calibration: "LogisticCalibration | ClassCalibration | None" = None
    threshold: float = 0.5
    flips: bool = False
    frame_scores: Literal["mean", "maximum"] = "mean"


def read_fold(
    folder: Path, *, calibration: "LogisticCalibration | ClassCalibration | None" = None, threshold: float = 0.5
) -> FoldNetwork:
    """Load a finished fit's network from its folder (``fit.yaml``, ``done.json``, ``weights.safetensors``)."""
    import torch

    from isthmus.models.descriptor_heads import create_classifier
    from isthmus.models.descriptors import DescriptorSpec
    from isthmus.models.join_spec import JoinSpec
    from isthmus.models.state import read_state

    fit, done = read_yaml(folder / "fit.yaml", name="fit"), read_json(folder / "done.json", name="fit-done")
    heads = fit.get("descriptors")
    # Building a network draws random weights; whoever draws next must not notice.
    with torch.random.fork_rng(devices=[]):
        classifier = create_classifier(
            fit["network"],
            classes=len(fit["classes"]),
            channels=Preparation.model_validate(fit["prepare"]).input_channels,
            options=fit["options"],
            descriptors=None if heads is None else DescriptorSpec.model_validate(heads),
            join=None if fit.get("join") is None else JoinSpec.model_validate(fit["join"]),
        )
    classifier.load_state_dict(read_state(folder / "weights.safetensors"), strict=True)
    return FoldNetwork(
        classifier.eval(),
        fit["held_out_views"],
        int(fit["seed"]),
        int(fit["fold"]),
        done["log_prior_shift"],
        calibration,
        threshold,
        bool(fit.get("flips", False)),
        fit.get("frame_scores", "mean"),
    )
