import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from isthmus.phantom.descriptors import FOCI, NEIGHBOURS, describe, true_codes
from isthmus.phantom.frequencies import number
from isthmus.phantom.patients import draw_population
from isthmus.phantom.preset import load_preset
from isthmus.tables import vocabulary


@pytest.fixture(scope="module")
def nodules() -> pd.DataFrame:
    return draw_population(load_preset("stills"), 8000, seed=5).nodules


def test_codes_are_the_vocabularys() -> None:
    for name, neighbours in NEIGHBOURS.items():
        codes = set(getattr(vocabulary, name.upper()))
        assert set(neighbours) <= codes
        assert {code for others in neighbours.values() for code in others} <= set(neighbours)
    assert {*FOCI, "none"} == set(vocabulary.ECHOGENIC_FOCI)


def test_codes_follow_from_latents() -> None:
    rows = pd.DataFrame(
        {
            "composition": ["cystic", "solid", "solid", "solid", "mixed"],
            "contrast_db": [-5.0, 3.0, 0.0, -2.5, -12.0],
            "height_to_width": [0.8, 1.01, 1.0, 1.4, 0.5],
            "margin": ["smooth", "lobulated", "irregular", "ill_defined", "smooth"],
        }
    )
    codes = true_codes(rows)
    assert list(codes["echogenicity"]) == ["anechoic", "hyperechoic", "isoechoic", "hypoechoic", "very_hypoechoic"]
    assert list(codes["shape"]) == [
        "wider_than_tall",
        "taller_than_wide",
        "wider_than_tall",
        "taller_than_wide",
        "wider_than_tall",
    ]
    assert list(codes["margin"]) == list(rows["margin"])


@pytest.mark.parametrize("name", ["composition", "echogenicity", "shape", "margin"])
def test_two_readers_agree_beyond_chance_about_as_published(nodules: pd.DataFrame, name: str) -> None:
    first, second = describe(nodules, 1)[name], describe(nodules, 2)[name]
    assert cohen_kappa_score(first, second) == pytest.approx(number("agreement", name, ()), abs=0.12)


@pytest.mark.parametrize("code", list(FOCI))
def test_two_readers_agree_on_foci_about_as_published(nodules: pd.DataFrame, code: str) -> None:
    seen = [describe(nodules, seed)["echogenic_foci"].str.contains(code) for seed in (1, 2)]
    assert cohen_kappa_score(*seen) == pytest.approx(number("agreement", code, ()), abs=0.1)


def test_the_measured_size_errs_as_published(nodules: pd.DataFrame) -> None:
    measured = describe(nodules, 1)["size_mm"]
    error = measured / nodules["size_mm"] - 1
    assert error.std() == pytest.approx(number("size_error", "relative_sd", ()), rel=0.06)
    assert abs(error.mean()) < 0.003


def test_a_nodule_without_foci_may_be_called_none_alone(nodules: pd.DataFrame) -> None:
    foci = describe(nodules, 1)["echogenic_foci"]
    assert (foci == "none").mean() > 0.3
    assert not foci[foci != "none"].str.contains("none").any()


def test_a_description_depends_on_the_findings_alone(nodules: pd.DataFrame) -> None:
    other = nodules.assign(true_malignant="0", malignant="1", age_years=20.0, sex="M", site="hospital-a")
    pd.testing.assert_frame_equal(describe(nodules, 1), describe(other, 1))
    assert np.isfinite(describe(nodules, 1)["size_mm"]).all()
