from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isthmus.errors import CohortError
from isthmus.phantom.findings import draw_findings
from isthmus.phantom.frequencies import levels, number
from isthmus.phantom.latents import RENDERED, rendered_columns
from isthmus.phantom.patients import Population, draw_nodules, draw_population
from isthmus.phantom.preset import Preset, load_preset, presets
from isthmus.tables.cohort import NODULES, PATIENTS

RANGES = {  # isthmus.phantom.latents
    "size_mm": (3, 60),
    "height_to_width": (0.4, 1.8),
    "cystic_fraction": (0, 1),
    "contrast_db": (-20, 6),
    "heterogeneity_db": (0, 4),
    "irregularity": (0, 0.35),
    "edge_mm": (0.1, 3),
    "macrocalcifications": (0, 4),
    "rim_calcification": (0, 1),
    "comet_tails": (0, 4),
    "punctate_transverse": (0, 12),
    "punctate_longitudinal": (0, 12),
    "punctate_elsewhere": (0, 20),
    "stiffness_kpa": (5, 180),
    "stiffness_variation": (0, 0.6),
    "vessels_central": (0, 1),
    "vessels_peripheral": (0, 1),
    "arrival_s": (-3, 5),
    "peak_db": (-15, 8),
    "washout": (0.4, 3),
    "rim_enhancement": (0, 1),
    "core_deficit": (0, 0.9),
}


@pytest.fixture(scope="module", params=list(presets()))
def population(request: pytest.FixtureRequest) -> Population:
    return draw_population(load_preset(request.param), 3000, seed=4)


@settings(max_examples=15, deadline=None)
@given(nodules=st.integers(1, 400), seed=st.integers(0, 2**40))
def test_a_cohort_has_exactly_the_nodules_asked_for(nodules: int, seed: int) -> None:
    drawn = draw_population(load_preset("cine-calcified"), nodules, seed)
    assert len(drawn.nodules) == len(drawn.descriptors) == drawn.nodules["nodule_id"].nunique() == nodules
    assert set(drawn.nodules["patient_id"]) == set(drawn.patients["patient_id"])


def test_no_nodules_is_refused() -> None:
    with pytest.raises(CohortError, match="at least 1"):
        draw_population(load_preset("stills"), 0, 1)


def test_the_same_seed_gives_the_same_cohort_and_another_seed_another() -> None:
    preset = load_preset("multimodal")
    first, again, other = (draw_population(preset, 50, seed) for seed in (1, 1, 2))
    for name in ("patients", "nodules", "descriptors", "views"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert not first.nodules["size_mm"].equals(other.nodules["size_mm"])


def test_every_latent_is_there_and_keeps_its_range(population: Population) -> None:
    nodules = population.nodules
    assert {column for modality in RENDERED for column in rendered_columns(modality)} <= set(nodules)
    for name, (low, high) in RANGES.items():
        assert nodules[name].between(low, high).all(), name
    assert nodules["halo"].dtype == bool


def test_the_tables_keep_contract_1(population: Population) -> None:
    NODULES.validate(population.nodule_table(), lazy=True)
    PATIENTS.validate(population.patients, lazy=True)


def test_what_is_the_patients_is_shared_by_the_patients_nodules(population: Population) -> None:
    shared = ["site", "device", "age_years", "sex", "group_id", "split"]
    assert (population.nodules.groupby("patient_id")[shared].nunique() == 1).all(axis=None)


def test_external_patients_are_those_of_held_out_sites(population: Population) -> None:
    held_out = {name for name, site in population.preset.sites.items() if site.external}
    external = population.nodules["split"] == "external"
    assert external.equals(population.nodules["site"].isin(held_out))


def test_labels_are_wrong_only_in_train_and_tune_and_at_the_stated_rate(population: Population) -> None:
    nodules, target = population.nodules, population.preset.target
    wrong = nodules[target.column] != nodules[f"true_{target.name}"]
    assert wrong.equals(nodules["label_flipped"])
    noisy = nodules["split"].isin(["train", "tune"])
    assert not wrong[~noisy].any()
    assert stats.binomtest(int(wrong.sum()), int(noisy.sum()), population.preset.label_noise or 1e-12).pvalue > 1e-4


def test_cine_parts_have_the_papers_shares() -> None:
    nodules = draw_population(load_preset("cine-calcified"), 2319, 0).nodules  # the paper's numbers
    counts = nodules["split"].value_counts()
    assert counts[["train", "tune", "test", "external"]].to_numpy() == pytest.approx([1623, 232, 232, 232], rel=0.12)
    assert len(nodules) / nodules["patient_id"].nunique() == pytest.approx(2319 / 1257, rel=0.05)
    calcium = ["punctate_transverse", "punctate_longitudinal", "punctate_elsewhere", "macrocalcifications"]
    assert ((nodules[calcium].sum(axis=1) > 0) | (nodules["rim_calcification"] > 0)).all()


def test_olnm_parts_have_the_papers_counts() -> None:
    nodules = draw_population(load_preset("ceus-olnm"), 396, 0).nodules
    found = pd.crosstab(nodules["split"], nodules["true_olnm"])
    share = found["1"] / found.sum(axis=1)
    assert share["test"] - share["train"] == pytest.approx(27 / 116 - 55 / 280, abs=0.01)
    assert found.loc["test"].sum() == pytest.approx(116, abs=2)


@pytest.mark.parametrize("group", ["benign", "malignant", "node_negative", "node_positive"])
@pytest.mark.parametrize("latent", ["composition", "margin", "lobe"])
def test_codes_have_the_tables_shares(latent: str, group: str) -> None:
    chain = [group, "malignant"]
    drawn = draw_findings(np.zeros(20_000, np.int64), [chain], seed=8)
    expected = pd.Series(levels(latent, chain))
    counts = drawn[latent].value_counts().reindex(expected.index).to_numpy()
    possible = expected.to_numpy() > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], 20_000 * expected.to_numpy()[possible]).pvalue > 1e-4


@pytest.mark.parametrize("group", ["benign", "malignant", "calcified_benign", "node_positive"])
def test_findings_have_the_tables_shares(group: str) -> None:
    chain = [group, "malignant" if group.startswith("node") else group.removeprefix("calcified_")]
    drawn = draw_findings(np.zeros(20_000, np.int64), [chain], seed=9)
    foci = drawn.filter(like="punctate").sum(axis=1)
    shares = {
        "punctate": foci > 0,
        "macrocalcifications": drawn["macrocalcifications"] > 0,
        "halo": drawn["halo"],
        "rim_enhancement": drawn["rim_enhancement"] > 0,
    }
    for latent, there in shares.items():
        assert stats.binomtest(int(there.sum()), 20_000, number(latent, "present", chain)).pvalue > 1e-4, latent
    tall = int((drawn["height_to_width"] > 1).sum())
    assert stats.binomtest(tall, 20_000, number("height_to_width", "taller_than_wide", chain)).pvalue > 1e-4


# olnm2025, Table 1, training and test set together: positive, of, in patients without and with occult metastasis.
Shown = Callable[[pd.DataFrame], pd.Series]
TABLE_1: dict[str, tuple[Shown, tuple[int, int], tuple[int, int]]] = {
    "male": (lambda n: n["sex"] == "M", (49 + 22, 314), (21 + 11, 82)),
    "vertical": (lambda n: n["height_to_width"] > 1, (100 + 43, 314), (31 + 13, 82)),
    "solid": (lambda n: n["composition"] == "solid", (215 + 87, 314), (53 + 25, 82)),
    "hypoechoic": (lambda n: n["contrast_db"] < -2, (217 + 88, 314), (54 + 27, 82)),
    "microcalcifications": (lambda n: n.filter(like="punctate").sum(axis=1) > 0, (138 + 54, 314), (43 + 22, 82)),
    "halo": (lambda n: n["halo"], (7 + 1, 314), (0 + 2, 82)),
    "hypoenhancement": (lambda n: n["peak_db"] < -2, (157 + 63, 314), (48 + 26, 82)),
    "ring": (lambda n: n["rim_enhancement"] > 0, (4 + 1, 314), (2 + 0, 82)),
    "isthmus": (lambda n: n["lobe"] == "isthmus", (9 + 4, 314), (4 + 1, 82)),
}


@pytest.fixture(scope="module")
def carcinomas() -> pd.DataFrame:
    return draw_nodules(load_preset("ceus-olnm"), 60_000, seed=12)


@pytest.mark.parametrize("finding", TABLE_1)
def test_findings_by_label_are_those_of_olnm2025(carcinomas: pd.DataFrame, finding: str) -> None:
    shown, *groups = TABLE_1[finding]
    for label, (found, patients) in enumerate(groups):
        share = np.average(shown(carcinomas), weights=carcinomas[f"p_true_{label}"])
        assert stats.binomtest(found, patients, share).pvalue > 0.01, (finding, label, share, found / patients)


def test_margins_are_those_of_olnm2025_over_both_groups(carcinomas: pd.DataFrame) -> None:
    irregular, extension = ((carcinomas["margin"] == code).sum() for code in ("irregular", "extrathyroidal_extension"))
    assert stats.binomtest(145 + 4 + 64 + 0, 396, irregular / len(carcinomas)).pvalue > 0.01
    assert stats.binomtest(0 + 33 + 1 + 15, 396, extension / len(carcinomas)).pvalue > 0.01


def test_size_and_age_by_label_are_those_of_olnm2025(carcinomas: pd.DataFrame) -> None:
    # Table 1: mean (SD) of 225 and 89, 55 and 27 patients; three standard errors of the paper's own means.
    published = {
        "size_mm": (((225, 10.77), (89, 10.45), 6.4), ((55, 15.69), (27, 14.67), 8.1)),
        "age_years": (((225, 42.84), (89, 41.72), 10.8), ((55, 40.13), (27, 37.33), 10.9)),
    }
    for name, groups in published.items():
        for label, (train, test, spread) in enumerate(groups):
            patients = train[0] + test[0]
            mean = (train[0] * train[1] + test[0] * test[1]) / patients
            drawn = np.average(carcinomas[name], weights=carcinomas[f"p_true_{label}"])
            assert abs(drawn - mean) < 3 * spread / np.sqrt(patients), (name, label)


def changed_rule(preset: Preset) -> Preset:
    coefficients = {code: {"age": 2.0, "male": -3.0, "log_stiffness": -1.0} for code in preset.classes[1:]}
    return preset.model_copy(update={"target": preset.target.model_copy(update={"coefficients": coefficients})})


@pytest.mark.parametrize("name", ["stills", "three-class"])
def test_no_finding_depends_on_the_labels_or_on_age_and_sex(name: str) -> None:
    preset = load_preset(name)
    other = changed_rule(preset).model_copy(update={"patients": ["ptc"], "label_noise": 0.4})
    one, two = draw_population(preset, 400, 6).nodules, draw_population(other, 400, 6).nodules
    assert not one[f"true_{preset.target.name}"].equals(two[f"true_{preset.target.name}"])
    assert not one["age_years"].equals(two["age_years"])
    columns = sorted({column for modality in RENDERED for column in rendered_columns(modality)})
    pd.testing.assert_frame_equal(one[[*columns, "site", "device"]], two[[*columns, "site", "device"]])


def test_a_missing_modality_has_no_view_and_is_missing_whatever_the_label() -> None:
    drawn = draw_population(load_preset("multimodal"), 4000, 3)
    for modality, rate in drawn.preset.missing_rates.items():
        there = drawn.nodules[f"has_{modality}"]
        recorded = drawn.nodules["nodule_id"].isin(drawn.views.query("modality == @modality")["nodule_id"])
        assert there.equals(recorded)
        assert there.mean() == pytest.approx(1 - rate, abs=0.03)
        if rate:
            counts = pd.crosstab(there, drawn.nodules["true_malignant"])
            assert stats.chi2_contingency(counts).pvalue > 1e-3


def test_views_of_one_plane_share_an_acquisition() -> None:
    views = draw_population(load_preset("multimodal"), 40, 3).views
    assert views["view_id"].is_unique
    assert (views.groupby("acquisition_id")[["nodule_id", "plane"]].nunique() == 1).all(axis=None)
    together = views.groupby("acquisition_id")["modality"].agg(set)
    assert {"bmode", "smi", "swe"} in list(together)


def test_clips_have_a_length_and_stills_none() -> None:
    views = draw_population(load_preset("ceus-olnm"), 200, 3).views
    clips = views["modality"] == "ceus"
    assert views.loc[clips, "seconds"].between(10, 120).all()
    assert views.loc[~clips, ["seconds", "frame_rate_hz"]].isna().all(axis=None)
    assert set(views.loc[clips, "kind"]) == {"avi"}
