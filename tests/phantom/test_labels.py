import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from isthmus.phantom.features import FEATURES
from isthmus.phantom.findings import draw_findings
from isthmus.phantom.labels import change_labels, draw_classes, true_probabilities
from isthmus.phantom.latents import RENDERED, rendered_columns
from isthmus.phantom.patients import draw_nodules
from isthmus.phantom.preset import Preset, load_preset, presets

DRAWS = 60_000


def terms(nodules: pd.DataFrame, names: list[str]) -> np.ndarray:
    return np.column_stack(
        [FEATURES[name].value(*(nodules[column].to_numpy() for column in FEATURES[name].columns)) for name in names]
    )


def test_features_read_latents_age_and_sex_alone() -> None:
    known = {column for modality in RENDERED for column in rendered_columns(modality)} | {"age_years", "sex"}
    assert {column for feature in FEATURES.values() for column in feature.columns} <= known | {"punctate_elsewhere"}


def test_one_nodules_probabilities_are_those_worked_out_by_hand() -> None:
    content = load_preset("three-class").model_dump()
    content["target"]["coefficients"] = {"NMTN": {"male": 0.5}, "MMTN": {"male": 1.0, "age": -0.2}}
    preset = Preset.model_validate(content)
    nodules = draw_nodules(preset, 500, 1)
    # With the features' effects taken out, what is left of the log odds is each site's intercept.
    odds = np.log(nodules["p_true_MMTN"] / nodules["p_true_BTN"])
    left = odds - (nodules["sex"] == "M") * 1.0 + 0.2 * (nodules["age_years"] - 50) / 10
    assert left.groupby(nodules["site"], observed=True).std().max() < 1e-9


@pytest.mark.parametrize("name", list(presets()))
def test_probabilities_sum_to_one_and_keep_each_sites_class_shares(name: str) -> None:
    preset = load_preset(name)
    nodules = draw_nodules(preset, DRAWS, seed=21)
    chances = true_probabilities(preset, nodules)
    assert np.allclose(chances.sum(axis=1), 1)
    for site, plan in preset.sites.items():
        there = (nodules["site"] == site).to_numpy()
        stated = np.array(list(plan.classes.values()))
        error = chances[there].std(axis=0) / np.sqrt(there.sum()) + 0.0015
        assert (np.abs(chances[there].mean(axis=0) - stated) < 4 * error).all(), (site, chances[there].mean(axis=0))


@pytest.mark.parametrize("name", ["stills", "ceus-olnm", "three-class"])
def test_an_independent_logistic_regression_finds_the_coefficients(name: str) -> None:
    preset = load_preset(name)
    nodules = draw_nodules(preset, DRAWS, seed=22)
    label = draw_classes(true_probabilities(preset, nodules), np.random.default_rng(1))
    names = sorted({name for model in preset.target.coefficients.values() for name in model})
    sites = pd.get_dummies(nodules["site"]).to_numpy(float)
    inputs = np.column_stack([terms(nodules, names), sites])
    wide = inputs.std(axis=0)
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, max_iter=2000).fit(inputs / wide, label)
    found = fitted.coef_ / wide
    found = found if len(preset.classes) == 2 else (found - found[0])[1:]
    for place, (code, model) in enumerate(preset.target.coefficients.items(), start=1):
        # Standard errors by Fisher's information of this class against the first.
        pair = np.isin(label, [0, place])
        chance = true_probabilities(preset, nodules.loc[pair])[:, [0, place]]
        chance = chance[:, 1] / chance.sum(axis=1)
        information = (inputs[pair] * (chance * (1 - chance))[:, None]).T @ inputs[pair]
        errors = np.sqrt(np.diag(np.linalg.inv(information)))
        stated = np.array([model.get(name, 0.0) for name in names])
        assert (np.abs(found[place - 1][: len(names)] - stated) < 4.5 * errors[: len(names)]).all(), code


@pytest.mark.parametrize("name", list(presets()))
def test_each_class_keeps_the_means_that_its_findings_were_drawn_with(name: str) -> None:
    """The likelihood equations of logistic regression: sum of p x = sum of y x for every term x."""
    preset = load_preset(name)
    nodules = draw_nodules(preset, DRAWS, seed=23)
    names = [term for term in next(iter(preset.target.coefficients.values())) if term not in ("age", "male")]
    values = terms(nodules, names)
    for place, (code, chain) in enumerate(preset.target.groups.items()):
        drawn = draw_findings(
            np.full(20_000, place), list(preset.target.groups.values()), 24, calcified=preset.calcified
        )
        wanted, spread = terms(drawn, names).mean(axis=0), values.std(axis=0)
        weights = nodules[f"p_true_{code}"].to_numpy()
        found = weights @ values / weights.sum()
        assert (np.abs(found - wanted) / spread < 0.08).all(), dict(zip(names, (found - wanted) / spread, strict=True))
        assert chain


def test_changed_labels_are_as_many_as_stated_and_never_stay() -> None:
    before = np.repeat([0, 1, 2], 4000)
    after = before.copy()
    changed = change_labels(after, 3, 0.1, np.random.default_rng(3))
    assert np.array_equal(changed, before != after)
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert np.bincount((after - before)[changed] % 3)[1:] == pytest.approx([600, 600], abs=80)


def test_classes_are_drawn_in_their_shares() -> None:
    chances = np.tile([0.2, 0.0, 0.8], (20_000, 1))
    assert np.bincount(draw_classes(chances, np.random.default_rng(0))) / 20_000 == pytest.approx(chances[0], abs=0.01)
