"""Feature arrays of two members, made by the tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np

IMAGE, CEUS = 12, 8
COLUMNS = tuple(
    [f"image:{i}" for i in range(IMAGE)]
    + [f"ceus:{i}" for i in range(CEUS)]
    + ["clinical:age_years", "clinical:size_mm"]
)


@dataclass(frozen=True)
class Made:
    features: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    groups: np.ndarray[Any, Any]


def made_features(examples: int = 60, seed: int = 0, signal: float = 1.0, positives: float = 0.3) -> Made:
    """Return examples, two a patient for every fifth patient, whose first image and CEUS features tell the label."""
    random = np.random.default_rng(seed)
    labels = (np.arange(examples) < positives * examples).astype(int)
    features = random.normal(size=(examples, len(COLUMNS)))
    features[:, 0] += signal * labels
    features[:, IMAGE] -= signal * labels
    features = 3 * features + random.normal(size=len(COLUMNS))
    groups = np.array([f"p{index - (index % 5 == 4):03d}" for index in range(examples)], object)
    return Made(features, labels, groups)
