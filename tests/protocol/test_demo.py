"""The demo's own stages, on a cohort of blobs with the smoke profile; the shipped protocol; the unseen case drawn."""

import shutil

import pytest

from isthmus.cohort.cohort import load_cohort
from isthmus.errors import OutputError
from isthmus.protocol import demo as stages
from isthmus.protocol.resolve import resolve_protocol
from tests.quick_demo import finished_demo, quick_demo


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch, quick_demo(folder) as drawn:
        patch.setenv("ISTHMUS_CACHE", str(folder / "cache"))
        yield folder, drawn


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    # Every stage of it is kept: it is only opened.
    return stages.demo(finished_demo(tmp_path_factory)[0], resume=True)


def test_it_ends_in_five_lines_result_report_case_next_and_time(finished):
    lines = finished.lines()
    assert [line.partition(":")[0] for line in lines] == ["Result", "Report", "Case", "Next", "Time"]
    assert not any("\n" in line for line in lines)
    assert finished.run.report.is_file()
    assert finished.picture.is_file()
    assert str(finished.run.report) in lines[1]
    assert "truth: malignant" in lines[2]


def test_the_unseen_case_is_of_no_patient_of_the_study(finished):
    # Another seed draws other patients: the file's bytes stand nowhere in the study's cohort.
    unseen = {path.read_bytes() for path in (finished.folder / "unseen" / "pictures").rglob("*.*")}
    study = {path.read_bytes() for path in load_cohort(finished.folder / "cohort").examples("malignant")["path"]}
    assert len(unseen) == 1
    assert not unseen & study


def test_an_interrupted_demo_goes_on_where_it_stopped_and_a_finished_stage_is_kept(finished, small, tmp_path):
    folder = tmp_path / "demo"
    shutil.copytree(finished.folder, folder)
    shutil.rmtree(folder / "case")
    before = len(small[1])
    again = stages.demo(folder, resume=True)
    assert again.case == finished.case
    assert len(small[1]) == before


def test_a_demo_that_exists_or_is_another_one_is_refused(finished, tmp_path):
    with pytest.raises(OutputError, match="add --resume"):
        stages.demo(finished.folder)
    with pytest.raises(OutputError, match="has 360 nodules and seed 0, not 96 and 6"):
        stages.demo(finished.folder, 96, 6, resume=True)
    (tmp_path / "mine.txt").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        stages.demo(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        ({"difference": 0.1, "low": 0.02, "high": 0.18}, "A wins"),
        ({"difference": -0.1, "low": -0.18, "high": -0.02}, "B wins"),
        ({"difference": 0.1, "low": -0.02, "high": 0.22}, "a tie"),
        ({"difference": None, "low": None, "high": None}, "a tie"),
    ],
)
def test_a_winner_is_named_only_where_the_interval_leaves_zero_out(contrast, words):
    assert stages._verdict({"a": "a", "b": "b", **contrast}, {"a": "A", "b": "B"}) == words


def test_the_shipped_study_shows_a_leak_and_the_heat_of_its_primary_arm_and_opens_the_cohorts_own_parts():
    protocol = resolve_protocol("demo")
    assert protocol.claims
    assert protocol.leak is not None
    assert protocol.leak.arm in protocol.arms
    assert protocol.primary.arm in protocol.explain.arms
    assert protocol.splits.test is not None
    assert protocol.splits.test.column == "split"


def test_the_default_number_of_nodules_is_the_commands():
    from isthmus import cli

    assert cli.first_contact.demo.__defaults__ is not None
    assert stages.NODULES in cli.first_contact.demo.__defaults__
