"""Engines are judged on tuning cases alone, recorded in the bundle with all figures, and one is chosen."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.cohort.cohort import load_cohort
from isthmus.errors import BundleError, CohortError
from isthmus.inference.engine_record import Times, Trial, Verdict, read_record, write_record
from isthmus.inference.load import load_bundle
from isthmus.protocol import accelerate as measuring
from isthmus.protocol import engine_trials
from isthmus.protocol.accelerate import accelerate
from isthmus.protocol.engine_trials import Gate
from isthmus.protocol.tuning_cases import tuning_cases
from tests.inference.discs import write_disc_cohort
from tests.inference.small_models import bundle

for _library in ("onnxruntime", "onnx", "onnxscript", "openvino"):
    pytest.importorskip(_library)

TEST = ("010", "011")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_disc_cohort(tmp_path_factory.mktemp("cohort") / "discs")


@pytest.fixture(scope="module")
def run(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder as far as it matters: `split.csv` and one arm's bundle."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    found = load_cohort(cohort)
    facts = {
        "name": found.name, "fingerprint": found.fingerprint(), "licence": "none", "simulated": False,
        "reference": "surgery",
    }  # fmt: skip
    spec = {"target": "malignant", "classes": {"0": "benign", "1": "malignant"}, "name": "small/image"}
    bundle(folder / "arms" / "image" / "bundle", cohort=facts, **spec)
    groups = [text for text in found.nodules["patient_id"] if text not in TEST]
    rows = [
        {"seed": 0, "fold": fold, "group_id": text, "part": "cv" if place % 2 == fold else "train"}
        for fold in (0, 1)
        for place, text in enumerate(groups)
    ]
    pd.DataFrame(rows).to_csv(folder / "split.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))


def test_engines_are_judged_recorded_and_one_is_chosen(
    run: Path, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, plain = run / "arms" / "image" / "bundle", engine_trials.graph_engine

    def planted(name: str, *given: Any) -> Any:
        engine = plain(name, *given)
        if name != "openvino":
            return engine

        def off(inputs: Any) -> Any:
            found = engine.run(inputs)
            return {**found, "logits": found["logits"] + 2e-3 * (found["logits"][..., :1] * 0 + [[[0.0, 1.0]]])}

        return replace(engine, run=off)

    monkeypatch.setattr(engine_trials, "graph_engine", planted)
    monkeypatch.setattr(measuring, "ROUNDS", 1)
    result = CliRunner().invoke(cli.app, ["accelerate", str(place), "--cohort", str(cohort), "--json"])
    assert result.exception is None, result.exception
    record = read_record(place)
    assert record is not None
    assert record.measured is not None
    assert json.loads(result.output)["choice"] == record.measured.choice
    engines, tuning = record.measured.engines, record.measured.tuning
    assert (tuning.cases, tuning.views, tuning.held_out) == (10, 20, True)  # the two of the test are not looked at
    assert engines["torch"].verdict.passed == "reference"
    assert engines["onnxruntime"].verdict.passed == "exact"
    assert engines["onnxruntime"].verdict.largest_difference < 1e-4
    assert engines["openvino"].verdict.passed == "none"
    assert engines["openvino"].verdict.largest_difference > 2e-4
    assert "too few to say what the AUC loses" in engines["openvino"].verdict.reason  # ten cases judge no AUC
    assert all(one.times.one > 0 for one in engines.values())
    assert record.measured.choice in ("torch", "onnxruntime")
    assert load_bundle(place).runs.name == record.measured.choice
    assert not (place / "model-int8.onnx").exists()  # none of those that need it passed
    text = (place / "engines.yaml").read_text(encoding="utf-8")
    assert text.startswith("format: isthmus-engines/1.0\n")
    assert str(run) not in text

    again = accelerate(place)  # elsewhere, without the cohort: times only
    assert again.measured is not None
    assert {name: one.verdict for name, one in again.measured.engines.items()} == {
        name: one.verdict for name, one in engines.items()
    }

    named = {**record.measured.engines, "an-engine-of-before": engines["onnxruntime"]}
    write_record(place, again.model_copy(update={"measured": again.measured.model_copy(update={"engines": named})}))
    assert accelerate(place).measured is not None  # it is passed over


def test_as_few_layers_as_pass_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []

    def verdict(share: float) -> Verdict:
        passed = "gated" if share >= 0.5 else "none"
        return Verdict.model_validate({"passed": passed, "largest_difference": 0.1, "auc_loss": 0.0})

    def judged(self: Gate, graphs: Any, numbers: str, told: Any) -> Any:
        times = Times(one=0.0, each_of_batch=0.0, views=0)
        return {"openvino-int8": Trial(verdict=verdict(tried[-1]), times=times)}, {}

    monkeypatch.setattr(Gate, "_quantised", lambda self, plain, share: tried.append(share) or {"": share})
    monkeypatch.setattr(Gate, "of_graphs", judged)
    nothing: Any = None
    gate = Gate(nothing, {}, nothing, nothing, nothing)
    assert gate.in_whole_numbers({}, lambda: None)[0] == {"": 0.5}
    assert tried == [0.0, 0.25, 0.5]
    tried.clear()
    monkeypatch.setattr(engine_trials, "LEFT_OUT", (0.0, 0.25))
    found = gate.in_whole_numbers({}, lambda: None)[1][0]
    assert tried == [0.0, 0.25]
    assert found["openvino-int8"].verdict.passed == "none"


def test_only_who_was_not_set_aside_is_looked_at(run: Path, cohort: Path, tmp_path: Path) -> None:
    place = run / "arms" / "image" / "bundle"
    spec = load_bundle(place, "cpu", engine="torch").spec
    found = tuning_cases(place, spec, {"": spec}, cohort)
    assert not set(TEST) & set(found.cases.units["patient_id"])
    assert sorted(set(found.folds.values())) == [0, 1]
    moved = tmp_path / "bundle"
    with pytest.raises(CohortError, match=r"nothing says which patients were set aside.*--split RUN/split.csv"):
        tuning_cases(moved, spec, {"": spec}, cohort)
    assert tuning_cases(moved, spec, {"": spec}, cohort, run / "split.csv").said.held_out
    other = write_disc_cohort(tmp_path / "other", 14)
    with pytest.raises(CohortError, match="not the cohort that the model was trained on"):
        tuning_cases(place, spec, {"": spec}, other)


def test_a_cohort_of_set_aside_patients_is_refused(cohort: Path, tmp_path: Path) -> None:
    alone = write_disc_cohort(tmp_path / "alone")
    nodules = pd.read_csv(alone / "nodules.csv", dtype=str).assign(split="test")
    nodules.to_csv(alone / "nodules.csv", index=False)
    found = load_cohort(alone)
    facts = {
        "name": found.name, "fingerprint": found.fingerprint(), "licence": "none", "simulated": False,
        "reference": "surgery",
    }  # fmt: skip
    place = bundle(tmp_path / "bundle", cohort=facts, target="malignant", classes={"0": "benign", "1": "malignant"})
    with pytest.raises(CohortError, match="all patients of this cohort were set aside for a test"):
        accelerate(place, alone)
    with pytest.raises(BundleError, match="the engines of this bundle were never measured"):
        accelerate(place)
