"""The descriptors' part of a fit: what is learnt, what weighs nothing, what is recorded, and the same bytes again."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from isthmus.models.classifier import Outputs
from isthmus.statistics.roc import auc
from isthmus.training.descriptor_targets import DescriptorTargets
from isthmus.training.fit import run_fit
from isthmus.training.spec import DescriptorTask, FitSpec
from tests.training.examples import spec_of, store_of

HEADS = {"margin": ["smooth", "irregular"], "echogenic_foci": ["macrocalcifications", "punctate"]}
STORE = store_of()


def task_of(rows: range = range(36), **changes: Any) -> DescriptorTask:
    """Bright middles (every third view) are irregular with punctate foci; every fifth view has no margin recorded."""
    margin = {f"view{row:02d}": [int(row % 3 == 0)] for row in rows if row % 5}
    foci = {f"view{row:02d}": [1] if row % 3 == 0 else [] for row in rows}
    facts = {"heads": HEADS, "labels": {"margin": margin, "echogenic_foci": foci}, **changes}
    return DescriptorTask.model_validate(facts)


def outputs_of(margin: torch.Tensor, foci: torch.Tensor) -> Outputs:
    auxiliary = {"descriptor.margin": margin, "descriptor.echogenic_foci": foci}
    return Outputs(torch.zeros(len(margin), 2), torch.zeros(len(margin), 1), auxiliary)


def test_the_loss_is_the_weighted_mean_of_each_descriptors_cross_entropy_by_hand() -> None:
    task = DescriptorTask(
        heads=HEADS,
        labels={"margin": {"a": [1], "b": [0]}, "echogenic_foci": {"c": [0, 1]}},
        weight=0.4,
    )
    margin = torch.tensor([[0.0, 1.0], [2.0, 0.0], [9.0, 9.0]])
    foci = torch.tensor([[5.0, 5.0], [5.0, 5.0], [0.5, -0.5]])
    by_hand = (
        (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))) / 2  # margin: a and b, c is not recorded
        + (math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(0.5))) / 2  # foci: c alone, both are there
    ) / 2
    found = DescriptorTargets(task, ["a", "b", "c"]).loss(outputs_of(margin, foci), np.array([0, 1, 2]))
    assert float(found) == pytest.approx(0.4 * by_hand, abs=1e-6)


def test_a_view_without_a_descriptor_weighs_nothing_in_it() -> None:
    targets = DescriptorTargets(task_of(), [f"view{row:02d}" for row in range(36)])
    margin, foci = torch.zeros(6, 2, requires_grad=True), torch.zeros(6, 2, requires_grad=True)
    targets.loss(outputs_of(margin, foci), np.arange(6)).backward()
    assert margin.grad is not None
    assert foci.grad is not None
    assert margin.grad.abs().sum(1).ne(0).tolist() == [False, True, True, True, True, False]
    assert bool(foci.grad.ne(0).all())


def test_a_batch_in_which_nobody_has_a_descriptor_costs_nothing() -> None:
    task = DescriptorTask(heads=HEADS, labels={"margin": {}, "echogenic_foci": {}})
    found = DescriptorTargets(task, ["a"]).loss(outputs_of(torch.ones(1, 2), torch.ones(1, 2)), np.array([0]))
    assert float(found) == 0


def test_descriptors_of_views_that_are_not_trained_on_are_refused() -> None:
    with pytest.raises(ValidationError, match="which is not trained on"):
        spec_of(descriptors=task_of(range(40)))


def test_two_codes_of_a_descriptor_that_has_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="has 2 codes of margin"):
        task_of(labels={"margin": {"view00": [0, 1]}})


@pytest.fixture(scope="module")
def spec() -> FitSpec:
    return spec_of(
        descriptors=task_of(), flips=True, train={"epochs": 8, "rate": 0.003, "warm_up": 1, "backbone_rate": 0.5}
    )


@pytest.fixture(scope="module")
def done(spec: FitSpec, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("fit")
    run_fit(spec, STORE, folder, device="cpu")
    return folder


def test_the_fit_learns_and_records_descriptors_of_views_it_has_never_seen(done: Any) -> None:
    table = pd.read_csv(done / "descriptors.csv")
    assert table.columns.tolist() == ["view_id", "part", "descriptor", "code", "probability"]
    assert table.groupby(["part", "descriptor", "code"]).size().unique().tolist() == [12]
    wide = table.pivot(index="view_id", columns="code", values="probability")
    assert np.allclose(wide["smooth"] + wide["irregular"], 1)
    bright = np.array([int(view[4:]) % 3 == 0 for view in wide.index])
    assert auc(bright, wide["irregular"]) > 0.9
    assert auc(bright, wide["punctate"]) > 0.9


def test_a_fit_with_heads_that_was_interrupted_leaves_the_same_bytes(done: Any, spec: FitSpec, tmp_path: Any) -> None:
    def interrupt(report: Any) -> None:
        if report.step == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fit(spec, STORE, tmp_path, interrupt, device="cpu")
    run_fit(spec, STORE, tmp_path, device="cpu")
    for name in ("predictions.csv", "descriptors.csv", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (done / name).read_bytes(), name


def test_fit_yaml_keeps_the_descriptors(done: Any, spec: FitSpec) -> None:
    assert FitSpec.read(done / "fit.yaml") == spec


def test_a_fit_yaml_from_before_there_were_descriptors_reads_as_one_without(tmp_path: Any) -> None:
    spec_of().write(tmp_path / "fit.yaml")
    newer = ("descriptors:", "flips:", "  warm_up:", "  backbone_rate:", "  freeze_norm:", "  label_smoothing:")
    lines = (tmp_path / "fit.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(newer)]
    assert len(kept) == len(lines) - len(newer)
    (tmp_path / "fit.yaml").write_text("\n".join(kept), encoding="utf-8")
    assert FitSpec.read(tmp_path / "fit.yaml") == spec_of()
