"""A model against the mean reader: as OR-DBM MRMC with the model as a second condition, its laws, its type I error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.multi_reader.components import variance_components
from isthmus.statistics.multi_reader.inference import t_comparison
from isthmus.statistics.multi_reader.obuchowski_rockette import error_terms, obuchowski_rockette
from isthmus.statistics.multi_reader.standalone import model_against_readers
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.roc import auc, compare_aucs
from tests.statistics.multi_reader.studies import replaced, simulated, van_dyke


@given(seed=st.integers(0, 10_000), covariance=st.sampled_from(["jackknife", "delong-clustered"]))
@settings(max_examples=25, deadline=None)
def test_the_single_treatment_test_is_that_of_the_model_repeated_as_a_second_condition(
    seed: int, covariance: str
) -> None:
    # D. Chakraborty, RJafrocFrocBook, "Standalone CAD vs. Radiologists", table 2: 1T-RRRC and 2T-RRRC give the same F,
    # ddf and p in every row (4.1576797, 937.24371, 0.041726262 and the like); our two-condition test equals MRMCaov's.
    study = simulated(seed, readers=6, conditions=1)
    model = np.random.default_rng(seed).normal(size=40) + study.truth
    repeated = np.stack([np.broadcast_to(model, (6, 40)), study.scores[:, 0]], axis=1)
    two = obuchowski_rockette(
        replaced(study, scores=repeated, conditions=("model", "c0")),
        covariance=covariance,  # type: ignore[arg-type]
    )
    one = model_against_readers(study, model, covariance=covariance)  # type: ignore[arg-type]
    pair = two.comparisons[0].comparison
    assert (one.comparison.statistic, one.comparison.p) == pytest.approx((pair.statistic, pair.p), rel=1e-8)
    limits = one.comparison.difference.low, one.comparison.difference.high
    assert limits == pytest.approx((pair.difference.low, pair.difference.high), abs=1e-10)
    assert one.comparison.estimate_a == pytest.approx(auc(study.truth, model), abs=1e-14)


def test_the_test_equals_rjafroc_on_its_printed_figures() -> None:
    # D. Chakraborty, RJafrocFrocBook, "Standalone CAD vs. Radiologists", appendix, example 3 (RRRC_1T_PCL_0_2): nine
    # radiologists less CAD; varError and cov2 are those of the differences.
    of_readers = [0.69453125, 0.65, 0.80625, 0.725, 0.65982143, 0.76845238, 0.7375, 0.675, 0.675]
    gaps = np.array(of_readers)[:, None] - 0.59166667
    spread = np.where(np.eye(9, dtype=bool), 0.0053445377, 0.0030657054)
    parts = variance_components(gaps, spread[:, None, :, None])
    term = error_terms(gaps, parts, "random", "random").within[0]
    found = t_comparison(float(np.mean(of_readers)), 0.59166667, term.value / 9, term.degrees, 0.95, "1T-RRRC")
    assert (found.statistic, term.degrees, found.p) == pytest.approx((2.0390389, 937.24371, 0.041726262), rel=5e-7)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.004448434, 0.232563801), abs=5e-9)


def test_fixed_cases_are_a_t_test_of_the_readers_against_a_constant() -> None:
    study = van_dyke()
    model = study.scores[:, 1].mean(axis=0)
    result = model_against_readers(study, model, "cine", cases="fixed")
    # R 4.2: t.test(c(0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066) - 0.99017713)
    assert result.comparison.statistic == pytest.approx(3.7511, abs=1e-4)
    assert result.comparison.p == pytest.approx(0.01993, abs=1e-5)
    assert "t on 4 df" in result.comparison.method


def test_one_reader_is_the_paired_delong_test() -> None:
    study = van_dyke().of_readers(["2"])
    model = study.scores[0, 1]
    result = model_against_readers(study, model, "cine")
    expected = compare_aucs(study.truth, model, study.scores[0, 0])
    assert (result.comparison.statistic, result.comparison.p) == pytest.approx((expected.statistic, expected.p))
    assert result.by_reader[0].comparison.p == pytest.approx(expected.p)
    assert result.readers_as == "fixed"


def test_each_reader_beside_the_model_is_the_paired_test_on_clustered_cases() -> None:
    study = simulated(3, conditions=1, per_group=2)
    model = np.random.default_rng(3).normal(size=40) + study.truth
    result = model_against_readers(study, model, model="net")
    for j, own in enumerate(result.by_reader):
        expected = compare_aucs(study.truth, model, study.scores[j, 0], study.groups)
        assert (own.a, own.b) == ("net", f"r{j}")
        assert own.comparison.difference.low == pytest.approx(expected.difference.low, abs=1e-12)


def test_cases_without_a_model_score_are_left_out_and_counted() -> None:
    study = simulated(4, conditions=1)
    model = np.random.default_rng(4).normal(size=40) + study.truth
    some = np.where(np.arange(40) < 4, np.nan, model)
    result = model_against_readers(study, some)
    assert (result.n, result.notes) == (36, ("4 cases left out that model has no score for",))
    kept = np.arange(40) >= 4
    alone = replaced(
        study,
        scores=study.scores[:, :, kept],
        truth=study.truth[kept],
        groups=study.groups[kept],
        cases=study.cases[4:],
    )
    assert model_against_readers(alone, model[kept]).comparison == result.comparison


def test_a_model_that_reads_as_all_readers_do_has_no_difference() -> None:
    study = simulated(5, conditions=1)
    same = np.broadcast_to(study.scores[:1], study.scores.shape)
    result = model_against_readers(replaced(study, scores=np.array(same)), study.scores[0, 0])
    assert (result.comparison.difference.estimate, result.comparison.p) == (0, 1)


def test_degenerate_data_give_a_reason() -> None:
    study = simulated(6, conditions=1)
    none = model_against_readers(replaced(study, truth=np.zeros(40, dtype=bool)), study.scores[0, 0])
    assert np.isnan(none.comparison.p)
    assert none.notes[-1].startswith("no positive case")
    unread = model_against_readers(replaced(study, scores=np.full_like(study.scores, np.nan)), np.arange(40.0))
    assert unread.notes[-1] == "no reader read under this condition"
    constant = model_against_readers(study, np.ones(40))
    assert constant.model_figure.estimate == 0.5
    assert np.isfinite(constant.comparison.p)


def test_an_auc_of_calls_never_stands_beside_one_of_scores() -> None:
    study, model = simulated(8, conditions=1), np.random.default_rng(8).normal(size=40)
    calls = replaced(study, scores=(study.scores > 1).astype(float))
    assert "an AUC of one point must not stand beside the model's AUC" in model_against_readers(calls, model).notes[-1]
    assert "the model gives two values" in model_against_readers(study, (model > 0).astype(float)).notes[-1]
    both = model_against_readers(calls, (model > 0).astype(float))
    assert np.isfinite(both.comparison.p)


def test_wrong_use_is_refused() -> None:
    study = simulated(7)
    with pytest.raises(ValueError, match="say which one the model stands beside"):
        model_against_readers(study, np.ones(40))
    with pytest.raises(ValueError, match="one a case"):
        model_against_readers(study, np.ones(39), "c0")
    with pytest.raises(ValueError, match="a reader is called 'r1' too"):
        model_against_readers(study, np.ones(40), "c0", model="r1")


def test_type_i_error_is_near_nominal() -> None:
    # The model is one more reader drawn from the same population less his own skill: no true difference.
    rng, rejected, replicates = np.random.default_rng(2026), 0, 400
    truth = np.arange(80) % 2 == 0
    for _ in range(replicates):
        signal = rng.normal(size=80) + 1.5 * truth
        skill = 0.3 * rng.normal(size=(6, 1)) * truth
        scores = (signal + skill + rng.normal(size=(6, 80)))[:, None]
        names = tuple("abcdef"), ("x",), tuple(str(k) for k in range(80))
        study = ReaderStudy(scores, truth, np.arange(80), *names)
        rejected += model_against_readers(study, signal + rng.normal(size=80)).comparison.p < 0.05
    assert 0.02 < rejected / replicates < 0.09
