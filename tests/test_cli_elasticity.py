"""The command `isthmus cohort elasticity`: its folder, its page, and what it prints."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.errors import InputError, OutputError
from tests.elastograms import write_elastogram_cohort


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elasticity")
    write_elastogram_cohort(folder / "cohort", faults=True)
    return folder, invoke(folder, "--json", "--range-kpa", "0 120")


def invoke(folder, *more):
    words = ["cohort", "elasticity", str(folder / "cohort"), "--out", str(folder / "out"), *more]
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_bad_pictures_are_listed_and_stop_nothing(done):
    _, result = done
    assert result.exit_code == 0
    facts = json.loads(result.output)
    assert (facts["measured"], facts["in_full"], facts["simulated"]) == (5, 4, True)
    assert facts["against_truth"] is None
    assert facts["refused"]["X1"].startswith("no colour bar is seen")


def test_the_folder_holds_table_page_figures_and_record(done):
    out = done[0] / "out"
    table = pd.read_csv(out / "elasticity.csv")
    assert table["view_id"].tolist() == ["V1", "V2", *(f"X{number}" for number in range(1, 9))]
    record = json.loads((out / "manifest.json").read_text())
    assert record["notice"] == "Research use only; not a medical device."
    assert record["excluded"].keys() == {"X1", "X2", "X3", "X7", "X8"}
    assert set(record["outputs"]) == {"elasticity.csv", "elasticity.html", "figures/maps_1.svg", "figures/maps_1.png"}


def test_the_page_says_what_it_is_and_names_no_place_on_the_disk(done):
    folder, _ = done
    page = (folder / "out" / "elasticity.html").read_text()
    for words in (
        "SIMULATED", "Research use only", "5 of 10 elastograms could be read back", "no colour bar is seen",
        "ellipse in the box", "its mean is a lower limit", "≥ ", 'role="img"',
    ):  # fmt: skip
        assert words in page
    for file in ("elasticity.html", "elasticity.csv", "manifest.json"):
        assert str(folder) not in (folder / "out" / file).read_text()


@pytest.mark.parametrize("scale", ["inf", "0 5000"])
def test_a_scale_that_no_bar_has_is_one_error_and_not_a_refusal_of_every_picture(done, tmp_path, scale):
    with pytest.raises(InputError, match=f"the scale of an elastogram is '{scale}'"):
        invoke(done[0], "--range-kpa", scale, "--out", str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(done):
    with pytest.raises(OutputError, match="nothing is overwritten"):
        invoke(done[0])
