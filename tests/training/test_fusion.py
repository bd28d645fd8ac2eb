"""The head of a fused model: what it computes, what it does with absent members, and what it refuses."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from isthmus.errors import InputError, ProtocolError
from isthmus.statistics.roc import auc
from isthmus.training.fusion import FusionSettings, fit_head, fit_heads
from isthmus.training.fusion_classifiers import CLASSIFIERS
from isthmus.training.lasso import LassoSettings
from tests.training.made_features import COLUMNS, IMAGE, Made, made_features

PLAIN = FusionSettings(correlation=None, lasso=None)
QUICK = FusionSettings(lasso=LassoSettings(cv=3, count=10))


def fitted(made: Made, settings: FusionSettings = QUICK, classifier: str = "logistic", seed: int = 0):
    return fit_head(made.features, made.labels, made.groups, COLUMNS, classifier, settings, seed)


def test_a_logistic_head_is_the_weighted_ridge_regression_of_z_scores_less_the_prior_shift() -> None:
    made = made_features()
    z = (made.features - made.features.mean(0)) / made.features.std(0)
    share = made.labels.mean()
    weights = np.where(made.labels == 1, 0.5 / share, 0.5 / (1 - share))

    def penalised(beta: np.ndarray) -> float:
        linear = beta[0] + z @ beta[1:]
        return float((weights * (np.logaddexp(0, linear) - made.labels * linear)).sum() + beta[1:] @ beta[1:] / 2)

    beta = minimize(penalised, np.zeros(z.shape[1] + 1), tol=1e-12).x
    expected = expit(beta[0] + z @ beta[1:] + logit(share))
    np.testing.assert_allclose(fitted(made, PLAIN).head.probabilities(made.features), expected, atol=2e-5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_finds_the_signal_at_the_sample_s_prevalence(name: str) -> None:
    made, new = made_features(90, signal=1.5), made_features(90, seed=1, signal=1.5)
    new_features = new.features - new.features.mean(0) + made.features.mean(0)
    head = fitted(made, QUICK, name).head
    assert auc(new.labels, head.probabilities(new_features)) > 0.75
    assert abs(head.probabilities(made.features).mean() - made.labels.mean()) < 0.1


@pytest.mark.parametrize("name", ["svm", "xgboost", "lightgbm", "mlp"])
def test_the_same_input_and_seed_give_the_same_bytes(name: str) -> None:
    made = made_features(40)
    once, again = (fitted(made, QUICK, name, seed=7).head.probabilities(made.features) for _ in range(2))
    assert once.tobytes() == again.tobytes()


def test_several_classifiers_share_one_selection_and_are_those_fitted_alone() -> None:
    made = made_features()
    both = fit_heads(made.features, made.labels, made.groups, COLUMNS, ["knn", "logistic"], QUICK, 0)
    alone = fitted(made)
    assert both["knn"].head.names == both["logistic"].head.names == alone.head.names
    assert both["logistic"].path == alone.path
    np.testing.assert_array_equal(
        both["logistic"].head.probabilities(made.features), alone.head.probabilities(made.features)
    )


def test_constant_and_repeated_features_are_dropped_and_counted() -> None:
    made = made_features()
    made.features[:, 3] = 1e6
    made.features[:, 5] = 2 * made.features[:, 4] + 1
    found = fitted(made, FusionSettings(lasso=None))
    assert found.path["counts"] | {"examples": 60, "positives": 18, "groups": 48} == found.path["counts"]
    assert (found.path["counts"]["constant"], found.path["counts"]["correlated"]) == (1, 1)
    assert set(COLUMNS) - set(found.head.names) == {"image:3", "image:5"}


def test_principal_components_are_those_of_an_eigendecomposition() -> None:
    made = made_features()
    head = fitted(made, FusionSettings(correlation=None, pca=4, lasso=None)).head
    z = (made.features - made.features.mean(0)) / made.features.std(0)
    largest = np.linalg.eigvalsh(np.corrcoef(made.features, rowvar=False))[::-1][:4]
    scores = head.transform(made.features)
    np.testing.assert_allclose(scores.var(axis=0), largest, rtol=1e-9)
    np.testing.assert_allclose(z @ head.rotation.T, scores, atol=1e-9)
    assert head.names == tuple(f"component:{index}" for index in range(4))


class TestAbsentMembers:
    @pytest.fixture
    def made(self) -> Made:
        made = made_features(80)
        made.features[::5, IMAGE : IMAGE + 8] = np.nan
        return made

    def test_stand_at_their_training_mean_with_an_indicator(self, made: Made) -> None:
        head = fitted(made, PLAIN).head
        assert head.names[-1] == "absent:ceus"
        seen = head.transform(made.features)
        assert (seen[::5, IMAGE : IMAGE + 8] == 0).all()
        assert len(set(seen[:, -1])) == 2
        there = made.features[np.arange(80) % 5 > 0, IMAGE]
        np.testing.assert_allclose(head.means[IMAGE], there.mean())
        np.testing.assert_allclose(head.deviations[IMAGE], there.std())
        assert np.isfinite(head.probabilities(made.features)).all()

    def test_or_are_neither_fitted_on_nor_scored(self, made: Made) -> None:
        found = fitted(made, PLAIN.model_copy(update={"where_absent": "leave_out"}))
        assert found.path["counts"]["left_out"] == 16
        np.testing.assert_array_equal(np.isnan(found.head.probabilities(made.features)), np.arange(80) % 5 == 0)

    def test_a_clinical_value_that_is_absent_has_an_indicator_of_its_own(self, made: Made) -> None:
        made.features[:9, -1] = np.nan
        made.features[11, -2] = np.nan  # too rare for one
        head = fitted(made, PLAIN).head
        assert [name for name, _ in head.indicators] == ["absent:ceus", "absent:clinical:size_mm"]
        assert np.isfinite(head.probabilities(made.features)).all()

    def test_who_has_no_member_at_all_is_not_scored(self, made: Made) -> None:
        head = fitted(made).head
        assert np.isnan(head.probabilities(np.full((1, len(COLUMNS)), np.nan))).all()


def test_more_features_than_patients_are_fitted_and_the_selection_is_no_larger_than_the_patients() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(24) % 3 == 0
    features = random.normal(size=(24, 200))
    columns = [f"image:{i}" for i in range(200)]
    found = fit_head(features, labels, np.arange(24).astype(str), columns, "svm", QUICK, 0)
    assert len(found.head.names) < 24
    assert np.isfinite(found.head.probabilities(features)).all()


def test_what_cannot_be_fitted_is_refused_in_one_sentence() -> None:
    made = made_features(20)
    arguments = (COLUMNS, "logistic", QUICK, 0)
    with pytest.raises(InputError, match=r"0 groups of the positive class and 16 of the other"):
        fit_head(made.features, np.zeros(20), made.groups, *arguments)
    with pytest.raises(InputError, match="no feature varies"):
        fit_head(np.ones_like(made.features), made.labels, made.groups, *arguments)
    with pytest.raises(InputError, match=r"\[20, 21\]; expected \[N, 22\]"):
        fit_head(made.features[:, 1:], made.labels, made.groups, *arguments)
    with pytest.raises(InputError, match="one label and one group a row"):
        fit_head(made.features, made.labels[1:], made.groups, *arguments)
    with pytest.raises(InputError, match="neither 0 nor 1"):
        fit_head(made.features, made.labels + 1, made.groups, *arguments)
    with pytest.raises(ProtocolError, match="unknown classifier of fused features 'perceptron'"):
        fit_head(made.features, made.labels, made.groups, COLUMNS, "perceptron", QUICK, 0)
    made.features[3, 2] = np.inf
    with pytest.raises(InputError, match="column 'image:2'"):
        fit_head(made.features, made.labels, made.groups, *arguments)
