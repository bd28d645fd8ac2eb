"""Simulated readers against the model of Roe and Metz, by formulae and estimators that the package does not use."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from isthmus.phantom.aided import aided_reads, switch_rates
from isthmus.phantom.readers import ReaderSettings, VarianceComponents, separation
from isthmus.phantom.reads import latent_evidence, unaided_reads
from isthmus.tables.check import inspect_table, write_table
from isthmus.tables.cohort import READS

PREVALENCE = {"0": 0.6, "1": 0.4}


def settings(groups: dict[str, dict[str, Any]] | None = None, **variance: float) -> ReaderSettings:
    groups = groups or {"junior": {"readers": 20, "auc": 0.7}, "senior": {"readers": 20, "auc": 0.85}}
    filled = {name: {"seconds": 30.0, "reliance": 0.4, **group} for name, group in groups.items()}
    return ReaderSettings.model_validate({"observer": "bmode", "groups": filled, "variance": variance})


def cohort(count: int, classes: int = 2, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Units with labels, and an observer whose evidence is skewed: nothing is normal about it."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    evidence = generator.gamma(2.0, size=(count, classes)) + 1.2 * np.eye(classes)[labels]
    observed = np.exp(evidence) / np.exp(evidence).sum(axis=1, keepdims=True)
    ids = [f"N{number:05d}" for number in range(count)]
    return pd.DataFrame({"unit_id": ids, "label": labels.astype(str), "read": True}), observed


def test_variance_components_come_back_from_a_crossed_study() -> None:
    """Two-way random-effects mean squares with two sessions (Searle, Casella & McCulloch 1992, table 4.7)."""
    chosen = settings({"junior": {"readers": 20, "auc": 0.8}}, reader=0.3, case=0.5, reader_case=0.3, error=0.2)
    units, observed = cohort(6000)
    labels = units["label"].to_numpy(int)
    found = []
    for seed in range(6):
        sessions = [latent_evidence(chosen, labels, observed, seed, session)[:, :, 0] for session in (1, 2)]
        for label in (0, 1):
            x = np.stack([session[:, labels == label] for session in sessions], axis=2)  # [J, N, 2]
            readers, cases, repeats = x.shape
            cells, by_reader, by_case = x.mean(axis=2), x.mean(axis=(1, 2)), x.mean(axis=(0, 2))
            within = ((x - cells[:, :, None]) ** 2).sum() / (readers * cases * (repeats - 1))
            both = cells - by_reader[:, None] - by_case[None] + x.mean()
            together = repeats * (both**2).sum() / ((readers - 1) * (cases - 1))
            of_readers, of_cases = cases * repeats * by_reader.var(ddof=1), readers * repeats * by_case.var(ddof=1)
            found.append(
                [
                    (of_readers - together) / (cases * repeats),
                    (of_cases - together) / (readers * repeats),
                    (together - within) / repeats,
                    within,
                ]
            )
    mean = np.mean(found, axis=0)
    # 12 x 19 degrees of freedom for the readers: a standard error of 0.3 * sqrt(2 / 228) = 0.028.
    assert mean[0] == pytest.approx(0.3, abs=0.085)
    np.testing.assert_allclose(mean[1:], [0.5, 0.3, 0.2], atol=0.01)


def test_the_auc_of_a_group_is_the_one_that_is_set() -> None:
    units, observed = cohort(4000)
    aucs = pd.concat(
        [auc_by_reader(unaided_reads(settings(), "malignant", units, ["0", "1"], observed, seed)) for seed in range(3)]
    )
    for experience, expected in (("junior", 0.7), ("senior", 0.85)):
        own = aucs[aucs.index.get_level_values("experience") == experience]
        # Readers share cases, but with 4,000 of them the readers' own spread is the larger part.
        assert own.mean() == pytest.approx(expected, abs=4 * own.std() / np.sqrt(len(own)) + 0.003)


def auc_by_reader(reads: pd.DataFrame) -> pd.Series:
    labels = reads["unit_id"].str[1:].astype(int) % 2
    return reads.groupby(["experience", "reader_id"])["score"].apply(
        lambda score: roc_auc_score(labels[score.index], score)
    )


def test_separation_is_that_of_roe_and_metz() -> None:
    """Their mu of 0.75, 1.5 and 2.5 for areas of 0.702, 0.855 and 0.961 (Roe & Metz 1997, table 1)."""
    none = VarianceComponents(reader=0.0)
    for mu, area in ((0.75, 0.702), (1.5, 0.856), (2.5, 0.961)):
        assert norm.cdf(mu / np.sqrt(2)) == pytest.approx(area, abs=1e-3)
        assert separation(norm.cdf(mu / np.sqrt(2)), none) == pytest.approx(mu)


def test_readers_and_the_observer_find_the_same_cases_hard() -> None:
    units, observed = cohort(2000)
    reads = unaided_reads(settings(), "malignant", units, ["0", "1"], observed, 0)
    mean_score = reads.groupby("unit_id")["score"].mean().loc[units["unit_id"]].to_numpy()
    for label in "01":
        own = (units["label"] == label).to_numpy()
        assert np.corrcoef(np.log(observed[own, 1]), mean_score[own])[0, 1] > 0.5


def test_pairs_of_three_classes_have_the_set_auc() -> None:
    chosen = settings({"senior": {"readers": 20, "auc": 0.8}}, reader=0.0)
    units, observed = cohort(6000, classes=3)
    reads = unaided_reads(chosen, "diagnosis", units, ["0", "1", "2"], observed, 0)
    labels = reads["unit_id"].str[1:].astype(int) % 3
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pair = labels.isin([one, other])
        odds = np.log(reads[f"p_{one}"] / reads[f"p_{other}"])[pair]
        by_reader = [
            roc_auc_score(labels[rows.index] == one, rows) for _, rows in odds.groupby(reads["reader_id"][pair])
        ]
        assert np.mean(by_reader) == pytest.approx(0.8, abs=0.01)
    assert (reads["call"] == reads[["p_0", "p_1", "p_2"]].idxmax(axis=1).str[2:]).all()


def test_an_eager_criterion_calls_more_cases_positive_and_leaves_the_auc() -> None:
    units, observed = cohort(3000)
    rates, aucs = [], []
    for criterion in (-0.5, 0.0, 0.5):
        chosen = settings({"senior": {"readers": 10, "auc": 0.8, "criterion": criterion}}, reader=0.0)
        reads = unaided_reads(chosen, "malignant", units, ["0", "1"], observed, 0)
        rates.append((reads["call"] == "1").mean())
        aucs.append(auc_by_reader(reads).mean())
        assert ((reads["score"] >= 50) == (reads["call"] == "1")).all()
    # The share above the criterion c, midway between two unit normals that lie a separation apart.
    half = separation(0.8, chosen.variance) / 2
    expected = [(norm.sf(c - half) + norm.sf(c + half)) / 2 for c in (-0.5, 0.0, 0.5)]
    np.testing.assert_allclose(rates, expected, atol=0.015)
    np.testing.assert_allclose(aucs, aucs[0], atol=1e-3)


def test_reads_keep_contract_1_and_only_what_is_shown_is_read(tmp_path: Path) -> None:
    units, observed = cohort(60)
    units["read"] = np.arange(60) >= 40
    reads = unaided_reads(settings(), "malignant", units, ["0", "1"], observed, 0)
    write_table(tmp_path / "reads.csv", reads)
    assert inspect_table(tmp_path / "reads.csv", READS)[1] == []
    assert set(reads["unit_id"]) == set(units["unit_id"][40:])
    assert reads["score"].between(0, 100).all()
    assert sorted(reads.loc[reads["reader_id"] == "junior-1", "order"]) == list(range(1, 21))
    assert reads["seconds"].median() == pytest.approx(30, rel=0.1)
    again = unaided_reads(settings(), "malignant", units, ["0", "1"], observed, 0)
    pd.testing.assert_frame_equal(reads, again)
    assert not reads["score"].equals(unaided_reads(settings(), "m", units, ["0", "1"], observed, 1)["score"])


def model_of(units: pd.DataFrame, right: float, seed: int = 3) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    truth = units["label"].to_numpy(int)
    shown = np.where(generator.random(len(units)) < right, truth, 1 - truth)
    positive = np.where(shown == 1, 0.8, 0.1)
    return pd.DataFrame(
        {"unit_id": units["unit_id"], "label": units["label"], "p_0": 1 - positive, "p_1": positive, "call": shown}
    ).astype({"call": str})


def test_aided_reads_move_towards_the_model_with_reliance() -> None:
    units, observed = cohort(2000)
    model = model_of(units, right=0.95)
    accuracy = []
    for reliance in (0.0, 0.3, 0.6, 1.0):
        chosen = settings({"junior": {"readers": 5, "auc": 0.65, "reliance": reliance}})
        unaided = unaided_reads(chosen, "malignant", units, ["0", "1"], observed, 0)
        aided = aided_reads(unaided, model, chosen, PREVALENCE, 0)
        label = aided["unit_id"].str[1:].astype(int) % 2
        accuracy.append((aided["call"].astype(int) == label).mean())
        if reliance == 0:
            own = unaided.sort_values(["reader_id", "unit_id"], ignore_index=True)
            assert (aided["call"] == own["call"]).all()
            assert (aided["seconds"] > own["seconds"]).all()
    assert accuracy == sorted(accuracy)
    assert accuracy[0] < 0.7
    assert accuracy[-1] == pytest.approx(0.95, abs=0.01)


def test_over_reliance_makes_readers_worse_where_the_model_is_wrong() -> None:
    units, observed = cohort(2000)
    model = model_of(units, right=0.8)
    wrong_right = []
    for over_reliance in (0.0, 0.5):
        group = {"readers": 5, "auc": 0.85, "reliance": 0.2, "over_reliance": over_reliance}
        chosen = settings({"senior": group})
        unaided = unaided_reads(chosen, "malignant", units, ["0", "1"], observed, 0)
        aided = aided_reads(unaided, model, chosen, PREVALENCE, 0)
        assert aided["followed"].mean() == pytest.approx(over_reliance, abs=0.02)
        counted = switch_rates(unaided, aided, model).set_index("model")
        assert counted["reads"].sum() == len(unaided)
        moved = counted["wrong_to_right"] - counted["right_to_wrong"]
        assert (counted["right_unaided"] + moved == counted["right_aided"]).all()
        assert counted.loc["wrong", "right_aided"] < counted.loc["wrong", "right_unaided"]
        assert counted.loc["right", "right_aided"] > counted.loc["right", "right_unaided"]
        wrong_right.append(counted.loc["wrong", "right_aided"] / counted.loc["wrong", "reads"])
    # Half of the reads take the wrong call over, the other half is as without over-reliance.
    assert wrong_right[1] == pytest.approx(wrong_right[0] / 2, abs=0.03)


def test_settings_that_contradict_the_model_are_refused() -> None:
    with pytest.raises(ValidationError, match="must be 1"):
        VarianceComponents(case=0.5, reader_case=0.5, error=0.5)
    with pytest.raises(ValidationError, match="auc"):
        settings({"junior": {"readers": 2, "auc": 0.4}})
