"""The command `isthmus cohort perfusion`: its folder, its page, and what it prints."""

import inspect
import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from isthmus.cli.perfusion import cohort_perfusion
from isthmus.errors import OutputError
from isthmus.imaging.intensity_curves import DYNAMIC_RANGE_DB
from tests.perfused_clips import RANGE_DB, write_perfused_cohort


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("perfusion")
    write_perfused_cohort(folder / "cohort", faults=True)
    return folder, invoke(folder, "--json")


def invoke(folder, *more):
    words = ["cohort", "perfusion", str(folder / "cohort"), "--out", str(folder / "out"), *more]
    return CliRunner().invoke(app, [*words, "--dynamic-range-db", str(RANGE_DB)], catch_exceptions=False)


def test_bad_clips_are_listed_and_stop_nothing(done):
    _, result = done
    assert result.exit_code == 0
    facts = json.loads(result.output)
    assert (facts["measured"], facts["simulated"]) == (4, True)
    assert facts["in_full"] >= 1
    assert facts["refused"]["X1"].startswith("it is a still")


def test_the_folder_holds_table_curves_page_figures_and_record(done):
    out = done[0] / "out"
    table = pd.read_csv(out / "perfusion.csv")
    assert table["view_id"].tolist() == ["V1", "V2", *(f"X{number}" for number in range(1, 9))]
    curves = json.loads((out / "curves.json").read_text())
    assert curves["format"] == "isthmus-perfusion/1.0"
    view = curves["views"][0]
    assert len(view["times_s"]) == len(view["regions"]["ring"]["intensity"]) == 80
    assert view["regions"]["lesion"]["measures"]["peak"]["doubt"] is None
    assert curves["views"][3]["regions"]["lesion"]["measures"]["area"]["doubt"]
    record = json.loads((out / "manifest.json").read_text())
    assert record["notice"] == "Research use only; not a medical device."
    assert record["excluded"].keys() == {"X1", "X2", "X5", "X6", "X7", "X8"}
    assert set(record["outputs"]) == {
        "perfusion.csv", "curves.json", "perfusion.html", "figures/curves_1.svg", "figures/curves_1.png",
    }  # fmt: skip


def test_the_page_says_what_it_is_and_names_no_place_on_the_disk(done):
    folder, _ = done
    page = (folder / "out" / "perfusion.html").read_text()
    for words in (
        "SIMULATED", "Research use only", "4 of 10 contrast-enhanced clips could be measured",
        "the clip ends before the peak has passed", "it is a still", "ellipse in the box", "D = 50 dB",
        'role="img"',
    ):  # fmt: skip
        assert words in page
    for file in ("perfusion.html", "curves.json", "perfusion.csv", "manifest.json"):
        assert str(folder) not in (folder / "out" / file).read_text()


def test_nothing_is_overwritten(done):
    with pytest.raises(OutputError, match="nothing is overwritten"):
        invoke(done[0])


def test_the_range_of_a_display_that_does_not_say_is_the_same_everywhere():
    assert inspect.signature(cohort_perfusion).parameters["dynamic_range"].default == DYNAMIC_RANGE_DB
