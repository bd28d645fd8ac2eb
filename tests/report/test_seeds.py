"""Seeds as random readers: published figures through this path, the laws of it, and its type I error."""

import numpy as np
import pandas as pd
import pytest

from isthmus.report.evidence import compute_evidence
from isthmus.report.named_contrasts import NamedContrast
from isthmus.report.seeds import seeds_evidence
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.power import PlanningValues, power
from isthmus.statistics.multi_reader.study import ReaderStudy
from tests.report.made_seeds import made_seeds
from tests.statistics.multi_reader.studies import van_dyke

PRIMARY = NamedContrast(1, "primary", "the primary contrast", "a", "b")
SECOND = NamedContrast(2, "secondary", "the second", "b", "c")


def van_dyke_as_seeds() -> pd.DataFrame:
    """Return Van Dyke's ratings as a predictions table: the five readers are seeds, the two conditions arms."""
    study = van_dyke()
    return pd.concat(
        pd.DataFrame(
            {"target": "dissection", "cohort": "van_dyke", "arm": condition, "candidate": "default", "split": "test"}
            | {"seed": int(reader), "fold": 0, "unit": "patient", "unit_id": study.cases, "group_id": study.cases}
            | {"label": np.where(study.truth, "1", "0"), "call": "", "score": study.scores[j, i]}
        )
        for j, reader in enumerate(study.readers)
        for i, condition in enumerate(study.conditions)
    )


def test_van_dykes_readers_taken_as_seeds_give_the_published_analysis() -> None:
    contrast = NamedContrast(1, "primary", "spin echo or cine", "se", "cine")
    found = seeds_evidence(van_dyke_as_seeds(), [contrast])
    (entry,) = found["contrasts"]
    # MRMCaov 0.3.0: summary(mrmc(empirical_auc(truth, rating), treatment, reader, case, VanDyke, cov = DeLong))
    assert [entry[name] for name in ("difference", "low", "high")] == pytest.approx(
        [0.04380032, -0.0002665519, 0.0878671960], abs=5e-9
    )
    assert entry["p"] == pytest.approx(0.05123303, rel=3e-7)
    assert entry["verdict"] == "inconclusive"
    assert entry["seeds_as"] == "random"
    means = {one["arm"]: one["auc"]["estimate"] for one in found["arms"]}
    assert means == pytest.approx({"se": 0.9408374, "cine": 0.8970370}, abs=5e-8)
    # The reach inverts the power that tests/statistics/multi_reader/test_power.py holds against RJafroc.
    values = PlanningValues.of(obuchowski_rockette(van_dyke()))
    assert power(values, entry["reach"]["detectable"], 5, 114).power == pytest.approx(0.8, abs=1e-6)
    assert power(values, 0.02, 5, 114).power == pytest.approx(entry["reach"]["power"])


def test_every_pair_has_its_own_error_term_and_each_arm_its_own_mean() -> None:
    rows = made_seeds({"a": 1.0, "b": 0.9, "c": 0.4})
    found = seeds_evidence(rows, [PRIMARY, SECOND])
    both = rows[rows["arm"].isin(["a", "b"])]
    study = ReaderStudy.from_rows(
        both["p_1"], both["seed"], both["arm"], both["unit_id"], both["label"] == "1", both["group_id"]
    )
    expected = obuchowski_rockette(study, ("a", "b")).comparisons[0].as_dict()
    entry = found["contrasts"][0]
    assert [entry[name] for name in ("difference", "low", "high", "p")] == [
        expected[name] for name in ("difference", "low", "high", "p")
    ]
    assert [one["difference"] for one in entry["by_seed"]] == pytest.approx(
        [one["a"] - one["b"] for one in entry["by_seed"]]
    )
    assert sum(entry["shares"].values()) == pytest.approx(1)
    names = [(one["a"], one["b"], one["order"], one["confirmatory"]) for one in found["contrasts"]]
    first = entry["p"] < 0.05
    assert names == [("a", "b", 1, True), ("b", "c", 2, first), ("a", "c", None, None)]
    assert found["contrasts"][2]["p_holm"] == pytest.approx(found["contrasts"][2]["p"])


def test_the_variance_of_the_difference_is_the_sum_of_its_shares() -> None:
    entry = seeds_evidence(made_seeds({"a": 1.0, "b": 0.9}), [PRIMARY])["contrasts"][0]
    parts, seeds = entry["components"], 5
    shared = max(parts["cov2"] - parts["cov3"], 0)
    own = parts["interaction"] + parts["error"] - parts["cov1"] - shared
    error = (entry["difference"] / entry["statistic"]) ** 2
    assert parts["interaction"] > 0
    assert error == pytest.approx(2 / seeds * (own + seeds * shared))
    assert entry["shares"]["cases"] == pytest.approx(2 * shared / error)


def test_a_seeds_model_is_the_mean_of_its_fold_models() -> None:
    rows = made_seeds({"a": 1.0, "b": 0.9})
    step = np.minimum(rows["p_1"], 1 - rows["p_1"]) / 2
    folds = [
        rows.assign(fold=fold, p_1=rows["p_1"] + sign * step, p_0=rows["p_0"] - sign * step)
        for fold, sign in ((0, 1), (1, -1))
    ]
    one, several = (seeds_evidence(part, [PRIMARY])["contrasts"][0] for part in (rows, pd.concat(folds)))
    assert several["difference"] == pytest.approx(one["difference"])
    assert several["p"] == pytest.approx(one["p"])


def test_fewer_than_five_seeds_are_fixed_and_it_is_said() -> None:
    entry = seeds_evidence(made_seeds({"a": 1.0, "b": 0.9}, seeds=range(3)), [PRIMARY])["contrasts"][0]
    assert (entry["seeds_as"], entry["reach"]["seeds_needed"]) == ("fixed", None)
    assert entry["shares"]["seeds"] == 0
    assert "3 seeds: fewer than 5 cannot stand for training anew" in entry["notes"][-1]
    assert not any("reader" in note for note in entry["notes"])


def test_missing_seeds_and_cases_are_left_out_in_words_of_seeds() -> None:
    rows = made_seeds({"a": 1.0, "b": 0.9}, seeds=range(6))
    rows = rows[
        ~((rows["arm"] == "a") & (rows["seed"] == 5)) & ~((rows["arm"] == "b") & (rows["unit_id"] < "test0004"))
    ]
    entry = seeds_evidence(rows, [PRIMARY])["contrasts"][0]
    assert (entry["seeds"], entry["n"]) == (5, 116)
    assert entry["notes"] == [
        "one of the two arms lacks seed 5, which is left out",
        "4 of 120 cases are not scored by every seed of both",
    ]


def test_sets_met_by_one_seed_and_folds_that_each_seed_deals_anew_have_nothing_to_say() -> None:
    assert seeds_evidence(made_seeds({"a": 1.0, "b": 0.9}, seeds=(0,)), [PRIMARY]) == {}
    assert seeds_evidence(made_seeds({"a": 1.0, "b": 0.9}, split="cv"), [PRIMARY]) == {}


def test_a_table_with_seeds_is_analysed_so_and_repeated_seeds_narrow_nothing() -> None:
    once = made_seeds({"a": 1.0, "b": 0.7}, seeds=(0,))
    five = pd.concat([once.assign(seed=seed) for seed in range(5)], ignore_index=True)
    one, many = (compute_evidence(rows, primary={"arm": "a", "against": "b"}, bootstrap=50) for rows in (once, five))
    assert "seeds" not in one
    entry, alone = many["seeds"]["contrasts"][0], one["comparisons"][0]
    assert [entry[name] for name in ("difference", "low", "high", "p")] == pytest.approx(
        [alone[name] for name in ("difference", "low", "high", "p")]
    )
    assert many["comparisons"][0]["p"] == pytest.approx(alone["p"], rel=1e-3)  # by influence values: n/(n-1) is another
    for arm in ("a", "b"):
        first, stacked = (found["arms"][arm]["test"] for found in (one, many))
        assert first["n"] == stacked["n"]
        for measure in ("auc", "sensitivity", "specificity", "accuracy", "brier", "calibration_slope", "f1"):
            for end in ("estimate", "low", "high"):
                assert stacked[measure][end] == pytest.approx(first[measure][end], abs=0.02), (measure, end)
        parts = [found["probabilities"]["splits"]["test"][arm]["brier_parts"] for found in (one, many)]
        assert parts[1] == pytest.approx(parts[0])
    curves = [found["decision_curves"]["splits"]["test"][0]["differences"][0] for found in (one, many)]
    assert curves[1]["groups"] == curves[0]["groups"]


def test_under_no_difference_one_in_twenty_is_shown() -> None:
    """400 studies of 5 seeds and 60 patients, seeds differing: 0.05 +- 3 standard errors of 0.011."""
    random = np.random.default_rng(8)
    truth, patients = np.arange(120) % 5 < 2, np.arange(120) // 2
    names = tuple("12345"), ("a", "b"), tuple(str(unit) for unit in range(120))
    shown = 0
    for _ in range(400):
        strength = 0.8 + 0.15 * random.normal(size=(5, 2, 1))
        hard = random.normal(size=120) + 0.5 * random.normal(size=60)[patients] + 0.5 * random.normal(size=(1, 2, 120))
        scores = strength * (2.0 * truth - 1) + hard + 0.3 * random.normal(size=(5, 2, 120))
        shown += obuchowski_rockette(ReaderStudy(scores, truth, patients, *names)).overall.p < 0.05
    assert 0.017 <= shown / 400 <= 0.083
