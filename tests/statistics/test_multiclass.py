"""Several classes: against pROC, against two classes, and with intervals."""

import numpy as np
import pytest
from scipy.stats import norm

from isthmus.statistics.multiclass import compare_several_classes, hand_till, macro_auc, one_vs_rest_aucs
from isthmus.statistics.roc import auc, auc_interval
from tests.statistics.cases import i, labels, pairs, scores_a, scores_b

classes = ["benign", "local", "spread"]
codes = (i * 7) % 3
truth = np.array(classes)[codes]
raw = np.stack([(i * k % m) / m + 0.3 * (codes == c) for c, (k, m) in enumerate([(37, 101), (53, 97), (29, 89)])], 1)
probabilities = raw / raw.sum(axis=1, keepdims=True)


def test_hand_till_equals_proc() -> None:
    # pROC 1.18: multiclass.roc(factor(y3), q)$auc with the same y3 and q
    result = hand_till(truth, probabilities, classes, pairs, replicates=300)
    assert result.estimate == pytest.approx(0.801354166667, rel=1e-11)
    assert result.low < result.estimate < result.high
    assert "300 group bootstraps" in result.method


def test_two_classes_are_the_plain_auc() -> None:
    two = np.stack([-scores_a, scores_a], axis=1)
    result = hand_till(labels, two, [False, True], replicates=20)
    assert result.estimate == pytest.approx(auc(labels, scores_a), rel=1e-13)
    assert macro_auc(labels, two, [False, True], replicates=20).estimate == pytest.approx(result.estimate, rel=1e-13)


def test_one_versus_rest_and_their_mean() -> None:
    each = one_vs_rest_aucs(truth, probabilities, classes, pairs)
    assert each["local"] == auc_interval(truth == "local", probabilities[:, 1], pairs)
    macro = macro_auc(truth, probabilities, classes, pairs, replicates=300)
    assert macro.estimate == pytest.approx(np.mean([interval.estimate for interval in each.values()]), rel=1e-13)
    assert macro == macro_auc(truth, probabilities, classes, pairs, replicates=300)


def test_a_class_that_replicates_may_lose_is_counted() -> None:
    y = np.array(["a"] * 10 + ["b"] * 10 + ["c"])
    p = np.full((21, 3), 1 / 3) + np.linspace(0, 0.01, 21)[:, None] * [1, -1, 0]
    assert "replicates had no answer" in hand_till(y, p, ["a", "b", "c"], replicates=200).note


def test_labels_and_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="class 'spread' has no case"):
        hand_till(truth[truth != "spread"], probabilities[truth != "spread"], classes)
    with pytest.raises(ValueError, match="row 0 is"):
        hand_till(np.r_[["other"], truth[1:]], probabilities, classes)
    with pytest.raises(ValueError, match=r"\[N, K\]"):
        hand_till(truth, probabilities[:, :2], classes)


def test_arms_are_compared_on_the_same_resamplings() -> None:
    other = np.roll(probabilities, 7, axis=0)
    found = compare_several_classes(truth, probabilities, other, classes, pairs, replicates=400)
    for name, plain in (("macro_auc", macro_auc), ("hand_till", hand_till)):
        a, b = (plain(truth, values, classes, pairs, replicates=400) for values in (probabilities, other))
        assert found[name].difference.estimate == pytest.approx(a.estimate - b.estimate)
        assert found[name].p == pytest.approx(2 * norm.cdf(-abs(found[name].statistic)))
        # Two rankings of the same cases by chance are all but independent: the variances add.
        spread = np.hypot(a.high - a.low, b.high - b.low)
        assert found[name].difference.high - found[name].difference.low == pytest.approx(spread, rel=0.25)


def test_two_classes_are_compared_as_proc_bootstraps_them() -> None:
    # pROC 1.18: roc.test(r1, r2, method = "bootstrap", boot.n = 20000): D = 1.644283 (stratified)
    one, other = (np.stack([-s, s], axis=1) for s in (scores_a, scores_b))
    found = compare_several_classes(labels, one, other, [False, True], replicates=6000)
    assert found["macro_auc"].statistic == pytest.approx(1.644283, rel=0.03)
    assert found["hand_till"].statistic == pytest.approx(found["macro_auc"].statistic, rel=1e-9)


def test_identical_arms_differ_by_nothing_with_p_one() -> None:
    found = compare_several_classes(truth, probabilities, probabilities, classes, replicates=50)
    assert [(c.difference.estimate, c.p) for c in found.values()] == [(0.0, 1.0)] * 2


def test_constant_probabilities_are_chance_and_a_nan_is_named() -> None:
    constant = np.full((120, 3), 1 / 3)
    for measure in (macro_auc, hand_till):
        found = measure(truth, constant, classes, replicates=50)
        assert (found.estimate, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    broken = probabilities.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3 is nan"):
        compare_several_classes(truth, probabilities, broken, classes)
