"""Which nodules of a run's fused arms are explained, against whom, and what is left on disk."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus.files import read_json
from isthmus.models.fused import FusedHead
from isthmus.models.fused_classifier import FittedClassifier
from isthmus.protocol import fused_attributions
from isthmus.protocol.fused_attributions import attribute_fusions
from isthmus.training.halves import Pair

KNOWN = pd.DataFrame(
    {
        "nodule_id": [f"n{number}" for number in range(24)],
        "group_id": [f"g{number}" for number in range(24)],
        "label": ["0", "1"] * 12,
    }
)
VALUES = np.random.default_rng(0).normal(0, 1, (24, 2))
WEIGHTS = np.array([1.0, -0.5])


class Sum:
    def decision_function(self, features: np.ndarray) -> np.ndarray:
        return features @ WEIGHTS


def head() -> FusedHead:
    return FusedHead(
        columns=("image:0", "ceus:0"), indicators=(), where_absent="leave_out", means=np.zeros(2),
        deviations=np.ones(2), kept=np.arange(2), rotation=None, selected=np.arange(2),
        classifier=FittedClassifier("made", Sum()),
    )  # fmt: skip


def fused_fit(fold: int, seed: int = 0) -> Any:
    part_of = {f"g{number}": "cv" if number % 2 == fold else "train" for number in range(24)}
    taught = [group for group, part in part_of.items() if part == "train"]
    pairs = (Pair("a", tuple(taught[:6]), tuple(taught[6:])), Pair("b", tuple(taught[6:]), tuple(taught[:6])))
    fusion = SimpleNamespace(candidates=["logistic"])
    return SimpleNamespace(
        key="both", fusion=fusion, seed=seed, fold=fold, part_of=part_of, pairs=pairs, folder=lambda *_: Path()
    )


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[dict[str, Any], Path]:
    places = {name: row for row, name in enumerate(KNOWN["nodule_id"])}
    values = VALUES.copy()
    values[3, 1] = np.nan

    def features_of(run_folder, fit, pair, terms, shown, cases, stores):
        return values[[places[name] for name in shown["nodule_id"]]], ("image:0", "ceus:0")

    monkeypatch.setattr(fused_attributions, "known_cases", lambda cases: KNOWN)
    monkeypatch.setattr(fused_attributions, "features_of", features_of)
    monkeypatch.setattr(fused_attributions, "read_pair", lambda folder, pair: (head(), []))
    cases = SimpleNamespace(target=SimpleNamespace(classes={"0": "OLNM -", "1": "OLNM +"}))
    evidence: dict[str, Any] = {"format": "isthmus-evidence/1.0"}
    fits = [fused_fit(0), fused_fit(1), fused_fit(0, seed=1)]
    attribute_fusions(tmp_path, cases, fits, {}, evidence)  # type: ignore[arg-type]
    return evidence, tmp_path


def test_held_out_nodules_of_the_first_seed_are_explained_against_those_the_head_was_fitted_on(explained) -> None:
    _, folder = explained
    rows = pd.read_csv(folder / "explanations" / "both" / "attribution.csv").set_index("nodule_id")
    # Nodule 3 lacks a member, and this head scores none such.
    assert sorted(rows.index) == sorted(set(KNOWN["nodule_id"]) - {"n3"})
    assert set(rows.loc[[f"n{number}" for number in range(0, 24, 2)], "fold"]) == {0}
    for number in (0, 2):
        own = [fused_fit(0).pairs[place].head for place in (0, 1)]
        taught = [[int(group[1:]) for group in groups if group != "g3"] for groups in own]
        mean = np.mean([VALUES[half].mean(axis=0) for half in taught], axis=0)
        np.testing.assert_allclose(
            rows.loc[f"n{number}", ["image", "ceus"]].to_numpy(float), WEIGHTS * (VALUES[number] - mean), atol=1e-9
        )


def test_what_was_found_joins_the_evidence(explained) -> None:
    evidence, folder = explained
    found = evidence["attribution"]["both"]
    assert list(found["members"]) == ["image", "ceus"]
    assert len(found["labels"]) == len(found["values"]["image"]) == 23
    assert set(found["labels"]) == {"OLNM -", "OLNM +"}
    assert read_json(folder / "evidence.json", name="evidence")["attribution"] == evidence["attribution"]
    assert "values" not in read_json(folder / "explanations" / "both" / "attribution.json", name="attribution")


def test_a_run_without_fusions_leaves_no_trace(tmp_path: Path) -> None:
    evidence: dict[str, Any] = {}
    attribute_fusions(tmp_path, SimpleNamespace(), [], {}, evidence)  # type: ignore[arg-type]
    assert evidence == {}
    assert list(tmp_path.iterdir()) == []
