"""The commands of `isthmus sample-size`: what they print is what the statistics give."""

import json

import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.errors import InputError


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, ["sample-size", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def facts(*words: str) -> dict[str, object]:
    return json.loads(printed(*words, "--json"))


def test_buderers_study_needs_173_patients():
    found = facts(
        "proportion", "--sensitivity", "0.9", "--specificity", "0.85", "--width", "0.2", "--prevalence", "0.2", "--wald"
    )
    assert found == {"positives": 35, "negatives": 49, "total": 173, "method": "Buderer 1996"}


def test_several_nodules_a_patient_are_more_nodules_from_fewer_patients():
    one = facts("auc", "--expected", "0.85", "--width", "0.1", "--prevalence", "0.3")
    several = facts(
        "auc", "--expected", "0.85", "--width", "0.1", "--prevalence", "0.3", "--nodules", "1.8", "--icc", "0.3"
    )
    assert several["total"] / one["total"] == pytest.approx(several["design_effect"], rel=0.01)
    assert several["patients"] < one["total"]
    words = printed("at-least", "--expected", "0.9", "--least", "0.8", "--nodules", "2", "--icc", "0.5")
    assert "nodules of the class" in words
    assert "from" in words


def test_differences_on_the_same_cases_and_on_others():
    paired = facts("compare-aucs", "--a", "0.85", "--b", "0.78", "--prevalence", "0.3")
    apart = facts("compare-aucs", "--a", "0.85", "--b", "0.78", "--prevalence", "0.3", "--correlation", "0")
    assert paired["positives"] < apart["positives"]
    assert "this many for either" in apart["design"]
    larger = facts("compare-aucs", "--a", "0.85", "--b", "0.78", "--prevalence", "0.3", "--obuchowski")
    assert larger["positives"] > paired["positives"]
    assert facts("compare-calls", "--a", "0.85", "--b", "0.75")["cases"] == 250  # power.prop.test: 249.98
    assert facts("compare-calls", "--a", "0.9", "--b", "0.8", "--correlation", "0.3")["design"] == "the same cases"


def test_readers_need_cases_or_more_readers():
    pilot = [
        "--interaction",
        "0.0002",
        "--error",
        "0.0008",
        "--cov1",
        "0.0003",
        "--cov2",
        "0.00025",
        "--cov3",
        "0.0002",
    ]
    pilot += ["--pilot-cases", "100", "--difference", "0.05"]
    assert facts("readers", "--readers", "5", *pilot)["power"] >= 0.8
    with pytest.raises(InputError, match="take more readers"):
        printed("readers", "--readers", "5", *pilot[:-1], "0.001")


def test_impossible_plans_are_one_line():
    with pytest.raises(InputError, match="differ at no size"):
        printed("compare-calls", "--a", "0.9", "--b", "0.9")
