import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from isthmus.errors import FitError, InputError
from isthmus.files import sha256_of_file
from isthmus.inference.scores import probabilities, view_logits
from isthmus.models.registry import create
from isthmus.training.checkpoint import NAME, Checkpoint
from isthmus.training.fit import read_done, run_fit
from isthmus.training.spec import FitSpec
from tests.training.examples import PREPARE, spec_of, store_of

STORE = store_of()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    reports = []
    run_fit(spec_of(train={"epochs": 8, "rate": 0.003}), STORE, folder, reports.append, device="cpu")
    return folder, reports


def test_a_fit_leaves_its_files_and_no_checkpoint(done):
    folder, _ = done
    assert {path.name for path in folder.iterdir()} == {
        "fit.yaml", "log.csv", "tensorboard", "weights.safetensors", "predictions.csv", "done.json",
    }  # fmt: skip


def test_the_fit_learns_what_can_be_seen_in_its_pictures(done):
    log = pd.read_csv(done[0] / "log.csv")
    assert log["epoch"].tolist() == list(range(1, 9))
    assert log["train_loss"].iloc[-1] < 0.5 * log["train_loss"].iloc[0]
    assert log["tune_auc"].iloc[-1] > 0.95
    assert log["learning_rate"].iloc[0] == 0.003
    assert log["learning_rate"].is_monotonic_decreasing


def test_predictions_are_those_of_the_saved_weights_in_fp32_after_prior_shift(done):
    folder, _ = done
    frame = pd.read_csv(folder / "predictions.csv")
    assert frame.groupby("part").size().to_dict() == {"cv": 12, "tune": 12}
    network = create("resnet18", classes=2, channels=1, width=8)
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    shift = read_done(folder)["log_prior_shift"]
    # 36 training views, 12 positive: weights 36 / 48 and 36 / 24, so log 1/2 apart.
    assert shift == pytest.approx([-math.log(2) / 2, math.log(2) / 2])
    logits = view_logits(network, STORE.pixels[STORE.rows(frame["view_id"].tolist())], PREPARE)
    assert np.allclose(frame[["p_0", "p_1"]], probabilities(logits, shift), atol=1e-5)


def test_done_says_what_was_run(done):
    facts = read_done(done[0])
    assert (facts["epochs"], facts["best_epoch"]) == (8, 8)
    assert (facts["precision"], facts["device"], facts["threads"]) == ("fp32", "cpu", 1)
    assert facts["parameters"] == sum(p.numel() for p in create("resnet18", channels=1, width=8).parameters())


def test_progress_counts_every_step_and_shows_every_row(done):
    _, reports = done
    assert [report.step for report in reports if report.row is None] == list(range(1, 25))  # 8 epochs of 3 steps
    assert {report.steps for report in reports} == {24}
    assert [report.row["epoch"] for report in reports if report.row] == list(range(1, 9))


def test_a_finished_fit_is_not_run_again(done):
    folder, _ = done
    before = (folder / "predictions.csv").stat().st_mtime_ns
    run_fit(spec_of(train={"epochs": 8, "rate": 0.003}), STORE, folder, device="cpu")
    assert (folder / "predictions.csv").stat().st_mtime_ns == before


def test_fit_yaml_reads_back_as_the_same_specification(done):
    assert FitSpec.read(done[0] / "fit.yaml") == spec_of(train={"epochs": 8, "rate": 0.003})


def test_the_callers_random_state_and_settings_are_put_back(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    run_fit(spec_of(train={"epochs": 1}, threads=threads + 1), STORE, tmp_path / "fit", device="cpu")
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_early_stopping_keeps_the_best_epochs_weights(tmp_path):
    # A rate this high ruins the network after it was good; patience 2 stops two epochs after the best.
    spec = spec_of(train={"epochs": 30, "rate": 0.02, "schedule": "constant", "early_stopping": {"patience": 2}})
    run_fit(spec, STORE, tmp_path, device="cpu")
    log, facts = pd.read_csv(tmp_path / "log.csv"), read_done(tmp_path)
    assert facts["epochs"] == len(log) == facts["best_epoch"] + 2 < 30
    order = log.sort_values(["tune_auc", "tune_loss"], ascending=[False, True])
    assert facts["best_epoch"] == order["epoch"].iloc[0]
    tune = pd.read_csv(tmp_path / "predictions.csv").query("part == 'tune'")
    truth = tune["view_id"].map(spec.labels)
    pairs = [(a, b) for a in tune["p_1"][truth == 1] for b in tune["p_1"][truth == 0]]
    # In fp32 the epoch was judged in the arithmetic of the predictions: the same AUC again.
    assert np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]) == pytest.approx(facts["tune_auc"])


def test_three_classes_are_learned_and_predicted(tmp_path):
    labels = {view: row % 3 for row, view in enumerate(STORE.view_ids)}
    run_fit(spec_of(classes=["a", "b", "c"], labels=labels, train={"epochs": 2}), STORE, tmp_path, device="cpu")
    frame = pd.read_csv(tmp_path / "predictions.csv")
    assert frame[["p_a", "p_b", "p_c"]].sum(axis=1).to_numpy() == pytest.approx(np.ones(24))
    assert 0 <= read_done(tmp_path)["tune_auc"] <= 1


def test_bf16_trains_and_predicts_in_fp32(tmp_path):
    run_fit(spec_of(precision="bf16", train={"epochs": 2}), STORE, tmp_path, device="cpu")
    assert read_done(tmp_path)["precision"] == "bf16"
    assert all(value.dtype != torch.bfloat16 for value in load_file(tmp_path / "weights.safetensors").values())


def test_a_view_that_could_not_be_prepared_is_named_with_its_reason(tmp_path):
    store = store_of()
    store.failures["view99"] = "the file is cut off"
    spec = spec_of()
    spec = spec.model_copy(update={"train_views": [*spec.train_views, "view99"]})
    with pytest.raises(FitError, match=r"view99 .*the file is cut off"):
        run_fit(spec, store, tmp_path / "fit", device="cpu")
    assert not (tmp_path / "fit").exists()


def test_a_class_without_training_views_is_refused(tmp_path):
    with pytest.raises(FitError, match="no training view of class 2"):
        run_fit(spec_of(classes=["0", "1", "2"]), STORE, tmp_path, device="cpu")


def test_early_stopping_needs_a_tuning_part(tmp_path):
    spec = spec_of(tune_views=[], train={"early_stopping": {"patience": 2}})
    with pytest.raises(FitError, match="without a tuning part"):
        run_fit(spec, STORE, tmp_path, device="cpu")


def test_a_fit_without_a_tuning_part_keeps_the_last_epoch(tmp_path):
    run_fit(spec_of(tune_views=[], train={"epochs": 2}), STORE, tmp_path, device="cpu")
    assert json.loads((tmp_path / "done.json").read_text())["tune_auc"] is None
    assert pd.read_csv(tmp_path / "predictions.csv")["part"].unique().tolist() == ["cv"]


def test_a_loss_that_leaves_the_numbers_ends_the_fit_with_what_to_do(tmp_path):
    spec = spec_of(train={"epochs": 5, "optimiser": "sgd", "rate": 10, "momentum": 0.99, "schedule": "constant"})
    broken = store_of()
    network = {"network": "resnet18", "options": {"width": 8}}
    with pytest.raises(FitError, match=r"loss became (nan|inf) in epoch .*lower train\.rate"):
        run_fit(spec.model_copy(update=network), broken, tmp_path, device="cpu")


def test_a_folder_of_another_fit_is_refused(tmp_path):
    spec_of(seed=1).write(tmp_path / "fit.yaml")
    with pytest.raises(FitError, match="holds another fit"):
        run_fit(spec_of(), STORE, tmp_path, device="cpu")


def test_a_group_on_two_sides_is_refused():
    groups = dict.fromkeys(STORE.view_ids, "same")
    with pytest.raises(ValidationError, match="group same stands in the train part and in the tune part"):
        spec_of(groups=groups)


def test_a_checkpoint_of_another_fit_or_with_code_in_it_is_refused(tmp_path):
    Checkpoint(tmp_path, "one").save(rows=[], network={}, optimiser={}, best=None)
    with pytest.raises(FitError, match="belongs to another fit"):
        Checkpoint(tmp_path, "other").load()
    torch.save({"fingerprint": "one", "call": Checkpoint}, tmp_path / NAME)
    with pytest.raises(FitError, match="cannot be read"):
        Checkpoint(tmp_path, "one").load()


def test_a_newer_fit_yaml_is_refused(tmp_path):
    spec_of().write(tmp_path / "fit.yaml")
    text = (tmp_path / "fit.yaml").read_text()
    (tmp_path / "fit.yaml").write_text(text.replace("isthmus-fit/1.0", "isthmus-fit/2.0"))
    with pytest.raises(InputError, match="newer"):
        FitSpec.read(tmp_path / "fit.yaml")


def test_a_fit_starts_from_initial_weights_and_says_whose_they_are(tmp_path):
    torch.manual_seed(5)
    start = create("resnet18", classes=2, channels=1, width=8).state_dict()
    save_file(start, tmp_path / "mine.safetensors")
    spec = spec_of(weights=str(tmp_path / "mine.safetensors"), train={"epochs": 1, "rate": 1e-9})
    run_fit(spec, STORE, tmp_path / "fit", device="cpu")
    kept = load_file(tmp_path / "fit" / "weights.safetensors")
    convolutions = [name for name, value in start.items() if value.ndim == 4]
    assert len(convolutions) > 15
    assert all(torch.allclose(kept[name], start[name], atol=1e-6) for name in convolutions)
    origin = read_done(tmp_path / "fit")["weights"]
    assert origin["sha256"] == sha256_of_file(tmp_path / "mine.safetensors")
    assert origin["name"] == "mine"
