from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from isthmus.errors import CohortError
from isthmus.phantom import frequencies
from isthmus.phantom.expected_auc import expected_auc
from isthmus.phantom.labels import draw_classes
from isthmus.phantom.observers import Observers, fit_observers, observer_names, shown_columns
from isthmus.phantom.patients import draw_population
from isthmus.phantom.preset import Preset, load_preset

DRAWS = 30_000


@pytest.fixture(scope="module")
def olnm() -> Observers:
    return fit_observers(load_preset("ceus-olnm"), DRAWS)


@pytest.fixture(scope="module")
def multimodal() -> Observers:
    return fit_observers(load_preset("multimodal").model_copy(update={"missing": {}}), DRAWS)


def test_the_expected_auc_of_certain_labels_is_scikit_learns() -> None:
    random = np.random.default_rng(2)
    label, score = random.integers(0, 2, 500), np.round(random.normal(size=500), 1)
    assert expected_auc(score, label.astype(float), np.arange(500))[0] == pytest.approx(roc_auc_score(label, score))


def test_the_expected_auc_is_the_mean_over_drawn_labels_and_its_error_their_spread() -> None:
    random = np.random.default_rng(3)
    found, errors, drawn = [], [], []
    for _ in range(200):
        score = random.normal(size=400)
        chance = 1 / (1 + np.exp(-1.5 * score))
        auc, error = expected_auc(score, chance, np.arange(400))
        found.append(auc)
        errors.append(error)
        drawn.append(roc_auc_score(random.random(400) < chance, score))
    assert np.mean(found) == pytest.approx(np.mean(drawn), abs=0.003)
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.15)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Preset]:
    """Two classes that differ in two normal findings only: height to width (every picture), arrival (CEUS alone)."""
    rows = dict(frequencies._rows())
    rows["arrival_s", "toy_positive"] = {"mean": 1.0}
    rows["arrival_s", "benign"] = {"mean": 0.0}
    rows["height_to_width", "benign"] = {"taller_than_wide": float(norm.cdf(-0.8))}
    rows["height_to_width", "toy_positive"] = {"taller_than_wide": float(norm.cdf(0.0))}
    rows = {key: values for key, values in rows.items() if key[0] != "conspicuity"}
    monkeypatch.setattr(frequencies, "_rows", lambda: MappingProxyType(rows))
    content = load_preset("ceus-olnm").model_dump()
    content["target"]["groups"] = {"0": ["benign"], "1": ["toy_positive", "benign"]}
    # Equal variances: the log odds are linear, with the difference of means over the variance as coefficient.
    content["target"]["coefficients"] = {"1": {"late_arrival": 1.0, "height_to_width": 0.8 / 0.18 * 0.2}}
    return Preset.model_validate(content | {"name": "toy"})


def test_with_normal_findings_the_observers_have_the_closed_forms_auc(toy: Preset) -> None:
    """Two normal classes d' apart: AUC = Phi(d' / sqrt 2) (Green and Swets 1966); independent d' add in squares."""
    found = fit_observers(toy, 80_000).population
    closed = {"bmode": 0.8, "ceus": np.hypot(0.8, 1.0), "bmode+ceus": np.hypot(0.8, 1.0), "latents": np.hypot(0.8, 1.0)}
    for name, distance in closed.items():
        assert found[name]["auc"] == pytest.approx(norm.cdf(distance / np.sqrt(2)), abs=0.006), name


def test_olnm_observers_lie_where_the_simulation_is_meant_to_have_them(olnm: Observers) -> None:
    auc = {name: olnm.population[name]["auc"] for name in olnm.names}
    assert olnm.names == ("latents", "bmode", "ceus", "bmode+ceus")
    assert 0.70 < auc["bmode"] < 0.80
    assert 0.75 < auc["ceus"] < 0.85
    assert max(auc["bmode"], auc["ceus"]) + 0.01 < auc["bmode+ceus"] < auc["latents"]
    assert all(0 < olnm.population[name]["standard_error"] < 0.004 for name in olnm.names)


def test_more_modalities_never_show_less(multimodal: Observers) -> None:
    auc = {name: found["auc"] for name, found in multimodal.population.items()}
    for name, value in auc.items():
        assert value < auc["latents"] or name == "latents"
        for other in auc:
            if set(name.split("+")) < set(other.split("+")):
                assert value < auc[other] + 0.003, (name, other)


def test_a_sweep_shows_more_than_the_still_of_the_largest_area() -> None:
    preset = load_preset("cine-calcified")
    assert "punctate_longitudinal" not in shown_columns(preset, ["bmode"])
    assert {"punctate_elsewhere", "punctate_longitudinal"} <= set(shown_columns(preset, ["cine"]))
    found = fit_observers(preset, DRAWS).population
    assert found["bmode"]["auc"] + 0.02 < found["cine"]["auc"] < found["latents"]["auc"]


def test_several_classes_have_an_auc_each_and_their_mean() -> None:
    observers = fit_observers(load_preset("three-class"), 10_000)
    found = observers.population["bmode"]
    singles = [one["auc"] for one in found["one_vs_rest"].values()]
    assert list(found["one_vs_rest"]) == ["BTN", "NMTN", "MMTN"]
    assert found["auc"] == pytest.approx(np.mean(singles))
    nodules = draw_population(observers.preset, 200, 1).nodules
    assert np.allclose(observers.probabilities("bmode", nodules).sum(axis=1), 1)


def test_an_observers_probabilities_mean_what_they_say(olnm: Observers) -> None:
    nodules = draw_population(olnm.preset, 8_000, 77).nodules
    for name in olnm.names:
        chance = olnm.probabilities(name, nodules)[:, 1]
        tenth = pd.qcut(chance, 10, labels=False)
        truth = nodules["p_true_1"].groupby(tenth).mean()
        assert truth.to_numpy() == pytest.approx(pd.Series(chance).groupby(tenth).mean().to_numpy(), abs=0.03), name


def test_the_populations_auc_is_that_of_drawn_labels(olnm: Observers) -> None:
    nodules = draw_population(olnm.preset, 8_000, 78).nodules
    for name in olnm.names:
        chance = olnm.probabilities(name, nodules)
        label = draw_classes(nodules[["p_true_0", "p_true_1"]].to_numpy(), np.random.default_rng(5))
        assert roc_auc_score(label, chance[:, 1]) == pytest.approx(olnm.population[name]["auc"], abs=0.025), name


def test_an_observer_sees_nothing_that_its_modality_does_not_show(multimodal: Observers) -> None:
    nodules = draw_population(multimodal.preset, 300, 5).nodules
    hidden = {"stiffness_kpa": 150.0, "vessels_central": 0.9, "peak_db": 5.0, "age_years": 20.0, "sex": "M"}
    other = nodules.assign(**hidden, punctate_elsewhere=20, malignant="1", label_flipped=True)
    assert np.array_equal(multimodal.probabilities("bmode", nodules), multimodal.probabilities("bmode", other))
    assert not np.array_equal(multimodal.probabilities("swe", nodules), multimodal.probabilities("swe", other))


def test_where_a_modality_is_missing_the_others_speak(multimodal: Observers) -> None:
    nodules = draw_population(multimodal.preset, 300, 5).nodules.assign(has_smi=True, has_swe=False)
    joint = multimodal.probabilities("bmode+smi+swe", nodules)
    assert np.array_equal(joint, multimodal.probabilities("bmode+smi", nodules))
    assert np.isnan(multimodal.probabilities("swe", nodules)).all()


def test_observers_are_the_same_twice(olnm: Observers) -> None:
    nodules = draw_population(olnm.preset, 100, 5).nodules
    again = fit_observers(load_preset("ceus-olnm"), DRAWS)
    assert again.population == olnm.population
    assert np.array_equal(again.probabilities("bmode+ceus", nodules), olnm.probabilities("bmode+ceus", nodules))


def test_readers_see_no_more_than_their_observer(multimodal: Observers) -> None:
    readers = multimodal.preset.readers
    assert readers is not None
    best = multimodal.population[readers.observer]["auc"]
    assert max(group.auc for group in readers.groups.values()) < best


def test_an_unknown_observer_is_refused(olnm: Observers) -> None:
    assert observer_names(olnm.preset) == olnm.names
    with pytest.raises(CohortError, match="no observer is called 'swe'"):
        olnm.probabilities("swe", draw_population(olnm.preset, 3, 1).nodules)
