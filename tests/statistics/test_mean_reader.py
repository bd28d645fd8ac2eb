import numpy as np
import pytest

from isthmus.statistics.inputs import as_groups
from isthmus.statistics.matched_point import matched_points
from isthmus.statistics.mean_reader import model_less_mean_reader, proportions_of_groups
from isthmus.statistics.multi_reader.standalone import model_against_readers
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.proportions import compare_paired_proportions
from isthmus.statistics.roc import clustered_auc


def made(readers=6, cases=80, seed=0):
    random = np.random.default_rng(seed)
    truth = np.arange(cases) % 2 == 0
    hard = random.normal(size=cases)
    model = truth + hard + random.normal(size=cases)
    scores = 0.8 * truth + hard + random.normal(size=(readers, cases)) + random.normal(0, 0.3, (readers, 1)) * truth
    return truth, model, scores, np.arange(cases) // 2


@pytest.mark.parametrize("readers", [3, 6])
def test_the_auc_test_is_the_single_treatment_test_of_the_multi_reader_package(readers):
    truth, model, scores, groups = made(readers)
    figures, covariance = clustered_auc(truth, np.vstack([scores, model]), groups)
    found = model_less_mean_reader(figures, covariance)
    named = [f"c{case:03d}" for case in range(80)]
    names = [f"r{reader}" for reader in range(readers)]
    study = ReaderStudy.from_rows(
        scores.ravel(), np.repeat(names, 80), ["x"] * scores.size, np.tile(named, readers), np.tile(truth, readers),
        np.tile(groups, readers),
    )  # fmt: skip
    expected = model_against_readers(study, model)
    assert found.readers_as == expected.readers_as == ("random" if readers >= 5 else "fixed")
    assert found.comparison.p == pytest.approx(expected.comparison.p, rel=1e-9)
    assert found.comparison.difference.low == pytest.approx(expected.comparison.difference.low, rel=1e-9)
    assert ("too few" in found.note) == (readers < 5)


def test_sensitivity_of_two_like_readers_is_the_clustered_comparison_with_one_of_them():
    truth, model, scores, groups = made(1, 400)
    calls = np.vstack([scores[0] > 0, scores[0] > 0, model > 0.5])[:, truth].astype(float)
    codes, count = as_groups(groups[truth], int(truth.sum()))
    found = model_less_mean_reader(*proportions_of_groups(calls, codes, count), groups=count).comparison
    alone = compare_paired_proportions(calls[2], calls[0], groups[truth])
    assert found.difference.estimate == pytest.approx(alone.difference.estimate)
    assert found.difference.high == pytest.approx(alone.difference.high, abs=1e-9)
    assert found.p == pytest.approx(alone.p, rel=1e-9)


def test_matched_points_are_averaged_over_readers_with_what_they_share():
    truth, model, scores, groups = made(6, 200)
    points = matched_points(truth, model, scores > 0.4, groups, replicates=300)
    gaps = points.model_sensitivity - points.reader_sensitivity
    covariance = np.pad(points.covariance_sensitivity, (0, 1))
    found = model_less_mean_reader(np.append(-gaps, 0.0), covariance).comparison
    assert found.difference.estimate == pytest.approx(gaps.mean())
    fixed = model_less_mean_reader(np.append(-gaps, 0.0), covariance, fewest_readers=99).comparison
    error = np.sqrt(points.covariance_sensitivity.mean())  # of a mean of six with their covariances
    assert fixed.difference.high - fixed.difference.estimate == pytest.approx(1.959964 * error, rel=1e-6)
    assert found.difference.high - found.difference.low > fixed.difference.high - fixed.difference.low


def test_without_variance_over_cases_there_is_no_test():
    figures, covariance = proportions_of_groups(np.ones((3, 4)), np.zeros(4, dtype=np.intp), 1)
    found = model_less_mean_reader(figures, covariance)
    assert np.isnan(found.comparison.p)
    assert "no variance" in found.comparison.difference.note
