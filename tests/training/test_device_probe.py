"""Which device made a picture, told by an embedding or by the label alone."""

import numpy as np
from sklearn.metrics import roc_auc_score

from isthmus.training.device_probe import shares_of, told_devices


def _views(seed, shift, columns=300):
    random = np.random.default_rng(seed)
    names = np.array([["A", "B", "C"][row % 3] for row in range(90)], object)
    values = random.standard_normal((90, columns))
    for place, name in enumerate("ABC"):
        values[names == name, place] += shift
    return values, names


def test_devices_that_differ_in_the_embedding_are_told_apart_with_more_columns_than_views():
    (learnt, names), (tried, truth) = _views(0, 3.0), _views(1, 3.0)
    found = told_devices(learnt, names, tried, ["A", "B", "C"])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert roc_auc_score(truth.astype(str), found, multi_class="ovr") > 0.85


def test_devices_that_do_not_differ_are_not_told_apart():
    aucs = []
    for seed in range(4):
        (learnt, names), (tried, truth) = _views(2 * seed, 0.0), _views(2 * seed + 1, 0.0)
        found = told_devices(learnt, names, tried, ["A", "B", "C"])
        aucs.append(roc_auc_score(truth.astype(str), found, multi_class="ovr"))
    assert 0.42 < np.mean(aucs) < 0.58


def test_the_scale_of_a_column_means_nothing_and_a_constant_one_does_no_harm():
    (learnt, names), (tried, _) = _views(0, 2.0, 20), _views(1, 2.0, 20)
    plain = told_devices(learnt, names, tried, ["A", "B", "C"])
    scales = np.concatenate([10.0 ** np.arange(-3, 13), [1.0] * 4])
    scaled, other = (np.column_stack([values * scales, np.full(90, 7.0)]) for values in (learnt, tried))
    np.testing.assert_allclose(told_devices(scaled, names, other, ["A", "B", "C"]), plain, atol=1e-6)


def test_a_device_that_was_hardly_seen_is_never_told_and_without_any_all_are_alike():
    (learnt, names), (tried, _) = _views(0, 2.0, 5), _views(1, 2.0, 5)
    few = names.copy()
    few[few == "C"] = "A"
    few[2] = "C"
    assert (told_devices(learnt, few, tried, ["A", "B", "C"])[:, 2] == 0).all()
    assert (told_devices(learnt[:3], names[:3], tried, ["A", "B", "C"]) == 1 / 3).all()
    assert (told_devices(np.ones((90, 4)), names, np.ones((2, 4)), ["A", "B", "C"]) == 1 / 3).all()


def test_what_one_column_tells_of_another_is_a_table_of_shares():
    device = np.array(["A", "A", "A", "B"], object)
    label = np.array(["0", "1", "1", "1"], object)
    found = shares_of(device, label, np.array(["0", "1", "never"], object), ["A", "B"])
    np.testing.assert_allclose(found, [[1, 0], [2 / 3, 1 / 3], [3 / 4, 1 / 4]])
