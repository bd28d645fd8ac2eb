"""A small fused bundle of a still and a contrast clip with two columns, made by the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.preparation import Preparation
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle import Member, write_fused_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.fused_columns import PERFUSION
from isthmus.models.registry import create
from isthmus.report.clinical_terms import CLINICAL, design_of, names_of, terms_of
from isthmus.statistics.perfusion_features import FEATURES
from isthmus.training.fusion import FusionSettings, fit_head
from tests.inference.small_models import bundle_spec

WIDTH = 64
"""Of the embeddings of a ResNet-18 of width 8."""

REQUIRES = {
    "image": {"modalities": ["bmode"], "region": "box"},
    "ceus_video": {"modalities": ["ceus"], "region": "none"},
}
PREPARED = {
    "image": Preparation(train_size=40, crop_size=32),
    "ceus_video": Preparation(
        crop="scan_area", train_size=40, crop_size=32, layout="frames_as_channels", frames=FrameSampling(count=3)
    ),
}


def member(arm: str, parts: int = 2) -> Member:
    """Return untrained networks, a different one for each part."""
    channels = PREPARED[arm].input_channels
    spec = bundle_spec(
        parts=parts,
        name=f"small/combined/{arm}",
        network={"name": "resnet18", "options": {"width": 8}, "classes": 2, "channels": channels},
        requires=REQUIRES[arm],
        prepare=PREPARED[arm],
        calibration=None,
        thresholds=None,
    )
    states = []
    for part in range(parts):
        torch.manual_seed(10 * channels + part)
        states.append(create("resnet18", classes=2, channels=channels, width=8).state_dict())
    return spec, states


def head(number: int, *, where_absent: str = "mean", lacking: int = 8, perfusion: bool = False) -> CodedHead:
    """Return a head fitted on noise; of 40 examples the first `lacking` have no clip."""
    rng = np.random.default_rng(number)
    cases = pd.DataFrame(
        {"age_years": rng.uniform(20, 80, 40), "sex": rng.choice(["F", "M"], 40), "label": ["0", "1"] * 20}
    )
    terms, _ = terms_of(cases, ["age_years", "sex"])
    values = rng.normal(size=(40, 2 * WIDTH))
    values[:lacking, WIDTH:] = np.nan
    columns = [f"{arm}:{place}" for arm in REQUIRES for place in range(WIDTH)]
    if perfusion:
        values = np.concatenate([values, rng.normal(size=(40, len(FEATURES)))], axis=1)
        columns += [f"{PERFUSION}:{name}" for name in FEATURES]
    features = np.concatenate([values, design_of(terms, cases)], axis=1)
    columns += [f"{CLINICAL}:{name}" for name in names_of(terms)]
    settings = FusionSettings.model_validate({"lasso": None, "pca": 6, "where_absent": where_absent})
    labels, groups = np.arange(40) % 2, np.arange(40)
    return CodedHead(fit_head(features, labels, groups, columns, "logistic", settings, number).head, terms)


def fused_spec(**changes: Any) -> FusedBundleSpec:
    fields: dict[str, Any] = {
        "name": "small/combined",
        "target": "tirads_4a_or_higher",
        "classes": {"0": "TI-RADS 2 or 3", "1": "TI-RADS 4a or higher"},
        "members": [{"arm": arm, "requires": REQUIRES[arm]} for arm in REQUIRES],
        "heads": [{"fold": 0, "pair": "a"}, {"fold": 0, "pair": "b"}],
        "join": "embeddings",
        "classifier": "logistic",
        "where_absent": "mean",
        "mode": "cross_fit",
        "columns": [
            {"name": "age_years", "title": "Age, years", "kind": "numeric", "low": 20, "high": 80,
             "missing": "the training cases' mean, about 50"},
            {"name": "sex", "title": "Sex", "kind": "categorical", "values": ["F", "M"],
             "missing": "F, as most training cases"},
        ],
        "aggregation": {"nodule": "mean", "patient": "maximum"},
        "calibration": {"intercept": 0.3, "slope": 1.2, "fitted_on": "out-of-fold predictions of seed 0"},
        "thresholds": {"rule": "youden", "value": 0.5, "chosen_on": "out-of-fold predictions of seed 0"},
        "cohort": {
            "name": "small", "fingerprint": "0" * 64, "licence": "none", "simulated": True, "reference": "surgery",
        },
        **changes,
    }  # fmt: skip
    return FusedBundleSpec.model_validate(fields)


def fused_bundle(folder: Path, **changes: Any) -> Path:
    """Write a fused bundle of untrained networks and of heads that were fitted on noise."""
    spec = fused_spec(**changes)
    members = {arm: _of_reference(member(arm), spec) for arm in REQUIRES}
    heads = [head(number, where_absent=spec.where_absent, perfusion=spec.perfusion) for number in range(2)]
    write_fused_bundle(folder, spec, members, heads)
    return folder


def _of_reference(one: Member, spec: FusedBundleSpec) -> Member:
    return one[0].model_copy(update={"cohort": spec.cohort}), one[1]
