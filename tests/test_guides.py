"""The guides are true: every command in them runs, what they quote is printed, what they explain exists.

Their commands are typed as they stand, in reading order, each chain of pages in a folder of its own, in which the
reader has already what a page says that one has. Only sizes are smaller than on paper: `--profile small` is `smoke`,
and the demo is drawn as blobs.
"""

import inspect
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import IsthmusError
from isthmus.protocol.resolve import shipped_protocols
from isthmus.report import page as report_page
from isthmus.report.subjects import SUBJECTS
from tests.ddti_tree import write_ddti_tree
from tests.hospital_export import write_export
from tests.markdown_blocks import ROOT, Reader
from tests.quick_demo import quick_demo

DOCS = ROOT / "docs"
CHAINS = {
    "first hour": ("first_hour.md", "reading_the_report.md", "choosing_a_protocol.md"),
    "own cohort": ("your_cohort.md", "your_network.md"),
}


def call(*words: str) -> tuple[int, str]:
    """Run a command in this process; an error on purpose is given back as it is printed."""
    smaller = ["smoke" if word == "small" else word for word in words]
    result = CliRunner().invoke(cli.app, smaller)
    if isinstance(result.exception, IsthmusError):
        return 1, f"isthmus: {result.exception}\n"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("chain", CHAINS)
def test_every_command_runs_and_prints_what_the_page_says(
    chain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))
    desk = tmp_path / "desk"
    desk.mkdir()
    write_ddti_tree(desk / "ddti", 30, seed=0)
    write_export(desk / "export")
    write_export(desk / "other", seed=4)
    monkeypatch.chdir(desk)
    reader = Reader(call)
    with quick_demo(tmp_path):
        for page in CHAINS[chain]:
            reader.follow(DOCS / page)


def headings(page: str) -> set[str]:
    return set(re.findall(r"^### (.+)$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_every_section_of_the_report_is_explained_and_none_that_it_lacks():
    names = re.findall(r'"([A-Z][^"]+[^".])"', inspect.getsource(report_page._sections))
    shown = {name.replace("{page['unit']}", "nodule") for name in names} | {subject.heading for subject in SUBJECTS}
    assert headings("reading_the_report.md") == shown


def test_every_shipped_protocol_has_its_rows():
    words = (DOCS / "choosing_a_protocol.md").read_text(encoding="utf-8")
    for name in shipped_protocols():
        assert words.count(f"| `{name}` |") >= 2, name
